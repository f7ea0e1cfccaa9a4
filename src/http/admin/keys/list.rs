//! `GET /key/list` and `GET /key/aliases`.

use actix_web::HttpResponse;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::shown::shown_with_token;
use super::within_own::{own_id, sees_all};
use crate::auth::{Caller, iso};
use crate::http::error::ApiError;
use crate::http::query::Query;
use crate::http::route::{Call, now_ms};
use crate::store::queries::{KeyOrder, KeyQuery, Match};
use crate::store::{DeletedKeyRow, KeyInfo, ask, messages};

/// The largest page.
const MOST: i64 = 100;

#[derive(IntoParams)]
#[expect(
    dead_code,
    reason = "the document's parameters; they are read one by one"
)]
pub struct KeyListQuery {
    /// From 1.
    #[param(minimum = 1)]
    page: Option<i64>,
    /// Keys on a page, 10 when absent.
    #[param(minimum = 1, maximum = 100)]
    size: Option<i64>,
    user_id: Option<String>,
    team_id: Option<String>,
    organization_id: Option<String>,
    /// A key's hash or its text.
    key_hash: Option<String>,
    key_alias: Option<String>,
    /// In the alias or the owner's id, or a whole hash.
    search: Option<String>,
    /// Whole keys instead of their hashes.
    return_full_object: Option<bool>,
    include_team_keys: Option<bool>,
    /// Also keys that the caller has made for others.
    include_created_by_keys: Option<bool>,
    /// `spend`, `max_budget`, `created_at`, `updated_at`, `token` or `key_alias`.
    sort_by: Option<String>,
    /// `asc` or `desc`.
    sort_order: Option<String>,
    /// `deleted`: keys of the archive.
    status: Option<String>,
    /// `key_alias` and an administrator's `user_id` may stand anywhere in the text, in any case.
    substring_matching: Option<bool>,
    project_id: Option<String>,
    access_group_id: Option<String>,
    agent_id: Option<String>,
}

pub async fn list(call: Call) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    let query = Query::of(&call.request);
    let page = query.whole("page", 1..=i64::MAX / MOST)?.unwrap_or(1);
    let size = query.whole("size", 1..=MOST)?.unwrap_or(10);
    let whole = query.flag("return_full_object")?.unwrap_or(false);
    // Nobody's keys have these yet, so none match.
    let elsewhere = [
        "organization_id",
        "project_id",
        "access_group_id",
        "agent_id",
    ];
    let nothing = elsewhere.iter().any(|name| query.text(name).is_some());
    let filters = filters(&caller, &query, page, size)?;
    let (keys, total) = match query.text("status") {
        _ if nothing => (Vec::new(), 0),
        None | Some("active") => {
            let list = messages::ListKeys { query: filters };
            let page = ask(&call.worker.shared.store.admin, list).await?;
            (
                page.keys.iter().map(|info| entry(info, whole)).collect(),
                page.total,
            )
        }
        Some("deleted") => {
            let list = messages::ListDeletedKeys { query: filters };
            let (rows, total) = ask(&call.worker.shared.store.admin, list).await?;
            (rows.iter().map(|row| archived(row, whole)).collect(), total)
        }
        Some(other) => {
            let text = format!("status is 'deleted' or left out. Received: '{other:.32}'");
            return Err(bad_query("status", text));
        }
    };
    Ok(HttpResponse::Ok().json(json!({
        "keys": Value::Array(keys),
        "total_count": total,
        "current_page": page,
        "total_pages": pages(total, size),
    })))
}

fn filters(caller: &Caller, query: &Query, page: i64, size: i64) -> Result<KeyQuery, ApiError> {
    let all = sees_all(caller);
    let own = own_id(caller);
    if !all && own.is_none() {
        return Err(ApiError::forbidden(
            "You are not authorized to access this endpoint. No 'user_id' is associated with your API key.",
        ));
    }
    let contains = query.flag("substring_matching")?.unwrap_or(false);
    let matching = |text: &str, contains: bool| match contains {
        true => Match::Contains(text.to_owned()),
        false => Match::Exact(text.to_owned()),
    };
    let hash = query.short_text("key_hash")?.map(|key| {
        // No key has a hash that is none.
        super::find::hash_of(key).map_or_else(|| key.to_owned(), |hash| hash.to_string())
    });
    Ok(KeyQuery {
        user_id: query
            .short_text("user_id")?
            .map(|id| matching(id, contains && all)),
        team_id: query.short_text("team_id")?.map(str::to_owned),
        token_hash: hash,
        key_alias: query
            .short_text("key_alias")?
            .map(|alias| matching(alias, contains)),
        search: query.short_text("search")?.map(str::to_owned),
        owner: if all { None } else { own },
        or_created_by_owner: query.flag("include_created_by_keys")?.unwrap_or(false),
        order: order(query)?,
        ascending: ascending(query)?,
        offset: (page - 1).saturating_mul(size),
        limit: size,
    })
}

