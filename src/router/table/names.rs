//! Where a requested name leads, by the order of LiteLLM 1.106.2: a deployment's id, an alias, a team's own name, a group, names
//! with stars, a deployment's own `litellm_params.model`.

mod patterns;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::{Costs, Deployment, GroupKey, RoutingTable};
use crate::policy::access::{self, DeniedBy};
use crate::policy::wildcard::{Wildcard, filled};
use crate::providers;
use crate::router::turn::Pin;
use crate::types::{Principal, Role};

use patterns::Patterns;

/// Aliases that stand for aliases: more of them are a circle.
const MOST_ALIASES: usize = 16;
/// Names that a star stands for come from outside and go into rows and bodies: bytes of one.
const LONGEST_CONCRETE: usize = 512;

/// Whose names they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asker<'a> {
    /// Teams have models of their own.
    pub team: Option<&'a str>,
    /// Without a team an administrator may call any team's models.
    pub is_admin: bool,
}

impl<'a> Asker<'a> {
    pub fn of(principal: &'a Principal) -> Self {
        Self {
            team: principal.team.as_ref().map(|team| &*team.id),
            is_admin: principal.is_master || principal.role == Role::ProxyAdmin,
        }
    }

    /// Whether a deployment of this team (of nobody's, if it has none) may be called.
    pub fn may_call(self, owner: Option<&str>) -> bool {
        owner.is_none() || owner == self.team || (self.team.is_none() && self.is_admin)
    }
}

/// Where a name leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    /// The group's number.
    pub group: u32,
    /// The member that the name means alone: no strategy chooses.
    pub only: Option<u32>,
    /// The name that the group's stars stand for.
    pub concrete: Option<Arc<str>>,
}

impl Destination {
    /// A whole group.
    pub fn group(group: u32) -> Self {
        Self {
            group,
            only: None,
            concrete: None,
        }
    }

    /// The deployment that a call there is held to; `asked` is the one that the request goes on from.
    pub fn pin(&self, asked: Option<Pin>) -> Option<Pin> {
        let named = self.only.map(|deployment| Pin {
            deployment,
            is_strict: true,
            is_named: true,
        });
        named.or(asked)
    }
}

/// Why a name leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Astray {
    /// Nobody knows it.
    Unknown,
    /// It could have been one that a star stands for, but none fits.
    FitsNoPattern,
    /// Several teams have a model of this name.
    OfSeveralTeams,
    /// It is an auto router's, and nobody serves any of the groups that it leads to.
    LedNowhere,
}

/// What a name is.
#[derive(Clone, Debug)]
enum Meaning {
    Group(u32),
    /// A deployment's id, with its group.
    Deployment(u32, u32),
    /// Another name.
    Alias(Arc<str>),
}

/// The names of a table.
#[derive(Default)]
pub struct Names {
    exact: HashMap<Arc<str>, Meaning>,
    /// What is asked for by `litellm_params.model`.
    by_model: HashMap<Arc<str>, u32>,
    patterns: Patterns<Pointed>,
    by_team: HashMap<Arc<str>, OfTeam>,
}

/// Where a pattern points.
#[derive(Clone, Debug)]
enum Pointed {
    Group(u32),
    /// A name, whose stars are filled.
    Alias(Arc<str>),
}

/// The names that only a team has.
#[derive(Default)]
struct OfTeam {
    exact: HashMap<Arc<str>, u32>,
    by_model: HashMap<Arc<str>, u32>,
    patterns: Patterns<Pointed>,
    /// In the order of the configuration.
    listed: Vec<Arc<str>>,
}

impl Names {
    /// A group by its key.
    pub fn add_group(&mut self, key: &GroupKey, number: u32) {
        match key {
            GroupKey::Named(name) => {
                self.exact.insert(name.clone(), Meaning::Group(number));
                self.patterns.add(name, Pointed::Group(number));
            }
            GroupKey::OfModel(model) => {
                self.by_model.insert(model.clone(), number);
            }
            GroupKey::OfTeam(team, name) => {
                let own = self.by_team.entry(team.clone()).or_default();
                own.exact.insert(name.clone(), number);
                own.listed.push(name.clone());
                own.patterns.add(name, Pointed::Group(number));
            }
            GroupKey::ModelOfTeam(team, model) => {
                let own = self.by_team.entry(team.clone()).or_default();
                own.by_model.insert(model.clone(), number);
            }
        }
    }

