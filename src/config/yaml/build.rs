//! Parser events to a tree, with bounds.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use super::error::{SyntaxError, refuse};
use super::scalar;
use super::tag::{collection_tag, tagged};
use super::{Entry, Node, Pos, Value};

/// Lists and maps inside each other; LiteLLM stops resolving at the same depth.
const MAX_DEPTH: usize = 100;
/// Bytes that all alias copies of a document may take together; a "billion laughs" file needs gigabytes.
const MAX_COPIED: usize = 64 << 20;

/// What a text holds.
pub struct Document {
    /// `None` when the text has only blanks and comments.
    pub root: Option<Node>,
    pub repeated: Vec<Repeated>,
}

/// A key that a map has twice; the last value counts, as in PyYAML.
pub struct Repeated {
    pub pos: Pos,
    pub key: String,
    pub first_line: u32,
}

/// Reads one document that is a file's whole text.
#[cfg(test)]
pub fn parse(text: &str) -> Result<Document, SyntaxError> {
    parse_file(text, 0)
}

/// Reads one document; `file` goes into the place of every node.
pub fn parse_file(text: &str, file: u16) -> Result<Document, SyntaxError> {
    let mut builder = Builder::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| SyntaxError {
            pos: place(error.marker(), file),
            message: error.info().to_owned(),
        })?;
        builder.take(event, place(&span.start, file))?;
    }
    Ok(Document {
        root: builder.root,
        repeated: builder.repeated,
    })
}

fn place(marker: &Marker, file: u16) -> Pos {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Pos {
        file,
        line: count(marker.line()).max(1),
        column: count(marker.col()).saturating_add(1),
    }
}

/// A list or map that is still open. `anchor` 0 is none.
enum Open {
    List {
        pos: Pos,
        anchor: usize,
        items: Vec<Node>,
    },
    Map {
        pos: Pos,
        anchor: usize,
        own: Vec<Entry>,
        merged: Vec<Entry>,
        key: Option<Key>,
    },
}

