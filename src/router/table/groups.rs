//! Which deployments make a group, and which names lead to it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Builder, Costs, Deployment, Group, Kept, choice};
use crate::config::{Affinity, Config};
use crate::policy::retry::RetriesByClass;
use crate::policy::shortlist::GroupFacts;
use crate::policy::strategies::{Member, StrategyArgs, StrategyName};
use crate::policy::wildcard::Wildcard;
use crate::protocol::json;
use crate::router::numbers;

/// What makes a group the same in another table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GroupKey {
    /// A `model_name`.
    Named(Arc<str>),
    /// What a team calls so: team, name.
    OfTeam(Arc<str>, Arc<str>),
    /// All deployments with this `litellm_params.model`.
    OfModel(Arc<str>),
    /// Those of them that a team may call: team, model.
    ModelOfTeam(Arc<str>, Arc<str>),
}

impl GroupKey {
    fn name(&self) -> &Arc<str> {
        match self {
            Self::Named(name) | Self::OfModel(name) => name,
            Self::OfTeam(_, name) | Self::ModelOfTeam(_, name) => name,
        }
    }

    /// Its deployments answer for each other by intent, not because they happen to call the same model.
    pub fn is_meant(&self) -> bool {
        matches!(self, Self::Named(_) | Self::OfTeam(..))
    }
}

/// For each team the numbers of deployments that it may call.
type ByTeam = Vec<(Arc<str>, Vec<u32>)>;

/// Numbers of deployments by a text, both in the order of the configuration.
#[derive(Default)]
pub(super) struct Lists {
    lists: Vec<(Arc<str>, Vec<u32>)>,
    places: HashMap<Arc<str>, usize>,
}

impl Lists {
    pub(super) fn add(&mut self, text: &Arc<str>, number: u32) {
        let new = self.lists.len();
        let place = *self.places.entry(text.clone()).or_insert(new);
        if place == new {
            self.lists.push((text.clone(), Vec::new()));
        }
        if let Some((_, list)) = self.lists.get_mut(place) {
            list.push(number);
        }
    }

    pub(super) fn of(&self, text: &str) -> &[u32] {
        let list = self
            .places
            .get(text)
            .and_then(|place| self.lists.get(*place));
        list.map_or(&[], |(_, list)| list)
    }
}

impl Builder {
    /// Makes the groups of all deployments and the names that lead to them.
    pub(super) fn gather(&mut self, config: &Config) {
        let (mut named, mut models) = (Lists::default(), Lists::default());
        let mut public: Vec<(Arc<str>, Lists)> = Vec::new();
        for number in self.order.clone() {
            let Some(deployment) = self.at(number) else {
                continue;
            };
            named.add(&deployment.group, number);
            models.add(&deployment.litellm_model, number);
            let info = &deployment.entry.model_info;
            if let (Some(team), Some(name)) = (&deployment.team, &info.team_public_model_name) {
                let place = public.iter().position(|(known, _)| known == team);
                let place = place.unwrap_or_else(|| {
                    public.push((team.clone(), Lists::default()));
                    public.len() - 1
                });
                public[place].1.add(&name.as_str().into(), number);
            }
        }
        self.derive_auto(config, &mut named);
        choice::derive_routing_groups(config, &mut named);
        // What a team calls a model comes before a group of that name.
        for (team, names) in public {
            for (name, members) in names.lists {
                self.group(GroupKey::OfTeam(team.clone(), name), &members);
            }
        }
        for (name, numbers) in named.lists {
            let (general, teams) = self.by_owner(&numbers);
            if !general.is_empty() {
                self.listed.push(name.clone());
                self.group(GroupKey::Named(name.clone()), &general);
            }
            for (team, members) in teams {
                self.group(GroupKey::OfTeam(team, name.clone()), &members);
            }
        }
        self.name_auto_routers(config);
        for alias in &config.router_settings.model_group_alias {
            self.names.add_alias(&alias.alias, &alias.model);
            if !alias.hidden {
                self.listed.push(alias.alias.as_str().into());
            }
        }
        for number in self.order.clone() {
            let Some(deployment) = self.at(number).cloned() else {
                continue;
            };
            if let Some(group) = self.group_of(&deployment) {
                self.names.add_id(&deployment.id, number, group);
            }
        }
        for (model, numbers) in models.lists {
            let (general, teams) = self.by_owner(&numbers);
            if !general.is_empty() {
                self.of_model(None, &model, &general);
            }
            for (team, members) in teams {
                self.of_model(Some(&team), &model, &members);
            }
        }
        self.names.sort();
    }

    pub(super) fn at(&self, number: u32) -> Option<&Arc<Deployment>> {
        self.deployments.get(number as usize)?.as_ref()
    }

