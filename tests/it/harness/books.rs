//! The database from beside: rows that have no route yet, and what was booked.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Text};
use pointsman::store::queries::{self, LedgerTotals, LogFilter, LogQuery};
use pointsman::store::{AnyConnection, NewTeam, NewUser, TeamRow, UserRow};
use pointsman::types::{CallStatus, NanoUsd, SpendRow};

use super::gateway::Gateway;
use super::wait::{SOON, eventually};

/// The part of a spend row that every test of the books needs: there may be more rows than one query reads.
#[derive(Clone, Debug)]
pub struct Booked {
    pub request_id: String,
    pub call_id: String,
    pub status: CallStatus,
    pub spend: NanoUsd,
}

#[derive(QueryableByName)]
struct BookedRow {
    #[diesel(sql_type = Text)]
    request_id: String,
    #[diesel(sql_type = Nullable<Text>)]
    call_id: Option<String>,
    #[diesel(sql_type = SmallInt)]
    status: i16,
    #[diesel(sql_type = BigInt)]
    spend: i64,
}

impl From<BookedRow> for Booked {
    fn from(row: BookedRow) -> Self {
        use CallStatus::{ClientDisconnected, Failure, Interrupted, Success};
        let statuses = [Success, Failure, ClientDisconnected, Interrupted];
        let number = usize::try_from(row.status).expect("a status");
        Self {
            call_id: row.call_id.unwrap_or_else(|| row.request_id.clone()),
            request_id: row.request_id,
            status: statuses[number - 1],
            spend: NanoUsd(row.spend),
        }
    }
}

impl Gateway {
    /// Every row of the spend log.
    pub fn booked(&self) -> Vec<Booked> {
        let query = diesel::sql_query("SELECT request_id, call_id, status, spend FROM spend_logs");
        let rows: Vec<BookedRow> = match &mut self.database() {
            AnyConnection::Sqlite(conn) => query.load(conn),
            AnyConnection::Postgres(conn) => query.load(conn),
        }
        .expect("the spend log");
        rows.into_iter().map(Booked::from).collect()
    }

    /// A connection of the test's own to the gateway's database.
    pub fn database(&self) -> AnyConnection {
        AnyConnection::open(&self.database_url()).expect("the gateway's database")
    }

    /// Inserts or changes a user.
    pub fn user(&self, id: &str, change: impl FnOnce(&mut UserRow)) {
        let mut row = UserRow::new(id, now_ms());
        change(&mut row);
        let user = NewUser {
            row,
            models: Vec::new(),
        };
        queries::upsert_user(&mut self.database(), &user).expect("a user");
    }

    /// Inserts or changes a team.
    pub fn team(&self, id: &str, change: impl FnOnce(&mut NewTeam)) {
        let mut team = NewTeam {
            row: TeamRow::new(id, now_ms()),
            models: Vec::new(),
        };
        change(&mut team);
        queries::upsert_team(&mut self.database(), &team).expect("a team");
    }

    /// All rows of the spend log, newest first.
    pub fn rows(&self) -> Vec<SpendRow> {
        queries::spend_logs(&mut self.database(), &LogQuery::new(LogFilter::All))
            .expect("the spend log")
    }

    /// The rows, once there are as many.
    #[track_caller]
    pub fn rows_when(&self, count: usize) -> Vec<SpendRow> {
        eventually(&format!("{count} rows in the spend log"), SOON, || {
            let rows = self.rows();
            assert!(rows.len() <= count, "more rows than calls: {rows:#?}");
            (rows.len() == count).then_some(rows)
        })
    }

    pub fn totals(&self) -> LedgerTotals {
        queries::ledger_totals(&mut self.database()).expect("the sums of the ledger")
    }

    /// Fails unless logs, days, keys, users and teams agree.
    #[track_caller]
    pub fn books_agree(&self) -> LedgerTotals {
        let totals = self.totals();
        assert!(totals.agree(), "{totals:#?}");
        totals
    }
}

pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}