struct Key {
    pos: Pos,
    /// `None` is the merge key.
    name: Option<String>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    copied: usize,
    documents: usize,
    root: Option<Node>,
    repeated: Vec<Repeated>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, pos: Pos) -> Result<(), SyntaxError> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return refuse(
                        pos,
                        "a second document begins (`---`); a configuration is one document",
                    );
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                if plain && text == "<<" && tag.is_none() && self.wants_key() {
                    return self.key(Key { pos, name: None });
                }
                if self.wants_key() {
                    let node = Node::new(pos, Value::Text(text.clone().into_owned()));
                    self.remember(anchor, &node)?;
                    return self.key(Key {
                        pos,
                        name: Some(text.into_owned()),
                    });
                }
                let value = match &tag {
                    None if plain => scalar::plain(&text),
                    None => Value::Text(text.into_owned()),
                    Some(tag) => tagged(tag, &text, pos)?,
                };
                self.finished(Node::new(pos, value), anchor)
            }
            Event::Alias(anchor) => self.alias(anchor, pos),
            Event::SequenceStart(anchor, tag) => {
                collection_tag(tag.as_deref(), "seq", pos)?;
                self.begin(
                    Open::List {
                        pos,
                        anchor,
                        items: Vec::new(),
                    },
                    pos,
                )
            }
            Event::MappingStart(anchor, tag) => {
                collection_tag(tag.as_deref(), "map", pos)?;
                self.begin(
                    Open::Map {
                        pos,
                        anchor,
                        own: Vec::new(),
                        merged: Vec::new(),
                        key: None,
                    },
                    pos,
                )
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { pos, anchor, items }) => {
                    self.finished(Node::new(pos, Value::List(items)), anchor)
                }
                Some(Open::Map {
                    pos,
                    anchor,
                    own,
                    merged,
                    ..
                }) => {
                    let entries = self.settle(merged, own);
                    self.finished(Node::new(pos, Value::Map(entries)), anchor)
                }
                None => refuse(pos, "a list or map ends that never began"),
            },
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Map { key: None, .. }))
    }

    fn key(&mut self, new: Key) -> Result<(), SyntaxError> {
        if let Some(Open::Map { key, .. }) = self.open.last_mut() {
            *key = Some(new);
        }
        Ok(())
    }

    fn begin(&mut self, open: Open, pos: Pos) -> Result<(), SyntaxError> {
        if self.wants_key() {
            return refuse(pos, "a key must be a word, not a list or map");
        }
        if self.open.len() >= MAX_DEPTH {
            return refuse(
                pos,
                format!("lists and maps are nested more than {MAX_DEPTH} deep"),
            );
        }
        self.open.push(open);
        Ok(())
    }

    fn alias(&mut self, anchor: usize, pos: Pos) -> Result<(), SyntaxError> {
        let Some(source) = self.anchors.get(&anchor) else {
            return refuse(pos, "an alias stands inside the value that it names");
        };
        let (weight, height) = (source.weight(), source.height());
        self.charge(weight, pos)?;
        if self.open.len() + height > MAX_DEPTH {
            return refuse(
                pos,
                format!("lists and maps are nested more than {MAX_DEPTH} deep"),
            );
        }
        let Some(copy) = self.anchors.get(&anchor).cloned() else {
            return Ok(());
        };
        if !self.wants_key() {
            return self.finished(Node { pos, ..copy }, 0);
        }
        match copy.value {
            Value::Text(name)
            | Value::Int { written: name, .. }
            | Value::Float { written: name, .. } => self.key(Key {
                pos,
                name: Some(name),
            }),
            _ => refuse(pos, "a key must be a word, not a list or map"),
        }
    }

    /// Keeps a copy of an anchored value for its aliases.
    fn remember(&mut self, anchor: usize, node: &Node) -> Result<(), SyntaxError> {
        if anchor > 0 {
            self.charge(node.weight(), node.pos)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(())
    }

    fn charge(&mut self, weight: usize, pos: Pos) -> Result<(), SyntaxError> {
        self.copied = self.copied.saturating_add(weight);
        if self.copied > MAX_COPIED {
            return refuse(
                pos,
                format!("aliases copy more than {} MiB", MAX_COPIED >> 20),
            );
        }
        Ok(())
    }

    fn finished(&mut self, node: Node, anchor: usize) -> Result<(), SyntaxError> {
        self.remember(anchor, &node)?;
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map {
                own, merged, key, ..
            }) => match key.take() {
                Some(Key {
                    pos: key_pos,
                    name: Some(key),
                }) => own.push(Entry {
                    key,
                    key_pos,
                    value: node,
                }),
                Some(Key { name: None, .. }) => merge(merged, node)?,
                None => return refuse(node.pos, "a key must be a word, not a list or map"),
            },
        }
        Ok(())
    }

    /// The order of a Python dict: a key stands where it first appeared, with the value it got last.
    fn settle(&mut self, merged: Vec<Entry>, own: Vec<Entry>) -> Vec<Entry> {
        let from_merge = merged.len();
        let mut places: HashMap<String, (usize, Option<u32>)> = HashMap::new();
        let mut entries: Vec<Entry> = Vec::with_capacity(merged.len() + own.len());
        for (index, entry) in merged.into_iter().chain(own).enumerate() {
            let own_line = (index >= from_merge).then_some(entry.key_pos.line);
            match places.get_mut(&entry.key) {
                None => {
                    places.insert(entry.key.clone(), (entries.len(), own_line));
                    entries.push(entry);
                }
                Some((place, line)) => {
                    if let (Some(first_line), Some(_)) = (*line, own_line) {
                        let (pos, key) = (entry.key_pos, entry.key.clone());
                        self.repeated.push(Repeated {
                            pos,
                            key,
                            first_line,
                        });
                    }
                    *line = line.or(own_line);
                    if let Some(slot) = entries.get_mut(*place) {
                        *slot = entry;
                    }
                }
            }
        }
        entries
    }
}

