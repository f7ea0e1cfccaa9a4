//! Tools and the choice among them, as they are written.

use super::encode_request::FORMAT_TOOL;
use super::needs::refused;
use super::write_blocks::cache_control;
use crate::protocol::json_fields::{Fields, Path};
use crate::protocol::json_write::{Array, Object};
use crate::protocol::neutral::{
    Content, Dialect, Notes, OutputFormat, Raw, Refused, Request, Tool, ToolChoice, ToolKind,
    ToolNames, Why, free_text,
};

/// Fields of a tool that clients of other protocols send for Anthropic's sake.
const PASSED: [&str; 4] = [
    "defer_loading",
    "allowed_callers",
    "input_examples",
    "eager_input_streaming",
];

/// Beginnings of the types of Anthropic's own tools, with the beta each needs.
const PROVIDED: [(&str, Option<&str>); 12] = [
    ("web_search_", None),
    ("web_fetch_", Some("web-fetch-2025-09-10")),
    ("bash_", None),
    ("text_editor_", None),
    ("code_execution_20250825", Some("code-execution-2025-08-25")),
    ("code_execution_", Some("code-execution-2025-05-22")),
    ("memory_", Some("context-management-2025-06-27")),
    ("computer_20241022", Some("computer-use-2024-10-22")),
    ("computer_20250124", Some("computer-use-2025-01-24")),
    ("computer_20251124", Some("computer-use-2025-11-24")),
    ("tool_search_tool_", Some("advanced-tool-use-2025-11-20")),
    ("advisor_", Some("advisor-tool-2026-03-01")),
];

/// The beta that a tool of this type needs.
pub fn beta_of_tool(kind: &str) -> Option<&'static str> {
    PROVIDED
        .iter()
        .find(|(start, _)| kind.starts_with(start))?
        .1
}

/// The schema of a tool that takes nothing.
const NO_PARAMETERS: &[u8] = br#"{"type":"object","properties":{}}"#;

/// Writes one tool, and says which beta it needs.
pub fn write(
    out: &mut Array<'_>,
    tool: &Tool,
    place: usize,
    names: &ToolNames,
    betas: &mut Vec<&'static str>,
    notes: &mut Notes,
) -> Result<(), Refused> {
    match &tool.kind {
        ToolKind::Function {
            name,
            description,
            parameters,
            strict,
        } => {
            if tool.extensions.0.iter().any(|extension| {
                ["allowed_callers", "input_examples"].contains(&extension.name.as_str())
            }) {
                betas.push("advanced-tool-use-2025-11-20");
            }
            out.object(|out| {
                out.text("type", "custom");
                out.text("name", names.sent(name));
                out.maybe_text("description", description.as_deref());
                let parameters = parameters.as_ref().map_or(NO_PARAMETERS, Raw::as_bytes);
                out.raw("input_schema", parameters);
                if let Some(strict) = strict {
                    out.truth("strict", *strict);
                }
                cache_control(out, tool.cache.as_ref());
                for extension in &tool.extensions.0 {
                    if extension.dialect == Dialect::Anthropic
                        || PASSED.contains(&extension.name.as_str())
                    {
                        out.raw(&extension.name, extension.value.as_bytes());
                    } else {
                        let field = format!("tools.{place}.{}", extension.name);
                        notes.add(field, Why::Unsupported);
                    }
                }
            });
            Ok(())
        }
        ToolKind::Custom {
            name,
            description,
            format,
        } => {
            out.object(|out| {
                out.text("type", "custom");
                out.text("name", names.sent(name));
                let told = free_text::description(description.as_deref(), format.as_ref());
                out.text("description", &told);
                out.raw("input_schema", free_text::SCHEMA);
                cache_control(out, tool.cache.as_ref());
            });
            Ok(())
        }
        ToolKind::Provided { dialect, kind, raw } => {
            let known = PROVIDED.iter().find(|(start, _)| kind.starts_with(start));
            if let Some((_, Some(beta))) = known {
                betas.push(beta);
            }
            match (dialect, known) {
                (Dialect::Anthropic, _) => out.raw(raw.as_bytes()),
                (Dialect::Chat, Some(_)) => from_chat(out, kind, raw),
                (Dialect::Chat, None) | (Dialect::Responses, _) => {
                    return Err(refused(
                        format!("tools.{place}"),
                        "Anthropic has no tool of this type",
                    ));
                }
            }
            Ok(())
        }
    }
}

/// An Anthropic tool in a chat request. LiteLLM's clients write the computer's screen into `function.parameters`.
fn from_chat(out: &mut Array<'_>, kind: &str, raw: &Raw) {
    let at = Path::Body;
    let function = Fields::read(raw.as_bytes(), &at)
        .ok()
        .and_then(|mut fields| fields.object("function", &at).ok().flatten());
    let Some(mut function) = function else {
        return out.raw(raw.as_bytes());
    };
    let name = function.text("name", &at).ok().flatten();
    let parameters = function.object("parameters", &at).ok().flatten();
    let settings = parameters.and_then(|fields| fields.rest(Dialect::Chat, &at).ok());
    out.object(|out| {
        out.text("type", kind);
        out.text("name", name.as_deref().unwrap_or("computer"));
        for setting in settings.unwrap_or_default().0 {
            out.raw(&setting.name, setting.value.as_bytes());
        }
    });
}

