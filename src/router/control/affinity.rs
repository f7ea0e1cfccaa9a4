//! Calls that share something go where the first of them went: by session, by key, by the beginning of their conversation.

use super::Control;
use crate::config::Affinity;
use crate::policy::claims::{Claim, Kind, Place};
use crate::router::turn::Lease;
use crate::router::wish::Kin;

/// How long the beginning of a conversation is taken to stay in a provider's cache, in milliseconds (LiteLLM 1.106.2).
const BEGINNING_MS: u64 = 300_000;

/// What a call of a group may claim, the strongest first.
pub fn claims(group: u32, affinity: Affinity, kin: &Kin) -> impl Iterator<Item = Claim> {
    let claim = move |kind| move |of| Claim { group, kind, of };
    let session = kin.session;
    let session = session.filter(|_| affinity.session || kin.session_stays > 0);
    let caller = kin.caller.filter(|_| affinity.caller);
    let beginnings = kin.beginnings.iter().filter(move |_| affinity.beginning);
    let session = session.into_iter().map(claim(Kind::Session));
    let caller = caller.into_iter().map(claim(Kind::Caller));
    session
        .chain(caller)
        .chain(beginnings.copied().map(claim(Kind::Beginning)))
}

impl Control {
    /// Which of those that have had a number has it now.
    fn generation(&self, deployment: u32) -> u32 {
        let generations = self.generations.get(deployment as usize);
        generations.copied().unwrap_or_default()
    }

    /// A call has gone somewhere: others that share something with it go there too. Of sessions and keys the first one decides,
    /// of conversations the last.
    pub(super) fn claim(&mut self, group: u32, kin: &Kin, lease: &Lease, now: u64) {
        let Some(affinity) = self.table.group(group).map(|group| group.affinity) else {
            return;
        };
        let place = Place {
            deployment: lease.deployment,
            generation: lease.generation,
        };
        let until = now.saturating_add(self.table.affinity_ttl);
        let longest = kin.beginnings.first();
        for claim in claims(group, affinity, kin) {
            match claim.kind {
                Kind::Session if kin.session_stays > 0 => {
                    // It ends so long after it was used last.
                    let is_here = self.claims.place(&claim, now) == Some(place);
                    if is_here || self.claimed(&claim, now).is_none() {
                        let until = now.saturating_add(kin.session_stays);
                        self.claims.make(claim, place, now, until);
                    }
                }
                Kind::Session | Kind::Caller if self.claimed(&claim, now).is_some() => {}
                Kind::Session | Kind::Caller => self.claims.make(claim, place, now, until),
                Kind::Beginning if longest == Some(&claim.of) => {
                    self.claims
                        .make(claim, place, now, now.saturating_add(BEGINNING_MS));
                }
                Kind::Beginning => {}
            }
        }
    }

    /// The position of the member where calls of a claim go; `None`: nowhere yet, or it has gone since.
    pub(super) fn claimed(&self, claim: &Claim, now: u64) -> Option<usize> {
        let place = self.claims.place(claim, now)?;
        let mut members = self.table.group(claim.group)?.members.iter();
        let position = members.position(|member| member.deployment == place.deployment)?;
        (self.generation(place.deployment) == place.generation).then_some(position)
    }
}
