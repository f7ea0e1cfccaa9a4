//! Objects and arrays written anew from spans: what is kept is copied byte for byte.

use crate::protocol::json::{ScanError, plain_str, scan_array, scan_object};
use crate::providers::parameters::Step;

/// `value` without what the steps lead to; `None` when there is nothing of the kind in it.
///
/// Keys count by their text. Something that is no JSON is left as it is.
pub fn without(value: &[u8], steps: &[Step]) -> Option<Vec<u8>> {
    let (step, rest) = steps.split_first()?;
    match step {
        Step::Key(key) => object(value, |name, inner| match name == key {
            true if rest.is_empty() => Part::Drop,
            true => without(inner, rest).map_or(Part::Keep, Part::Replace),
            false => Part::Keep,
        }),
        Step::Each | Step::Index(_) => array(value, |place, inner| match step {
            Step::Index(index) if *index != place => Part::Keep,
            _ if rest.is_empty() => Part::Drop,
            _ => without(inner, rest).map_or(Part::Keep, Part::Replace),
        }),
    }
}

/// What becomes of a part.
pub enum Part {
    Keep,
    Drop,
    Replace(Vec<u8>),
}

/// An object with each field judged by name and value; `None` when all are kept, or it is none.
pub fn object(value: &[u8], mut judge: impl FnMut(&str, &[u8]) -> Part) -> Option<Vec<u8>> {
    let mut out = Rebuilt::default();
    let scanned = scan_object(value, |field| {
        let quoted = &value[field.start()..field.key.end + 1];
        let name = match plain_str(value, &(field.start()..field.key.end + 1)) {
            Some(name) => name.to_owned(),
            None => serde_json::from_slice(quoted).unwrap_or_default(),
        };
        let inner = &value[field.value.clone()];
        out.part(judge(&name, inner), &[quoted, b":"], inner);
    });
    out.finish(scanned.map(|_| ()), [b'{', b'}'])
}

/// The same for the items of an array, judged by place and value.
pub fn array(value: &[u8], mut judge: impl FnMut(usize, &[u8]) -> Part) -> Option<Vec<u8>> {
    let mut out = Rebuilt::default();
    let mut place = 0;
    let scanned = scan_array(value, |item| {
        let inner = &value[item];
        out.part(judge(place, inner), &[], inner);
        place += 1;
    });
    out.finish(scanned, [b'[', b']'])
}

#[derive(Default)]
struct Rebuilt {
    inside: Vec<u8>,
    changed: bool,
}

impl Rebuilt {
    fn part(&mut self, part: Part, before: &[&[u8]], value: &[u8]) {
        let value = match &part {
            Part::Keep => value,
            Part::Replace(value) => value,
            Part::Drop => {
                self.changed = true;
                return;
            }
        };
        self.changed |= matches!(part, Part::Replace(_));
        if !self.inside.is_empty() {
            self.inside.push(b',');
        }
        for piece in before {
            self.inside.extend_from_slice(piece);
        }
        self.inside.extend_from_slice(value);
    }

    fn finish(self, scanned: Result<(), ScanError>, [open, close]: [u8; 2]) -> Option<Vec<u8>> {
        if scanned.is_err() || !self.changed {
            return None;
        }
        let mut out = Vec::with_capacity(self.inside.len() + 2);
        out.push(open);
        out.extend_from_slice(&self.inside);
        out.push(close);
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::providers::parameters::Path;

    fn taken(value: &str, path: &str) -> Option<String> {
        let path = Path::parse(path).unwrap();
        without(value.as_bytes(), &path.steps).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn places_are_taken_out() {
        let tools = r#"[ {"type":"function","function":{"name":"a" , "strict":true}},{"x":1e3},{"function":{"str\u0069ct":false}}]"#;
        assert_eq!(
            taken(tools, "tools[*].function.strict").as_deref(),
            Some(r#"[{"type":"function","function":{"name":"a"}},{"x":1e3},{"function":{}}]"#)
        );
        assert_eq!(
            taken(r#"{"a":{"b":1,"c":[2]}}"#, "m.a.c[0]").as_deref(),
            Some(r#"{"a":{"b":1,"c":[]}}"#)
        );
        assert_eq!(taken("[1,2,3]", "m[1]").as_deref(), Some("[1,3]"));
        assert_eq!(taken("[1,2,3]", "m[*]").as_deref(), Some("[]"));
        for (value, path) in [
            ("[1]", "m[5]"),
            ("{}", "m.a"),
            ("1", "m.a"),
            ("[{\"a\":1}]", "m.a"),
            ("{\"a\":", "m.a"),
            ("", "m[*].a"),
        ] {
            assert_eq!(taken(value, path), None, "{value} {path}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let path = Path::parse("m[*].a").unwrap();
            let _ = without(&bytes, &path.steps);
            let _ = without(&bytes, &path.steps[1..]);
        }
    }
}
