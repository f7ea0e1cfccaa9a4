//! The body that goes upstream: the client's bytes, edited by span.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::Request;
use super::tailor::{self, Tailored};
use crate::protocol::json::scan_object;
use crate::providers::parameters::{Plan, Unsupported};
use crate::types::{Pieces, PiecesBuilder};

/// Bodies of this size are copied whole when they are edited; of larger ones only what changes.
const MOST_COPIED: usize = 8 * 1024;

impl Request<'_> {
    /// The body for an upstream that calls the model `model_json` (a JSON string, quotes included). Long stretches are shared
    /// with the client's body, not copied.
    ///
    /// A stream always asks for usage, because spend depends on it; the stream editor takes it out again. What the provider
    /// takes otherwise, or not at all, is edited by its `plan`.
    pub fn upstream_body(&self, model_json: &[u8], plan: &Plan) -> Result<Pieces, Unsupported> {
        let tailored = tailor::tailor(self, plan)?;
        Ok(self.tailored(model_json, plan, tailored))
    }

    /// The same for a translation, in one piece. Shared with the client's body where nothing would be edited but what a
    /// translation writes anew: the model's name and the wish for usage.
    pub fn body_to_translate(&self, model_json: &[u8], plan: &Plan) -> Result<Bytes, Unsupported> {
        let tailored = tailor::tailor(self, plan)?;
        let is_as_it_came = tailored.edits.is_empty() && tailored.added.is_empty();
        // One that only the path names, the body says `null` to, or nothing.
        let names_its_model = self.model_in_path.is_none() && self.model().is_some();
        if is_as_it_came && self.removed.is_empty() && names_its_model {
            return Ok(self.body.as_ref().clone());
        }
        Ok(self.tailored(model_json, plan, tailored).to_bytes())
    }

    fn tailored(&self, model_json: &[u8], plan: &Plan, tailored: Tailored<'_>) -> Pieces {
        const ASK: &[u8] = br#""stream_options":{"include_usage":true}"#;
        let copied = self.body.len().min(MOST_COPIED) + model_json.len() + ASK.len() + 16;
        let mut out = PiecesBuilder::with_capacity(copied);
        let mut cursor = 0;
        let mut trailing_comma = false;
        let mut edits = self.edits(model_json, plan);
        edits.extend(tailored.edits);
        edits.sort_by_key(|edit| edit.at.start);
        for edit in &edits {
            out.keep(&self.body, cursor..edit.at.start);
            out.put(&edit.with);
            cursor = edit.at.end;
            trailing_comma = edit.drops_last_field;
        }
        if trailing_comma {
            drop_space(&mut out);
            if out.last() == Some(b',') {
                out.pop();
            }
        }
        out.keep(&self.body, cursor..self.end);
        let ask: &[u8] = if self.stream_options.is_none() && self.asks_usage(plan) {
            ASK
        } else {
            b""
        };
        for more in [ask, &tailored.added] {
            if !more.is_empty() {
                drop_space(&mut out);
                if out.last() != Some(b'{') {
                    out.put(b",");
                }
                out.put(more);
            }
        }
        out.put(b"}");
        out.finish()
    }

    fn edits<'b>(&self, model_json: &'b [u8], plan: &Plan) -> Vec<Edit<'b>> {
        let mut edits = Vec::with_capacity(2 + self.removed.len());
        let model = match &self.model {
            Some(model) => (model.clone(), Cow::Borrowed(model_json)),
            // Named by the path alone. The object is never empty: its required field is there.
            None => {
                let first = memchr::memchr(b'{', &self.body).map_or(0, |brace| brace + 1);
                let field = [br#""model":"#, model_json, b","].concat();
                (first..first, Cow::Owned(field))
            }
        };
        edits.push(Edit {
            at: model.0,
            with: model.1,
            drops_last_field: false,
        });
        if let Some(options) = &self.stream_options
            && !self.include_usage
            && self.asks_usage(plan)
        {
            let with = Cow::Owned(asking_for_usage(&self.body[options.clone()]));
            edits.push(Edit {
                at: options.clone(),
                with,
                drops_last_field: false,
            });
        }
        for (field, until) in self.removed.iter().zip(&self.removed_until) {
            let at = field.start..until.unwrap_or(field.end);
            edits.push(Edit {
                at,
                with: Cow::Borrowed(b""),
                drops_last_field: until.is_none(),
            });
        }
        edits
    }
}

pub(super) struct Edit<'b> {
    pub(super) at: Range<usize>,
    pub(super) with: Cow<'b, [u8]>,
    pub(super) drops_last_field: bool,
}

/// White space at the end of an object says nothing.
fn drop_space(out: &mut PiecesBuilder) {
    while out.last().is_some_and(|byte| byte.is_ascii_whitespace()) {
        out.pop();
    }
}

/// `value` with `include_usage` true and everything else as it was.
fn asking_for_usage(value: &[u8]) -> Vec<u8> {
    let mut out = br#"{"include_usage":true"#.to_vec();
    let _ = scan_object(value, |field| {
        if &value[field.key.clone()] != b"include_usage" {
            out.push(b',');
            out.extend_from_slice(&value[field.start()..field.value.end]);
        }
    });
    out.push(b'}');
    out
}
