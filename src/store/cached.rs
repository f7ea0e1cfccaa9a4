//! The ledger's two hot statements, written so that the database prepares them once.
//!
//! diesel builds and parses every `UPDATE` and every `ON CONFLICT … DO UPDATE` anew, because their `SET` may change from
//! call to call. Ours never do, and parsing one cost 10 to 15 µs, several times the row it books.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Text};

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
