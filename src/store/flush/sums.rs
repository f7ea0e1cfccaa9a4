//! What a batch adds to whom. Pure, and sorted the way it is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::rows::DailyRow;
use super::encode::{Refs, bigint};
use crate::types::{CallStatus, KeyHash, SpendRow};

const MICROS_A_DAY: i64 = 86_400_000_000;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct KeySum {
    /// Nano-dollars.
    pub spend: i64,
    /// Milliseconds since the Unix epoch.
    pub last_active_ms: i64,
}

/// Nano-dollars by entity. A batch is far too small to leave 64 bits.
#[derive(Debug, Default)]
pub(super) struct EntitySums {
    pub keys: BTreeMap<KeyHash, KeySum>,
    pub users: BTreeMap<Arc<str>, i64>,
    pub teams: BTreeMap<Arc<str>, i64>,
}

impl EntitySums {
    pub(super) fn add(&mut self, row: &SpendRow) {
        let spend = row.spend.0;
        let key = self.keys.entry(row.key_hash).or_default();
        key.spend = key.spend.saturating_add(spend);
        key.last_active_ms = key.last_active_ms.max(row.ended_at.div_euclid(1000));
        for (sums, id) in [
            (&mut self.users, &row.user_id),
            (&mut self.teams, &row.team_id),
        ] {
            if let Some(id) = id {
                let sum = sums.entry(Arc::clone(id)).or_default();
                *sum = sum.saturating_add(spend);
            }
        }
    }
}

/// Sums by day and dimensions, in the order of the table's primary key.
#[derive(Debug, Default)]
pub(super) struct DailySums(BTreeMap<[i32; 7], DailyRow>);

impl DailySums {
    pub(super) fn add(&mut self, row: &SpendRow, refs: &Refs) {
        let dimensions = [
            day_of(row.started_at),
            refs.key,
            refs.user,
            refs.team,
            refs.model,
            refs.model_group,
            refs.provider,
        ];
        let [
            day,
            key_ref,
            user_ref,
            team_ref,
            model_ref,
            model_group_ref,
            provider_ref,
        ] = dimensions;
        let sums = self.0.entry(dimensions).or_insert(DailyRow {
            day,
            key_ref,
            user_ref,
            team_ref,
            model_ref,
            model_group_ref,
            provider_ref,
            requests: 0,
            failed_requests: 0,
            spend: 0,
            prompt_tokens: 0,
            completion_tokens: 0,
            cache_read_tokens: 0,
            cache_write_tokens: 0,
            duration_ms: 0,
        });
        let usage = &row.usage;
        let failed = matches!(row.status, CallStatus::Failure | CallStatus::Interrupted);
        for (sum, n) in [
            (&mut sums.requests, 1),
            (&mut sums.failed_requests, i64::from(failed)),
            (&mut sums.spend, row.spend.0),
            (&mut sums.prompt_tokens, count(usage.prompt_tokens())),
            (
                &mut sums.completion_tokens,
                count(usage.completion_tokens()),
            ),
            (&mut sums.cache_read_tokens, count(usage.cache_read)),
            (
                &mut sums.cache_write_tokens,
                count(usage.cache_write_5m.saturating_add(usage.cache_write_1h)),
            ),
            (
                &mut sums.duration_ms,
                row.ended_at.saturating_sub(row.started_at) / 1000,
            ),
        ] {
            *sum = sum.saturating_add(n);
        }
    }

    pub(super) fn rows(self) -> Vec<DailyRow> {
        self.0.into_values().collect()
    }
}

/// A provider that reports absurd counts must not make the sum of a day leave 64 bits, which the database refuses.
fn count(tokens: u64) -> i64 {
    bigint(tokens).min(1 << 40)
}

/// The UTC day of a time in microseconds, counted from 1970-01-01, which is the first there is.
fn day_of(micros: i64) -> i32 {
    i32::try_from(micros.max(0) / MICROS_A_DAY).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::spend_row;
    use crate::types::NanoUsd;

    #[test]
    fn days_begin_at_midnight_utc() {
        for (micros, day) in [
            (0, 0),
            (-1, 0),
            (i64::MIN, 0),
            (MICROS_A_DAY - 1, 0),
            (MICROS_A_DAY, 1),
            (1_893_456_000_000_000, 21915),
        ] {
            assert_eq!(day_of(micros), day, "{micros}");
        }
    }

    #[test]
    fn a_batch_is_summed_by_whom_and_day() {
        let (mut entities, mut days) = (EntitySums::default(), DailySums::default());
        for n in [1, 1, 2] {
            let row = SpendRow {
                spend: NanoUsd(5),
                status: CallStatus::Failure,
                ..spend_row(n)
            };
            entities.add(&row);
            days.add(
                &row,
                &Refs {
                    key: n as i32,
                    ..Refs::default()
                },
            );
        }
        assert_eq!(
            entities
                .keys
                .values()
                .map(|sum| sum.spend)
                .collect::<Vec<_>>()
                .iter()
                .sum::<i64>(),
            15
        );
        assert_eq!(entities.users.values().sum::<i64>(), 15);
        assert_eq!(entities.teams.values().sum::<i64>(), 15);
        let rows = days.rows();
        let seen: Vec<_> = rows
            .iter()
            .map(|row| (row.key_ref, row.requests, row.failed_requests, row.spend))
            .collect();
        assert_eq!(seen, [(1, 2, 2, 10), (2, 1, 1, 5)]);
    }
}
