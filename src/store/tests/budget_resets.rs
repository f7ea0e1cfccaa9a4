//! Budgets that begin anew, in the books.

use super::super::queries::{ResetBooking, book_reset, due_resets, key_info, reset_overdue};
use super::super::{AnyConnection, KeyChanges, KeyUpdate, OwnerType, queries};
use super::{NOW_MS, batch, hash, on_each, populate, spend_row};
use crate::types::NanoUsd;

const DAY: i64 = 86_400_000;

/// Gives key 1 a daily budget that is due at `at`.
fn daily(conn: &mut AnyConnection, at: i64) {
    let update = KeyUpdate {
        changes: KeyChanges {
            budget_duration: Some(Some("1d".into())),
            budget_reset_at: Some(Some(at)),
            ..KeyChanges::default()
        },
        ..KeyUpdate::default()
    };
    queries::update_key(conn, hash(1), &update)
        .unwrap()
        .unwrap();
}

fn stands(conn: &mut AnyConnection) -> (i64, Option<i64>) {
    let row = key_info(conn, hash(1)).unwrap().unwrap().row;
    (row.spend.0, row.budget_reset_at)
}

#[test]
fn a_decided_reset_is_booked_once() {
    on_each(|db| {
        let conn = &mut db.connect();
        populate(conn, 1);
        daily(conn, NOW_MS);
        assert_eq!(due_resets(conn, NOW_MS - 1).unwrap(), []);
        let due = due_resets(conn, NOW_MS).unwrap();
        assert_eq!(
            (due.len(), due[0].owner, &*due[0].every),
            (1, OwnerType::Key, "1d")
        );
        // 1,001 of the old window are not booked yet when the reset is.
        let reset = ResetBooking {
            owner: OwnerType::Key,
            id: hash(1).to_string(),
            spent: NanoUsd(1_001),
            was_due: NOW_MS,
            next: NOW_MS + DAY,
        };
        book_reset(conn, &reset).unwrap();
        book_reset(conn, &reset).unwrap();
        queries::flush_spend(conn, &mut Default::default(), &batch(0, [spend_row(1)])).unwrap();
        assert_eq!(stands(conn), (0, Some(NOW_MS + DAY)));
        assert_eq!(due_resets(conn, NOW_MS).unwrap(), []);
        // Another rhythm was given meanwhile: the money is taken off, the rhythm stays.
        daily(conn, NOW_MS + 5 * DAY);
        let late = ResetBooking {
            spent: NanoUsd(3),
            was_due: NOW_MS + DAY,
            next: NOW_MS + 2 * DAY,
            ..reset
        };
        book_reset(conn, &late).unwrap();
        assert_eq!(stands(conn), (-3, Some(NOW_MS + 5 * DAY)));
        assert!(queries::ledger_totals(conn).unwrap().agree());
    });
}

#[test]
fn at_start_the_ledger_tells_what_the_new_window_has_spent() {
    on_each(|db| {
        let conn = &mut db.connect();
        populate(conn, 2);
        daily(conn, NOW_MS);
        let ended = |n: u32, at: i64| {
            let mut row = spend_row(n);
            row.started_at = (at - 2_000) * 1000;
            row.ended_at = at * 1000;
            row
        };
        // The first ended before the reset, the second began before it and ended in the window that is over by now, the third
        // ended in today's; the last is another key's.
        let rows = [
            ended(1, NOW_MS - 1),
            ended(1, NOW_MS + 1_000),
            ended(1, NOW_MS + DAY),
            ended(2, NOW_MS + DAY),
        ];
        queries::flush_spend(conn, &mut Default::default(), &batch(0, rows)).unwrap();
        assert_eq!(reset_overdue(conn, NOW_MS + DAY + 5_000).unwrap(), 1);
        assert_eq!(stands(conn), (1_001, Some(NOW_MS + 2 * DAY)));
        assert_eq!(reset_overdue(conn, NOW_MS + DAY + 5_000).unwrap(), 0);
        // A week of silence.
        assert_eq!(reset_overdue(conn, NOW_MS + 9 * DAY).unwrap(), 1);
        assert_eq!(stands(conn), (0, Some(NOW_MS + 10 * DAY)));
        assert!(queries::ledger_totals(conn).unwrap().agree());
    });
}
