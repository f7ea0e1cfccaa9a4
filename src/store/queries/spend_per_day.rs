//! Spend by day, from the days' sums.

use std::collections::BTreeMap;

use diesel::prelude::*;

use super::super::connection::MultiBackend;
use super::super::names::{NameKind, id_of, texts_of};
use super::super::schema::daily_spend;
use super::super::sum::sum_i64;
use super::super::{AnyConnection, StoreError, dialect};
use crate::types::{KeyHash, NanoUsd};

/// Days, and whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerDayQuery {
    /// First and last day, both included, as days since 1970-01-01 UTC.
    pub days: (i32, i32),
    pub key: Option<KeyHash>,
    pub user: Option<String>,
}

/// One day; days without a call are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaySpend {
    pub day: i32,
    pub spend: NanoUsd,
    /// By user id; calls without a user under the empty text.
    pub users: BTreeMap<String, NanoUsd>,
    /// By the provider-side model.
    pub models: BTreeMap<String, NanoUsd>,
}

/// Day, id of a name, spend.
type DaySum = (i32, i32, Option<i64>);

/// Spend by day and one dimension. Indexes: the primary key, which begins with the day; with a key (key_ref, day); with a
/// user (user_ref, day).
macro_rules! sums_by {
    ($conn:expr, $scope:expr, $dimension:expr) => {{
        let mut sums = daily_spend::table
            .group_by((daily_spend::day, $dimension))
            .select((daily_spend::day, $dimension, sum_i64(daily_spend::spend)))
            .filter(daily_spend::day.between($scope.days.0, $scope.days.1))
            .into_boxed::<MultiBackend>();
        if let Some(key) = $scope.key {
            sums = sums.filter(daily_spend::key_ref.eq(key));
        }
        if let Some(user) = $scope.user {
            sums = sums.filter(daily_spend::user_ref.eq(user));
        }
        sums.load($conn)?
    }};
}

/// The days that have calls, oldest first.
pub fn spend_per_day(
    conn: &mut AnyConnection,
    query: &PerDayQuery,
) -> Result<Vec<DaySpend>, StoreError> {
    dialect::snapshot(conn, |conn| {
        let Some(scope) = scope(conn, query)? else {
            return Ok(Vec::new());
        };
        let by_user: Vec<DaySum> = sums_by!(conn, scope, daily_spend::user_ref);
        let by_model: Vec<DaySum> = sums_by!(conn, scope, daily_spend::model_ref);
        let texts = texts_of(conn, by_user.iter().chain(&by_model).map(|(_, id, _)| *id))?;
        let text = |id: &i32| texts.get(id).map(ToString::to_string).unwrap_or_default();

        let mut days: BTreeMap<i32, DaySpend> = BTreeMap::new();
        for (day, user, spend) in &by_user {
            let spend = spend.unwrap_or_default();
            let entry = days.entry(*day).or_insert_with(|| DaySpend {
                day: *day,
                ..DaySpend::default()
            });
            entry.spend.0 = entry.spend.0.saturating_add(spend);
            entry.users.insert(text(user), NanoUsd(spend));
        }
        for (day, model, spend) in &by_model {
            let entry = days.entry(*day).or_insert_with(|| DaySpend {
                day: *day,
                ..DaySpend::default()
            });
            entry
                .models
                .insert(text(model), NanoUsd(spend.unwrap_or_default()));
        }
        Ok(days.into_values().collect())
    })
}

/// A [`PerDayQuery`] with its names as ids.
struct DayScope {
    days: (i32, i32),
    key: Option<i32>,
    user: Option<i32>,
}

fn scope(conn: &mut AnyConnection, query: &PerDayQuery) -> Result<Option<DayScope>, StoreError> {
    let mut scope = DayScope {
        days: query.days,
        key: None,
        user: None,
    };
    if let Some(key) = &query.key {
        scope.key = id_of(conn, NameKind::Key, &key.to_string())?;
    }
    if let Some(user) = &query.user {
        scope.user = id_of(conn, NameKind::User, user)?;
    }
    let met =
        scope.key.is_some() == query.key.is_some() && scope.user.is_some() == query.user.is_some();
    Ok(met.then_some(scope))
}
