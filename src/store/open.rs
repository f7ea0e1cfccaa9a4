//! Opening the database: migrations, pools, threads.

use std::ffi::CStr;
use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, SyncArbiter};

use super::breaker::Breaker;
use super::connection::{Connector, SqlitePages};
use super::{AnyConnection, DbExecutor, StoreError, migrate};
use crate::types::DatabaseUrl;

/// A batch every second must not hold up the workers of a busy core; 10 or more would starve the ledger.
const LEDGER_NICE: i32 = 5;
/// How long a query waits for a connection, unless it is said.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// More threads that read keys would only wait for the database's processors.
const MOST_AUTH: u32 = 16;

/// SQLite's own defaults.
const READING: SqlitePages = SqlitePages {
    cache_kib: 2_000,
    checkpoint: 1_000,
};

/// With 10,000 active keys a batch touches thousands of pages, most of them again in the next batch. Kept in memory they cost a
/// tenth less time than with the default; moved from log to file once for several batches, a third less. The log then takes
/// up to 32 MiB of the disk.
const BOOKING: SqlitePages = SqlitePages {
    cache_kib: 8_000,
    checkpoint: 8_000,
};

/// Threads of each kind of work, and as many connections: a slow report must not keep callers from being known, nor a
/// burst of unknown keys the ledger from being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pools {
    pub auth: u32,
    pub admin: u32,
    /// One: several would only wait for each other's locks.
    pub ledger: u32,
    /// How long a query waits for a connection.
    pub wait: Duration,
}

impl Default for Pools {
    fn default() -> Self {
        Self {
            auth: 2,
            admin: 1,
            ledger: 1,
            wait: CONNECTION_TIMEOUT,
        }
    }
}

impl Pools {
    /// At most `connections` in all, but one for each kind of work; `None` leaves what is usual.
    pub fn new(connections: Option<u32>, wait: Option<Duration>) -> Self {
        let usual = Self::default();
        let others = usual.admin + usual.ledger;
        Self {
            auth: connections.map_or(usual.auth, |all| {
                all.saturating_sub(others).clamp(1, MOST_AUTH)
            }),
            wait: wait.unwrap_or(usual.wait),
            ..usual
        }
    }
}

/// The three doors to the database.
#[derive(Clone, Debug)]
pub struct Store {
    /// Reads that a request waits for.
    pub auth: Addr<DbExecutor>,
    /// Management routes and reports.
    pub admin: Addr<DbExecutor>,
    /// `FlushSpend`.
    pub ledger: Addr<DbExecutor>,
}

impl Store {
    /// Migrates the database and starts the threads. Blocks; call it inside an actix `System`, before serving.
    pub fn open(url: &DatabaseUrl, pools: Pools) -> Result<Self, StoreError> {
        migrate::migrate(&mut AnyConnection::open(url)?)?;
        Ok(Self {
            auth: start(url, pools.auth, pools.wait, READING, c"db-auth", 0)?,
            admin: start(url, pools.admin, pools.wait, READING, c"db-admin", 0)?,
            ledger: start(
                url,
                pools.ledger,
                pools.wait,
                BOOKING,
                c"db-ledger",
                LEDGER_NICE,
            )?,
        })
    }
}

fn start(
    url: &DatabaseUrl,
    threads: u32,
    wait: Duration,
    pages: SqlitePages,
    name: &'static CStr,
    nice: i32,
) -> Result<Addr<DbExecutor>, StoreError> {
    let threads = threads.max(1);
    let local = matches!(url, DatabaseUrl::Sqlite(_));
    let pool = r2d2::Pool::builder()
        .max_size(threads)
        .min_idle(Some(0))
        .connection_timeout(wait)
        // A file does not go away, a server does: there a dead connection is found before it is used.
        .test_on_check_out(!local)
        .idle_timeout(None)
        .max_lifetime(if local {
            None
        } else {
            Some(Duration::from_secs(1800))
        })
        .build(Connector {
            url: url.clone(),
            pages,
        })
        .map_err(|error| StoreError::Unavailable(error.to_string()))?;
    // usize holds every u32 on the platforms that have threads.
    let threads = usize::try_from(threads).unwrap_or(1);
    let breaker = Arc::<Breaker>::default();
    Ok(SyncArbiter::start(threads, move || {
        // For people who look at threads; neither is vital.
        let _ = rustix::thread::set_name(name);
        if nice > 0 {
            let _ = rustix::process::setpriority_process(None, nice);
        }
        DbExecutor::new(pool.clone(), breaker.clone())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_shared_among_the_kinds_of_work() {
        for (limit, auth) in [
            (None, 2),
            (Some(1), 1),
            (Some(3), 1),
            (Some(10), 8),
            (Some(100), 16),
        ] {
            let pools = Pools::new(limit, None);
            assert_eq!(
                (pools.auth, pools.admin, pools.ledger),
                (auth, 1, 1),
                "{limit:?}"
            );
        }
        let wait = Duration::from_secs(5);
        assert_eq!(Pools::new(None, Some(wait)).wait, wait);
    }
}
