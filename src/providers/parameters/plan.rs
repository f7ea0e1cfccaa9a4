//! All rules for one deployment, compiled once.

use crate::providers::{MessageRules, Provider};

use super::name::{Parameter, ParameterSet};
use super::openai_models::family;
use super::path::Path;
use super::rule::{Action, Rule, fits};

/// The model of a deployment and what is known of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Model<'a> {
    /// What the provider is sent.
    pub name: &'a str,
    /// The model behind it, where the name is only a deployment's.
    pub base: Option<&'a str>,
    /// What stood before a deployment's name: `o_series`, `gpt5_series`.
    pub hint: Option<&'a str>,
    /// The catalogue has a row of the model; the flags below are what it says there.
    pub is_known: bool,
    pub reasons: bool,
    pub may_not_reason: Option<bool>,
    pub calls_functions: bool,
    /// Takes a temperature other than 1, and `top_p`.
    pub takes_sampling: Option<bool>,
}

/// What the configuration says for one deployment.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Leave out what is not served.
    pub drop_params: bool,
    /// Left out in any case.
    pub additional_drop_params: Vec<Path>,
    /// Sent in any case, as they are.
    pub allowed_openai_params: Vec<String>,
    /// Fields for requests that do not have them, as JSON texts.
    pub defaults: Vec<(String, Vec<u8>)>,
}

/// See the module. [`Plan::default`] is for a host that takes everything.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) actions: Vec<Action>,
    /// Parameters whose action may change a request.
    touched: ParameterSet,
    pub(super) settings: Settings,
    /// Defaults that every chat of the provider gets.
    pub(super) added: Vec<(String, Vec<u8>)>,
    /// Taken out wherever they stand.
    pub(super) stripped: Vec<Path>,
    /// Reasons only when asked to.
    pub(super) may_not_reason: bool,
    /// A stream is asked for its usage.
    pub asks_usage: bool,
    pub messages: MessageRules,
    /// See [`Provider::says_reasoning`].
    pub says_reasoning: bool,
    /// See [`Provider::is_openai`].
    pub is_openai: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            provider: String::new(),
            model: String::new(),
            actions: Vec::new(),
            touched: ParameterSet::default(),
            settings: Settings::default(),
            added: Vec::new(),
            stripped: Vec::new(),
            may_not_reason: false,
            asks_usage: true,
            messages: MessageRules {
                knows_developer: true,
                takes_cache_control: true,
                ..MessageRules::default()
            },
            says_reasoning: false,
            is_openai: false,
        }
    }
}

/// Parameters that the provider does not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    pub provider: String,
    pub model: String,
    pub parameters: Vec<String>,
}

impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            provider,
            model,
            parameters,
        } = self;
        let names: Vec<String> = parameters.iter().map(|name| format!("'{name}'")).collect();
        let names = names.join(", ");
        write!(
            f,
            "{provider} does not support parameters: [{names}], for model={model}. Leave them out, or have the gateway do \
             it with `drop_params: true` (in the request, the deployment or litellm_settings); to send them as they are, \
             use allowed_openai_params=[{names}]"
        )
    }
}

impl Plan {
    /// Compiles the rules of `provider`, which is shown as `name`.
    pub fn compile(provider: &Provider, name: &str, model: &Model<'_>, settings: Settings) -> Self {
        let added = provider.added.iter();
        let added = added.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        let mut actions = vec![Action::Keep; Parameter::ALL.len()];
        let mut set = |parameter: Parameter, action: Action| actions[parameter.index()] = action;
        set(Parameter::User, Action::LeaveOut);
        // Reasoning parameters are for models that reason; of a model that nobody knows nothing is assumed.
        if model.is_known && !model.reasons {
            set(Parameter::ReasoningEffort, Action::Refuse);
            set(Parameter::Verbosity, Action::Refuse);
        }
        for rule in &provider.rules {
            match rule {
                Rule::Parameter {
                    models,
                    parameter,
                    action,
                } => {
                    let refused_already = *action != Action::Refuse
                        && *parameter == Parameter::ReasoningEffort
                        && model.is_known
                        && !model.reasons;
                    let meant =
                        models.is_empty() || models.iter().any(|pattern| fits(pattern, model.name));
                    if meant && !refused_already {
                        set(*parameter, action.clone());
                    }
                }
                Rule::Only(served) => {
                    let refused = Parameter::ALL.iter().filter(|own| !served.contains(own));
                    refused.for_each(|parameter| set(*parameter, Action::Refuse));
                    set(Parameter::User, Action::LeaveOut);
                    set(Parameter::StreamOptions, Action::LeaveOut);
                }
                Rule::ToolsByCatalogue if model.is_known && !model.calls_functions => {
                    use Parameter::*;
                    for parameter in [
                        Tools,
                        ToolChoice,
                        ParallelToolCalls,
                        Functions,
                        FunctionCall,
                    ] {
                        set(parameter, Action::Refuse);
                    }
                }
                Rule::ToolsByCatalogue => {}
                Rule::SendsUser => set(Parameter::User, Action::Keep),
                // Anthropic's newer models (its API reference).
                Rule::AnthropicModels if model.takes_sampling == Some(false) => {
                    set(Parameter::Temperature, Action::OnlyOne);
                    set(Parameter::TopP, Action::Refuse);
                }
                Rule::AnthropicModels => {}
                Rule::OpenAiModels => {
                    let family = family(
                        model.base.unwrap_or(model.name),
                        model.hint,
                        model.may_not_reason,
                    );
                    for parameter in Parameter::ALL {
                        let action = family.action(*parameter);
                        if action != Action::Keep {
                            set(*parameter, action);
                        }
                    }
                }
            }
        }
        for name in &settings.allowed_openai_params {
            if let Some(parameter) = Parameter::of_field(name.as_bytes()) {
                actions[parameter.index()] = Action::Keep;
            }
        }
        let mut touched = ParameterSet::default();
        for parameter in Parameter::ALL {
            if actions[parameter.index()] != Action::Keep {
                touched.insert(*parameter);
            }
        }
        Self {
            provider: name.to_owned(),
            model: model.name.to_owned(),
            asks_usage: actions[Parameter::StreamOptions.index()] == Action::Keep,
            actions,
            touched,
            stripped: provider.stripped.clone(),
            may_not_reason: model.may_not_reason.unwrap_or_default(),
            messages: provider.messages,
            says_reasoning: provider.says_reasoning,
            is_openai: provider.is_openai,
            settings,
            added: added.collect(),
        }
    }

    /// Whether a request with these parameters, and no wishes of its own, goes on as it is.
    pub fn leaves_alone(&self, present: ParameterSet) -> bool {
        !self.touched.meets(present)
            && self.settings_are_empty()
            && self.added.is_empty()
            && (self.stripped.is_empty() || !present.contains(Parameter::Tools))
    }

    /// Nothing is said of what every request gets or loses.
    pub fn settings_are_empty(&self) -> bool {
        self.settings.defaults.is_empty() && self.settings.additional_drop_params.is_empty()
    }

    pub(super) fn action(&self, parameter: Parameter) -> &Action {
        const KEEP: &Action = &Action::Keep;
        self.actions.get(parameter.index()).unwrap_or(KEEP)
    }

    /// The names of OpenAI's parameters that reach the provider, in any form.
    pub fn supported(&self) -> impl Iterator<Item = &'static str> + '_ {
        let served = |parameter: &&Parameter| {
            !matches!(self.action(**parameter), Action::Refuse | Action::LeaveOut)
        };
        Parameter::ALL.iter().filter(served).map(|own| own.name())
    }
}

#[cfg(test)]
mod tests;
