//! Tools that take free text, for models whose tools take JSON: a function with one string, and the string out of its calls.
//!
//! OpenAI calls such tools `custom`; Codex changes files with one. What is wrapped for the target is unwrapped on the way
//! back, in streams piece by piece, so that the client's deltas are those of its text.

use super::Raw;
use crate::protocol::json_fields::{Fields, Path};
use crate::protocol::json_write;

/// The function's one argument.
const FIELD: &str = "input";

/// The schema of its arguments.
pub const SCHEMA: &[u8] = br#"{"type":"object","properties":{"input":{"type":"string","description":"The whole input of the tool, as plain text."}},"required":["input"],"additionalProperties":false}"#;

/// What the model is told: the tool's description, and the grammar of its text where it has one.
pub fn description(said: Option<&str>, format: Option<&Raw>) -> String {
    let mut whole = said.unwrap_or_default().to_owned();
    let at = Path::Body;
    let grammar = format.and_then(|format| {
        let mut fields = Fields::read(format.as_bytes(), &at).ok()?;
        // Chat Completions writes one level more.
        let mut inner = fields.object("grammar", &at).ok().flatten();
        let fields = inner.as_mut().unwrap_or(&mut fields);
        let syntax = fields.text("syntax", &at).ok().flatten();
        let definition = fields.text("definition", &at).ok().flatten()?;
        Some((syntax.unwrap_or_default(), definition))
    });
    if let Some((syntax, definition)) = grammar {
        if !whole.is_empty() {
            whole.push_str("\n\n");
        }
        whole.push_str(&format!(
            "The text in `{FIELD}` must follow this {syntax} grammar:\n{definition}"
        ));
    }
    whole
}

/// A text as the function's arguments.
pub fn wrap(text: &str) -> String {
    let mut arguments = Vec::with_capacity(text.len() + 16);
    json_write::object(&mut arguments, |out| out.text(FIELD, text));
    String::from_utf8(arguments).unwrap_or_default()
}

/// The text in a function's arguments; arguments of another form are the text themselves.
pub fn unwrap(arguments: &str) -> String {
    let mut unwrapping = Unwrapping::default();
    unwrapping.add(arguments)
}

/// Takes the text out of arguments that arrive in pieces.
#[derive(Debug, Default)]
pub struct Unwrapping {
    state: State,
}

#[derive(Debug)]
enum State {
    /// What came before the string begins. A few bytes: whatever does not begin so is not of our form.
    Head(String),
    /// In the string; holds the beginning of an escape whose end has not come.
    Text(String),
    /// The string has ended: nothing more is said.
    Done,
    /// Arguments of another form.
    Plain,
}

impl Default for State {
    fn default() -> Self {
        Self::Head(String::new())
    }
}

/// How far the head of the arguments has come.
enum Head {
    /// The string begins behind so many bytes.
    Whole(usize),
    Partial,
    Other,
}

/// Most white space in a head.
const LONGEST_HEAD: usize = 256;

impl Unwrapping {
    /// The text that this piece adds; may be empty.
    pub fn add(&mut self, piece: &str) -> String {
        match &mut self.state {
            State::Plain => piece.to_owned(),
            State::Done => String::new(),
            State::Head(head) => {
                head.push_str(piece);
                match read_head(head) {
                    Head::Partial if head.len() <= LONGEST_HEAD => String::new(),
                    Head::Partial | Head::Other => {
                        let whole = std::mem::take(head);
                        self.state = State::Plain;
                        whole
                    }
                    Head::Whole(end) => {
                        let rest = head.get(end..).unwrap_or_default().to_owned();
                        self.state = State::Text(String::new());
                        self.add(&rest)
                    }
                }
            }
            State::Text(held) => {
                let mut rest = std::mem::take(held);
                rest.push_str(piece);
                let (text, end) = read_text(&rest);
                self.state = match end {
                    End::Quote => State::Done,
                    End::At(place) => State::Text(rest.get(place..).unwrap_or_default().to_owned()),
                };
                text
            }
        }
    }
}

/// Matches `{"input":"` with white space anywhere.
fn read_head(head: &str) -> Head {
    let mut rest = head.trim_start();
    for token in ["{", "\"input\"", ":", "\""] {
        match rest.strip_prefix(token) {
            Some(after) if token == "\"" => return Head::Whole(head.len() - after.len()),
            Some(after) => rest = after.trim_start(),
            None if token.starts_with(rest) => return Head::Partial,
            None => return Head::Other,
        }
    }
    Head::Other
}

enum End {
    Quote,
    /// What is behind this place has to wait.
    At(usize),
}

