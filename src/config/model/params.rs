//! `litellm_params` of one entry.

use std::time::Duration;

use serde_json::Value as Json;

use crate::config::cooldown;
use crate::config::fields::{self, Place, Status};
use crate::config::network::OwnTls;
use crate::config::provider_budgets;
use crate::config::read::Section;
use crate::policy::cost::OffPeak;
use crate::policy::shortlist::is_pattern;
use crate::policy::spends::BudgetRule;
use crate::protocol::mock::Mock;
use crate::providers::parameters::Path;
use crate::types::Secret;

use super::auto_router;
use super::azure::{self, AzureParams};
use super::clientside::{self, ClientsideParam};
use super::price::{PriceField, read_all as read_prices};

/// More retries of one call than this are a slip.
pub const MAX_RETRIES: u32 = 1_000;

/// How a deployment is called, as written; [`ModelEntry`](super::ModelEntry) has the effective address and key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LitellmParams {
    /// With the provider's prefix.
    pub model: String,
    pub custom_llm_provider: Option<String>,
    /// `api_base`, else `base_url`.
    pub api_base: Option<String>,
    pub api_key: Option<Secret>,
    /// Azure's; when the entry says none, what the environment says.
    pub api_version: Option<String>,
    /// What Azure takes in the place of a key; [`ModelEntry::entra`](super::ModelEntry) is what is used.
    pub azure: AzureParams,
    /// Leave out parameters that the provider does not serve; when the entry says nothing, `litellm_settings` does.
    pub drop_params: Option<bool>,
    /// Left out in any case.
    pub additional_drop_params: Vec<Path>,
    /// Sent in any case, as they are.
    pub allowed_openai_params: Vec<String>,
    /// The provider has no Responses API, or it is not to be used: it is asked for chats.
    pub use_chat_completions_api: bool,
    /// Groups that get a copy of each request.
    pub silent_models: Vec<String>,
    /// OpenAI's organisation; one entry stands for one, a list was expanded.
    pub organization: Option<String>,
    /// For the whole call.
    pub timeout: Option<Duration>,
    /// Until the answer's head, and between two pieces of a stream.
    pub stream_timeout: Option<Duration>,
    /// Requests a minute; the entry's own `rpm` when this one is absent.
    pub rpm: Option<u64>,
    /// Tokens a minute; the entry's own `tpm` when this one is absent.
    pub tpm: Option<u64>,
    /// Input tokens a minute, and output tokens; the entry's own where these are absent.
    pub itpm: Option<u64>,
    pub otpm: Option<u64>,
    /// Lower ones are asked first; `model_info` may say it too.
    pub order: Option<i64>,
    /// What requests choose it by.
    pub tags: Vec<String>,
    /// Patterns that count like a tag, searched in `User-Agent: <program>`; those that are none are left out.
    pub tag_regex: Vec<String>,
    /// Where it is, for requests that are for one region.
    pub region_name: Option<String>,
    /// Dollars it may cost in a time.
    pub budget: Option<BudgetRule>,
    /// Share of simple-shuffle, any scale.
    pub weight: Option<f64>,
    pub max_parallel_requests: Option<u64>,
    pub num_retries: Option<u32>,
    /// How long a failure keeps it away, in milliseconds; `model_info` wins.
    pub cooldown_time_ms: Option<u64>,
    /// The catalogue's name of the model, for price and limits.
    pub base_model: Option<String>,
    /// Prices that replace the catalogue's, in the order written.
    pub prices: Vec<PriceField>,
    /// Hours with other prices.
    pub off_peak: Option<OffPeak>,
    /// Sent upstream, in the order written.
    pub extra_headers: Vec<(String, Secret)>,
    /// Sent upstream as well; LiteLLM knows both names.
    pub headers: Vec<(String, Secret)>,
    /// What callers may send in the place of this deployment's own access: a field, and for addresses a pattern.
    pub configurable_clientside_auth_params: Vec<ClientsideParam>,
    /// How TLS to it differs from the other deployments'.
    pub tls: OwnTls,
    /// `mock_response` and its companions: the gateway answers itself and calls nobody.
    pub mock: Option<Mock>,
    /// Request parameters of the deployment (`temperature`, provider-specific ones), in the order written: defaults that
    /// a request's own values beat. Maps inside a value come in the order of `serde_json`.
    pub other: Vec<(String, Json)>,
}

