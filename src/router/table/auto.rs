//! The group of all deployments, and that of those with larger windows: `auto` and `auto-large`.
//!
//! Both are made of deployments that are there already, by their numbers: slots, windows and cooldowns are theirs, whichever
//! group a call came by.

use std::sync::Arc;

use super::groups::{GroupKey, Lists};
use super::{Builder, entry::mode};
use crate::config::{AUTO, AUTO_LARGE, AutoMode, Config, ModelEntry};
use crate::policy::fallback::{Target, Targets};

impl Builder {
    /// Puts deployments into `auto`, in the order of the configuration, and derives `auto-large` from it.
    pub(super) fn derive_auto(&self, config: &Config, named: &mut Lists) {
        if config.auto_mode == AutoMode::All {
            for number in &self.order {
                if let Some(deployment) = self.at(*number)
                    && &*deployment.group != AUTO
                    && makes_texts(&deployment.entry)
                {
                    named.add(&AUTO.into(), *number);
                }
            }
        }
        // Where somebody wrote it, it is what they wrote.
        if config.auto_mode.is_on() && named.of(AUTO_LARGE).is_empty() {
            for number in self.with_larger_windows(named.of(AUTO)) {
                named.add(&AUTO_LARGE.into(), number);
            }
        }
    }

    /// Those of `auto` whose window is larger than the smallest; a window that is not known is neither.
    fn with_larger_windows(&self, auto: &[u32]) -> Vec<u32> {
        let window = |number: &u32| self.at(*number).and_then(|deployment| deployment.window);
        let Some(smallest) = auto.iter().filter_map(window).min() else {
            return Vec::new();
        };
        let larger = |number: &&u32| window(number) > Some(smallest);
        auto.iter().filter(larger).copied().collect()
    }

    /// What follows when a prompt is too long for a deployment of `auto`.
    pub(super) fn larger_windows(&self, config: &Config) -> Vec<(Arc<str>, Targets)> {
        let is_there = self.made.contains_key(&GroupKey::Named(AUTO_LARGE.into()));
        let targets: Targets = [Target::plain(AUTO_LARGE)].into();
        (config.auto_mode.is_on() && is_there)
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
