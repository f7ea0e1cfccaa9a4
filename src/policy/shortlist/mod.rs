//! Which deployments of a group may take a call, by what the configuration says of them and what the request says: access
//! windows, regions, what models can do, tags, the size of the prompt.
//!
//! Pure and static: the same table, request and minute give the same list, in whatever order the members stand. What moves
//! (cooldowns, slots, limits, health) is the Router's, which gets the list with the call. Every deployment that is left out
//! has a reason with its figures. The journey asks, and only where the group or the request has anything of the kind
//! ([`GroupFacts::concern_everybody`]). The input is counted last, and only if a deployment that is left could be too small.

mod bits;
mod facts;
mod reason;
mod reservation;
mod tags;
#[cfg(test)]
mod tests;

pub use bits::Bits;
pub use facts::{GroupFacts, MemberFacts, Traits};
pub use reason::{Reason, Reserved, TagReason};
pub use reservation::{Reservation, ReservationError};
pub use tags::{TagRules, TagWish, is_pattern};

use std::sync::Arc;

use super::access;
use crate::types::ModelAccess;

/// The members of a group that may take one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortlist {
    /// By number of the deployment.
    allowed: Bits,
    left_out: Box<[(u32, Reason)]>,
}

impl Shortlist {
    /// Whether a deployment may take the call; one that was not there when the list was made may not.
    pub fn allows(&self, deployment: u32) -> bool {
        self.allowed.holds(deployment)
    }

    /// The others, by number, each with the first reason that was found.
    pub fn left_out(&self) -> &[(u32, Reason)] {
        &self.left_out
    }
}

/// What a request wants of a deployment beyond its model.
#[derive(Clone, Debug, Default)]
pub struct Wants<'a> {
    /// Seconds since the Unix epoch.
    pub now: i64,
    pub team: Option<&'a str>,
    /// Lists that allow the group by access groups alone: a member must be in one of each.
    pub access: Vec<&'a ModelAccess>,
    pub region: Option<&'a Arc<str>>,
    pub web_search: bool,
    /// A `response_format` that may not be dropped.
    pub response_format: bool,
    /// Tags, where the group is chosen from by tags.
    pub tags: Option<TagWish<'a>>,
}

/// What left nobody, and whom it left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nobody {
    pub why: Cause,
    /// By number, all of the group.
    pub left_out: Box<[(u32, Reason)]>,
}

/// The filter after which nobody was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    NoModel,
    Access,
    Reserved(Arc<Reserved>),
    Region(Arc<str>),
    /// What no model that was left can do.
    Capability(Capability),
    Tags,
    /// Tokens: the largest window that was left, and what the request has.
    Window {
        largest: u64,
        needed: u64,
    },
}

impl Cause {
    /// What a reason is when nobody else is asked for; `None`: the Router tells it.
    fn of(reason: &Reason) -> Option<Self> {
        Some(match reason {
            Reason::Paused => return None,
            Reason::NoModel => Self::NoModel,
            Reason::OtherAccessGroup => Self::Access,
            Reason::Reserved(reserved) => Self::Reserved(reserved.clone()),
            Reason::NoWebSearch => Self::Capability(Capability::WebSearch),
            Reason::OtherRegion { wanted, .. } => Self::Region(wanted.clone()),
            Reason::NoResponseFormat => Self::Capability(Capability::ResponseFormat),
            Reason::Tags(_) => Self::Tags,
            Reason::WindowTooSmall { window, needed } => Self::Window {
                largest: *window,
                needed: *needed,
            },
        })
    }
}

/// What a model may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    WebSearch,
    ResponseFormat,
}

/// A list under way: everything but the size of the prompt is decided.
#[derive(Clone, Debug)]
pub struct Draft<'f> {
    facts: &'f GroupFacts,
    reasons: Vec<Option<Reason>>,
}

