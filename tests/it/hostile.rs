//! Clients that mean no good, or do not know better: slow, endless, silent, deaf, or speaking HTTP that two servers would read
//! differently. They are ended, and others do not notice.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::harness::{
    Config, Connection, Gateway, MASTER_KEY, Request, SetOnDrop, Setup, Value, chat, chat_with,
    eventually, json, resident, streamed, until,
};
use crate::simulator::{Behaviour, Simulator};

/// Time for what has to happen within a second or so, on a busy machine.
const SOON: Duration = Duration::from_secs(8);

fn impatient(simulator: &Simulator) -> Gateway {
    let config = Config::single(simulator, "m")
        .general("client_head_timeout", 0.6)
        .general("client_body_timeout", 0.6)
        .general("client_write_timeout", 1.0);
    Setup::new(&config).flag("--keepalive_timeout=1").start()
}

fn open(gateway: &Gateway) -> TcpStream {
    let stream = TcpStream::connect(gateway.address()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// All that comes until the connection ends; fails when it does not end.
#[track_caller]
fn to_the_end(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error} after {}", String::from_utf8_lossy(&all)),
    }
    String::from_utf8_lossy(&all).into_owned()
}

const GET: &[u8] = b"GET /health/liveliness HTTP/1.1\r\nhost: g\r\n\r\n";

// --- slow ---

