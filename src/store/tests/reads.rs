//! Reports: what comes back, by which index, and how much.

use std::sync::{Arc, Mutex};

use diesel::connection::{Connection, InstrumentationEvent};
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};

use super::super::queries::{LogFilter, LogOrder, LogPage, LogQuery, PerDayQuery};
use super::super::{AnyConnection, NameCache, queries};
use super::{NOW_MS, TestDb, batch, hash, on_each, populate, spend_row};
use crate::types::{CallStatus, NanoUsd, SpendRow, Usage};

const HOUR: i64 = 3_600_000_000;

fn book(conn: &mut AnyConnection, rows: Vec<SpendRow>) {
    let report = queries::flush_spend(conn, &mut NameCache::default(), &batch(0, rows)).unwrap();
    assert_eq!(report.refused, []);
}

fn ids(conn: &mut AnyConnection, query: &LogQuery) -> Vec<String> {
    queries::spend_logs(conn, query)
        .unwrap()
        .iter()
        .map(|row| row.request_id.to_string())
        .collect()
}

#[test]
fn every_field_comes_back() {
    on_each(|db| {
        let conn = &mut db.connect();
        let full = SpendRow {
            usage: Usage {
                cache_write_5m: 1,
                cache_write_1h: 2,
                input_audio: 3,
                reasoning: 4,
                output_video: 5,
                ..spend_row(1).usage
            },
            ..spend_row(1)
        };
        let bare = SpendRow {
            user_id: None,
            team_id: None,
            end_user: None,
            first_token_at: None,
            status: CallStatus::Failure,
            model_id: "".into(),
            api_base: "".into(),
            spend: NanoUsd(0),
            usage: Usage::default(),
            usage_estimated: true,
            call_id: "chatcmpl-2".into(),
            retries: 0,
            http_status: 429,
            error_class: Some("RateLimitError".into()),
            client_ip: None,
            user_agent: None,
            labels: None,
            started_at: spend_row(2).started_at - 1,
            ..spend_row(2)
        };
        let rows = vec![
            full,
            bare.clone(),
            SpendRow {
                status: CallStatus::Interrupted,
                started_at: bare.started_at - 1,
                ..bare.clone()
            },
            SpendRow {
                status: CallStatus::ClientDisconnected,
                started_at: bare.started_at - 2,
                ..bare
            },
        ];
        let rows: Vec<_> = rows
            .into_iter()
            .map(|row| SpendRow {
                ledger_id: spend_row(1).ledger_id,
                ..row
            })
            .collect();
        book(conn, rows.clone());
        assert_eq!(
            queries::spend_logs(conn, &LogQuery::new(LogFilter::All)).unwrap(),
            rows
        );
    });
}

#[test]
fn logs_are_found_by_what_is_asked() {
    on_each(|db| {
        let conn = &mut db.connect();
        let at = |n: u32, hours: i64| SpendRow {
            started_at: NOW_MS * 1000 + hours * HOUR,
            ..spend_row(n)
        };
        book(conn, vec![at(1, 1), at(2, 2), at(3, 3)]);
        let query = |filter| LogQuery::new(filter);
        assert_eq!(
            ids(conn, &query(LogFilter::All)),
            ["chatcmpl-3", "chatcmpl-2", "chatcmpl-1"]
        );
        assert_eq!(
            ids(conn, &query(LogFilter::RequestId("chatcmpl-2".into()))),
            ["chatcmpl-2"]
        );
        assert_eq!(ids(conn, &query(LogFilter::Key(hash(3)))), ["chatcmpl-3"]);
        assert_eq!(
            ids(conn, &query(LogFilter::User("u-1".into()))),
            ["chatcmpl-1"]
        );
        for unknown in [
            LogFilter::RequestId("no".into()),
            LogFilter::Key(hash(9)),
            LogFilter::User("no".into()),
        ] {
            assert!(ids(conn, &query(unknown)).is_empty());
        }
        let start = NOW_MS * 1000;
        let ranged = LogQuery {
            started: Some(start + HOUR..start + 3 * HOUR),
            ..query(LogFilter::All)
        };
        assert_eq!(ids(conn, &ranged), ["chatcmpl-2", "chatcmpl-1"]);
        assert_eq!(
            ids(
                conn,
                &LogQuery {
                    limit: 1,
                    ..query(LogFilter::All)
                }
            ),
            ["chatcmpl-3"]
        );
        // An owner sees its own rows, however it asks.
        for (filter, seen) in [
            (LogFilter::All, vec!["chatcmpl-2"]),
            (LogFilter::RequestId("chatcmpl-1".into()), vec![]),
            (LogFilter::Key(hash(1)), vec![]),
            (LogFilter::Key(hash(2)), vec!["chatcmpl-2"]),
            (LogFilter::User("u-1".into()), vec![]),
        ] {
            let owned = LogQuery {
                owner: Some("u-2".into()),
                ..query(filter)
            };
            assert_eq!(ids(conn, &owned), seen, "{owned:?}");
        }
    });
}

