//! `general_settings`.

use std::time::Duration;

use crate::types::{DatabaseUrl, Secret};

use super::client_limits::ClientLimits;
use super::diagnostic::{Severity, Sink};
use super::drain_route::DrainRoute;
use super::fields::Place;
use super::model::{ClientsideParam, clientside_params};
use super::read::Section;
use super::response_keeping::ResponseKeeping;
use super::review::review;
use super::stored_models::StoredModels;
use super::yaml::{Node, Pos};

/// What happens when a call may cost more than is left of a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BudgetEnforcement {
    /// As LiteLLM: refused once nothing is left.
    #[default]
    Default,
    /// Refused unless its highest possible cost fits: a budget is never exceeded.
    Strict,
}

#[derive(Clone, Debug)]
pub struct GeneralSettings {
    /// The administrator's key; the file's, else `LITELLM_MASTER_KEY`.
    pub master_key: Option<Secret>,
    /// The file's, else `DATABASE_URL`.
    pub database_url: Option<DatabaseUrl>,
    /// Connections at most, from 1.
    pub database_connection_pool_limit: Option<u32>,
    /// How long a query waits for a connection.
    pub database_connection_timeout: Option<Duration>,
    /// Whether callers whose keys nobody can look up are let in while the database is away.
    pub allow_requests_on_db_unavailable: bool,
    /// Time between two writes of spend.
    pub proxy_batch_write_at: Option<Duration>,
    /// How long a key that was read from the database is believed; 60 s unless set.
    pub user_api_key_cache_ttl: Duration,
    /// Calls at the same time of a key that has no limit of its own.
    pub max_parallel_requests: Option<u64>,
    /// Calls at the same time of all callers together.
    pub global_max_parallel_requests: Option<u64>,
    /// Largest request body, in MiB; fractions allowed.
    pub max_request_size_mb: Option<f64>,
    /// How far clients are trusted with connections, time and memory.
    pub client_limits: ClientLimits,
    pub response_keeping: ResponseKeeping,
    pub budget_enforcement: BudgetEnforcement,
    /// Time between two looks at the files of the configuration, 2 s unless set; zero: they are read again when asked only.
    pub config_watch_interval: Duration,
    /// How long calls under way may take to end after SIGTERM; 30 s unless set.
    pub drain_timeout: Duration,
    /// How long everybody is served as before after SIGTERM, while readiness says that this ends; zero unless set.
    pub drain_delay: Duration,
    /// `enable_drain_endpoint`, with whom it lets in.
    pub drain_route: Option<DrainRoute>,
    /// `/health/readiness` tells everybody what `/health/readiness/details` tells administrators.
    pub allow_public_health_readiness_details: bool,
    pub include_call_id_in_error_body: bool,
    /// Start although the master key is unset or well known; also `LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY`.
    pub dangerously_permit_weak_or_unset_master_key: bool,
    /// Headers that name the end user, first one first: `user_header_mappings` of the role customer, else `user_header_name`.
    pub user_headers: Vec<String>,
    /// Callers may send their own access to every deployment.
    pub allow_client_side_credentials: bool,
    /// The same field by field, for every deployment.
    pub configurable_clientside_auth_params: Vec<ClientsideParam>,
    /// A request whose metadata carry tags is refused.
    pub reject_clientside_metadata_tags: bool,
    /// Callers may make the gateway wait: `mock_timeout`, `mock_delay`.
    pub dangerously_allow_mock_testing_request_params: bool,
    /// Fallbacks must be on the lists of models of who calls.
    pub enforce_fallback_model_access: bool,
    /// Streams tell usage to callers who did not ask for it, too.
    pub always_include_stream_usage: bool,
    /// Models of the database.
    pub stored_models: StoredModels,
}

