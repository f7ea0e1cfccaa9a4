//! Bodies by their size and pace, and connections by their manners.

use std::io::Write;

use crate::harness::{
    Config, Ended, Gateway, Request, SOON, Setup, at_once, chat, chat_with, json, streamed, until,
};
use crate::simulator::Simulator;

fn limited(simulator: &Simulator) -> Gateway {
    Gateway::of(&Config::single(simulator, "m").general("max_request_size_mb", 1))
}

fn padded(bytes: usize) -> String {
    chat_with("m", json!({"padding": "x".repeat(bytes)})).to_string()
}

#[test]
fn too_large_is_told() {
    let simulator = Simulator::start();
    let gateway = limited(&simulator);
    let master = gateway.master();
    master
        .ask(Request::post("/v1/chat/completions", padded(1_000_000)))
        .with_status(200);
    for size in [1 << 20, 3 << 20, 7 << 20] {
        let reply = master
            .ask(Request::post("/v1/chat/completions", padded(size)))
            .with_status(413);
        assert!(
            reply.message().contains("Max size is 1 MB"),
            "{}",
            reply.message()
        );
    }
    // Without an announced length as well.
    let body = padded(3 << 20);
    let mut request = master.signed(
        Request::new("POST", "/v1/chat/completions").header("transfer-encoding", "chunked"),
    );
    request.body = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).into_bytes();
    master.connect().ask(&request).unwrap().with_status(413);
    assert_eq!(simulator.received("m"), 1);
}

#[test]
fn large_bodies_pass_untouched() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let sizes = [200 << 10, 1 << 20, 3 << 20, 10 << 20];
    at_once(sizes.len(), |index| {
        let body = padded(sizes[index]);
        gateway
            .master()
            .ask(Request::post("/v1/chat/completions", body))
            .with_status(200);
    });
    let mut received: Vec<usize> = simulator
        .take()
        .iter()
        .map(|request| request.body.len())
        .collect();
    received.sort_unstable();
    assert_eq!(received, sizes.map(|size| padded(size).len()));
    let large_answer = chat_with("m", json!({"simulate": {"content_bytes": 5 << 20}}));
    let reply = gateway.master().chat(&large_answer).with_status(200);
    assert_eq!(
        reply.json()["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .len(),
        5 << 20
    );
}

#[test]
fn a_chunked_request_is_read() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let master = gateway.master();
    let body = chat("m").to_string();
    let mut request = master.signed(
        Request::new("POST", "/v1/chat/completions").header("transfer-encoding", "chunked"),
    );
    let pieces = body.as_bytes().chunks(7).map(|piece| {
        format!(
            "{:x}\r\n{}\r\n",
            piece.len(),
            String::from_utf8_lossy(piece)
        )
    });
    request.body = pieces
        .chain(["0\r\n\r\n".to_owned()])
        .collect::<String>()
        .into_bytes();
    master.connect().ask(&request).unwrap().with_status(200);
    assert_eq!(simulator.take()[0].body, body.into_bytes());
}

#[test]
fn a_client_may_wait_to_be_asked_for_its_body() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let master = gateway.master();
    let request = master.signed(
        Request::post("/v1/chat/completions", chat("m").to_string())
            .header("expect", "100-continue"),
    );
    let mut connection = master.connect();
    connection.stream.write_all(&request.head()).unwrap();
    let mut first = [0; 12];
    std::io::Read::read_exact(&mut connection.stream, &mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 100");
    connection.stream.write_all(&request.body).unwrap();
    let mut rest = Vec::new();
    while !rest.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        std::io::Read::read_exact(&mut connection.stream, &mut byte).unwrap();
        rest.push(byte[0]);
    }
    connection.reply().unwrap().with_status(200);
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let master = gateway.master();
    let request = master
        .signed(Request::post("/v1/chat/completions", chat("m").to_string()))
        .bytes();
    let mut slow = master.connect();
    for byte in &request {
        slow.stream.write_all(std::slice::from_ref(byte)).unwrap();
    }
    slow.reply().unwrap().with_status(200);
}

