//! A chat request with several conversations in the place of one: `messages` is a list of lists of messages (LiteLLM's batch
//! completion).

use std::ops::Range;

use bytes::Bytes;

use super::json;

/// The conversations of a body, and what they share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversations {
    /// The body, its `messages` an empty list.
    pub shared: Bytes,
    /// The list of messages of each, as JSON, in order.
    pub each: Vec<Bytes>,
}

/// `None` where `messages` is anything but a list of lists.
pub fn conversations(body: &[u8]) -> Option<Conversations> {
    let fields = json::raw_fields(body).ok()?;
    // Of two fields of one name the later one counts, as everywhere.
    let (_, list) = fields.iter().rev().find(|(key, _)| key == "messages")?;
    let list = list.get().as_bytes();
    let spans = spans(list)?;
    let mut shared = br#"{"messages":[]"#.to_vec();
    for (key, value) in fields.iter().filter(|(key, _)| key != "messages") {
        shared.push(b',');
        shared.extend_from_slice(&json::quoted(key));
        shared.push(b':');
        shared.extend_from_slice(value.get().as_bytes());
    }
    shared.push(b'}');
    let list = Bytes::copy_from_slice(list);
    Some(Conversations {
        shared: shared.into(),
        each: spans.into_iter().map(|span| list.slice(span)).collect(),
    })
}

/// The items of a list of lists that has at least one.
fn spans(list: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut spans = Vec::new();
    json::scan_array(list, |span| spans.push(span)).ok()?;
    let is_list = |span: &Range<usize>| list.get(span.start) == Some(&b'[');
    (!spans.is_empty() && spans.iter().all(is_list)).then_some(spans)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_of_lists_alone() {
        let body = br#"{"model": "m", "messages": [[{"role": "user"}] , []], "x": {"y": [1]}}"#;
        let found = conversations(body).unwrap();
        assert_eq!(
            found.shared,
            &br#"{"messages":[],"model":"m","x":{"y": [1]}}"#[..]
        );
        assert_eq!(found.each, [&br#"[{"role": "user"}]"#[..], b"[]"]);
        for body in [
            r#"{"model": "m"}"#,
            r#"{"messages": null}"#,
            r#"{"messages": []}"#,
            r#"{"messages": [{"role": "user"}]}"#,
            r#"{"messages": [[], {"role": "user"}]}"#,
            r#"{"messages": "[[]]"}"#,
            r#"{"messages": [[]], "messages": []}"#,
            r#"[[]]"#,
            "",
        ] {
            assert_eq!(conversations(body.as_bytes()), None, "{body}");
        }
        // A name may be written with escapes.
        let escaped = br#"{"mess\u0061ges": [[1]], "\"": 1}"#;
        let found = conversations(escaped).unwrap();
        assert_eq!(found.shared, &br#"{"messages":[],"\"":1}"#[..]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(body in "\\{\"messages\":[\\[\\]{}\",1 ]{0,20}\\}?") {
            let _ = conversations(body.as_bytes());
        }
    }
}