impl Default for GeneralSettings {
    fn default() -> Self {
        Self {
            master_key: None,
            database_url: None,
            database_connection_pool_limit: None,
            database_connection_timeout: None,
            allow_requests_on_db_unavailable: false,
            proxy_batch_write_at: None,
            user_api_key_cache_ttl: Duration::from_secs(60),
            max_parallel_requests: None,
            global_max_parallel_requests: None,
            max_request_size_mb: None,
            client_limits: ClientLimits::default(),
            response_keeping: ResponseKeeping::default(),
            budget_enforcement: BudgetEnforcement::Default,
            config_watch_interval: Duration::from_secs(2),
            drain_timeout: Duration::from_secs(30),
            drain_delay: Duration::ZERO,
            drain_route: None,
            allow_public_health_readiness_details: false,
            include_call_id_in_error_body: false,
            dangerously_permit_weak_or_unset_master_key: false,
            user_headers: Vec::new(),
            allow_client_side_credentials: false,
            configurable_clientside_auth_params: Vec::new(),
            reject_clientside_metadata_tags: false,
            dangerously_allow_mock_testing_request_params: false,
            enforce_fallback_model_access: false,
            always_include_stream_usage: false,
            stored_models: StoredModels::default(),
        }
    }
}

/// Reads the section, which may be missing: some of it can come from the environment.
pub fn read(
    node: Option<&Node>,
    env: &dyn Fn(&str) -> Option<String>,
    sink: &Sink,
) -> GeneralSettings {
    let nothing = Node::new(Pos::START, super::yaml::Value::Null);
    let path = "general_settings";
    let opened = node.and_then(|node| Section::open(node, path, sink, Severity::Error));
    let Some(section) = opened.or_else(|| Section::open(&nothing, path, sink, Severity::Error))
    else {
        return GeneralSettings::default();
    };
    review(Place::GeneralSettings, &section);
    let default = GeneralSettings::default();
    let permit = "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY";
    let permitted = || {
        env(permit)
            .is_some_and(|value| ["true", "1"].contains(&value.to_ascii_lowercase().as_str()))
    };
    GeneralSettings {
        master_key: section
            .secret("master_key")
            .or_else(|| env("LITELLM_MASTER_KEY").map(Secret::new)),
        database_url: database_url(&section, env),
        database_connection_pool_limit: pool_limit(&section),
        database_connection_timeout: section.timeout("database_connection_timeout"),
        allow_requests_on_db_unavailable: section
            .flag("allow_requests_on_db_unavailable")
            .unwrap_or(false),
        proxy_batch_write_at: section.timeout("proxy_batch_write_at"),
        user_api_key_cache_ttl: section
            .seconds("user_api_key_cache_ttl")
            .unwrap_or(default.user_api_key_cache_ttl),
        max_parallel_requests: section.count("max_parallel_requests"),
        global_max_parallel_requests: section.count("global_max_parallel_requests"),
        max_request_size_mb: section.amount("max_request_size_mb"),
        client_limits: ClientLimits::read(&section),
        response_keeping: ResponseKeeping::read(&section),
        budget_enforcement: budget_enforcement(&section),
        config_watch_interval: section
            .seconds("config_watch_interval")
            .unwrap_or(default.config_watch_interval),
        drain_timeout: section
            .seconds("drain_timeout")
            .unwrap_or(default.drain_timeout),
        drain_delay: section
            .seconds("drain_delay")
            .unwrap_or(default.drain_delay),
        drain_route: DrainRoute::read(&section, env, default.drain_timeout),
        allow_public_health_readiness_details: section
            .flag("allow_public_health_readiness_details")
            .unwrap_or(false),
        include_call_id_in_error_body: section
            .flag("include_call_id_in_error_body")
            .unwrap_or(false),
        dangerously_permit_weak_or_unset_master_key: section
            .flag("dangerously_permit_weak_or_unset_master_key")
            .unwrap_or_else(permitted),
        user_headers: user_headers(&section),
        allow_client_side_credentials: section
            .flag("allow_client_side_credentials")
            .unwrap_or(false),
        configurable_clientside_auth_params: clientside_params(&section),
        reject_clientside_metadata_tags: section
            .flag("reject_clientside_metadata_tags")
            .unwrap_or(false),
        enforce_fallback_model_access: section
            .flag("enforce_fallback_model_access")
            .unwrap_or(false),
        dangerously_allow_mock_testing_request_params: section
            .flag("dangerously_allow_mock_testing_request_params")
            .unwrap_or(false),
        always_include_stream_usage: section.flag("always_include_stream_usage").unwrap_or(false),
        stored_models: StoredModels::read(&section, env),
    }
}

