//! Tools and the choice among them, as Chat Completions takes them.

use std::collections::HashSet;

use super::encode_parts::cache_control;
use super::target::Target;
use crate::protocol::json_fields::{Fields, Path, items};
use crate::protocol::json_write::{self, Array, Object};
use crate::protocol::neutral::{
    Dialect, Notes, Raw, Refused, Request, Tool, ToolChoice, ToolKind, ToolNames, Why, free_text,
};

/// What a request's tools become.
#[derive(Debug, Default)]
pub struct Tools {
    /// The `tools` array, if there is any.
    pub array: Option<Vec<u8>>,
    pub web_search: Option<Raw>,
    /// Names, as they are sent, of tools of free text that became functions.
    pub free_text: HashSet<String>,
}

/// Writes the tools. One that the provider would have to run, and does not, is refused: without it the request asks for
/// something else.
pub fn write(
    request: &Request,
    target: &Target<'_>,
    names: &ToolNames,
    notes: &mut Notes,
) -> Result<Tools, Refused> {
    let mut tools = Tools {
        web_search: request.web_search.clone(),
        ..Tools::default()
    };
    let mut array = Vec::new();
    let mut is_empty = true;
    let mut outcome = Ok(());
    json_write::array(&mut array, |out| {
        for (place, tool) in request.tools.iter().enumerate() {
            outcome = match &tool.kind {
                ToolKind::Provided {
                    dialect: Dialect::Anthropic,
                    kind,
                    raw,
                } => provided(kind, raw, place, target, &mut tools, notes),
                ToolKind::Provided {
                    dialect: Dialect::Chat,
                    raw,
                    ..
                } => {
                    out.raw(raw.as_bytes());
                    Ok(())
                }
                ToolKind::Provided { .. } => Err(Refused {
                    field: format!("tools.{place}"),
                    why: "this tool is run by OpenAI's Responses API, which the model behind this name is not called by",
                }),
                _ => {
                    if let ToolKind::Custom { name, .. } = &tool.kind
                        && !target.takes_custom_tools
                    {
                        tools.free_text.insert(names.sent(name).to_owned());
                    }
                    one(out, tool, place, target, names, notes);
                    Ok(())
                }
            };
            if outcome.is_err() {
                return;
            }
        }
        is_empty = out.is_empty();
    });
    outcome?;
    tools.array = (!is_empty).then_some(array);
    Ok(tools)
}

/// A tool of Anthropic's: of these only the search of the web has its like.
fn provided(
    kind: &str,
    raw: &Raw,
    place: usize,
    target: &Target<'_>,
    tools: &mut Tools,
    notes: &mut Notes,
) -> Result<(), Refused> {
    let is_search = kind.starts_with("web_search_");
    if !is_search || !target.searches_web {
        return Err(Refused {
            field: format!("tools.{place}"),
            why: if is_search {
                "this model cannot search the web; choose one that can, or leave the tool out"
            } else {
                "only Anthropic's models know this tool; choose one of them, or leave the tool out"
            },
        });
    }
    let at = Path::Body;
    let mut location = None;
    if let Ok(mut fields) = Fields::read(raw.as_bytes(), &at) {
        fields.take("type");
        fields.take("name");
        location = fields.raw("user_location", &at).ok().flatten();
        for extension in fields.rest(Dialect::Anthropic, &at).unwrap_or_default().0 {
            let field = format!("tools.{place}.{}", extension.name);
            notes.add(field, Why::Unsupported);
        }
    }
    let mut options = Vec::new();
    json_write::object(&mut options, |out| {
        if let Some(location) = &location
            && let Ok(fields) = Fields::read(location.as_bytes(), &at)
        {
            out.object("user_location", |out| {
                out.text("type", "approximate");
                out.object("approximate", |out| {
                    for part in fields.rest(Dialect::Anthropic, &at).unwrap_or_default().0 {
                        if part.name != "type" {
                            out.raw(&part.name, part.value.as_bytes());
                        }
                    }
                });
            });
        }
    });
    tools.web_search = Raw::parse(&options);
    Ok(())
}

