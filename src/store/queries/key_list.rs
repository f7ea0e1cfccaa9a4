//! Keys page by page: those there are, and those that were deleted.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable, Text};

use super::super::connection::MultiBackend;
use super::super::rows::{DeletedKeyRow, KeyInfo, KeyRow, OwnerType};
use super::super::schema::{deleted_keys, keys, model_grants};
use super::super::{AnyConnection, StoreError, dialect};

diesel::define_sql_function! {
    /// Lower case: of ASCII letters on SQLite, of all letters on PostgreSQL.
    fn lower(text: Nullable<Text>) -> Nullable<Text>;
}

/// What a column must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    Exact(String),
    /// Anywhere in the text, in any case.
    Contains(String),
}

/// `sort_by` of `/key/list`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyOrder {
    #[default]
    CreatedAt,
    UpdatedAt,
    Spend,
    MaxBudget,
    Token,
    KeyAlias,
}

/// Which keys, in which order. Filters that are `None` let everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyQuery {
    pub user_id: Option<Match>,
    pub team_id: Option<String>,
    /// Lower-case hex.
    pub token_hash: Option<String>,
    pub key_alias: Option<Match>,
    /// In the alias or the owner's id, or the whole hash.
    pub search: Option<String>,
    /// Only keys of this user, whatever the filters: for callers who see but their own.
    pub owner: Option<String>,
    /// With `owner`, keys that this user has made for others too.
    pub or_created_by_owner: bool,
    pub order: KeyOrder,
    pub ascending: bool,
    /// Rows left out before the first.
    pub offset: i64,
    pub limit: i64,
}

impl KeyQuery {
    /// Whether a text is asked for that no row can hold: PostgreSQL has no NUL and refuses even to look for one.
    fn asks_for_nul(&self) -> bool {
        let of_match = |wanted: &Option<Match>| match wanted {
            Some(Match::Exact(text) | Match::Contains(text)) => text.contains('\0'),
            None => false,
        };
        let texts = [&self.team_id, &self.token_hash, &self.search, &self.owner];
        of_match(&self.user_id)
            || of_match(&self.key_alias)
            || texts
                .iter()
                .any(|text| text.as_deref().is_some_and(|text| text.contains('\0')))
    }
}

/// One page, and how many keys match in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPage {
    pub keys: Vec<KeyInfo>,
    pub total: i64,
}

