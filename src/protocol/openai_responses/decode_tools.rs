//! Tools and the choice among them, made neutral.

use super::local_tools::LocalTool;
use super::names::{CallNames, Called, flat_name};
use crate::protocol::json_fields::{DecodeError, Fields, Path, items, text};
use crate::protocol::json_write;
use crate::protocol::neutral::{Dialect, Extension, Extensions, Raw, Tool, ToolChoice, ToolKind};

/// Most tools of a request; OpenAI takes 128.
const MOST_TOOLS: usize = 1024;

/// What has been read of a request's tools.
#[derive(Debug, Default)]
pub struct Tools {
    pub tools: Vec<Tool>,
    /// Where each of them stands, as the client spells it.
    pub places: Vec<String>,
    pub names: CallNames,
    /// A search of the web, in Chat Completions' form.
    pub web_search: Option<Raw>,
    /// What of them no other protocol can say, though the request means the same without it.
    pub left: Vec<Extension>,
}

impl Tools {
    /// Reads an array of tools and adds those whose names are new.
    pub fn read(&mut self, list: &[u8], at: &Path<'_>) -> Result<(), DecodeError> {
        for (index, value) in items(list, at)?.iter().enumerate() {
            self.tool(value, None, &at.item(index))?;
        }
        Ok(())
    }

    fn tool(
        &mut self,
        value: &[u8],
        namespace: Option<&str>,
        at: &Path<'_>,
    ) -> Result<(), DecodeError> {
        if self.tools.len() >= MOST_TOOLS {
            return Err(at.expected("one of at most 1024 tools"));
        }
        let mut fields = Fields::read(value, at)?;
        let kind = fields.required_text("type", at)?;
        if kind == "namespace" && namespace.is_none() {
            let name = fields.required_text("name", at)?;
            let inner = fields.array("tools", at)?.unwrap_or_default();
            let place = at.field("tools");
            for (index, tool) in inner.iter().enumerate() {
                self.tool(tool, Some(&name), &place.item(index))?;
            }
            return Ok(());
        }
        if kind.starts_with("web_search") {
            return self.web_search(fields, at);
        }
        let local = LocalTool::of_tool(&kind);
        let function = match (kind.as_str(), local) {
            ("function", _) => Some(function(&mut fields, namespace, at)?),
            ("custom", _) => Some(ToolKind::Custom {
                name: flat_name(namespace, &fields.required_text("name", at)?),
                description: fields.text("description", at)?,
                format: fields.raw("format", at)?,
            }),
            (_, Some(local)) => {
                let function = local.function(&mut fields, at)?;
                if function.is_some() {
                    let name = local.name().to_owned();
                    self.names.insert(name, Called::Local(local));
                }
                function
            }
            _ => None,
        };
        let kind = match function {
            Some(kind) => kind,
            None => ToolKind::Provided {
                dialect: Dialect::Responses,
                kind,
                raw: Raw::parse(value).ok_or_else(|| at.expected("a JSON value"))?,
            },
        };
        if let (Some(namespace), Some(flat)) = (namespace, kind.name()) {
            let start = namespace.len() + "__".len();
            let name = flat.get(start..).unwrap_or_default().to_owned();
            let namespace = namespace.to_owned();
            self.names
                .insert(flat.to_owned(), Called::Within { namespace, name });
        }
        let is_told_otherwise = local.is_some() || matches!(kind, ToolKind::Provided { .. });
        let is_known = |tool: &Tool| kind.name().is_some() && tool.kind.name() == kind.name();
        if !self.tools.iter().any(is_known) {
            self.places.push(super::path::spelled(&at.to_string()));
            self.tools.push(Tool {
                kind,
                cache: None,
                extensions: fields_left(fields, is_told_otherwise, at)?,
            });
        }
        Ok(())
    }

    /// Without access to the web (`external_web_access: false`, as Codex sends it of itself) it is an offer that only OpenAI
    /// can keep: other models do without it.
    fn web_search(&mut self, mut fields: Fields<'_>, at: &Path<'_>) -> Result<(), DecodeError> {
        let live = fields.truth("external_web_access", at)?;
        let size = fields.text("search_context_size", at)?;
        let location = fields.object("user_location", at)?;
        let left = |name: String, value: Raw| Extension {
            dialect: Dialect::Responses,
            name,
            value,
        };
        let place = super::path::spelled(&at.to_string());
        for unsaid in fields.rest(Dialect::Responses, at)?.0 {
            let name = format!("{place}.{}", unsaid.name);
            self.left.push(left(name, unsaid.value));
        }
        if live == Some(false) {
            self.left.push(left(place, Raw::of_text("web_search")));
            return Ok(());
        }
        let location = match location {
            Some(mut location) => {
                location.take("type");
                Some(location.rest(Dialect::Responses, &at.field("user_location"))?)
            }
            None => None,
        };
        let mut options = Vec::new();
        json_write::object(&mut options, |out| {
            out.maybe_text("search_context_size", size.as_deref());
            if let Some(location) = &location {
                out.object("user_location", |out| {
                    out.text("type", "approximate");
                    out.object("approximate", |out| {
                        out.extensions(location, Dialect::Responses);
                    });
                });
            }
        });
        self.web_search = Raw::parse(&options);
        Ok(())
    }
}

