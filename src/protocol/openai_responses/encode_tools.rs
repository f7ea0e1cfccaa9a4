//! Tools and the choice among them, as the Responses API takes them.

use super::encode_request::Target;
use crate::protocol::json_fields::{Fields, Path};
use crate::protocol::json_write::{self, Array, Object};
use crate::protocol::neutral::{
    Dialect, Notes, Raw, Refused, Request, Tool, ToolChoice, ToolKind, ToolNames, Why,
};

/// Tools of OpenAI's that clients of other protocols write as they are.
const HOSTED: [&str; 6] = [
    "code_interpreter",
    "computer_use_preview",
    "file_search",
    "image_generation",
    "mcp",
    "web_search",
];

/// The `tools` array as JSON, if there is any tool. One that the provider would have to run, and does not, is refused.
pub fn write(
    request: &Request,
    target: &Target<'_>,
    names: &ToolNames,
    notes: &mut Notes,
) -> Result<Option<Vec<u8>>, Refused> {
    let mut array = Vec::new();
    let mut is_empty = true;
    let mut outcome = Ok(());
    json_write::array(&mut array, |out| {
        for (place, tool) in request.tools.iter().enumerate() {
            outcome = one(out, tool, place, target, names, notes);
            if outcome.is_err() {
                return;
            }
        }
        if let Some(options) = &request.web_search {
            outcome = chat_search(out, options, target, notes);
        }
        is_empty = out.is_empty();
    });
    outcome.map(|()| (!is_empty).then_some(array))
}

