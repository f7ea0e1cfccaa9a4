//! Texts of the ledger ↔ ids of `spend_names`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use diesel::prelude::*;

use super::dialect::Named;
use super::schema::spend_names;
use super::{AnyConnection, StoreError, dialect};

/// What a name names. The numbers are stored: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum NameKind {
    Key = 1,
    User = 2,
    Team = 3,
    EndUser = 4,
    CallType = 5,
    Model = 6,
    ModelGroup = 7,
    Deployment = 8,
    Provider = 9,
    ApiBase = 10,
    ErrorClass = 11,
    ClientIp = 12,
    UserAgent = 13,
}

const KINDS: usize = 14;

/// Names in one `IN` list.
const AT_ONCE: usize = 500;

/// Bytes of a text that the ledger keeps. PostgreSQL's index entries end at 2,704 bytes.
const LONGEST: usize = 1024;

/// A text as it can be stored: PostgreSQL takes no NUL and neither index takes a book. Hardly any text changes.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST && !text.contains('\0') {
        return Cow::Borrowed(text);
    }
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // One byte becomes one byte, so that the length holds.
    Cow::Owned(text.get(..end).unwrap_or_default().replace('\0', "?"))
}

/// Ids of names that were committed, one cache a thread.
///
/// Two generations: when the young one is full it becomes the old one, and the old one goes; a name used meanwhile moves
/// back to the young. So end users that come once cannot push out the models.
pub struct NameCache {
    young: Generation,
    old: Generation,
    capacity: usize,
}

#[derive(Default)]
struct Generation {
    ids: [HashMap<Arc<str>, i32>; KINDS],
    len: usize,
}

impl Default for NameCache {
    /// Holds 20,000 to 40,000 names, some 4 MB.
    fn default() -> Self {
        Self::with_capacity(20_000)
    }
}

impl NameCache {
    /// `capacity` names a generation.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            young: Generation::default(),
            old: Generation::default(),
            capacity,
        }
    }

    fn get(&mut self, kind: NameKind, text: &str) -> Option<i32> {
        if let Some(id) = self.young.ids[kind as usize].get(text) {
            return Some(*id);
        }
        let (text, id) = self.old.ids[kind as usize].remove_entry(text)?;
        self.insert(kind, text, id);
        Some(id)
    }

    fn insert(&mut self, kind: NameKind, text: Arc<str>, id: i32) {
        if self.young.ids[kind as usize].insert(text, id).is_none() {
            self.young.len += 1;
        }
    }

    /// Takes over what a transaction resolved, once it is committed. Only here does anything leave the cache: what a
    /// transaction has seen in it stays until that transaction ends.
    pub(super) fn absorb(&mut self, fresh: Fresh) {
        for ((kind, text), id) in fresh {
            if self.young.len >= self.capacity {
                self.old = std::mem::take(&mut self.young);
            }
            self.insert(kind, text, id);
        }
    }
}

/// Names resolved inside a transaction: a rollback would make them untrue.
pub(super) type Fresh = BTreeMap<(NameKind, Arc<str>), i32>;

/// Names for one transaction.
pub(super) struct Resolver<'c> {
    cache: &'c mut NameCache,
    pub(super) fresh: Fresh,
}

impl<'c> Resolver<'c> {
    pub(super) fn new(cache: &'c mut NameCache) -> Self {
        Self {
            cache,
            fresh: Fresh::new(),
        }
    }

    /// The id, when it is known without asking the database.
    pub(super) fn known(&mut self, kind: NameKind, text: &str) -> Option<i32> {
        let text = &*storable(text);
        self.cache.get(kind, text).or_else(|| {
            // A tuple of an owned text cannot be looked up by a borrowed one; only new names come here.
            self.fresh.get(&(kind, Arc::from(text))).copied()
        })
    }

