//! The ledger's hot statements, written so that the database prepares them once.
//!
//! diesel builds and parses every `UPDATE` and every `ON CONFLICT … DO UPDATE` anew, because their `SET` may change from
//! call to call. Ours never do, and parsing one cost 10 to 15 µs, several times the row it books.
//!
//! SQLite takes one statement an entity, which costs it a function call. PostgreSQL, which may be a network away, takes one a
//! table and batch: the values come as arrays, so that its text is the same for any number of rows.

use diesel::backend::Backend;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{Array, BigInt, HasSqlType, Integer, Text};

use super::rows::DailyRow;
use super::schema::{daily_spend, keys, teams, users};

/// A table of entities that calls are charged to.
pub(super) trait Charged {
    const TABLE: &str;
    const ID: &str;
    /// Whether it notes when it was last used.
    const NOTES_ACTIVITY: bool = false;
}

impl Charged for keys::table {
    const TABLE: &str = "keys";
    const ID: &str = keys::token_hash::NAME;
    const NOTES_ACTIVITY: bool = true;
}

impl Charged for users::table {
    const TABLE: &str = "users";
    const ID: &str = users::user_id::NAME;
}

impl Charged for teams::table {
    const TABLE: &str = "teams";
    const ID: &str = teams::team_id::NAME;
}

/// `UPDATE … SET spend = spend + …, total_spend = total_spend + …` of one entity; none when there is no such row.
pub(super) struct Charge<'a, T> {
    /// Says which statement it is; never read.
    pub table: std::marker::PhantomData<T>,
    pub id: &'a str,
    /// Nano-dollars.
    pub spend: i64,
    /// Milliseconds since the Unix epoch; only for tables that note it.
    pub active_ms: i64,
}

/// The text depends on the table alone.
impl<T: Charged + 'static> QueryId for Charge<'_, T> {
    type QueryId = Charge<'static, T>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<T: Charged, DB> QueryFragment<DB> for Charge<'_, T>
where
    DB: Backend + HasSqlType<BigInt> + HasSqlType<Text>,
    i64: ToSql<BigInt, DB>,
    str: ToSql<Text, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("UPDATE ");
        out.push_identifier(T::TABLE)?;
        out.push_sql(" SET spend = spend + ");
        out.push_bind_param::<BigInt, _>(&self.spend)?;
        out.push_sql(", total_spend = total_spend + ");
        out.push_bind_param::<BigInt, _>(&self.spend)?;
        if T::NOTES_ACTIVITY {
            out.push_sql(", last_active_at = ");
            out.push_bind_param::<BigInt, _>(&self.active_ms)?;
        }
        out.push_sql(" WHERE ");
        out.push_identifier(T::ID)?;
        out.push_sql(" = ");
        out.push_bind_param::<Text, _>(self.id)
    }
}

impl<T, Conn> RunQueryDsl<Conn> for Charge<'_, T> {}

/// [`Charge`] for any number of entities of a table, which must be locked already: in which order PostgreSQL finds them is its
/// own affair.
pub(super) struct ChargeAll<'a, T> {
    /// Says which statement it is; never read.
    pub table: std::marker::PhantomData<T>,
    pub ids: Vec<&'a str>,
    /// Nano-dollars, in the order of `ids`.
    pub spend: Vec<i64>,
    /// Milliseconds since the Unix epoch; empty for tables that do not note it.
    pub active_ms: Vec<i64>,
}

impl<T: Charged + 'static> QueryId for ChargeAll<'_, T> {
    type QueryId = ChargeAll<'static, T>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<T: Charged> QueryFragment<Pg> for ChargeAll<'_, T> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("UPDATE ");
        out.push_identifier(T::TABLE)?;
        out.push_sql(
            " AS entity SET spend = entity.spend + charge.spend, \
             total_spend = entity.total_spend + charge.spend",
        );
        if T::NOTES_ACTIVITY {
            out.push_sql(", last_active_at = charge.active");
        }
        out.push_sql(" FROM unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.spend)?;
        if T::NOTES_ACTIVITY {
            out.push_sql(", ");
            out.push_bind_param::<Array<BigInt>, _>(&self.active_ms)?;
            out.push_sql(") AS charge (id, spend, active)");
        } else {
            out.push_sql(") AS charge (id, spend)");
        }
        out.push_sql(" WHERE entity.");
        out.push_identifier(T::ID)?;
        out.push_sql(" = charge.id");
        Ok(())
    }
}