/// Clients that do nothing hold up nobody.
#[test]
fn idle_and_unfinished_clients_hold_up_nobody() {
    let simulator = Simulator::start();
    let gateway = Setup::new(&Config::single(&simulator, "m"))
        .workers(1)
        .start();
    let master = gateway.master();
    let idle: Vec<_> = (0..50).map(|_| master.connect()).collect();
    let unfinished: Vec<_> = (0..50)
        .map(|index| {
            let mut connection = master.connect();
            let mut request =
                master.signed(Request::post("/v1/chat/completions", chat("m").to_string()));
            request = request.header("content-length", "100000");
            let bytes = request.bytes();
            connection
                .stream
                .write_all(&bytes[..bytes.len() - index])
                .unwrap();
            connection
        })
        .collect();
    for _ in 0..10 {
        master.chat(&chat("m")).with_status(200);
    }
    drop((idle, unfinished));
    master.chat(&chat("m")).with_status(200);
}

/// A client that reads slowly gets everything, and the gateway does not buffer it without end.
#[test]
fn a_slow_reader_gets_everything() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let how = json!({"simulate": {"chunks": 600, "chunk_bytes": 100_000}});
    let before = resident(&gateway);
    let (mut connection, mut incoming) = gateway.master().begin(&streamed("m", how));
    // The upstream has sixty megabytes, more than sockets take, to say, and must wait for the reader.
    for _ in 0..200 {
        gateway.master().chat(&chat("m")).with_status(200);
    }
    assert_eq!(simulator.in_flight("m"), 1, "everything was swallowed");
    let grown = resident(&gateway).saturating_sub(before);
    assert!(
        grown < 12 << 20,
        "{grown} bytes more while one client does not read"
    );
    while incoming.reply.ended == Ended::Open {
        connection.more(&mut incoming).unwrap();
    }
    assert_eq!(incoming.reply.said().len(), 60_000_000);
    assert!(incoming.reply.is_done());
}

/// Resident memory in bytes.
fn resident(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim()
        .trim_end_matches(" kB")
        .trim()
        .parse::<u64>()
        .unwrap()
        * 1024
}

#[test]
fn connections_are_kept() {
    let simulator = Simulator::start();
    let gateway = Setup::new(&Config::single(&simulator, "m"))
        .workers(1)
        .start();
    let master = gateway.master();
    let mut connection = master.connect();
    let bodies = [
        chat("m"),
        streamed("m", json!({})),
        chat_with("m", json!({"simulate": {"status": 500}})),
        chat("nothing"),
        json!({"model": 7}),
        chat("m"),
    ];
    for round in 0..3 {
        for body in &bodies {
            let request = master.signed(Request::post("/v1/chat/completions", body.to_string()));
            let reply = connection
                .ask(&request)
                .unwrap_or_else(|error| panic!("{round} {body}: {error}"));
            assert_eq!(reply.ended, Ended::Whole);
        }
        let unsigned = Request::post("/v1/chat/completions", chat("m").to_string());
        assert_eq!(connection.ask(&unsigned).unwrap().status, 401);
    }
    until("the upstream's connections are reused", SOON, || {
        simulator.connections() <= 3
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let master = gateway.master();
    let mut connection = master.connect();
    let mut bytes = Vec::new();
    for index in 0..5 {
        let body = chat_with(
            "m",
            json!({"simulate": {"content": format!("answer {index}")}}),
        );
        bytes.extend(
            master
                .signed(Request::post("/v1/chat/completions", body.to_string()))
                .bytes(),
        );
    }
    connection.stream.write_all(&bytes).unwrap();
    for index in 0..5 {
        let reply = connection.reply().unwrap().with_status(200);
        assert_eq!(
            reply.json()["choices"][0]["message"]["content"],
            format!("answer {index}")
        );
    }
}
