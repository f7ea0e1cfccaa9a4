//! Every field that `src/config/fields/*.tsv` calls obeyed names the test of its effect here; one without fails.

use std::collections::HashSet;
use std::path::Path;

use pointsman::config::fields::{Status, known_fields};

/// Defaults of a request's fields, which all take one way.
const REQUEST_PARAMETERS: &[&str] = &[
    "audio",
    "dimensions",
    "encoding_format",
    "frequency_penalty",
    "input_type",
    "language",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "min_p",
    "modalities",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "quality",
    "reasoning",
    "reasoning_effort",
    "repetition_penalty",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "size",
    "stop",
    "store",
    "stream",
    "stream_options",
    "style",
    "suffix",
    "temperature",
    "thinking",
    "top_a",
    "top_k",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
    "verbosity",
    "voice",
    "web_search_options",
];

/// Where the effect of each field is tested: section, fields, test (a function of tests/it, or of a file of src).
const PROOFS: &[(&str, &[&str], &str)] = &[
    (
        "the top level",
        &[
            "model_list",
            "litellm_settings",
            "router_settings",
            "general_settings",
        ],
        "basics::a_chat_is_answered",
    ),
    (
        "the top level",
        &["environment_variables"],
        "obeyed::variables_of_the_file",
    ),
    (
        "the top level",
        &["include"],
        "src/config/include.rs::lists_are_joined_and_maps_replaced_level_by_level",
    ),
    (
        "the top level",
        &["credential_list"],
        "start::a_named_credential_is_used",
    ),
    (
        "model_list[]",
        &["model_name", "litellm_params"],
        "basics::a_chat_is_answered",
    ),
    ("model_list[]", &["model_info"], "headers::of_a_served_call"),
    (
        "model_list[]",
        &["rpm", "tpm"],
        "obeyed::shares_beside_the_parameters",
    ),
    (
        "litellm_params",
        &["model", "api_base"],
        "pass_through::a_request_changes_in_its_model_alone",
    ),
    (
        "litellm_params",
        &["api_key"],
        "start::values_from_the_environment",
    ),
    (
        "litellm_params",
        &["base_url", "custom_llm_provider"],
        "obeyed::a_provider_by_its_field_and_an_address_by_its_other_name",
    ),
    (
        "litellm_params",
        &["ssl_verify"],
        "network::each_deployment_checks_for_itself",
    ),
    (
        "litellm_params",
        &["ssl_certificate"],
        "network::a_certificate_of_ours",
    ),
    (
        "litellm_settings",
        &["ssl_verify"],
        "network::an_authority_of_ones_own",
    ),
    (
        "litellm_settings",
        &["ssl_certificate"],
        "network::a_certificate_of_ours",
    ),
    (
        "litellm_settings",
        &["ssl_ecdh_curve"],
        "network::the_curve",
    ),
    (
        "litellm_settings",
        &["http2"],
        "network::http2_can_be_switched_off",
    ),
    ("litellm_settings", &["force_ipv4"], "network::ipv4_alone"),
    (
        "litellm_params",
        &["rpm"],
        "balancing::simple_shuffle_follows_rpm",
    ),
    (
        "litellm_params",
        &["tpm"],
        "balancing::simple_shuffle_follows_tpm",
    ),
    (
        "litellm_params",
        &["weight"],
        "balancing::simple_shuffle_follows_weights",
    ),
    (
        "litellm_params",
        &["timeout", "stream_timeout"],
        "obeyed::time_limits",
    ),
    (
        "litellm_params",
        &["num_retries"],
        "obeyed::retries_at_every_level",
    ),
    (
        "litellm_params",
        &["max_parallel_requests"],
        "limits::slots_of_a_deployment_are_exact",
    ),
    (
        "litellm_params",
        &["organization", "extra_headers", "headers"],
        "obeyed::headers_for_the_provider",
    ),
    (
        "litellm_params",
        &["base_model"],
        "cost::prices_of_the_catalogue",
    ),
    (
        "litellm_params",
        &["litellm_credential_name"],
        "start::a_named_credential_is_used",
    ),
    ("model_info", &["id"], "headers::of_a_served_call"),
    (
        "model_info",
        &["base_model"],
        "cost::prices_of_the_catalogue",
    ),
    ("model_info", &["access_groups"], "obeyed::groups_of_models"),
    (
        "model_info",
        &["max_tokens", "max_output_tokens"],
        "obeyed::bounds_of_an_answer",
    ),
    (
        "model_info",
        &["mode", "max_input_tokens"],
        "model_info::deployments_with_catalogue_and_overrides_and_without_secrets",
    ),
    (
        "litellm_params",
        &["api_version"],
        "src/providers/azure.rs::addresses",
    ),
    (
        "litellm_params",
        &["azure_ad_token"],
        "azure_login::a_token_takes_the_place_of_a_key",
    ),
    (
        "litellm_params",
        &["tenant_id", "client_id", "client_secret", "azure_scope"],
        "azure_login::client_credentials_get_one_token_for_all",
    ),
    (
        "litellm_params",
        REQUEST_PARAMETERS,
        "parameters::extra_body_and_parameters_are_defaults",
    ),
    (
        "litellm_params",
        &["extra_body"],
        "parameters::extra_body_and_parameters_are_defaults",
    ),
    (
        "litellm_params",
        &["drop_params"],
        "parameters::what_is_not_served_is_left_out_where_allowed",
    ),
    (
        "litellm_settings",
        &["drop_params"],
        "parameters::what_is_not_served_is_left_out_where_allowed",
    ),
    (
        "litellm_params",
        &["additional_drop_params", "allowed_openai_params"],
        "parameters::additional_and_allowed_parameters",
    ),
    (
        "litellm_params",
        &["mock_response"],
        "mocks::a_mock_answers_like_an_upstream",
    ),
    (
        "litellm_params",
        &["mock_tool_calls"],
        "mocks::tool_calls_and_whole_answers",
    ),
    (
        "litellm_params",
        &["mock_timeout", "mock_delay"],
        "mocks::a_mock_may_be_slow_or_never_answer",
    ),
    (
        "litellm_settings",
        &["network_mock"],
        "asks::a_canned_upstream_for_measurements",
    ),
    (
        "litellm_settings",
        &[
            "disable_add_user_agent_to_request_tags",
            "extra_spend_tag_headers",
        ],
        "asks::a_call_without_session_is_one_of_its_own",
    ),
    (
        "general_settings",
        &["user_header_name"],
        "asks::a_call_without_session_is_one_of_its_own",
    ),
    (
        "general_settings",
        &["always_include_stream_usage"],
        "asks::usage_may_always_be_told",
    ),
    (
        "general_settings",
        &["dangerously_allow_mock_testing_request_params"],
        "asks::only_those_who_may_are_mocked",
    ),
    (
        "general_settings",
        &["allow_client_side_credentials"],
        "client_access::addresses_inside_are_out_of_reach",
    ),
    (
        "model_info",
        &[
            "tiered_pricing",
            "off_peak_pricing",
            "search_context_cost_per_query",
            "provider_specific_entry",
        ],
        "prices::every_form_of_a_deployments_price",
    ),
    (
        "litellm_settings",
        &["model_cost_map_url"],
        "prices::a_file_of_ones_own_is_laid_over_the_catalogue",
    ),
    (
        "litellm_settings",
        &["block_requests_for_models_without_pricing"],
        "prices::models_without_a_price_can_be_refused",
    ),
    (
        "general_settings",
        &["configurable_clientside_auth_params"],
        "obeyed::addresses_of_callers_may_be_allowed",
    ),
    (
        "general_settings",
        &["user_header_mappings"],
        "obeyed::end_users_by_a_header",
    ),
    (
        "litellm_settings",
        &["disable_end_user_cost_tracking"],
        "obeyed::end_users_by_a_header",
    ),
    (
        "general_settings",
        &["reject_clientside_metadata_tags"],
        "obeyed::tags_of_callers_may_be_refused",
    ),
    (
        "litellm_settings",
        &[
            "user_url_allowed_hosts",
            "provider_url_destination_allowed_hosts",
            "user_url_validation",
        ],
        "obeyed::addresses_of_callers_may_be_allowed",
    ),
    (
        "litellm_params",
        &["configurable_clientside_auth_params"],
        "client_access::an_address_of_the_caller_never_meets_a_key_of_ours",
    ),
    (
        "litellm_params",
        &[
            "tiered_pricing",
            "off_peak_pricing",
            "search_context_cost_per_query",
            "provider_specific_entry",
        ],
        "prices::every_form_of_a_deployments_price",
    ),
    (
        "general_settings",
        &["global_max_parallel_requests"],
        "limits::all_callers_together",
    ),
    (
        "model_info",
        &["blocked"],
        "obeyed::a_blocked_deployment_gets_no_calls",
    ),
    (
        "litellm_settings",
        &["num_retries"],
        "obeyed::retries_at_every_level",
    ),
    (
        "litellm_settings",
        &["request_timeout"],
        "obeyed::time_limits",
    ),
    (
        "litellm_settings",
        &["budget_exceeded_status_code"],
        "budgets::the_status_of_a_refusal_is_configured",
    ),
    (
        "litellm_settings",
        &["cost_discount_config", "cost_margin_config"],
        "cost::discounts_and_margins",
    ),
    (
        "router_settings",
        &[
            "fallbacks",
            "context_window_fallbacks",
            "content_policy_fallbacks",
            "default_fallbacks",
        ],
        "fallbacks::lists_of_the_configuration",
    ),
    (
        "router_settings",
        &["max_fallbacks", "max_attempts"],
        "fallbacks::a_request_has_an_end",
    ),
    (
        "router_settings",
        &["total_timeout"],
        "fallbacks::a_request_has_a_deadline",
    ),
    (
        "router_settings",
        &["first_content_hold"],
        "fallback_streams::a_fallback_answers_behind_a_head_that_went_ahead",
    ),
    (
        "router_settings",
        &["retry_policy", "model_group_retry_policy"],
        "retries::retries_by_kind_of_error",
    ),
    (
        "router_settings",
        &["retry_after"],
        "retries::the_shortest_wait",
    ),
    (
        "litellm_settings",
        &[
            "fallbacks",
            "context_window_fallbacks",
            "content_policy_fallbacks",
            "default_fallbacks",
        ],
        "fallbacks::lists_of_the_other_section",
    ),
    (
        "litellm_settings",
        &["max_fallbacks", "num_retries_per_request"],
        "fallbacks::a_request_has_an_end",
    ),
    (
        "litellm_settings",
        &["sse_keepalive_ping_interval_seconds"],
        "fallback_streams::comments_in_the_middle",
    ),
    (
        "litellm_settings",
        &["expose_router_debug_in_errors"],
        "fallbacks::what_a_message_says_of_fallbacks",
    ),
    (
        "general_settings",
        &["enforce_fallback_model_access"],
        "fallbacks::whose_fallbacks_a_key_may_use",
    ),
    (
        "router_settings",
        &["routing_strategy"],
        "balancing::least_busy_avoids_the_busy",
    ),
    (
        "router_settings",
        &["num_retries"],
        "retries::retries_are_counted",
    ),
    (
        "router_settings",
        &["timeout", "stream_timeout"],
        "obeyed::time_limits",
    ),
    (
        "router_settings",
        &["model_group_alias"],
        "model_access::every_name_that_leads",
    ),
    (
        "router_settings",
        &["default_max_parallel_requests"],
        "obeyed::slots_that_the_router_gives",
    ),
    (
        "general_settings",
        &["master_key"],
        "start::a_weak_master_key_is_refused",
    ),
    (
        "general_settings",
        &["dangerously_permit_weak_or_unset_master_key"],
        "start::a_weak_master_key_can_be_permitted",
    ),
    (
        "general_settings",
        &["database_url", "database_connection_timeout"],
        "obeyed::a_database_of_its_own",
    ),
    (
        "general_settings",
        &["allow_requests_on_db_unavailable"],
        "database_away::callers_may_be_let_in_unlooked",
    ),
    (
        "general_settings",
        &["database_connect_timeout", "database_socket_timeout"],
        "database_connection::times_of_a_connection",
    ),
    (
        "general_settings",
        &["database_extra_connection_params"],
        "database_connection::over_tls",
    ),
    (
        "general_settings",
        &["database_connection_pool_limit"],
        "src/store/open.rs::a_limit_is_shared_among_the_kinds_of_work",
    ),
    (
        "general_settings",
        &["proxy_batch_write_at"],
        "start::spend_is_written_at_its_interval",
    ),
    (
        "router_settings",
        &["cooldown_time"],
        "cooldown::how_long_says_the_deployment_then_the_upstream_then_the_router",
    ),
    (
        "litellm_params",
        &["cooldown_time"],
        "cooldown::how_long_says_the_deployment_then_the_upstream_then_the_router",
    ),
    (
        "model_info",
        &["cooldown_time"],
        "cooldown::how_long_says_the_deployment_then_the_upstream_then_the_router",
    ),
    (
        "router_settings",
        &["allowed_fails", "allowed_fails_policy"],
        "cooldown::failures_that_are_allowed",
    ),
    (
        "litellm_settings",
        &["allowed_fails"],
        "cooldown::failures_that_are_allowed",
    ),
    (
        "model_info",
        &["allowed_fails", "allowed_fails_policy"],
        "cooldown::a_deployment_allows_failures_of_its_own",
    ),
    (
        "router_settings",
        &["disable_cooldowns"],
        "cooldown::cooldowns_can_be_switched_off",
    ),
    (
        "general_settings",
        &["user_api_key_cache_ttl"],
        "obeyed::how_long_a_key_is_believed",
    ),
    (
        "general_settings",
        &["max_parallel_requests"],
        "limits::keys_without_a_limit_have_the_general_one",
    ),
    (
        "general_settings",
        &["max_request_size_mb"],
        "bodies::too_large_is_told",
    ),
    (
        "general_settings",
        &["budget_enforcement"],
        "budgets::strict_never_passes_the_budget",
    ),
    (
        "general_settings",
        &["drain_timeout"],
        "shutdown::what_takes_too_long_is_told_so_and_charged",
    ),
    (
        "general_settings",
        &["drain_delay"],
        "shutdown::readiness_can_say_so_before_anybody_is_turned_away",
    ),
    (
        "general_settings",
        &["config_watch_interval"],
        "reload::the_watch_can_be_switched_off",
    ),
    (
        "general_settings",
        &["include_call_id_in_error_body"],
        "headers::the_bodys_call_id_is_configured",
    ),
];

/// Whether a test of [`PROOFS`] exists.
fn exists(test: &str) -> bool {
    let (file, name) = match test.rsplit_once("::") {
        Some((file, name)) if file.starts_with("src/") => (file.to_owned(), name),
        Some((module, name)) => (format!("tests/it/{}.rs", module.replace("::", "/")), name),
        None => return false,
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.contains(&format!("fn {name}("))
}

#[test]
fn every_obeyed_field_has_a_test() {
    let mut proved = HashSet::new();
    for (section, fields, test) in PROOFS {
        assert!(exists(test), "there is no test {test}");
        proved.extend(fields.iter().map(|field| (*section, *field)));
    }
    let obeyed: HashSet<(&str, &str)> = known_fields()
        .filter(|field| field.status == Status::Obeyed && !field.name.ends_with('*'))
        .map(|field| (field.place.section_name(), field.name))
        .collect();
    let mut unproved: Vec<_> = obeyed.difference(&proved).collect();
    let mut gone: Vec<_> = proved.difference(&obeyed).collect();
    unproved.sort();
    gone.sort();
    assert!(
        unproved.is_empty() && gone.is_empty(),
        "obeyed, but no test of its effect is named here: {unproved:#?}; named here, but not obeyed: {gone:#?}"
    );
}
