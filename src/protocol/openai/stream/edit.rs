//! An event with its model replaced and its usage left out, every other byte as it came.

use std::ops::Range;

use bytes::BytesMut;

use super::chunk::UsageField;

/// Where the JSON of an event lies.
pub enum Payload {
    /// Within the event's bytes.
    Within(Range<usize>),
    /// Joined from several lines.
    Own(Vec<u8>),
}

/// The edit of one event.
pub struct EventEdit {
    pub payload: Payload,
    pub model: Option<Range<usize>>,
    pub usage_field: Option<UsageField>,
}

impl EventEdit {
    /// Appends the event for the client, with `model_json` (a JSON string, quotes included) as its model.
    pub fn write(&self, event: &[u8], model_json: &[u8], out: &mut BytesMut) {
        let payload = match &self.payload {
            Payload::Within(span) => &event[span.clone()],
            Payload::Own(bytes) => bytes,
        };
        let model = self.model.clone().map(|span| (span, model_json));
        let usage = self
            .usage_field
            .as_ref()
            .map(|field| (field.removal(payload), &b""[..]));
        let mut edits = [model, usage];
        if let [Some((model, _)), Some((usage, _))] = &edits
            && usage.start < model.start
        {
            edits.swap(0, 1);
        }
        out.extend_from_slice(b"data: ");
        let mut cursor = 0;
        for (span, with) in edits.into_iter().flatten() {
            out.extend_from_slice(&payload[cursor..span.start]);
            out.extend_from_slice(with);
            cursor = span.end;
        }
        out.extend_from_slice(&payload[cursor..]);
        out.extend_from_slice(b"\n\n");
    }
}
