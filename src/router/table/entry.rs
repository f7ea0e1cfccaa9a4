//! One entry of the model list as a deployment.

use std::sync::Arc;

use super::concrete::ModelRules;
use super::targets::Targets;
use super::{Deployment, HealthCheck, TIMEOUT, plan};
use crate::catalog::{self, ModelEntry as CatalogEntry, Prices, ServiceTier};
use crate::config::{ClientsideParam, Config, ModelEntry, PriceField, shown_address};
use crate::policy::client_access::AccessRule;
use crate::policy::cooldown::Rules as CooldownRules;
use crate::policy::cost::{Adjustment, OffPeak, Residency, Tariff};
use crate::protocol::json;
use crate::protocol::mock::Mock;
use crate::providers::parameters::Plan;
use crate::providers::{self, Betas, Entra, Provider};
use crate::types::{Operation, Secret};

/// Held for an answer when neither request nor catalogue bound it, in tokens.
const UNKNOWN_MAX_OUTPUT: u64 = 16_384;

/// The catalogue's row of an entry: its `base_model`, else the provider's model.
pub(super) fn catalogue_row(entry: &ModelEntry) -> Option<CatalogEntry> {
    match entry.base_model() {
        Some(base) => catalog::find(&entry.provider, base).or_else(|| catalog::find_key(base)),
        None => catalog::find(&entry.provider, &entry.upstream_model),
    }
}

/// Prices written at the deployment; those of `litellm_params` win.
pub(super) fn own_prices(entry: &ModelEntry) -> Vec<&PriceField> {
    entry
        .model_info
        .prices
        .iter()
        .chain(&entry.litellm_params.prices)
        .collect()
}

pub(super) fn own_off_peak(entry: &ModelEntry) -> Option<&OffPeak> {
    let (params, info) = (&entry.litellm_params, &entry.model_info);
    params.off_peak.as_ref().or(info.off_peak.as_ref())
}

/// The catalogue's prices with the entry's own laid over them.
pub(super) fn tariff(
    adjustment: Adjustment,
    entry: &ModelEntry,
    row: Option<&CatalogEntry>,
    own: &[&PriceField],
) -> Tariff {
    let mut over = Prices::default();
    for field in own {
        // The configuration has checked names and figures; what it let through and the catalogue does not know is no price.
        if over.set(&field.name, &field.decimal).is_err() {
            log::warn!(
                "deployment {}: the price '{}' cannot be used",
                entry.id,
                field.name
            );
        }
    }
    let listed = row.map(|row| &row.prices).cloned().unwrap_or_default();
    let off_peak = own_off_peak(entry).cloned().or_else(|| {
        let listed = row.and_then(OffPeak::of_entry).and_then(Result::ok)?;
        Some(listed.overridden_by(&over))
    });
    Tariff::new(
        &entry.provider,
        &listed.overridden_by(&over),
        off_peak,
        adjustment,
    )
}

/// What the entry says it is for, else the catalogue (`chat`, `completion`, `embedding` …).
pub(super) fn mode(entry: &ModelEntry) -> Option<&str> {
    let listed = || catalogue_row(entry).and_then(|row| row.mode);
    entry.model_info.mode.as_deref().or_else(listed)
}

/// Whether text completions of this entry go to its chats, as in LiteLLM: where the provider has no others, where OpenAI's
/// model is known to chat, and at Azure unless the model is known to complete texts.
fn texts_by_chat(entry: &ModelEntry, provider: &Provider) -> bool {
    if !provider.serves(Operation::Completion) {
        let mut conversations = Operation::CONVERSATIONS.into_iter();
        return conversations.any(|operation| provider.serves(operation));
    }
    match entry.provider.as_str() {
        "openai" => mode(entry) == Some("chat"),
        "azure" => mode(entry) != Some("completion"),
        _ => false,
    }
}

