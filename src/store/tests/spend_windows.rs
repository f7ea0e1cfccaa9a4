//! What was spent in budgets of providers, deployments and tags.

use std::sync::Arc;

use super::super::{FlushBatch, NameCache, WindowRow, queries};
use super::{NOW_MS, batch, on_each, populate, spend_row};
use crate::types::{NanoUsd, SpendRow};

const DAY: i64 = 86_400_000;

/// A call that ended so many milliseconds after `NOW_MS`.
fn row(after_ms: i64, spend: i64, budgets: &[&str]) -> SpendRow {
    SpendRow {
        ended_at: (NOW_MS + after_ms) * 1000 + 7,
        spend: NanoUsd(spend),
        budgets: budgets
            .iter()
            .map(|key| (Arc::from(*key), NanoUsd(spend)))
            .collect(),
        ..spend_row(1)
    }
}

fn window(budget: &str, ends_after: i64, spent: i64) -> WindowRow {
    WindowRow {
        budget: budget.to_owned(),
        ends_at: NOW_MS + ends_after,
        spent,
    }
}

#[test]
fn windows_are_summed_up_once_with_their_rows() {
    on_each(|db| {
        let conn = &mut db.connect();
        populate(conn, 1);
        let (openai, tag) = ("provider_spend:openai:1d", "tag_spend:a:10s");
        let (of_openai, of_tag) = ("provider_spend:openai", "tag_spend:a");
        let mut send = |sent: &FlushBatch| {
            queries::flush_spend(conn, &mut NameCache::default(), sent).unwrap();
            queries::lasting_windows(conn, 0).unwrap()
        };
        // Out of order, free of charge, of no budget, and of one that nobody can read.
        let first = batch(
            0,
            [
                row(3_000, 5, &[openai, tag]),
                row(1_000, 7, &[openai, tag]),
                row(0, 0, &[openai, tag]),
                row(500, 9, &[]),
                row(600, 9, &["tag_spend:b:never"]),
            ],
        );
        let expected = [
            window(of_openai, 1_000 + DAY, 12),
            window(of_tag, 11_000, 12),
        ];
        assert_eq!(send(&first), expected);
        assert_eq!(send(&first), expected, "sent again");
        // One window of the tag ends, and the next begins with the first spending after it.
        let second = batch(5, [row(15_000, 3, &[tag]), row(10_999, 2, &[openai, tag])]);
        let expected = [
            window(of_openai, 1_000 + DAY, 14),
            window(of_tag, 25_000, 3),
        ];
        assert_eq!(send(&second), expected);
        let lasting = queries::lasting_windows(conn, NOW_MS + 25_000).unwrap();
        assert_eq!(lasting, [window(of_openai, 1_000 + DAY, 14)]);
        assert_eq!(
            queries::lasting_windows(conn, 0).unwrap(),
            lasting,
            "forgotten"
        );
    });
}

/// Two instances that book at the same time.
#[test]
fn two_at_once_lose_nothing() {
    on_each(|db| {
        populate(&mut db.connect(), 1);
        let book = |journal: u8| {
            let conn = &mut db.connect();
            for seq in 0..20 {
                let mut sent = batch(seq, [row(0, 1, &["deployment_spend:d:1d"])]);
                sent.items[0].journal = [journal; 16];
                let flush = || queries::flush_spend(conn, &mut NameCache::default(), &sent);
                let mut flush = flush;
                while let Err(error) = flush() {
                    assert!(
                        matches!(error, super::super::StoreError::Unavailable(_)),
                        "{error}"
                    );
                }
            }
        };
        std::thread::scope(|threads| {
            for journal in 1..=3 {
                threads.spawn(move || book(journal));
            }
        });
        let windows = queries::lasting_windows(&mut db.connect(), 0).unwrap();
        assert_eq!(windows, [window("deployment_spend:d", DAY, 60)]);
    });
}
