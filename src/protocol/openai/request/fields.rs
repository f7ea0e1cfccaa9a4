//! Names of request fields that the gateway treats in a way of its own (LiteLLM 1.106.2).

use crate::protocol::json::scan_object;

/// Fields that address the gateway and never go upstream (LiteLLM's list), and credentials of clouds: no provider that speaks
/// this protocol asks for them in a body, so they would only be shown to one that they are not for.
pub const GATEWAY_ONLY: &[&str] = &[
    "additional_drop_params",
    "allowed_model_region",
    "allowed_openai_params",
    "api_base",
    "api_key",
    "api_version",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "azure_password",
    "azure_username",
    "base_url",
    "cache",
    "caching",
    "client_secret",
    "content_policy_fallbacks",
    "context_window_fallbacks",
    "custom_llm_provider",
    "disable_fallbacks",
    "drop_params",
    "enable_tag_filtering",
    "extra_headers",
    "fallbacks",
    "fastest_response",
    "guardrails",
    "litellm_credential_name",
    "litellm_metadata",
    "litellm_params",
    "litellm_session_id",
    "litellm_trace_id",
    "max_retries",
    "mid_stream_failure",
    "mock_delay",
    "mock_response",
    "mock_testing_content_policy_fallbacks",
    "mock_testing_context_fallbacks",
    "mock_testing_fallbacks",
    "mock_testing_rate_limit_error",
    "mock_timeout",
    "mock_tool_calls",
    "no-log",
    "num_retries",
    "priority",
    "proxy_server_request",
    "request_timeout",
    "router_settings_override",
    "specific_deployment",
    "stream_timeout",
    "tags",
    "timeout",
];

/// Fields that would send a call elsewhere, with other credentials or at another price: refused from callers.
pub const REFUSED: &[&str] = &[
    "aws_bedrock_project_id",
    "aws_bedrock_runtime_endpoint",
    "aws_external_id",
    "aws_profile_name",
    "aws_role_name",
    "aws_session_name",
    "aws_session_tags",
    "aws_sts_endpoint",
    "aws_web_identity_token",
    "azure_ad_token",
    "bedrock_tags",
    "deployment_url",
    "model_list",
    "nvcf_function_id",
    "s3_endpoint_url",
    "sagemaker_base_url",
    "use_ssl",
    "user_config",
    "vertex_ai_credentials",
    "vertex_credentials",
];

/// Starts of the names of callback destinations, projects and credentials: refused as well.
const CALLBACKS: &[&str] = &[
    "arize_",
    "braintrust_",
    "datadog_",
    "galileo_",
    "gcs_",
    "helicone_",
    "humanloop_",
    "langfuse_",
    "langsmith_",
    "lunary_",
    "opik_",
    "phoenix_",
    "posthog_",
    "wandb_",
    "weave_",
];

/// Fields that decide something here.
pub const READ: &[&str] = &[
    "best_of",
    "dimensions",
    "encoding_format",
    "functions",
    "input",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "n",
    "prompt",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "suffix",
    "system",
    "tools",
    "user",
];

/// The first field of an object that a caller may not send, were it a field of the request: LiteLLM looks one level deep into
/// `metadata` and its like.
pub fn refused_within(object: &[u8]) -> Option<String> {
    let mut found = None;
    let _ = scan_object(object, |field| {
        let key = std::str::from_utf8(&object[field.key]).unwrap_or_default();
        if found.is_none() && (is_refused(key) || ["api_base", "base_url"].contains(&key)) {
            found = Some(key.to_owned());
        }
    });
    found
}

/// Whether a fallback may have a value of its own for this field: what a provider is asked, but not what the gateway is, nor
/// whether the answer is a stream.
pub fn may_be_replaced(name: &str) -> bool {
    let ours = GATEWAY_ONLY.binary_search(&name).is_ok() || is_refused(name);
    !ours && !["metadata", "model", "stream", "stream_options"].contains(&name)
}

/// Whether a caller may not send this field.
pub fn is_refused(name: &str) -> bool {
    let free = ["langfuse_prompt_version", "langsmith_sampling_rate"];
    let callback = CALLBACKS.iter().any(|prefix| name.starts_with(prefix));
    REFUSED.binary_search(&name).is_ok()
        || (callback && !free.contains(&name))
        || name.ends_with("workspace_id")
        || (name.contains("cost_per_") || name.contains("_token_cost"))
}
