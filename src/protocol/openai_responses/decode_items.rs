//! The items of `input`, made messages: consecutive items of the assistant (thoughts, texts, calls) become one turn.

use super::decode_content::content;
use super::local_tools::LocalTool;
use super::names::flat_name;
use super::proofs;
use crate::protocol::json_fields::{DecodeError, Fields, Path, items, said};
use crate::protocol::neutral::{
    Block, Content, Dialect, Extensions, Message, Raw, Role, ToolCall, ToolCallKind, ToolResult,
};

/// Items that tell what OpenAI's own tools did: another model is not told of them, and needs not be.
const OF_SERVERS: [&str; 6] = [
    "code_interpreter_call",
    "computer_call",
    "file_search_call",
    "image_generation_call",
    "mcp_call",
    "web_search_call",
];

/// A conversation as far as it has been read.
#[derive(Debug, Default)]
pub struct Conversation<'a> {
    /// Instructions before all else.
    pub system: Vec<Block>,
    pub messages: Vec<Message>,
    /// The item that each block of `system` stems from, then of each message.
    pub system_places: Vec<usize>,
    pub places: Vec<Vec<usize>>,
    /// Tools that came to the conversation on its way, as JSON, with the item that brought them.
    pub tools: Vec<(usize, &'a [u8])>,
}

impl<'a> Conversation<'a> {
    /// Reads `input`: a text of the user's, or items.
    pub fn read(value: &'a [u8], at: &Path<'_>) -> Result<Self, DecodeError> {
        let mut conversation = Self::default();
        if value.first() == Some(&b'"') {
            let block = Block::text(said(value, at)?);
            conversation.add(Role::User, vec![block], 0);
            return Ok(conversation);
        }
        let list = items(value, at);
        let list = list.map_err(|error| match value.first() {
            Some(b'[') => error,
            _ => at.expected("a string or an array of items"),
        })?;
        for (place, item) in list.iter().enumerate() {
            conversation.item(item, place, &at.item(place))?;
        }
        Ok(conversation)
    }

    fn item(&mut self, value: &'a [u8], place: usize, at: &Path<'_>) -> Result<(), DecodeError> {
        let mut fields = Fields::read(value, at)?;
        let said = fields.text("type", at)?;
        let kind = said.as_deref().unwrap_or(match fields.has("role") {
            true => "message",
            false => "item_reference",
        });
        let role = match kind {
            "message" => return self.message(fields, place, at),
            "reasoning" => {
                self.assistant(reasoning(&mut fields, at)?, place);
                return Ok(());
            }
            "function_call" | "custom_tool_call" => {
                self.assistant(call(&mut fields, kind, at)?, place);
                return Ok(());
            }
            "function_call_output" | "custom_tool_call_output" => {
                let call = fields.required_text("call_id", at)?;
                let output = content(fields.take("output"), &at.field("output"))?;
                self.output(call, output, false, place);
                return Ok(());
            }
            kind if OF_SERVERS.contains(&kind) || kind == "mcp_list_tools" => Role::Assistant,
            kind => {
                if let Some(tool) = LocalTool::of_call(kind) {
                    let id = call_id(&mut fields, at)?;
                    let arguments = tool.arguments(&mut fields, at)?;
                    let call = ToolCall {
                        id,
                        name: tool.name().to_owned(),
                        arguments,
                        kind: ToolCallKind::Function,
                    };
                    self.assistant(Block::plain(Content::ToolCall(call)), place);
                    return Ok(());
                }
                if let Some(tool) = LocalTool::of_output(kind) {
                    return self.local_output(tool, &mut fields, place, at);
                }
                if kind == "additional_tools" {
                    let tools = fields.take("tools").ok_or_else(|| at.missing("tools"))?;
                    self.tools.push((place, tools));
                    return Ok(());
                }
                Role::User
            }
        };
        let unknown = Content::Unknown {
            dialect: Dialect::Responses,
            kind: kind.to_owned(),
            raw: Raw::parse(value).ok_or_else(|| at.expected("a JSON value"))?,
        };
        match role {
            Role::Assistant => self.assistant(Block::plain(unknown), place),
            _ => self.add(Role::User, vec![Block::plain(unknown)], place),
        }
        Ok(())
    }

    fn message(
        &mut self,
        mut fields: Fields<'_>,
        place: usize,
        at: &Path<'_>,
    ) -> Result<(), DecodeError> {
        let said = fields.required_text("role", at)?;
        let role = match said.as_str() {
            "system" | "developer" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => {
                let known = "\"system\", \"developer\", \"user\" or \"assistant\"";
                return Err(at.field("role").expected(known));
            }
        };
        let blocks = content(fields.take("content"), &at.field("content"))?;
        match role {
            Role::System if self.messages.is_empty() => {
                self.system_places
                    .extend(std::iter::repeat_n(place, blocks.len()));
                self.system.extend(blocks);
            }
            Role::Assistant => {
                for block in blocks {
                    self.assistant(block, place);
                }
            }
            role => self.add(role, blocks, place),
        }
        Ok(())
    }

