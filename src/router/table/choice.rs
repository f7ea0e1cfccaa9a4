//! How a group chooses among its members: its strategy, which limits it keeps, and what strategies compare.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::{Deployment, Group, Kept};
use crate::config::{Config, RouterSettings};
use crate::policy::cost::{Expected, Tariff};
use crate::policy::selection::RateLimits;
use crate::policy::strategies::UNKNOWN_COST;
use crate::types::DeploymentId;

/// What tells a deployment from others, in every process alike.
pub fn name(id: &DeploymentId) -> u64 {
    // Its keys are fixed, and no attacker gains by choosing ids.
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

/// Dollars for a million tokens of input and as many of output.
pub fn cost(tariff: &Tariff) -> f64 {
    if tariff.is_unpriced() {
        return UNKNOWN_COST;
    }
    let expected = Expected {
        tier: None,
        input_tokens: 1_000_000,
        output_tokens: 1_000_000,
    };
    tariff.hold(&expected, false).to_f64()
}

/// The strategy of a group and what it needs, once all its members are there.
pub fn complete(config: &Config, group: &mut Group, deployments: &[Option<Arc<Deployment>>]) {
    let router = &config.router_settings;
    let mut own = router.routing_groups.iter();
    let own = own.find(|own| {
        own.priorities.is_empty() && own.models.iter().any(|model| **model == *group.name)
    });
    group.strategy = own
        .and_then(|own| own.strategy)
        .unwrap_or(router.routing_strategy);
    group.strategy_args = own.map_or(router.routing_strategy_args, |own| own.args);
    group.is_ordered = group.members.iter().any(|member| member.order.is_some());
    group.limits = limits(group, deployments);
    group.kept = kept(router, group);
}

fn kept(router: &RouterSettings, group: &Group) -> Kept {
    if group.limits.is_empty() {
        Kept::None
    } else if group.strategy.keeps_limits() || router.enforce_model_rate_limits {
        Kept::All
    } else if router.enable_pre_call_checks {
        Kept::Requests
    } else {
        Kept::None
    }
}

fn limits(group: &Group, deployments: &[Option<Arc<Deployment>>]) -> Vec<RateLimits> {
    let of = |number: u32| {
        let deployment = deployments.get(number as usize)?.as_ref()?;
        let params = &deployment.entry.litellm_params;
        let limit = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
        Some(RateLimits {
            rpm: limit(params.rpm),
            tpm: limit(params.tpm),
            itpm: limit(params.itpm),
            otpm: limit(params.otpm),
        })
    };
    let members = group.members.iter();
    let limits: Vec<RateLimits> = members
        .map(|member| of(member.deployment).unwrap_or(RateLimits::NONE))
        .collect();
    if limits.iter().all(|limits| *limits == RateLimits::NONE) {
        return Vec::new();
    }
    limits
}
