//! One deployment.

use std::sync::Arc;

use crate::config::credentials::Credentials;
use crate::config::default_params::DefaultParams;
use crate::config::diagnostic::{Severity, Sink};
use crate::config::fields::Place;
use crate::config::outline::Outline;
use crate::config::read::Section;
use crate::config::review::review;
use crate::config::yaml::{Node, Value};
use crate::policy::auto_router;
use crate::providers::{self, Address, AddressError, Entra, Given, Protocol, ProviderError};
use crate::types::{DeploymentId, Secret};

use super::azure;
use super::id;
use super::info::{self, ModelInfo};
use super::params::{self, LitellmParams};

/// One entry of `model_list`, ready to be called.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelEntry {
    /// The model group: what clients ask for. May hold `*`.
    pub model_name: String,
    /// `model_info.id`, else derived from the entry as LiteLLM does. Equal entries share one.
    pub id: DeploymentId,
    /// `openai`, `hosted_vllm`, …
    pub provider: String,
    /// What the provider is sent as `model`: without the provider's prefix. May hold `*`.
    pub upstream_model: String,
    /// Where calls go: `https://host/v1`, no slash at the end; empty for a mock.
    pub api_base: String,
    /// The key that goes there.
    pub api_key: Option<Secret>,
    /// What proves who calls at Azure; there is no key then.
    pub entra: Option<Entra>,
    /// Headers of the provider whose values the environment holds (OpenAI's organisation and project).
    pub env_headers: Vec<(&'static str, Secret)>,
    /// Of one whose model is a star alone: the other providers that a name may lead to.
    pub others: Vec<OtherProvider>,
    /// It is no deployment, but leads requests to groups.
    pub auto_router: Option<Arc<auto_router::Kind>>,
    pub litellm_params: LitellmParams,
    pub model_info: ModelInfo,
    /// Its place in the file's `model_list`, from 0; `None` when it stands elsewhere.
    pub position: Option<usize>,
    /// Kept by the database, not by the file.
    pub is_stored: bool,
    /// The entry as written, for telling what a reload changes.
    pub outline: Outline,
}

/// A provider of which the environment has the key, called at its own address.
#[derive(Clone, Debug, PartialEq)]
pub struct OtherProvider {
    provider: String,
    api_base: String,
    api_key: Option<Secret>,
    env_headers: Vec<(&'static str, Secret)>,
}

impl ModelEntry {
    /// The same entry for names of another provider.
    pub fn at(&self, other: &OtherProvider) -> Self {
        Self {
            provider: other.provider.clone(),
            api_base: other.api_base.clone(),
            api_key: other.api_key.clone(),
            env_headers: other.env_headers.clone(),
            entra: None,
            others: Vec::new(),
            ..self.clone()
        }
    }

    /// Whether both say the same, wherever they stand.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let moved = Self {
            position: other.position,
            ..self.clone()
        };
        moved == *other
    }

    /// The catalogue's name for price and limits, when the entry gives one.
    pub fn base_model(&self) -> Option<&str> {
        self.model_info
            .base_model
            .as_deref()
            .or(self.litellm_params.base_model.as_deref())
    }
}

