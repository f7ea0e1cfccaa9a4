//! Connections: how each database is opened, and the pool's view of it.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::R2D2Connection;

use super::{StoreError, postgres_url};
use crate::types::DatabaseUrl;

/// One connection to either database.
#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// On every SQLite connection. `busy_timeout` comes first: switching to WAL takes a lock.
const SQLITE_SESSION: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
     PRAGMA foreign_keys = ON;";

/// On every PostgreSQL connection. A session that hangs in a transaction would keep its locks.
pub(super) fn postgres_session(statement_timeout: Duration) -> String {
    format!(
        "SET statement_timeout = {}; SET idle_in_transaction_session_timeout = 10000;",
        statement_timeout.as_millis()
    )
}

impl AnyConnection {
    /// Opens a connection and sets its session.
    pub fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let fail = |what: &dyn std::fmt::Display| {
            StoreError::Unavailable(format!("{url}: {}", url.redact(&what.to_string())))
        };
        match url {
            DatabaseUrl::Sqlite(path) => {
                let path = path
                    .to_str()
                    .ok_or_else(|| fail(&"the path is not UTF-8"))?;
                let mut conn = SqliteConnection::establish(path).map_err(|error| fail(&error))?;
                conn.batch_execute(SQLITE_SESSION)
                    .map_err(|error| fail(&error))?;
                Ok(Self::Sqlite(conn))
            }
            DatabaseUrl::Postgres(text) => {
                let target = postgres_url::target(text.expose());
                let mut conn = PgConnection::establish(&target.url).map_err(|error| {
                    // libpq may repeat the URL that it was given.
                    fail(&error.to_string().replace(&target.url, text.expose()))
                })?;
                conn.batch_execute(&postgres_session(target.statement_timeout))
                    .map_err(|error| fail(&error))?;
                Ok(Self::Postgres(conn))
            }
        }
    }
}

impl AnyConnection {
    /// Lets queries of this connection take as long as they take: for tools that read the whole ledger.
    pub fn take_your_time(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(conn) => Ok(conn.batch_execute(
                "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;",
            )?),
        }
    }
}

/// What a pool opens connections with.
pub(super) struct Connector {
    pub url: DatabaseUrl,
    pub pages: SqlitePages,
}

/// How a connection of SQLite treats pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct SqlitePages {
    /// The most memory that it keeps them in, KiB; it grows with use.
    pub cache_kib: u32,
    /// What was written to the log is moved into the file when there are so many of them.
    pub checkpoint: u32,
}

impl r2d2::ManageConnection for Connector {
    type Connection = AnyConnection;
    type Error = StoreError;

    fn connect(&self) -> Result<AnyConnection, StoreError> {
        let mut conn = AnyConnection::open(&self.url)?;
        if let AnyConnection::Sqlite(conn) = &mut conn {
            conn.batch_execute(&format!(
                "PRAGMA cache_size = -{}; PRAGMA wal_autocheckpoint = {};",
                self.pages.cache_kib, self.pages.checkpoint
            ))?;
        }
        Ok(conn)
    }

    fn is_valid(&self, conn: &mut AnyConnection) -> Result<(), StoreError> {
        Ok(conn.ping()?)
    }

    /// A connection that a panic or an error left inside a transaction is closed, not lent again.
    fn has_broken(&self, conn: &mut AnyConnection) -> bool {
        std::thread::panicking() || conn.is_broken()
    }
}