/// The decoded beginning of a JSON string's inside.
fn read_text(json: &str) -> (String, End) {
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    loop {
        let Some(at) = rest.find(['"', '\\']) else {
            text.push_str(rest);
            return (text, End::At(json.len()));
        };
        let (plain, special) = rest.split_at(at);
        text.push_str(plain);
        if special.starts_with('"') {
            return (text, End::Quote);
        }
        match escape(special) {
            Some((letter, after)) => {
                text.push(letter);
                rest = after;
            }
            None => return (text, End::At(json.len() - special.len())),
        }
    }
}

/// One escape and what is behind it; `None` while its end is missing.
fn escape(json: &str) -> Option<(char, &str)> {
    let letter = json.chars().nth(1)?;
    let after = json.get(1 + letter.len_utf8()..)?;
    let plain = match letter {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'u' => return unicode(after),
        other => other,
    };
    Some((plain, after))
}

/// Four hexadecimal digits, or two times four for what lies beyond them. What is no character becomes U+FFFD.
fn unicode(json: &str) -> Option<(char, &str)> {
    let unit = |json: &str| -> Option<u32> {
        let digits = json.get(..4)?;
        Some(u32::from_str_radix(digits, 16).unwrap_or(0xFFFD))
    };
    if json.len() < 4 {
        return None;
    }
    let Some(first) = unit(json) else {
        return Some((char::REPLACEMENT_CHARACTER, json));
    };
    let after = json.get(4..)?;
    if !(0xD800..0xDC00).contains(&first) {
        let letter = char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER);
        return Some((letter, after));
    }
    let Some(low) = after.strip_prefix("\\u") else {
        let cut = after.is_empty() || after == "\\";
        return (!cut).then_some((char::REPLACEMENT_CHARACTER, after));
    };
    if low.len() < 4 {
        return None;
    }
    match unit(low) {
        Some(second @ 0xDC00..0xE000) => {
            let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            let letter = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            Some((letter, low.get(4..)?))
        }
        _ => Some((char::REPLACEMENT_CHARACTER, after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::neutral::testing::cut;
    use proptest::prelude::*;

    fn in_pieces(arguments: &str, places: &[usize]) -> String {
        let mut unwrapping = Unwrapping::default();
        let letters: Vec<char> = arguments.chars().collect();
        let mut places: Vec<usize> = places.iter().map(|p| p % (letters.len() + 1)).collect();
        places.extend([0, letters.len()]);
        places.sort_unstable();
        let pieces = places.windows(2).map(|pair| {
            let piece: String = letters[pair[0]..pair[1]].iter().collect();
            unwrapping.add(&piece)
        });
        pieces.collect()
    }

    #[test]
    fn escapes_and_other_forms() {
        for (arguments, text) in [
            (
                r#" { "input" : "a\n\"\\\/\u00e9\ud83d\ude00" } "#,
                "a\n\"\\/é😀",
            ),
            (r#"{"input":"\ud83dx\uzzzz"}"#, "\u{fffd}x\u{fffd}"),
            (r#"{"input":"cut \u00"#, "cut "),
            ("*** Begin Patch", "*** Begin Patch"),
            (r#"{"patch":"x"}"#, r#"{"patch":"x"}"#),
            ("{}", "{}"),
            ("", ""),
        ] {
            for places in [vec![], (0..arguments.len()).collect()] {
                assert_eq!(in_pieces(arguments, &places), text, "{arguments}");
            }
        }
    }

    #[test]
    fn a_grammar_is_told() {
        let chat = Raw::parse(
            br#"{"type":"grammar","grammar":{"syntax":"lark","definition":"start: x"}}"#,
        );
        let flat = Raw::parse(br#"{"type":"grammar","syntax":"lark","definition":"start: x"}"#);
        let told = description(Some("Edits."), flat.as_ref());
        assert_eq!(told, description(Some("Edits."), chat.as_ref()));
        assert!(
            told.starts_with("Edits.\n\n") && told.ends_with("lark grammar:\nstart: x"),
            "{told}"
        );
        assert_eq!(
            description(None, Raw::parse(b"{\"type\":\"text\"}").as_ref()),
            ""
        );
    }

    proptest! {
        #[test]
        fn what_was_wrapped_comes_out(text in any::<String>(), places in prop::collection::vec(any::<usize>(), 0..20)) {
            let wrapped = wrap(&text);
            prop_assert_eq!(unwrap(&wrapped), text.clone());
            prop_assert_eq!(in_pieces(&wrapped, &places), text);
        }

        #[test]
        fn anything_is_taken(bytes in prop::collection::vec(any::<u8>(), 0..60), places in prop::collection::vec(any::<usize>(), 0..5)) {
            let mut unwrapping = Unwrapping::default();
            for piece in cut(&bytes, &places) {
                unwrapping.add(&String::from_utf8_lossy(&piece));
            }
        }
    }
}
