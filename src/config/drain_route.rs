//! `/health/drain`: whether there is such a route, and whom it lets in.

use std::time::Duration;

use super::read::Section;
use crate::types::Secret;

/// See the module.
#[derive(Clone, Debug)]
pub struct DrainRoute {
    /// What the header `X-Drain-Token` must say; `None`: it need not be there.
    pub token: Option<Secret>,
    /// How long it waits for calls under way: `drain_timeout`.
    pub patience: Duration,
}

impl DrainRoute {
    /// The token is the file's, else `DRAIN_ENDPOINT_TOKEN` (LiteLLM 1.106.2).
    pub(super) fn read(
        section: &Section<'_>,
        env: &dyn Fn(&str) -> Option<String>,
        patience: Duration,
    ) -> Option<Self> {
        let token = section
            .secret("drain_endpoint_token")
            .or_else(|| env("DRAIN_ENDPOINT_TOKEN").map(Secret::new))
            .filter(|token| !token.expose().is_empty());
        let patience = section.seconds("drain_timeout").unwrap_or(patience);
        let is_there = section.flag("enable_drain_endpoint").unwrap_or(false);
        is_there.then_some(Self { token, patience })
    }
}
