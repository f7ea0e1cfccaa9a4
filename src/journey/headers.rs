//! Response headers: what the gateway tells of a call, and what the upstream told.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::{self, Display, Write};
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use bytes::BytesMut;

use super::charge::{Bill, Charge};
use super::cost_headers;
use super::explain;
use super::reply::Incoming;
use crate::limits::Standing;
use crate::router::Deployment;
use crate::types::NanoUsd;

/// Upstream headers that speak of its connection, its cookies or its browser policy: never copied.
const NOT_COPIED: &[&str] = &[
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "alt-svc",
    "connection",
    "content-encoding",
    "content-length",
    "content-security-policy",
    "keep-alive",
    "proxy-authenticate",
    "set-cookie",
    "strict-transport-security",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-content-type-options",
    "x-frame-options",
];

/// Upstream headers that keep their own name as well.
fn keeps_its_name(name: &str) -> bool {
    name.starts_with("x-ratelimit-") || name == "x-request-id" || name == "request-id"
}

/// OpenAI's name of a rate limit that Anthropic tells, as LiteLLM 1.106.2 gives it.
fn of_anthropic(name: &str) -> Option<HeaderName> {
    Some(match name.strip_prefix("anthropic-ratelimit-")? {
        "requests-limit" => const { HeaderName::from_static("x-ratelimit-limit-requests") },
        "requests-remaining" => const { HeaderName::from_static("x-ratelimit-remaining-requests") },
        "tokens-limit" => const { HeaderName::from_static("x-ratelimit-limit-tokens") },
        "tokens-remaining" => const { HeaderName::from_static("x-ratelimit-remaining-tokens") },
        _ => return None,
    })
}

/// Prefixed names a thread remembers: building one anew for each header of each answer costs more than all the copying.
const MOST_NAMES: usize = 512;

/// `server` to `llm_provider-server`. Names come from configured upstreams and are bounded: no keyed hash is needed.
type Names = HashMap<awc::http::header::HeaderName, HeaderName, foldhash::fast::RandomState>;

thread_local! {
    static PREFIXED: RefCell<Names> = RefCell::default();
}

/// The headers of an upstream answer as ours: `llm_provider-<name>`, and rate limits and request ids under their own names.
pub fn to_server(upstream: &awc::http::header::HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(upstream.len() + 20);
    PREFIXED.with_borrow_mut(|names| {
        for (name, value) in upstream {
            let text = name.as_str();
            if NOT_COPIED.binary_search(&text).is_ok() {
                continue;
            }
            if keeps_its_name(text)
                && let Ok(own) = text.parse::<HeaderName>()
            {
                headers.append(own, value.clone());
            }
            if let Some(ours) = of_anthropic(text) {
                headers.append(ours, value.clone());
            }
            if let Some(prefixed) = prefixed(names, name) {
                headers.append(prefixed, value.clone());
            }
        }
    });
    headers
}

fn prefixed(names: &mut Names, name: &awc::http::header::HeaderName) -> Option<HeaderName> {
    if let Some(known) = names.get(name) {
        return Some(known.clone());
    }
    let prefixed: HeaderName = format!("llm_provider-{}", name.as_str()).parse().ok()?;
    if names.len() < MOST_NAMES {
        names.insert(name.clone(), prefixed.clone());
    }
    Some(prefixed)
}

/// Adds headers whose values are written one after another into one buffer: an allocation a value costs more than the
/// writing.
pub(super) struct Writer<'a> {
    headers: &'a mut HeaderMap,
    text: BytesMut,
}

impl<'a> Writer<'a> {
    pub(super) fn new(headers: &'a mut HeaderMap) -> Self {
        Self {
            headers,
            text: BytesMut::with_capacity(512),
        }
    }

    /// Sets `name`; a text that no header can hold, or an empty one, leaves it out.
    pub(super) fn set(&mut self, name: HeaderName, value: impl Display) {
        if let Some(value) = self.value(value) {
            self.put(name, value);
        }
    }

