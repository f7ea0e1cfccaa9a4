//! Failover before the first content: whatever goes wrong at one deployment, its twin answers, and the client sees nothing of it.

use std::net::TcpListener;

use serde_json::Value;

use super::told::Told;
use super::{Asked, Family, Protocol, asks, streams};
use crate::harness::{Config, Deployment, Gateway, MASTER_KEY, Reply, Request, json};
use crate::simulator::{Behaviour, Simulator};

const ANSWER: &str = "the twin answers";

/// Each family's group has a deployment that takes every first call, and a twin that takes the others.
pub struct Twins {
    pub gateway: Gateway,
    pub first: Simulator,
    pub second: Simulator,
}

impl Twins {
    fn new() -> Self {
        Self::with(|config| config)
    }

    pub fn with(more: impl FnOnce(Config) -> Config) -> Self {
        let (first, second) = (Simulator::start(), Simulator::start());
        let twins = |family: &Family| {
            let group = family.group();
            let of = |simulator: &Simulator, place: &str, weight: u32| {
                family
                    .deployment(simulator)
                    .id(&format!("{group}-{place}"))
                    .param("weight", weight)
            };
            [of(&first, "first", 1), of(&second, "second", 0)]
        };
        let deployments: Vec<Deployment> = Family::ALL.iter().flat_map(twins).collect();
        let config = Config::of(deployments)
            .router("num_retries", 1)
            .router("timeout", 0.5)
            .never_cooling();
        let gateway = Gateway::of(&more(config));
        for family in Family::ALL {
            second.behave(family.model(), Behaviour::saying(ANSWER));
        }
        Self {
            gateway,
            first,
            second,
        }
    }

    pub fn ask(&self, client: Protocol, family: Family) -> Reply {
        let asked = Asked {
            stream: true,
            ..Asked::default()
        };
        self.post(client, &asks::first(client, family.group(), asked))
    }

    pub fn post(&self, client: Protocol, body: &Value) -> Reply {
        let request = Request::post(client.path(), body.to_string());
        let request = match client {
            Protocol::Messages => request
                .header("x-api-key", MASTER_KEY)
                .header("anthropic-version", "2023-06-01"),
            _ => request.key(MASTER_KEY),
        };
        self.gateway.anonymous().ask(request)
    }

    /// The first deployment fails so; its twin must have answered.
    #[track_caller]
    fn survives(&self, client: Protocol, family: Family, fault: &Value) {
        self.first.behave(family.model(), Behaviour::of(fault));
        self.first.take();
        self.second.take();
        let reply = self.ask(client, family);
        let what = format!("{client:?} over {family:?}, {fault}");
        assert_eq!(reply.status, 200, "{what}: {}", reply.text());
        let told = Told::of(client, &streams::assembled(client, &reply));
        assert_eq!(told.text, ANSWER, "{what}: {}", reply.text());
        assert_eq!(
            reply.must("x-litellm-model-id"),
            format!("{}-second", family.group()),
            "{what}"
        );
        // A kept connection that dies before its answer is replaced silently, once.
        let calls = (self.first.take().len(), self.second.take().len());
        assert!([(1, 1), (2, 1)].contains(&calls), "{what}: {calls:?}");
    }
}

#[test]
fn every_fault_before_the_first_content() {
    let twins = Twins::new();
    for family in Family::ALL {
        for client in Protocol::ALL {
            for fault in [
                json!({"status": 500}),
                json!({"status": 503}),
                json!({"status": 429}),
                json!({"status": 401}),
                json!({"cut_after_bytes": 0, "cut_counts": "wire"}),
                json!({"cut_after_bytes": 0}),
                json!({"cut_after_bytes": 20}),
                json!({"cut_after_bytes": 20, "cut_with": "rst"}),
                json!({"hang": "before_head"}),
                json!({"hang": "after_head"}),
                json!({"silent_after_chunks": 0}),
                json!({"garbage": "not_http"}),
                json!({"garbage": "not_json"}),
                json!({"garbage": "html"}),
                json!({"body": ""}),
                json!({"body": "null"}),
                json!({"frames": [], "no_done": true}),
                json!({"frames": ["{}{"], "no_done": true}),
                json!({"error_mid_stream": {"after_chunks": 0}}),
                json!({"error_mid_stream": {"after_chunks": 0}, "pings": true}),
            ] {
                twins.survives(client, family, &fault);
            }
        }
    }
    twins.gateway.books_agree();
}

/// Wherever a stream is cut: before its first content the twin answers whole, after it the stream ends with an error. Nothing of
/// the one is ever mixed with the other.
#[test]
fn cut_at_every_place() {
    let twins = Twins::new();
    for family in Family::ALL {
        for client in Protocol::ALL {
            let mut answered = [0, 0];
            for bytes in (0..3_000).step_by(61) {
                let fault = json!({
                    "content": "one two three", "chunk_delay_ms": 2, "cut_after_bytes": bytes,
                });
                twins.first.behave(family.model(), Behaviour::of(fault));
                let reply = twins.ask(client, family);
                let what = format!("{client:?} over {family:?}, cut at {bytes}");
                assert_eq!(reply.status, 200, "{what}: {}", reply.text());
                let text = reply.text();
                if reply.must("x-litellm-model-id").ends_with("second") {
                    let told = Told::of(client, &streams::assembled(client, &reply));
                    assert_eq!(told.text, ANSWER, "{what}: {text}");
                    answered[1] += 1;
                } else {
                    assert!(text.contains("one"), "{what}: {text}");
                    assert!(!text.contains("twin"), "{what}: {text}");
                    answered[0] += 1;
                }
            }
            assert!(
                answered.iter().all(|count| *count > 1),
                "{client:?} over {family:?}: {answered:?}"
            );
        }
    }
    twins.gateway.books_agree();
}

#[test]
fn nobody_listens_at_the_first() {
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
    let base = format!("http://{}/v1", free.expect("a free port"));
    let second = Simulator::start();
    second.behave("m", Behaviour::saying(ANSWER));
    let first = Deployment::at(&base, "m").id("first").param("weight", 1);
    let second = Deployment::of(&second, "m").id("second").param("weight", 0);
    let gateway = Gateway::of(&Config::of([first, second]).router("num_retries", 1));
    for client in Protocol::ALL {
        let asked = Asked {
            stream: true,
            ..Asked::default()
        };
        let body = asks::first(client, "m", asked).to_string();
        let request = Request::post(client.path(), body).key(MASTER_KEY);
        let reply = gateway.anonymous().ask(request).with_status(200);
        let told = Told::of(client, &streams::assembled(client, &reply));
        assert_eq!(told.text, ANSWER, "{client:?}");
    }
}