fn one(
    out: &mut Array<'_>,
    tool: &Tool,
    place: usize,
    target: &Target<'_>,
    names: &ToolNames,
    notes: &mut Notes,
) {
    for extension in tool.extensions.foreign(Dialect::Chat) {
        notes.add(
            format!("tools.{place}.{}", extension.name),
            Why::Unsupported,
        );
    }
    out.object(|out| {
        match &tool.kind {
            ToolKind::Custom {
                name,
                description,
                format,
            } if !target.takes_custom_tools => {
                out.text("type", "function");
                out.object("function", |out| {
                    out.text("name", names.sent(name));
                    let told = free_text::description(description.as_deref(), format.as_ref());
                    out.text("description", &told);
                    out.raw("parameters", free_text::SCHEMA);
                });
            }
            ToolKind::Custom {
                name,
                description,
                format,
            } => {
                out.text("type", "custom");
                out.object("custom", |out| {
                    out.text("name", names.sent(name));
                    out.maybe_text("description", description.as_deref());
                    if let Some(format) = format {
                        out.raw("format", format.as_bytes());
                    }
                });
            }
            ToolKind::Function {
                name,
                description,
                parameters,
                strict,
            } => {
                out.text("type", "function");
                out.object("function", |out| {
                    out.text("name", names.sent(name));
                    out.maybe_text("description", description.as_deref());
                    if let Some(parameters) = parameters {
                        out.raw("parameters", parameters.as_bytes());
                    }
                    if let Some(strict) = strict {
                        out.truth("strict", *strict);
                    }
                });
            }
            // Written by `write`.
            ToolKind::Provided { .. } => {}
        }
        cache_control(out, tool.cache.as_ref(), target, notes);
        out.extensions(&tool.extensions, Dialect::Chat);
    });
}

/// Writes `tool_choice`, if anything was said.
pub fn choice(
    out: &mut Object<'_>,
    request: &Request,
    target: &Target<'_>,
    names: &ToolNames,
    notes: &mut Notes,
) {
    match &request.tool_choice {
        None => {}
        Some(ToolChoice::Auto) => out.text("tool_choice", "auto"),
        Some(ToolChoice::None) => out.text("tool_choice", "none"),
        Some(ToolChoice::Required) => out.text("tool_choice", "required"),
        Some(ToolChoice::Named(name)) => {
            let is_custom = target.takes_custom_tools
                && request.tools.iter().any(|tool| {
                    matches!(&tool.kind, ToolKind::Custom { name: custom, .. } if custom == name)
                });
            let kind = if is_custom { "custom" } else { "function" };
            out.object("tool_choice", |out| {
                out.text("type", kind);
                out.object(kind, |out| out.text("name", names.sent(name)));
            });
        }
        Some(ToolChoice::Other { dialect, raw }) if *dialect == Dialect::Chat => {
            out.raw("tool_choice", raw.as_bytes());
        }
        Some(ToolChoice::Other { .. }) => notes.add("tool_choice", Why::Unsupported),
    }
}

/// Whether OpenAI takes a schema strictly: each object says `additionalProperties: false` and requires all its properties.
pub fn is_closed(schema: &[u8]) -> bool {
    closed_to(schema, 0)
}

fn closed_to(schema: &[u8], depth: u32) -> bool {
    const DEEPEST: u32 = 10;
    let at = Path::Body;
    let Ok(mut fields) = Fields::read(schema, &at) else {
        return false;
    };
    if depth > DEEPEST {
        return false;
    }
    if let Some(properties) = fields.take("properties") {
        let required = fields.texts("required", &at).unwrap_or_default();
        let Ok(properties) = Fields::read(properties, &at)
            .and_then(|properties| properties.rest(Dialect::Chat, &at))
        else {
            return false;
        };
        let closed = fields.truth("additionalProperties", &at) == Ok(Some(false));
        let all = properties.0.iter().all(|property| {
            required.contains(&property.name) && closed_to(property.value.as_bytes(), depth + 1)
        });
        if !closed || !all {
            return false;
        }
    } else if fields.take("type") == Some(b"\"object\"") {
        return false;
    }
    let inner = ["anyOf", "allOf"].into_iter().all(|name| {
        let Some(value) = fields.take(name) else {
            return true;
        };
        items(value, &at).is_ok_and(|items| items.iter().all(|item| closed_to(item, depth + 1)))
    });
    let items = fields.take("items");
    let defs = fields.take("$defs").map(|defs| {
        let defs = Fields::read(defs, &at).and_then(|defs| defs.rest(Dialect::Chat, &at));
        defs.is_ok_and(|defs| {
            let mut all = defs.0.iter();
            all.all(|schema| closed_to(schema.value.as_bytes(), depth + 1))
        })
    });
    inner && items.is_none_or(|items| closed_to(items, depth + 1)) && defs.unwrap_or(true)
}
