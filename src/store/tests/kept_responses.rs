//! Conversations behind response ids.

use bytes::Bytes;
use diesel::prelude::*;

use super::super::schema::kept_responses;
use super::super::{KeptTurn, queries};
use super::{NOW_MS, TestDb, on_each};
use crate::types::{LedgerId, Secret};
use crate::vault::Vault;

fn vault() -> Vault {
    Vault::new(&Secret::new("salt"))
}

fn turn(text: &str, previous: Option<LedgerId>) -> KeptTurn {
    KeptTurn {
        id: LedgerId::now(),
        previous,
        created_at: NOW_MS,
        expires_at: NOW_MS + 1000,
        input: format!(r#"[{{"asked":"{text}"}}]"#).into(),
        answer: format!(r#"{{"answered":"{text}"}}"#).into(),
    }
}

/// Turns, each following the one before it.
fn conversation(db: &TestDb, texts: &[&str]) -> Vec<KeptTurn> {
    let mut turns: Vec<KeptTurn> = Vec::new();
    for text in texts {
        turns.push(turn(text, turns.last().map(|turn| turn.id)));
    }
    queries::keep_turns(&mut db.connect(), &vault(), &turns).unwrap();
    turns
}

#[test]
fn a_conversation_is_read_back_from_its_end() {
    on_each(|db| {
        let turns = conversation(db, &["one", "two", "three"]);
        conversation(db, &["another"]);
        let conn = &mut db.connect();
        for at in 0..turns.len() {
            let mut expected = turns[..=at].to_vec();
            expected.reverse();
            let read = queries::kept_chain(conn, &vault(), turns[at].id).unwrap();
            assert_eq!(read, expected);
        }
        let unknown = queries::kept_chain(conn, &vault(), LedgerId::now()).unwrap();
        assert!(unknown.is_empty());
        // Sent again after an answer was lost: nothing changes.
        queries::keep_turns(conn, &vault(), &turns).unwrap();
        let last = turns.last().unwrap().id;
        assert_eq!(queries::kept_chain(conn, &vault(), last).unwrap().len(), 3);
    });
}

#[test]
fn nothing_that_was_said_is_readable_in_the_table() {
    on_each(|db| {
        let said = "a word that must not be found ".repeat(50);
        let turns = conversation(db, &[&said]);
        let conn = &mut db.connect();
        let content: Vec<u8> = kept_responses::table
            .select(kept_responses::content)
            .first(conn)
            .unwrap();
        assert!(content.len() < 500, "it is compressed: {}", content.len());
        let holds = |word: &[u8]| content.windows(word.len()).any(|part| part == word);
        assert!(!holds(b"must not") && !holds(b"answered"));
        let other = Vault::new(&Secret::new("another salt"));
        assert!(
            queries::kept_chain(conn, &other, turns[0].id)
                .unwrap()
                .is_empty()
        );
    });
}

#[test]
fn a_row_that_was_put_in_the_place_of_another_is_not_read() {
    on_each(|db| {
        let turns = conversation(db, &["mine", "also mine"]);
        let conn = &mut db.connect();
        let content: Vec<u8> = kept_responses::table
            .find(turns[0].id.as_bytes().as_slice())
            .select(kept_responses::content)
            .first(conn)
            .unwrap();
        let other = kept_responses::table.find(turns[1].id.as_bytes().as_slice());
        diesel::update(other)
            .set(kept_responses::content.eq(content))
            .execute(conn)
            .unwrap();
        assert!(
            queries::kept_chain(conn, &vault(), turns[1].id)
                .unwrap()
                .is_empty()
        );
    });
}

#[test]
fn a_conversation_that_lost_its_beginning_says_so() {
    on_each(|db| {
        let turns = conversation(db, &["one", "two", "three"]);
        let conn = &mut db.connect();
        assert!(queries::forget_turn(conn, turns[0].id).unwrap());
        assert!(!queries::forget_turn(conn, turns[0].id).unwrap());
        let read = queries::kept_chain(conn, &vault(), turns[2].id).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[1].previous, Some(turns[0].id));
    });
}

#[test]
fn what_is_old_goes_when_nothing_follows_it() {
    on_each(|db| {
        let mut old = conversation(db, &["one", "two"]);
        let mut young = turn("three", Some(old[1].id));
        young.expires_at = NOW_MS + 5000;
        queries::keep_turns(&mut db.connect(), &vault(), [&young]).unwrap();
        let conn = &mut db.connect();
        assert_eq!(queries::forget_expired(conn, NOW_MS + 999).unwrap(), 0);
        // The last turn of the conversation keeps those before it.
        assert_eq!(queries::forget_expired(conn, NOW_MS + 1000).unwrap(), 0);
        assert_eq!(
            queries::kept_chain(conn, &vault(), young.id).unwrap().len(),
            3
        );
        for _ in 0..3 {
            assert_eq!(queries::forget_expired(conn, NOW_MS + 5000).unwrap(), 1);
            old.pop();
        }
        assert_eq!(queries::forget_expired(conn, i64::MAX).unwrap(), 0);
        assert!(
            queries::kept_chain(conn, &vault(), young.id)
                .unwrap()
                .is_empty()
        );
    });
}

#[test]
fn a_circle_of_turns_ends() {
    on_each(|db| {
        let mut first = turn("one", None);
        let second = turn("two", Some(first.id));
        first.previous = Some(second.id);
        let conn = &mut db.connect();
        queries::keep_turns(conn, &vault(), [&first, &second]).unwrap();
        let read = queries::kept_chain(conn, &vault(), second.id).unwrap();
        assert_eq!(read.len(), usize::try_from(queries::MOST_TURNS).unwrap());
    });
}

#[test]
fn empty_texts_are_texts() {
    on_each(|db| {
        let mut turn = turn("", None);
        turn.answer = Bytes::new();
        let conn = &mut db.connect();
        queries::keep_turns(conn, &vault(), [&turn]).unwrap();
        assert_eq!(
            queries::kept_chain(conn, &vault(), turn.id).unwrap(),
            [turn]
        );
    });
}
