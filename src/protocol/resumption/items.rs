//! The items of a response as they passed: its last event repeats them.

use crate::protocol::json::{plain_str, scan_object};

/// Most bytes of whole items that are kept.
const MOST_OUTPUT: usize = 4 * 1024 * 1024;

/// What an open item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenItem {
    Message,
    Reasoning,
}

/// Where a stream of the Responses API stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Items {
    /// The number of the next event.
    pub sequence: u64,
    /// How many items are whole.
    pub count: u64,
    /// Those items as JSON, with commas between.
    pub output: Vec<u8>,
    pub open: Option<OpenItem>,
    /// The id of the item that is open.
    pub open_id: String,
    /// Whole parts of the open item as JSON, with commas between.
    pub parts: Vec<u8>,
    pub part_count: u64,
    /// A part of the open item has begun.
    pub has_part: bool,
    /// Of the end of the open part, which several events tell, the last has not passed.
    pub is_closing: bool,
    /// Text of the open part, or of the open thought's summary.
    pub text: String,
    /// Annotations of the open part as JSON, with commas between.
    pub annotations: Vec<u8>,
    pub cited: u64,
}

impl Items {
    /// More has passed than is kept.
    pub(super) fn is_too_large(&self) -> bool {
        self.output.len() > MOST_OUTPUT
    }

    /// Reads one event's data.
    pub(super) fn event(&mut self, data: &[u8]) {
        let mut kind = None;
        let (mut inner, mut delta) = (None, None);
        // Of what cannot be read the decoder tells.
        let _ = scan_object(data, |field| {
            let value = field.value.clone();
            match &data[field.key] {
                b"type" => kind = plain_str(data, &value),
                b"sequence_number" => {
                    let number: Option<u64> = serde_json::from_slice(&data[value]).ok();
                    self.sequence = number.map_or(self.sequence, |number| number + 1);
                }
                b"item" | b"part" | b"annotation" => inner = Some(&data[value]),
                b"delta" => delta = Some(&data[value]),
                _ => {}
            }
        });
        let inner = inner.unwrap_or_default();
        match kind.unwrap_or_default() {
            "response.output_item.added" => {
                self.close();
                (self.open, self.open_id) = began(inner);
            }
            "response.output_item.done" => {
                add(&mut self.output, &mut self.count, inner);
                self.close();
            }
            "response.content_part.added" | "response.reasoning_summary_part.added" => {
                self.has_part = true;
            }
            "response.content_part.done" => {
                let (mut parts, mut count) = (std::mem::take(&mut self.parts), self.part_count);
                add(&mut parts, &mut count, inner);
                let open = (self.open, std::mem::take(&mut self.open_id));
                self.close();
                (self.open, self.open_id) = open;
                (self.parts, self.part_count) = (parts, count);
            }
            "response.output_text.done"
            | "response.reasoning_summary_text.done"
            | "response.reasoning_summary_part.done" => self.is_closing = true,
            "response.output_text.delta" | "response.reasoning_summary_text.delta" => {
                let text: Option<String> = delta.and_then(|text| serde_json::from_slice(text).ok());
                self.text.push_str(&text.unwrap_or_default());
            }
            "response.output_text.annotation.added" => {
                add(&mut self.annotations, &mut self.cited, inner);
            }
            _ => {}
        }
    }

    /// Nothing is open.
    fn close(&mut self) {
        self.open = None;
        self.open_id.clear();
        self.parts.clear();
        self.part_count = 0;
        self.has_part = false;
        self.is_closing = false;
        self.text.clear();
        self.annotations.clear();
        self.cited = 0;
    }
}

fn add(list: &mut Vec<u8>, count: &mut u64, item: &[u8]) {
    if *count > 0 {
        list.push(b',');
    }
    list.extend_from_slice(item);
    *count += 1;
}

/// What an item is that began, and its id.
fn began(item: &[u8]) -> (Option<OpenItem>, String) {
    let (mut open, mut id) = (None, String::new());
    // Of what cannot be read the decoder tells.
    let _ = scan_object(item, |field| {
        let text = plain_str(item, &field.value).unwrap_or_default();
        match &item[field.key] {
            b"id" => text.clone_into(&mut id),
            b"type" => {
                open = match text {
                    "message" => Some(OpenItem::Message),
                    "reasoning" => Some(OpenItem::Reasoning),
                    _ => None,
                }
            }
            _ => {}
        }
    });
    (open, id)
}