    /// The deployments with this `litellm_params.model` are just those of a group.
    pub fn add_model(&mut self, team: Option<&Arc<str>>, model: &Arc<str>, group: u32) {
        let by_model = match team {
            None => &mut self.by_model,
            Some(team) => &mut self.by_team.entry(team.clone()).or_default().by_model,
        };
        by_model.entry(model.clone()).or_insert(group);
    }

    /// An alias takes the place of a group of its name.
    pub fn add_alias(&mut self, alias: &str, target: &str) {
        let target: Arc<str> = target.into();
        self.patterns.add(alias, Pointed::Alias(target.clone()));
        self.exact.insert(alias.into(), Meaning::Alias(target));
    }

    /// An id takes the place of an alias, not of a group.
    pub fn add_id(&mut self, id: &Arc<str>, deployment: u32, group: u32) {
        let known = self.exact.get(id);
        if !matches!(known, Some(Meaning::Group(_) | Meaning::Deployment(..))) {
            let meaning = Meaning::Deployment(deployment, group);
            self.exact.insert(id.clone(), meaning);
        }
    }

    /// When all have been added.
    pub fn sort(&mut self) {
        self.patterns.sort();
        for own in self.by_team.values_mut() {
            own.patterns.sort();
        }
    }

    /// Names that only this team has.
    pub fn of_team(&self, team: Option<&str>) -> &[Arc<str>] {
        let own = team.and_then(|team| self.by_team.get(team));
        own.map_or(&[], |own| &own.listed)
    }

    /// The group of a name that a team alone has; the asker's, or any team's for an administrator.
    fn teams_own(&self, name: &str, asker: Asker<'_>) -> Result<Option<u32>, Astray> {
        if self.by_team.is_empty() {
            return Ok(None);
        }
        if let Some(team) = asker.team {
            let own = self.by_team.get(team);
            return Ok(own.and_then(|own| own.exact.get(name).copied()));
        }
        if !asker.is_admin || self.exact.contains_key(name) {
            return Ok(None);
        }
        let mut owners = self.by_team.values().filter_map(|own| own.exact.get(name));
        match (owners.next(), owners.next()) {
            (Some(group), None) => Ok(Some(*group)),
            (Some(_), Some(_)) => Err(Astray::OfSeveralTeams),
            (None, _) => Ok(None),
        }
    }

    /// The most telling pattern that fits a name, and the form of the name that it fits: the name itself, or behind the
    /// provider that is known for it.
    fn pointed<'n>(
        &self,
        name: &'n str,
        asker: Asker<'_>,
    ) -> Option<(&Wildcard, &Pointed, Cow<'n, str>)> {
        let own = asker.team.and_then(|team| self.by_team.get(team));
        let find = |name: &str| {
            let found = self.patterns.find(name);
            found.or_else(|| own?.patterns.find(name))
        };
        if !is_plain(name) {
            return None;
        }
        if let Some((pattern, pointed)) = find(name) {
            return Some((pattern, pointed, name.into()));
        }
        let whole = format!("{}/{name}", providers::owner(name)?);
        let (pattern, pointed) = find(&whole)?;
        Some((pattern, pointed, whole.into()))
    }

    fn of_model(&self, model: &str, asker: Asker<'_>) -> Option<u32> {
        let own = asker.team.and_then(|team| self.by_team.get(team));
        let own = own.and_then(|own| own.by_model.get(model));
        own.or_else(|| self.by_model.get(model)).copied()
    }
}

/// A text that may stand in rows, headers and addresses.
fn is_plain(name: &str) -> bool {
    name.len() <= LONGEST_CONCRETE && !name.chars().any(char::is_control)
}

impl RoutingTable {
    /// Where `name` leads somebody. One look into a map, unless it is an alias, a team's or one that a star stands for.
    pub fn resolve(&self, name: &str, asker: Asker<'_>) -> Result<Destination, Astray> {
        let names = &self.names;
        let mut name = Cow::Borrowed(name);
        for _ in 0..MOST_ALIASES {
            let meaning = names.exact.get(&*name);
            match meaning {
                Some(Meaning::Deployment(number, group)) => {
                    let owner = self.deployment(*number).and_then(|own| own.team.as_deref());
                    if asker.may_call(owner) {
                        return Ok(Destination {
                            only: Some(*number),
                            ..Destination::group(*group)
                        });
                    }
                    return Err(Astray::Unknown);
                }
                Some(Meaning::Alias(target)) => {
                    name = target.to_string().into();
                    continue;
                }
                Some(Meaning::Group(_)) | None => {}
            }
            if let Some(group) = names.teams_own(&name, asker)? {
                return Ok(Destination::group(group));
            }
            if let Some(Meaning::Group(group)) = meaning {
                return Ok(Destination::group(*group));
            }
            let Some((pattern, pointed, whole)) = names.pointed(&name, asker) else {
                let group = names.of_model(&name, asker);
                let is_led = self.auto_routers.contains_key(&*name);
                let nowhere = match names.patterns.is_empty() {
                    _ if is_led => Astray::LedNowhere,
                    true => Astray::Unknown,
                    false => Astray::FitsNoPattern,
                };
                return group.map(Destination::group).ok_or(nowhere);
            };
            match pointed {
                Pointed::Group(group) => {
                    return Ok(Destination {
                        concrete: Some((&*whole).into()),
                        ..Destination::group(*group)
                    });
                }
                Pointed::Alias(target) => {
                    let captures = pattern.captures(&whole).unwrap_or_default();
                    name = filled(target, &captures, &whole).into();
                }
            }
        }
        Err(Astray::Unknown)
    }

