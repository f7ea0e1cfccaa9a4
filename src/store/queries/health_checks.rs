//! Findings of health checks: writing them down, the last of each deployment, pages of former ones; and whose turn it is to
//! check, where instances share what they find.

use diesel::prelude::*;

use super::super::connection::MultiBackend;
use super::super::rows::HealthRow;
use super::super::schema::{health_checks, health_rounds};
use super::super::{AnyConnection, StoreError, dialect};

/// Findings that are kept.
pub const MOST_FINDINGS: i64 = 100_000;
/// Deployments that are told of at once.
const MOST_DEPLOYMENTS: i64 = 10_000;
/// Rows that one statement removes at most, so that no lock is held for long.
const AT_ONCE: i64 = 5_000;

/// Writes findings down; the oldest beyond [`MOST_FINDINGS`] make room.
pub fn keep_findings(conn: &mut AnyConnection, rows: &[HealthRow]) -> Result<(), StoreError> {
    dialect::write_transaction(conn, |conn| {
        for row in rows {
            diesel::insert_into(health_checks::table)
                .values(row)
                .execute(conn)?;
        }
        let oldest: Vec<Vec<u8>> = health_checks::table
            .order((health_checks::checked_at.desc(), health_checks::id.desc()))
            .select(health_checks::id)
            .offset(MOST_FINDINGS)
            .limit(AT_ONCE)
            .load(conn)?;
        if !oldest.is_empty() {
            let gone = health_checks::table.filter(health_checks::id.eq_any(oldest));
            diesel::delete(gone).execute(conn)?;
        }
        Ok(())
    })
}

/// The last finding of each deployment since then, in milliseconds since the Unix epoch; newest first.
pub fn latest_findings(
    conn: &mut AnyConnection,
    since_ms: i64,
) -> Result<Vec<HealthRow>, StoreError> {
    let query = diesel::sql_query(format!(
        "SELECT own.* FROM health_checks own WHERE own.checked_at >= {since_ms} AND NOT EXISTS \
         (SELECT 1 FROM health_checks later WHERE later.model_id = own.model_id \
         AND (later.checked_at, later.id) > (own.checked_at, own.id)) \
         ORDER BY own.checked_at DESC, own.id DESC LIMIT {MOST_DEPLOYMENTS}"
    ));
    Ok(match conn {
        AnyConnection::Sqlite(conn) => query.load(conn)?,
        AnyConnection::Postgres(conn) => query.load(conn)?,
    })
}

/// Which former findings are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FindingQuery {
    /// Of this group only.
    pub model_name: Option<String>,
    pub is_healthy: Option<bool>,
    /// To pass over, from the newest.
    pub offset: i64,
    pub limit: i64,
}

/// Newest first, and how many there are with the same filter.
pub fn finding_page(
    conn: &mut AnyConnection,
    query: &FindingQuery,
) -> Result<(Vec<HealthRow>, i64), StoreError> {
    // PostgreSQL has no NUL and refuses even to look for one.
    if query
        .model_name
        .as_deref()
        .is_some_and(|name| name.contains('\0'))
    {
        return Ok((Vec::new(), 0));
    }
    let filtered = || {
        let mut rows = health_checks::table.into_boxed::<MultiBackend>();
        if let Some(name) = &query.model_name {
            rows = rows.filter(health_checks::model_name.eq(name.clone()));
        }
        if let Some(is_healthy) = query.is_healthy {
            rows = rows.filter(health_checks::is_healthy.eq(is_healthy));
        }
        rows
    };
    let total: i64 = filtered().count().get_result(conn)?;
    let rows = filtered()
        .order((health_checks::checked_at.desc(), health_checks::id.desc()))
        .offset(query.offset)
        .limit(query.limit)
        .select(HealthRow::as_select())
        .load(conn)?;
    Ok((rows, total))
}

/// The one round that there is: of all deployments.
const ROUND: &str = "all";

/// A round of checks that instances share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedRound {
    /// Who checks, or did last.
    pub holder: String,
    /// Until then nobody else begins, in milliseconds since the Unix epoch.
    pub held_until: i64,
    /// When the last complete round began; 0: there was none.
    pub began_at: i64,
}

/// Asks for the turn to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnAsked {
    pub holder: String,
    pub now_ms: i64,
    /// The turn is kept so long without a sign of life.
    pub held_until: i64,
    /// A complete round that began after this is young enough: nobody needs to check.
    pub young_since: i64,
}

/// How the round stands.
pub fn shared_round(conn: &mut AnyConnection) -> Result<Option<SharedRound>, StoreError> {
    let columns = (
        health_rounds::holder,
        health_rounds::held_until,
        health_rounds::began_at,
    );
    let found: Option<(String, i64, i64)> = health_rounds::table
        .find(ROUND)
        .select(columns)
        .first(conn)
        .optional()?;
    Ok(found.map(|(holder, held_until, began_at)| SharedRound {
        holder,
        held_until,
        began_at,
    }))
}

/// Takes the turn, or keeps it; false while somebody else has it, or when there is a round that is young enough.
pub fn take_turn(conn: &mut AnyConnection, asked: &TurnAsked) -> Result<bool, StoreError> {
    dialect::write_transaction(conn, |conn| {
        dialect::insert_round(conn, ROUND)?;
        let mine = health_rounds::holder.eq(&asked.holder);
        let is_free = health_rounds::held_until.le(asked.now_ms);
        let is_old = health_rounds::began_at.lt(asked.young_since);
        let taken = diesel::update(
            health_rounds::table
                .find(ROUND)
                .filter(mine.or(is_free))
                .filter(is_old),
        )
        .set((
            health_rounds::holder.eq(&asked.holder),
            health_rounds::held_until.eq(asked.held_until),
        ))
        .execute(conn)?;
        Ok(taken > 0)
    })
}

/// The round that `holder` began then is complete; what somebody else has taken over meanwhile stays his.
pub fn end_turn(conn: &mut AnyConnection, holder: &str, began_at: i64) -> Result<(), StoreError> {
    let own = health_rounds::table
        .find(ROUND)
        .filter(health_rounds::holder.eq(holder));
    diesel::update(own)
        .set((
            health_rounds::held_until.eq(0),
            health_rounds::began_at.eq(began_at),
        ))
        .execute(conn)?;
    Ok(())
}
