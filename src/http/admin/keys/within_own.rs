//! What a user may give a key of its own: never more than the calling key has.

use super::fields::{Field, KeyFields};
use crate::auth::Caller;
use crate::http::error::ApiError;
use crate::journey::Worker;
use crate::policy::caller_settings::CallerSettings;
use crate::types::{NanoUsd, Role};

/// Groups of routes that everybody may hold a key to (LiteLLM 1.106.2).
const SAFE_GROUPS: [&str; 2] = ["llm_api_routes", "info_routes"];

/// The calling user's id.
pub fn own_id(caller: &Caller) -> Option<String> {
    caller
        .principal()
        .user
        .as_ref()
        .map(|user| user.id.to_string())
}

pub fn is_admin(caller: &Caller) -> bool {
    caller.role() == Role::ProxyAdmin
}

/// Whether the caller may see every key.
pub fn sees_all(caller: &Caller) -> bool {
    matches!(caller.role(), Role::ProxyAdmin | Role::ProxyAdminViewer)
}

/// Fills in what a user's new key inherits from the calling key, after [`check`]: limits that are not named, the team, the
/// routes. An administrator's stays as it is.
pub fn complete(worker: &Worker, caller: &Caller, fields: &mut KeyFields) -> Result<(), ApiError> {
    if is_admin(caller) {
        return Ok(());
    }
    let own = own_id(caller);
    if fields
        .user_id
        .iter()
        .flatten()
        .any(|asked| Some(asked) != own.as_ref())
    {
        return Err(ApiError::forbidden(
            "a user may only make keys for itself (user_id)",
        ));
    }
    let principal = caller.principal();
    let all_models = fields.models.iter().flatten().all(Vec::is_empty);
    if all_models && !principal.models.0.is_empty() {
        return Err(ApiError::forbidden(
            "name the models of the new key: the calling key is limited to some",
        ));
    }
    check(worker, caller, fields)?;
    fields.user_id = Some(own);
    fields.team_id = Some(principal.team.as_ref().map(|team| team.id.to_string()));
    // Spend at creation is for imports.
    fields.spend = None;
    let limits = &principal.key.limits;
    let count = |limit: Option<u64>| limit.and_then(|limit| i64::try_from(limit).ok());
    inherit(&mut fields.tpm_limit, count(limits.tpm));
    inherit(&mut fields.rpm_limit, count(limits.rpm));
    inherit(
        &mut fields.max_parallel_requests,
        count(limits.max_parallel_requests),
    );
    inherit(&mut fields.max_budget, limits.max_budget);
    let routes = fields.allowed_routes.iter().flatten().flatten();
    if routes.count() == 0 && !principal.allowed_routes.is_empty() {
        fields.allowed_routes = Some(Some(principal.allowed_routes.clone()));
    }
    Ok(())
}

fn inherit<T: Copy>(field: &mut Field<T>, own: Option<T>) {
    if field.flatten().is_none() {
        *field = Some(own);
    }
}

/// Refuses (403) what a user asks for beyond what the calling key has.
fn check(worker: &Worker, caller: &Caller, fields: &KeyFields) -> Result<(), ApiError> {
    if is_admin(caller) {
        return Ok(());
    }
    let principal = caller.principal();
    let forbidden = |text: &str| Err(ApiError::forbidden(text));
    if fields
        .permissions
        .iter()
        .flatten()
        .any(|map| !map.is_empty())
    {
        return forbidden("only a proxy admin may give permissions to a key");
    }
    let routes = || fields.allowed_routes.iter().flatten().flatten();
    if routes().any(|route| !SAFE_GROUPS.contains(&route.as_str())) {
        return forbidden(
            "only a proxy admin may set allowed_routes; a user may hold a key to 'llm_api_routes' or 'info_routes'",
        );
    }
    if !principal.allowed_routes.is_empty()
        && routes().any(|route| !principal.allowed_routes.contains(route))
    {
        return forbidden("the calling key is itself held to other routes (allowed_routes)");
    }
    let own_team = principal.team.as_ref().map(|team| &*team.id);
    if fields
        .team_id
        .iter()
        .flatten()
        .any(|asked| Some(&**asked) != own_team)
    {
        return forbidden(
            "a user may only make keys of the team that its own key belongs to (team_id)",
        );
    }
    let names = fields.models.iter().flatten().flatten();
    let targets = fields.aliases.iter().flatten().flatten();
    let settings = fields.router_settings.as_ref().and_then(Option::as_ref);
    let settings = settings.and_then(|settings| CallerSettings::read(settings).ok());
    let models = names
        .map(String::as_str)
        .chain(targets.filter_map(|(_, to)| to.as_str()))
        .chain(settings.iter().flat_map(CallerSettings::fallback_models));
    for model in models {
        if !worker.may_call(principal, model) {
            return Err(ApiError::forbidden(format!(
                "a user may not give a key the model '{model}' that it may not call itself"
            )));
        }
    }
    let limits = &principal.key.limits;
    capped("tpm_limit", fields.tpm_limit, limits.tpm)?;
    capped("rpm_limit", fields.rpm_limit, limits.rpm)?;
    capped(
        "max_parallel_requests",
        fields.max_parallel_requests,
        limits.max_parallel_requests,
    )?;
    match (fields.max_budget, limits.max_budget) {
        (Some(Some(asked)), Some(own)) if asked > own => Err(above("max_budget")),
        _ => Ok(()),
    }
}