#[test]
fn pages_are_narrowed_sorted_and_counted() {
    on_each(|db| {
        let conn = &mut db.connect();
        let rows = (1..=5).map(|n| SpendRow {
            started_at: NOW_MS * 1000 + i64::from(n) * HOUR,
            ended_at: NOW_MS * 1000 + i64::from(n) * HOUR + i64::from(10 - n),
            spend: NanoUsd(i64::from(n % 3) * 100 + i64::from(n)),
            team_id: Some(if n < 3 { "t-1" } else { "t-2" }.into()),
            status: if n == 5 {
                CallStatus::Failure
            } else {
                CallStatus::Success
            },
            http_status: if n == 5 { 429 } else { 200 },
            ..spend_row(n)
        });
        book(conn, rows.collect());
        let all = LogPage::of(LogQuery {
            limit: 2,
            ..LogQuery::new(LogFilter::All)
        });
        let mut read = |page: LogPage| {
            let (rows, total) = queries::spend_logs_page(conn, &page).unwrap();
            let ids: Vec<String> = rows
                .iter()
                .map(|row| row.request_id.trim_start_matches("chatcmpl-").to_owned())
                .collect();
            (ids.join(" "), total)
        };
        let found = |ids: &str, total| (ids.to_owned(), total);
        assert_eq!(read(all.clone()), found("5 4", 5));
        let third = LogPage {
            offset: 4,
            ..all.clone()
        };
        assert_eq!(read(third), found("1", 5));
        let past = LogPage {
            offset: 6,
            ..all.clone()
        };
        assert_eq!(read(past), found("", 5));
        let by = |order, ascending| LogPage {
            order,
            ascending,
            ..all.clone()
        };
        assert_eq!(read(by(LogOrder::Spend, false)), found("5 2", 5));
        assert_eq!(read(by(LogOrder::Duration, true)), found("5 4", 5));
        assert_eq!(read(by(LogOrder::Started, true)), found("1 2", 5));
        assert_eq!(read(by(LogOrder::Ended, true)), found("1 2", 5));
        for order in [LogOrder::Tokens, LogOrder::FirstToken] {
            assert_eq!(read(by(order, false)).1, 5);
        }
        for (page, expected) in [
            (
                LogPage {
                    team: Some("t-1".into()),
                    ..all.clone()
                },
                found("2 1", 2),
            ),
            (
                LogPage {
                    spend_from: Some(NanoUsd(150)),
                    ..all.clone()
                },
                found("5 2", 2),
            ),
            (
                LogPage {
                    spend_to: Some(NanoUsd(3)),
                    ..all.clone()
                },
                found("3", 1),
            ),
            (
                LogPage {
                    succeeded: Some(false),
                    ..all.clone()
                },
                found("5", 1),
            ),
            (
                LogPage {
                    http_status: Some(200),
                    succeeded: Some(true),
                    ..all.clone()
                },
                found("4 3", 4),
            ),
            (
                LogPage {
                    model: Some("nobody".into()),
                    ..all.clone()
                },
                found("", 0),
            ),
        ] {
            assert_eq!(read(page.clone()), expected, "{page:?}");
        }
    });
}

#[test]
fn days_add_up() {
    on_each(|db| {
        let conn = &mut db.connect();
        let on = |n: u32, day: i64| SpendRow {
            started_at: NOW_MS * 1000 + day * 24 * HOUR,
            ..spend_row(n)
        };
        let other = SpendRow {
            model: "other".into(),
            user_id: None,
            ..on(3, 1)
        };
        book(conn, vec![on(1, 0), on(1, 0), on(2, 0), on(2, 1), other]);
        let first = 21_915;
        let all = PerDayQuery {
            days: (first, first + 1),
            key: None,
            user: None,
        };
        let days = queries::spend_per_day(conn, &all).unwrap();
        let spend: Vec<_> = days.iter().map(|day| (day.day, day.spend.0)).collect();
        assert_eq!(spend, [(first, 3_004), (first + 1, 2_005)]);
        assert_eq!(
            days[0]
                .users
                .iter()
                .map(|(user, spend)| (user.as_str(), spend.0))
                .collect::<Vec<_>>(),
            [("u-1", 2_002), ("u-2", 1_002)]
        );
        assert_eq!(days[1].users[""], NanoUsd(1_003));
        assert_eq!(days[1].models["other"], NanoUsd(1_003));
        assert_eq!(days[1].models["gpt-4o-2024-11-20"], NanoUsd(1_002));

        let of_key = queries::spend_per_day(
            conn,
            &PerDayQuery {
                key: Some(hash(2)),
                ..all.clone()
            },
        )
        .unwrap();
        assert_eq!(
            of_key.iter().map(|day| day.spend.0).collect::<Vec<_>>(),
            [1_002, 1_002]
        );
        let of_user = queries::spend_per_day(
            conn,
            &PerDayQuery {
                user: Some("u-1".into()),
                ..all.clone()
            },
        )
        .unwrap();
        assert_eq!(
            of_user.iter().map(|day| day.spend.0).collect::<Vec<_>>(),
            [2_002]
        );
        assert_eq!(
            queries::spend_per_day(
                conn,
                &PerDayQuery {
                    user: Some("no".into()),
                    ..all.clone()
                }
            )
            .unwrap(),
            []
        );
        assert_eq!(
            queries::spend_per_day(
                conn,
                &PerDayQuery {
                    days: (0, 1),
                    ..all
                }
            )
            .unwrap(),
            []
        );
    });
}

