//! What it says when it misbehaves.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::{Behaviour, Simulator};
use super::peer::{Answer, Ended, Peer};
use super::{SOON, chat};

fn streamed(simulator: &Simulator, simulate: Value) -> Answer {
    Peer::new(simulator).ask(&chat(json!({"stream": true, "simulate": simulate})))
}

fn whole(simulator: &Simulator, simulate: Value) -> Answer {
    Peer::new(simulator).ask(&chat(json!({"simulate": simulate})))
}

#[test]
fn splits_change_the_boundaries_and_nothing_else() {
    let simulator = Simulator::start();
    let text = "Zug 7 nach 東京駅 🚂";
    let expected = whole(&simulator, json!({"content": text})).body.len();
    for split in [
        json!("every_byte"),
        json!({"sizes": [3, 1, 7]}),
        json!({"random": 42}),
    ] {
        for on_wire in [false, true] {
            let how = json!({"content": text, "split": split, "split_wire": on_wire});
            let answer = streamed(&simulator, how.clone());
            assert_eq!(
                (answer.said().as_str(), answer.ended),
                (text, Ended::Whole),
                "{how}"
            );
            assert_eq!(whole(&simulator, how.clone()).body.len(), expected, "{how}");
        }
    }
    let bytes = streamed(&simulator, json!({"content": text, "split": "every_byte"}));
    assert!(bytes.chunks.iter().all(|size| *size == 1));
    let sizes = streamed(
        &simulator,
        json!({"content": text, "split": {"sizes": [3, 1, 7]}}),
    );
    assert_eq!(sizes.chunks[..3], [3, 1, 7]);
}

#[test]
fn pieces_can_be_told_apart() {
    let simulator = Simulator::start();
    let started = Instant::now();
    let how = json!({"body": "0123456789", "split": "every_byte", "split_delay_ms": 5});
    assert_eq!(whole(&simulator, how).text(), "0123456789");
    assert!(started.elapsed() >= Duration::from_millis(45));
}

#[test]
fn answers_are_cut_where_told() {
    let simulator = Simulator::start();
    for (with, ended) in [("fin", Ended::Fin), ("rst", Ended::Rst)] {
        let answer = whole(&simulator, json!({"cut_after_bytes": 10, "cut_with": with}));
        assert_eq!((answer.body.len(), answer.ended), (10, ended), "{with}");
        let answer = streamed(
            &simulator,
            json!({"cut_after_bytes": 500, "cut_with": with}),
        );
        assert_eq!(answer.body.len(), 500, "{with}");
        assert!(!answer.text().contains("[DONE]"));
    }
    let silent = whole(
        &simulator,
        json!({"cut_after_bytes": 0, "cut_counts": "wire"}),
    );
    assert_eq!((silent.head.as_str(), silent.ended), ("", Ended::Fin));
    let head_only = whole(&simulator, json!({"cut_after_bytes": 0}));
    assert_eq!(
        (head_only.status(), head_only.body.len(), head_only.ended),
        (200, 0, Ended::Fin)
    );
}

#[test]
fn silence_lasts_until_the_peer_leaves_and_that_is_noticed() {
    let simulator = Simulator::start();
    for (simulate, head, said) in [
        (json!({"hang": "before_head"}), false, ""),
        (json!({"hang": "after_head"}), true, ""),
        (json!({"silent_after_chunks": 2}), true, "Hello! How "),
        (json!({"chunks": 3, "chunk_delay_ms": 60_000}), true, ""),
        (json!({"hold": true}), false, ""),
    ] {
        let already = simulator.hangups().len();
        let mut peer = Peer::new(&simulator);
        let answer = peer.ask(&chat(json!({"stream": true, "simulate": simulate})));
        assert_eq!(
            (answer.ended, answer.said().as_str()),
            (Ended::Silent, said),
            "{simulate}"
        );
        assert_eq!(answer.head.is_empty(), !head, "{simulate}");
        assert_eq!(
            (simulator.hangups().len(), simulator.in_flight("gpt-4o")),
            (already, 1)
        );
        drop(peer);
        let left = Instant::now();
        assert!(
            simulator.wait_until(SOON, |simulator| simulator.hangups().len() > already),
            "{simulate}"
        );
        let hangup = simulator.hangups().pop().unwrap();
        assert!(hangup.at.saturating_duration_since(left) < Duration::from_secs(1));
        assert_eq!(
            (hangup.model.as_deref(), hangup.sent > 0),
            (Some("gpt-4o"), head)
        );
        assert_eq!(hangup.request, simulator.requests().pop().unwrap().number);
        assert!(simulator.wait_until(SOON, |simulator| simulator.in_flight("gpt-4o") == 0));
    }
}