/// What an entry says, before the provider is known. `organizations` is the list form.
pub fn read(section: &Section<'_>) -> (LitellmParams, Vec<String>) {
    let (api_base, base_url) = (section.text("api_base"), section.text("base_url"));
    let (prices, off_peak) = read_prices(section);
    let mut params = LitellmParams {
        model: section.text("model").unwrap_or_default(),
        custom_llm_provider: section.text("custom_llm_provider"),
        api_base: api_base.or(base_url),
        api_key: section.secret("api_key"),
        api_version: section.text("api_version"),
        azure: azure::read(section),
        drop_params: section.flag("drop_params"),
        additional_drop_params: paths(section, "additional_drop_params"),
        allowed_openai_params: section.texts("allowed_openai_params"),
        silent_models: section.texts("silent_model"),
        use_chat_completions_api: section.flag("use_chat_completions_api").unwrap_or(false),
        organization: None,
        timeout: section.timeout("timeout"),
        stream_timeout: section.timeout("stream_timeout"),
        rpm: section.count("rpm"),
        tpm: section.count("tpm"),
        itpm: section.count("itpm"),
        otpm: section.count("otpm"),
        order: section.integer("order"),
        tags: section.texts("tags"),
        tag_regex: patterns(section, "tag_regex"),
        region_name: section.text("region_name").filter(|name| !name.is_empty()),
        budget: provider_budgets::own(section),
        weight: section.amount("weight"),
        max_parallel_requests: section.count("max_parallel_requests"),
        num_retries: section.small("num_retries", MAX_RETRIES),
        cooldown_time_ms: cooldown::time(section),
        base_model: section.text("base_model"),
        prices,
        off_peak,
        extra_headers: section.headers("extra_headers"),
        headers: section.headers("headers"),
        configurable_clientside_auth_params: clientside::read(section),
        tls: OwnTls::read(section),
        mock: mock(section),
        other: Vec::new(),
    };
    let organizations = section.texts("organization");
    params.other = other(section);
    (params, organizations)
}

fn paths(section: &Section<'_>, key: &str) -> Vec<Path> {
    let read = |text: String| match Path::parse(&text) {
        Ok(path) => Some(path),
        Err(error) => {
            let node = section.value(key)?;
            section
                .sink
                .error(node.pos, section.path_of(key), error.to_string());
            None
        }
    };
    section.texts(key).into_iter().filter_map(read).collect()
}

/// What is no pattern is told and left out, as in LiteLLM.
fn patterns(section: &Section<'_>, key: &str) -> Vec<String> {
    let (usable, others): (Vec<_>, Vec<_>) = section
        .texts(key)
        .into_iter()
        .partition(|text| is_pattern(text));
    if let (Some(node), false) = (section.value(key), others.is_empty()) {
        let message = "expected regular expressions without look-around and back-references: this one is left out";
        for _ in others {
            section
                .sink
                .warning(node.pos, section.path_of(key), message);
        }
    }
    usable
}

fn mock(section: &Section<'_>) -> Option<Mock> {
    let read = Mock::read(|field| section.value(field)?.to_json());
    read.unwrap_or_else(|wrong| {
        if let Some(node) = section.value(wrong.field) {
            section.expected(wrong.field, node, wrong.expected);
        }
        None
    })
}

/// What goes to the provider as it is: everything unread that is not a setting of the gateway. Null is not sent.
fn other(section: &Section<'_>) -> Vec<(String, Json)> {
    let mut other = Vec::new();
    for entry in section.unread() {
        let ours = fields::find(Place::LitellmParams, &entry.key)
            .is_some_and(|field| field.status != Status::Obeyed);
        if ours
            || auto_router::is_setting(&entry.key)
            || entry.value.is_null()
            || fields::is_price_field(&entry.key)
        {
            continue;
        }
        match entry.value.to_json() {
            Some(value) => other.push((entry.key.clone(), value)),
            None => section.expected(&entry.key, &entry.value, "finite numbers only"),
        }
    }
    other
}
