//! From the fields of a request to the columns that change.

use super::checked;
use super::fields::KeyFields;
use super::generate::{list, next_reset, object};
use super::within_own::bounded_expiry;
use crate::auth::Caller;
use crate::http::error::ApiError;
use crate::policy::duration::Span;
use crate::store::{KeyChanges, KeyInfo, KeyUpdate};

/// What a request changes of a key; `spend` is set apart, by [`super::apply::set_spend`].
pub fn changes(
    caller: &Caller,
    info: &KeyInfo,
    fields: &KeyFields,
    now_ms: i64,
) -> Result<KeyUpdate, ApiError> {
    let expires_at = match &fields.duration {
        None => None,
        Some(None) => Some(None),
        Some(Some(duration)) => Some(checked::expiry(duration, now_ms)?),
    };
    let (budget_duration, budget_reset_at) = rhythm(info, fields, now_ms);
    let changes = KeyChanges {
        key_alias: fields.key_alias.clone(),
        user_id: fields.user_id.clone(),
        team_id: fields.team_id.clone(),
        blocked: fields.blocked.map(Option::unwrap_or_default),
        expires_at: expires_at.map(|asked| bounded_expiry(caller, asked)),
        max_budget: fields.max_budget,
        soft_budget: fields.soft_budget,
        tpm_limit: fields.tpm_limit,
        rpm_limit: fields.rpm_limit,
        max_parallel_requests: fields.max_parallel_requests,
        budget_duration,
        budget_reset_at,
        metadata: fields.metadata.as_ref().map(|_| object(&fields.metadata)),
        permissions: fields
            .permissions
            .as_ref()
            .map(|_| object(&fields.permissions)),
        aliases: fields.aliases.as_ref().map(|_| object(&fields.aliases)),
        router_settings: fields
            .router_settings
            .as_ref()
            .map(|_| object(&fields.router_settings)),
        config: None,
        key_type: fields.key_type.clone(),
        allowed_routes: fields
            .allowed_routes
            .as_ref()
            .map(|_| list(&fields.allowed_routes)),
        updated_by: None,
    };
    Ok(KeyUpdate {
        changes,
        models: fields.models.clone().map(Option::unwrap_or_default),
        now_ms,
        ..KeyUpdate::default()
    })
}

type Rhythm = (Option<Option<String>>, Option<Option<i64>>);

/// A new rhythm begins now; the same one, however it is spelled, goes on as it is.
fn rhythm(info: &KeyInfo, fields: &KeyFields, now_ms: i64) -> Rhythm {
    let Some(asked) = &fields.budget_duration else {
        return (None, None);
    };
    let span = |text: &Option<String>| text.as_deref()?.parse::<Span>().ok();
    if span(asked).is_some()
        && span(asked) == span(&info.row.budget_duration)
        && info.row.budget_reset_at.is_some()
    {
        return (Some(asked.clone()), None);
    }
    let next = next_reset(asked.as_deref(), now_ms);
    (Some(asked.clone()), Some(next))
}
