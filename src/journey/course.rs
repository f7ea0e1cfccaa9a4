//! Which group a request goes on to when one has failed it.

use super::admission::permit_access;
use super::asked::Asked;
use super::routes::Routes;
use crate::policy::fallback::{Fallbacks, Hop, Kind, Layered, List, Target, Walk};
use crate::policy::upstream_error::ErrorClass;
use crate::router::{Asker, Destination};
use crate::types::Principal;

/// Whose request it is, and what it says.
#[derive(Clone, Copy)]
pub struct Traveller<'a> {
    pub routes: &'a Routes,
    pub principal: &'a Principal,
    pub asked: &'a Asked,
}

impl Traveller<'_> {
    /// Whether every list that binds the caller allows this model.
    pub fn may_call(&self, model: &str) -> bool {
        self.routes.table().permit(self.principal, model).is_ok()
    }
}

/// One request's way from group to group.
#[derive(Clone, Debug)]
pub struct Course {
    walk: Walk<Destination>,
    /// The step under way, unless it is the group that was asked for.
    here: Option<Hop<Destination>>,
    /// The name that was asked for.
    name: Box<str>,
}

impl Course {
    /// A request for what it calls `name`.
    pub fn new(name: &str, destination: Destination) -> Self {
        Self {
            walk: Walk::from(destination),
            here: None,
            name: name.into(),
        }
    }

    /// The fallback that the request is at; `None`: the group that it asked for.
    pub fn here(&self) -> Option<&Target> {
        self.here.as_ref().map(|hop| &hop.target)
    }

    /// Fields that the fallback has in the place of the request's own, if it has any.
    pub fn own_fields(&self) -> Option<&[(String, Vec<u8>)]> {
        let fields = self.here().map(|target| target.overrides.as_slice());
        fields.filter(|fields| !fields.is_empty())
    }

    /// Groups asked after the first.
    pub fn hops(&self) -> u32 {
        self.walk.hops()
    }

    /// The next group, now that `group` has failed with this class of error.
    pub fn after(
        &mut self,
        by: Traveller<'_>,
        group: u32,
        class: ErrorClass,
    ) -> Option<Destination> {
        let configured = &by.routes.table().failover.fallbacks;
        let lists = lists(by.asked, configured)?;
        if let Some(targets) = lists.targets(class, &self.names(by, group)) {
            self.walk.enter(targets);
        }
        self.next(by)
    }

    /// The next group, where the one before refused the request for a reason of its own.
    pub fn next(&mut self, by: Traveller<'_>) -> Option<Destination> {
        let most = by.routes.table().failover.max_fallbacks;
        let hop = self.walk.next(most, |target| reached(by, target))?;
        let to = hop.to.clone();
        self.here = Some(hop);
        Some(to)
    }

    /// Whether another group could answer such an error of `group`.
    pub fn has_fallback(&self, by: Traveller<'_>, group: u32, class: ErrorClass) -> bool {
        self.clone().after(by, group, class).is_some()
    }

    /// Whether an answer of `group` whose content was filtered is a failure: where the list for it has the group, or, without
    /// that list, every group has a fallback.
    pub fn answers_filtered(&self, by: Traveller<'_>, group: u32) -> bool {
        let Some(lists) = lists(by.asked, &by.routes.table().failover.fallbacks) else {
            return false;
        };
        let targets = match lists.list(Kind::ContentPolicy) {
            Some(list) => list.targets(&self.names(by, group)),
            None => lists.list(Kind::General).and_then(|list| list.targets(&[])),
        };
        targets.is_some() && self.has_fallback(by, group, ErrorClass::ContentPolicyViolationError)
    }

    /// Names that lists may know `group` by.
    fn names<'a>(&'a self, by: Traveller<'a>, group: u32) -> [&'a str; 2] {
        let table = by.routes.table();
        let own = table.group(group).map_or("", |group| &group.name);
        let asked = self.here().map_or(&*self.name, |target| &target.model);
        [own, asked]
    }
}

/// The lists that hold for a request; none when it wants no fallbacks, or nobody has any.
pub fn lists<'a>(asked: &'a Asked, configured: &'a Fallbacks) -> Option<Layered<'a>> {
    let wishes = asked.failover.as_deref();
    if wishes.is_some_and(|wishes| wishes.disabled) {
        return None;
    }
    let own = wishes.map(|wishes| &wishes.lists);
    let of_caller = asked
        .settings
        .as_deref()
        .map(|settings| &settings.fallbacks);
    let layered = Layered([own, of_caller, Some(configured)]);
    (!layered.is_empty()).then_some(layered)
}

/// The lists that a request brings itself.
pub fn own_lists(asked: &Asked) -> impl Iterator<Item = &List> {
    let wishes = asked.failover.as_deref().map(|wishes| &wishes.lists);
    let kinds = [Kind::General, Kind::ContextWindow, Kind::ContentPolicy];
    kinds.into_iter().filter_map(move |kind| wishes?.list(kind))
}

/// Where a fallback leads, if this request may go there.
fn reached(by: Traveller<'_>, target: &Target) -> Option<Destination> {
    let table = by.routes.table();
    let asker = Asker::of(by.principal);
    let named = table.resolve(&target.model, asker);
    let destination = named.or_else(|_| table.resolve_for(by.principal, &target.model));
    let destination = destination.ok()?;
    let costs = by.routes.costs(&destination);
    let is_nowhere = costs.as_ref().is_some_and(|costs| costs.is_empty());
    if is_nowhere
        || table.is_paused(&destination)
        || table.is_blocked_for_want_of_a_price(&destination, costs.as_deref())
    {
        return None;
    }
    if table.failover.enforces_access && !by.may_call(&target.model) {
        return None;
    }
    if let Some(access) = &by.asked.access {
        permit_access(by.routes, destination.group, access).ok()?;
    }
    Some(destination)
}
