//! What refers to something else: credentials, aliases, variables, patterns.

use super::{load, shown};

#[test]
fn credentials_fill_what_is_not_set() {
    let loaded = load(
        "credential_list:
- credential_name: shared
  credential_values: {api_key: os.environ/UPSTREAM_API_KEY, api_base: http://shared/v1, timeout: 7}
  credential_info: {description: x}
- credential_name: shared
- credentil_name: typo
model_list:
- {model_name: a, litellm_params: {model: openai/m, litellm_credential_name: shared}}
- {model_name: b, litellm_params: {model: openai/m, litellm_credential_name: shared, api_key: own, timeout: null}}
- {model_name: c, litellm_params: {model: openai/m, litellm_credential_name: sharde}}
",
    );
    let called: Vec<_> = loaded
        .config
        .model_list
        .iter()
        .map(|model| {
            let key = model.api_key.as_ref().map(|key| key.expose());
            let timeout = model.litellm_params.timeout.map(|time| time.as_secs());
            (
                model.model_name.as_str(),
                model.api_base.as_str(),
                key,
                timeout,
            )
        })
        .collect();
    assert_eq!(
        called,
        [
            ("a", "http://shared/v1", Some("upstream-secret"), Some(7)),
            ("b", "http://shared/v1", Some("own"), Some(7)),
        ]
    );
    assert_eq!(
        shown(&loaded),
        [
            "c.yaml:5:3: warning: credential_list[1]: another entry has the same `credential_name`; the first one counts",
            "c.yaml:6:3: error: credential_list[2]: expected `credential_name`, by which deployments refer to it",
            "c.yaml:10:78: warning: model_list[2].litellm_params.litellm_credential_name: this model is skipped: no entry of `credential_list` has this `credential_name`; did you mean `shared`?",
        ]
    );
    // The id is that of the entry as written, as in LiteLLM.
    let alone = load(
        "model_list: [{model_name: a, litellm_params: {model: openai/m, litellm_credential_name: shared}}]\ncredential_list: [{credential_name: shared}]",
    );
    let ids = [&loaded, &alone].map(|loaded| {
        loaded
            .config
            .model_list
            .first()
            .map(|model| model.id.clone())
    });
    assert!(ids[0].is_some() && ids[0] == ids[1]);
}

#[test]
fn an_alias_of_nothing_is_told() {
    let models = "model_list: [{model_name: small, litellm_params: {model: gpt-4o}}]\n";
    let loaded =
        load(&(models.to_owned() + "router_settings: {model_group_alias: {a: smal, b: small}}"));
    assert_eq!(
        shown(&loaded),
        [
            "c.yaml:2:42: warning: router_settings.model_group_alias.a: no entry of `model_list` serves the group it stands for; did you mean `small`?"
        ]
    );
    let wild = models.replace("small", "'*'") + "router_settings: {model_group_alias: {a: smal}}";
    assert!(load(&wild).diagnostics.iter().all(|told| told.not_yet));
}

#[test]
fn what_cannot_be_looked_up_or_matched_is_told() {
    let loaded = load(
        "model_list:
- {model_name: 'openai/*', litellm_params: {model: 'openai/*', api_key: oidc/github/x}}
",
    );
    let told: Vec<_> = loaded
        .diagnostics
        .iter()
        .map(|diagnostic| (diagnostic.not_yet, diagnostic.path.as_str()))
        .collect();
    assert_eq!(told, [(true, "model_list[0].litellm_params.api_key")]);
}
