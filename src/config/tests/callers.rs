//! What callers may ask for, and answers that are made here.

use super::*;

fn errors(text: &str) -> Vec<String> {
    let loaded = Config::from_text("c.yaml", text, &env).unwrap_or_else(|error| panic!("{error}"));
    shown(&loaded)
        .into_iter()
        .filter(|line| line.contains("error"))
        .collect()
}

#[test]
fn headers_that_name_the_end_user() {
    for (settings, expected) in [
        ("user_header_name: X-User", &["X-User"][..]),
        (
            "user_header_mappings: {header_name: X-C, litellm_user_role: customer}",
            &["X-C"],
        ),
        (
            "user_header_mappings: [{header_name: X-A, litellm_user_role: customer}, \
             {header_name: X-B, litellm_user_role: customer}]",
            &["X-A", "X-B"],
        ),
        (
            "user_header_mappings: [{header_name: X-I, litellm_user_role: internal_user}]",
            &[],
        ),
    ] {
        let loaded = load(&format!("general_settings: {{{settings}}}\n"));
        assert_eq!(
            loaded.config.general_settings.user_headers, expected,
            "{settings}"
        );
    }
    let wrong = "general_settings: {user_header_mappings: [{header_name: X}]}\n";
    assert_eq!(errors(wrong).len(), 1, "{:?}", errors(wrong));
}

fn entry(params: &str) -> String {
    format!(
        "model_list:\n- {{model_name: m, litellm_params: {{model: openai/m, api_base: 'http://h/v1', {params}}}}}\n"
    )
}

#[test]
fn what_callers_may_send() {
    let text = entry(
        "configurable_clientside_auth_params: [api_key, {api_base: 'https://good\\.test/.*'}]",
    );
    let loaded = load(&text);
    let params = &loaded.config.model_list[0].litellm_params;
    assert_eq!(params.configurable_clientside_auth_params.len(), 2);
    for wrong in [
        "[vertex_credentials]",
        "[{api_base: '('}]",
        "[{api_key: x}]",
        "5",
    ] {
        let text = entry(&format!("configurable_clientside_auth_params: {wrong}"));
        assert_eq!(errors(&text).len(), 1, "{wrong}");
    }
}

#[test]
fn mocks_need_no_address() {
    let text = "model_list:\n- {model_name: m, litellm_params: {model: anything-at-all, mock_response: Hi}}\n";
    let loaded = load(text);
    assert!(loaded.diagnostics.is_empty(), "{:?}", shown(&loaded));
    let entry = &loaded.config.model_list[0];
    assert_eq!((&*entry.api_base, entry.api_key.is_none()), ("", true));
    assert!(entry.litellm_params.mock.is_some());
    for wrong in [
        "mock_response: 5",
        "mock_response: x, mock_delay: soon",
        "mock_timeout: 3",
    ] {
        assert_eq!(errors(&self::entry(wrong)).len(), 1, "{wrong}");
    }
}
