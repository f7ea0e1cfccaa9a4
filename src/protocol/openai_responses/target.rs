//! What catalogue and provider tell of the model that a request is written for.

use super::Target;
use crate::catalog::ModelEntry;
use crate::protocol::neutral::Effort;
use crate::providers::Provider;

impl<'a> Target<'a> {
    /// What `provider` takes, and what the catalogue's row says of a model.
    pub fn of(model: &'a str, provider: &Provider, row: Option<&ModelEntry>) -> Self {
        let flag = |flag: &str| row.and_then(|row| row.flag(flag));
        let highest_effort = Effort::highest(row);
        let may_not_reason = flag("supports_none_reasoning_effort") == Some(true);
        Self {
            model,
            highest_effort,
            takes_sampling: highest_effort.is_none() || may_not_reason || !provider.is_openai,
            searches_web: flag("supports_web_search") != Some(false),
            deployment: "",
        }
    }

    /// The same for a model of another name, asked of the deployment of this id.
    pub fn named<'n>(self, model: &'n str, deployment: &'n str) -> Target<'n> {
        Target {
            model,
            deployment,
            ..self
        }
    }
}
