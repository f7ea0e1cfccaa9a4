//! Fallbacks and retries by kind of error.

use super::{load, shown};
use crate::policy::fallback::{Kind, List};

const MODELS: &str = "model_list:
- {model_name: small, litellm_params: {model: openai/s, api_key: k}}
- {model_name: large, litellm_params: {model: openai/l, api_key: k}}
- {model_name: other, litellm_params: {model: openai/o, api_key: k}}
";

/// What a list says, as `group>target,target`.
fn written(list: Option<&List>) -> String {
    let Some(List::ByGroup(groups)) = list else {
        return "-".to_owned();
    };
    let group = |(group, targets): &(std::sync::Arc<str>, crate::policy::fallback::Targets)| {
        let names: Vec<&str> = targets.iter().map(|target| &*target.model).collect();
        format!("{group}>{}", names.join(","))
    };
    groups.iter().map(group).collect::<Vec<_>>().join(" ")
}

#[test]
fn both_sections_have_them_and_the_routers_win() {
    for (sections, expected) in [
        ("", ["-", "-", "-"]),
        (
            "router_settings: {fallbacks: [{small: [large, other]}, {large: other}]}\n\
             litellm_settings: {fallbacks: [{other: [small]}], context_window_fallbacks: [{small: [large]}]}",
            ["small>large,other large>other", "small>large", "-"],
        ),
        (
            "litellm_settings: {fallbacks: [{small: [large]}], default_fallbacks: [other]}",
            ["small>large *>other", "-", "-"],
        ),
        (
            "router_settings: {default_fallbacks: [large], content_policy_fallbacks: [{'*': [other]}]}\n\
             litellm_settings: {default_fallbacks: [other]}",
            ["*>large", "-", "*>other"],
        ),
        // An empty list is one.
        (
            "router_settings: {fallbacks: []}\nlitellm_settings: {fallbacks: [{small: [large]}]}",
            ["", "-", "-"],
        ),
    ] {
        let loaded = load(&format!("{MODELS}{sections}"));
        assert_eq!(shown(&loaded), Vec::<String>::new(), "{sections}");
        let lists = loaded.config.fallbacks();
        let found = [Kind::General, Kind::ContextWindow, Kind::ContentPolicy]
            .map(|kind| written(lists.list(kind)));
        assert_eq!(found, expected, "{sections}");
    }
}

#[test]
fn a_target_may_ask_for_something_else() {
    let loaded = load(&format!(
        "{MODELS}router_settings:
  fallbacks:
  - small: [{{model: large, temperature: 0.5, messages: [{{role: user, content: x}}]}}]
  - large: [{{temperature: 1}}, {{model: other, timeout: 3, api_key: sk-planted, stream: true}}, [x]]
"
    ));
    let lists = loaded.config.fallbacks();
    let target = lists.general.as_ref().and_then(|list| list.all().next());
    let overrides: Vec<String> = target
        .into_iter()
        .flat_map(|target| &target.overrides)
        .map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value)))
        .collect();
    assert_eq!(
        overrides,
        [
            "temperature=0.5",
            r#"messages=[{"content":"x","role":"user"}]"#
        ]
    );
    let other = "cannot be other for a fallback: give it a group of its own, with this setting";
    let path = "router_settings.fallbacks[1].large";
    assert_eq!(
        shown(&loaded),
        [
            format!("c.yaml:8:13: error: {path}[0]: expected `model`, the name of a group"),
            format!("c.yaml:8:46: error: {path}[1].timeout: {other}"),
            format!("c.yaml:8:58: error: {path}[1].api_key: {other}"),
            format!("c.yaml:8:79: error: {path}[1].stream: {other}"),
            format!(
                "c.yaml:8:94: error: {path}[2]: expected the name of a group, or a map of `model` and the fields to replace"
            ),
        ]
    );
}

#[test]
fn a_circle_is_refused_and_shown() {
    let loaded = load(&format!(
        "{MODELS}router_settings:
  model_group_alias: {{big: large}}
  fallbacks:
  - small: [other, big]
  - large: [other, small]
  context_window_fallbacks: [{{large: [small]}}]
"
    ));
    assert!(loaded.has_errors());
    assert_eq!(
        shown(&loaded),
        [
            "c.yaml:9:20: error: router_settings.fallbacks[1].large[1]: these fallbacks lead back to where they began: \
             small → large → small; leave out one of these steps: a group that failed would only be asked again"
        ]
    );
    // What stands for every group without fallbacks of its own leads nowhere twice.
    let open = load(&format!(
        "{MODELS}router_settings: {{default_fallbacks: [small, large], fallbacks: [{{small: [small, large]}}]}}"
    ));
    assert_eq!(shown(&open), Vec::<String>::new());
}

#[test]
fn names_of_nobody_and_wrong_forms_are_told() {
    let loaded = load(&format!(
        "{MODELS}router_settings:
  fallbacks:
  - smal: [lagre, openai/o]
  - {{small: [large], large: [other]}}
  - small: {{x: y}}
  - small: other
  default_fallbacks: [nobody]
  retry_policy: {{RateLimitErrorRetries: 4, TimoutErrorRetries: 1, DefaultRetries: many}}
  model_group_retry_policy: {{small: {{NotFoundErrorRetries: 1}}}}
  context_window_fallbacks: {{small: [large]}}
"
    ));
    assert_eq!(
        shown(&loaded),
        [
            "c.yaml:7:5: warning: router_settings.fallbacks[0].smal: no entry of `model_list` serves the group that these are the fallbacks of; did you mean `small`?",
            "c.yaml:7:12: warning: router_settings.fallbacks[0].smal[0]: no entry of `model_list` serves `lagre`: this fallback is passed over; did you mean `large`?",
            "c.yaml:8:5: error: router_settings.fallbacks[1]: expected a map of one group to the groups that follow it: `- small: [large]`",
            "c.yaml:9:12: error: router_settings.fallbacks[2].small: expected a list of names of groups",
            "c.yaml:10:5: warning: router_settings.fallbacks[3].small: the group has fallbacks above, and the first ones count",
            "c.yaml:11:23: warning: router_settings.default_fallbacks[0]: no entry of `model_list` serves `nobody`: this fallback is passed over",
            "c.yaml:12:44: warning: router_settings.retry_policy.TimoutErrorRetries: no class of errors has this name: it is ignored; did you mean `TimeoutErrorRetries`?",
            "c.yaml:12:83: error: router_settings.retry_policy.DefaultRetries: expected a whole number from 0 to 1000, found \"many\"",
            "c.yaml:14:29: error: router_settings.context_window_fallbacks: expected a list of maps, each of a group to the groups that follow it: `- small: [large]`, found a map",
        ]
    );
    let router = &loaded.config.router_settings;
    use crate::policy::upstream_error::ErrorClass;
    assert_eq!(
        router.retry_policy.named(ErrorClass::RateLimitError),
        Some(4)
    );
    let (group, policy) = &router.model_group_retry_policy[0];
    assert_eq!(
        (group.as_str(), policy.named(ErrorClass::NotFoundError)),
        ("small", Some(1))
    );
}
