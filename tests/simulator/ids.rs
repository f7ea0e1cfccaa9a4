//! The parts of an answer that differ from one to the next, each of fixed width, so that a prepared answer is renewed in place.

use std::time::{SystemTime, UNIX_EPOCH};

/// Ids and time of one answer.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// 29 characters, in every id of the answer.
    pub serial: String,
    /// `chatcmpl-` and the serial, as OpenAI's.
    pub completion: String,
    /// `req_` and 32 characters.
    pub request: String,
    /// Seconds since the Unix epoch.
    pub created: String,
}

impl Stamp {
    /// `number` counts the simulator's answers.
    pub fn new(number: u64) -> Self {
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let serial = format!("Sim{number:026}");
        Self {
            completion: format!("chatcmpl-{serial}"),
            serial,
            request: format!("req_{number:032x}"),
            created: format!("{seconds:010}"),
        }
    }

    /// The id of a text completion: the same without `chat`.
    pub fn text_completion(&self) -> &str {
        self.completion
            .strip_prefix("chat")
            .unwrap_or(&self.completion)
    }

    fn texts(&self) -> [&str; 3] {
        [&self.serial, &self.request, &self.created]
    }
}

/// Where a prepared answer carries its stamp.
#[derive(Clone, Debug, Default)]
pub struct Marks(Vec<(usize, usize)>);

impl Marks {
    /// Finds every place of `stamp` in `wire`.
    pub fn find(wire: &[u8], stamp: &Stamp) -> Self {
        let places = stamp
            .texts()
            .into_iter()
            .enumerate()
            .flat_map(|(kind, text)| {
                memchr::memmem::find_iter(wire, text.as_bytes())
                    .map(move |at| (at, kind))
                    .collect::<Vec<_>>()
            });
        Self(places.collect())
    }

    /// Writes another stamp over the one that was found.
    pub fn renew(&self, wire: &mut [u8], stamp: &Stamp) {
        let texts = stamp.texts();
        for &(at, kind) in &self.0 {
            let text = texts[kind].as_bytes();
            wire[at..at + text.len()].copy_from_slice(text);
        }
    }
}