    /// A value that is written but not set yet, or `None`.
    pub(super) fn value(&mut self, value: impl Display) -> Option<HeaderValue> {
        if write!(self.text, "{value}").is_err() || self.text.is_empty() {
            return None;
        }
        HeaderValue::from_maybe_shared(self.text.split().freeze()).ok()
    }

    pub(super) fn put(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.insert(name, value);
    }
}

/// A time in milliseconds with three decimals.
pub(super) struct Millis(pub(super) Duration);

impl Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        write!(f, "{}.{:03}", micros / 1000, micros % 1000)
    }
}

/// The time limit that a call had.
pub const TIMEOUT: HeaderName = HeaderName::from_static("x-litellm-timeout");

/// Groups that were asked after the first.
const ATTEMPTED_FALLBACKS: HeaderName = HeaderName::from_static("x-litellm-attempted-fallbacks");

/// A time in seconds as Python writes a float: `600.0`, `0.25`.
pub struct Seconds(pub Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.as_secs_f64())
    }
}

/// What the gateway tells of every call of one deployment, made once.
pub fn prepared(deployment: &Deployment) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = HeaderMap::new();
    let mut tell = Writer::new(&mut headers);
    tell.set(
        const { HeaderName::from_static("x-litellm-model-id") },
        &deployment.id,
    );
    tell.set(
        const { HeaderName::from_static("x-litellm-model-group") },
        &deployment.group,
    );
    tell.set(
        const { HeaderName::from_static("x-litellm-model-name") },
        &deployment.litellm_model,
    );
    tell.set(
        const { HeaderName::from_static("x-litellm-model-api-base") },
        &deployment.shown_base,
    );
    tell.set(TIMEOUT, Seconds(deployment.timeout));
    tell.set(
        const { HeaderName::from_static("x-litellm-version") },
        env!("CARGO_PKG_VERSION"),
    );
    tell.set(ATTEMPTED_FALLBACKS, 0);
    headers.into_iter().collect()
}

/// Everything the gateway tells of a served call. `bill` is none for streams: their head leaves before the cost is known.
pub fn describe(headers: &mut HeaderMap, charge: &Charge, bill: Option<Bill>) {
    let stream = bill.is_none();
    for (name, value) in &charge.prepared().headers {
        headers.insert(name.clone(), value.clone());
    }
    if let Some(explained) = explain::header_of(charge) {
        headers.insert(explain::EXPLAIN, explained);
    }
    let mut tell = Writer::new(headers);
    tell.set(
        const { HeaderName::from_static("x-litellm-call-id") },
        &charge.call_id,
    );
    let table = charge.routes.table();
    if charge.asked.priority.or(table.default_priority).is_some() {
        tell.set(
            const { HeaderName::from_static("x-litellm-request-prioritization-used") },
            true,
        );
    }
    let group = charge.group_name();
    if group != charge.deployment().group {
        tell.set(
            const { HeaderName::from_static("x-litellm-model-group") },
            &group,
        );
    }
    if let Some(region) = &charge.asked.region {
        tell.set(
            const { HeaderName::from_static("x-litellm-model-region") },
            region,
        );
    }
    for (name, value) in charge.asked.led.iter().flat_map(|led| led.headers()) {
        tell.put(name.clone(), value.clone());
    }
    if charge.asked.access.is_some() {
        tell.set(
            const { HeaderName::from_static("x-litellm-model-api-base") },
            &charge.deployment().shown_base,
        );
    }
    let tariff = &charge.deployment().tariff;
    let cost = bill.and_then(|bill| bill.cost);
    match (&cost, bill) {
        (Some(cost), _) => cost_headers::tell(&mut tell, cost, tariff.adjustment()),
        (None, Some(_)) => cost_headers::unpriced(&mut tell),
        (None, None) if tariff.is_unpriced() => cost_headers::unpriced(&mut tell),
        (None, None) => {}
    }
    let cost = cost.map(|cost| cost.total);
    tell.set(
        const { HeaderName::from_static("x-litellm-attempted-retries") },
        charge.retries,
    );
    if charge.retries > 0 {
        tell.set(
            const { HeaderName::from_static("x-litellm-max-retries") },
            charge.max_retries,
        );
    }
    if charge.fallbacks > 0 {
        tell.set(ATTEMPTED_FALLBACKS, charge.fallbacks);
    }
    let limit = charge.asked.limit(charge.deployment(), stream);
    if limit != charge.deployment().timeout {
        tell.set(TIMEOUT, Seconds(limit));
    }
    let total = charge.arrived.elapsed();
    let overhead = total.saturating_sub(charge.upstream_time);
    tell.set(
        const { HeaderName::from_static("x-litellm-response-duration-ms") },
        Millis(total),
    );
    tell.set(
        const { HeaderName::from_static("x-litellm-overhead-duration-ms") },
        Millis(overhead),
    );
    if let Some(used) = charge.group_used {
        set_group(&mut tell, charge, used);
    }
    tell_standings(&mut tell, &charge.standings, cost.unwrap_or_default());
}

