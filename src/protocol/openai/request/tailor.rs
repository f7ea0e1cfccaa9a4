//! A request as one provider takes it.

use std::borrow::Cow;

use super::Request;
use super::upstream_body::Edit;
use crate::protocol::json::{self, Field, scan_object};
use crate::protocol::json_edit::{self, Part};
use crate::protocol::openai::messages;
use crate::protocol::openai::shape::{MetadataUse, Parameters};
use crate::providers::parameters::{self as parameters, Change, Parameter, Plan, Unsupported};

/// What is edited for a provider's sake, and whole fields (`"name":value`) that are added.
#[derive(Default)]
pub(super) struct Tailored<'b> {
    pub edits: Vec<Edit<'b>>,
    pub added: Vec<u8>,
}

/// Fields that no plan changes: others decide them.
const OWN: [&str; 3] = ["model", "messages", "stream"];

pub(super) fn tailor<'b>(
    request: &'b Request<'_>,
    plan: &Plan,
) -> Result<Tailored<'b>, Unsupported> {
    let mut out = Tailored::default();
    if request.shape.metadata == MetadataUse::UserId {
        out.edits.extend(user_id_alone(request));
    }
    let own = match request.shape.parameters {
        Parameters::Planned => None,
        Parameters::Own(shared) => Some(shared),
    };
    let rules = own.is_none().then_some(&plan.messages);
    if let (Some(span), Some(rules)) = (&request.messages, rules)
        && let Some(edited) = messages::by_rules(&request.body[span.clone()], rules)
    {
        out.edits.push(Edit::replacing(span.clone(), edited));
    }
    let tools = request
        .tools
        .as_ref()
        .and_then(|span| messages::unmarked_tools(&request.body[span.clone()], rules?));
    let is_left_alone = match own {
        None => plan.leaves_alone(request.parameters),
        Some(_) => plan.settings_are_empty(),
    };
    if is_left_alone && request.wishes.is_empty() {
        if let (Some(span), Some(edited)) = (&request.tools, tools) {
            out.edits.push(Edit::replacing(span.clone(), edited));
        }
        return Ok(out);
    }
    let spans = request.fields();
    let fields: Vec<parameters::Field<'_>> = spans
        .iter()
        .map(|span| parameters::Field {
            name: std::str::from_utf8(&request.body[span.key.clone()]).unwrap_or_default(),
            value: &request.body[span.value.clone()],
        })
        .collect();
    let changes = match own {
        None => plan.apply(&fields, &request.wishes)?,
        Some(shared) => plan.settle(&fields, &request.wishes, shared),
    };
    for (place, change) in changes.fields {
        let (Some(span), Some(field)) = (spans.get(place), fields.get(place)) else {
            continue;
        };
        if OWN.contains(&field.name)
            || (field.name == Parameter::StreamOptions.name() && request.asks_usage(plan))
            || request
                .removed
                .iter()
                .any(|removed| removed.start == span.start())
        {
            continue;
        }
        let is_tools = request.tools.as_ref() == Some(&span.value);
        match change {
            Change::Remove => {
                let next = spans.get(place + 1).map(Field::start);
                out.edits.push(Edit {
                    at: span.start()..next.unwrap_or(span.value.end),
                    with: Cow::Borrowed(b""),
                    drops_last_field: next.is_none(),
                });
            }
            Change::Rename(to) => out.edits.push(Edit::named(span, to)),
            Change::Value(value) => out.edits.push(Edit::replacing(span.value.clone(), value)),
            Change::RenameAndValue(to, value) => {
                out.edits.push(Edit::named(span, to));
                out.edits.push(Edit::replacing(span.value.clone(), value));
            }
            Change::Without(paths) => {
                let unmarked = tools.as_deref().filter(|_| is_tools);
                let mut value = Cow::Borrowed(unmarked.unwrap_or(field.value));
                for path in paths {
                    if let Some(shorter) = json_edit::without(&value, &path.steps) {
                        value = Cow::Owned(shorter);
                    }
                }
                if *value != *field.value {
                    let value = value.into_owned();
                    out.edits.push(Edit::replacing(span.value.clone(), value));
                }
            }
        }
    }
    if let (Some(span), Some(edited)) = (&request.tools, tools)
        && !out
            .edits
            .iter()
            .any(|edit| edit.at.start <= span.start && span.start < edit.at.end)
    {
        out.edits.push(Edit::replacing(span.clone(), edited));
    }
    for (name, value) in changes.added {
        if !out.added.is_empty() {
            out.added.push(b',');
        }
        out.added.extend_from_slice(&json::quoted(name));
        out.added.push(b':');
        out.added.extend_from_slice(&value);
    }
    Ok(out)
}

/// `metadata` with nothing but its `user_id`.
fn user_id_alone<'b>(request: &Request<'_>) -> Option<Edit<'b>> {
    let (_, span) = request
        .addressed
        .iter()
        .find(|(key, _)| &request.body[key.clone()] == b"metadata")?;
    let alone = json_edit::object(&request.body[span.clone()], |name, _| match name {
        "user_id" => Part::Keep,
        _ => Part::Drop,
    });
    alone.map(|alone| Edit::replacing(span.clone(), alone))
}

impl Request<'_> {
    /// Every top-level field, in order: none escaped, none twice.
    fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        // It has been scanned before.
        let _ = scan_object(&self.body, |field| fields.push(field));
        fields
    }
}

impl Edit<'_> {
    fn replacing(at: std::ops::Range<usize>, with: impl Into<Cow<'static, [u8]>>) -> Self {
        Self {
            at,
            with: with.into(),
            drops_last_field: false,
        }
    }

    fn named(field: &Field, name: &'static str) -> Self {
        Self::replacing(field.key.clone(), name.as_bytes())
    }
}