/// OpenAI's regional hosts process their data there, at a price of their own.
pub(super) fn residency(entry: &ModelEntry) -> Residency {
    let host = entry.api_base.split("://").nth(1).unwrap_or_default();
    if host.starts_with("us.api.openai.com") {
        Residency::Us
    } else if host.starts_with("eu.api.openai.com") {
        Residency::Eu
    } else {
        Residency::Global
    }
}

/// What is said of the entry's cooldowns, by itself and by the router. What stands for many models by a wildcard is never left
/// out: one of them failing says nothing of the others (LiteLLM 1.106.2).
fn cooldown(config: &Config, entry: &ModelEntry) -> CooldownRules {
    let router = &config.router_settings;
    let mut own = entry.model_info.cooldown;
    own.time_ms = own.time_ms.or(entry.litellm_params.cooldown_time_ms);
    CooldownRules {
        never: router.disable_cooldowns || entry.model_name.contains('*'),
        is_alone: false,
        own,
        router: router.cooldown,
        shares: router.cooldown_shares,
        returns: router.cooldown_recovery,
    }
}

pub(super) fn deployment(config: &Config, entry: &ModelEntry, tariff: Arc<Tariff>) -> Deployment {
    let params = &entry.litellm_params;
    let router = &config.router_settings;
    let timeout = params
        .timeout
        .or(router.timeout)
        .or(config.litellm_settings.request_timeout)
        .unwrap_or(TIMEOUT);
    let provider = providers::or_generic(&entry.provider);
    let mock = mock(config, entry);
    let (key, entra) = (entry.api_key.as_ref(), entry.entra.as_ref());
    let auth = |operation| auth_headers(provider, operation, &entry.api_base, key, entra);
    let serves = |operation| url(entry, provider, operation).is_some();
    let (own_headers, betas) = own_headers(entry);
    let row = catalogue_row(entry);
    let mut rules = ModelRules::of(config, &entry.provider);
    let others = entry.others.iter();
    let others = others.map(|other| deployment(config, &entry.at(other), tariff.clone()));
    rules.others = others.collect();
    let OfModel {
        model,
        counted_as,
        model_json,
        litellm_model,
        texts_by_chat,
        window,
        max_output_tokens,
        urls,
        plan,
        targets,
    } = OfModel::of(entry, row.as_ref(), &rules, mock.is_none());
    let stands_for_many = entry.upstream_model.contains('*');
    Deployment {
        concrete: None,
        model_rules: stands_for_many.then(|| Arc::new(rules)),
        id: entry.id.clone(),
        group: entry.model_name.as_str().into(),
        team: entry.model_info.team_id.as_deref().map(Arc::from),
        access_groups: {
            let names = entry.model_info.access_groups.iter();
            names.map(|name| name.as_str().into()).collect()
        },
        provider: entry.provider.as_str().into(),
        model,
        counted_as,
        model_json,
        litellm_model,
        health_check: HealthCheck::of(entry, &config.health_checks, mode(entry), serves, timeout),
        texts_by_chat,
        silent_models: params
            .silent_models
            .iter()
            .map(|name| name.as_str().into())
            .collect(),
        supports_prefill: row
            .as_ref()
            .and_then(|row| row.flag("supports_assistant_prefill"))
            .unwrap_or(false),
        window,
        max_output_tokens,
        api_base: entry.api_base.as_str().into(),
        shown_base: shown_address(&entry.api_base).into(),
        api_key: entry.api_key.clone(),
        entra: entry.entra.clone(),
        api_version: params.api_version.as_deref().map(Arc::from),
        urls,
        plan,
        headers: auth(Operation::Chat).chain(own_headers.clone()).collect(),
        messages_headers: messages_headers(auth(Operation::Messages))
            .chain(own_headers.clone())
            .collect(),
        betas: Betas::of(&entry.provider, key, betas.iter().map(Secret::expose)),
        targets,
        own_headers,
        tls: params.tls.over(&config.network.tls),
        timeout,
        stream_timeout: params.stream_timeout.or(router.stream_timeout),
        num_retries: params
            .num_retries
            .or(router.num_retries)
            .or(config.litellm_settings.num_retries)
            .unwrap_or(crate::policy::retry::RetryPolicy::default().num_retries),
        tariff,
        default_tier: params
            .other
            .iter()
            .find(|(name, _)| name == "service_tier")
            .and_then(|(_, value)| ServiceTier::named(value.as_str())),
        bills_what_answers_name: entry.base_model().is_none()
            && own_prices(entry).is_empty()
            && own_off_peak(entry).is_none(),
        client_access: client_access(config, entry),
        mock,
        cooldown: cooldown(config, entry),
        slots: slots(config, entry).map(|slots| u32::try_from(slots).unwrap_or(u32::MAX)),
        gauges: Arc::default(),
        entry: Arc::new(entry.clone()),
    }
}