fn database_url(
    section: &Section<'_>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<DatabaseUrl> {
    const KEY: &str = "database_url";
    let given = section.text(KEY).filter(|url| !url.is_empty());
    let (text, from) = match (given, env("DATABASE_URL").filter(|url| !url.is_empty())) {
        (Some(text), _) => (text, ""),
        (None, Some(text)) => (text, " (the environment variable DATABASE_URL)"),
        (None, None) => (
            super::database_parts::url(env)?,
            " (put together from DATABASE_HOST and its like)",
        ),
    };
    let extra = connection_parameters(section);
    match text.parse::<DatabaseUrl>() {
        Ok(url) => Some(
            extra
                .iter()
                .fold(url, |url, (name, value)| url.with_parameter(name, value)),
        ),
        Err(error) => {
            let pos = section.value(KEY).map_or(section.node.pos, |node| node.pos);
            section
                .sink
                .error(pos, section.path_of(KEY), format!("{error}{from}"));
            None
        }
    }
}

/// What beside the URL says how to connect, under the names that a URL has for it.
fn connection_parameters(section: &Section<'_>) -> Vec<(String, String)> {
    const EXTRA: &str = "database_extra_connection_params";
    let mut parameters = Vec::new();
    for (key, name) in [
        ("database_connect_timeout", "connect_timeout"),
        ("database_socket_timeout", "socket_timeout"),
    ] {
        if let Some(time) = section.timeout(key) {
            // libpq counts in whole seconds, and 0 is for ever.
            let seconds = time.as_secs_f64().ceil().clamp(1.0, 3600.0);
            parameters.push((name.to_owned(), format!("{seconds}")));
        }
    }
    if let Some(node) = section.value(EXTRA) {
        match Section::open(node, section.path_of(EXTRA), section.sink, Severity::Error) {
            Some(map) => {
                for entry in map.entries() {
                    if let Some(value) = map.text(&entry.key) {
                        parameters
                            .push((entry.key.clone(), super::database_parts::encoded(&value)));
                    }
                }
            }
            None => section.expected(
                EXTRA,
                node,
                "a map of connection parameters, such as `sslmode: require`",
            ),
        }
    }
    parameters
}

/// `user_header_mappings` is a map `{header_name, litellm_user_role}` or a list of them. The role internal_user, which would
/// give a call to another user, has no effect yet.
fn user_headers(section: &Section<'_>) -> Vec<String> {
    const KEY: &str = "user_header_mappings";
    let legacy: Vec<String> = section.text("user_header_name").into_iter().collect();
    let Some(node) = section.value(KEY) else {
        return legacy;
    };
    let items = match &node.value {
        super::yaml::Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut headers = Vec::new();
    for item in items {
        let path = section.path_of(KEY);
        let Some(mapping) = Section::open(item, path, section.sink, Severity::Error) else {
            continue;
        };
        let (name, role) = (
            mapping.text("header_name"),
            mapping.text("litellm_user_role"),
        );
        match (name, role.as_deref()) {
            (Some(name), Some("customer")) => headers.push(name),
            (Some(_), Some("internal_user")) => section.sink.warning(
                item.pos,
                mapping.path_of("litellm_user_role"),
                "`internal_user` is not supported yet: the header is not read",
            ),
            _ => section.expected(
                KEY,
                item,
                "`header_name` with `litellm_user_role: customer` or `internal_user`",
            ),
        }
    }
    if headers.is_empty() { legacy } else { headers }
}

fn pool_limit(section: &Section<'_>) -> Option<u32> {
    const KEY: &str = "database_connection_pool_limit";
    let limit = section.small(KEY, 10_000)?;
    if limit == 0 {
        section.expected(KEY, section.value(KEY)?, "at least 1 connection");
        return None;
    }
    Some(limit)
}

fn budget_enforcement(section: &Section<'_>) -> BudgetEnforcement {
    const KEY: &str = "budget_enforcement";
    match section.text(KEY).as_deref() {
        None | Some("default") => BudgetEnforcement::Default,
        Some("strict") => BudgetEnforcement::Strict,
        Some(_) => {
            if let Some(node) = section.value(KEY) {
                section.expected(KEY, node, "`strict` or `default`");
            }
            BudgetEnforcement::Default
        }
    }
}
