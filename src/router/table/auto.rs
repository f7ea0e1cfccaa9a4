//! The group of all deployments, and that of those with larger windows: `auto` and `auto-large`.
//!
//! Both are made of deployments that are there already, by their numbers: slots, windows and cooldowns are theirs, whichever
//! group a call came by.

use std::sync::Arc;

use super::{Builder, Deployment, entry::mode};
use crate::config::{AUTO, AUTO_LARGE, AutoMode, Config, ModelEntry};
use crate::policy::fallback::{Target, Targets};

impl Builder {
    /// Puts deployments into `auto`, in the order of the configuration, and derives `auto-large` from it.
    pub(super) fn derive_auto(&mut self, config: &Config) {
        if config.auto_mode == AutoMode::All {
            for (number, deployment) in self.in_order() {
                if &*deployment.group != AUTO && makes_texts(&deployment.entry) {
                    self.join(AUTO, number, &deployment);
                }
            }
        }
        // Where somebody wrote it, it is what they wrote.
        if config.auto_mode.is_on() && !self.by_name.contains_key(AUTO_LARGE) {
            for (number, deployment) in self.with_larger_windows() {
                self.join(AUTO_LARGE, number, &deployment);
            }
        }
    }

    /// The members of `auto` whose window is larger than the smallest; a window that is not known is neither.
    fn with_larger_windows(&self) -> Vec<(u32, Arc<Deployment>)> {
        let auto = self.by_name.get(AUTO).and_then(|number| {
            let group = self.groups.get(*number as usize)?;
            group.as_ref()
        });
        let Some(auto) = auto else {
            return Vec::new();
        };
        let members = auto.members.iter().filter_map(|member| {
            let deployment = self.deployments.get(member.deployment as usize)?.as_ref()?;
            Some((member.deployment, deployment.clone()))
        });
        let members: Vec<(u32, Arc<Deployment>)> = members.collect();
        let windows = members.iter().filter_map(|(_, member)| member.window);
        let Some(smallest) = windows.min() else {
            return Vec::new();
        };
        let larger = |(_, member): &(u32, Arc<Deployment>)| member.window > Some(smallest);
        members.into_iter().filter(larger).collect()
    }

    fn in_order(&self) -> Vec<(u32, Arc<Deployment>)> {
        let order = self.order.iter();
        let found = order.filter_map(|number| {
            let deployment = self.deployments.get(*number as usize)?.as_ref()?;
            Some((*number, deployment.clone()))
        });
        found.collect()
    }

    /// What follows when a prompt is too long for a deployment of `auto`.
    pub(super) fn larger_windows(&self, config: &Config) -> Vec<(Arc<str>, Targets)> {
        let is_there = config.auto_mode.is_on() && self.by_name.contains_key(AUTO_LARGE);
        let targets: Targets = [Target::plain(AUTO_LARGE)].into();
        is_there
            .then(|| (AUTO.into(), targets))
            .into_iter()
            .collect()
    }
}

/// Whether a deployment answers conversations or texts: a request for `auto` is one of these. One that stands for the
/// provider's many models by a star is none that can be called without a name for it.
fn makes_texts(entry: &ModelEntry) -> bool {
    let by_mode =
        mode(entry).is_none_or(|mode| ["chat", "completion", "responses"].contains(&mode));
    by_mode && !entry.upstream_model.contains('*')
}
