//! What there is: groups, deployments with their moods, callers with their limits.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use fastrand::Rng;

use crate::config::Config;
use crate::limits::{EntityIx, Gatekeeper, ScopeKind};
use crate::policy::strategies::StrategyName;
use crate::policy::upstream_error::{Failure, Headers, Stage, Upstream, classify};
use crate::router::Earlier;
use crate::router::table::RoutingTable;
use crate::types::{Limits, NanoUsd, Scope};

/// Until then moods change, in milliseconds; later everybody is well.
pub const CALM: u64 = 90_000;

/// How a deployment answers for a while.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Well,
    /// It answers after the time limit of the calls.
    Slow,
    Failing(u16),
    /// It says when to come back, in seconds.
    Limiting(u8),
    Unreachable,
}

/// How one upstream call will end.
pub struct Ending {
    pub after: u64,
    /// `None`: with an answer.
    pub failure: Option<Failure>,
}

/// See the module.
pub struct World {
    pub table: Arc<RoutingTable>,
    pub keeper: Rc<RefCell<Gatekeeper>>,
    pub entities: Vec<EntityIx>,
    pub is_strict: bool,
    pub global_parallel: Option<u64>,
    pub disables_cooldowns: bool,
    pub num_retries: u32,
    /// By deployment: the moods and from when each holds, ascending.
    moods: Vec<Vec<(u64, Mood)>>,
    text: Text,
    /// The entry that the configuration does not have for now.
    gone: Option<usize>,
}

/// The configuration: its entries, each with its group, and the rest.
struct Text {
    entries: Vec<(u8, String)>,
    settings: String,
}

impl Text {
    fn without(&self, gone: Option<usize>) -> String {
        let entries = self.entries.iter().enumerate();
        let entries = entries.filter(|(place, _)| Some(*place) != gone);
        let entries: String = entries.map(|(_, (_, entry))| entry.as_str()).collect();
        format!("model_list:\n{entries}{}", self.settings)
    }
}

impl World {
    pub fn new(rng: &mut Rng, strategy: StrategyName) -> Self {
        let disables_cooldowns = rng.u8(..10) == 0;
        let global_parallel = (rng.u8(..4) == 0).then(|| rng.u64(1..12));
        let text = text(rng, strategy, disables_cooldowns, global_parallel);
        let table = Arc::new(RoutingTable::compile(&config(&text.without(None))));
        let is_strict = rng.bool();
        let mut keeper = Gatekeeper::new(60_000, is_strict);
        let entities = (0..5).map(|n| {
            let kind = [
                ScopeKind::Key,
                ScopeKind::Key,
                ScopeKind::Key,
                ScopeKind::User,
                ScopeKind::Team,
            ][n];
            let scope = Scope {
                limits: limits(rng),
                ..Scope::unlimited(format!("e{n}"))
            };
            keeper.enroll(kind, &scope)
        });
        let entities = entities.collect();
        let moods = (0..table.deployment_places()).map(|_| moods(rng)).collect();
        Self {
            table,
            keeper: Rc::new(RefCell::new(keeper)),
            entities,
            is_strict,
            global_parallel,
            disables_cooldowns,
            num_retries: rng.u32(..4),
            moods,
            text,
            gone: None,
        }
    }

    /// A deployment goes, or the one that has gone comes back; `None`: no group has one to spare.
    pub fn change(&mut self, rng: &mut Rng) -> Option<Arc<RoutingTable>> {
        self.gone = match self.gone {
            Some(_) => None,
            None => {
                let entries = &self.text.entries;
                let of = |group: u8| entries.iter().filter(|(own, _)| *own == group).count();
                let spare = (0..entries.len()).filter(|place| of(entries[*place].0) > 1);
                Some(*rng.choice(&spare.collect::<Vec<usize>>())?)
            }
        };
        let earlier = Earlier {
            tables: vec![self.table.clone()],
            settings_are_kept: true,
        };
        let config = config(&self.text.without(self.gone));
        self.table = Arc::new(RoutingTable::compile_after(&config, &earlier));
        Some(self.table.clone())
    }

    /// How a call of this deployment that begins now will end, if it may take `limit` milliseconds.
    pub fn ending(&self, deployment: u32, now: u64, limit: u64, rng: &mut Rng) -> Ending {
        let moods = &self.moods[deployment as usize];
        let of = moods.iter().rev().find(|(from, _)| *from <= now);
        let timeout = Upstream::Timeout {
            after: std::time::Duration::from_millis(limit),
            stage: Stage::Head,
        };
        let (after, upstream) = match of.map_or(Mood::Well, |(_, mood)| *mood) {
            Mood::Well => (rng.u64(10..3_000), None),
            Mood::Slow => (limit, Some(timeout)),
            Mood::Failing(status) => (rng.u64(1..500), Some(told(status, None))),
            Mood::Limiting(seconds) => {
                let seconds = ["0", "1", "7", "20"][usize::from(seconds % 4)];
                (rng.u64(1..50), Some(told(429, Some(seconds))))
            }
            Mood::Unreachable => {
                use crate::policy::upstream_error::ConnectProblem::Refused;
                (1, Some(Upstream::ConnectFailed(Refused)))
            }
        };
        if upstream.is_none() && after > limit {
            return Ending {
                after: limit,
                failure: Some(classify("openai", &timeout, 0)),
            };
        }
        Ending {
            after,
            failure: upstream.map(|upstream| classify("openai", &upstream, 0)),
        }
    }
}

