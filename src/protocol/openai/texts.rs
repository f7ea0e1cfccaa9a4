//! A value that is a text, token ids, or a list of either: `prompt` of completions, `input` of embeddings.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// How much such a value holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// Texts, or lists of token ids; a list of ids alone is one.
    pub count: u64,
    /// Bytes of text as they stand in the body.
    pub bytes: u64,
    pub token_ids: u64,
}

impl Texts {
    /// Reads a JSON value. `None` when it is nothing of the kind, is empty, or mixes texts and token ids.
    ///
    /// Objects in a list (images and texts of multimodal models) count by their bytes.
    pub fn read(value: &[u8]) -> Option<Self> {
        if value.first() == Some(&b'"') {
            return Some(Self {
                count: 1,
                bytes: value.len().saturating_sub(2) as u64,
                token_ids: 0,
            });
        }
        let list: List = serde_json::from_slice(value).ok()?;
        Some(match list.kind? {
            Kind::Ids => Self {
                count: 1,
                bytes: 0,
                token_ids: list.texts.token_ids,
            },
            Kind::Objects => Self {
                bytes: value.len() as u64,
                ..list.texts
            },
            Kind::Texts | Kind::Lists => list.texts,
        })
    }
}

/// What a list is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Texts,
    /// Texts may stand among them.
    Objects,
    Ids,
    Lists,
}

#[derive(Default)]
struct List {
    texts: Texts,
    kind: Option<Kind>,
}

impl List {
    /// False when the item does not go with those before it.
    fn add(&mut self, item: &Item) -> bool {
        let kind = match item {
            Item::Text(_) => Kind::Texts,
            Item::Object => Kind::Objects,
            Item::Id => Kind::Ids,
            Item::Ids(_) => Kind::Lists,
        };
        self.kind = match (self.kind, kind) {
            (None, kind) => Some(kind),
            (Some(before), kind) if before == kind => Some(kind),
            (Some(Kind::Texts), Kind::Objects) | (Some(Kind::Objects), Kind::Texts) => {
                Some(Kind::Objects)
            }
            _ => return false,
        };
        self.texts.count += 1;
        match item {
            Item::Text(bytes) => self.texts.bytes += bytes,
            Item::Id => self.texts.token_ids += 1,
            Item::Ids(ids) => self.texts.token_ids += ids,
            Item::Object => {}
        }
        true
    }
}

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items;
        impl<'de> Visitor<'de> for Items {
            type Value = List;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of texts or of token ids")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<List, A::Error> {
                let mut list = List::default();
                while let Some(item) = items.next_element::<Item>()? {
                    if !list.add(&item) {
                        return Err(A::Error::custom("texts and token ids are mixed"));
                    }
                }
                Ok(list)
            }
        }
        deserializer.deserialize_seq(Items)
    }
}

enum Item {
    /// Its bytes.
    Text(u64),
    Id,
    /// A list of token ids, and how many.
    Ids(u64),
    Object,
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a token id or a list of token ids")
    }

    fn visit_str<E>(self, text: &str) -> Result<Item, E> {
        Ok(Item::Text(text.len() as u64))
    }

    fn visit_u64<E: Error>(self, id: u64) -> Result<Item, E> {
        u32::try_from(id)
            .map(|_| Item::Id)
            .map_err(|_| E::custom("no vocabulary has so many tokens"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut ids: A) -> Result<Item, A::Error> {
        let mut count = 0;
        while ids.next_element::<u32>()?.is_some() {
            count += 1;
        }
        if count == 0 {
            return Err(A::Error::custom("an empty list has nothing to answer"));
        }
        Ok(Item::Ids(count))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Item, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Item::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(count: u64, bytes: u64, token_ids: u64) -> Option<Texts> {
        Some(Texts {
            count,
            bytes,
            token_ids,
        })
    }

    #[test]
    fn what_is_read() {
        for (value, expected) in [
            (r#""abc""#, texts(1, 3, 0)),
            (r#""""#, texts(1, 0, 0)),
            (r#"["abc", "d\n"]"#, texts(2, 5, 0)),
            ("[1, 2, 3]", texts(1, 0, 3)),
            ("[[1, 2], [3]]", texts(2, 0, 3)),
            (r#"[{"image": "data:"}]"#, texts(1, 20, 0)),
            (r#"["a", {"image": "data:"}]"#, texts(2, 25, 0)),
        ] {
            assert_eq!(Texts::read(value.as_bytes()), expected, "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(value in proptest::collection::vec(proptest::num::u8::ANY, 0..100)) {
            Texts::read(&value);
        }
    }

    #[test]
    fn what_is_refused() {
        for value in [
            "5",
            "true",
            "{}",
            "[]",
            "[[]]",
            "[null]",
            "[true]",
            "[1.5]",
            "[-1]",
            "[4294967296]",
            r#"["a", 1]"#,
            r#"[1, "a"]"#,
            "[1, [2]]",
            r#"[["a"]]"#,
            r#"[[1], "a"]"#,
            r#"["a"#,
            "[[[1]]]",
        ] {
            assert_eq!(Texts::read(value.as_bytes()), None, "{value}");
        }
    }
}
