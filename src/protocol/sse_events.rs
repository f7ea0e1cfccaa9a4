//! Whole server-sent events out of reads of any size.

use bytes::BytesMut;

use super::sse::{self, Data};

/// Most bytes kept of one unfinished event.
pub const MAX_EVENT: usize = 16 * 1024 * 1024;

/// An event is larger than [`MAX_EVENT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is larger than 16 MiB")]
pub struct TooLarge;

/// Keeps the beginning of an event until its end arrives.
#[derive(Debug, Default)]
pub struct EventReader {
    carry: BytesMut,
}

impl EventReader {
    /// Calls `visit` with the data of each event that is whole now. Comments and events without data are passed over.
    pub fn feed(&mut self, read: &[u8], mut visit: impl FnMut(&[u8])) -> Result<(), TooLarge> {
        if self.carry.is_empty() {
            let rest = whole_events(read, &mut visit);
            return self.keep(rest);
        }
        // The end may have begun in the last bytes that were looked at; before them there is none.
        let from = self.carry.len().saturating_sub(4);
        self.keep(read)?;
        if sse::event_end(self.carry.get(from..).unwrap_or_default()).is_some() {
            let whole = self.carry.split();
            let rest = whole_events(&whole, &mut visit);
            self.keep(rest)?;
        }
        Ok(())
    }

    /// The upstream ended: an event without its blank line is still an event.
    pub fn finish(&mut self, mut visit: impl FnMut(&[u8])) {
        let mut rest = self.carry.split();
        rest.extend_from_slice(b"\n\n");
        whole_events(&rest, &mut visit);
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        if self.carry.len() + bytes.len() > MAX_EVENT {
            return Err(TooLarge);
        }
        self.carry.extend_from_slice(bytes);
        Ok(())
    }
}

/// Visits the events at the front and returns what is behind the last whole one.
fn whole_events<'a>(bytes: &'a [u8], visit: &mut impl FnMut(&[u8])) -> &'a [u8] {
    let mut rest = bytes;
    while let Some(end) = sse::event_end(rest) {
        let (event, after) = rest.split_at(end);
        rest = after;
        let data = sse::data(event);
        if let Data::One(_) | Data::Joined(_) = data
            && let Some(data) = data.bytes()
            && !data.iter().all(u8::is_ascii_whitespace)
        {
            visit(data);
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_split_gives_the_same_events() {
        let bytes = "event: a\ndata: é1\n\n: ping\n\ndata: \n\ndata:2\r\n\r\ndata: 3\rdata: 4\r\rdata: last".as_bytes();
        let expected = ["é1", "2", "3\n4", "last"];
        for size in 1..=bytes.len() {
            let mut reader = EventReader::default();
            let mut found: Vec<Vec<u8>> = Vec::new();
            for read in bytes.chunks(size) {
                reader
                    .feed(read, |data| found.push(data.to_vec()))
                    .expect("small");
            }
            reader.finish(|data| found.push(data.to_vec()));
            let found: Vec<_> = found
                .iter()
                .map(|data| String::from_utf8_lossy(data))
                .collect();
            assert_eq!(found, expected, "{size}");
        }
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut reader = EventReader::default();
        let read = vec![b'x'; 1024 * 1024];
        let fed = (0..17).try_for_each(|_| reader.feed(&read, |_| {}));
        assert_eq!(fed, Err(TooLarge));
    }
}
