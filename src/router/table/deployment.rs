//! One deployment: what calls of it need to know, and what a caller's own access makes of it.

use std::sync::Arc;
use std::time::Duration;

use super::concrete::ModelRules;
use super::entry::{self, auth_headers, catalogue_row};
use super::{Gauges, HealthCheck, Targets};
use crate::catalog::{ModelEntry as CatalogEntry, ServiceTier};
use crate::config::{ModelEntry, TlsChoice, shown_address};
use crate::metrics::DeploymentLabels;
use crate::policy::client_access::{AccessRule, ClientAccess};
use crate::policy::cooldown::Rules as CooldownRules;
use crate::policy::cost::Tariff;
use crate::protocol::mock::Mock;
use crate::providers::parameters::Plan;
use crate::providers::{self, Betas, Entra};
use crate::types::{DeploymentId, Operation, Secret};

/// One deployment, as every thread may read it.
#[derive(Clone, Debug)]
pub struct Deployment {
    pub id: DeploymentId,
    pub group: Arc<str>,
    /// The name that it serves here, of those that its star stands for.
    pub concrete: Option<Arc<str>>,
    /// Of one whose model has a star: what makes others of it.
    pub(super) model_rules: Option<Arc<ModelRules>>,
    /// Only this team may call it.
    pub team: Option<Arc<str>>,
    /// Names under which keys may be allowed it with others.
    pub access_groups: Vec<Arc<str>>,
    pub provider: Arc<str>,
    /// The provider-side name.
    pub model: Arc<str>,
    /// The name by which its vocabulary is known: the `base_model`, else the provider-side name.
    pub counted_as: Arc<str>,
    /// The provider-side name as a JSON string, quotes included.
    pub model_json: Vec<u8>,
    /// `litellm_params.model`.
    pub litellm_model: Arc<str>,
    /// How it is asked whether it works.
    pub health_check: HealthCheck,
    /// Without a slash at the end. May hold a key: what is told or written down is `shown_base`.
    pub api_base: Arc<str>,
    /// `api_base` without what may be secret in it.
    pub shown_base: Arc<str>,
    pub api_key: Option<Secret>,
    /// What proves who calls at Azure where there is no key.
    pub entra: Option<Entra>,
    /// Azure's, if the configuration gives one.
    pub api_version: Option<Arc<str>>,
    /// Where each operation is called, by [`Operation::index`]; `None`: the provider does not serve it.
    pub urls: [Option<String>; Operation::ALL.len()],
    /// Text completions are asked as chats.
    pub texts_by_chat: bool,
    /// The model goes on from its own words where they stand last in a conversation.
    pub supports_prefill: bool,
    /// Groups that get a copy of each request that is sent here.
    pub silent_models: Vec<Arc<str>>,
    /// Tokens of a prompt at most: what the entry says, else the catalogue's row; `None` where nobody knows.
    pub window: Option<u64>,
    /// Tokens of an answer at most.
    pub max_output_tokens: u64,
    /// What its provider makes of parameters and messages.
    pub plan: Plan,
    /// What every call carries: the key as the provider wants it, then what the configuration adds or replaces.
    pub headers: Vec<(String, Secret)>,
    /// The same for calls of Messages, which say the version of Anthropic's API.
    pub messages_headers: Vec<(String, Secret)>,
    /// Both without what they prove who calls with.
    pub own_headers: Vec<(String, Secret)>,
    /// Which of Anthropic's betas it is told.
    pub betas: Betas,
    /// What translated requests may say to it.
    pub targets: Targets,
    /// How TLS to it differs from the common choice.
    pub tls: Option<TlsChoice>,
    /// For a whole answer.
    pub timeout: Duration,
    /// For the head of a stream, and between its pieces; `timeout` unless it is set.
    pub stream_timeout: Option<Duration>,
    pub num_retries: u32,
    pub tariff: Arc<Tariff>,
    /// The tier that requests are sent with unless they name one.
    pub default_tier: Option<ServiceTier>,
    /// Prices are the catalogue's, so that an answer that names another model is billed as that one.
    pub bills_what_answers_name: bool,
    /// What callers may send in the place of its own access.
    pub client_access: AccessRule,
    /// The gateway answers itself and calls nobody.
    pub mock: Option<Mock>,
    /// When failures keep it away, but for whether it is alone in its group: that changes without it.
    pub cooldown: CooldownRules,
    /// Calls at the same time.
    pub slots: Option<u32>,
    pub gauges: Arc<Gauges>,
    /// What the configuration says, for whoever asks.
    pub entry: Arc<ModelEntry>,
}

