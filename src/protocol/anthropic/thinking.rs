//! How much a model shall think, in Anthropic's terms.

use super::target::Target;
use crate::protocol::json_write::Object;
use crate::protocol::neutral::{Effort, Notes, Reasoning, ReasoningMode, Why};

/// Fewest tokens Anthropic accepts as a budget.
const LEAST_BUDGET: u64 = 1024;

/// What a model knows of thinking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThinkingSupport {
    #[default]
    None,
    /// `thinking.budget_tokens`.
    Budget,
    /// `thinking.type` `adaptive` with `output_config.effort`.
    Adaptive,
    /// Both.
    Either,
}

/// The `thinking` of a request, and the effort beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thinking {
    form: Form,
    display: Option<String>,
    /// For `output_config.effort`.
    pub effort: Option<Effort>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Unsaid,
    Disabled,
    Budget(u64),
    Adaptive,
}

impl Thinking {
    /// `max_tokens` is what the client said; a budget that the gateway chose stays below it.
    pub fn of(
        reasoning: &Reasoning,
        target: &Target<'_>,
        max_tokens: Option<u64>,
        notes: &mut Notes,
    ) -> Self {
        let none = matches!(reasoning.effort, None | Some(Effort::None));
        if none && reasoning.mode.is_none() {
            return Self::default();
        }
        if reasoning.mode == Some(ReasoningMode::Off) {
            let form = match target.thinking {
                ThinkingSupport::None => Form::Unsaid,
                _ if target.always_thinks => {
                    notes.add("thinking", Why::Unsupported);
                    Form::Unsaid
                }
                _ => Form::Disabled,
            };
            return Self {
                form,
                ..Self::default()
            };
        }
        let has_budget = matches!(reasoning.mode, Some(ReasoningMode::Budget(_)));
        let mut thinking = match target.thinking {
            ThinkingSupport::None => {
                let field = if reasoning.mode.is_some() {
                    "thinking"
                } else {
                    "reasoning_effort"
                };
                notes.add(field, Why::Unsupported);
                Self::default()
            }
            ThinkingSupport::Either if !has_budget => Self::adaptive(reasoning),
            ThinkingSupport::Adaptive => Self::adaptive(reasoning),
            ThinkingSupport::Budget | ThinkingSupport::Either => {
                Self::budget(reasoning, max_tokens, notes)
            }
        };
        if let Some(effort) = thinking.effort {
            thinking.effort = target
                .takes_effort
                .then(|| effort.min(target.highest_effort));
            if thinking.effort != Some(effort) {
                notes.add("reasoning_effort", Why::Approximated);
            }
        }
        thinking
    }

    fn budget(reasoning: &Reasoning, max_tokens: Option<u64>, notes: &mut Notes) -> Self {
        let display = reasoning.display.clone();
        if let Some(ReasoningMode::Budget(budget)) = reasoning.mode {
            return Self {
                form: Form::Budget(budget),
                display,
                effort: reasoning.effort,
            };
        }
        let wanted = budget_of(reasoning.effort.unwrap_or(Effort::Medium));
        let budget = max_tokens.map_or(wanted, |max| wanted.min(max.saturating_sub(1)));
        if budget < LEAST_BUDGET {
            notes.add("reasoning_effort", Why::Unsupported);
            return Self::default();
        }
        Self {
            form: Form::Budget(budget),
            display,
            effort: None,
        }
    }

    fn adaptive(reasoning: &Reasoning) -> Self {
        let from_budget = match reasoning.mode {
            Some(ReasoningMode::Budget(budget)) => Some(effort_of(budget)),
            _ => None,
        };
        // Who asks by effort alone reads the thoughts as `reasoning_content`.
        let summarized = reasoning.mode.is_none().then(|| "summarized".to_owned());
        Self {
            form: Form::Adaptive,
            display: reasoning.display.clone().or(summarized),
            effort: reasoning.effort.or(from_budget).map(|effort| match effort {
                Effort::None | Effort::Minimal => Effort::Low,
                other => other,
            }),
        }
    }

    pub fn is_on(&self) -> bool {
        matches!(self.form, Form::Budget(_) | Form::Adaptive)
    }

    pub fn is_adaptive(&self) -> bool {
        self.form == Form::Adaptive
    }

    /// The budget, where there is one.
    pub fn tokens(&self) -> Option<u64> {
        match self.form {
            Form::Budget(tokens) => Some(tokens),
            _ => None,
        }
    }

    pub fn write(&self, body: &mut Object<'_>) {
        if self.form == Form::Unsaid {
            return;
        }
        body.object("thinking", |thinking| {
            let kind = match self.form {
                Form::Budget(_) => "enabled",
                Form::Adaptive => "adaptive",
                Form::Disabled | Form::Unsaid => "disabled",
            };
            thinking.text("type", kind);
            if let Form::Budget(tokens) = self.form {
                thinking.number("budget_tokens", tokens);
            }
            thinking.maybe_text("display", self.display.as_deref());
        });
    }
}

/// Budgets by effort, as LiteLLM 1.106.2 sets them.
fn budget_of(effort: Effort) -> u64 {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => 1024,
        Effort::Medium => 2048,
        Effort::High => 4096,
        Effort::XHigh => 8192,
        Effort::Max => 16384,
    }
}

/// The effort that a budget stands for, as LiteLLM 1.106.2 reads it.
pub fn effort_of(budget: u64) -> Effort {
    match budget {
        8192.. => Effort::XHigh,
        4096.. => Effort::High,
        2048.. => Effort::Medium,
        _ => Effort::Low,
    }
}
