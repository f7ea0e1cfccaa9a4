//! One request against a plan.

use std::borrow::Cow;

use super::name::Parameter;
use super::path::Path;
use super::plan::{Plan, Unsupported};
use super::rule::Action;

/// A top-level field of a request: its name as text and its value as JSON.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    pub name: &'a str,
    pub value: &'a [u8],
}

/// What a request asks for itself.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// `drop_params`; beats the deployment's.
    pub drop_params: Option<bool>,
    pub additional_drop_params: Vec<Path>,
    pub allowed_openai_params: Vec<String>,
}

impl Wishes {
    pub fn is_empty(&self) -> bool {
        self.drop_params.is_none()
            && self.additional_drop_params.is_empty()
            && self.allowed_openai_params.is_empty()
    }
}

/// What becomes of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Change<'p> {
    Remove,
    Rename(&'static str),
    Value(Cow<'static, [u8]>),
    RenameAndValue(&'static str, Cow<'static, [u8]>),
    /// These places in it are taken out.
    Without(Vec<&'p Path>),
}

/// What becomes of a request.
#[derive(Debug, Default, PartialEq)]
pub struct Changes<'p> {
    /// By place in the request, ascending, each place once.
    pub fields: Vec<(usize, Change<'p>)>,
    /// Fields to add, as name and JSON.
    pub added: Vec<(&'p str, Cow<'p, [u8]>)>,
}

impl Plan {
    /// What becomes of a request with these `fields` (each name once).
    pub fn apply<'p>(
        &'p self,
        fields: &[Field<'_>],
        wishes: &'p Wishes,
    ) -> Result<Changes<'p>, Unsupported> {
        let (changes, unsupported) = self.changes(fields, wishes, None);
        let drop = wishes.drop_params.unwrap_or(self.settings.drop_params);
        if unsupported.is_empty() || drop {
            Ok(changes)
        } else {
            Err(Unsupported {
                provider: self.provider.clone(),
                model: self.model.clone(),
                parameters: unsupported,
            })
        }
    }

    /// The same for a request whose parameters are not OpenAI's chats': what the deployment and the request itself say of
    /// fields holds, the provider's rules do not. Defaults are added for `shared` parameters and for fields of other names.
    pub fn settle<'p>(
        &'p self,
        fields: &[Field<'_>],
        wishes: &'p Wishes,
        shared: &[Parameter],
    ) -> Changes<'p> {
        self.changes(fields, wishes, Some(shared)).0
    }

    /// With `own` parameters none is judged. Beside the changes the parameters that are not served.
    fn changes<'p>(
        &'p self,
        fields: &[Field<'_>],
        wishes: &'p Wishes,
        own: Option<&[Parameter]>,
    ) -> (Changes<'p>, Vec<String>) {
        let mut changes = Changes::default();
        let mut unsupported = Vec::new();
        let has = |name: &str| fields.iter().any(|field| field.name == name);
        let dropped = self
            .settings
            .additional_drop_params
            .iter()
            .chain(&wishes.additional_drop_params);
        let is_dropped = |name: &str| {
            dropped
                .clone()
                .any(|path| path.steps.is_empty() && path.field == name)
        };
        let effort = fields.iter().find(|field| field.name == "reasoning_effort");
        let reasons = match effort.map(|field| field.value) {
            None | Some(b"null") => !self.may_not_reason,
            Some(value) => value != b"\"none\"",
        };
        // Another field comes to bear this name. Of the two names for a limit the newer one counts, whichever is sent.
        let is_superseded = |name: &str| {
            own.is_none()
                && fields.iter().any(|other| {
                    let parameter = Parameter::of_field(other.name.as_bytes());
                    parameter.is_some_and(|parameter| {
                        parameter != Parameter::MaxTokens
                            && matches!(self.action(parameter), Action::Rename(to) if *to == name)
                    })
                })
        };
        let mut judge = |field: &Field<'_>| -> Option<Change<'p>> {
            if is_dropped(field.name) || is_superseded(field.name) {
                return Some(Change::Remove);
            }
            let parameter = Parameter::of_field(field.name.as_bytes());
            let allowed = wishes
                .allowed_openai_params
                .iter()
                .any(|name| name == field.name);
            if let Some(parameter) = parameter.filter(|_| !allowed && own.is_none()) {
                match decide(
                    self.action(parameter),
                    parameter,
                    field.value,
                    reasons,
                    &has,
                ) {
                    Decision::Go(change) => {
                        if change.is_some() {
                            return change;
                        }
                    }
                    Decision::Refuse => {
                        unsupported.push(field.name.to_owned());
                        return Some(Change::Remove);
                    }
                }
            }
            let stripped = self.stripped.iter().filter(|_| own.is_none());
            let inside = dropped.clone().chain(stripped);
            let paths: Vec<&Path> = inside
                .filter(|path| path.field == field.name && !path.steps.is_empty())
                .collect();
            (!paths.is_empty()).then_some(Change::Without(paths))
        };
        for (place, field) in fields.iter().enumerate() {
            if let Some(change) = judge(field) {
                changes.fields.push((place, change));
            }
        }
        let added = self.added.iter().filter(|_| own.is_none());
        for (name, value) in self.settings.defaults.iter().chain(added) {
            let parameter = Parameter::of_field(name.as_bytes());
            let is_unknown = parameter
                .zip(own)
                .is_some_and(|(parameter, shared)| !shared.contains(&parameter));
            if is_unknown || has(name) || alias_of(name).is_some_and(&has) {
                continue;
            }
            match judge(&Field { name, value }) {
                None | Some(Change::Without(_)) => changes.added.push((name, Cow::Borrowed(value))),
                Some(Change::Remove) => {}
                Some(Change::Rename(to)) => changes.added.push((to, Cow::Borrowed(value))),
                Some(Change::Value(value)) => changes.added.push((name, value)),
                Some(Change::RenameAndValue(to, value)) => changes.added.push((to, value)),
            }
        }
        (changes, unsupported)
    }
}

