//! Whole files: what is read, what is reported, what never shows.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::types::DatabaseUrl;

mod azure;
mod callers;
mod docs;
mod examples;
mod fallbacks;
mod properties;
mod references;

const VARIABLES: [(&str, &str); 6] = [
    ("OPENAI_API_KEY", "openai-secret"),
    ("UPSTREAM_BASE_URL", "http://localhost:8000/v1"),
    ("UPSTREAM_API_KEY", "upstream-secret"),
    ("LITELLM_MASTER_KEY", "sk-5c9e1f"),
    ("RPM", "12"),
    ("SHOUT", "TRUE"),
];

fn env(name: &str) -> Option<String> {
    VARIABLES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| (*value).to_owned())
}

fn load(text: &str) -> Loaded {
    Config::from_text("c.yaml", text, &env).unwrap_or_else(|error| panic!("{error}"))
}

fn shown(loaded: &Loaded) -> Vec<String> {
    loaded.diagnostics.iter().map(ToString::to_string).collect()
}

#[test]
fn the_examples_load_without_a_remark() {
    for name in ["quickstart.yaml", "two-deployments.yaml"] {
        let path = Path::new(EXAMPLES).join(name);
        let loaded = Config::load(&path, None, &env).unwrap_or_else(|error| panic!("{error}"));
        assert!(loaded.diagnostics.is_empty(), "{:?}", shown(&loaded));
        assert_eq!(loaded.config.model_list.len(), 2);
        assert_eq!(loaded.config.general_settings.master_key_problem(), None);
    }
}

/// From the root of the checkout, where cargo runs tests.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config");

#[test]
fn the_quickstart_starts_without_the_second_server() {
    let quickstart =
        std::fs::read_to_string(Path::new(EXAMPLES).join("quickstart.yaml")).unwrap_or_default();
    let only_openai = |name: &str| env(name).filter(|_| !name.starts_with("UPSTREAM"));
    let loaded = Config::from_text("q.yaml", &quickstart, &only_openai)
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(!loaded.has_errors());
    let names: Vec<&str> = loaded
        .config
        .model_list
        .iter()
        .map(|entry| entry.model_name.as_str())
        .collect();
    assert_eq!(names, ["gpt-4o"]);
    assert!(shown(&loaded).iter().any(|line| {
        line.contains("warning: model_list[1].litellm_params.api_base: this model is skipped")
    }));
}