fn told(status: u16, retry_after: Option<&'static str>) -> Upstream<'static> {
    let headers = Headers {
        retry_after,
        ..Headers::default()
    };
    Upstream::Status {
        status,
        headers,
        body: b"{}",
    }
}

fn moods(rng: &mut Rng) -> Vec<(u64, Mood)> {
    let mut moods = vec![(0, Mood::Well)];
    let mut at = 0;
    loop {
        at += rng.u64(1_000..40_000);
        if at >= CALM {
            moods.push((CALM, Mood::Well));
            return moods;
        }
        let mood = match rng.u8(..6) {
            0 => Mood::Slow,
            1 => Mood::Failing(*rng.choice(&[400, 401, 402, 403, 404, 408]).unwrap_or(&400)),
            2 => Mood::Failing(*rng.choice(&[500, 502, 503, 504, 529]).unwrap_or(&500)),
            3 => Mood::Limiting(rng.u8(..)),
            4 => Mood::Unreachable,
            _ => Mood::Well,
        };
        moods.push((at, mood));
    }
}

fn limits(rng: &mut Rng) -> Limits {
    let mut some = |most: u64| (rng.u8(..3) == 0).then(|| rng.u64(1..most));
    Limits {
        rpm: some(30),
        tpm: some(20_000),
        max_parallel_requests: some(6),
        max_budget: some(2_000_000_000).map(|budget| NanoUsd(budget as i64)),
        soft_budget: None,
    }
}

fn config(text: &str) -> Config {
    let loaded = Config::from_text("world.yaml", text, &|_| None).unwrap();
    assert!(!loaded.has_errors(), "{:?}\n{text}", loaded.diagnostics);
    loaded.config
}

/// One to three groups of one to four deployments each.
fn text(
    rng: &mut Rng,
    strategy: StrategyName,
    disables_cooldowns: bool,
    global_parallel: Option<u64>,
) -> Text {
    let mut entries = Vec::new();
    for group in 0..rng.u8(1..=3) {
        for n in 0..rng.u8(1..=4) {
            let mut params = format!(
                "model: openai/x, api_base: 'http://h{group}{n}/v1', api_key: k, input_cost_per_token: 0.00000{}, \
                 output_cost_per_token: 0.0000{}",
                rng.u8(1..9),
                rng.u8(1..9)
            );
            if rng.bool() {
                params += &format!(", max_parallel_requests: {}", rng.u8(1..4));
            }
            if rng.u8(..5) == 0 {
                params += &format!(", cooldown_time: {}", rng.u8(..9));
            }
            for (limit, most) in [
                ("rpm", 20),
                ("tpm", 9_000),
                ("itpm", 5_000),
                ("otpm", 5_000),
            ] {
                if rng.u8(..5) == 0 {
                    params += &format!(", {limit}: {}", rng.u64(1..most));
                }
            }
            if rng.u8(..4) == 0 {
                params += &format!(", order: {}", rng.u8(..3));
            }
            if rng.u8(..6) == 0 {
                let dollars = f64::from(rng.u8(1..20)) / 100.0;
                params += &format!(", max_budget: {dollars}, budget_duration: 20s");
            }
            let info = match rng.u8(..9) {
                8 => ", blocked: true".to_owned(),
                0 => format!(", allowed_fails: {}", rng.u8(..3)),
                1 => format!(
                    ", allowed_fails_policy: {{BadRequestErrorAllowedFails: {}}}",
                    rng.u8(..3)
                ),
                _ => String::new(),
            };
            entries.push((group, format!(
                "  - {{model_name: g{group}, litellm_params: {{{params}}}, model_info: {{id: d{group}{n}{info}}}}}\n"
            )));
        }
    }
    let mut text = format!(
        "router_settings:\n  routing_strategy: {strategy}\n  disable_cooldowns: {disables_cooldowns}\n"
    );
    if rng.bool() {
        text += "  optional_pre_call_checks: [enforce_model_rate_limits]\n";
    } else if rng.bool() {
        text += "  enable_pre_call_checks: true\n";
    }
    if rng.bool() {
        text += &format!("  cooldown_time: {}\n", rng.u8(1..30));
    }
    if rng.bool() {
        text += &format!("  allowed_fails: {}\n", rng.u8(..5));
    }
    if rng.u8(..4) == 0 {
        let dollars = f64::from(rng.u8(1..40)) / 100.0;
        text += &format!(
            "  provider_budget_config: {{openai: {{budget_limit: {dollars}, time_period: 30s}}}}\n"
        );
    }
    if rng.bool() {
        let dollars = f64::from(rng.u8(1..20)) / 100.0;
        text += &format!(
            "litellm_settings:\n  tag_budget_config: {{t: {{max_budget: {dollars}, budget_duration: 15s}}}}\n"
        );
    }
    if let Some(limit) = global_parallel {
        text += &format!("general_settings:\n  global_max_parallel_requests: {limit}\n");
    }
    Text {
        entries,
        settings: text,
    }
}