fn capped(field: &str, asked: Field<i64>, own: Option<u64>) -> Result<(), ApiError> {
    let asked = asked.flatten().and_then(|asked| u64::try_from(asked).ok());
    match (asked, own) {
        (Some(asked), Some(own)) if asked > own => Err(above(field)),
        _ => Ok(()),
    }
}

fn above(field: &str) -> ApiError {
    ApiError::forbidden(format!("{field} is above the calling key's own"))
}

/// Refuses a change by its owner that only an administrator may make, or that would lift a limit of the calling key.
pub fn check_change(worker: &Worker, caller: &Caller, fields: &KeyFields) -> Result<(), ApiError> {
    if is_admin(caller) {
        return Ok(());
    }
    let named = [
        ("spend", fields.spend.is_some()),
        ("max_budget", fields.max_budget.is_some()),
        ("soft_budget", fields.soft_budget.is_some()),
        ("budget_duration", fields.budget_duration.is_some()),
        ("blocked", fields.blocked.is_some()),
        (
            "user_id",
            fields
                .user_id
                .as_ref()
                .is_some_and(|asked| *asked != own_id(caller)),
        ),
    ];
    if let Some((field, _)) = named.iter().find(|(_, is_named)| *is_named) {
        return Err(ApiError::forbidden(format!(
            "only a proxy admin may change {field} of a key"
        )));
    }
    let limits = &caller.principal().key.limits;
    let lifted = [
        (
            "tpm_limit",
            fields.tpm_limit == Some(None) && limits.tpm.is_some(),
        ),
        (
            "rpm_limit",
            fields.rpm_limit == Some(None) && limits.rpm.is_some(),
        ),
        (
            "max_parallel_requests",
            fields.max_parallel_requests == Some(None) && limits.max_parallel_requests.is_some(),
        ),
        (
            "models",
            fields
                .models
                .as_ref()
                .is_some_and(|list| list.iter().flatten().count() == 0)
                && !caller.principal().models.0.is_empty(),
        ),
        (
            "allowed_routes",
            fields
                .allowed_routes
                .as_ref()
                .is_some_and(|list| list.iter().flatten().count() == 0)
                && !caller.principal().allowed_routes.is_empty(),
        ),
    ];
    if let Some((field, _)) = lifted.iter().find(|(_, is_lifted)| *is_lifted) {
        return Err(above(field));
    }
    check(worker, caller, fields)
}

/// A key of a user does not outlive the key that made or changed it.
pub fn bounded_expiry(caller: &Caller, asked: Option<i64>) -> Option<i64> {
    match (asked, caller.principal().expires_at) {
        (asked, _) if is_admin(caller) => asked,
        (asked, None) => asked,
        (None, own) => own,
        (Some(asked), Some(own)) => Some(asked.min(own)),
    }
}

/// What was spent so far when it is set at creation.
pub fn imported(fields: &KeyFields) -> NanoUsd {
    fields.spend.flatten().unwrap_or_default()
}