#[test]
fn a_head_that_does_not_become_whole() {
    let simulator = Simulator::start();
    let gateway = impatient(&simulator);
    // The first request, a later one, and one that came with the request before it.
    for before in [&b""[..], GET] {
        let mut stream = open(&gateway);
        stream.write_all(before).unwrap();
        if !before.is_empty() {
            let mut some = [0; 4096];
            assert!(stream.read(&mut some).unwrap() > 0);
        }
        let began = Instant::now();
        let mut dripping = stream.try_clone().unwrap();
        let drip = std::thread::spawn(move || {
            for byte in GET.iter().take(40) {
                if dripping.write_all(&[*byte]).is_err() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        to_the_end(&mut stream);
        assert!(
            began.elapsed() < Duration::from_secs(3),
            "{:?}",
            began.elapsed()
        );
        drip.join().unwrap();
    }
    let mut stream = open(&gateway);
    stream.write_all(&[GET, &GET[..20]].concat()).unwrap();
    let said = to_the_end(&mut stream);
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
}

#[test]
fn a_connection_that_says_nothing() {
    let simulator = Simulator::start();
    let gateway = impatient(&simulator);
    to_the_end(&mut open(&gateway));
    let mut used = open(&gateway);
    used.write_all(GET).unwrap();
    assert!(to_the_end(&mut used).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_body_that_does_not_become_whole() {
    let simulator = Simulator::start();
    let gateway = impatient(&simulator);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {MASTER_KEY}\r\ncontent-length: 1000\r\n\r\n"
    );
    // Silence, and a byte now and then.
    for pause in [None, Some(Duration::from_millis(150))] {
        let mut stream = open(&gateway);
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(b"{").unwrap();
        let began = Instant::now();
        if let Some(pause) = pause {
            let mut dripping = stream.try_clone().unwrap();
            std::thread::spawn(move || {
                while dripping.write_all(b" ").is_ok() {
                    std::thread::sleep(pause);
                }
            });
        }
        let said = to_the_end(&mut stream);
        assert!(said.starts_with("HTTP/1.1 408"), "{said}");
        assert!(began.elapsed() < Duration::from_secs(4));
    }
    assert!(simulator.take().is_empty());
}

/// A client that takes nothing of its stream is ended; its call ends with it, is booked, and no memory piles up meanwhile.
#[test]
fn a_client_that_does_not_read() {
    let simulator = Simulator::start();
    let gateway = impatient(&simulator);
    let idle = resident(&gateway);
    let endless = streamed(
        "m",
        json!({"simulate": {"chunks": 200, "chunk_bytes": 100_000}}),
    );
    let request = Request::post("/v1/chat/completions", endless.to_string()).key(MASTER_KEY);
    let deaf: Vec<Connection> = (0..4)
        .map(|_| {
            let mut connection = Connection::open(gateway.address()).unwrap();
            // What the kernel takes for it would else last for a while.
            let socket = socket2::SockRef::from(&connection.stream);
            socket.set_recv_buffer_size(8 * 1024).unwrap();
            connection.send(&request).unwrap();
            connection
        })
        .collect();
    let mut most = 0;
    eventually("all their calls end", SOON * 2, || {
        most = most.max(resident(&gateway));
        (simulator.hangups().len() == deaf.len()).then_some(())
    });
    assert!(most < idle + 40_000_000, "{most} after {idle}");
    let rows = gateway.rows_when(deaf.len());
    assert!(rows.iter().all(|row| row.usage.completion_tokens() > 0));
    gateway.master().chat(&chat("m")).with_status(200);
}

// --- many and large ---

#[test]
fn idle_connections_cost_little_and_give_way() {
    const MANY: usize = 400;
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m").general("max_client_connections", MANY);
    let gateway = Setup::new(&config).workers(1).start();
    gateway.master().chat(&chat("m")).with_status(200);
    let before = resident(&gateway);
    let idle: Vec<TcpStream> = (0..MANY).map(|_| open(&gateway)).collect();
    // More than there is room for: whoever comes next is served all the same, once idle ones had to go.
    let began = Instant::now();
    gateway.master().chat(&chat("m")).with_status(200);
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    let each = resident(&gateway).saturating_sub(before) / MANY;
    assert!(each < 40_000, "{each} bytes a connection");
    drop(idle);
}

#[test]
fn heads_that_are_too_large() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let many = "x: y\r\n".repeat(200);
    let large = format!("x: {}\r\n", "y".repeat(200_000));
    for bomb in [many, large] {
        let mut stream = open(&gateway);
        let text = format!("GET /health/liveliness HTTP/1.1\r\nhost: g\r\n{bomb}\r\n");
        // What is not taken any more cannot be written.
        let _ = stream.write_all(text.as_bytes());
        let said = to_the_end(&mut stream);
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 431"),
            "{said}"
        );
    }
    let mut stream = open(&gateway);
    stream
        .write_all(
            &[
                b"GET ",
                "/x".repeat(100_000).as_bytes(),
                b" HTTP/1.1\r\nhost: g\r\n\r\n",
            ]
            .concat(),
        )
        .ok();
    let said = to_the_end(&mut stream);
    let status = said.get(9..12).unwrap_or_default();
    assert!(["", "400", "414", "431"].contains(&status), "{said}");
}

#[test]
fn bodies_without_end() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m").general("max_request_size_mb", 1);
    let gateway = Gateway::of(&config);
    let before = resident(&gateway);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {MASTER_KEY}\r\n"
    );
    for (framing, piece) in [
        ("content-length: 10000000000\r\n\r\n", " ".repeat(65_536)),
        (
            "transfer-encoding: chunked\r\n\r\n",
            format!("10000\r\n{}\r\n", " ".repeat(65_536)),
        ),
        (
            "transfer-encoding: chunked\r\n\r\n",
            "1\r\n \r\n".repeat(10_000),
        ),
    ] {
        let mut stream = open(&gateway);
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(framing.as_bytes()).unwrap();
        let mut writing = stream.try_clone().unwrap();
        let writer =
            std::thread::spawn(move || while writing.write_all(piece.as_bytes()).is_ok() {});
        let said = to_the_end(&mut stream);
        assert!(said.starts_with("HTTP/1.1 413"), "{framing}: {said}");
        writer.join().unwrap();
    }
    assert!(resident(&gateway) < before + 30_000_000);
    assert!(simulator.take().is_empty());
}