/// OpenAI's `web_search_options` as Anthropic's tool; the size of the context becomes a number of searches, as in LiteLLM
/// 1.106.2.
pub fn web_search(out: &mut Array<'_>, options: &Raw, notes: &mut Notes) {
    let at = Path::Body;
    let fields = Fields::read(options.as_bytes(), &at);
    let mut size = None;
    let mut place = None;
    if let Ok(mut fields) = fields {
        size = fields.text("search_context_size", &at).ok().flatten();
        let location = fields.object("user_location", &at).ok().flatten();
        place =
            location.and_then(|mut location| location.object("approximate", &at).ok().flatten());
        for extension in fields.rest(Dialect::Chat, &at).unwrap_or_default().0 {
            let field = format!("web_search_options.{}", extension.name);
            notes.add(field, Why::Unsupported);
        }
    }
    out.object(|out| {
        out.text("type", "web_search_20250305");
        out.text("name", "web_search");
        match size.as_deref() {
            Some("low") => out.number("max_uses", 1),
            Some("medium") => out.number("max_uses", 5),
            Some("high") => out.number("max_uses", 10),
            _ => {}
        }
        if let Some(place) = place {
            out.object("user_location", |out| {
                out.text("type", "approximate");
                for part in place.rest(Dialect::Chat, &at).unwrap_or_default().0 {
                    if part.name != "type" {
                        out.raw(&part.name, part.value.as_bytes());
                    }
                }
            });
        }
    });
}

/// The tool whose arguments are the answer in the format that was asked for.
pub fn format_tool(out: &mut Array<'_>, format: &OutputFormat) {
    let (schema, description): (&[u8], _) = match format {
        OutputFormat::Schema {
            schema,
            description,
            ..
        } => (schema.as_bytes(), description.as_deref()),
        _ => (br#"{"type":"object","additionalProperties":true}"#, None),
    };
    out.object(|out| {
        out.text("type", "custom");
        out.text("name", FORMAT_TOOL);
        let said = description.unwrap_or("Give the answer as the arguments of this tool.");
        out.text("description", said);
        out.raw("input_schema", schema);
    });
}

/// A history with calls needs a tool, or Anthropic refuses it.
pub fn stand_in(out: &mut Array<'_>) {
    out.object(|out| {
        out.text("type", "custom");
        out.text("name", "unavailable_tool");
        out.text(
            "description",
            "Tools were available earlier and no longer are.",
        );
        out.raw("input_schema", NO_PARAMETERS);
    });
}

/// The history holds calls or results.
pub fn are_in_history(request: &Request) -> bool {
    let blocks = request.messages.iter().flat_map(|message| &message.content);
    blocks
        .map(|block| &block.content)
        .any(|content| matches!(content, Content::ToolCall(_) | Content::ToolResult(_)))
}

/// What decides the choice beside what the client said.
#[derive(Clone, Copy, Debug)]
pub struct ChoiceLimits {
    /// The model takes a forced choice, and does not think: both at once is refused by Anthropic.
    pub may_force: bool,
    /// The format tool is there, alone or with the client's.
    pub format_tool: bool,
    pub has_others: bool,
}

/// Writes `tool_choice`, if anything is to be said.
pub fn choice(
    out: &mut Object<'_>,
    request: &Request,
    limits: ChoiceLimits,
    names: &ToolNames,
    notes: &mut Notes,
) {
    let said = match &request.tool_choice {
        Some(ToolChoice::Other { dialect, raw }) if *dialect == Dialect::Anthropic => {
            return out.raw("tool_choice", raw.as_bytes());
        }
        Some(ToolChoice::Other { .. }) => {
            notes.add("tool_choice", Why::Unsupported);
            None
        }
        other => other.clone(),
    };
    let wanted = match said {
        None | Some(ToolChoice::Auto) if limits.format_tool && limits.has_others => {
            Some(ToolChoice::Required)
        }
        None | Some(ToolChoice::Auto | ToolChoice::None) if limits.format_tool => {
            Some(ToolChoice::Named(FORMAT_TOOL.to_owned()))
        }
        other => other,
    };
    let forces = matches!(wanted, Some(ToolChoice::Required | ToolChoice::Named(_)));
    let wanted = if forces && !limits.may_force {
        notes.add("tool_choice", Why::Approximated);
        Some(ToolChoice::Auto)
    } else {
        wanted
    };
    let serial = request.parallel_tool_calls.map(|parallel| !parallel);
    let wanted = wanted.or((serial == Some(true)).then_some(ToolChoice::Auto));
    let Some(wanted) = wanted else {
        return;
    };
    out.object("tool_choice", |out| {
        let kind = match &wanted {
            ToolChoice::Required => "any",
            ToolChoice::None => "none",
            ToolChoice::Named(_) => "tool",
            ToolChoice::Auto | ToolChoice::Other { .. } => "auto",
        };
        out.text("type", kind);
        if let ToolChoice::Named(name) = &wanted {
            out.text("name", names.sent(name));
        }
        if let Some(serial) = serial.filter(|_| wanted != ToolChoice::None) {
            out.truth("disable_parallel_tool_use", serial);
        }
    });
}
