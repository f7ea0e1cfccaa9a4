//! OpenAI's own models refuse parameters by family (OpenAI's API reference; LiteLLM 1.106.2 where both say the same).

use super::name::Parameter;
use super::rule::Action;

/// A family that shares its refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Everything is served.
    Plain,
    /// o1, o3, o4-mini …
    OSeries,
    /// gpt-5 and gpt-6, but for their chat and search variants.
    Gpt5 {
        /// It can be told not to reason, and does not unless it is told to.
        may_not_reason: bool,
    },
}

/// The family of a model's name; `hint` is what stood before it (`o_series`, `gpt5_series`), `may_not_reason` what the
/// catalogue says of it.
pub fn family(model: &str, hint: Option<&str>, may_not_reason: Option<bool>) -> Family {
    let name = model.rsplit('/').next().unwrap_or(model);
    let name = name.strip_prefix("ft:").unwrap_or(name);
    let mut letters = name.bytes();
    let o_series = letters.next() == Some(b'o')
        && letters.next().is_some_and(|digit| digit.is_ascii_digit())
        && matches!(letters.next(), None | Some(b'-' | b':'));
    let gpt5 = name.starts_with("gpt-5") || name.starts_with("gpt-6");
    let ordinary =
        name.starts_with("gpt-5-chat") || name.contains("-chat") || name.contains("-search");
    match hint {
        Some("o_series") => Family::OSeries,
        _ if o_series => Family::OSeries,
        _ if (gpt5 && !ordinary) || hint == Some("gpt5_series") => Family::Gpt5 {
            may_not_reason: may_not_reason.unwrap_or_default(),
        },
        _ => Family::Plain,
    }
}

impl Family {
    /// What the family does with a parameter.
    pub fn action(self, parameter: Parameter) -> Action {
        use Parameter::*;
        match (self, parameter) {
            (Self::Plain, _) => Action::Keep,
            (_, MaxTokens) => Action::Rename(MaxCompletionTokens.name()),
            (Self::OSeries, Logprobs | TopLogprobs | TopP | PresencePenalty | FrequencyPenalty) => {
                Action::Refuse
            }
            (Self::OSeries, Temperature) => Action::OnlyOne,
            (
                Self::Gpt5 { .. },
                PresencePenalty | FrequencyPenalty | Stop | LogitBias | Modalities | Prediction
                | Audio | WebSearchOptions,
            ) => Action::Refuse,
            (
                Self::Gpt5 {
                    may_not_reason: true,
                },
                Logprobs | TopLogprobs | TopP,
            ) => Action::WithoutReasoning,
            (
                Self::Gpt5 {
                    may_not_reason: true,
                },
                Temperature,
            ) => Action::OneOrWithoutReasoning,
            (
                Self::Gpt5 {
                    may_not_reason: false,
                },
                Logprobs | TopLogprobs | TopP,
            ) => Action::Refuse,
            (
                Self::Gpt5 {
                    may_not_reason: false,
                },
                Temperature,
            ) => Action::OnlyOne,
            _ => Action::Keep,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families() {
        let gpt5 = |may_not_reason| Family::Gpt5 { may_not_reason };
        for (model, hint, none, expected) in [
            ("gpt-4o", None, None, Family::Plain),
            ("gpt-4o-2024-08-06", None, None, Family::Plain),
            ("o1", None, None, Family::OSeries),
            ("o3-mini", None, None, Family::OSeries),
            ("ft:o4-mini:org::id", None, None, Family::OSeries),
            ("o1x", None, None, Family::Plain),
            ("omni-moderation-latest", None, None, Family::Plain),
            ("gpt-5", None, Some(false), gpt5(false)),
            ("gpt-5.1", None, Some(true), gpt5(true)),
            ("gpt-5-mini", None, None, gpt5(false)),
            ("gpt-5-chat-latest", None, None, Family::Plain),
            ("gpt-5.1-chat-latest", None, None, Family::Plain),
            ("gpt-5-search-api", None, None, Family::Plain),
            ("mine", Some("o_series"), None, Family::OSeries),
            ("mine", Some("gpt5_series"), None, gpt5(false)),
            ("openai/gpt-5", None, None, gpt5(false)),
        ] {
            assert_eq!(family(model, hint, none), expected, "{model}");
        }
    }
}
