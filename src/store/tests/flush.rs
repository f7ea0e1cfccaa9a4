//! Booking: exactly once, whole, and whatever the database refuses.

use diesel::connection::SimpleConnection;

use super::super::{
    AnyConnection, FlushBatch, FlushItem, FlushReport, NameCache, NewUser, StoreError, UserRow,
    queries,
};
use super::{JOURNAL, NOW_MS, TestDb, batch, hash, on_each, populate, spend_row};
use crate::types::{LedgerId, NanoUsd, SpendRow};

fn flush(conn: &mut AnyConnection, batch: &FlushBatch) -> FlushReport {
    queries::flush_spend(conn, &mut NameCache::default(), batch).unwrap()
}

fn key_spend(conn: &mut AnyConnection, n: u32) -> (NanoUsd, NanoUsd, Option<i64>) {
    let row = queries::key_info(conn, hash(n)).unwrap().unwrap().row;
    (row.spend, row.total_spend, row.last_active_at)
}

#[test]
fn a_batch_sent_again_changes_nothing() {
    on_each(|db| {
        let conn = &mut db.connect();
        populate(conn, 3);
        let mut names = NameCache::default();
        let sent = batch(0, [1, 2, 2, 3].map(spend_row));
        let first = queries::flush_spend(conn, &mut names, &sent).unwrap();
        assert_eq!((first.applied, first.skipped), (4, 0));
        assert_eq!(
            key_spend(conn, 2),
            (NanoUsd(2_004), NanoUsd(2_004), Some(NOW_MS + 1_234))
        );
        let booked = queries::ledger_totals(conn).unwrap();
        assert_eq!((booked.rows, booked.logged), (4, NanoUsd(4_008)));
        assert!(booked.agree(), "{booked:?}");

        let again = queries::flush_spend(conn, &mut names, &sent).unwrap();
        assert_eq!(
            (again.applied, again.skipped, again.refused.len()),
            (0, 4, 0)
        );
        // A batch that begins before the checkpoint and ends after it: only its end is new.
        let mut overlapping = sent.clone();
        overlapping.items.push(FlushItem {
            journal: JOURNAL,
            seq: 4,
            row: spend_row(1),
        });
        let third = queries::flush_spend(conn, &mut names, &overlapping).unwrap();
        assert_eq!((third.applied, third.skipped), (1, 4));
        let booked = queries::ledger_totals(conn).unwrap();
        assert_eq!(
            (booked.rows, booked.logged, booked.agree()),
            (5, NanoUsd(5_009), true)
        );
    });
}

#[test]
fn checkpoints_only_go_forward() {
    on_each(|db| {
        let conn = &mut db.connect();
        let other = [9; 16];
        assert_eq!(queries::read_checkpoints(conn, &[JOURNAL]).unwrap(), []);
        flush(
            conn,
            &FlushBatch {
                items: Vec::new(),
                checkpoints: vec![(JOURNAL, 10), (other, 0)],
            },
        );
        flush(
            conn,
            &FlushBatch {
                items: Vec::new(),
                checkpoints: vec![(JOURNAL, 4)],
            },
        );
        assert_eq!(
            queries::read_checkpoints(conn, &[JOURNAL, other, [1; 16]]).unwrap(),
            [(JOURNAL, 10), (other, 0)]
        );
        assert_eq!(flush(conn, &batch(10, [spend_row(1)])).skipped, 1);
        assert_eq!(flush(conn, &batch(11, [spend_row(1)])).applied, 1);
        queries::forget_checkpoints(conn, &[JOURNAL]).unwrap();
        assert_eq!(
            queries::read_checkpoints(conn, &[JOURNAL, other]).unwrap(),
            [(other, 0)]
        );
    });
}

/// A commit whose answer was lost may still be under way when the batch comes again.
#[test]
fn a_batch_sent_twice_at_once_is_booked_once() {
    on_each(|db| {
        populate(&mut db.connect(), 1);
        for round in 0..10 {
            let sent = batch(round * 50, (0..50).map(|_| spend_row(1)));
            let together = std::sync::Barrier::new(3);
            let send = || {
                let conn = &mut db.connect();
                together.wait();
                loop {
                    match queries::flush_spend(conn, &mut NameCache::default(), &sent) {
                        Err(StoreError::Unavailable(_)) => {}
                        answer => break answer.unwrap(),
                    }
                }
            };
            let reports = std::thread::scope(|threads| {
                let started = [
                    threads.spawn(send),
                    threads.spawn(send),
                    threads.spawn(send),
                ];
                started.map(|thread| thread.join().unwrap())
            });
            let mut counts =
                reports.map(|report| (report.applied, report.skipped, report.refused.len()));
            counts.sort_unstable();
            assert_eq!(counts, [(0, 50, 0), (0, 50, 0), (50, 0, 0)]);
        }
        assert!(queries::ledger_totals(&mut db.connect()).unwrap().agree());
    });
}

