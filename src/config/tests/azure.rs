//! What a deployment at Azure without a key is called with.

use super::Config;
use crate::providers::Entra;

/// What each entry came to (`key`, `token <it>`, the address of the token endpoint, or `nothing`), and what was said of it.
fn read(params: &str, variables: &[(&str, &str)]) -> (String, String) {
    let text = format!("model_list: [{{model_name: m, litellm_params: {{{params}}}}}]");
    let env = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let loaded = Config::from_text("c.yaml", &text, &env).unwrap();
    let entry = &loaded.config.model_list[0];
    let came_to = match (&entry.api_key, &entry.entra) {
        (Some(_), None) => "key".to_owned(),
        (Some(_), Some(_)) => "both".to_owned(),
        (None, Some(Entra::Token(token))) => format!("token {}", token.expose()),
        (None, Some(Entra::Application(application))) => application.token_url.clone(),
        (None, None) => "nothing".to_owned(),
    };
    let told: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    (came_to, told.join("\n"))
}

#[test]
fn a_key_then_a_token_then_an_application() {
    const AZURE: &str = "model: azure/d, api_base: https://r.openai.azure.com";
    const APPLICATION: &str = "tenant_id: t, client_id: c, client_secret: s";
    const URL: &str = "https://login.microsoftonline.com/t/oauth2/v2.0/token";
    let all = [
        ("AZURE_TENANT_ID", "t"),
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_CLIENT_SECRET", "s"),
    ];
    let everything = format!("{AZURE}, azure_ad_token: x, {APPLICATION}");
    for (params, variables, expected, told) in [
        (format!("{everything}, api_key: k"), &[][..], "key", ""),
        (everything.clone(), &[("AZURE_API_KEY", "k")], "key", ""),
        (everything, &[], "token x", ""),
        (AZURE.into(), &[("AZURE_AD_TOKEN", "x")], "token x", ""),
        (format!("{AZURE}, {APPLICATION}"), &[], URL, ""),
        (AZURE.into(), &all, URL, ""),
        (AZURE.into(), &all[..2], "nothing", "no `api_key`"),
        (
            format!("{AZURE}, tenant_id: t"),
            &[],
            "nothing",
            "need all of",
        ),
        (
            format!("{AZURE}, tenant_id: a/b, client_id: c, client_secret: s"),
            &[],
            "nothing",
            "expected a tenant",
        ),
        (
            format!("{AZURE}, {APPLICATION}"),
            &[("AZURE_AUTHORITY_HOST", "http://h")],
            "nothing",
            "AZURE_AUTHORITY_HOST",
        ),
        (
            format!("{AZURE}, azure_ad_token: oidc/x"),
            &[],
            "nothing",
            "not supported yet",
        ),
        // The environment's belong to Azure: no other provider, and nobody who calls himself so, gets them.
        (
            "model: azure/d, api_base: https://api.groq.com/v1".into(),
            &all,
            "nothing",
            "no `api_key`",
        ),
        (
            format!("model: openai/d, api_base: https://h/v1, {APPLICATION}"),
            &all,
            "nothing",
            "no `api_key`",
        ),
    ] {
        let (came_to, said) = read(&params, variables);
        assert_eq!(came_to, expected, "{params} {variables:?}: {said}");
        assert!(
            said.contains(told) && (!told.is_empty() || said.is_empty()),
            "{params}: {said}"
        );
    }
}
