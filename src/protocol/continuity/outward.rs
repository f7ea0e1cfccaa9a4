//! An answer of the Responses API on its way to the client: it gets the gateway's id for the response, and marks on what only
//! its deployment can read.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use super::marks::mark;
use super::text_field;
use crate::protocol::json::{self, plain_str};
use crate::protocol::json_edit::{self, Part};
use crate::protocol::sse;

/// Most bytes of one event that are waited for; a larger one passes as it came.
const MOST_EVENT: usize = 64 * 1024 * 1024;

/// Makes the client's id of the upstream's. `None`: the client sees that one.
pub type Rename = Box<dyn FnMut(&str) -> Option<String>>;

/// What an answer's client is told instead of what the upstream says.
#[derive(Default)]
pub struct Names {
    pub response: Option<Rename>,
    /// The same for the id of the response that it follows, which may be `null`: an empty text.
    pub previous: Option<Rename>,
    /// Whose encrypted content it is.
    pub deployment: Option<String>,
}

/// The state of one answer, whole or streamed.
#[derive(Default)]
pub struct Outward {
    names: Names,
    /// Of who makes it now.
    mark: Option<Arc<str>>,
    /// Marks of encrypted content that has passed, by its hash: the last event repeats what earlier ones told, and not all of it
    /// need be of the same maker.
    marked: HashMap<u64, Arc<str>>,
    /// The upstream's id, and ours as JSON.
    known: Option<(String, Option<Vec<u8>>)>,
    /// The beginning of an event.
    held: BytesMut,
    /// The response object of the event that ended it well, as the client gets it.
    ended: Option<Bytes>,
}

impl Outward {
    pub fn new(names: Names) -> Self {
        Self {
            mark: names.deployment.as_deref().map(mark).map(Arc::from),
            names,
            ..Self::default()
        }
    }

    /// What comes from now on is made by this deployment, whose encrypted content is marked, if it has an id.
    pub fn is_made_by(&mut self, deployment: Option<&str>) {
        self.mark = deployment.map(mark).map(Arc::from);
    }

    /// The upstream's id for the response, once it was told.
    pub fn upstream_id(&self) -> Option<&str> {
        self.known.as_ref().map(|(id, _)| id.as_str())
    }

    /// The whole response as the client got it, once it has ended well.
    pub fn ended(&self) -> Option<&Bytes> {
        self.ended.as_ref()
    }

    /// A whole answer.
    pub fn whole(&mut self, answer: Bytes) -> Bytes {
        let edited = self.response(&answer).map_or(answer, Bytes::from);
        self.ended = Some(edited.clone());
        edited
    }

    /// The next bytes of a stream. Whole events go out; the beginning of one waits for its end.
    pub fn pass(&mut self, out: Bytes) -> Bytes {
        if self.held.is_empty() && is_plain(&out) {
            return out;
        }
        let all = if self.held.is_empty() {
            out
        } else {
            self.held.extend_from_slice(&out);
            std::mem::take(&mut self.held).freeze()
        };
        let mut passed = BytesMut::new();
        let mut at = 0;
        while let Some(end) = sse::event_end(&all[at..]) {
            let event = &all[at..at + end];
            match self.event(event) {
                Some(edited) => passed.extend_from_slice(&edited),
                None => passed.extend_from_slice(event),
            }
            at += end;
        }
        let rest = &all[at..];
        if rest.len() > MOST_EVENT {
            passed.extend_from_slice(rest);
        } else {
            self.held.extend_from_slice(rest);
        }
        passed.freeze()
    }

    /// What waits for an end that does not come.
    pub fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.held).freeze()
    }

    /// `None`: as it is.
    fn event(&mut self, event: &[u8]) -> Option<Vec<u8>> {
        if is_plain(event) {
            return None;
        }
        let data = sse::data(event);
        let data = data.bytes()?;
        let kind = text_field(data, "type").unwrap_or_default().to_owned();
        // What failed is not gone on from.
        let is_end = ["response.completed", "response.incomplete"].contains(&kind.as_str());
        let edited = json_edit::object(data, |name, value| match name {
            "response" => {
                let edited = self.response(value);
                if is_end {
                    let shown = edited.as_deref().unwrap_or(value);
                    self.ended = Some(Bytes::copy_from_slice(shown));
                }
                edited.map_or(Part::Keep, Part::Replace)
            }
            "item" => self.item(value).map_or(Part::Keep, Part::Replace),
            _ => Part::Keep,
        })?;
        let mut out = Vec::with_capacity(event.len() + 512);
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        out.extend_from_slice(&edited);
        out.extend_from_slice(b"\n\n");
        Some(out)
    }

    fn response(&mut self, response: &[u8]) -> Option<Vec<u8>> {
        json_edit::object(response, |name, value| match name {
            "id" => match plain_str(value, &(0..value.len())) {
                Some(id) => self.named(id).map_or(Part::Keep, Part::Replace),
                None => Part::Keep,
            },
            "previous_response_id" => {
                let id = plain_str(value, &(0..value.len())).unwrap_or_default();
                let name = self.names.previous.as_mut().and_then(|rename| rename(id));
                name.map_or(Part::Keep, |name| Part::Replace(json::quoted(&name)))
            }
            "output" => {
                let marked = json_edit::array(value, |_, item| {
                    self.item(item).map_or(Part::Keep, Part::Replace)
                });
                marked.map_or(Part::Keep, Part::Replace)
            }
            _ => Part::Keep,
        })
    }

    /// The client's name for the upstream's id: the same each time.
    fn named(&mut self, id: &str) -> Option<Vec<u8>> {
        if let Some((known, name)) = &self.known
            && known == id
        {
            return name.clone();
        }
        let name = self.names.response.as_mut().and_then(|rename| rename(id));
        let name = name.as_deref().map(json::quoted);
        self.known = Some((id.to_owned(), name.clone()));
        name
    }

    fn item(&mut self, item: &[u8]) -> Option<Vec<u8>> {
        if self.mark.is_none() && self.marked.is_empty() {
            return None;
        }
        json_edit::object(item, |name, value| match value {
            [b'"', content @ .., b'"'] if name == "encrypted_content" && !content.is_empty() => {
                let Some(mark) = self.mark_of(content) else {
                    return Part::Keep;
                };
                // Base64 needs no escapes: the mark goes in as it is.
                Part::Replace([b"\"", mark.as_bytes(), content, b"\""].concat())
            }
            _ => Part::Keep,
        })
    }

    fn mark_of(&mut self, content: &[u8]) -> Option<Arc<str>> {
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        let hash = hasher.finish();
        if let Some(mark) = self.marked.get(&hash) {
            return Some(mark.clone());
        }
        let mark = self.mark.clone()?;
        self.marked.insert(hash, mark.clone());
        Some(mark)
    }
}

