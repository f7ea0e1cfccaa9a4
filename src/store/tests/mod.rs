//! The store against real databases: SQLite in a temporary file, and PostgreSQL as well when `POINTSMAN_TEST_POSTGRES`
//! holds the URL of a database in which schemas may be created.

mod access;
mod budget_resets;
mod executor;
mod flush;
mod health_checks;
mod kept_responses;
mod keys;
mod models;
mod reads;
mod schema;
mod spend_windows;

use diesel::connection::SimpleConnection;

use super::{AnyConnection, FlushBatch, FlushItem, JournalId, NewKey, NewTeam, NewUser};
use super::{KeyRow, TeamRow, UserRow, queries};
use crate::types::{CallStatus, DatabaseUrl, KeyHash, LedgerId, NanoUsd, SpendRow, Usage};

/// A migrated database of one test's own.
pub(super) struct TestDb {
    pub url: DatabaseUrl,
    /// Removes the SQLite file at the end.
    _folder: Option<tempfile::TempDir>,
    postgres: Option<(String, String)>,
}

impl TestDb {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("store.db"));
        Self {
            url,
            _folder: Some(folder),
            postgres: None,
        }
        .migrated()
    }

    fn postgres() -> Option<Self> {
        let server = std::env::var("POINTSMAN_TEST_POSTGRES").ok()?;
        let schema = format!("test_{}", uuid::Uuid::new_v4().simple());
        let mut conn = AnyConnection::open(&DatabaseUrl::Postgres(server.as_str().into())).unwrap();
        conn.batch_execute(&format!("CREATE SCHEMA {schema}"))
            .unwrap();
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = DatabaseUrl::Postgres(
            format!("{server}{separator}options=-csearch_path%3D{schema}").into(),
        );
        Some(
            Self {
                url,
                _folder: None,
                postgres: Some((server, schema)),
            }
            .migrated(),
        )
    }

    fn migrated(self) -> Self {
        queries::migrate(&mut self.connect()).unwrap();
        self
    }

    pub fn connect(&self) -> AnyConnection {
        AnyConnection::open(&self.url).unwrap()
    }

    pub fn is_sqlite(&self) -> bool {
        self.postgres.is_none()
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let Some((server, schema)) = &self.postgres else {
            return;
        };
        if let Ok(mut conn) = AnyConnection::open(&DatabaseUrl::Postgres(server.as_str().into())) {
            let _ = conn.batch_execute(&format!("DROP SCHEMA {schema} CASCADE"));
        }
    }
}

/// Runs a test on each database there is.
fn on_each(test: impl Fn(&TestDb)) {
    test(&TestDb::sqlite());
    if let Some(db) = TestDb::postgres() {
        test(&db);
    }
}

const NOW_MS: i64 = 1_893_456_000_000;

fn hash(n: u32) -> KeyHash {
    KeyHash::of(&format!("sk-{n}"))
}

/// A call of key, user and team `n`; each call has a ledger id of its own.
pub(super) fn spend_row(n: u32) -> SpendRow {
    SpendRow {
        ledger_id: LedgerId::now(),
        key_hash: hash(n),
        user_id: Some(format!("u-{n}").into()),
        team_id: Some(format!("t-{n}").into()),
        end_user: Some("customer".into()),
        started_at: NOW_MS * 1000,
        ended_at: NOW_MS * 1000 + 1_234_567,
        first_token_at: Some(NOW_MS * 1000 + 200_001),
        call_type: "acompletion".into(),
        status: CallStatus::Success,
        model: "gpt-4o-2024-11-20".into(),
        model_group: "gpt-4o".into(),
        model_id: "d-1".into(),
        provider: "openai".into(),
        api_base: "https://api.openai.com/v1".into(),
        spend: NanoUsd(1_000 + i64::from(n)),
        cost: Default::default(),
        usage: Usage {
            input: 10,
            output: 20,
            cache_read: 5,
            ..Usage::default()
        },
        usage_estimated: false,
        request_id: format!("chatcmpl-{n}").into(),
        call_id: "7d3c".into(),
        retries: 1,
        http_status: 200,
        error_class: None,
        client_ip: Some("192.0.2.1".into()),
        user_agent: Some("curl/8".into()),
        labels: Some(r#"{"tags":["a"]}"#.into()),
        budgets: Vec::new(),
    }
}

const JOURNAL: JournalId = [7; 16];

/// The rows as one journal's records, numbered from `first`.
fn batch(first: u64, rows: impl IntoIterator<Item = SpendRow>) -> FlushBatch {
    let items = (first..)
        .zip(rows)
        .map(|(seq, row)| FlushItem {
            journal: JOURNAL,
            seq,
            row,
        })
        .collect();
    FlushBatch {
        items,
        checkpoints: Vec::new(),
    }
}

/// Keys, users and teams `1..=n`.
fn populate(conn: &mut AnyConnection, n: u32) {
    for n in 1..=n {
        let team = NewTeam {
            row: TeamRow::new(format!("t-{n}"), NOW_MS),
            models: Vec::new(),
        };
        queries::upsert_team(conn, &team).unwrap();
        let user = NewUser {
            row: UserRow::new(format!("u-{n}"), NOW_MS),
            models: Vec::new(),
        };
        queries::upsert_user(conn, &user).unwrap();
        let mut row = KeyRow::new(hash(n), NOW_MS);
        row.user_id = Some(format!("u-{n}"));
        row.team_id = Some(format!("t-{n}"));
        queries::insert_key(
            conn,
            &NewKey {
                row,
                models: Vec::new(),
            },
        )
        .unwrap();
    }
}