impl Deployment {
    /// What calls of an operation carry.
    pub fn headers_of(&self, operation: Operation) -> &[(String, Secret)] {
        match operation {
            Operation::Messages => &self.messages_headers,
            _ => &self.headers,
        }
    }

    /// What it is called in series of its health.
    pub fn health_labels(&self) -> DeploymentLabels<'_> {
        [&self.model, &self.id, &self.shown_base, &self.provider]
    }

    /// The operation it is called by when a client asks for `asked`: the same where its provider has it, else one that the
    /// request can be translated for; `asked` where there is none.
    pub fn called_by(&self, asked: Operation) -> Operation {
        let has = |operation: &Operation| self.urls[operation.index()].is_some();
        if has(&asked) || !Operation::CONVERSATIONS.contains(&asked) {
            return asked;
        }
        let mut others = Operation::CONVERSATIONS.into_iter();
        others.find(has).unwrap_or(asked)
    }

    /// Both call the same account of the same provider: what one has stored there the other finds.
    pub fn is_same_account(&self, other: &Self) -> bool {
        let is_known = self.api_key.is_some() && self.api_key == other.api_key;
        self.id == other.id
            || (is_known && self.provider == other.provider && self.api_base == other.api_base)
    }

    /// The configuration wants no calls to it for now.
    pub fn is_paused(&self) -> bool {
        self.entry.model_info.blocked
    }

    /// The catalogue's row, when it has one.
    pub fn listed(&self) -> Option<CatalogEntry> {
        catalogue_row(&self.entry)
    }

    /// The same deployment with a caller's access. Where the caller names the address, nothing of ours is sent along: neither
    /// key nor headers.
    pub fn with_access(&self, access: &ClientAccess) -> Self {
        let provider = providers::or_generic(&self.provider);
        let mut deployment = self.clone();
        if let Some(base) = &access.api_base {
            let version = self.api_version.as_deref();
            deployment.api_base = base.as_str().into();
            deployment.shown_base = shown_address(base).into();
            deployment.urls =
                Operation::ALL.map(|operation| provider.url(operation, base, &self.model, version));
            deployment.api_key = None;
            deployment.entra = None;
            deployment.own_headers.clear();
            deployment.tls = None;
        }
        if let Some(key) = &access.api_key {
            deployment.api_key = Some(key.clone());
            deployment.entra = None;
        }
        let key = deployment.api_key.as_ref();
        let entra = deployment.entra.as_ref();
        let base = &*deployment.api_base;
        let auth = |operation| auth_headers(provider, operation, base, key, entra);
        let (headers, messages_headers) = (auth(Operation::Chat), auth(Operation::Messages));
        let headers: Vec<_> = headers.collect();
        let messages_headers: Vec<_> = messages_headers.collect();
        // The caller's key counts, also where the configuration sends one of ours by a header.
        let is_auth = |name: &str| {
            let mut auth = headers.iter().chain(&messages_headers);
            name.eq_ignore_ascii_case("authorization")
                || auth.any(|(own, _)| own.eq_ignore_ascii_case(name))
        };
        let mut own = std::mem::take(&mut deployment.own_headers);
        own.retain(|(name, _)| access.api_key.is_none() || !is_auth(name));
        own.extend(access.extra_headers.iter().cloned());
        deployment.messages_headers = entry::messages_headers(messages_headers.into_iter())
            .chain(own.clone())
            .collect();
        deployment.headers = headers.into_iter().chain(own).collect();
        deployment
    }
}
