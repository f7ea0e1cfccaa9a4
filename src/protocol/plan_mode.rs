//! Whether a coding agent is making a plan: it says so to its model, in words of its own.
//!
//! The words are Claude Code's (in a reminder beside what the user says) and GitHub Copilot's (in the system prompt, or by a tool
//! that is there only then), as LiteLLM 1.106.2 knows them. They are their programs' and may change with them, so that a
//! configuration may have more.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::continuity::field;
use super::conversation_text::system;
use super::user_text::{Speaker, content_text, messages};
use crate::types::Operation;

/// In what was said since the model's last answer.
const IN_THE_LAST_TURN: [&str; 2] = ["Plan mode is active", "Plan mode still active"];
const IN_THE_SYSTEM_PROMPT: &str = "You are currently running in \"Plan\" mode.";
const TOOL: &str = "exit_plan_mode";

/// Whether a request is for a plan, by the agents' words or by one of `more`, which may stand in the system prompt or in the last
/// turn. What cannot be read is for none.
pub fn is_planning(operation: Operation, body: &[u8], more: &[String]) -> bool {
    let messages = messages(operation, body);
    let has_more = |text: &str| more.iter().any(|words| text.contains(words.as_str()));
    let system = system(operation, body, &messages);
    if system.contains(IN_THE_SYSTEM_PROMPT) || has_more(&system) {
        return true;
    }
    let last_turn = messages
        .iter()
        .rev()
        .take_while(|(speaker, _)| *speaker != Speaker::Assistant);
    let mut texts = last_turn
        .filter(|(speaker, _)| *speaker == Speaker::User)
        .filter_map(|(_, content)| content_text(content));
    texts.any(|text| IN_THE_LAST_TURN.iter().any(|words| text.contains(words)) || has_more(&text))
        || has_tool(body)
}

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(default)]
    name: Option<&'a str>,
    #[serde(default, borrow)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(default)]
    name: Option<&'a str>,
}

fn has_tool(body: &[u8]) -> bool {
    let tools = field(body, "tools").and_then(|tools| std::str::from_utf8(tools).ok());
    // Most lists have no such word at all.
    let Some(tools) = tools.filter(|tools| tools.contains(TOOL)) else {
        return false;
    };
    let tools: Vec<&RawValue> = serde_json::from_str(tools).unwrap_or_default();
    tools.into_iter().any(|tool| {
        let tool: Option<Tool<'_>> = serde_json::from_str(tool.get()).ok();
        let name = tool.and_then(|tool| {
            let of_function = tool.function.and_then(|function| function.name);
            tool.name.or(of_function)
        });
        name == Some(TOOL)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_agent() {
        let reminder = r#"{"messages": [{"role": "user", "content": [{"type": "text", "text": "<system-reminder>\nPlan mode is active. Wait.\n</system-reminder>"},
            {"type": "text", "text": "add a flag"}]}]}"#;
        let past = r#"{"messages": [{"role": "user", "content": "Plan mode is active"}, {"role": "assistant", "content": "A plan"},
            {"role": "user", "content": "go"}]}"#;
        let result = r#"{"messages": [{"role": "user", "content": "Plan mode still active"}, {"role": "tool", "content": "42"}]}"#;
        let system = r#"{"system": "Hello. You are currently running in \"Plan\" mode. Bye.", "messages": []}"#;
        let instructions =
            r#"{"instructions": "You are currently running in \"Plan\" mode.", "input": "q"}"#;
        let tool = r#"{"messages": [], "tools": [7, {"type": "function", "function": {"name": "exit_plan_mode"}}]}"#;
        let other_tool = r#"{"messages": [], "tools": [{"name": "other", "description": "not exit_plan_mode"}]}"#;
        let own = r#"{"messages": [{"role": "user", "content": "<mode>\"planning\"</mode>"}]}"#;
        for (operation, body, expected) in [
            (Operation::Messages, reminder, true),
            (Operation::Chat, past, false),
            (Operation::Chat, result, true),
            (Operation::Messages, system, true),
            (Operation::Responses, instructions, true),
            (Operation::Chat, tool, true),
            (Operation::Messages, other_tool, false),
            (Operation::Chat, own, false),
            (Operation::Chat, "7", false),
        ] {
            assert_eq!(
                is_planning(operation, body.as_bytes(), &[]),
                expected,
                "{body}"
            );
        }
        let more = ["<mode>\"planning\"".to_owned()];
        assert!(is_planning(Operation::Chat, own.as_bytes(), &more));
    }
}