/// What of a deployment depends on the provider's model.
pub(super) struct OfModel {
    model: Arc<str>,
    counted_as: Arc<str>,
    model_json: Vec<u8>,
    litellm_model: Arc<str>,
    texts_by_chat: bool,
    window: Option<u64>,
    max_output_tokens: u64,
    urls: [Option<String>; Operation::ALL.len()],
    plan: Plan,
    targets: Targets,
}

impl OfModel {
    /// `row` is the catalogue's row of the model; one that `is_called` has addresses.
    pub(super) fn of(
        entry: &ModelEntry,
        row: Option<&CatalogEntry>,
        rules: &ModelRules,
        is_called: bool,
    ) -> Self {
        let provider = providers::or_generic(&entry.provider);
        let info = &entry.model_info;
        let own_output = info.max_output_tokens.or(info.max_tokens);
        let listed_input = row.and_then(|row| row.max_input_tokens);
        let listed_output = row.and_then(|row| row.max_output_tokens.or(row.max_tokens));
        let model = entry.upstream_model.as_str();
        Self {
            model: model.into(),
            counted_as: entry.base_model().unwrap_or(model).into(),
            model_json: json::quoted(model),
            litellm_model: entry.litellm_params.model.as_str().into(),
            texts_by_chat: texts_by_chat(entry, provider),
            window: info.max_input_tokens.or(listed_input),
            max_output_tokens: own_output.or(listed_output).unwrap_or(UNKNOWN_MAX_OUTPUT),
            urls: Operation::ALL
                .map(|operation| url(entry, provider, operation).filter(|_| is_called)),
            plan: plan::compile(rules.drop_params, entry, row),
            targets: Targets::of(provider, model, row, own_output, rules.mends),
        }
    }

    /// Puts it in the place of another model's.
    pub(super) fn put(self, deployment: &mut Deployment) {
        deployment.model = self.model;
        deployment.counted_as = self.counted_as;
        deployment.model_json = self.model_json;
        deployment.litellm_model = self.litellm_model;
        deployment.texts_by_chat = self.texts_by_chat;
        deployment.window = self.window;
        deployment.max_output_tokens = self.max_output_tokens;
        deployment.urls = self.urls;
        deployment.plan = self.plan;
        deployment.targets = self.targets;
    }
}

/// Where an operation of an entry's model is served.
fn url(entry: &ModelEntry, provider: &Provider, operation: Operation) -> Option<String> {
    let params = &entry.litellm_params;
    let is_left_out = match operation {
        Operation::Chat => is_without_chat(entry, provider),
        Operation::Responses => params.use_chat_completions_api,
        _ => false,
    };
    if is_left_out {
        return None;
    }
    let version = params.api_version.as_deref();
    provider.url(operation, &entry.api_base, &entry.upstream_model, version)
}

