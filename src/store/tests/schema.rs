//! Both folders of migrations yield the same tables, and those that schema.rs declares.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use super::super::{AnyConnection, StoreError, queries};
use super::{TestDb, on_each};

#[derive(Debug, QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Bool)]
    nullable: bool,
}

const OF_SQLITE: &str = "SELECT m.name AS table_name, c.name AS column_name, c.type AS kind, c.\"notnull\" = 0 AS nullable \
     FROM sqlite_master m JOIN pragma_table_info(m.name) c \
     WHERE m.type = 'table' AND m.name NOT LIKE '\\_\\_%' ESCAPE '\\' ORDER BY m.name, c.cid";
const OF_POSTGRES: &str = "SELECT table_name::text, column_name::text, upper(data_type::text) AS kind, \
     is_nullable = 'YES' AS nullable FROM information_schema.columns \
     WHERE table_schema = current_schema() AND table_name NOT LIKE '\\_\\_%' ORDER BY table_name, ordinal_position";

/// Table → its columns in order, as "name TYPE [NULL]".
fn columns(db: &TestDb) -> BTreeMap<String, Vec<String>> {
    let columns: Vec<Column> = match &mut db.connect() {
        AnyConnection::Sqlite(conn) => diesel::sql_query(OF_SQLITE).load(conn).unwrap(),
        AnyConnection::Postgres(conn) => diesel::sql_query(OF_POSTGRES).load(conn).unwrap(),
    };
    let mut tables = BTreeMap::<String, Vec<String>>::new();
    for column in columns {
        let kind = if column.kind == "BYTEA" {
            "BLOB"
        } else {
            &column.kind
        };
        let null = if column.nullable { " NULL" } else { "" };
        tables
            .entry(column.table_name)
            .or_default()
            .push(format!("{} {kind}{null}", column.column_name));
    }
    tables
}

#[test]
fn both_folders_yield_the_same_tables() {
    let sqlite = columns(&TestDb::sqlite());
    assert_eq!(sqlite.len(), 17, "{sqlite:?}");
    assert_eq!(
        sqlite["journal_checkpoints"],
        ["journal_id BLOB", "seq BIGINT"]
    );
    assert_eq!(
        sqlite["spend_names"],
        ["id INTEGER", "kind SMALLINT", "text TEXT"]
    );
    if let Some(postgres) = TestDb::postgres() {
        assert_eq!(columns(&postgres), sqlite);
    }
}

/// The columns that schema.rs declares, read from its text.
fn declared() -> BTreeMap<String, Vec<String>> {
    let mut tables = BTreeMap::<String, Vec<String>>::new();
    let mut table = String::new();
    for line in include_str!("../schema.rs").lines().map(str::trim) {
        if let Some((column, kind)) = line.trim_end_matches(',').split_once(" -> ") {
            let (kind, null) = match kind.strip_prefix("Nullable<") {
                Some(kind) => (kind.trim_end_matches('>'), " NULL"),
                None => (kind, ""),
            };
            let kind = match kind {
                "Bool" => "BOOLEAN",
                "Binary" => "BLOB",
                other => &other.to_uppercase(),
            };
            tables
                .entry(table.clone())
                .or_default()
                .push(format!("{column} {kind}{null}"));
        } else if let Some((name, _)) = line.split_once(" (") {
            table = name.to_owned();
        }
    }
    tables
}

#[test]
fn the_declared_tables_are_the_real_ones() {
    assert_eq!(declared(), columns(&TestDb::sqlite()));
}

#[test]
fn migrating_twice_changes_nothing() {
    on_each(|db| {
        let before = columns(db);
        queries::migrate(&mut db.connect()).unwrap();
        assert_eq!(columns(db), before);
    });
}

#[test]
fn many_instances_may_start_at_once() {
    on_each(|db| {
        let mut undo = db.connect();
        let drop = "DROP TABLE retired_keys; DROP TABLE deleted_keys; DROP TABLE keys; DROP TABLE users; DROP TABLE teams; DROP TABLE model_grants; DROP TABLE spend_names; \
             DROP TABLE spend_logs; DROP TABLE daily_spend; DROP TABLE journal_checkpoints; DROP TABLE rejected_spend; DROP TABLE kept_responses; DROP TABLE models; DROP TABLE route_learning; DROP TABLE health_checks; DROP TABLE health_rounds; DROP TABLE spend_windows; \
             DROP TABLE __diesel_schema_migrations;";
        diesel::connection::SimpleConnection::batch_execute(&mut undo, drop).unwrap();
        let migrate = || queries::migrate(&mut db.connect());
        std::thread::scope(|threads| {
            let started: Vec<_> = (0..4).map(|_| threads.spawn(migrate)).collect();
            for thread in started {
                thread.join().unwrap().unwrap();
            }
        });
        assert_eq!(columns(db).len(), 17);
    });
}

/// A binary that went back must not write into tables it does not know.
#[test]
fn a_newer_database_is_refused() {
    on_each(|db| {
        let conn = &mut db.connect();
        queries::check_version(conn).unwrap();
        let add = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')";
        diesel::connection::SimpleConnection::batch_execute(conn, add).unwrap();
        for refused in [queries::migrate(conn), queries::check_version(conn)] {
            let error = refused.unwrap_err();
            assert!(matches!(error, StoreError::Newer { .. }), "{error}");
            assert!(error.to_string().contains("99990101000000"), "{error}");
        }
        let less = "DELETE FROM __diesel_schema_migrations WHERE version > '00000000000003'";
        diesel::connection::SimpleConnection::batch_execute(conn, less).unwrap();
        let error = queries::check_version(conn).unwrap_err();
        assert!(matches!(error, StoreError::Older(_)), "{error}");
    });
}