    /// Finds or stores all of `wanted`, which are not known yet, in an order that is the same on every instance.
    pub(super) fn learn(
        &mut self,
        conn: &mut AnyConnection,
        wanted: &BTreeSet<(NameKind, Arc<str>)>,
    ) -> Result<(), StoreError> {
        let wanted: BTreeSet<(NameKind, Cow<'_, str>)> = wanted
            .iter()
            .map(|(kind, text)| (*kind, storable(text)))
            .collect();
        let wanted: Vec<Named<'_>> = wanted
            .iter()
            .map(|(kind, text)| (*kind, text.as_ref()))
            .collect();
        self.find(conn, &wanted)?;
        let missing = self.unknown(&wanted);
        if missing.is_empty() {
            return Ok(());
        }
        dialect::add_names(conn, &missing)?;
        self.find(conn, &missing)?;
        match self.unknown(&missing).first() {
            Some((_, text)) => Err(StoreError::Bug(format!(
                "the name {text:?} was stored and not found again"
            ))),
            None => Ok(()),
        }
    }

    fn unknown<'t>(&mut self, names: &[Named<'t>]) -> Vec<Named<'t>> {
        names
            .iter()
            .copied()
            .filter(|(kind, text)| self.known(*kind, text).is_none())
            .collect()
    }

    /// Asks for kinds and texts apart, one query for all: what else they have in common is true as well.
    fn find(&mut self, conn: &mut AnyConnection, names: &[Named<'_>]) -> Result<(), StoreError> {
        for names in names.chunks(AT_ONCE) {
            let kinds: BTreeSet<i16> = names.iter().map(|(kind, _)| *kind as i16).collect();
            let texts: BTreeSet<&str> = names.iter().map(|(_, text)| *text).collect();
            let found: Vec<(i32, i16, String)> = spend_names::table
                .filter(spend_names::kind.eq_any(kinds))
                .filter(spend_names::text.eq_any(texts))
                .select((spend_names::id, spend_names::kind, spend_names::text))
                .load(conn)?;
            let known = |(id, number, text): (i32, i16, String)| {
                let kind = names
                    .iter()
                    .map(|(kind, _)| *kind)
                    .find(|kind| *kind as i16 == number)?;
                Some(((kind, Arc::from(text)), id))
            };
            self.fresh.extend(found.into_iter().filter_map(known));
        }
        Ok(())
    }
}

/// The id of a name, if any call ever bore it.
pub(super) fn id_of(
    conn: &mut AnyConnection,
    kind: NameKind,
    text: &str,
) -> Result<Option<i32>, StoreError> {
    Ok(spend_names::table
        .filter(spend_names::kind.eq(kind as i16))
        .filter(spend_names::text.eq(&*storable(text)))
        .select(spend_names::id)
        .first(conn)
        .optional()?)
}

/// The texts of ids.
pub(super) fn texts_of(
    conn: &mut AnyConnection,
    ids: impl IntoIterator<Item = i32>,
) -> Result<HashMap<i32, Arc<str>>, StoreError> {
    let ids: Vec<i32> = ids
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let mut texts = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(AT_ONCE) {
        let found: Vec<(i32, String)> = spend_names::table
            .filter(spend_names::id.eq_any(ids))
            .select((spend_names::id, spend_names::text))
            .load(conn)?;
        texts.extend(found.into_iter().map(|(id, text)| (id, text.into())));
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_a_character_and_bear_no_nul() {
        assert!(matches!(storable("gpt-4o"), Cow::Borrowed("gpt-4o")));
        assert_eq!(storable("a\0b"), "a?b");
        let long = format!("{}é", "x".repeat(LONGEST - 1));
        assert_eq!(storable(&long), "x".repeat(LONGEST - 1));
        assert_eq!(storable(&storable(&long)), storable(&long));
    }

    #[test]
    fn a_used_name_outlives_a_flood() {
        let mut cache = NameCache::with_capacity(10);
        cache.absorb(Fresh::from([((NameKind::Model, "gpt-4o".into()), 1)]));
        for flood in 0..1000 {
            cache.absorb(Fresh::from([(
                (NameKind::EndUser, flood.to_string().into()),
                2 + flood,
            )]));
            assert_eq!(
                cache.get(NameKind::Model, "gpt-4o"),
                Some(1),
                "after {flood}"
            );
        }
        assert!(cache.young.len <= 11 && cache.old.len <= 11);
        assert_eq!(cache.get(NameKind::EndUser, "0"), None);
        assert_eq!(cache.get(NameKind::ModelGroup, "gpt-4o"), None);
    }
}
