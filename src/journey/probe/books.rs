//! The row of a check: what it cost is money, and nobody's who calls (LiteLLM 1.106.2).

use std::sync::Arc;
use std::time::Duration;

use super::Made;
use crate::journey::charge::{PricedAs, bounded, priced};
use crate::journey::routes::Prepared;
use crate::spend::Desk;
use crate::types::{
    CallStatus, HEALTH_CHECKER, KeyHash, Labels, LedgerId, RowCost, SpendRow, Usage,
};

/// A check that was answered.
pub(super) struct Answered<'a> {
    pub made: &'a Made,
    /// The model that was asked for.
    pub model: &'a str,
    pub took: Duration,
    /// Microseconds since the Unix epoch.
    pub started_at: i64,
}

/// Journals the row of a check. Checks that fail cost nothing, and have none.
pub(super) fn book(desk: &Desk, prepared: &Prepared, answered: &Answered<'_>) {
    let deployment = &*prepared.deployment;
    let priced = answered.made.told.as_ref().map(|told| {
        let asked = PricedAs {
            input_tokens: answered.made.asked_bytes.div_ceil(4) as u64,
            tier: None,
            took: answered.took,
            started_at: answered.started_at,
        };
        priced(deployment, prepared, told, true, &asked)
    });
    let unpriced = RowCost {
        unpriced: true,
        ..RowCost::default()
    };
    let call_id: Arc<str> = uuid::Uuid::new_v4().to_string().into();
    let told_id = answered
        .made
        .told
        .as_ref()
        .and_then(|told| told.id.as_deref());
    let labels = Labels {
        tags: vec![HEALTH_CHECKER.to_owned()],
        ..Labels::default()
    };
    let took = i64::try_from(answered.took.as_micros()).unwrap_or(i64::MAX);
    let row = SpendRow {
        ledger_id: LedgerId::now(),
        key_hash: KeyHash::of(HEALTH_CHECKER),
        user_id: None,
        team_id: Some(HEALTH_CHECKER.into()),
        end_user: None,
        started_at: answered.started_at,
        ended_at: answered.started_at.saturating_add(took),
        first_token_at: None,
        call_type: answered.made.call_type.clone(),
        status: CallStatus::Success,
        model: answered.model.into(),
        model_group: deployment.group.clone(),
        model_id: deployment.id.clone(),
        provider: deployment.provider.clone(),
        api_base: deployment.shown_base.clone(),
        spend: priced.map_or_else(Default::default, |priced| priced.bill.spend()),
        cost: priced.map_or(unpriced, |priced| priced.bill.recorded()),
        usage: priced.map_or_else(Usage::default, |priced| priced.usage),
        usage_estimated: priced.is_some_and(|priced| priced.is_estimated),
        request_id: told_id.map_or_else(|| call_id.clone(), |id| bounded(id).into()),
        call_id,
        retries: 0,
        http_status: 200,
        error_class: None,
        client_ip: None,
        user_agent: None,
        labels: serde_json::to_string(&labels).ok().map(Arc::from),
        budgets: Vec::new(),
    };
    desk.settled(None, row);
}
