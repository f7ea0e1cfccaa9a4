//! What a row says of one parameter, and how the table writes it.
//!
//! | written | means |
//! |---|---|
//! | `-n` | not served: left out when `drop_params` allows it, else refused |
//! | `~user` | never sent, without a word |
//! | `seed>random_seed` | sent under another name |
//! | `temperature<=1` | larger numbers become this one |
//! | `tool_choice=auto\|none` | only these values are served |
//! | `tool_choice:required>any` | one value becomes another |
//! | `reasoning_effort>thinking` | sent as `thinking: {"type": "enabled"}`, or `disabled` for `none` |
//! | `only:tools,tool_choice` | no other parameter is served |
//! | `tools?` | tools are served where the catalogue does not say otherwise |
//! | `+user` | sent, where others leave it out |
//! | `@openai` | OpenAI's own rules by model family |
//! | `@anthropic` | what Anthropic's models refuse, by the catalogue |
//! | `[grok-4*,grok-3-mini*]-stop` | only for these models |

use super::name::Parameter;

/// What happens to a parameter on its way to the provider.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Action {
    #[default]
    Keep,
    /// Not served.
    Refuse,
    LeaveOut,
    Rename(&'static str),
    AtMost(f64),
    OneOf(Vec<&'static str>),
    /// JSON strings, without quotes.
    Replace {
        from: &'static str,
        to: &'static str,
    },
    Thinking,
    /// 1 is served, nothing else.
    OnlyOne,
    /// Served while the model does not reason.
    WithoutReasoning,
    /// As above, and 1 always.
    OneOrWithoutReasoning,
}

/// One entry of a row's column.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// For models that match one of the patterns, all of them when there are none.
    Parameter {
        models: Vec<&'static str>,
        parameter: Parameter,
        action: Action,
    },
    Only(Vec<Parameter>),
    ToolsByCatalogue,
    SendsUser,
    OpenAiModels,
    AnthropicModels,
}

/// A rule that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown rule for parameters '{0}'")]
pub struct RuleError(pub &'static str);

impl Rule {
    pub fn parse(text: &'static str) -> Result<Self, RuleError> {
        let wrong = || RuleError(text);
        match text {
            "@openai" => return Ok(Self::OpenAiModels),
            "@anthropic" => return Ok(Self::AnthropicModels),
            "tools?" => return Ok(Self::ToolsByCatalogue),
            "+user" => return Ok(Self::SendsUser),
            "only" => return Ok(Self::Only(Vec::new())),
            _ => {}
        }
        if let Some(names) = text.strip_prefix("only:") {
            let served = names.split(',').map(parameter).collect::<Option<_>>();
            return served.map(Self::Only).ok_or_else(wrong);
        }
        let (models, rest) = match text.strip_prefix('[') {
            Some(rest) => {
                let (models, rest) = rest.split_once(']').ok_or_else(wrong)?;
                (models.split(',').collect(), rest)
            }
            None => (Vec::new(), text),
        };
        let (parameter, action) = action(rest).ok_or_else(wrong)?;
        Ok(Self::Parameter {
            models,
            parameter,
            action,
        })
    }
}

fn parameter(name: &str) -> Option<Parameter> {
    Parameter::of_field(name.as_bytes())
}

fn action(text: &'static str) -> Option<(Parameter, Action)> {
    if let Some(name) = text.strip_prefix('-') {
        return Some((parameter(name)?, Action::Refuse));
    }
    if let Some(name) = text.strip_prefix('~') {
        return Some((parameter(name)?, Action::LeaveOut));
    }
    if let Some((name, most)) = text.split_once("<=") {
        return Some((parameter(name)?, Action::AtMost(most.parse().ok()?)));
    }
    if let Some((name, values)) = text.split_once(':') {
        let (from, to) = values.split_once('>')?;
        return Some((parameter(name)?, Action::Replace { from, to }));
    }
    if let Some((name, values)) = text.split_once('=') {
        return Some((parameter(name)?, Action::OneOf(values.split('|').collect())));
    }
    let (name, to) = text.split_once('>')?;
    let action = match to {
        "thinking" => Action::Thinking,
        _ => Action::Rename(to),
    };
    Some((parameter(name)?, action))
}

/// Whether a model's name fits a pattern; a `*` at its end stands for any rest.
pub fn fits(pattern: &str, model: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => model.starts_with(start),
        None => model == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        let of = |parameter, action| Rule::Parameter {
            models: Vec::new(),
            parameter,
            action,
        };
        for (text, expected) in [
            ("-n", of(Parameter::N, Action::Refuse)),
            (
                "~stream_options",
                of(Parameter::StreamOptions, Action::LeaveOut),
            ),
            (
                "seed>random_seed",
                of(Parameter::Seed, Action::Rename("random_seed")),
            ),
            (
                "temperature<=1.99",
                of(Parameter::Temperature, Action::AtMost(1.99)),
            ),
            (
                "tool_choice=auto|none",
                of(Parameter::ToolChoice, Action::OneOf(vec!["auto", "none"])),
            ),
            (
                "tool_choice:required>any",
                of(
                    Parameter::ToolChoice,
                    Action::Replace {
                        from: "required",
                        to: "any",
                    },
                ),
            ),
            (
                "reasoning_effort>thinking",
                of(Parameter::ReasoningEffort, Action::Thinking),
            ),
            ("only", Rule::Only(vec![])),
            (
                "only:tools,seed",
                Rule::Only(vec![Parameter::Tools, Parameter::Seed]),
            ),
            (
                "[a*,b]-stop",
                Rule::Parameter {
                    models: vec!["a*", "b"],
                    parameter: Parameter::Stop,
                    action: Action::Refuse,
                },
            ),
        ] {
            assert_eq!(Rule::parse(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "-",
            "-x",
            "n",
            "only:x",
            "[a-n",
            "temperature<=x",
            "seed:x",
            "?",
        ] {
            assert_eq!(Rule::parse(text), Err(RuleError(text)));
        }
        assert!(fits("grok-4*", "grok-4-fast") && !fits("grok-4", "grok-4-fast"));
    }
}
