//! The model that a request is written for, and what the catalogue knows of it.

use super::thinking::ThinkingSupport;
use crate::catalog::ModelEntry;
use crate::protocol::neutral::Effort;

/// For models whose most output nobody knows (LiteLLM 1.106.2).
const UNKNOWN_MAX_TOKENS: u64 = 4096;

/// The model that a request goes to.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub model: &'a str,
    /// For clients that name no limit: Anthropic requires one.
    pub default_max_tokens: u64,
    pub thinking: ThinkingSupport,
    /// Thinks whatever is said: it takes no `disabled`.
    pub always_thinks: bool,
    /// Takes `output_config.effort`, up to
    pub takes_effort: bool,
    /// this one.
    pub highest_effort: Effort,
    /// Takes `output_format`.
    pub native_format: bool,
    /// Takes `temperature`, `top_p` and `top_k`.
    pub takes_sampling: bool,
    /// Can be made to call a tool.
    pub takes_forced_tools: bool,
    /// Takes messages of the role `system` between others.
    pub takes_mid_system: bool,
    /// Conversations that it would refuse are mended (`modify_params`).
    pub mends: bool,
}

impl<'a> Target<'a> {
    /// A model that the catalogue does not know: what is asked of it goes there as it is, where there is a way to say it.
    pub fn unknown(model: &'a str) -> Self {
        Self {
            model,
            default_max_tokens: UNKNOWN_MAX_TOKENS,
            thinking: ThinkingSupport::Either,
            always_thinks: false,
            takes_effort: true,
            highest_effort: Effort::Max,
            native_format: false,
            takes_sampling: true,
            takes_forced_tools: true,
            takes_mid_system: false,
            mends: false,
        }
    }

    /// What the catalogue's row says of a model. `most_output` is what the configuration says of its longest answer, in tokens.
    pub fn of(model: &'a str, row: Option<&ModelEntry>, most_output: Option<u64>) -> Self {
        let unknown = Self::unknown(model);
        let default_max_tokens = most_output
            .or_else(|| row?.max_output_tokens.or(row?.max_tokens))
            .unwrap_or(UNKNOWN_MAX_TOKENS);
        let Some(row) = row else {
            return Self {
                default_max_tokens,
                ..unknown
            };
        };
        let is = |flag: &str| row.flag(flag) == Some(true);
        let may = |flag: &str| row.flag(flag) != Some(false);
        let always_thinks = is("thinking_always_on");
        let thinking = match (
            is("supports_adaptive_thinking"),
            is("supports_legacy_thinking"),
        ) {
            (true, true) => ThinkingSupport::Either,
            (true, false) => ThinkingSupport::Adaptive,
            (false, _) if is("supports_reasoning") => ThinkingSupport::Budget,
            (false, _) => ThinkingSupport::None,
        };
        Self {
            default_max_tokens,
            thinking,
            always_thinks,
            takes_effort: is("supports_output_config") || is("supports_adaptive_thinking"),
            highest_effort: Effort::highest(Some(row)).unwrap_or(Effort::High),
            native_format: is("supports_native_structured_output"),
            takes_sampling: may("supports_sampling_params"),
            takes_forced_tools: match row.flag("supports_forced_tool_use") {
                Some(takes) => takes,
                // Anthropic refuses a forced choice to a model that thinks.
                None => !always_thinks,
            },
            takes_mid_system: is("supports_mid_conversation_system"),
            ..unknown
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

    #[test]
    fn what_the_catalogue_says() {
        use ThinkingSupport::{Adaptive, Budget, Either, None};
        for (model, most, thinking, always, effort, sampling, forced) in [
            (
                "claude-sonnet-4-5",
                64_000,
                Budget,
                false,
                false,
                true,
                true,
            ),
            ("claude-opus-4-5", 64_000, Budget, false, true, true, true),
            ("claude-opus-4-6", 128_000, Either, false, true, true, true),
            (
                "claude-opus-4-8",
                128_000,
                Adaptive,
                false,
                true,
                false,
                true,
            ),
            (
                "claude-fable-5",
                128_000,
                Adaptive,
                true,
                true,
                false,
                false,
            ),
            (
                "claude-haiku-5-5",
                128_000,
                Adaptive,
                false,
                true,
                false,
                true,
            ),
        ] {
            let row = catalog::find("anthropic", model).unwrap();
            let target = Target::of(model, Some(&row), Option::None);
            assert_eq!(target.default_max_tokens, most, "{model}");
            assert_eq!(target.thinking, thinking, "{model}");
            assert_eq!(target.always_thinks, always, "{model}");
            assert_eq!(target.takes_effort, effort, "{model}");
            assert_eq!(target.takes_sampling, sampling, "{model}");
            assert_eq!(target.takes_forced_tools, forced, "{model}");
            assert!(target.native_format, "{model}");
        }
        let row = catalog::find("openai", "gpt-4o").unwrap();
        assert_eq!(Target::of("m", Some(&row), Option::None).thinking, None);
        let unknown = Target::of("m", Option::None, Some(7));
        assert_eq!((unknown.default_max_tokens, unknown.thinking), (7, Either));
        assert_eq!(Target::unknown("m").default_max_tokens, 4096);
    }
}