#[test]
fn two_ledgers_at_once_lose_nothing() {
    on_each(|db| {
        populate(&mut db.connect(), 5);
        std::thread::scope(|threads| {
            for journal in 0..3 {
                threads.spawn(move || {
                    let (conn, mut names) = (&mut db.connect(), NameCache::default());
                    for seq in 0..10 {
                        let mut sent = batch(
                            seq * 20,
                            (0..20).map(|n| spend_row(1 + (n * (journal + 1)) % 5)),
                        );
                        sent.items
                            .iter_mut()
                            .for_each(|item| item.journal = [journal as u8; 16]);
                        while let Err(error) = queries::flush_spend(conn, &mut names, &sent) {
                            assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
                        }
                    }
                });
            }
        });
        let booked = queries::ledger_totals(&mut db.connect()).unwrap();
        assert_eq!((booked.rows, booked.agree()), (600, true), "{booked:?}");
    });
}

/// Makes the database refuse rows whose spend is 666, as a constraint of a later version or a broken index might.
fn refuse_666(db: &TestDb, conn: &mut AnyConnection) {
    conn.batch_execute(if db.is_sqlite() {
        "CREATE TRIGGER refuse BEFORE INSERT ON spend_logs WHEN NEW.spend = 666 BEGIN SELECT RAISE(ABORT, 'no devils'); END"
    } else {
        "ALTER TABLE spend_logs ADD CONSTRAINT refuse CHECK (spend <> 666)"
    })
    .unwrap();
}

#[test]
fn a_refused_row_is_taken_out_and_its_money_booked() {
    on_each(|db| {
        let conn = &mut db.connect();
        populate(conn, 2);
        refuse_666(db, conn);
        let bad = |n| SpendRow {
            spend: NanoUsd(666),
            model: "only-here".into(),
            ..spend_row(n)
        };
        let rows = (0..25).map(|n| {
            if n == 7 || n == 19 {
                bad(2)
            } else {
                spend_row(1)
            }
        });
        let report = flush(conn, &batch(0, rows));
        assert_eq!(report.applied, 23);
        let refused: Vec<_> = report
            .refused
            .iter()
            .map(|row| (row.index, row.booked))
            .collect();
        assert_eq!(refused, [(7, true), (19, true)]);
        assert!(
            report
                .refused
                .iter()
                .all(|row| row.reason.contains("no devils") || row.reason.contains("refuse"))
        );
        assert_eq!(key_spend(conn, 2).0, NanoUsd(1_332));
        assert_eq!(key_spend(conn, 1).0, NanoUsd(23 * 1_001));
        let totals = queries::ledger_totals(conn).unwrap();
        assert_eq!(totals.daily.0 - totals.logged.0, 1_332);
        assert_eq!((totals.rejected_rows, totals.rejected), (2, NanoUsd(1_332)));
        assert!(totals.agree(), "{totals:?}");
        // What was stored before the refusal was undone, names too: the rows that stayed read as they were sent.
        let seen =
            queries::spend_logs(conn, &queries::LogQuery::new(queries::LogFilter::All)).unwrap();
        assert_eq!(seen.len(), 23);
        assert!(
            seen.iter()
                .all(|row| row.model == spend_row(1).model && row.key_hash == hash(1))
        );
        // The batch is booked: sent again it changes nothing.
        assert_eq!(
            queries::read_checkpoints(conn, &[JOURNAL]).unwrap(),
            [(JOURNAL, 24)]
        );
    });
}

#[test]
fn a_ledger_id_is_booked_once_under_any_journal() {
    on_each(|db| {
        let conn = &mut db.connect();
        populate(conn, 1);
        let row = spend_row(1);
        flush(conn, &batch(0, [row.clone()]));
        let mut copy = batch(0, [row.clone(), spend_row(1), row]);
        copy.items
            .iter_mut()
            .for_each(|item| item.journal = [8; 16]);
        let report = flush(conn, &copy);
        assert_eq!(report.applied, 1);
        assert_eq!(
            report
                .refused
                .iter()
                .map(|row| (row.index, row.booked))
                .collect::<Vec<_>>(),
            [(0, false), (2, false)]
        );
        let totals = queries::ledger_totals(conn).unwrap();
        assert_eq!((totals.rows, totals.agree()), (2, true), "{totals:?}");
    });
}

#[test]
fn absurd_rows_hold_nothing_up() {
    on_each(|db| {
        let conn = &mut db.connect();
        populate(conn, 1);
        let mut rows: Vec<_> = (0..6).map(|_| spend_row(1)).collect();
        rows[0].spend = NanoUsd(i64::MAX);
        rows[1].usage.input = u64::MAX;
        rows[1].usage.cache_read = u64::MAX;
        rows[2].end_user = Some("nul\0 inside".into());
        rows[3].request_id = "x".repeat(100_000).into();
        rows[4].started_at = i64::MIN;
        rows[4].ended_at = i64::MAX;
        rows[5].api_base = "\u{1f980}".repeat(5_000).into();
        let report = flush(conn, &batch(0, rows));
        assert_eq!((report.applied, report.refused.len()), (5, 1), "{report:?}");
        assert!(!report.refused[0].booked);
        assert!(queries::ledger_totals(conn).unwrap().agree());
        let seen = queries::spend_logs(
            conn,
            &queries::LogQuery::new(queries::LogFilter::Key(hash(1))),
        )
        .unwrap();
        assert!(
            seen.iter()
                .any(|row| row.end_user.as_deref() == Some("nul? inside"))
        );
    });
}