    fn add(&mut self, role: Role, content: Vec<Block>, place: usize) {
        self.places.push(vec![place; content.len()]);
        self.messages.push(Message {
            role,
            content,
            name: None,
            extensions: Extensions::default(),
        });
    }

    /// Adds to the turn of this role that is last, or begins one.
    fn join(&mut self, role: Role, block: Block, place: usize, joins: impl Fn(&Message) -> bool) {
        match (self.messages.last_mut(), self.places.last_mut()) {
            (Some(message), Some(places)) if message.role == role && joins(message) => {
                message.content.push(block);
                places.push(place);
            }
            _ => self.add(role, vec![block], place),
        }
    }

    fn assistant(&mut self, block: Block, place: usize) {
        self.join(Role::Assistant, block, place, |_| true);
    }

    /// The results of one turn's calls stand together.
    fn output(&mut self, call: String, content: Vec<Block>, is_error: bool, place: usize) {
        let result = Content::ToolResult(ToolResult {
            call,
            content,
            is_error,
        });
        let is_result = |block: &Block| matches!(block.content, Content::ToolResult(_));
        self.join(Role::User, Block::plain(result), place, |message| {
            message.content.iter().all(is_result)
        });
    }

    fn local_output(
        &mut self,
        tool: LocalTool,
        fields: &mut Fields<'a>,
        place: usize,
        at: &Path<'_>,
    ) -> Result<(), DecodeError> {
        let call = call_id(fields, at)?;
        let failed = fields.text("status", at)?.as_deref() == Some("failed");
        let output = match tool {
            LocalTool::ToolSearch => {
                let tools = fields.take("tools").unwrap_or(b"[]");
                self.tools.push((place, tools));
                let found = Raw::parse(tools).ok_or_else(|| at.field("tools").expected("an array"));
                vec![Block::text(found?.as_str())]
            }
            LocalTool::Shell => {
                let raw = fields.raw("output", at)?;
                let raw = raw.ok_or_else(|| at.missing("output"))?;
                // Output, errors and exit codes: a model reads them as they are.
                vec![Block::text(raw.as_str())]
            }
            LocalTool::LocalShell | LocalTool::ApplyPatch => {
                content(fields.take("output"), &at.field("output"))?
            }
        };
        self.output(call, output, failed, place);
        Ok(())
    }
}

/// The id that call and output have in common; older items have but one.
fn call_id(fields: &mut Fields<'_>, at: &Path<'_>) -> Result<String, DecodeError> {
    let id = fields.text("id", at)?;
    let call = fields.text("call_id", at)?;
    call.or(id).ok_or_else(|| at.missing("call_id"))
}

fn call(fields: &mut Fields<'_>, kind: &str, at: &Path<'_>) -> Result<Block, DecodeError> {
    let is_custom = kind == "custom_tool_call";
    let name = fields.required_text("name", at)?;
    let namespace = fields.text("namespace", at)?;
    let arguments = fields.text(if is_custom { "input" } else { "arguments" }, at)?;
    Ok(Block::plain(Content::ToolCall(ToolCall {
        id: fields.required_text("call_id", at)?,
        name: flat_name(namespace.as_deref(), &name),
        arguments: arguments.unwrap_or_default(),
        kind: if is_custom {
            ToolCallKind::Custom
        } else {
            ToolCallKind::Function
        },
    })))
}

/// A reasoning item as a thought: its summary, or its content where there is no summary.
pub fn reasoning(fields: &mut Fields<'_>, at: &Path<'_>) -> Result<Block, DecodeError> {
    let id = fields.text("id", at)?.unwrap_or_default();
    let summary = texts(fields, "summary", at)?;
    let content = texts(fields, "content", at)?;
    let said = if summary.is_empty() { content } else { summary };
    let encrypted = fields.text("encrypted_content", at)?;
    let encrypted = encrypted.filter(|text| !text.is_empty());
    Ok(Block::plain(proofs::decode(
        &id,
        said.join("\n\n"),
        encrypted.as_deref(),
    )))
}

fn texts(fields: &mut Fields<'_>, name: &str, at: &Path<'_>) -> Result<Vec<String>, DecodeError> {
    let list = fields.array(name, at)?.unwrap_or_default();
    let at = at.field(name);
    let list = list.iter().enumerate();
    list.map(|(index, part)| {
        let at = at.item(index);
        Fields::read(part, &at)?.required_text("text", &at)
    })
    .collect()
}