#[test]
fn every_field_arrives() {
    let loaded = load(
        "model_list:
  - model_name: g
    rpm: 7
    tpm: '9000'
    litellm_params:
      model: acme/m/x
      base_url: https://acme.example/v1/
      api_key: k
      organization: o
      timeout: '30'
      stream_timeout: 2.5
      rpm: os.environ/RPM
      weight: 0.5
      max_parallel_requests: 4
      num_retries: 1
      base_model: gpt-4o
      input_cost_per_token: 2.50e-06
      temperature: 0
      top_logprobs: null
      vendor_switch: [1, {deep: os.environ/SHOUT}]
      extra_headers: {a: b}
      headers: {n: 1}
    model_info:
      id: 42
      mode: chat
      max_tokens: 10
      max_input_tokens: 20
      max_output_tokens: 30
      output_cost_per_token: 1
      access_groups: beta
      blocked: 'true'
      base_model: gpt-4o-mini
      owner: me
router_settings:
  routing_strategy: least-busy
  num_retries: 3
  timeout: 60
  stream_timeout: 10
  cooldown_time: 0
  model_group_alias: {a: g, b: {model: g, hidden: true}}
  default_max_parallel_requests: 100
litellm_settings: {request_timeout: 60, num_retries: 4, budget_exceeded_status_code: 429, drop_params: false}
general_settings:
  master_key: sk-file
  database_url: sqlite:///p.db
  database_connection_pool_limit: 5
  proxy_batch_write_at: 1
  user_api_key_cache_ttl: 30
  max_parallel_requests: 6
  global_max_parallel_requests: 600
  max_request_size_mb: 0.5
  budget_enforcement: strict
  include_call_id_in_error_body: true
  dangerously_permit_weak_or_unset_master_key: false
environment_variables: {FOO: 1, BAR: os.environ/SHOUT}
",
    );
    assert_eq!(shown(&loaded), [""; 0]);
    let Config {
        model_list,
        auto_mode: _,
        router_settings,
        litellm_settings,
        general_settings,
        environment_variables,
        network: _,
        health_checks: _,
    } = loaded.config;
    let [entry] = model_list.as_slice() else {
        panic!("one entry")
    };
    assert_eq!(
        (
            entry.model_name.as_str(),
            &*entry.id,
            entry.provider.as_str()
        ),
        ("g", "42", "acme")
    );
    assert_eq!(
        (entry.upstream_model.as_str(), entry.api_base.as_str()),
        ("m/x", "https://acme.example/v1")
    );
    assert_eq!(entry.api_key.as_ref().map(|key| key.expose()), Some("k"));
    assert_eq!(
        (entry.base_model(), entry.position),
        (Some("gpt-4o-mini"), Some(0))
    );
    let params = &entry.litellm_params;
    assert_eq!(
        (params.rpm, params.tpm, params.weight),
        (Some(12), Some(9000), Some(0.5))
    );
    assert_eq!(params.timeout, Some(Duration::from_secs(30)));
    assert_eq!(params.stream_timeout, Some(Duration::from_millis(2500)));
    assert_eq!(
        (params.max_parallel_requests, params.num_retries),
        (Some(4), Some(1))
    );
    assert_eq!(
        (params.organization.as_deref(), params.base_model.as_deref()),
        (Some("o"), Some("gpt-4o"))
    );
    assert_eq!(
        params.prices,
        [PriceField {
            name: "input_cost_per_token".into(),
            decimal: "2.50e-06".into()
        }]
    );
    let other: Vec<String> = params
        .other
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        other,
        ["temperature=0", r#"vendor_switch=[1,{"deep":true}]"#]
    );
    assert_eq!(params.extra_headers.len() + params.headers.len(), 2);
    let info = &entry.model_info;
    assert_eq!(
        (
            info.max_tokens,
            info.max_input_tokens,
            info.max_output_tokens
        ),
        (Some(10), Some(20), Some(30))
    );
    assert_eq!(
        (
            info.mode.as_deref(),
            info.blocked,
            info.access_groups.join(",")
        ),
        (Some("chat"), true, "beta".into())
    );
    assert_eq!(info.prices.len(), 1);
    assert_eq!(info.other, [("owner".to_owned(), "me".into())]);
    assert_eq!(
        router_settings.routing_strategy,
        crate::policy::strategies::StrategyName::LeastBusy
    );
    assert_eq!(
        (
            router_settings.num_retries,
            router_settings.cooldown.time_ms
        ),
        (Some(3), Some(0))
    );
    assert_eq!(router_settings.timeout, Some(Duration::from_secs(60)));
    let aliases: Vec<_> = router_settings
        .model_group_alias
        .iter()
        .map(|a| (a.alias.as_str(), a.hidden))
        .collect();
    assert_eq!(aliases, [("a", false), ("b", true)]);
    assert_eq!(router_settings.default_max_parallel_requests, Some(100));
    assert_eq!(
        (
            litellm_settings.num_retries,
            litellm_settings.budget_exceeded_status_code
        ),
        (Some(4), 429)
    );
    assert_eq!(
        general_settings.master_key.as_ref().map(|key| key.expose()),
        Some("sk-file")
    );
    assert_eq!(
        general_settings.database_url,
        Some(DatabaseUrl::Sqlite("/p.db".into()))
    );
    assert_eq!(general_settings.database_connection_pool_limit, Some(5));
    assert_eq!(
        general_settings.proxy_batch_write_at,
        Some(Duration::from_secs(1))
    );
    assert_eq!(
        general_settings.user_api_key_cache_ttl,
        Duration::from_secs(30)
    );
    assert_eq!(
        (
            general_settings.max_parallel_requests,
            general_settings.global_max_parallel_requests
        ),
        (Some(6), Some(600))
    );
    assert_eq!(general_settings.max_request_size_mb, Some(0.5));
    assert_eq!(
        general_settings.budget_enforcement,
        BudgetEnforcement::Strict
    );
    assert!(general_settings.include_call_id_in_error_body);
    let variables: Vec<_> = environment_variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    assert_eq!(variables, [("FOO", "1"), ("BAR", "True")]);
}