enum Decision {
    Go(Option<Change<'static>>),
    Refuse,
}

const KEEP: Decision = Decision::Go(None);
const REMOVE: Decision = Decision::Go(Some(Change::Remove));

fn decide(
    action: &Action,
    parameter: Parameter,
    value: &[u8],
    reasons: bool,
    has: &impl Fn(&str) -> bool,
) -> Decision {
    let number = || std::str::from_utf8(value).ok()?.parse::<f64>().ok();
    let is_one = || number() == Some(1.0);
    let refuse = || {
        // What says nothing is never refused, nor are the names that LiteLLM never refuses.
        let says_nothing = value == b"null"
            || (parameter == Parameter::N && is_one())
            || (parameter == Parameter::Tools && value == b"[]");
        let never = matches!(parameter, Parameter::User | Parameter::StreamOptions);
        if says_nothing || never {
            REMOVE
        } else {
            Decision::Refuse
        }
    };
    match action {
        Action::Keep => KEEP,
        Action::LeaveOut => REMOVE,
        Action::Refuse => refuse(),
        Action::Rename(to) if parameter == Parameter::MaxTokens && has(to) => REMOVE,
        Action::Rename(to) => Decision::Go(Some(Change::Rename(to))),
        Action::AtMost(most) if number().is_some_and(|number| number > *most) => {
            let value = format!("{most}").into_bytes();
            Decision::Go(Some(Change::Value(value.into())))
        }
        Action::AtMost(_) => KEEP,
        Action::OneOf(values) => {
            let served = text(value).is_some_and(|value| values.contains(&value));
            if served || value == b"null" {
                KEEP
            } else {
                refuse()
            }
        }
        Action::Replace { from, to } if text(value) == Some(from) => {
            let value = format!("\"{to}\"").into_bytes();
            Decision::Go(Some(Change::Value(value.into())))
        }
        Action::Replace { .. } => KEEP,
        Action::Thinking if has("thinking") || value == b"null" => REMOVE,
        Action::Thinking => {
            let value: &'static [u8] = match text(value) {
                Some("none") => br#"{"type":"disabled"}"#,
                _ => br#"{"type":"enabled"}"#,
            };
            Decision::Go(Some(Change::RenameAndValue("thinking", value.into())))
        }
        Action::OnlyOne if is_one() || value == b"null" => KEEP,
        Action::OnlyOne => refuse(),
        Action::OneOrWithoutReasoning if is_one() => KEEP,
        Action::WithoutReasoning | Action::OneOrWithoutReasoning
            if !reasons || value == b"null" =>
        {
            KEEP
        }
        Action::WithoutReasoning | Action::OneOrWithoutReasoning => refuse(),
    }
}

/// The other name of the same thing: a default for one is none for a request that has the other.
fn alias_of(name: &str) -> Option<&'static str> {
    match name {
        "max_tokens" => Some("max_completion_tokens"),
        "max_completion_tokens" => Some("max_tokens"),
        _ => None,
    }
}

/// A string value without escapes.
fn text(value: &[u8]) -> Option<&str> {
    let inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    std::str::from_utf8(inner).ok()
}