/// `LIKE`'s pattern for "contains": its special characters stand for themselves.
fn containing(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// A condition on the rows of `table`; NULL counts as no.
type Condition<T> = Box<dyn BoxableExpression<T, MultiBackend, SqlType = Nullable<Bool>>>;

/// The conditions of a query on a table that has the columns token_hash, key_alias, user_id and team_id.
macro_rules! conditions {
    ($table:ident, $query:expr) => {{
        let mut all: Vec<Condition<$table::table>> = Vec::new();
        for (column, wanted) in [(0, &$query.user_id), (1, &$query.key_alias)] {
            all.push(match (column, wanted) {
                (_, None) => continue,
                (0, Some(Match::Exact(text))) => Box::new($table::user_id.eq(text.clone())),
                (0, Some(Match::Contains(text))) => {
                    Box::new(lower($table::user_id).like(containing(text)).escape('\\'))
                }
                (_, Some(Match::Exact(text))) => Box::new($table::key_alias.eq(text.clone())),
                (_, Some(Match::Contains(text))) => {
                    Box::new(lower($table::key_alias).like(containing(text)).escape('\\'))
                }
            });
        }
        if let Some(team) = &$query.team_id {
            all.push(Box::new($table::team_id.eq(team.clone())));
        }
        if let Some(hash) = &$query.token_hash {
            all.push(Box::new($table::token_hash.eq(hash.clone()).nullable()));
        }
        if let Some(text) = &$query.search {
            let like = || containing(text);
            let in_alias = lower($table::key_alias).like(like()).escape('\\');
            let in_user = lower($table::user_id).like(like()).escape('\\');
            let is_hash = $table::token_hash.eq(text.to_lowercase());
            // NULL OR true is true, NULL OR false is NULL: no.
            all.push(Box::new(is_hash.nullable().or(in_alias).or(in_user)));
        }
        all
    }};
}

fn of_keys(query: &KeyQuery) -> Vec<Condition<keys::table>> {
    let mut all = conditions!(keys, query);
    if let Some(owner) = &query.owner {
        let own = keys::user_id.eq(owner.clone());
        all.push(match query.or_created_by_owner {
            true => Box::new(own.or(keys::created_by.eq(owner.clone()))),
            false => Box::new(own),
        });
    }
    all
}

/// One page of the keys that match, with their models, and their number, both of one moment.
///
/// Indexes: (user_id, created_at), (team_id, created_at), (created_at); other orders sort what the filters leave.
pub fn key_page(conn: &mut AnyConnection, query: &KeyQuery) -> Result<KeyPage, StoreError> {
    if query.asks_for_nul() {
        return Ok(Default::default());
    }
    dialect::snapshot(conn, |conn| {
        let mut count = keys::table
            .select(diesel::dsl::count_star())
            .into_boxed::<MultiBackend>();
        for condition in of_keys(query) {
            count = count.filter(condition);
        }
        let total = count.first(conn)?;
        let mut rows = keys::table
            .select(KeyRow::as_select())
            .into_boxed::<MultiBackend>();
        for condition in of_keys(query) {
            rows = rows.filter(condition);
        }
        // NULLs come last in either direction: SQLite and PostgreSQL differ where it is not said.
        macro_rules! by {
            ($column:expr) => {
                match query.ascending {
                    true => rows.order(($column.is_null(), $column.asc())),
                    false => rows.order(($column.is_null(), $column.desc())),
                }
            };
        }
        rows = match query.order {
            KeyOrder::CreatedAt => by!(keys::created_at),
            KeyOrder::UpdatedAt => by!(keys::updated_at),
            KeyOrder::Spend => by!(keys::spend),
            KeyOrder::MaxBudget => by!(keys::max_budget),
            KeyOrder::Token => by!(keys::token_hash),
            KeyOrder::KeyAlias => by!(keys::key_alias),
        };
        rows = match query.ascending {
            true => rows.then_order_by(keys::token_hash.asc()),
            false => rows.then_order_by(keys::token_hash.desc()),
        };
        let rows = rows.offset(query.offset).limit(query.limit).load(conn)?;
        let keys = with_models(conn, rows)?;
        Ok(KeyPage { keys, total })
    })
}

fn with_models(conn: &mut AnyConnection, rows: Vec<KeyRow>) -> Result<Vec<KeyInfo>, StoreError> {
    let hashes: Vec<&str> = rows.iter().map(|row| row.token_hash.as_str()).collect();
    let grants: Vec<(String, String)> = model_grants::table
        .filter(model_grants::owner_type.eq(OwnerType::Key as i16))
        .filter(model_grants::owner_id.eq_any(hashes))
        .order((model_grants::owner_id, model_grants::position))
        .select((model_grants::owner_id, model_grants::model))
        .load(conn)?;
    let mut models: HashMap<String, Vec<String>> = HashMap::new();
    for (hash, model) in grants {
        models.entry(hash).or_default().push(model);
    }
    let info = |row: KeyRow| KeyInfo {
        models: models.remove(&row.token_hash).unwrap_or_default(),
        row,
    };
    Ok(rows.into_iter().map(info).collect())
}

/// One page of the archive, last deleted first; `order` has no meaning there.
pub fn deleted_key_page(
    conn: &mut AnyConnection,
    query: &KeyQuery,
) -> Result<(Vec<DeletedKeyRow>, i64), StoreError> {
    if query.asks_for_nul() {
        return Ok(Default::default());
    }
    let conditions = || {
        let mut all = conditions!(deleted_keys, query);
        if let Some(owner) = &query.owner {
            all.push(Box::new(deleted_keys::user_id.eq(owner.clone())));
        }
        all
    };
    dialect::snapshot(conn, |conn| {
        let mut count = deleted_keys::table
            .select(diesel::dsl::count_star())
            .into_boxed::<MultiBackend>();
        for condition in conditions() {
            count = count.filter(condition);
        }
        let mut rows = deleted_keys::table
            .select(DeletedKeyRow::as_select())
            .into_boxed::<MultiBackend>();
        for condition in conditions() {
            rows = rows.filter(condition);
        }
        let total = count.first(conn)?;
        let rows = rows
            .order((deleted_keys::deleted_at.desc(), deleted_keys::id.desc()))
            .offset(query.offset)
            .limit(query.limit)
            .load(conn)?;
        Ok((rows, total))
    })
}

/// Aliases that are in use, in alphabetical order, and how many.
pub fn key_aliases(
    conn: &mut AnyConnection,
    query: &KeyQuery,
) -> Result<(Vec<String>, i64), StoreError> {
    if query.asks_for_nul() {
        return Ok(Default::default());
    }
    dialect::snapshot(conn, |conn| {
        let mut count = keys::table
            .select(diesel::dsl::count_star())
            .filter(keys::key_alias.is_not_null())
            .into_boxed::<MultiBackend>();
        let mut rows = keys::table
            .select(keys::key_alias.assume_not_null())
            .filter(keys::key_alias.is_not_null())
            .into_boxed::<MultiBackend>();
        for condition in of_keys(query) {
            count = count.filter(condition);
        }
        for condition in of_keys(query) {
            rows = rows.filter(condition);
        }
        let total = count.first(conn)?;
        let rows = rows
            .order(keys::key_alias.asc())
            .offset(query.offset)
            .limit(query.limit)
            .load(conn)?;
        Ok((rows, total))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_its_text_alone() {
        assert_eq!(containing("A_b%c\\d"), "%a\\_b\\%c\\\\d%");
    }
}