/// Decides all that needs no counting.
pub fn draft<'f>(facts: &'f GroupFacts, wants: &Wants<'_>) -> Result<Draft<'f>, Nobody> {
    let mut draft = Draft {
        facts,
        reasons: vec![None; facts.members.len()],
    };
    draft.leave_out(|member| member.is_paused.then_some(Reason::Paused));
    if !draft.is_somebody() {
        // For the Router to tell.
        return Ok(draft);
    }
    draft.leave_out(|member| member.is_no_model.then_some(Reason::NoModel));
    draft.or_nobody(|_| Cause::NoModel)?;
    if !wants.access.is_empty() {
        draft.leave_out(|member| {
            let is_in = |list: &&ModelAccess| {
                let mut groups = member.access_groups.iter();
                groups.any(|group| access::names(list, group))
            };
            (!wants.access.iter().all(is_in)).then_some(Reason::OtherAccessGroup)
        });
        draft.or_nobody(|_| Cause::Access)?;
    }
    draft.leave_out(|member| {
        let reserved = reservation::reserved(&member.reservations, wants.team, wants.now)?;
        Some(Reason::Reserved(reserved.clone()))
    });
    draft.or_nobody(|reasons| {
        let found = reasons.iter().flatten().filter_map(|reason| match reason {
            Reason::Reserved(reserved) => Some(reserved),
            _ => None,
        });
        let named = found.min_by_key(|reserved| (&reserved.until, &reserved.zone));
        Cause::Reserved(named.cloned().unwrap_or_default())
    })?;
    if wants.web_search {
        draft.leave_out(|member| (!member.traits.searches_web).then_some(Reason::NoWebSearch));
        draft.or_nobody(|_| Cause::Capability(Capability::WebSearch))?;
    }
    if let Some(wanted) = wants.region {
        draft.leave_out(|member| {
            let own = &member.region;
            (own.as_ref() != Some(wanted)).then(|| Reason::OtherRegion {
                wanted: wanted.clone(),
                own: own.clone(),
            })
        });
        draft.or_nobody(|_| Cause::Region(wanted.clone()))?;
    }
    if wants.response_format {
        draft.leave_out(|member| {
            (!member.traits.takes_response_format).then_some(Reason::NoResponseFormat)
        });
        draft.or_nobody(|_| Cause::Capability(Capability::ResponseFormat))?;
    }
    if let Some(wish) = &wants.tags {
        draft.keep_by_tags(wish);
        draft.or_nobody(|_| Cause::Tags)?;
    }
    Ok(draft)
}

impl Draft<'_> {
    fn leave_out(&mut self, against: impl Fn(&MemberFacts) -> Option<Reason>) {
        for (member, reason) in self.facts.members.iter().zip(&mut self.reasons) {
            if reason.is_none() {
                *reason = against(member);
            }
        }
    }

    fn keep_by_tags(&mut self, wish: &TagWish<'_>) {
        let GroupFacts {
            tags,
            tag_index,
            fails_open,
            tag_rules,
            ..
        } = self.facts;
        let judged = tags::judge(tags, tag_index, *fails_open, tag_rules, wish);
        for (reason, against) in self.reasons.iter_mut().zip(judged) {
            if reason.is_none() {
                *reason = against.map(Reason::Tags);
            }
        }
    }

    fn is_somebody(&self) -> bool {
        self.reasons.iter().any(Option::is_none)
    }

    fn or_nobody(&self, why: impl FnOnce(&[Option<Reason>]) -> Cause) -> Result<(), Nobody> {
        if self.is_somebody() {
            return Ok(());
        }
        Err(Nobody {
            why: why(&self.reasons),
            left_out: self.left_out(),
        })
    }

    fn left_out(&self) -> Box<[(u32, Reason)]> {
        let members = self.facts.members.iter().zip(&self.reasons);
        let left_out =
            members.filter_map(|(member, reason)| Some((member.deployment, reason.clone()?)));
        left_out.collect()
    }

    /// For a request that names this deployment: it, or why not.
    pub fn only(self, deployment: u32) -> Result<Self, Nobody> {
        let members = self.facts.members.iter().zip(&self.reasons);
        let mut named = members.filter(|(member, _)| member.deployment == deployment);
        let against = named.find_map(|(_, reason)| reason.as_ref());
        match against.and_then(Cause::of) {
            None => Ok(self),
            Some(why) => Err(Nobody {
                why,
                left_out: self.left_out(),
            }),
        }
    }

    /// The numbers of those that are left.
    pub fn left(&self) -> impl Iterator<Item = u32> {
        let members = self.facts.members.iter().zip(&self.reasons);
        let left = members.filter(|(_, reason)| reason.is_none());
        left.map(|(member, _)| member.deployment)
    }

    /// The smallest window of those that are left, in tokens: a request that is known to have no more needs no counting.
    pub fn smallest_window(&self) -> Option<u64> {
        let members = self.facts.members.iter().zip(&self.reasons);
        let left = members.filter(|(_, reason)| reason.is_none());
        left.filter_map(|(member, _)| member.window).min()
    }

    /// Leaves out who reads less than `needed` tokens.
    pub fn for_prompt(mut self, needed: u64) -> Result<Self, Nobody> {
        if !self.is_somebody() {
            return Ok(self);
        }
        self.leave_out(|member| {
            let window = member.window.filter(|window| *window < needed)?;
            Some(Reason::WindowTooSmall { window, needed })
        });
        self.or_nobody(|reasons| {
            let windows = reasons.iter().flatten().filter_map(|reason| match reason {
                Reason::WindowTooSmall { window, .. } => Some(*window),
                _ => None,
            });
            Cause::Window {
                largest: windows.max().unwrap_or_default(),
                needed,
            }
        })?;
        Ok(self)
    }

    /// The list; `None` when everybody may take the call.
    pub fn list(&self) -> Option<Shortlist> {
        let left_out = self.left_out();
        if left_out.is_empty() {
            return None;
        }
        let members = self.facts.members.iter().zip(&self.reasons);
        let allowed = members.filter(|(_, reason)| reason.is_none());
        Some(Shortlist {
            allowed: Bits::of(allowed.map(|(member, _)| member.deployment)),
            left_out,
        })
    }
}
