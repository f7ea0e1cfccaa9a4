//! The deployments of one group that a request has called.

use crate::router::MAX_ATTEMPTS;

const NONE: u32 = u32::MAX;

/// See the module. Small and bounded: what does not fit counts as tried no more than the others.
#[derive(Clone, Copy, Debug)]
pub struct Tried {
    deployments: [u32; MAX_ATTEMPTS],
    /// Of them those that would fail the same way again.
    hopeless: [u32; MAX_ATTEMPTS],
}

impl Default for Tried {
    fn default() -> Self {
        Self {
            deployments: [NONE; MAX_ATTEMPTS],
            hopeless: [NONE; MAX_ATTEMPTS],
        }
    }
}

impl Tried {
    pub fn add(&mut self, deployment: u32) {
        add(&mut self.deployments, deployment);
    }

    /// Another try at this deployment would fail the same way.
    pub fn never_again(&mut self, deployment: u32) {
        add(&mut self.hopeless, deployment);
    }

    pub fn holds(&self, deployment: u32) -> bool {
        self.deployments.contains(&deployment)
    }

    /// One more can be remembered.
    pub fn has_room(&self) -> bool {
        self.deployments.contains(&NONE)
    }

    /// All of them; unused places hold `u32::MAX`.
    pub fn deployments(&self) -> [u32; MAX_ATTEMPTS] {
        self.deployments
    }

    /// How many of `members` have not been called.
    pub fn untried(&self, members: impl Iterator<Item = u32>) -> usize {
        if !self.deployments.contains(&NONE) {
            return 0;
        }
        members.filter(|member| !self.holds(*member)).count()
    }

    /// Whether one that was called could answer the next time.
    pub fn may_try_again(&self) -> bool {
        let called = self.deployments.iter().filter(|place| **place != NONE);
        called
            .into_iter()
            .any(|deployment| !self.hopeless.contains(deployment))
    }

    /// Those to leave out when the ones that were called are tried again: nobody, if it would be all.
    pub fn hopeless(&self) -> [u32; MAX_ATTEMPTS] {
        if self.may_try_again() {
            self.hopeless
        } else {
            [NONE; MAX_ATTEMPTS]
        }
    }
}

fn add(places: &mut [u32; MAX_ATTEMPTS], deployment: u32) {
    if places.contains(&deployment) {
        return;
    }
    if let Some(place) = places.iter_mut().find(|place| **place == NONE) {
        *place = deployment;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_called_and_who_may_be_again() {
        let mut tried = Tried::default();
        assert_eq!(tried.untried([4, 5].into_iter()), 2);
        assert!(!tried.may_try_again());
        tried.add(4);
        tried.add(4);
        assert!(tried.holds(4) && !tried.holds(5));
        assert_eq!(tried.untried([4, 5].into_iter()), 1);
        tried.never_again(4);
        assert!(!tried.may_try_again());
        assert!(!tried.hopeless().contains(&4), "it would be all");
        tried.add(5);
        assert!(tried.may_try_again());
        assert!(tried.hopeless().contains(&4) && !tried.hopeless().contains(&5));
        // More than it holds: nobody is untried any more, so that it ends.
        (0..20).for_each(|deployment| tried.add(deployment));
        assert_eq!(tried.untried(0..30), 0);
    }
}
