//! Server-sent events: finding whole events in bytes that arrive in any pieces.
//!
//! Source: the WHATWG specification of `text/event-stream`: lines end in LF, CR LF or CR; a blank line ends an event; a space
//! after the colon is optional; lines that begin with a colon are comments.

use memchr::{memchr, memchr2};

/// The offset behind the blank line that ends the first event of `bytes`, if it is all there.
pub fn event_end(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let line_end = from + memchr2(b'\n', b'\r', bytes.get(from..)?)?;
        let next = after_line_end(bytes, line_end)?;
        match bytes.get(next) {
            Some(b'\n') => return Some(next + 1),
            // A CR at the very end may be half of a CR LF: wait for the next byte.
            Some(b'\r') => return after_line_end(bytes, next),
            Some(_) => from = next,
            None => return None,
        }
    }
}

fn after_line_end(bytes: &[u8], at: usize) -> Option<usize> {
    match (bytes.get(at)?, bytes.get(at + 1)) {
        (b'\r', Some(b'\n')) => Some(at + 2),
        (b'\r', None) => None,
        _ => Some(at + 1),
    }
}

/// The data of one event.
#[derive(Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// No `data` line: a comment, or an event of another kind.
    None,
    /// The usual case: one line, borrowed.
    One(&'a [u8]),
    /// Several lines, joined by LF.
    Joined(Vec<u8>),
}

impl Data<'_> {
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::None => None,
            Self::One(line) => Some(line),
            Self::Joined(lines) => Some(lines),
        }
    }
}

/// The data lines of `event`, which is whole or the last of its stream.
pub fn data(event: &[u8]) -> Data<'_> {
    let mut found = Data::None;
    let mut rest = event;
    while !rest.is_empty() {
        let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        let Some(value) = value_of(line, b"data") else {
            continue;
        };
        found = match found {
            Data::None => Data::One(value),
            Data::One(first) => Data::Joined([first, value].join(&b'\n')),
            Data::Joined(mut lines) => {
                lines.push(b'\n');
                lines.extend_from_slice(value);
                Data::Joined(lines)
            }
        };
    }
    found
}

fn value_of<'a>(line: &'a [u8], field: &[u8]) -> Option<&'a [u8]> {
    let colon = memchr(b':', line).unwrap_or(line.len());
    if &line[..colon] != field {
        return None;
    }
    let value = line.get(colon + 1..).unwrap_or_default();
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_events() {
        let cases: [(&[u8], Option<usize>); 9] = [
            (b"data: a\n\ndata: b\n\n", Some(9)),
            (b"data: a\r\n\r\n", Some(11)),
            (b"data: a\r\rx", Some(9)),
            (b"data: a\n", None),
            (b"data: a\r\n\r", None),
            (b": ping\n\n", Some(8)),
            (b"\n\n", Some(2)),
            (b"data: a\nid: 1\n\n", Some(15)),
            (b"", None),
        ];
        for (bytes, end) in cases {
            assert_eq!(
                event_end(bytes),
                end,
                "{:?}",
                String::from_utf8_lossy(bytes)
            );
        }
    }

    #[test]
    fn data_of_events() {
        assert_eq!(data(b"data: {\"a\":1}\n\n"), Data::One(b"{\"a\":1}"));
        assert_eq!(data(b"data:x\r\n\r\n"), Data::One(b"x"));
        assert_eq!(
            data(b"event: e\ndata: x\ndata: y\n\n"),
            Data::Joined(b"x\ny".to_vec())
        );
        assert_eq!(data(b": comment\n\n"), Data::None);
        assert_eq!(data(b"data\n\n"), Data::One(b""));
    }
}