#[test]
fn money_of_callers_without_a_row_is_theirs_when_they_get_one() {
    on_each(|db| {
        let conn = &mut db.connect();
        flush(conn, &batch(0, [spend_row(1), spend_row(1)]));
        assert!(queries::ledger_totals(conn).unwrap().agree());
        let user = NewUser {
            row: UserRow::new("u-1", NOW_MS),
            models: Vec::new(),
        };
        queries::upsert_user(conn, &user).unwrap();
        populate(conn, 1);
        assert_eq!(key_spend(conn, 1), (NanoUsd(0), NanoUsd(2_002), None));
        let totals = queries::ledger_totals(conn).unwrap();
        assert!(totals.agree(), "{totals:?}");
    });
}

#[test]
fn a_disagreement_is_found() {
    on_each(|db| {
        let conn = &mut db.connect();
        populate(conn, 2);
        flush(conn, &batch(0, [1, 2].map(spend_row)));
        conn.batch_execute("UPDATE users SET total_spend = total_spend + 1 WHERE user_id = 'u-2'")
            .unwrap();
        let totals = queries::ledger_totals(conn).unwrap();
        let [found] = totals.mismatches.as_slice() else {
            panic!("{totals:?}")
        };
        assert_eq!((found.entity, found.id.as_str()), ("user", "u-2"));
        assert_eq!(found.booked.0 - found.logged.0, 1);
    });
}

#[test]
fn a_day_that_disagrees_is_found() {
    on_each(|db| {
        let conn = &mut db.connect();
        flush(conn, &batch(0, [1, 2].map(spend_row)));
        conn.batch_execute("UPDATE daily_spend SET spend = spend - 1 WHERE key_ref = (SELECT min(key_ref) FROM daily_spend)")
            .unwrap();
        let totals = queries::ledger_totals(conn).unwrap();
        let [day] = totals.days.as_slice() else {
            panic!("{totals:?}")
        };
        assert_eq!((day.rows, day.counted), (2, 2));
        assert_eq!(
            (day.day, day.logged.0 - day.summed.0),
            (NOW_MS / 86_400_000, 1)
        );
        assert!(!totals.agree());
    });
}

#[test]
fn a_failed_flush_leaves_no_false_names() {
    on_each(|db| {
        let conn = &mut db.connect();
        let mut names = NameCache::default();
        // Broken after the names were stored: the transaction, and with it their ids, is undone.
        conn.batch_execute("ALTER TABLE daily_spend RENAME TO elsewhere")
            .unwrap();
        assert!(queries::flush_spend(conn, &mut names, &batch(0, [spend_row(1)])).is_err());
        conn.batch_execute("ALTER TABLE elsewhere RENAME TO daily_spend")
            .unwrap();
        let other = SpendRow {
            model: "another".into(),
            ledger_id: LedgerId::now(),
            ..spend_row(2)
        };
        queries::flush_spend(conn, &mut NameCache::default(), &batch(0, [other])).unwrap();
        queries::flush_spend(conn, &mut names, &batch(1, [spend_row(1)])).unwrap();
        let found =
            queries::spend_logs(conn, &queries::LogQuery::new(queries::LogFilter::All)).unwrap();
        let mut models: Vec<_> = found.iter().map(|row| &*row.model).collect();
        models.sort_unstable();
        assert_eq!(models, ["another", "gpt-4o-2024-11-20"]);
    });
}

/// How many statements a flush sends, which on PostgreSQL is how often the network is crossed.
fn statements(conn: &mut AnyConnection, names: &mut NameCache, batch: &FlushBatch) -> usize {
    use diesel::connection::{Connection, InstrumentationEvent};
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = count.clone();
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if matches!(event, InstrumentationEvent::StartQuery { .. }) {
            seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    });
    queries::flush_spend(conn, names, batch).unwrap();
    conn.set_instrumentation(|_: InstrumentationEvent<'_>| {});
    count.load(std::sync::atomic::Ordering::Relaxed)
}

/// A batch costs a far PostgreSQL as many round trips for a thousand keys as for one.
#[test]
fn round_trips_do_not_grow_with_the_keys() {
    on_each(|db| {
        if db.is_sqlite() {
            return;
        }
        let (conn, mut names) = (&mut db.connect(), NameCache::default());
        populate(conn, 300);
        let mut first = 1;
        for distinct in [1, 300, 300] {
            let sent = batch(first, (0..1_000).map(|n| spend_row(1 + n % distinct)));
            first += 1_000;
            let sent_statements = statements(conn, &mut names, &sent);
            assert!(
                sent_statements <= 18,
                "{distinct} keys: {sent_statements} statements"
            );
        }
        let totals = queries::ledger_totals(conn).unwrap();
        assert_eq!((totals.rows, totals.agree()), (3_000, true), "{totals:?}");
    });
}