#[test]
fn one_pass_reports_every_problem() {
    let loaded = load(
        "model_list:
- model_name: a
  litellm_params: {model: gpt-4o, rpm: ten, api_bse: x, prompt_id: t}
- litellm_params: {model: gpt-4o}
- model_name: c
- model_name: d
  litellm_params: {model: bedrock/claude}
- just text
- model_name: e
  litellm_params: {model: openai/m, api_base: localhost}
- model_name: f
  litellm_params: {model: llama}
litelm_settings: {}
general_settings:
  mastr_key: x
  num_retries: 1
  database_url: mysql://u:hidden@h
  database_url: mysql://u:hidden@h
  store_model_in_db: false
  max_request_size_mb: .nan
router_settings:
  routing_strategy: least-bussy
  model_list: []
  model_group_alias: {x: [1]}
litellm_settings: [1]
include: [more.yaml]
",
    );
    assert_eq!(
        shown(&loaded),
        [
            "c.yaml:3:40: error: model_list[0].litellm_params.rpm: expected a whole number ≥ 0, found \"ten\"",
            "c.yaml:3:45: warning: model_list[0].litellm_params.api_bse: unknown field, sent to the provider as a parameter; did you mean `api_base`?",
            "c.yaml:3:57: warning: model_list[0].litellm_params.prompt_id: not supported yet: it is ignored",
            "c.yaml:4:3: warning: model_list[1]: this model is skipped: expected `model_name`, the name clients ask for, found none",
            "c.yaml:5:3: warning: model_list[2]: this model is skipped: expected `litellm_params` with at least `model`, found none",
            "c.yaml:7:27: warning: model_list[3].litellm_params.model: this model is skipped: the provider `bedrock` is not supported yet; supported are OpenAI, Azure OpenAI, Anthropic and the OpenAI-compatible providers of docs/providers.md",
            "c.yaml:8:3: warning: model_list[4]: expected a map (`key: value` lines), found \"just text\"",
            "c.yaml:10:47: warning: model_list[5].litellm_params.api_base: this model is skipped: expected an `api_base` like `https://host/v1` (http or https, no user name or password in it)",
            "c.yaml:12:27: warning: model_list[6].litellm_params.model: this model is skipped: no provider is known for the model `llama`; write it with its provider, such as `openai/llama`",
            "c.yaml:13:1: warning: litelm_settings: unknown field, ignored; did you mean `litellm_settings`?",
            "c.yaml:15:3: warning: general_settings.mastr_key: unknown field, ignored; did you mean `master_key`?",
            "c.yaml:16:3: warning: general_settings.num_retries: unknown field, ignored; it belongs under `router_settings`",
            "c.yaml:18:3: warning: database_url: the key stands twice in its map, first in line 17; the last one counts",
            "c.yaml:18:17: error: general_settings.database_url: expected `sqlite:///absolute/path.db`, `postgres://user:password@host/name` or `postgresql://…`, found another kind of URL",
            "c.yaml:20:24: error: general_settings.max_request_size_mb: expected a number ≥ 0, found .nan",
            "c.yaml:22:21: error: router_settings.routing_strategy: expected one of simple-shuffle, least-busy, usage-based-routing, usage-based-routing-v2, latency-based-routing, cost-based-routing, provider-budget-routing, p2c-ewma, cache-affinity, lar1, found \"least-bussy\"; did you mean `least-busy`?",
            "c.yaml:23:3: warning: router_settings.model_list: unknown field, ignored; it belongs under `the top level`",
            "c.yaml:23:15: error: router_settings.model_list: does not belong here but under the top level",
            "c.yaml:24:26: error: router_settings.model_group_alias.x: expected the name of a model group, or a map with `model` and `hidden`, found a list",
            "c.yaml:25:19: error: litellm_settings: expected a map (`key: value` lines), found a list",
            "c.yaml:26:10: error: include: only a file can include others; this text is none",
        ]
    );
    assert!(loaded.has_errors());
    assert_eq!(loaded.config.model_list.len(), 1);
}