/// Whole events that have nothing to edit, which is most of them.
fn is_plain(events: &[u8]) -> bool {
    (events.ends_with(b"\n\n") || events.is_empty())
        && memmem::find(events, b"\"response\"").is_none()
        && memmem::find(events, b"\"encrypted_content\"").is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn outward() -> Outward {
        Outward::new(Names {
            response: Some(Box::new(|id| Some(format!("ours-{id}")))),
            previous: Some(Box::new(|_| Some("mine".to_owned()))),
            deployment: Some("d-1".to_owned()),
        })
    }

    fn event(data: &Value) -> String {
        let kind = data["type"].as_str().unwrap();
        format!("event: {kind}\ndata: {data}\n\n")
    }

    fn stream() -> String {
        let item = json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "gAA"});
        let response = |status: &str, output: Value| json!({"id": "resp_1", "status": status, "previous_response_id": null, "output": output});
        [
            event(&json!({"type": "response.created", "response": response("in_progress", json!([]))})),
            event(&json!({"type": "response.output_item.done", "output_index": 0, "item": item})),
            ": ping\n\n".to_owned(),
            event(&json!({"type": "response.output_text.delta", "delta": "\"response\" \u{e9}\n\n"})),
            event(&json!({"type": "response.completed", "response": response("completed", json!([item]))})),
        ]
        .concat()
    }

    fn expected() -> String {
        let marked = format!("{}gAA", mark("d-1"));
        stream()
            .replace("resp_1", "ours-resp_1")
            .replace(
                "\"previous_response_id\":null",
                "\"previous_response_id\":\"mine\"",
            )
            .replace("\"gAA\"", &format!("\"{marked}\""))
    }

    #[test]
    fn a_stream_is_told_in_the_clients_names() {
        let mut outward = outward();
        let out = outward.pass(stream().into());
        assert_eq!(out, expected());
        assert_eq!(outward.upstream_id(), Some("resp_1"));
        let ended: Value = serde_json::from_slice(outward.ended().unwrap()).unwrap();
        assert_eq!(ended["id"], "ours-resp_1");
        assert_eq!(ended["status"], "completed");
    }

    #[test]
    fn a_whole_answer_is_too() {
        let body = r#"{"id":"resp_1", "n":1.0,"previous_response_id":"resp_0","output":[{"encrypted_content":""},{"encrypted_content":"x"}]}"#;
        let mut outward = outward();
        let out = outward.whole(body.into());
        let marked = format!("{}x", mark("d-1"));
        let expected = format!(
            r#"{{"id":"ours-resp_1","n":1.0,"previous_response_id":"mine","output":[{{"encrypted_content":""}},{{"encrypted_content":"{marked}"}}]}}"#
        );
        assert_eq!(out, expected);
        assert_eq!(outward.ended(), Some(&out));
    }

    #[test]
    fn nothing_to_say_changes_nothing() {
        let mut outward = Outward::default();
        assert_eq!(outward.pass(stream().into()), stream());
        assert!(outward.ended().is_some());
        let plain = Bytes::from_static(b"data: {\"delta\":\"a\"}\n\n");
        let passed = outward.pass(plain.clone());
        assert_eq!(passed.as_ptr(), plain.as_ptr(), "not copied");
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
            let stream = stream();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let mut outward = outward();
            let mut out = Vec::new();
            for pair in cuts.windows(2) {
                out.extend_from_slice(&outward.pass(Bytes::copy_from_slice(&stream.as_bytes()[pair[0]..pair[1]])));
            }
            out.extend_from_slice(&outward.finish());
            prop_assert_eq!(String::from_utf8(out).unwrap(), expected());
        }

        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut outward = outward();
            let _ = outward.pass([b"data: {\"response\":", bytes.as_slice()].concat().into());
            let _ = outward.finish();
            let _ = outward.whole(bytes.into());
        }
    }
}
