//! What deployments a gateway has: its `model_list` and `router_settings`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

use crate::models::{self, Speaks};

/// Deployments of the model that throughput is measured with; there is one of each other model, the rest are never asked.
const SMALL_DEPLOYMENTS: usize = 10;

/// A weight beside one of 1.
const AS_GOOD_AS_ALWAYS: u32 = 1_000_000_000;

/// Dollars a token.
pub const INPUT_PRICE: f64 = 0.000_001;
pub const OUTPUT_PRICE: f64 = 0.000_002;

/// See the module.
#[derive(Clone, Copy)]
pub enum Layout {
    /// A group for each kind of load, filled up to so many deployments.
    Loads { deployments: usize },
    /// So many groups, each of so many deployments that answer as [`models::SMALL`].
    Fleet { groups: usize, each: usize },
}

/// Where calls go.
pub struct Upstreams {
    pub simulator: SocketAddr,
    /// Where nothing listens.
    nowhere: SocketAddr,
    /// Keeps that port from others.
    _reserved: Socket,
}

/// A deployment of `group` that asks for `model`.
struct Entry<'a> {
    group: &'a str,
    model: &'a str,
    at: SocketAddr,
    weight: u32,
    /// Of the account that it is called with.
    account: usize,
}

// === impl Layout ===

impl Layout {
    /// The deployments, and how failures are met.
    pub fn text(self, upstreams: &Upstreams) -> String {
        match self {
            Self::Loads { deployments } => loads(deployments, upstreams),
            Self::Fleet { groups, each } => fleet(groups, each, upstreams.simulator),
        }
    }

    /// A group of a fleet; the first has the model's own name.
    pub fn group(number: usize) -> String {
        match number {
            0 => models::SMALL.to_owned(),
            _ => format!("{}-{number}", models::SMALL),
        }
    }
}

fn fleet(groups: usize, each: usize, at: SocketAddr) -> String {
    let entry = |account: usize| {
        let entry = Entry {
            group: &Layout::group(account / each),
            model: models::SMALL,
            at,
            weight: 1,
            account,
        };
        entry.text()
    };
    let entries: String = (0..groups * each).map(entry).collect();
    format!("model_list:\n{entries}")
}

fn loads(deployments: usize, upstreams: &Upstreams) -> String {
    let at = upstreams.simulator;
    let entry = |group: &str, model: &str, weight: u32| {
        let entry = Entry {
            group,
            model,
            at,
            weight,
            account: 0,
        };
        entry.text()
    };
    let small = std::iter::repeat_n(models::SMALL.to_owned(), SMALL_DEPLOYMENTS - 1);
    let named = models::ALL.map(str::to_owned).into_iter().chain(small);
    let others = (0..).map(|number| format!("other-{number}"));
    let flaky = (0..models::FLAKY_DEPLOYMENTS).map(|number| {
        let fails = number < models::FLAKY_FAILING;
        let model = if fails {
            models::FAILING
        } else {
            models::SMALL
        };
        entry(models::FLAKY, model, 1)
    });
    let refusing = Entry {
        group: models::REFUSED,
        model: models::SMALL,
        at: upstreams.nowhere,
        weight: AS_GOOD_AS_ALWAYS,
        account: 0,
    };
    let failing = [
        entry(models::MOVED, models::FAILING, AS_GOOD_AS_ALWAYS),
        entry(models::MOVED, models::SMALL, 1),
        refusing.text(),
        entry(models::REFUSED, models::SMALL, 1),
        entry(models::FALLEN, models::FAILING, 1),
    ];
    let others_speak = Speaks::BESIDE_OPENAI.into_iter().flat_map(|speaks| {
        [models::FLAT, models::PACED, models::SMALL].map(|model| {
            let entry = entry(&speaks.group(model), model, 1);
            match speaks {
                Speaks::OpenAi => entry,
                Speaks::Anthropic => entry
                    .replace("openai/", "anthropic/")
                    .replace(&format!("{at}/v1"), &at.to_string()),
                Speaks::Chats => entry.replace("openai/", "custom_openai/"),
            }
        })
    });
    let entries: String = named
        .chain(others)
        .take(deployments)
        .map(|name| entry(&name, &name, 1))
        .chain(failing)
        .chain(flaky)
        .chain(others_speak)
        .collect();
    let (fallen, small) = (models::FALLEN, models::SMALL);
    format!(
        "model_list:\n{entries}router_settings:\n  num_retries: {}\n  disable_cooldowns: true\n  model_group_retry_policy: {{{fallen}: \
         {{InternalServerErrorRetries: 0}}}}\n  fallbacks: [{{{fallen}: [{small}]}}]\n",
        models::FLAKY_FAILING
    )
}

// === impl Upstreams ===

impl Upstreams {
    pub fn new(simulator: SocketAddr) -> io::Result<Self> {
        // A socket that is bound and does not listen.
        let reserved = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        reserved.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let nowhere = reserved.local_addr()?.as_socket();
        Ok(Self {
            simulator,
            nowhere: nowhere.ok_or(io::ErrorKind::AddrNotAvailable)?,
            _reserved: reserved,
        })
    }
}

// === impl Entry ===

impl Entry<'_> {
    fn text(&self) -> String {
        let Self {
            group,
            model,
            at,
            weight,
            account,
        } = self;
        format!(
            "  - model_name: {group}\n    litellm_params:\n      model: openai/{model}\n      api_base: http://{at}/v1\n      \
             api_key: sk-upstream-{account}\n      weight: {weight}\n      input_cost_per_token: {INPUT_PRICE:.6}\n      \
             output_cost_per_token: {OUTPUT_PRICE:.6}\n"
        )
    }
}