/// What is known of a call before anybody has answered it.
#[derive(Clone)]
pub struct Early {
    call_id: Arc<str>,
    standings: [Option<Standing>; 3],
}

impl Early {
    /// Of a request that several calls may answer.
    pub fn of(incoming: &Incoming<'_>) -> Self {
        Self {
            call_id: incoming.call_id.clone(),
            standings: [None; 3],
        }
    }
}

/// The headers for a stream whose head goes out before its content.
pub fn early(charge: &Charge) -> Early {
    Early {
        call_id: charge.call_id.clone(),
        standings: charge.standings,
    }
}

impl Early {
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut tell = Writer::new(&mut headers);
        tell.set(
            const { HeaderName::from_static("x-litellm-call-id") },
            &self.call_id,
        );
        tell.set(
            const { HeaderName::from_static("x-litellm-version") },
            env!("CARGO_PKG_VERSION"),
        );
        tell_standings(&mut tell, &self.standings, NanoUsd::ZERO);
        headers
    }
}

/// What key, user and team have spent and have left; `cost` is that of the call.
fn tell_standings(tell: &mut Writer<'_>, standings: &[Option<Standing>; 3], cost: NanoUsd) {
    let [key, user, team] = standings;
    if let Some(key) = key {
        let spent = NanoUsd(key.spent.0.saturating_add(cost.0));
        tell.set(
            const { HeaderName::from_static("x-litellm-key-spend") },
            spent,
        );
        if let Some(budget) = key.limits.max_budget {
            tell.set(
                const { HeaderName::from_static("x-litellm-key-max-budget") },
                budget,
            );
        }
        if let Some(tpm) = key.limits.tpm {
            tell.set(
                const { HeaderName::from_static("x-litellm-key-tpm-limit") },
                tpm,
            );
        }
        if let Some(rpm) = key.limits.rpm {
            tell.set(
                const { HeaderName::from_static("x-litellm-key-rpm-limit") },
                rpm,
            );
        }
    }
    for (standing, names) in [(key, &KEY), (user, &USER), (team, &TEAM)] {
        if let Some(standing) = standing {
            set_standing(tell, standing, names);
        }
    }
}

/// What is left of the group's own limits in this minute, unless the provider has told its own.
fn set_group(tell: &mut Writer<'_>, charge: &Charge, (requests, tokens): (u64, u64)) {
    let Some(group) = charge.routes.group(charge.group()) else {
        return;
    };
    let mut one = |limit: Option<u64>, used: u64, limit_name: HeaderName, left_name| {
        if let Some(limit) = limit
            && !tell.headers.contains_key(&limit_name)
        {
            tell.set(limit_name, limit);
            tell.set(left_name, limit.saturating_sub(used));
        }
    };
    one(
        group.rpm,
        requests,
        const { HeaderName::from_static("x-ratelimit-limit-requests") },
        const { HeaderName::from_static("x-ratelimit-remaining-requests") },
    );
    one(
        group.tpm,
        tokens,
        const { HeaderName::from_static("x-ratelimit-limit-tokens") },
        const { HeaderName::from_static("x-ratelimit-remaining-tokens") },
    );
}