    /// Those that everybody may call; and for each team that owns one of them those and its own.
    fn by_owner(&self, numbers: &[u32]) -> (Vec<u32>, ByTeam) {
        let owner = |number: &u32| self.at(*number).and_then(|own| own.team.as_ref());
        let for_team = |team: Option<&Arc<str>>| {
            let may_call = |number: &&u32| owner(number).is_none() || owner(number) == team;
            numbers.iter().filter(may_call).copied().collect()
        };
        let mut teams = ByTeam::new();
        for team in numbers.iter().filter_map(owner) {
            if !teams.iter().any(|(known, _)| known == team) {
                teams.push((team.clone(), for_team(Some(team))));
            }
        }
        (for_team(None), teams)
    }

    /// The group that a deployment is in by its own name, or by what its team calls it.
    fn group_of(&self, deployment: &Deployment) -> Option<u32> {
        let info = &deployment.entry.model_info;
        let key = match &deployment.team {
            None => GroupKey::Named(deployment.group.clone()),
            Some(team) => {
                let public = info.team_public_model_name.as_deref().map(Arc::from);
                let name = public.unwrap_or_else(|| deployment.group.clone());
                GroupKey::OfTeam(team.clone(), name)
            }
        };
        self.made.get(&key).copied()
    }

    /// What leads to the deployments that call `model`: the group of the first, if they are all of it, else a group of their
    /// own.
    fn of_model(&mut self, team: Option<&Arc<str>>, model: &Arc<str>, numbers: &[u32]) {
        let first = numbers.first().and_then(|number| self.at(*number));
        let known = first.and_then(|first| self.group_of(first));
        let is_all_of = |group: &Group| {
            let members = group.members.iter();
            let all: HashSet<u32> = members.map(|member| member.deployment).collect();
            all.len() == numbers.len() && numbers.iter().all(|number| all.contains(number))
        };
        if let Some(known) = known
            && let Some(Some(group)) = self.groups.get(known as usize)
            && is_all_of(group)
        {
            self.names.add_model(team, model, known);
            return;
        }
        let key = match team {
            None => GroupKey::OfModel(model.clone()),
            Some(team) => GroupKey::ModelOfTeam(team.clone(), model.clone()),
        };
        self.group(key, numbers);
    }

    /// Makes a group, unless there is one with this key.
    fn group(&mut self, key: GroupKey, members: &[u32]) {
        if self.made.contains_key(&key) {
            return;
        }
        let mut group = Group::new(key);
        for number in members {
            if let Some(deployment) = self.at(*number) {
                group.add(*number, deployment);
            }
        }
        choice::tell_twins_apart(&mut group.members);
        let number = self.group_numbers.give(&group.key);
        self.names.add_group(&group.key, number);
        self.made.insert(group.key.clone(), number);
        numbers::place(&mut self.groups, number, group);
    }
}

impl Group {
    fn new(key: GroupKey) -> Self {
        let name = key.name().clone();
        Self {
            name_json: json::quoted(&name),
            pattern: Wildcard::parse(&name).filter(|_| key.is_meant()),
            key,
            name,
            members: Vec::new(),
            strategy: StrategyName::default(),
            strategy_args: StrategyArgs::default(),
            keeps_kin_together: false,
            goes_by_priority: false,
            affinity: Affinity::default(),
            is_ordered: false,
            limits: Vec::new(),
            kept: Kept::None,
            is_paused: true,
            costs: Costs::default(),
            access_groups: Vec::new(),
            rpm: None,
            tpm: None,
            retries_by_class: RetriesByClass::default(),
            facts: GroupFacts::default(),
            hedge: None,
        }
    }

    fn add(&mut self, number: u32, deployment: &Deployment) {
        let params = &deployment.entry.litellm_params;
        for name in &deployment.access_groups {
            if !self.access_groups.contains(name) {
                self.access_groups.push(name.clone());
            }
        }
        let blocked = deployment.is_paused();
        let whole = |number: Option<u64>| number.filter(|_| !blocked).unwrap_or_default();
        self.members.push(Member {
            deployment: number,
            weight: params.weight.filter(|_| !blocked).unwrap_or_default(),
            rpm: whole(params.rpm),
            tpm: whole(params.tpm),
            blocked,
            cost: choice::cost(&deployment.tariff),
            name: choice::name(&deployment.id),
            order: params.order.or(deployment.entry.model_info.order),
            kind: deployment.entry.model_info.kind,
        });
        if blocked {
            return;
        }
        self.is_paused = false;
        if !deployment.stands_for_many() {
            self.costs.add(deployment);
        }
        add(&mut self.rpm, params.rpm);
        add(&mut self.tpm, params.tpm);
    }
}

fn add(sum: &mut Option<u64>, more: Option<u64>) {
    if let Some(more) = more {
        *sum = Some(sum.unwrap_or_default().saturating_add(more));
    }
}
