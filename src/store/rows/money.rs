//! `NanoUsd` is a BIGINT.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::BigInt;

use crate::types::NanoUsd;

#[derive(FromSqlRow, AsExpression)]
#[diesel(foreign_derive)]
#[diesel(sql_type = BigInt)]
#[expect(dead_code, reason = "the derives above read it")]
struct NanoUsdProxy(NanoUsd);

impl<DB: Backend> ToSql<BigInt, DB> for NanoUsd
where
    i64: ToSql<BigInt, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.to_sql(out)
    }
}

impl<DB: Backend> FromSql<BigInt, DB> for NanoUsd
where
    i64: FromSql<BigInt, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        i64::from_sql(bytes).map(Self)
    }
}