#[test]
fn a_peer_that_leaves_a_running_stream_is_noticed() {
    let simulator = Simulator::start();
    let body = chat(json!({"stream": true, "simulate": {"chunks": 5_000, "chunk_bytes": 4_000}}));
    let mut peer = Peer::new(&simulator);
    peer.send("POST /v1/chat/completions HTTP/1.1", &body.to_string());
    assert!(simulator.wait_until(SOON, |simulator| simulator.in_flight("gpt-4o") == 1));
    drop(peer);
    assert!(simulator.wait_until(SOON, |simulator| simulator.hangups().len() == 1));
}

#[test]
fn garbage_is_garbage() {
    let simulator = Simulator::start();
    let no_http = whole(&simulator, json!({"garbage": "not_http"}));
    assert!(!no_http.head.starts_with("HTTP/"));
    let no_json = whole(&simulator, json!({"garbage": "not_json"}));
    assert_eq!(
        (no_json.header("content-type"), no_json.ended),
        (Some("application/json"), Ended::Whole)
    );
    assert!(serde_json::from_slice::<Value>(&no_json.body).is_err());
    let frames = streamed(&simulator, json!({"garbage": "not_json"})).text();
    assert_eq!(
        frames
            .lines()
            .filter(|line| line.ends_with("\"choices\": [{"))
            .count(),
        1
    );
    let page = streamed(&simulator, json!({"garbage": "html"}));
    assert_eq!(
        (page.status(), page.header("content-type")),
        (200, Some("text/html"))
    );
}

#[test]
fn a_stream_can_break_off_with_an_error() {
    let simulator = Simulator::start();
    let error = json!({"message": "overloaded", "type": "server_error"});
    let how = json!({"chunks": 4, "error_mid_stream": {"after_chunks": 2, "error": error}});
    let answer = streamed(&simulator, how);
    assert_eq!(
        (answer.said().as_str(), &answer.ended),
        ("Hello! How can I", &Ended::Whole)
    );
    assert_eq!(answer.events().pop().unwrap(), json!({"error": error}));
    assert!(!answer.text().contains("[DONE]"));
}

#[test]
fn lines_and_frames_vary() {
    let simulator = Simulator::start();
    let crlf = streamed(
        &simulator,
        json!({"crlf": true, "comments": true, "content": "a b"}),
    )
    .text();
    assert_eq!(crlf.matches(": keep-alive\r\n\r\ndata: ").count(), 5);
    assert_eq!(crlf.matches('\n').count(), crlf.matches("\r\n").count());
    let bare = streamed(
        &simulator,
        json!({"no_done": true, "no_finish": true, "content": "a"}),
    )
    .text();
    assert!(bare.ends_with("\"finish_reason\":null}]}\n\n"));
    let own = streamed(&simulator, json!({"frames": ["{\"x\":1}", ""]})).text();
    assert_eq!(own, "data: {\"x\":1}\n\ndata: \n\ndata: [DONE]\n\n");
}

#[test]
fn text_is_generated_to_the_byte() {
    let simulator = Simulator::start();
    let answer = streamed(&simulator, json!({"chunks": 200, "chunk_bytes": 20}));
    let pieces = answer
        .events()
        .iter()
        .filter(|event| event["choices"][0]["delta"]["content"] != "")
        .count();
    assert_eq!(
        (answer.said().len(), pieces),
        (4000, 200 + 1),
        "200 chunks of text and the finish"
    );
    let odd = streamed(
        &simulator,
        json!({"content_bytes": 100, "chunk_bytes": 5, "multibyte": true}),
    )
    .said();
    assert_eq!((odd.len(), odd.contains("東京駅")), (100, true));
}

#[test]
fn framing_and_length_can_be_wrong_or_absent() {
    let simulator = Simulator::start();
    let long = whole(&simulator, json!({"content_length": 100_000}));
    assert_eq!(
        (long.header("content-length"), long.ended),
        (Some("100000"), Ended::Silent)
    );
    let open = streamed(&simulator, json!({"framing": "close"}));
    assert_eq!(
        (open.ended, open.text().ends_with("data: [DONE]\n\n")),
        (Ended::Fin, true)
    );
    let chunked = whole(&simulator, json!({"framing": "chunked"}));
    assert_eq!(
        (chunked.ended, &chunked.json()["object"]),
        (Ended::Whole, &json!("chat.completion"))
    );
}

#[test]
fn a_pace_does_not_drift() {
    let simulator = Simulator::start();
    let started = Instant::now();
    streamed(
        &simulator,
        json!({"chunks": 30, "chunk_bytes": 1, "chunk_delay_ms": 10, "delay_ms": 50}),
    );
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(350), "{took:?}");
    assert!(took < Duration::from_millis(1350), "{took:?}");
}

#[test]
fn behaviours_are_written_in_rust_or_json() {
    let simulator = Simulator::start();
    simulator.behave("gpt-4o", Behaviour::of(json!({"status": 503})));
    assert_eq!(Peer::new(&simulator).ask(&chat(json!({}))).status(), 503);
    assert_eq!(
        Behaviour::of(json!({"split": "every_byte"})).split,
        Some(super::super::Split::EveryByte)
    );
}