/// The value of `<<`: a map, or a list of maps of which an earlier one beats a later one.
fn merge(into: &mut Vec<Entry>, node: Node) -> Result<(), SyntaxError> {
    const EXPECTED: &str =
        "`<<` merges a map or a list of maps (usually an alias, `<<: *defaults`)";
    match node.value {
        Value::Map(entries) => into.extend(entries),
        Value::List(items) => {
            for item in items.into_iter().rev() {
                match item.value {
                    Value::Map(entries) => into.extend(entries),
                    _ => return refuse(item.pos, EXPECTED),
                }
            }
        }
        _ => return refuse(node.pos, EXPECTED),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        match parse(text) {
            Ok(document) => document
                .root
                .and_then(|root| root.to_json())
                .map_or("-".into(), |json| json.to_string()),
            Err(error) => format!("{}:{}: {}", error.pos.line, error.pos.column, error.message),
        }
    }

    #[test]
    fn trees() {
        for (text, expected) in [
            (
                "a: 1\nb: [x, 'y', \"2\", 2]",
                r#"{"a":1,"b":["x","y","2",2]}"#,
            ),
            ("a: !!str 1\nb: !!int '7'", r#"{"a":"1","b":7}"#),
            ("a: |\n  x\n  y\n", r#"{"a":"x\ny\n"}"#),
            (
                "base: &b {x: 1, y: 2}\nc:\n  <<: *b\n  y: 3",
                r#"{"base":{"x":1,"y":2},"c":{"x":1,"y":3}}"#,
            ),
            (
                "p: &p {x: 1}\nq: &q {x: 2, z: 0}\nc: {<<: [*p, *q]}",
                r#"{"c":{"x":1,"z":0},"p":{"x":1},"q":{"x":2,"z":0}}"#,
            ),
            ("'<<': 1", r#"{"<<":1}"#),
            ("# nothing\n", "-"),
            ("\u{feff}a: 1", r#"{"a":1}"#),
            ("{\"json\": [true, null]}", r#"{"json":[true,null]}"#),
            (
                "a: 1\n---\nb: 1",
                "2:1: a second document begins (`---`); a configuration is one document",
            ),
            ("? [a]\n: 1", "1:3: a key must be a word, not a list or map"),
            (
                "a: &x [*x]",
                "1:8: an alias stands inside the value that it names",
            ),
            (
                "a: !python/object x",
                "1:4: unknown tag; `!!str`, `!!int`, `!!float`, `!!bool` and `!!null` are understood",
            ),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
    }

    #[test]
    fn places() {
        let document = parse("a:\n  b: x\n  b: y\n").ok();
        let root = document.as_ref().and_then(|d| d.root.as_ref());
        let entry = root
            .and_then(|root| root.get("a"))
            .and_then(|entry| entry.value.get("b"));
        assert_eq!(
            entry.map(|entry| (entry.key_pos, entry.value.pos)),
            Some((
                Pos {
                    file: 0,
                    line: 3,
                    column: 3
                },
                Pos {
                    file: 0,
                    line: 3,
                    column: 6
                }
            ))
        );
        let repeated = document.map(|d| d.repeated).unwrap_or_default();
        assert_eq!(
            repeated
                .iter()
                .map(|r| (r.pos.line, r.first_line))
                .collect::<Vec<_>>(),
            [(3, 2)]
        );
    }

    #[test]
    fn bombs_are_refused() {
        let mut laughs = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..12 {
            let below = level - 1;
            let row = vec![format!("*a{below}"); 10].join(",");
            laughs.push_str(&format!("a{level}: &a{level} [{row}]\n"));
        }
        assert!(json(&laughs).ends_with("aliases copy more than 64 MiB"));
        assert!(
            json(&format!("{}{}", "[".repeat(101), "]".repeat(101)))
                .ends_with("nested more than 100 deep")
        );
        assert!(json(&"- ".repeat(200_000)).ends_with("nested more than 100 deep"));
        assert!(!json(&format!("{}{}", "[".repeat(100), "]".repeat(100))).contains("nested"));
        // Aliases add up to the same depth.
        let mut deep = String::from("a0: &a0 [x]\n");
        for level in 1..200 {
            deep.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
        }
        assert!(json(&deep).ends_with("nested more than 100 deep"));
    }
}
