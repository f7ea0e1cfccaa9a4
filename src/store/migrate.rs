//! Brings the tables to this version, at start.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::POSTGRES_SESSION;
use super::{AnyConnection, StoreError, dialect};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// PostgreSQL's advisory lock for migrations: any number that is always ours.
const LOCK: i64 = 0x706f_696e_7473_6d6e;

/// How long another instance's migration is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

diesel::define_sql_function! {
    fn pg_try_advisory_lock(key: diesel::sql_types::BigInt) -> diesel::sql_types::Bool;
}
diesel::define_sql_function! {
    fn pg_advisory_unlock(key: diesel::sql_types::BigInt) -> diesel::sql_types::Bool;
}

/// Runs what is pending, one instance at a time. Nothing is ever run backwards.
pub fn migrate(conn: &mut AnyConnection) -> Result<(), StoreError> {
    match conn {
        // One transaction around all: a second process waits for it, then finds nothing pending.
        AnyConnection::Sqlite(_) => dialect::write_transaction(conn, |conn| match conn {
            AnyConnection::Sqlite(conn) => run(conn, SQLITE),
            AnyConnection::Postgres(_) => Ok(()),
        }),
        AnyConnection::Postgres(conn) => {
            lock(conn)?;
            // Altering a large table may take its time.
            conn.batch_execute("SET statement_timeout = 0")?;
            let result = run(conn, POSTGRES);
            let unlocked = unlock(conn);
            // The first failure explains the second.
            result.and(unlocked)
        }
    }
}

fn run<DB: diesel::backend::Backend>(
    conn: &mut impl MigrationHarness<DB>,
    migrations: EmbeddedMigrations,
) -> Result<(), StoreError> {
    let done = conn
        .run_pending_migrations(migrations)
        .map_err(|error| StoreError::Migration(error.to_string()))?;
    for version in done {
        log::info!("migrated the database to version {version}");
    }
    Ok(())
}

fn unlock(conn: &mut PgConnection) -> Result<(), StoreError> {
    conn.batch_execute(POSTGRES_SESSION)?;
    diesel::select(pg_advisory_unlock(LOCK)).get_result::<bool>(conn)?;
    Ok(())
}

fn lock(conn: &mut PgConnection) -> Result<(), StoreError> {
    let deadline = Instant::now() + PATIENCE;
    while !diesel::select(pg_try_advisory_lock(LOCK)).get_result::<bool>(conn)? {
        if Instant::now() > deadline {
            let text = format!(
                "another instance has been migrating for more than {} s",
                PATIENCE.as_secs()
            );
            return Err(StoreError::Migration(text));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
