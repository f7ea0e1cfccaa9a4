//! Brings the tables to this version, at start.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::postgres_session;
use super::{AnyConnection, StoreError, dialect};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// PostgreSQL's advisory lock for migrations: any number that is always ours.
const LOCK: i64 = 0x706f_696e_7473_6d6e;

/// What follows a migration is quick.
const UNLOCKING: Duration = Duration::from_secs(2);

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

/// Whether the tables are those of this version, for tools that must not change them. Writes nothing to a database that was
/// ever migrated.
pub fn check_version(conn: &mut AnyConnection) -> Result<(), StoreError> {
    let is_pending = match conn {
        AnyConnection::Sqlite(conn) => pending(conn, &SQLITE)?,
        AnyConnection::Postgres(conn) => pending(conn, &POSTGRES)?,
    };
    match is_pending {
        Some(version) => Err(StoreError::Older(version)),
        None => Ok(()),
    }
}

/// The newest version, when the database is not there yet; an error when it is beyond it.
fn pending<DB: diesel::backend::Backend>(
    conn: &mut impl MigrationHarness<DB>,
    migrations: &EmbeddedMigrations,
) -> Result<Option<String>, StoreError> {
    let failed =
        |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Migration(error.to_string());
    let known: Vec<MigrationVersion<'static>> = MigrationSource::<DB>::migrations(migrations)
        .map_err(failed)?
        .iter()
        .map(|migration| migration.name().version().as_owned())
        .collect();
    let applied = conn.applied_migrations().map_err(failed)?;
    let newest = known.iter().max();
    if let (Some(found), Some(known)) = (applied.iter().max(), newest)
        && found > known
    {
        return Err(StoreError::Newer {
            found: found.to_string(),
            known: known.to_string(),
        });
    }
    let is_there = known.iter().all(|version| applied.contains(version));
    Ok(newest.filter(|_| !is_there).map(ToString::to_string))
}

fn run<DB: diesel::backend::Backend>(
    conn: &mut impl MigrationHarness<DB>,
    migrations: EmbeddedMigrations,
) -> Result<(), StoreError> {
    if pending(conn, &migrations)?.is_none() {
        return Ok(());
    }
    let done = conn
        .run_pending_migrations(migrations)
        .map_err(|error| StoreError::Migration(error.to_string()))?;
    for version in done {
        log::info!("migrated the database to version {version}");
    }
    Ok(())
}

fn unlock(conn: &mut PgConnection) -> Result<(), StoreError> {
    conn.batch_execute(&postgres_session(UNLOCKING))?;
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