/// The statements that `body` runs on SQLite, each with its plan.
fn plans(db: &TestDb, body: impl FnOnce(&mut AnyConnection)) -> Vec<(String, String)> {
    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = Text)]
        detail: String,
        #[diesel(sql_type = Integer, column_name = id)]
        _id: i32,
    }
    let mut conn = db.connect();
    let statements = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&statements);
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            seen.lock().unwrap().push(query.to_string());
        }
    });
    body(&mut conn);
    let statements = std::mem::take(&mut *statements.lock().unwrap());
    let mut conn = db.connect();
    let mut plans = Vec::new();
    for statement in statements {
        let sql = statement.split(" -- binds").next().unwrap().to_owned();
        if ["SELECT", "UPDATE", "INSERT", "DELETE"]
            .iter()
            .any(|verb| sql.starts_with(verb))
        {
            let explain = format!("EXPLAIN QUERY PLAN {sql}");
            let AnyConnection::Sqlite(conn) = &mut conn else {
                panic!("plans are SQLite's")
            };
            let steps: Vec<Step> = diesel::sql_query(explain).load(conn).unwrap();
            plans.push((
                sql,
                steps
                    .into_iter()
                    .map(|step| step.detail)
                    .collect::<Vec<_>>()
                    .join("; "),
            ));
        }
    }
    plans
}

#[test]
fn hot_statements_read_by_an_index() {
    let db = TestDb::sqlite();
    populate(&mut db.connect(), 1);
    book(&mut db.connect(), vec![spend_row(1)]);
    let read = |query: LogQuery| {
        plans(&db, move |conn| {
            drop(queries::spend_logs(conn, &query).unwrap())
        })
    };
    let per_day = PerDayQuery {
        days: (0, 99_999),
        key: None,
        user: None,
    };
    let with_key = PerDayQuery {
        key: Some(hash(1)),
        ..per_day.clone()
    };
    let owned = LogQuery {
        owner: Some("u-1".into()),
        ..LogQuery::new(LogFilter::All)
    };
    let days = |query: PerDayQuery| {
        plans(&db, move |conn| {
            drop(queries::spend_per_day(conn, &query).unwrap())
        })
    };
    for (what, plans, indexes) in [
        (
            "principal",
            plans(&db, |conn| {
                drop(queries::load_principal(conn, hash(1), NOW_MS).unwrap())
            }),
            vec!["sqlite_autoindex_keys_1"],
        ),
        (
            "key info",
            plans(&db, |conn| drop(queries::key_info(conn, hash(1)).unwrap())),
            vec!["sqlite_autoindex_keys_1"],
        ),
        (
            "flush",
            plans(&db, |conn| {
                drop(
                    queries::flush_spend(
                        conn,
                        &mut NameCache::default(),
                        &batch(5, [spend_row(1)]),
                    )
                    .unwrap(),
                )
            }),
            vec!["sqlite_autoindex_spend_names_1", "sqlite_autoindex_teams_1"],
        ),
        (
            "by request",
            read(LogQuery::new(LogFilter::RequestId("x".into()))),
            vec!["spend_logs_request"],
        ),
        (
            "by key",
            read(LogQuery::new(LogFilter::Key(hash(1)))),
            vec!["spend_logs_key"],
        ),
        (
            "by user",
            read(LogQuery::new(LogFilter::User("u-1".into()))),
            vec!["spend_logs_key", "daily_spend_user"],
        ),
        (
            "own",
            read(owned),
            vec!["spend_logs_key", "daily_spend_user"],
        ),
        (
            "by time",
            read(LogQuery {
                started: Some(0..9),
                ..LogQuery::new(LogFilter::All)
            }),
            vec!["spend_logs_started"],
        ),
        (
            "newest",
            read(LogQuery::new(LogFilter::All)),
            vec!["spend_logs_started"],
        ),
        ("per day", days(per_day), vec!["PRIMARY KEY"]),
        ("per day of a key", days(with_key), vec!["daily_spend_key"]),
    ] {
        let text = format!("{what}: {plans:#?}");
        for index in indexes {
            assert!(
                plans.iter().any(|(_, plan)| plan.contains(index)),
                "{index} is not used for {text}"
            );
        }
        // A scan in the order of an index, ended by LIMIT, is how the newest rows are read.
        let scans = |plan: &str| {
            plan.split("; ")
                .any(|step| step.starts_with("SCAN") && !step.contains("spend_logs_started"))
        };
        assert!(
            plans.iter().all(|(_, plan)| !scans(plan)),
            "a table is scanned for {text}"
        );
    }
}
