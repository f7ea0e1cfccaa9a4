//! Tools that OpenAI defines and the client runs: told to other models as functions, and their calls turned back into the
//! items that the client knows. Source: OpenAI's API reference.

use crate::protocol::json_fields::{DecodeError, Fields, Path};
use crate::protocol::json_write::{self, Object};
use crate::protocol::neutral::{Dialect, Raw, ToolKind};

/// What a call is to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalTool {
    LocalShell,
    Shell,
    ApplyPatch,
    /// The client looks its tools up and tells which it has found.
    ToolSearch,
}

const LOCAL_SHELL: &str = r#"{"type":"object","properties":{"command":{"type":"array","items":{"type":"string"},"description":"The program and its arguments."},"working_directory":{"type":"string"},"timeout_ms":{"type":"integer"},"env":{"type":"object","additionalProperties":{"type":"string"}},"user":{"type":"string"}},"required":["command"]}"#;
const SHELL: &str = r#"{"type":"object","properties":{"commands":{"type":"array","items":{"type":"string"},"description":"Shell commands, which may run at once."},"timeout_ms":{"type":"integer"},"max_output_length":{"type":"integer","description":"Most characters of output."}},"required":["commands"]}"#;
const APPLY_PATCH: &str = r#"{"type":"object","properties":{"type":{"type":"string","enum":["create_file","update_file","delete_file"]},"path":{"type":"string"},"diff":{"type":"string","description":"A V4A diff; not for delete_file."}},"required":["type","path"]}"#;

impl LocalTool {
    pub const ALL: [Self; 4] = [
        Self::LocalShell,
        Self::Shell,
        Self::ApplyPatch,
        Self::ToolSearch,
    ];