/// Header names of one scope: limit and remaining of requests, tokens and parallel requests.
type LimitNames = [HeaderName; 6];

static KEY: LimitNames = [
    HeaderName::from_static("x-ratelimit-api_key-limit-requests"),
    HeaderName::from_static("x-ratelimit-api_key-remaining-requests"),
    HeaderName::from_static("x-ratelimit-api_key-limit-tokens"),
    HeaderName::from_static("x-ratelimit-api_key-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-api_key-limit-max_parallel_requests"),
    HeaderName::from_static("x-ratelimit-api_key-remaining-max_parallel_requests"),
];
static USER: LimitNames = [
    HeaderName::from_static("x-ratelimit-user-limit-requests"),
    HeaderName::from_static("x-ratelimit-user-remaining-requests"),
    HeaderName::from_static("x-ratelimit-user-limit-tokens"),
    HeaderName::from_static("x-ratelimit-user-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-user-limit-max_parallel_requests"),
    HeaderName::from_static("x-ratelimit-user-remaining-max_parallel_requests"),
];
static TEAM: LimitNames = [
    HeaderName::from_static("x-ratelimit-team-limit-requests"),
    HeaderName::from_static("x-ratelimit-team-remaining-requests"),
    HeaderName::from_static("x-ratelimit-team-limit-tokens"),
    HeaderName::from_static("x-ratelimit-team-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-team-limit-max_parallel_requests"),
    HeaderName::from_static("x-ratelimit-team-remaining-max_parallel_requests"),
];

/// Tells what is left of one scope's limits.
fn set_standing(tell: &mut Writer<'_>, standing: &Standing, names: &LimitNames) {
    let limits = &standing.limits;
    let pairs = [
        (limits.rpm, standing.requests_left()),
        (limits.tpm, standing.tokens_left()),
        (limits.max_parallel_requests, standing.parallel_left()),
    ];
    for ((limit, left), names) in pairs.into_iter().zip(names.chunks_exact(2)) {
        if let (Some(limit), Some(left), [limit_name, left_name]) = (limit, left, names) {
            tell.set(limit_name.clone(), limit);
            tell.set(left_name.clone(), left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstream_headers_are_prefixed_and_cleaned() {
        assert!(NOT_COPIED.is_sorted());
        let mut upstream = awc::http::header::HeaderMap::new();
        for (name, value) in [
            ("set-cookie", "a=b"),
            ("content-length", "3"),
            ("openai-processing-ms", "7"),
            ("x-ratelimit-limit-requests", "9"),
            ("anthropic-ratelimit-tokens-remaining", "8"),
            ("anthropic-ratelimit-tokens-reset", "2026-01-01T00:00:00Z"),
        ] {
            upstream.insert(
                name.parse().unwrap(),
                awc::http::header::HeaderValue::from_static(value),
            );
        }
        let ours = to_server(&upstream);
        let names: std::collections::BTreeSet<&str> =
            ours.keys().map(|name| name.as_str()).collect();
        assert_eq!(ours.get("x-ratelimit-remaining-tokens").unwrap(), "8");
        let expected = [
            "llm_provider-anthropic-ratelimit-tokens-remaining",
            "llm_provider-anthropic-ratelimit-tokens-reset",
            "llm_provider-openai-processing-ms",
            "llm_provider-x-ratelimit-limit-requests",
            "x-ratelimit-limit-requests",
            "x-ratelimit-remaining-tokens",
        ];
        assert_eq!(names, expected.into());
    }
}
