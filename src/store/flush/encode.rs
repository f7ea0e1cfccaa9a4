//! `types::SpendRow` ↔ the narrow row of the spend log.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::super::names::{NameKind, Resolver, storable};
use super::super::rows::LogRow;
use super::super::{AnyConnection, StoreError};
use super::Due;
use super::details::RowDetails;
use crate::types::{CallStatus, LedgerId, NanoUsd, SpendRow, Usage};

/// Ids of a row's names; 0 is none.
#[derive(Clone, Debug, Default)]
pub(super) struct Refs {
    pub key: i32,
    pub user: i32,
    pub team: i32,
    pub end_user: i32,
    pub call_type: i32,
    pub model: i32,
    pub model_group: i32,
    pub deployment: i32,
    pub provider: i32,
    pub api_base: i32,
    pub error_class: i32,
    pub client_ip: i32,
    pub user_agent: i32,
}

impl Refs {
    /// Looks up the names of all rows, storing those that are new.
    pub(super) fn of_rows(
        conn: &mut AnyConnection,
        resolver: &mut Resolver<'_>,
        due: &[Due<'_>],
    ) -> Result<Vec<Self>, StoreError> {
        let mut unknown = BTreeSet::new();
        let refs = due
            .iter()
            .map(|(_, row)| Self::of(row, resolver, &mut unknown))
            .collect();
        if unknown.is_empty() {
            return Ok(refs);
        }
        resolver.learn(conn, &unknown)?;
        Ok(due
            .iter()
            .map(|(_, row)| Self::of(row, resolver, &mut BTreeSet::new()))
            .collect())
    }

    /// The ids that are known without asking; the rest goes to `unknown`, with 0 in its place.
    fn of(
        row: &SpendRow,
        resolver: &mut Resolver<'_>,
        unknown: &mut BTreeSet<(NameKind, Arc<str>)>,
    ) -> Self {
        let mut id = |kind, text: &str| {
            resolver.known(kind, text).unwrap_or_else(|| {
                unknown.insert((kind, text.into()));
                0
            })
        };
        let mut refs = Self {
            key: id(NameKind::Key, &row.key_hash.to_string()),
            call_type: id(NameKind::CallType, &row.call_type),
            model: id(NameKind::Model, &row.model),
            model_group: id(NameKind::ModelGroup, &row.model_group),
            deployment: id(NameKind::Deployment, &row.model_id),
            provider: id(NameKind::Provider, &row.provider),
            api_base: id(NameKind::ApiBase, &row.api_base),
            ..Self::default()
        };
        for (slot, kind, text) in [
            (&mut refs.user, NameKind::User, &row.user_id),
            (&mut refs.team, NameKind::Team, &row.team_id),
            (&mut refs.end_user, NameKind::EndUser, &row.end_user),
            (
                &mut refs.error_class,
                NameKind::ErrorClass,
                &row.error_class,
            ),
            (&mut refs.client_ip, NameKind::ClientIp, &row.client_ip),
            (&mut refs.user_agent, NameKind::UserAgent, &row.user_agent),
        ] {
            if let Some(text) = text {
                *slot = id(kind, text);
            }
        }
        refs
    }
}

/// Counts that no call reaches are stored as the largest number there is.
pub(super) fn bigint(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn unless_zero<N: PartialEq + Default>(n: N) -> Option<N> {
    (n != N::default()).then_some(n)
}

/// The `status` column of a call that succeeded.
pub(in crate::store) const SUCCESS: i16 = 1;

const STATUSES: [(CallStatus, i16); 4] = [
    (CallStatus::Success, SUCCESS),
    (CallStatus::Failure, 2),
    (CallStatus::ClientDisconnected, 3),
    (CallStatus::Interrupted, 4),
];

pub(super) fn log_row<'r>(row: &'r SpendRow, refs: &Refs) -> LogRow<'r> {
    let usage = &row.usage;
    let cache_write = usage.cache_write_5m.saturating_add(usage.cache_write_1h);
    LogRow {
        ledger_id: Cow::Borrowed(row.ledger_id.as_bytes()),
        started_at: row.started_at,
        duration_us: row.ended_at.saturating_sub(row.started_at),
        first_token_us: row
            .first_token_at
            .map(|at| at.saturating_sub(row.started_at)),
        key_ref: refs.key,
        user_ref: unless_zero(refs.user),
        team_ref: unless_zero(refs.team),
        end_user_ref: unless_zero(refs.end_user),
        call_type_ref: refs.call_type,
        model_ref: refs.model,
        model_group_ref: refs.model_group,
        deployment_ref: refs.deployment,
        provider_ref: refs.provider,
        api_base_ref: refs.api_base,
        status: STATUSES
            .iter()
            .find(|(status, _)| *status == row.status)
            .map_or(0, |(_, number)| *number),
        http_status: i16::try_from(row.http_status).unwrap_or(i16::MAX),
        error_class_ref: unless_zero(refs.error_class),
        spend: row.spend.0,
        prompt_tokens: bigint(usage.prompt_tokens()),
        completion_tokens: bigint(usage.completion_tokens()),
        cache_read_tokens: unless_zero(bigint(usage.cache_read)),
        cache_write_tokens: unless_zero(bigint(cache_write)),
        reasoning_tokens: unless_zero(bigint(usage.reasoning)),
        usage_details: RowDetails::of(row).to_json().map(Cow::Owned),
        usage_estimated: row.usage_estimated,
        request_id: storable(&row.request_id),
        call_id: (row.call_id != row.request_id).then(|| storable(&row.call_id)),
        retries: i16::try_from(row.retries).unwrap_or(i16::MAX),
        client_ip_ref: unless_zero(refs.client_ip),
        user_agent_ref: unless_zero(refs.user_agent),
        labels: row.labels.as_deref().map(Cow::Borrowed),
    }
}

