//! How a group chooses among its members: its strategy, which limits it keeps, and what strategies compare.

use std::collections::HashMap;
use std::sync::Arc;

use super::groups::Lists;
use super::{Deployment, Group, Kept};
use crate::config::{Affinity, Config, RouterSettings, RoutingGroup};
use crate::policy::cost::{Expected, Tariff};
use crate::policy::selection::RateLimits;
use crate::policy::strategies::{Member, StrategyName, UNKNOWN_COST};
use crate::protocol::kinship;
use crate::types::DeploymentId;

/// What tells a deployment from others, in every process alike.
pub fn name(id: &DeploymentId) -> u64 {
    kinship::of(id.as_bytes())
}

/// Entries that say the same share an id: their names differ by how many have it before them.
pub fn tell_twins_apart(members: &mut [Member]) {
    let mut seen: HashMap<u64, u64> = HashMap::with_capacity(members.len());
    for member in members {
        let earlier = seen.entry(member.name).or_default();
        member.name = member.name.wrapping_add(*earlier);
        *earlier += 1;
    }
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

/// How long calls stay where those went that they share something with, in milliseconds.
pub fn affinity_ttl(config: &Config) -> u64 {
    const HOUR: u64 = 3_600_000;
    let ttl = config.router_settings.affinity_ttl;
    ttl.map_or(HOUR, |ttl| ttl.as_millis() as u64)
}

/// Makes a group of all models of each routing group, under its name, unless a model has that name.
pub fn derive_routing_groups(config: &Config, named: &mut Lists) {
    for routing in &config.router_settings.routing_groups {
        let name: Arc<str> = routing.name.as_str().into();
        if !named.of(&name).is_empty() {
            continue;
        }
        let members = routing.models.iter().map(|model| named.of(model).to_vec());
        for number in members.collect::<Vec<_>>().concat() {
            named.add(&name, number);
        }
    }
}

/// The routing group whose strategy a group has: the one of its name, or the one that its name is listed in.
fn routing_group<'a>(router: &'a RouterSettings, name: &str) -> Option<&'a RoutingGroup> {
    let groups = || router.routing_groups.iter();
    let listed = |group: &&RoutingGroup| {
        group.priorities.is_empty() && group.models.iter().any(|model| model == name)
    };
    let own = groups().find(|group| group.name == name);
    own.or_else(|| groups().find(listed))
}

/// The strategy of a group and what it needs, once all its members are there.
pub fn complete(config: &Config, group: &mut Group, deployments: &[Option<Arc<Deployment>>]) {
    let router = &config.router_settings;
    let own = routing_group(router, &group.name);
    group.strategy = own
        .and_then(|own| own.strategy)
        .unwrap_or(router.routing_strategy);
    group.strategy_args = own.map_or(router.routing_strategy_args, |own| own.args);
    for member in &mut group.members {
        let deployment = deployments.get(member.deployment as usize);
        let deployment = deployment.and_then(Option::as_ref);
        let priorities = own.map_or(&[][..], |own| &own.priorities);
        let mut priorities = priorities.iter();
        let priority = priorities
            .find(|(model, _)| deployment.is_some_and(|deployment| *deployment.group == **model));
        if let Some((_, priority)) = priority {
            member.order = Some(*priority);
        }
    }
    let mut affinities = router.model_group_affinity.iter();
    let affinity = affinities.find(|(name, _)| **name == *group.name);
    let affinity = affinity.map_or(router.affinity, |(_, own)| *own);
    // What goes by priority does not stay where it went.
    group.goes_by_priority = own.is_some_and(|own| !own.priorities.is_empty());
    group.affinity = if group.goes_by_priority {
        Affinity::default()
    } else {
        affinity
    };
    group.keeps_kin_together =
        group.affinity != Affinity::default() || group.strategy == StrategyName::CacheAffinity;
    group.is_ordered = group.members.iter().any(|member| member.order.is_some());
    group.limits = limits(group, deployments);
    group.kept = kept(router, group);
    let mut hedges = router.model_group_hedge.iter();
    let hedge = hedges.find(|(name, _)| **name == *group.name);
    let hedge = hedge.map_or(router.hedge, |(_, own)| *own);
    // A second call goes to another deployment.
    let takers = group.members.iter().filter(|member| !member.blocked);
    group.hedge = hedge.filter(|_| takers.count() > 1);
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