fn one(
    out: &mut Array<'_>,
    tool: &Tool,
    place: usize,
    target: &Target<'_>,
    names: &ToolNames,
    notes: &mut Notes,
) -> Result<(), Refused> {
    let field = || format!("tools.{place}");
    if tool.cache.is_some() {
        notes.add("cache_control", Why::Hint);
    }
    for extension in tool.extensions.foreign(Dialect::Responses) {
        notes.add(format!("{}.{}", field(), extension.name), Why::Unsupported);
    }
    match &tool.kind {
        ToolKind::Function {
            name,
            description,
            parameters,
            strict,
        } => out.object(|out| {
            out.text("type", "function");
            out.text("name", names.sent(name));
            out.maybe_text("description", description.as_deref());
            match parameters {
                Some(parameters) => out.raw("parameters", parameters.as_bytes()),
                None => out.raw("parameters", br#"{"type":"object","properties":{}}"#),
            }
            // Left out it is true here, and false in all other protocols.
            out.truth("strict", strict.unwrap_or(false));
            out.extensions(&tool.extensions, Dialect::Responses);
        }),
        ToolKind::Custom {
            name,
            description,
            format,
        } => out.object(|out| {
            out.text("type", "custom");
            out.text("name", names.sent(name));
            out.maybe_text("description", description.as_deref());
            if let Some(format) = format {
                write_format(out, format);
            }
            out.extensions(&tool.extensions, Dialect::Responses);
        }),
        ToolKind::Provided {
            dialect: Dialect::Responses,
            raw,
            ..
        } => out.raw(raw.as_bytes()),
        ToolKind::Provided {
            dialect: Dialect::Chat,
            kind,
            raw,
        } if HOSTED.contains(&kind.as_str()) => out.raw(raw.as_bytes()),
        ToolKind::Provided {
            dialect: Dialect::Anthropic,
            kind,
            raw,
        } if kind.starts_with("web_search_") => {
            return anthropic_search(out, raw, &field(), target, notes);
        }
        ToolKind::Provided { .. } => {
            return Err(Refused {
                field: field(),
                why: "OpenAI has no tool of this type; choose a model that has it, or leave the tool out",
            });
        }
    }
    Ok(())
}

/// A grammar is flat here; Chat Completions writes one level more.
fn write_format(out: &mut Object<'_>, format: &Raw) {
    let at = Path::Body;
    let nested = Fields::read(format.as_bytes(), &at)
        .and_then(|mut fields| fields.object("grammar", &at))
        .and_then(|inner| {
            inner
                .map(|inner| inner.rest(Dialect::Responses, &at))
                .transpose()
        });
    match nested {
        Ok(Some(grammar)) => out.object("format", |out| {
            out.text("type", "grammar");
            out.extensions(&grammar, Dialect::Responses);
        }),
        _ => out.raw("format", format.as_bytes()),
    }
}

const NO_SEARCH: &str =
    "this model cannot search the web; choose one that can, or leave the search out";

/// `web_search_options` of Chat Completions.
fn chat_search(
    out: &mut Array<'_>,
    options: &Raw,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<(), Refused> {
    let at = Path::Body;
    let mut size = None;
    let mut location = None;
    if let Ok(mut fields) = Fields::read(options.as_bytes(), &at) {
        size = fields.text("search_context_size", &at).ok().flatten();
        let inner = fields.object("user_location", &at).ok().flatten();
        location = inner.and_then(|mut inner| inner.raw("approximate", &at).ok().flatten());
        for extension in fields.rest(Dialect::Chat, &at).unwrap_or_default().0 {
            let field = format!("web_search_options.{}", extension.name);
            notes.add(field, Why::Unsupported);
        }
    }
    let field = "web_search_options";
    search(out, size.as_deref(), location.as_ref(), field, target)
}

/// Anthropic's tool of the same name.
fn anthropic_search(
    out: &mut Array<'_>,
    tool: &Raw,
    field: &str,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<(), Refused> {
    let at = Path::Body;
    let mut location = None;
    if let Ok(mut fields) = Fields::read(tool.as_bytes(), &at) {
        fields.take("type");
        fields.take("name");
        location = fields.raw("user_location", &at).ok().flatten();
        for extension in fields.rest(Dialect::Anthropic, &at).unwrap_or_default().0 {
            notes.add(format!("{field}.{}", extension.name), Why::Unsupported);
        }
    }
    search(out, None, location.as_ref(), field, target)
}

fn search(
    out: &mut Array<'_>,
    size: Option<&str>,
    location: Option<&Raw>,
    field: &str,
    target: &Target<'_>,
) -> Result<(), Refused> {
    if !target.searches_web {
        return Err(Refused {
            field: field.to_owned(),
            why: NO_SEARCH,
        });
    }
    let at = Path::Body;
    let location = location.and_then(|location| {
        let fields = Fields::read(location.as_bytes(), &at).ok()?;
        fields.rest(Dialect::Responses, &at).ok()
    });
    out.object(|out| {
        out.text("type", "web_search");
        out.maybe_text("search_context_size", size);
        if let Some(location) = &location {
            out.object("user_location", |out| {
                out.text("type", "approximate");
                for part in location.0.iter().filter(|part| part.name != "type") {
                    out.raw(&part.name, part.value.as_bytes());
                }
            });
        }
    });
    Ok(())
}

/// Writes `tool_choice`, if anything was said.
pub fn choice(out: &mut Object<'_>, request: &Request, names: &ToolNames, notes: &mut Notes) {
    match &request.tool_choice {
        None => {}
        Some(ToolChoice::Auto) => out.text("tool_choice", "auto"),
        Some(ToolChoice::None) => out.text("tool_choice", "none"),
        Some(ToolChoice::Required) => out.text("tool_choice", "required"),
        Some(ToolChoice::Named(name)) => named(out, request, name, names),
        Some(ToolChoice::Other {
            dialect: Dialect::Responses,
            raw,
        }) => out.raw("tool_choice", raw.as_bytes()),
        Some(ToolChoice::Other { .. }) => notes.add("tool_choice", Why::Unsupported),
    }
}

fn named(out: &mut Object<'_>, request: &Request, name: &str, names: &ToolNames) {
    let is_custom = request
        .tools
        .iter()
        .any(|tool| matches!(&tool.kind, ToolKind::Custom { name: custom, .. } if custom == name));
    out.object("tool_choice", |out| {
        out.text("type", if is_custom { "custom" } else { "function" });
        out.text("name", names.sent(name));
    });
}
