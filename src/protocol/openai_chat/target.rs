//! The model that a request is written for, and what catalogue and provider tell of it.

use crate::catalog::ModelEntry;
use crate::protocol::neutral::Effort;
use crate::providers::Provider;

/// The model that a request goes to.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub model: &'a str,
    /// The highest `reasoning_effort` it takes; none for a model that does not reason.
    pub highest_effort: Option<Effort>,
    /// The lowest one: `none` where it can be told not to reason.
    pub lowest_effort: Effort,
    /// Behind it is Claude: it takes `thinking`, and checks the signatures of `thinking_blocks`.
    pub is_claude: bool,
    /// Takes `reasoning_content` of earlier turns.
    pub takes_reasoning_content: bool,
    pub takes_cache_control: bool,
    /// Takes parts of the type `file`.
    pub takes_files: bool,
    /// Takes images in messages of the role `tool`.
    pub takes_tool_images: bool,
    pub takes_top_k: bool,
    /// Takes `web_search_options`.
    pub searches_web: bool,
    /// Takes tools of the type `custom`; else they are told as functions with one text.
    pub takes_custom_tools: bool,
}

impl<'a> Target<'a> {
    /// What OpenAI's own models have in common.
    pub fn openai(model: &'a str, highest_effort: Option<Effort>) -> Self {
        Self {
            model,
            highest_effort,
            lowest_effort: Effort::None,
            is_claude: false,
            takes_reasoning_content: false,
            takes_cache_control: false,
            takes_files: true,
            takes_tool_images: false,
            takes_top_k: false,
            searches_web: false,
            takes_custom_tools: true,
        }
    }

    /// What `provider` takes, and what the catalogue's row says of a model.
    pub fn of(model: &'a str, provider: &Provider, row: Option<&ModelEntry>) -> Self {
        let is = |flag: &str| row.and_then(|row| row.flag(flag)) == Some(true);
        let lowest_effort = if is("supports_none_reasoning_effort") || !provider.is_openai {
            Effort::None
        } else if is("supports_minimal_reasoning_effort") {
            Effort::Minimal
        } else {
            Effort::Low
        };
        let takes = provider.chat;
        Self {
            lowest_effort,
            is_claude: takes.claude && model.contains("claude"),
            takes_reasoning_content: takes.earlier_reasoning,
            takes_cache_control: provider.messages.takes_cache_control,
            takes_files: takes.files || provider.is_openai,
            takes_tool_images: takes.claude && model.contains("claude"),
            takes_top_k: takes.top_k,
            // Of OpenAI's models those alone that are made for it.
            searches_web: takes.web_search || (provider.is_openai && model.contains("-search")),
            takes_custom_tools: provider.is_openai,
            ..Self::openai(model, Effort::highest(row))
        }
    }

    /// The same for a model of another name.
    pub fn named(self, model: &str) -> Target<'_> {
        Target { model, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;
    use crate::providers::find;

    #[test]
    fn efforts_by_the_catalogue() {
        use Effort::{High, Low, Minimal, XHigh};
        for (provider, model, highest, lowest) in [
            ("openai", "gpt-4o", None, Low),
            ("openai", "o3-mini", Some(High), Low),
            ("openai", "gpt-5", Some(High), Minimal),
            ("openai", "gpt-5.2", Some(XHigh), Effort::None),
            ("groq", "no-such-model", None, Effort::None),
        ] {
            let row = catalog::find(provider, model);
            let target = Target::of(model, find(provider).unwrap(), row.as_ref());
            assert_eq!(target.highest_effort, highest, "{model}");
            assert_eq!(target.lowest_effort, lowest, "{model}");
        }
    }

    #[test]
    fn abilities_by_provider() {
        for (provider, model, reasoning, files, custom, claude) in [
            ("openai", "gpt-5", false, true, true, false),
            ("azure", "mine", false, true, true, false),
            ("deepseek", "deepseek-reasoner", true, false, false, false),
            (
                "databricks",
                "databricks-claude-sonnet-4",
                false,
                false,
                false,
                true,
            ),
            ("litellm_proxy", "claude-x", true, true, false, true),
            ("litellm_proxy", "gpt-x", true, true, false, false),
        ] {
            let target = Target::of(model, find(provider).unwrap(), None);
            assert_eq!(target.takes_reasoning_content, reasoning, "{provider}");
            assert_eq!(target.takes_files, files, "{provider}");
            assert_eq!(target.takes_custom_tools, custom, "{provider}");
            assert_eq!(target.is_claude, claude, "{provider} {model}");
        }
    }
}