/// The deployments of one entry: one, or one for each of its organisations; none when it cannot be used.
pub fn read(
    node: &Node,
    path: &str,
    credentials: &Credentials,
    defaults: &DefaultParams,
    env: &dyn Fn(&str) -> Option<String>,
    sink: &Sink,
) -> Vec<ModelEntry> {
    let Some(entry) = Section::open(node, path, sink, Severity::Warning) else {
        return Vec::new();
    };
    review(Place::ModelEntry, &entry);
    let model_name = entry.text("model_name").filter(|name| !name.is_empty());
    let model_info = model_info(&entry);
    let limits = ["rpm", "tpm", "itpm", "otpm"].map(|limit| entry.count(limit));
    if let Some(message) = served_elsewhere(&model_info, env) {
        sink.note(node.pos, path, message);
        return Vec::new();
    }
    if model_name.is_none() {
        skip(
            &entry,
            None,
            "expected `model_name`, the name clients ask for, found none",
        );
    }
    let Some(params_node) = entry.value("litellm_params") else {
        skip(
            &entry,
            None,
            "expected `litellm_params` with at least `model`, found none",
        );
        return Vec::new();
    };
    let Some(section) = Section::open(
        params_node,
        entry.path_of("litellm_params"),
        sink,
        Severity::Warning,
    ) else {
        return Vec::new();
    };
    review(Place::LitellmParams, &section);
    let filled = match credentials.fill(params_node) {
        Ok(filled) => filled,
        Err(error) => {
            skip(
                &section,
                Some("litellm_credential_name"),
                &error.to_string(),
            );
            return Vec::new();
        }
    };
    let filled = defaults
        .under(filled.as_ref().unwrap_or(params_node))
        .or(filled);
    let section = match &filled {
        None => section,
        Some(filled) => {
            let path = section.path;
            match Section::open(filled, path, sink, Severity::Warning) {
                Some(section) => section,
                None => return Vec::new(),
            }
        }
    };
    let (mut litellm_params, organizations) = params::read(&section);
    let [rpm, tpm, itpm, otpm] = limits;
    litellm_params.rpm = litellm_params.rpm.or(rpm);
    litellm_params.tpm = litellm_params.tpm.or(tpm);
    litellm_params.itpm = litellm_params.itpm.or(itpm);
    litellm_params.otpm = litellm_params.otpm.or(otpm);
    let (Some(target), Some(model_name)) = (target(&section, &mut litellm_params, env), model_name)
    else {
        return Vec::new();
    };
    let id = match (&model_info.id, &params_node.value) {
        (Some(id), _) => id.as_str().into(),
        (None, Value::Map(entries)) => id::derived(&model_name, entries),
        (None, _) => id::derived(&model_name, &[]),
    };
    let Target {
        provider,
        upstream_model,
        api_base,
        api_key,
        entra,
        env_headers,
        others,
        auto_router,
    } = target;
    let one = ModelEntry {
        model_name,
        id,
        provider,
        upstream_model,
        api_base,
        api_key,
        entra,
        env_headers,
        others,
        auto_router,
        litellm_params,
        model_info,
        position: None,
        is_stored: false,
        outline: Outline::of_entry(entry.node),
    };
    if organizations.is_empty() {
        return vec![one];
    }
    // LiteLLM computes the id before it expands the list, so these share one.
    let of = |organization: String| {
        let mut entry = one.clone();
        entry.litellm_params.organization = Some(organization);
        entry
    };
    organizations.into_iter().map(of).collect()
}

/// Why an entry is not for this environment, if it is not.
fn served_elsewhere(info: &ModelInfo, env: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    const VARIABLE: &str = "LITELLM_ENVIRONMENT";
    let environments = &info.supported_environments;
    let here = env(VARIABLE);
    let is_here = here
        .as_ref()
        .is_some_and(|here| environments.contains(here));
    (!environments.is_empty() && !is_here).then(|| {
        let here = here.map_or_else(|| "not set".to_owned(), |here| format!("`{here}`"));
        let environments = environments.join(", ");
        format!("this model is left out: it is for {environments}, and {VARIABLE} is {here}")
    })
}

fn model_info(entry: &Section<'_>) -> ModelInfo {
    const KEY: &str = "model_info";
    let Some(node) = entry.value(KEY) else {
        return ModelInfo::default();
    };
    let Some(section) = Section::open(node, entry.path_of(KEY), entry.sink, Severity::Error) else {
        return ModelInfo::default();
    };
    review(Place::ModelInfo, &section);
    info::read(&section)
}