fn order(query: &Query) -> Result<KeyOrder, ApiError> {
    Ok(match query.text("sort_by") {
        None | Some("created_at") => KeyOrder::CreatedAt,
        Some("updated_at") => KeyOrder::UpdatedAt,
        Some("spend") => KeyOrder::Spend,
        Some("max_budget") => KeyOrder::MaxBudget,
        Some("token") => KeyOrder::Token,
        Some("key_alias") => KeyOrder::KeyAlias,
        Some(other) => {
            let text = format!(
                "Invalid sort_by '{other:.32}'. Use one of: spend, max_budget, created_at, updated_at, token, key_alias."
            );
            return Err(bad_query("sort_by", text));
        }
    })
}

fn ascending(query: &Query) -> Result<bool, ApiError> {
    match query
        .text("sort_order")
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        None | Some("desc") => Ok(false),
        Some("asc") => Ok(true),
        Some(other) => {
            let text = format!("Invalid sort_order '{other:.32}'. Use 'asc' or 'desc'.");
            Err(bad_query("sort_order", text))
        }
    }
}

fn bad_query(name: &str, text: String) -> ApiError {
    ApiError::new(400, "bad_request_error", text, Some(name.to_owned()))
}

fn pages(total: i64, size: i64) -> i64 {
    (total + size - 1) / size.max(1)
}

fn entry(info: &KeyInfo, whole: bool) -> Value {
    match whole {
        true => shown_with_token(info, now_ms()),
        false => info.row.token_hash.as_str().into(),
    }
}

fn archived(row: &DeletedKeyRow, whole: bool) -> Value {
    let document: Option<KeyInfo> = serde_json::from_str(&row.document).ok();
    let Some(info) = document.filter(|_| whole) else {
        return row.token_hash.as_str().into();
    };
    let mut shown = shown_with_token(&info, row.deleted_at);
    shown["id"] = row.id.as_str().into();
    shown["status"] = "deleted".into();
    shown["deleted_at"] = iso(row.deleted_at).into();
    shown["deleted_by"] = row.deleted_by.as_deref().into();
    shown["deleted_by_api_key"] = row.deleted_by_key.as_deref().into();
    shown
}

#[derive(IntoParams)]
#[expect(
    dead_code,
    reason = "the document's parameters; they are read one by one"
)]
pub struct KeyAliasesQuery {
    /// From 1.
    #[param(minimum = 1)]
    page: Option<i64>,
    /// Aliases on a page, 50 when absent.
    #[param(minimum = 1, maximum = 100)]
    size: Option<i64>,
    /// Anywhere in the alias, in any case.
    search: Option<String>,
    team_id: Option<String>,
}

/// Aliases in use, of the keys that the caller sees.
pub async fn aliases(call: Call) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    let query = Query::of(&call.request);
    let page = query.whole("page", 1..=i64::MAX / MOST)?.unwrap_or(1);
    let size = query.whole("size", 1..=MOST)?.unwrap_or(50);
    let search = query.short_text("search")?;
    let filters = KeyQuery {
        key_alias: search.map(|text| Match::Contains(text.to_owned())),
        team_id: query.short_text("team_id")?.map(str::to_owned),
        owner: if sees_all(&caller) {
            None
        } else {
            own_id(&caller)
        },
        offset: (page - 1).saturating_mul(size),
        limit: size,
        ..KeyQuery::default()
    };
    let list = messages::ListAliases { query: filters };
    let (aliases, total) = ask(&call.worker.shared.store.admin, list).await?;
    Ok(HttpResponse::Ok().json(json!({
        "aliases": aliases,
        "total_count": total,
        "current_page": page,
        "total_pages": pages(total, size),
        "size": size,
    })))
}