/// The bodies of all clients together have a bound: who comes too late is asked to come again.
#[test]
fn all_bodies_together() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m").general("max_requests_in_memory_mb", 1);
    let gateway = Gateway::of(&config);
    let large = |how| chat_with("m", json!({"user": "x".repeat(600_000), "simulate": how}));
    std::thread::scope(|scope| {
        let held = scope.spawn(|| gateway.master().chat(&large(json!({"hold": true}))));
        assert!(simulator.wait_until(SOON, |simulator| simulator.held() == 1));
        let reply = gateway.master().chat(&large(json!({}))).with_status(503);
        assert_eq!(reply.must("retry-after"), "1");
        assert!(reply.message().contains("max_requests_in_memory_mb"));
        // Small ones find room.
        gateway.master().chat(&chat("m")).with_status(200);
        simulator.release();
        held.join().unwrap().with_status(200);
    });
    gateway.master().chat(&large(json!({}))).with_status(200);
}

/// A body is counted as long as it is held: by a stream that has no content yet, by one that may have to be gone on with, and by
/// a conversation that is kept with its answer.
#[test]
fn bodies_of_streams_are_counted_while_they_are_held() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m")
        .router("first_content_hold", 0.1)
        .general("max_requests_in_memory_mb", 1);
    let gateway = Gateway::of(&config);
    let (text, master) = ("x".repeat(600_000), gateway.master());
    let large = || chat_with("m", json!({"user": text}));
    let silent = json!({"hang": "after_head"});
    let slow =
        json!({"content": "one two three four", "chunk_delay_ms": 200, "silent_after_chunks": 3});
    let chat = |more: Value| ("/v1/chat/completions", streamed("m", more));
    let conversation = json!({"model": "m", "input": text, "stream": true});
    for (behaviour, (path, body), is_held) in [
        (&silent, chat(json!({"user": text})), true),
        (
            &slow,
            chat(json!({"user": text, "mid_stream_failure": "resume"})),
            true,
        ),
        (&slow, ("/v1/responses", conversation), true),
        (&slow, chat(json!({"user": text})), false),
    ] {
        simulator.behave("m", Behaviour::of(behaviour));
        let mut connection = master.connect();
        let request = Request::post(path, body.to_string()).key(MASTER_KEY);
        connection.send(&request).expect("a request sent");
        let mut incoming = connection.incoming().expect("a head");
        if behaviour == &slow {
            connection.read_until(&mut incoming, "one");
        }
        simulator.behave("m", Behaviour::default());
        let status = if is_held { 503 } else { 200 };
        let reply = master.chat(&large());
        assert_eq!(reply.status, status, "{path} {behaviour}");
        connection.leave();
        until("its room is free again", SOON, || {
            master.chat(&large()).status == 200
        });
    }
}

/// Compressed request bodies are not taken, so that none can be a bomb.
#[test]
fn compressed_bodies() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        let request = Request::post("/v1/chat/completions", &b"\x1f\x8b\x08\0\0"[..])
            .header("content-encoding", encoding)
            .key(MASTER_KEY);
        gateway.anonymous().ask(request).with_status(415);
    }
}