    /// The tool's type, which is also the function's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::LocalShell => "local_shell",
            Self::Shell => "shell",
            Self::ApplyPatch => "apply_patch",
            Self::ToolSearch => "tool_search",
        }
    }

    pub fn of_tool(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == kind)
    }

    /// The tool whose call an item of this type is.
    pub fn of_call(kind: &str) -> Option<Self> {
        Self::of_tool(kind.strip_suffix("_call")?)
    }

    /// The tool whose call an item of this type answers.
    pub fn of_output(kind: &str) -> Option<Self> {
        match kind.strip_suffix("_output")? {
            "tool_search" => Some(Self::ToolSearch),
            call => Self::of_call(call),
        }
    }

    /// The tool as a function; `None` where OpenAI itself runs it.
    pub fn function(
        self,
        fields: &mut Fields<'_>,
        at: &Path<'_>,
    ) -> Result<Option<ToolKind>, DecodeError> {
        let (description, parameters) = match self {
            Self::LocalShell => (
                Some("Runs a program on the user's computer."),
                Raw::parse(LOCAL_SHELL.as_bytes()),
            ),
            Self::Shell => (Some("Runs shell commands."), Raw::parse(SHELL.as_bytes())),
            Self::ApplyPatch => (
                Some("Creates, changes or deletes a file."),
                Raw::parse(APPLY_PATCH.as_bytes()),
            ),
            Self::ToolSearch => {
                let is_ours = fields.text("execution", at)?.as_deref() == Some("client");
                let parameters = fields.raw("parameters", at)?;
                if !is_ours || parameters.is_none() {
                    return Ok(None);
                }
                (None, parameters)
            }
        };
        let said = fields.text("description", at)?;
        Ok(Some(ToolKind::Function {
            name: self.name().to_owned(),
            description: said.or(description.map(str::to_owned)),
            parameters,
            strict: None,
        }))
    }

    /// The arguments that a call's item stands for.
    pub fn arguments(self, fields: &mut Fields<'_>, at: &Path<'_>) -> Result<String, DecodeError> {
        let name = match self {
            Self::LocalShell | Self::Shell => "action",
            Self::ApplyPatch => "operation",
            Self::ToolSearch => "arguments",
        };
        let value = fields.take(name).ok_or_else(|| at.missing(name))?;
        let at = at.field(name);
        let mut action = Fields::read(value, &at)?;
        if self == Self::LocalShell {
            action.take("type");
        }
        let rest = action.rest(Dialect::Responses, &at)?;
        let mut json = Vec::with_capacity(value.len());
        json_write::object(&mut json, |out| out.extensions(&rest, Dialect::Responses));
        Ok(String::from_utf8(json).unwrap_or_default())
    }

    /// Writes a call as the client knows it. False, with nothing written, for arguments that are none of this tool's.
    pub fn write_call(
        self,
        out: &mut Object<'_>,
        id: &str,
        call_id: &str,
        arguments: &str,
    ) -> bool {
        let at = Path::Body;
        let Ok(mut fields) = Fields::read(arguments.as_bytes(), &at) else {
            return false;
        };
        let required = match self {
            Self::LocalShell => "command",
            Self::Shell => "commands",
            Self::ApplyPatch => "path",
            Self::ToolSearch => "",
        };
        if !required.is_empty() && !fields.has(required) {
            return false;
        }
        let has_env = fields.has("env");
        if self == Self::LocalShell {
            fields.take("type");
        }
        let Ok(rest) = fields.rest(Dialect::Responses, &at) else {
            return false;
        };
        let body = |out: &mut Object<'_>| out.extensions(&rest, Dialect::Responses);
        match self {
            Self::LocalShell => {
                out.text("type", "local_shell_call");
                out.object("action", |out| {
                    out.text("type", "exec");
                    body(out);
                    if !has_env {
                        out.object("env", |_| {});
                    }
                });
            }
            Self::Shell => {
                out.text("type", "shell_call");
                out.object("action", body);
            }
            Self::ApplyPatch => {
                out.text("type", "apply_patch_call");
                out.object("operation", body);
            }
            Self::ToolSearch => {
                out.text("type", "tool_search_call");
                out.text("execution", "client");
                out.object("arguments", body);
            }
        }
        out.text("id", id);
        out.text("call_id", call_id);
        out.text("status", "completed");
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_come_back_as_items() {
        for (tool, arguments) in [
            (
                LocalTool::LocalShell,
                r#"{"command":["ls","-l"],"timeout_ms":10,"env":{}}"#,
            ),
            (
                LocalTool::Shell,
                r#"{"commands":["ls"],"max_output_length":10}"#,
            ),
            (
                LocalTool::ApplyPatch,
                r#"{"type":"update_file","path":"a","diff":"@@\n"}"#,
            ),
            (LocalTool::ToolSearch, r#"{"query":"x"}"#),
        ] {
            let mut item = Vec::new();
            json_write::object(&mut item, |out| {
                assert!(tool.write_call(out, "id_1", "call_1", arguments));
            });
            let mut fields = Fields::read(&item, &Path::Body).unwrap();
            let kind = fields.required_text("type", &Path::Body).unwrap();
            assert_eq!(LocalTool::of_call(&kind), Some(tool));
            assert_eq!(tool.arguments(&mut fields, &Path::Body).unwrap(), arguments);
        }
        let mut item = Vec::new();
        json_write::object(&mut item, |out| {
            for (tool, arguments) in [
                (LocalTool::LocalShell, "{}"),
                (LocalTool::Shell, "{\"commands\":"),
                (LocalTool::ToolSearch, "[]"),
            ] {
                assert!(!tool.write_call(out, "id_1", "call_1", arguments));
            }
        });
        assert_eq!(item, b"{}");
    }

    #[test]
    fn names_of_items() {
        assert_eq!(
            LocalTool::of_output("local_shell_call_output"),
            Some(LocalTool::LocalShell)
        );
        assert_eq!(
            LocalTool::of_output("apply_patch_call_output"),
            Some(LocalTool::ApplyPatch)
        );
        assert_eq!(
            LocalTool::of_output("tool_search_output"),
            Some(LocalTool::ToolSearch)
        );
        assert_eq!(LocalTool::of_output("computer_call_output"), None);
        for schema in [LOCAL_SHELL, SHELL, APPLY_PATCH] {
            assert!(Raw::parse(schema.as_bytes()).is_some());
        }
    }
}