    /// The same for somebody's own name of a model.
    pub fn resolve_for(&self, principal: &Principal, model: &str) -> Result<Destination, Astray> {
        self.resolve(access::target(principal, model), Asker::of(principal))
    }

    /// Whether somebody's `model` is one name, whatever letters it has: one of its key's own, or one of the configuration's that no
    /// star stands for.
    pub fn has_name(&self, principal: &Principal, model: &str) -> bool {
        let (name, asker) = (access::target(principal, model), Asker::of(principal));
        let names = &self.names;
        name != model
            || names.exact.contains_key(name)
            || names.of_model(name, asker).is_some()
            || !matches!(names.teams_own(name, asker), Ok(None))
            || self.auto_routers.contains_key(name)
    }

    /// Whether somebody's lists allow what it calls `model`; they may name the access groups of what that leads to.
    pub fn permit(&self, principal: &Principal, model: &str) -> Result<(), DeniedBy> {
        let asker = Asker::of(principal);
        access::check_with_groups(principal, model, |model| self.access_groups(model, asker))
    }

    /// Whether somebody may be told of a deployment.
    pub fn shows(&self, principal: &Principal, deployment: &Deployment) -> bool {
        let owner = deployment.team.as_deref();
        let info = &deployment.entry.model_info;
        let name = info.team_public_model_name.as_deref();
        let name = name
            .filter(|_| owner.is_some())
            .unwrap_or(&deployment.group);
        Asker::of(principal).may_call(owner) && self.permit(principal, name).is_ok()
    }

    /// Nothing that it leads to takes calls, because all of it is paused.
    pub fn is_paused(&self, destination: &Destination) -> bool {
        match destination.only {
            Some(only) => self.deployment(only).is_some_and(|only| only.is_paused()),
            None => self
                .group(destination.group)
                .is_some_and(|group| group.is_paused),
        }
    }

    /// The configuration wants priced models only, and the price of one is not known; `costs` are those of a name that a star
    /// stands for.
    pub fn is_blocked_for_want_of_a_price(
        &self,
        destination: &Destination,
        costs: Option<&Costs>,
    ) -> bool {
        self.blocks_unpriced
            && match (costs, self.group(destination.group)) {
                (Some(costs), _) => costs.has_unpriced,
                (None, group) => group.is_some_and(|group| group.costs.has_unpriced),
            }
    }

    /// The access groups of what a name leads to.
    fn access_groups(&self, name: &str, asker: Asker<'_>) -> &[Arc<str>] {
        if let Some(router) = self.auto_router(name) {
            return &router.access_groups;
        }
        let Ok(destination) = self.resolve(name, asker) else {
            return &[];
        };
        match destination.only.and_then(|number| self.deployment(number)) {
            Some(only) => &only.access_groups,
            None => self
                .group(destination.group)
                .map_or(&[], |group| &group.access_groups),
        }
    }

    /// Where `model` leads when it is asked for as a deployment's own `litellm_params.model` (`specific_deployment`).
    pub fn resolve_model(&self, model: &str, asker: Asker<'_>) -> Result<Destination, Astray> {
        let group = self.names.of_model(model, asker);
        group.map(Destination::group).ok_or(Astray::Unknown)
    }

    /// What lists of models name to somebody: groups and aliases that are not hidden, and what only the team has.
    pub fn listed<'a>(&'a self, asker: Asker<'a>) -> impl Iterator<Item = &'a Arc<str>> {
        let general = self.listed.iter();
        let own = self.names.of_team(asker.team).iter();
        general.chain(own.filter(|name| !self.listed.contains(name)))
    }
}

#[cfg(test)]
mod tests;
