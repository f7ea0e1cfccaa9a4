//! G5 in bulk: thousands of real requests with something wrong in them. Each is answered, below 500, soon, and on a connection
//! that goes on living.
//!
//! `corpus` has the requests, all of them good; `mutate` spoils one. The same seed spoils alike; `POINTSMAN_SEED` sets another.

mod corpus;
mod mutate;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::harness::{
    Client, Config, Connection, Ended, Gateway, MASTER_KEY, Request, at_once, chat, json,
};
use crate::simulator::Simulator;

const MUTATIONS: usize = 10_000;
const THREADS: usize = 4;
/// Far more than any of them takes; a gateway that goes quiet takes forever.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn ten_thousand_spoilt_requests() {
    let seed = std::env::var("POINTSMAN_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let caller = gateway.caller(json!({"models": ["m"]}));
    let [key, other] = [(); 2].map(|()| gateway.key(json!({"models": ["m"]})).hash);
    let good = corpus::requests(&key, &other);
    for request in &good {
        let who = if is_inference(request) {
            caller.clone()
        } else {
            gateway.master()
        };
        who.ask(request.clone()).with_status(200);
    }

    let (refused, answered) = (AtomicUsize::new(0), AtomicUsize::new(0));
    at_once(THREADS, |thread| {
        let mut random = fastrand::Rng::with_seed(seed * THREADS as u64 + thread as u64);
        let (caller, master) = (Line::of(&caller), Line::of(&gateway.master()));
        let mut lines = [caller, master];
        for _ in 0..MUTATIONS / THREADS {
            let request = mutate::spoil(random.choice(&good).expect("a corpus"), &mut random);
            let line = usize::from(!is_inference(&request));
            let counter = if lines[line].ask(&request) < 400 {
                &answered
            } else {
                &refused
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    let (refused, answered) = (refused.into_inner(), answered.into_inner());
    assert!(
        refused > MUTATIONS / 10,
        "only {refused} were refused: they are not spoilt enough"
    );
    assert!(
        answered > MUTATIONS / 10,
        "only {answered} were answered: they do not get past the door"
    );

    gateway.master().chat(&chat("m")).with_status(200);
    // A text that looks like a reference to a secret is a text.
    for request in simulator.requests() {
        let headers = format!("{:?}", request.headers);
        let body = String::from_utf8_lossy(&request.body);
        assert!(
            !headers.contains(MASTER_KEY) && !body.contains(MASTER_KEY),
            "{headers} {body}"
        );
    }
}

/// Calls models, which any key may; the rest is asked as the administrator, or all of it would end at the door.
fn is_inference(request: &Request) -> bool {
    ["/v1", "/openai", "/engines"]
        .iter()
        .any(|start| request.path.starts_with(start))
}

/// A caller's connection, used until the gateway says that it closes it.
struct Line {
    client: Client,
    open: Option<Connection>,
}

impl Line {
    fn of(client: &Client) -> Self {
        Self {
            client: client.clone(),
            open: None,
        }
    }

    /// The status of the answer.
    fn ask(&mut self, request: &Request) -> u16 {
        let request = self.client.signed(request.clone());
        let shown = || {
            String::from_utf8_lossy(&request.bytes())
                .chars()
                .take(3000)
                .collect::<String>()
        };
        let mut connection = self.open.take().unwrap_or_else(|| self.client.connect());
        let since = Instant::now();
        let reply = connection
            .ask(&request)
            .unwrap_or_else(|error| panic!("{error} instead of an answer to {}", shown()));
        assert!(
            since.elapsed() < SOON,
            "{:?} for {}",
            since.elapsed(),
            shown()
        );
        assert!(
            (200..500).contains(&reply.status) && reply.ended == Ended::Whole,
            "{} {:?} {} to {}",
            reply.status,
            reply.ended,
            String::from_utf8_lossy(&reply.body),
            shown()
        );
        if reply.status >= 400 {
            assert!(
                !reply.body.is_empty(),
                "{} without a word to {}",
                reply.status,
                shown()
            );
        }
        let closes = reply
            .header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        self.open = (!closes).then_some(connection);
        reply.status
    }
}