/// Whether chats of this entry are asked as Responses: where the catalogue or the entry says that the model has no chat, or the
/// entry is written with `responses/` before the model's name (LiteLLM 1.106.2).
fn is_without_chat(entry: &ModelEntry, provider: &Provider) -> bool {
    let is_asked_for = |model: &str| {
        let mut parts = model.split('/');
        parts.any(|part| part == "responses") && parts.next().is_some()
    };
    provider.serves(Operation::Responses)
        && !entry.litellm_params.use_chat_completions_api
        && (mode(entry) == Some("responses") || is_asked_for(&entry.litellm_params.model))
}

/// The headers of Messages: the version of the API, which a client's own replaces, and what proves who calls.
pub(super) fn messages_headers(
    auth: impl Iterator<Item = (String, Secret)>,
) -> impl Iterator<Item = (String, Secret)> {
    let version = ("anthropic-version", providers::ANTHROPIC_VERSION);
    std::iter::once((version.0.to_owned(), Secret::new(version.1))).chain(auth)
}

/// What every call of an entry carries beside its key, of two headers of one name the later one counts; and the lists of betas
/// among them.
fn own_headers(entry: &ModelEntry) -> (Vec<(String, Secret)>, Vec<Secret>) {
    let params = &entry.litellm_params;
    let organization = params
        .organization
        .as_deref()
        .map(|organization| ("openai-organization".to_owned(), Secret::new(organization)));
    let headers = entry
        .env_headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .chain(params.headers.iter().cloned())
        .chain(params.extra_headers.iter().cloned())
        .chain(organization);
    let (betas, headers): (Vec<_>, Vec<_>) =
        headers.partition(|(name, _)| name.eq_ignore_ascii_case("anthropic-beta"));
    (headers, betas.into_iter().map(|(_, list)| list).collect())
}

/// The headers that carry a key, or a token that is given, to a provider's address.
pub(super) fn auth_headers(
    provider: &Provider,
    operation: Operation,
    base: &str,
    key: Option<&Secret>,
    entra: Option<&Entra>,
) -> impl Iterator<Item = (String, Secret)> + use<> {
    let headers = match (key, entra) {
        (Some(key), _) => provider.auth_headers(operation, base, key),
        (None, Some(Entra::Token(token))) => vec![("authorization", providers::bearer(token))],
        (None, Some(Entra::Application(_)) | None) => Vec::new(),
    };
    headers
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
}

fn client_access(config: &Config, entry: &ModelEntry) -> AccessRule {
    let (general, litellm) = (&config.general_settings, &config.litellm_settings);
    let all = general.allow_client_side_credentials;
    let mut rule = AccessRule {
        api_key: all,
        extra_headers: all,
        any_base: all,
        trusted_hosts: litellm.user_url_allowed_hosts.clone(),
        no_guard: !litellm.user_url_validation,
        ..AccessRule::default()
    };
    let params = &entry.litellm_params.configurable_clientside_auth_params;
    for param in params
        .iter()
        .chain(&general.configurable_clientside_auth_params)
    {
        match param {
            ClientsideParam::ApiKey => rule.api_key = true,
            ClientsideParam::ExtraHeaders => rule.extra_headers = true,
            ClientsideParam::ApiBase => rule.any_base = true,
            ClientsideParam::ApiBaseLike(pattern) => rule.bases.push(pattern.clone()),
        }
    }
    rule
}

/// The entry's own mock, or the canned answer of all.
fn mock(config: &Config, entry: &ModelEntry) -> Option<Mock> {
    let canned = config.litellm_settings.network_mock;
    let own = entry.litellm_params.mock.clone();
    own.or_else(|| canned.then(|| Mock::text("This is a mock request")))
}

/// Calls at the same time, as LiteLLM derives them: `max_parallel_requests`, else `rpm`, else six a minute for each thousand
/// tokens of `tpm`, else the router's default.
fn slots(config: &Config, entry: &ModelEntry) -> Option<u64> {
    let params = &entry.litellm_params;
    params
        .max_parallel_requests
        .or(params.rpm)
        .or(params.tpm.map(|tpm| (tpm * 6 / 1000).max(1)))
        .or(config.router_settings.default_max_parallel_requests)
}