/// Who asks and asks and reads no answer is not read either: answers do not pile up. Once he reads, all goes on.
#[test]
fn a_flood_of_pipelined_requests() {
    /// More than systems keep for two sockets, in bytes.
    const FLOOD: usize = 64_000_000;
    /// Of requests that go out in one write.
    const AT_ONCE: usize = 1_000;
    /// Nothing was taken for so long: nothing is.
    const STILL: Duration = Duration::from_secs(1);
    const ANSWERS: usize = 1_000;
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let mut stream = open(&gateway);
    let socket = socket2::SockRef::from(&stream);
    socket.set_recv_buffer_size(8 * 1024).unwrap();
    socket.set_send_buffer_size(64 * 1024).unwrap();
    // What the first requests of a process leave in memory is no pile.
    let warm: String = (0..50).map(|_| pipelined(&gateway, 20)).collect();
    assert_eq!(warm.matches("HTTP/1.1 200 OK").count(), 1_000);
    let before = resident(&gateway);
    stream.set_write_timeout(Some(STILL)).unwrap();
    let (block, mut taken, mut most) = (GET.repeat(AT_ONCE), 0, before);
    loop {
        match stream.write(&block[taken % GET.len()..]) {
            Ok(written) => taken += written,
            Err(error) => {
                let is_still = [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind());
                assert!(is_still, "{error}");
                // On a busy machine a pause means nothing yet.
                if taken > 2 * ANSWERS * GET.len() {
                    break;
                }
            }
        }
        most = most.max(resident(&gateway));
        assert!(taken < FLOOD, "requests are taken without end");
    }
    assert!(most < before + 10_000_000, "{most} after {before}");
    let (mut said, mut piece) = (String::new(), [0; 16 * 1024]);
    while said.matches("HTTP/1.1 200 OK").count() < ANSWERS {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "an end after {said}");
        said += std::str::from_utf8(&piece[..read]).unwrap();
    }
    assert_eq!(
        said.matches("HTTP/1.1 ").count(),
        said.matches(" 200 OK").count()
    );
    drop(stream);
    gateway.master().chat(&chat("m")).with_status(200);
}

/// The answers to so many requests that come at once, the last of which wants no more.
fn pipelined(gateway: &Gateway, count: usize) -> String {
    let last = b"GET /health/liveliness HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n";
    let mut stream = open(gateway);
    stream
        .write_all(&[&GET.repeat(count - 1)[..], last].concat())
        .unwrap();
    to_the_end(&mut stream)
}

// --- two readings ---

/// Requests that two servers in a row could read differently are refused, and nothing after them is read.
#[test]
fn smuggling() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let hidden = "GET /health/liveliness HTTP/1.1\r\nhost: g\r\n\r\n";
    for (name, head) in [
        (
            "both lengths",
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        ),
        ("two lengths", "content-length: 5\r\ncontent-length: 6\r\n"),
        (
            "the same length twice",
            "content-length: 5\r\ncontent-length: 5\r\n",
        ),
        ("a list of lengths", "content-length: 5, 5\r\n"),
        ("a sign", "content-length: +5\r\n"),
        ("a negative length", "content-length: -1\r\n"),
        ("hexadecimal", "content-length: 0x5\r\n"),
        (
            "a length beyond counting",
            "content-length: 99999999999999999999999\r\n",
        ),
        ("xchunked", "transfer-encoding: xchunked\r\n"),
        (
            "chunked twice",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        ),
        (
            "chunked and more",
            "transfer-encoding: chunked, identity\r\n",
        ),
        (
            "identity last",
            "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        ),
        ("gzip", "transfer-encoding: gzip, chunked\r\n"),
        (
            "a space before the colon",
            "transfer-encoding : chunked\r\n",
        ),
        ("a tab before the colon", "content-length\t: 5\r\n"),
        ("a folded line", "x: y\r\n z\r\ncontent-length: 0\r\n"),
        ("a folded length", "content-length:\r\n 5\r\n"),
        ("a bare CR", "x: y\rcontent-length: 5\r\n"),
        ("a NUL", "x: y\0z\r\ncontent-length: 0\r\n"),
        ("a name with a space", "content length: 5\r\n"),
        ("a line without a colon", "nonsense\r\n"),
        ("two hosts", "host: other\r\ncontent-length: 0\r\n"),
        ("a vertical tab", "transfer-encoding: \x0bchunked\r\n"),
    ] {
        let mut stream = open(&gateway);
        let text = format!("POST /health/liveliness HTTP/1.1\r\nhost: g\r\n{head}\r\n{hidden}");
        stream.write_all(text.as_bytes()).unwrap();
        let said = to_the_end(&mut stream);
        assert!(said.starts_with("HTTP/1.1 400"), "{name}: {said}");
        assert_eq!(said.matches("HTTP/1.1").count(), 1, "{name}: {said}");
    }
    for (name, line) in [
        ("no version", "GET /health/liveliness"),
        ("HTTP/0.9 in words", "GET /health/liveliness HTTP/0.9"),
        ("HTTP/2 in words", "GET /health/liveliness HTTP/2.0"),
        ("a preface of HTTP/2", "PRI * HTTP/2.0"),
        ("TLS", "\x16\x03\x01\x02\0\x01\0"),
        ("a space in the path", "GET /health/live liness HTTP/1.1"),
        ("a NUL in the path", "GET /health\0 HTTP/1.1"),
        ("a method of nothing", " /health/liveliness HTTP/1.1"),
    ] {
        let mut stream = open(&gateway);
        stream
            .write_all(format!("{line}\r\nhost: g\r\n\r\n{hidden}").as_bytes())
            .unwrap();
        let said = to_the_end(&mut stream);
        assert!(said.starts_with("HTTP/1.1 400"), "{name}: {said}");
        assert_eq!(said.matches("HTTP/1.1").count(), 1, "{name}: {said}");
    }
    // No host, and an old version with chunks.
    for text in [
        "GET /health/liveliness HTTP/1.1\r\n\r\n",
        "POST /health/liveliness HTTP/1.0\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let mut stream = open(&gateway);
        stream.write_all(text.as_bytes()).unwrap();
        assert!(
            to_the_end(&mut stream).starts_with("HTTP/1.1 400"),
            "{text}"
        );
    }
}