/// What a tool says beyond what is known of it. A tool that is kept whole has it all, and to one that is told as a function it
/// is of no use.
fn fields_left(
    fields: Fields<'_>,
    is_told_otherwise: bool,
    at: &Path<'_>,
) -> Result<Extensions, DecodeError> {
    if is_told_otherwise {
        return Ok(Extensions::default());
    }
    fields.rest(Dialect::Responses, at)
}

/// A function, flat as in this protocol, or nested as in Chat Completions: the SDKs take both.
fn function(
    fields: &mut Fields<'_>,
    namespace: Option<&str>,
    at: &Path<'_>,
) -> Result<ToolKind, DecodeError> {
    let mut inner = fields.object("function", at)?;
    let place = match inner {
        Some(_) => at.field("function"),
        None => *at,
    };
    let fields = inner.as_mut().unwrap_or(fields);
    let parameters = fields.raw("parameters", &place)?;
    let is_schema = parameters.as_ref().is_none_or(Raw::is_object);
    if !is_schema {
        return Err(place.field("parameters").expected("a JSON schema"));
    }
    Ok(ToolKind::Function {
        name: flat_name(namespace, &fields.required_text("name", &place)?),
        description: fields.text("description", &place)?,
        parameters,
        strict: fields.truth("strict", &place)?,
    })
}

/// Reads `tool_choice`. A choice among some tools leaves only these.
pub fn choice(value: &[u8], tools: &mut Tools) -> Result<Option<ToolChoice>, DecodeError> {
    let at = Path::Body;
    let place = at.field("tool_choice");
    if value.first() == Some(&b'"') {
        return word(&text(value, &place)?, &place).map(Some);
    }
    let mut fields = Fields::read(value, &place)?;
    let kind = fields.required_text("type", &place)?;
    Ok(match kind.as_str() {
        "function" | "custom" => {
            let namespace = fields.text("namespace", &place)?;
            let name = fields.required_text("name", &place)?;
            Some(ToolChoice::Named(flat_name(namespace.as_deref(), &name)))
        }
        "allowed_tools" => {
            let mode = fields.text("mode", &place)?;
            let allowed = fields.array("tools", &place)?.unwrap_or_default();
            let list = place.field("tools");
            if allowed.len() > MOST_TOOLS {
                return Err(list.expected("an array of at most 1024 tools"));
            }
            let mut names = Vec::with_capacity(allowed.len());
            for (index, tool) in allowed.iter().enumerate() {
                let at = list.item(index);
                let mut tool = Fields::read(tool, &at)?;
                let name = tool.text("name", &at)?;
                let kind = tool.text("type", &at)?;
                names.extend(name.or(kind));
            }
            let kept = |tool: &Tool| match &tool.kind {
                ToolKind::Provided { kind, .. } => names.contains(kind),
                other => other
                    .name()
                    .is_some_and(|name| names.iter().any(|n| n == name)),
            };
            let pairs = tools.tools.drain(..).zip(tools.places.drain(..));
            (tools.tools, tools.places) = pairs.filter(|(tool, _)| kept(tool)).unzip();
            if !names.iter().any(|name| name.starts_with("web_search")) {
                tools.web_search = None;
            }
            mode.map(|mode| word(&mode, &place.field("mode")))
                .transpose()?
        }
        kind if LocalTool::of_tool(kind).is_some() => Some(ToolChoice::Named(kind.to_owned())),
        _ => Some(ToolChoice::Other {
            dialect: Dialect::Responses,
            raw: Raw::parse(value).ok_or_else(|| place.expected("a JSON value"))?,
        }),
    })
}

fn word(word: &str, at: &Path<'_>) -> Result<ToolChoice, DecodeError> {
    match word {
        "auto" => Ok(ToolChoice::Auto),
        "none" => Ok(ToolChoice::None),
        "required" => Ok(ToolChoice::Required),
        _ => Err(at.expected("\"auto\", \"none\", \"required\" or an object")),
    }
}