impl<T, Conn> RunQueryDsl<Conn> for ChargeAll<'_, T> {}

const DIMENSIONS: [&str; 7] = [
    daily_spend::day::NAME,
    daily_spend::key_ref::NAME,
    daily_spend::user_ref::NAME,
    daily_spend::team_ref::NAME,
    daily_spend::model_ref::NAME,
    daily_spend::model_group_ref::NAME,
    daily_spend::provider_ref::NAME,
];

const SUMS: [&str; 8] = [
    daily_spend::requests::NAME,
    daily_spend::failed_requests::NAME,
    daily_spend::spend::NAME,
    daily_spend::prompt_tokens::NAME,
    daily_spend::completion_tokens::NAME,
    daily_spend::cache_read_tokens::NAME,
    daily_spend::cache_write_tokens::NAME,
    daily_spend::duration_ms::NAME,
];

/// An insert into `daily_spend` that adds to the sums of rows that are there. It is prepared once only if `Insert` is: a
/// row form with `treat_none_as_default_value = false`.
#[derive(QueryId)]
pub(super) struct AddUp<Insert>(pub Insert);

impl<Insert: QueryFragment<DB>, DB: Backend> QueryFragment<DB> for AddUp<Insert> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(" ON CONFLICT");
        for (n, dimension) in DIMENSIONS.iter().enumerate() {
            out.push_sql(if n == 0 { " (" } else { ", " });
            out.push_identifier(dimension)?;
        }
        out.push_sql(") DO UPDATE");
        for (n, sum) in SUMS.iter().enumerate() {
            out.push_sql(if n == 0 { " SET " } else { ", " });
            out.push_identifier(sum)?;
            out.push_sql(" = daily_spend.");
            out.push_identifier(sum)?;
            out.push_sql(" + excluded.");
            out.push_identifier(sum)?;
        }
        Ok(())
    }
}

impl<Insert, Conn> RunQueryDsl<Conn> for AddUp<Insert> {}

/// `INSERT INTO daily_spend … SELECT * FROM unnest(…)`: rows as one array a column, in their order.
#[derive(Default)]
pub(super) struct DailyColumns {
    dimensions: [Vec<i32>; DIMENSIONS.len()],
    sums: [Vec<i64>; SUMS.len()],
}

impl DailyColumns {
    pub(super) fn of(rows: &[DailyRow]) -> Self {
        let mut columns = Self::default();
        for row in rows {
            let dimensions = [
                row.day,
                row.key_ref,
                row.user_ref,
                row.team_ref,
                row.model_ref,
                row.model_group_ref,
                row.provider_ref,
            ];
            let sums = [
                row.requests,
                row.failed_requests,
                row.spend,
                row.prompt_tokens,
                row.completion_tokens,
                row.cache_read_tokens,
                row.cache_write_tokens,
                row.duration_ms,
            ];
            for (column, value) in columns.dimensions.iter_mut().zip(dimensions) {
                column.push(value);
            }
            for (column, value) in columns.sums.iter_mut().zip(sums) {
                column.push(value);
            }
        }
        columns
    }
}

impl QueryId for DailyColumns {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<Pg> for DailyColumns {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("INSERT INTO daily_spend (");
        for (n, column) in DIMENSIONS.iter().chain(&SUMS).enumerate() {
            out.push_sql(if n == 0 { "" } else { ", " });
            out.push_identifier(column)?;
        }
        out.push_sql(") SELECT * FROM unnest(");
        for (n, column) in self.dimensions.iter().enumerate() {
            out.push_sql(if n == 0 { "" } else { ", " });
            out.push_bind_param::<Array<Integer>, _>(column)?;
        }
        for column in &self.sums {
            out.push_sql(", ");
            out.push_bind_param::<Array<BigInt>, _>(column)?;
        }
        out.push_sql(")");
        Ok(())
    }
}