/// The other way. A name that is not in `texts` comes out empty.
pub(in crate::store) fn spend_row(
    row: &LogRow<'_>,
    texts: &HashMap<i32, Arc<str>>,
) -> Result<SpendRow, StoreError> {
    let broken = |what: &str| StoreError::Bug(format!("a spend log row holds no {what}"));
    let text = |id: i32| texts.get(&id).cloned().unwrap_or_default();
    let ledger_id =
        <[u8; 16]>::try_from(&*row.ledger_id).map_err(|_| broken("ledger id of 16 bytes"))?;
    let request_id: Arc<str> = row.request_id.as_ref().into();
    let details = RowDetails::read(row.usage_details.as_deref());
    Ok(SpendRow {
        ledger_id: LedgerId::from_bytes(ledger_id),
        key_hash: text(row.key_ref)
            .parse()
            .map_err(|_| broken("hash of a key"))?,
        user_id: row.user_ref.map(text),
        team_id: row.team_ref.map(text),
        end_user: row.end_user_ref.map(text),
        started_at: row.started_at,
        ended_at: row.started_at.saturating_add(row.duration_us),
        first_token_at: row
            .first_token_us
            .map(|after| row.started_at.saturating_add(after)),
        call_type: text(row.call_type_ref),
        status: STATUSES
            .iter()
            .find(|(_, number)| *number == row.status)
            .map(|(status, _)| *status)
            .ok_or_else(|| broken("known status"))?,
        model: text(row.model_ref),
        model_group: text(row.model_group_ref),
        model_id: text(row.deployment_ref),
        provider: text(row.provider_ref),
        api_base: text(row.api_base_ref),
        spend: NanoUsd(row.spend),
        usage: usage(row, &details),
        cost: details.cost(),
        usage_estimated: row.usage_estimated,
        call_id: row
            .call_id
            .as_deref()
            .map_or_else(|| Arc::clone(&request_id), Into::into),
        request_id,
        retries: u16::try_from(row.retries).unwrap_or_default(),
        http_status: u16::try_from(row.http_status).unwrap_or_default(),
        error_class: row.error_class_ref.map(text),
        client_ip: row.client_ip_ref.map(text),
        user_agent: row.user_agent_ref.map(text),
        labels: row.labels.as_deref().map(Arc::from),
        budgets: Vec::new(),
    })
}

fn usage(row: &LogRow<'_>, details: &RowDetails) -> Usage {
    let count = |n: Option<i64>| u64::try_from(n.unwrap_or_default()).unwrap_or_default();
    let mut usage = Usage {
        cache_read: count(row.cache_read_tokens),
        cache_write_5m: count(row.cache_write_tokens).saturating_sub(details.cache_write_1h),
        cache_write_1h: details.cache_write_1h,
        input_audio: details.input_audio,
        input_image: details.input_image,
        input_video: details.input_video,
        reasoning: count(row.reasoning_tokens),
        output_audio: details.output_audio,
        output_image: details.output_image,
        output_video: details.output_video,
        ..Usage::default()
    };
    usage.input = count(Some(row.prompt_tokens)).saturating_sub(usage.prompt_tokens());
    usage.output = count(Some(row.completion_tokens)).saturating_sub(usage.completion_tokens());
    usage
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_usage() -> impl Strategy<Value = Usage> {
        prop::array::uniform12(prop_oneof![3 => Just(0_u64), 1 => 0..u64::from(u32::MAX)]).prop_map(
            |[
                input,
                cache_read,
                cache_write_5m,
                cache_write_1h,
                ia,
                ii,
                iv,
                output,
                reasoning,
                oa,
                oi,
                ov,
            ]| Usage {
                input,
                cache_read,
                cache_write_5m,
                cache_write_1h,
                input_audio: ia,
                input_image: ii,
                input_video: iv,
                output,
                reasoning,
                output_audio: oa,
                output_image: oi,
                output_video: ov,
            },
        )
    }

    proptest! {
        #[test]
        fn every_bucket_comes_back(expected in any_usage()) {
            let row = SpendRow { usage: expected, ..crate::store::tests::spend_row(1) };
            let stored = log_row(&row, &Refs::default());
            let details = RowDetails::read(stored.usage_details.as_deref());
            prop_assert_eq!(usage(&stored, &details), expected);
        }
    }
}