/// Who is called, and where.
#[derive(Default)]
struct Target {
    provider: String,
    upstream_model: String,
    api_base: String,
    api_key: Option<Secret>,
    entra: Option<Entra>,
    env_headers: Vec<(&'static str, Secret)>,
    others: Vec<OtherProvider>,
    auto_router: Option<Arc<auto_router::Kind>>,
}

/// Those that a model which is a star alone may lead to: all whose keys the environment has. Where the entry has a key or an
/// address of its own they are one provider's, and so are all names.
fn others(
    params: &LitellmParams,
    own: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Vec<OtherProvider> {
    let is_star = params.model == "*" && params.custom_llm_provider.is_none();
    if !is_star || params.api_key.is_some() || params.api_base.is_some() {
        return Vec::new();
    }
    let look_up =
        |name: &str| env(name).filter(|_| !name.bytes().any(|byte| byte.is_ascii_lowercase()));
    let reached = |provider: &providers::Provider| {
        let given = Given {
            base: None,
            key: None,
            look_up: &look_up,
        };
        let address = provider.address(provider.name, "*", given).ok()?;
        address.key.as_ref()?;
        Some(OtherProvider {
            provider: provider.name.to_owned(),
            api_base: address.base,
            api_key: address.key,
            env_headers: address.headers,
        })
    };
    let spoken = providers::all()
        .filter(|provider| provider.protocol != Protocol::Own && provider.name != own);
    spoken.filter_map(reached).collect()
}

/// `None`, with a warning, when there is nobody who can be called.
fn target(
    section: &Section<'_>,
    params: &mut LitellmParams,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<Target> {
    if params.model.is_empty() {
        skip(
            section,
            None,
            "expected `model`, such as `openai/gpt-4o`, found none",
        );
        return None;
    }
    if let Some(kind) = super::auto_router::kind_of(&params.model) {
        return match super::auto_router::read(section, kind) {
            Ok(settings) => Some(Target {
                provider: "auto_router".to_owned(),
                upstream_model: kind.to_owned(),
                auto_router: Some(Arc::new(settings)),
                ..Target::default()
            }),
            Err(why) => {
                skip(section, Some("model"), why);
                None
            }
        };
    }
    if params.mock.is_some() {
        return Some(answered_here(params));
    }
    if params
        .api_base
        .as_deref()
        .is_none_or(|base| base.trim().is_empty())
    {
        params.api_base = None;
        // The provider's usual address must not take the place of one that was asked for: the key is meant for another
        // host. LiteLLM would send it there.
        for key in ["api_base", "base_url"] {
            if let Some(variable) = section.raw(key).and_then(|node| node.variable.as_deref()) {
                let why = "its address is in the environment variable";
                skip(
                    section,
                    Some(key),
                    &format!("{why} {variable}, which is not set or empty"),
                );
                return None;
            }
        }
    }
    let (custom, base) = (
        params.custom_llm_provider.as_deref(),
        params.api_base.as_deref(),
    );
    let target = match providers::resolve(&params.model, custom, base) {
        Ok(target) => target,
        Err(error) => {
            let key = custom.map_or("model", |_| "custom_llm_provider");
            skip(section, Some(key), &error.to_string());
            return None;
        }
    };
    let look_up = |name: &str| match name {
        _ if name.bytes().any(|byte| byte.is_ascii_lowercase()) => section.text(name),
        _ => env(name),
    };
    let given = Given {
        base,
        key: params.api_key.clone(),
        look_up: &look_up,
    };
    match target.provider.address(&target.name, &target.model, given) {
        Ok(address) => {
            let is_azure = target.provider.protocol == Protocol::Azure;
            let entra = (is_azure && address.key.is_none())
                .then(|| {
                    // As for keys: the environment's go to the provider's own addresses only.
                    let env = |name: &str| env(name).filter(|_| address.is_home);
                    azure::entra(section, &params.azure, &env)
                })
                .flatten();
            let is_auth = |(name, _): &(&str, Secret)| *name == "authorization";
            let has_access =
                address.key.is_some() || entra.is_some() || address.headers.iter().any(is_auth);
            let is_called = section.node.get("mock_response").is_none();
            let others = others(params, &target.name, env);
            let is_keyless = !has_access && others.is_empty() && !target.provider.key_optional;
            if is_called && is_keyless {
                section.sink.note(
                    section.node.pos,
                    section.path.clone(),
                    without_key(&address),
                );
            }
            if is_azure && params.api_version.is_none() {
                params.api_version = env("AZURE_API_VERSION").filter(|version| !version.is_empty());
            }
            Some(Target {
                provider: target.name,
                upstream_model: target.model,
                api_base: address.base,
                api_key: address.key,
                entra,
                env_headers: address.headers,
                others,
                auto_router: None,
            })
        }
        Err(error) => {
            let key = match error {
                AddressError::BadBase if section.value("api_base").is_some() => "api_base",
                AddressError::BadBase => "base_url",
                _ if custom.is_some() => "custom_llm_provider",
                _ => "model",
            };
            skip(section, Some(key), &error.to_string());
            None
        }
    }
}

fn without_key(address: &Address) -> String {
    match address.withheld {
        Some(variable) => format!(
            "no `api_key`: calls are sent without one; {variable} is set, but belongs to another address; \
             give `api_key: os.environ/{variable}` if it is meant for this one"
        ),
        None => "no `api_key`: calls are sent without one; give `api_key: os.environ/NAME` if the server wants one"
            .to_owned(),
    }
}

/// A mock calls nobody: any provider will do, and no address or key is kept.
fn answered_here(params: &LitellmParams) -> Target {
    let custom = params.custom_llm_provider.as_deref();
    let (provider, upstream_model) = match providers::resolve(&params.model, custom, None) {
        Ok(target) => (target.name, target.model),
        Err(ProviderError::OwnFormat(name) | ProviderError::NotKnown(name)) => {
            let prefix = format!("{name}/");
            let rest = params.model.strip_prefix(&prefix).unwrap_or(&params.model);
            (name, rest.to_owned())
        }
        Err(ProviderError::Unknown(_)) => ("openai".to_owned(), params.model.clone()),
    };
    Target {
        provider,
        upstream_model,
        ..Target::default()
    }
}

/// Says why an entry is left out, at the place of `key` or of the whole map.
fn skip(section: &Section<'_>, key: Option<&str>, why: &str) {
    let (pos, path) = match key.and_then(|key| Some((key, section.raw(key)?))) {
        Some((key, node)) => (node.pos, section.path_of(key)),
        None => (section.node.pos, section.path.clone()),
    };
    section
        .sink
        .warning(pos, path, format!("this model is skipped: {why}"));
}
