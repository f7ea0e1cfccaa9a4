//! What it remembers of its callers, and holding them.

use serde_json::json;

use super::super::{Behaviour, Simulator};
use super::peer::{Ended, Peer};
use super::{SOON, chat};

#[test]
fn requests_are_recorded_whole() {
    let simulator = Simulator::start();
    let mut peer = Peer::new(&simulator);
    peer.ask(&chat(json!({})));
    let chunked = "POST /v1/chat/completions?x=1 HTTP/1.1\r\nX-B: 2\r\nX-A: 1\r\ntransfer-encoding: chunked\r\n\r\n\
        15\r\n{\"model\":\"gpt-4o\",\"me\r\n";
    std::io::Write::write_all(&mut peer.0, chunked.as_bytes()).unwrap();
    std::io::Write::write_all(&mut peer.0, b"d\r\nssages\":\"hi\"}\r\n0\r\n\r\n").unwrap();
    assert_eq!(peer.answer().status(), 200);
    Peer::new(&simulator).ask(&chat(json!({"model": "other"})));
    let requests = simulator.take();
    assert_eq!(requests.len(), 3);
    assert_eq!(
        requests[1].json(),
        json!({"model": "gpt-4o", "messages": "hi"})
    );
    assert_eq!(
        (requests[1].method.as_str(), requests[1].path.as_str()),
        ("POST", "/v1/chat/completions?x=1")
    );
    let names: Vec<&str> = requests[1]
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["x-b", "x-a", "transfer-encoding"]);
    assert_eq!(
        (
            requests[0].connection,
            requests[1].connection,
            requests[2].connection
        ),
        (1, 1, 2)
    );
    assert_eq!(
        (simulator.received("gpt-4o"), simulator.received("other")),
        (2, 1)
    );
    assert!(simulator.requests().is_empty());
    simulator.record(false);
    peer.ask(&chat(json!({})));
    assert!(simulator.requests().is_empty());
}

#[test]
fn held_requests_pile_up_until_they_are_released() {
    let simulator = Simulator::start();
    simulator.behave(
        "gpt-4o",
        Behaviour {
            hold: true,
            ..Behaviour::default()
        },
    );
    let mut peers = [0; 5].map(|_| Peer::new(&simulator));
    for peer in &mut peers {
        peer.send(
            "POST /v1/chat/completions HTTP/1.1",
            &chat(json!({})).to_string(),
        );
    }
    assert!(simulator.wait_until(SOON, |simulator| simulator.held() == 5));
    assert_eq!(
        (simulator.in_flight("gpt-4o"), simulator.connections()),
        (5, 5)
    );
    simulator.release();
    assert!(
        peers
            .iter_mut()
            .all(|peer| peer.answer().ended == Ended::Whole)
    );
    assert!(simulator.wait_until(SOON, |simulator| simulator.in_flight("gpt-4o") == 0));
    assert_eq!(
        (simulator.held(), simulator.peak_in_flight("gpt-4o")),
        (0, 5)
    );
}
