//! A whole answer, read from Anthropic or written for a client of it.

use super::blocks::content;
use super::usage::{self, Counts};
use super::write_blocks::{self, Ink, check};
use super::{reason_name, stop};
use crate::protocol::json_fields::{DecodeError, Fields, Path};
use crate::protocol::json_write::{self, Object};
use crate::protocol::neutral::{
    Answer, Block, Choice, Content, Dialect, NotCarried, Notes, StopReason, ToolNames, UsageReport,
    Why,
};

/// Reads the body of a successful answer.
pub fn decode_answer(body: &[u8]) -> Result<Answer, DecodeError> {
    let at = Path::Body;
    let mut fields = Fields::read(body, &at)?;
    fields.take("type");
    fields.take("role");
    let sequence = fields.text("stop_sequence", &at)?;
    let reason = fields.text("stop_reason", &at)?;
    let usage = fields
        .take("usage")
        .and_then(|usage| Counts::read(usage).report());
    let choice = Choice {
        index: 0,
        content: content(fields.take("content"), &at.field("content"))?,
        stop: reason.map(|reason| stop(&reason, sequence)),
        ..Choice::default()
    };
    Ok(Answer {
        id: fields.text("id", &at)?.unwrap_or_default(),
        model: fields.text("model", &at)?.unwrap_or_default(),
        created: None,
        choices: vec![choice],
        usage,
        service_tier: None,
        extensions: fields.rest(Dialect::Anthropic, &at)?,
    })
}

/// The body of an answer for a client of Anthropic, and what of it such a client cannot be told.
///
/// Of several choices the first is the answer. An id that is not Anthropic's becomes one.
pub fn encode_answer(answer: &Answer) -> (Vec<u8>, Vec<NotCarried>) {
    let mut notes = Notes::default();
    let mut body = Vec::with_capacity(512);
    let none = Choice::default();
    let choice = answer.choices.first().unwrap_or(&none);
    if answer.choices.len() > 1 {
        notes.add("choices", Why::Unsupported);
    }
    notes.add_some(&choice.logprobs, "logprobs", Why::Unsupported);
    let foreign = answer.extensions.foreign(Dialect::Anthropic);
    for extension in foreign.chain(choice.extensions.foreign(Dialect::Anthropic)) {
        notes.add(&extension.name, Why::Unsupported);
    }
    json_write::object(&mut body, |out| {
        out.text("id", &message_id(&answer.id));
        out.text("type", "message");
        out.text("role", "assistant");
        out.text("model", &answer.model);
        blocks(out, &choice.content, &mut notes);
        stop_fields(out, choice);
        out.extensions(&answer.extensions, Dialect::Anthropic);
        match &answer.usage {
            Some(report) => usage::write(out, report),
            None => usage::write(out, &UsageReport::default()),
        }
    });
    (body, notes.into_list())
}

/// An id in Anthropic's form.
pub fn message_id(id: &str) -> String {
    if id.starts_with("msg_") {
        id.to_owned()
    } else {
        format!("msg_{id}")
    }
}

fn blocks(out: &mut Object<'_>, blocks: &[Block], notes: &mut Notes) {
    let names = ToolNames::default();
    out.array("content", |out| {
        for (index, block) in blocks.iter().enumerate() {
            let field = || format!("content.{index}");
            match &block.content {
                Content::Text { text, .. } if text.is_empty() => continue,
                // Blocks of requests.
                Content::Image { .. } | Content::Document { .. } | Content::ToolResult(_) => {
                    notes.add(field(), Why::Unsupported);
                    continue;
                }
                _ => {}
            }
            if check(&block.content, true).is_err() {
                notes.add(field(), Why::Unsupported);
                continue;
            }
            let mut ink = Ink {
                names: &names,
                notes,
            };
            write_blocks::block(out, block, &mut ink);
        }
    });
}

fn stop_fields(out: &mut Object<'_>, choice: &Choice) {
    let holds =
        |wanted: fn(&Content) -> bool| choice.content.iter().any(|block| wanted(&block.content));
    let refused = holds(|content| matches!(content, Content::Refusal(_)));
    let calls = holds(|content| matches!(content, Content::ToolCall(_)));
    let said = choice.stop.as_ref();
    let reason = said.map_or(StopReason::EndTurn, |stop| stop.reason);
    out.text(
        "stop_reason",
        reason_name(reason_with(reason, refused, calls)),
    );
    match said.and_then(|stop| stop.sequence.as_deref()) {
        Some(sequence) => out.text("stop_sequence", sequence),
        None => out.null("stop_sequence"),
    }
}

/// What a client is told: some hosts end calls, and refusals, with an ordinary stop.
pub fn reason_with(reason: StopReason, refused: bool, calls: bool) -> StopReason {
    match reason {
        StopReason::EndTurn if refused => StopReason::Refusal,
        StopReason::EndTurn if calls => StopReason::ToolUse,
        other => other,
    }
}
