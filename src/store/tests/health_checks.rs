//! Findings of health checks, and whose turn it is to check.

use super::super::queries::{self, FindingQuery, TurnAsked};
use super::super::{AnyConnection, HealthRow};
use super::{NOW_MS, on_each};
use crate::types::LedgerId;

fn row(model: &str, at: i64, is_healthy: bool) -> HealthRow {
    HealthRow {
        id: LedgerId::now().as_bytes().to_vec(),
        model_id: model.to_owned(),
        model_name: format!("group of {model}"),
        model: "openai/m".to_owned(),
        is_healthy,
        status: (!is_healthy).then_some(401),
        error: (!is_healthy).then(|| "no".to_owned()),
        rate_limits: "{}".to_owned(),
        took_us: 5,
        by_schedule: true,
        checked_at: NOW_MS + at,
    }
}

#[test]
fn the_last_finding_of_each_and_pages_of_former_ones() {
    on_each(|db| {
        let conn = &mut db.connect();
        let rows = [row("a", 1, false), row("b", 1, true), row("a", 2, true)];
        queries::keep_findings(conn, &rows).unwrap();
        queries::keep_findings(conn, &[]).unwrap();
        let latest = |conn: &mut AnyConnection, since| {
            let rows = queries::latest_findings(conn, NOW_MS + since).unwrap();
            let of = |row: &HealthRow| format!("{}{}", row.model_id, row.checked_at - NOW_MS);
            rows.iter().map(of).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(latest(conn, 0), "a2 b1");
        assert_eq!(latest(conn, 2), "a2");
        assert_eq!(queries::latest_findings(conn, 0).unwrap()[0], rows[2]);
        for (model_name, is_healthy, offset, limit, found, total) in [
            (None, None, 0, 9, 3, 3),
            (None, None, 1, 1, 1, 3),
            (None, Some(false), 0, 9, 1, 1),
            (Some("group of a"), None, 0, 9, 2, 2),
            (Some("a\0"), None, 0, 9, 0, 0),
        ] {
            let query = FindingQuery {
                model_name: model_name.map(str::to_owned),
                is_healthy,
                offset,
                limit,
            };
            let (rows, count) = queries::finding_page(conn, &query).unwrap();
            assert_eq!((rows.len(), count), (found, total), "{query:?}");
        }
    });
}

#[test]
fn one_has_the_turn() {
    on_each(|db| {
        let conn = &mut db.connect();
        let mut take = |holder: &str, now: i64, young_since: i64| {
            let asked = TurnAsked {
                holder: holder.to_owned(),
                now_ms: NOW_MS + now,
                held_until: NOW_MS + now + 60,
                young_since: NOW_MS + young_since,
            };
            queries::take_turn(conn, &asked).unwrap()
        };
        assert!(take("one", 0, 0));
        // Kept by who has it, for as long as he gives a sign of life.
        assert!(!take("other", 1, 0) && take("one", 50, 0) && !take("other", 100, 0));
        assert!(take("other", 110, 0));
        let conn = &mut db.connect();
        // The first comes late: what he ends is not his any more.
        queries::end_turn(conn, "one", NOW_MS).unwrap();
        let round = queries::shared_round(conn).unwrap().unwrap();
        assert_eq!((&*round.holder, round.began_at), ("other", 0));
        queries::end_turn(conn, "other", NOW_MS + 110).unwrap();
        let mut take = |now: i64, young_since: i64| {
            let asked = TurnAsked {
                holder: "one".to_owned(),
                now_ms: NOW_MS + now,
                held_until: NOW_MS + now + 60,
                young_since: NOW_MS + young_since,
            };
            queries::take_turn(conn, &asked).unwrap()
        };
        // There is a round that is young enough, and then there is none.
        assert!(!take(120, 100) && take(300, 200));
    });
}
