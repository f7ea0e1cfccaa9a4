//! Every protocol that clients speak over every kind of upstream: what the client gets is what the upstream sent.
//!
//! A cell is one client protocol over one upstream, streamed or not. Each test runs one kind of conversation through all of
//! them: the simulator sends the same words in each upstream's own form and is strict about what it is sent; what the client
//! reads is put together as its SDK would. The README's table is made from what was seen here.

mod asks;
mod bad_input;
mod failover;
mod failures;
mod resume;
mod sessions;
mod streams;
mod table;
mod told;

use std::panic::{AssertUnwindSafe, catch_unwind};

use asks::Asked;
use told::Told;

use crate::harness::{Config, Deployment, Gateway, MASTER_KEY, Reply, Request, Value, json};
use crate::simulator::{Behaviour, Recorded, Simulator};

/// What a client or an upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Chat,
    Messages,
    Responses,
}

impl Protocol {
    const ALL: [Self; 3] = [Self::Chat, Self::Messages, Self::Responses];

    fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Messages => "/v1/messages",
            Self::Responses => "/v1/responses",
        }
    }

    /// By the path that an upstream was called at.
    fn of(path: &str) -> Self {
        let path = path.split('?').next().unwrap_or_default();
        let ends = |protocol: &&Self| path.ends_with(protocol.path().trim_start_matches("/v1"));
        *Self::ALL
            .iter()
            .find(ends)
            .unwrap_or_else(|| panic!("nobody's path: {path}"))
    }
}

/// Kinds of upstreams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Speaks OpenAI's chats and nothing else.
    Compatible,
    OpenAi,
    Azure,
    Anthropic,
}

impl Family {
    const ALL: [Self; 4] = [Self::Compatible, Self::OpenAi, Self::Azure, Self::Anthropic];

    /// The group that it serves.
    fn group(self) -> &'static str {
        match self {
            Self::Compatible => "compatible-group",
            Self::OpenAi => "openai-group",
            Self::Azure => "azure-group",
            Self::Anthropic => "anthropic-group",
        }
    }

    /// Its model, as the simulator knows it.
    fn model(self) -> &'static str {
        match self {
            Self::Compatible => "qwen3-32b",
            Self::OpenAi | Self::Azure => "gpt-5.1",
            Self::Anthropic => "claude-sonnet-4-5",
        }
    }

    fn deployment(self, simulator: &Simulator) -> Deployment {
        let base = simulator.base_url();
        let origin = base.trim_end_matches("/v1");
        let (provider, base) = match self {
            Self::Compatible => ("custom_openai", base.as_str()),
            Self::OpenAi => ("openai", base.as_str()),
            Self::Azure => ("azure", origin),
            Self::Anthropic => ("anthropic", origin),
        };
        Deployment::at(base, self.group()).param("model", format!("{provider}/{}", self.model()))
    }
}

/// A gateway over all kinds of upstreams.
pub struct Field {
    gateway: Gateway,
    upstreams: Vec<(Family, Simulator)>,
}

/// One client protocol over one upstream.
pub struct Cell<'a> {
    field: &'a Field,
    client: Protocol,
    family: Family,
    simulator: &'a Simulator,
    stream: bool,
}

// === impl Field ===

impl Field {
    pub fn new() -> Self {
        let upstreams: Vec<(Family, Simulator)> = Family::ALL
            .into_iter()
            .map(|family| {
                let simulator = Simulator::start();
                // Where thoughts are told they may come back.
                simulator.be_strict(match family {
                    Family::Compatible => &["reasoning_content"],
                    _ => &[],
                });
                (family, simulator)
            })
            .collect();
        let deployments = upstreams
            .iter()
            .map(|(family, simulator)| family.deployment(simulator));
        let config = Config::of(deployments)
            .router("num_retries", 0)
            .never_cooling();
        Self {
            gateway: Gateway::of(&config),
            upstreams,
        }
    }

    /// Runs a test in every cell, and fails with a line for each in which it failed.
    #[track_caller]
    pub fn each(&self, test: impl Fn(&Cell<'_>)) {
        let mut failed = Vec::new();
        let mut count = 0;
        for client in Protocol::ALL {
            for (family, simulator) in &self.upstreams {
                for stream in [false, true] {
                    let cell = Cell {
                        field: self,
                        client,
                        family: *family,
                        simulator,
                        stream,
                    };
                    count += 1;
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(&cell))) {
                        let text = panic.downcast_ref::<String>().cloned();
                        let text =
                            text.or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                        let how = if stream { "streamed" } else { "whole" };
                        let text = text.unwrap_or_default();
                        failed.push(format!("{client:?} over {family:?}, {how}: {text}"));
                    }
                }
            }
        }
        assert!(
            failed.is_empty(),
            "{} of {count} cells failed:\n{}",
            failed.len(),
            failed.join("\n\n")
        );
    }
}

// === impl Cell ===

impl Cell<'_> {
    /// Has the upstream answer like this from now on.
    fn behave(&self, behaviour: &Value) {
        let mut behaviour = behaviour.clone();
        let hide = |behaviour: &mut Value| behaviour["hides_thinking"] = json!(true);
        if [Family::OpenAi, Family::Azure].contains(&self.family) {
            hide(&mut behaviour);
            behaviour["turns"]
                .as_array_mut()
                .into_iter()
                .flatten()
                .for_each(hide);
        }
        if behaviour["turns"].is_null() {
            behaviour
                .as_object_mut()
                .expect("a behaviour")
                .remove("turns");
        }
        self.simulator
            .behave(self.family.model(), Behaviour::of(behaviour));
        self.simulator.take();
    }

    fn first(&self, tools: bool, thinking: bool) -> Value {
        let asked = Asked {
            stream: self.stream,
            tools,
            thinking,
        };
        asks::first(self.client, self.family.group(), asked)
    }

    fn reply(&self, body: &Value) -> Reply {
        self.post(body.to_string())
    }

    fn post(&self, body: impl Into<Vec<u8>>) -> Reply {
        let request = Request::post(self.client.path(), body);
        let request = match self.client {
            Protocol::Messages => request
                .header("x-api-key", MASTER_KEY)
                .header("anthropic-version", "2023-06-01"),
            _ => request.key(MASTER_KEY),
        };
        self.field.gateway.anonymous().ask(request)
    }

    /// A call that must succeed: what the client was told, and the whole answer it is read from.
    fn ask(&self, body: &Value) -> (Told, Value) {
        let reply = self.reply(body);
        if reply.status != 200 {
            let sent = self.simulator.take().pop();
            let sent = sent.map(|request| String::from_utf8_lossy(&request.body).into_owned());
            panic!(
                "{} {}\nasked {body}\nsent {}",
                reply.status,
                reply.text(),
                sent.unwrap_or_default()
            );
        }
        let answer = if self.stream {
            streams::assembled(self.client, &reply)
        } else {
            reply.json()
        };
        let told = Told::of(self.client, &answer);
        assert_eq!(
            told.model,
            self.family.group(),
            "the client's name of the model: {answer}"
        );
        (told, answer)
    }

    /// The call that came upstream since the last look.
    fn sent(&self) -> Recorded {
        let mut requests = self.simulator.take();
        assert_eq!(requests.len(), 1, "one call upstream");
        requests.remove(0)
    }

    /// Whether the upstream tells thoughts in this protocol.
    fn tells_thoughts(&self, wire: Protocol) -> bool {
        wire != Protocol::Chat || self.family == Family::Compatible
    }
}