/// Chunks that cannot be read end the connection; what follows is no request.
#[test]
fn broken_chunks() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {MASTER_KEY}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    for chunks in [
        "-1\r\n",
        "g\r\n",
        "ffffffffffffffffff\r\n",
        "5\r\nabcdefgh\r\n0\r\n\r\n",
        "0x5\r\nabcde\r\n0\r\n\r\n",
        "5\nabcde\r\n0\r\n\r\n",
        "\r\n\r\n",
    ] {
        let mut stream = open(&gateway);
        let hidden = "GET /health/liveliness HTTP/1.1\r\nhost: g\r\n\r\n";
        stream
            .write_all(format!("{head}{chunks}{hidden}").as_bytes())
            .unwrap();
        let said = to_the_end(&mut stream);
        assert!(said.starts_with("HTTP/1.1 400"), "{chunks:?}: {said}");
        assert!(!said.contains("200 OK"), "{chunks:?}: {said}");
    }
    assert!(simulator.take().is_empty());
}

// --- meanwhile ---

/// While all that goes on, others are served as if it did not.
#[test]
fn others_do_not_notice() {
    let simulator = Simulator::start();
    let gateway = impatient(&simulator);
    let stop = AtomicBool::new(false);
    let running = || !stop.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        let stopping = SetOnDrop(&stop);
        // Slow heads, many at a time.
        scope.spawn(|| {
            while running() {
                let slow: Vec<TcpStream> = (0..200).map(|_| open(&gateway)).collect();
                for mut stream in &slow {
                    let _ = stream.write_all(&GET[..10]);
                }
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        // Nonsense, floods of requests, bodies that are cut.
        for bytes in [
            b"\x16\x03nonsense\r\n\r\n".to_vec(),
            GET.repeat(50),
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: 9\r\n\r\n{".to_vec(),
        ] {
            let (gateway, running) = (&gateway, &running);
            scope.spawn(move || {
                while running() {
                    let _ = open(gateway).write_all(&bytes);
                    std::thread::sleep(Duration::from_millis(2));
                }
            });
        }
        let mut times: Vec<Duration> = (0..100)
            .map(|_| {
                let began = Instant::now();
                gateway.master().chat(&chat("m")).with_status(200);
                began.elapsed()
            })
            .collect();
        drop(stopping);
        times.sort();
        assert!(times[98] < Duration::from_secs(1), "{:?}", &times[90..]);
    });
}