#[test]
fn no_secret_is_ever_shown() {
    let loaded = load(
        "model_list:
- model_name: a
  litellm_params:
    model: gpt-4o
    api_key: [hidden]
    api_base: http://u:hidden@h/v1
    rpm: sk-hidden
    extra_headers: {x: [hidden], y: \"hid\\nden\"}
- sk-hidden
- model_name: b
  litellm_params: {model: gpt-4o, api_key: hidden, tpm: os.environ/UPSTREAM_API_KEY}
general_settings: {master_key: {hidden: 1}, database_url: 'mysql://hidden', sk-hidden: 1}
environment_variables: {A: [hidden], PATH: hidden, 'B=hidden': x}
router_settings: sk-hidden
",
    );
    let all = format!("{}\n{loaded:?}", shown(&loaded).join("\n"));
    for secret in [
        "hidden",
        "hid\\nden",
        "openai-secret",
        "upstream-secret",
        "sk-5c9e1f",
    ] {
        let all = all
            .replace("{hidden", "")
            .replace("hidden: ", "")
            .replace("B=hidden", "");
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    assert!(loaded.diagnostics.len() >= 10, "{all}");
}

#[test]
fn files_that_are_no_configuration() {
    for (text, expected) in [
        ("", "c.yaml: is empty; expected at least `model_list:`"),
        (
            "# comment\n",
            "c.yaml: is empty; expected at least `model_list:`",
        ),
        ("---\n", "c.yaml: is empty; expected at least `model_list:`"),
        (
            "- a",
            "c.yaml:1:1: error: expected sections (`model_list:`, `general_settings:` …), found something else",
        ),
    ] {
        let error = Config::from_text("c.yaml", text, &env)
            .err()
            .map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some(expected));
    }
    let broken = Config::from_text("c.yaml", "a: 1\n  b: [", &env)
        .err()
        .map(|error| error.to_string());
    assert!(
        broken
            .as_deref()
            .is_some_and(|text| text.starts_with("c.yaml:2:4: error: this is not valid YAML: ")),
        "{broken:?}"
    );
    let large = "#".repeat(16 << 20) + "#";
    assert!(matches!(
        Config::from_text("c.yaml", &large, &env),
        Err(LoadError::TooLarge { .. })
    ));
    assert!(matches!(
        Config::load(Path::new("/nonexistent"), None, &env),
        Err(LoadError::Unreadable { .. })
    ));
}

#[test]
fn what_the_environment_adds() {
    let loaded = load(
        "model_list: [{model_name: a, litellm_params: {model: gpt-4o}}]\nenvironment_variables: {OPENAI_API_KEY: of-file, DATABASE_URL: 'sqlite:///e.db'}",
    );
    let config = loaded.config;
    let key = config
        .model_list
        .first()
        .and_then(|entry| entry.api_key.as_ref());
    assert_eq!(key.map(|key| key.expose()), Some("of-file"));
    assert_eq!(
        config.general_settings.database_url,
        Some(DatabaseUrl::Sqlite("/e.db".into()))
    );
    assert_eq!(
        config
            .general_settings
            .master_key
            .map(|key| key.expose().to_owned())
            .as_deref(),
        Some("sk-5c9e1f")
    );
}

#[test]
fn equal_entries_and_organisations() {
    let entry = "{model_name: a, litellm_params: {model: gpt-4o, organization: [x, y]}}";
    let loaded = load(&format!(
        "model_list:\n- {entry}\n- {entry}\n- {{model_name: b, litellm_params: {{model: gpt-4o}}, model_info: {{id: i}}}}\n- {{model_name: c, litellm_params: {{model: gpt-4o}}, model_info: {{id: i}}}}"
    ));
    let models = &loaded.config.model_list;
    assert_eq!(models.len(), 6);
    assert!(
        models
            .iter()
            .take(4)
            .all(|model| Some(&model.id) == models.first().map(|first| &first.id))
    );
    let organizations: Vec<_> = models
        .iter()
        .filter_map(|m| m.litellm_params.organization.as_deref())
        .collect();
    assert_eq!(organizations, ["x", "y", "x", "y"]);
    assert_eq!(
        shown(&loaded),
        [
            "c.yaml:3:3: note: model_list[1]: equals model_list[0] and shares its deployment id; set `model_info.id` to tell them apart",
            "c.yaml:5:3: warning: model_list[3]: has the same `model_info.id` as model_list[2]; give each deployment an id of its own",
        ]
    );
}
