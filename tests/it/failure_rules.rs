//! What happens when something fails: each rule of LiteLLM 1.106.2, with the test that proves it here, or the line of
//! `docs/differences-from-litellm.md` that says why it is another one.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::proofs::exists;
use crate::harness::{Config, Deployment, Gateway, Request, SOON, chat, json, streamed};
use crate::simulator::{Behaviour, Simulator};

enum Proof {
    /// A function of tests/it, or of a file of src.
    Test(&'static str),
    /// How a row of the page of differences begins.
    Differs(&'static str),
}

use Proof::{Differs, Test};

/// What the rule is about, what it says, and where that is shown.
const RULES: &[(&str, &str, &[Proof])] = &[
    // A deployment that fails is left out for a while.
    (
        "cooldown",
        "disable_cooldowns: never",
        &[Test("cooldown::cooldowns_can_be_switched_off")],
    ),
    (
        "cooldown",
        "a deployment behind a wildcard: never",
        &[Test(
            "failure_rules::what_stands_for_many_models_is_never_left_out",
        )],
    ),
    (
        "cooldown",
        "a cooldown time of nothing: never",
        &[Test("src/policy/cooldown/tests.rs::what_never_counts")],
    ),
    (
        "cooldown",
        "no connection: never",
        &[
            Test("cooldown::no_connection_is_no_reason"),
            Test("src/policy/cooldown/tests.rs::what_never_counts"),
        ],
    ),
    (
        "cooldown",
        "the caller's own short timeout: never",
        &[
            Test("src/policy/cooldown/tests.rs::what_never_counts"),
            Test("cooldown::what_is_no_fault_of_the_deployment_does_not_count"),
        ],
    ),
    (
        "cooldown",
        "no free slot: never",
        &[Test(
            "cooldown::what_is_no_fault_of_the_deployment_does_not_count",
        )],
    ),
    (
        "cooldown",
        "which statuses count: 429, 401, 402, 408, 404 and all but 4xx",
        &[Test("src/policy/cooldown/tests.rs::by_status")],
    ),
    (
        "cooldown",
        "a policy that names the kind of error counts others too",
        &[
            Test("src/policy/cooldown/tests.rs::by_class_of_error"),
            Test("src/policy/cooldown/tests.rs::what_a_deployment_says_itself_comes_first"),
        ],
    ),
    (
        "cooldown",
        "429 in a group of several: at once",
        &[
            Test("cooldown::a_deployment_is_left_out_and_comes_back"),
            Test("src/policy/cooldown/tests.rs::by_status"),
        ],
    ),
    (
        "cooldown",
        "a thousand failures and no success: also who is alone",
        &[Test(
            "cooldown::a_thousand_failures_count_for_the_only_one_too",
        )],
    ),
    (
        "cooldown",
        "more than half of five and more in a minute",
        &[
            Test("cooldown::the_share_of_failures_decides"),
            Test("src/policy/cooldown/tests.rs::more_than_half_of_a_minute"),
        ],
    ),
    (
        "cooldown",
        "401, 404: also who is alone; 402 not",
        &[
            Test("src/policy/cooldown/tests.rs::by_status"),
            Test("cooldown::the_only_deployment_of_a_group_goes_on"),
        ],
    ),
    (
        "cooldown",
        "the environment moves the thresholds",
        &[
            Test("cooldown::the_environment_moves_the_thresholds"),
            Test("src/policy/cooldown/tests.rs::thresholds_can_be_set"),
        ],
    ),
    (
        "cooldown",
        "allowed_fails: more than so many",
        &[Test("cooldown::failures_that_are_allowed")],
    ),
    (
        "cooldown",
        "allowed_fails: 3 says nothing",
        &[Test(
            "src/policy/cooldown/tests.rs::three_allowed_failures_are_none_said",
        )],
    ),
    (
        "cooldown",
        "what is counted is forgotten after a cooldown time",
        &[Test(
            "src/policy/cooldown/tests.rs::counted_failures_are_forgotten_after_a_cooldown_time",
        )],
    ),
    (
        "cooldown",
        "a request counts once, whatever its retries",
        &[
            Test("cooldown::retries_of_one_request_count_once"),
            Test("src/policy/cooldown/tests.rs::a_request_counts_once"),
        ],
    ),
    (
        "cooldown",
        "a deployment's own allowed_fails and policy win",
        &[Test("cooldown::a_deployment_allows_failures_of_its_own")],
    ),
    (
        "cooldown",
        "how long: the deployment, the upstream, the router, 5 s",
        &[
            Test("cooldown::how_long_says_the_deployment_then_the_upstream_then_the_router"),
            Test("src/policy/cooldown/tests.rs::how_long"),
            Differs("an upstream's `retry-after` keeps"),
        ],
    ),
    (
        "cooldown",
        "which end counts",
        &[
            Differs("a later, shorter cooldown replaces"),
            Test("src/policy/cooldown/tests.rs::a_cooldown_ends_by_itself_and_never_early"),
        ],
    ),
    (
        "cooldown",
        "all are left out: 429 until the first is back",
        &[
            Test("cooldown::when_all_cool_down_the_answer_says_when_to_come_back"),
            Differs("`Try again in` is the configured cooldown"),
        ],
    ),
    (
        "cooldown",
        "who else is told to be cooling down",
        &[Differs("`cooldown_list` names every cooling deployment")],
    ),
    (
        "cooldown",
        "how they come back",
        &[
            Differs("after a cooldown all calls come back at once"),
            Test("cooldown::one_call_finds_out_whether_a_deployment_is_back"),
        ],
    ),
    // Health checks.
    (
        "health",
        "/health calls every deployment",
        &[Test("health::every_deployment_is_asked")],
    ),
    (
        "health",
        "/health tells what the background found",
        &[Test(
            "health::the_background_asks_and_health_tells_what_it_found",
        )],
    ),
    (
        "health",
        "/health/latest and /health/history",
        &[Test("health::records::findings_outlive_the_process")],
    ),
    (
        "health",
        "/health/services",
        &[Differs("`/health/services` tries what it is told to try")],
    ),
    (
        "health",
        "health_check_interval",
        &[
            Test("health::rounds_follow_each_other"),
            Differs("`health_check_interval: 0` asks without a pause"),
        ],
    ),
    (
        "health",
        "health_check_concurrency",
        &[
            Test("health::checks_go_side_by_side_as_configured"),
            Differs("`/health` probes as many deployments at once"),
        ],
    ),
    (
        "health",
        "a time limit, a model and tokens of its own; left out in the background",
        &[Test("health::a_deployment_says_how_it_is_asked")],
    ),
    (
        "health",
        "each mode has its probe",
        &[
            Test("health::modes::each_mode_has_its_address_and_body"),
            Test("health::modes::the_environment_says_what_is_asked"),
        ],
    ),
    (
        "health",
        "behind a star the cheapest models",
        &[Test(
            "health::modes::behind_a_star_the_cheapest_models_are_asked",
        )],
    ),
    (
        "health",
        "probes in the spend log",
        &[Test("health::books::a_check_is_booked_as_nobodys")],
    ),
    (
        "health",
        "health_check_details: false",
        &[Test("health::details_can_be_left_out")],
    ),
    (
        "health",
        "no secrets in what is told",
        &[Test("health::an_operator_sees_what_goes_on_inside")],
    ),
    (
        "health",
        "use_shared_health_check",
        &[
            Test("health::records::instances_share_what_they_find"),
            Differs("`use_shared_health_check` needs Redis"),
        ],
    ),
    (
        "health",
        "enable_health_check_routing",
        &[
            Test("health::who_fails_a_check_is_called_only_when_nobody_else_is_left"),
            Differs("with `enable_health_check_routing`, who failed"),
        ],
    ),
    (
        "health",
        "routing never empties a group",
        &[Test(
            "health::when_all_fail_their_checks_they_are_called_all_the_same",
        )],
    ),
    (
        "health",
        "health_check_ignore_transient_errors",
        &[Test("health::passing_failures_of_checks_can_be_ignored")],
    ),
    (
        "health",
        "failing probes count towards cooldowns",
        &[
            Test("health::routing::failing_checks_count_towards_a_cooldown"),
            Differs("what another instance has found counts"),
        ],
    ),
    (
        "health",
        "with allowed_fails_policy cooling ones are called when nobody is left",
        &[Test(
            "health::routing::with_a_policy_those_that_cool_down_are_called_when_nobody_else_is_left",
        )],
    ),
    // Retries.
    (
        "retries",
        "num_retries: request, deployment, router, litellm_settings",
        &[
            Test("obeyed::retries_at_every_level"),
            Test("retries::the_caller_says_how_often"),
        ],
    ),
    (
        "retries",
        "2 unless anybody says otherwise",
        &[Test("failure_rules::the_defaults_are_litellms")],
    ),
    (
        "retries",
        "num_retries_per_request",
        &[Test("fallbacks::a_request_has_an_end")],
    ),
    (
        "retries",
        "retry_policy and model_group_retry_policy",
        &[
            Test("retries::retries_by_kind_of_error"),
            Test("src/policy/by_class.rs::the_most_special_name_counts"),
        ],
    ),
    (
        "retries",
        "DefaultRetries",
        &[Differs("`DefaultRetries` may repeat errors")],
    ),
    (
        "retries",
        "a request that says 0 gets none",
        &[Test("retries::retries_by_kind_of_error")],
    ),
    (
        "retries",
        "the gate by status",
        &[
            Test("src/policy/retry/mod.rs::by_status"),
            Test("retries::what_fails_everywhere_is_not_tried_again"),
        ],
    ),
    (
        "retries",
        "a prompt that is too long, refused content: to their fallbacks",
        &[Test("fallbacks::lists_of_the_configuration")],
    ),
    (
        "retries",
        "nobody is left: to the fallbacks",
        &[
            Test("fallbacks::full_groups_fall_back_and_limits_do_not"),
            Test("src/policy/retry/mod.rs::a_fallback_is_not_kept_waiting"),
        ],
    ),
    (
        "retries",
        "another deployment: at once",
        &[Test("retries::another_deployment_answers")],
    ),
    (
        "retries",
        "the wait: retry-after up to 60 s, else 0.5·2ⁿ, retry_after, 8 s, and up to 0.75 s more",
        &[
            Test("src/policy/retry/mod.rs::waits"),
            Test("retries::the_shortest_wait"),
            Differs("retries of a group wait for a `Retry-After`"),
        ],
    ),
    (
        "retries",
        "nothing waits after the last try",
        &[Test("src/policy/retry/mod.rs::ends")],
    ),
    (
        "retries",
        "the last error, with how often it was tried",
        &[Test("retries::retries_are_counted")],
    ),
    (
        "retries",
        "who answered so that no retry helps is avoided",
        &[Test(
            "src/router/control/tests.rs::another_try_leaves_out_what_failed",
        )],
    ),
    (
        "retries",
        "bounds of one request",
        &[
            Differs("a request has no bound over all its retries"),
            Differs("a caller may ask for any number of retries"),
        ],
    ),
    (
        "retries",
        "metadata.previous_models, four at most",
        &[Test("fallbacks::the_fallback_is_told_and_paid")],
    ),
    (
        "retries",
        "disable_retry_on_max_parallel_request_limit_error",
        &[Differs(
            "a caller's own limit of parallel calls is tried again",
        )],
    ),
    // Fallbacks.
    (
        "fallbacks",
        "levels of order first",
        &[
            Test("routing::levels_are_asked_one_after_another"),
            Test("routing::a_failed_level_is_not_a_group_that_failed"),
        ],
    ),
    (
        "fallbacks",
        "then weighted failover",
        &[Test(
            "routing::weighted_failover_asks_everybody_before_another_group",
        )],
    ),
    (
        "fallbacks",
        "a list for each error, and none for others where it is there",
        &[
            Test("fallbacks::lists_of_the_configuration"),
            Test("src/policy/fallback/lists.rs::a_list_for_each_error"),
        ],
    ),
    (
        "fallbacks",
        "an answer that ends with content_filter",
        &[
            Test("fallbacks::filtered_answers_fall_back"),
            Differs("a fallback of the answer's `content_filter`"),
        ],
    ),
    (
        "fallbacks",
        "shapes of lists, and targets with fields of their own",
        &[
            Test("fallbacks::a_fallback_gets_the_clients_own_request"),
            Differs("a fallback may have any setting of the gateway"),
        ],
    ),
    (
        "fallbacks",
        "request, key, team, configuration",
        &[
            Test("fallbacks::a_request_brings_its_own"),
            Test("caller_settings::fallbacks_of_request_then_key_then_team_then_configuration"),
        ],
    ),
    (
        "fallbacks",
        "names: as written, by provider, any",
        &[Test(
            "src/policy/fallback/lists.rs::names_as_written_then_by_provider_then_any",
        )],
    ),
    (
        "fallbacks",
        "the group an auto router chose comes first",
        &[Test("auto_routers::by_difficulty")],
    ),
    (
        "fallbacks",
        "default_fallbacks are those of *",
        &[Test("fallbacks::lists_of_the_configuration")],
    ),
    (
        "fallbacks",
        "max_fallbacks",
        &[Test("fallbacks::a_request_has_an_end")],
    ),
    (
        "fallbacks",
        "no target twice, none of the present group",
        &[
            Test("src/policy/fallback/walk.rs::depth_first_each_once"),
            Differs("fallbacks may lead in a circle"),
        ],
    ),
    (
        "fallbacks",
        "each group has retries of its own",
        &[Test("fallbacks::a_request_has_an_end")],
    ),
    (
        "fallbacks",
        "enforce_fallback_model_access",
        &[Test("fallbacks::whose_fallbacks_a_key_may_use")],
    ),
    (
        "fallbacks",
        "disable_fallbacks",
        &[Test("fallbacks::a_request_brings_its_own")],
    ),
    (
        "fallbacks",
        "limits of the caller fall back nowhere",
        &[
            Test("fallbacks::full_groups_fall_back_and_limits_do_not"),
            Differs("a key's own rate limit tries fallbacks"),
        ],
    ),
    (
        "fallbacks",
        "all fail: the first failure, and the trail",
        &[
            Test("fallbacks::when_all_fail_the_first_failure_is_told"),
            Test("fallbacks::what_a_message_says_of_fallbacks"),
            Differs("the trail in an error names every group"),
        ],
    ),
    (
        "fallbacks",
        "flags for tests",
        &[Test("fallbacks::rehearsals")],
    ),
    (
        "fallbacks",
        "the header, and the model that answered",
        &[Test("fallbacks::the_fallback_is_told_and_paid")],
    ),
    (
        "fallbacks",
        "a stream before its first content",
        &[
            Test("matrix::failover::every_fault_before_the_first_content"),
            Differs("in a stream that is slow to begin"),
        ],
    ),
    (
        "fallbacks",
        "a stream after it: an error frame",
        &[Test("matrix::failures::in_mid_stream")],
    ),
    // Time limits.
    (
        "time limits",
        "streams: request, deployment, router, then as others",
        &[
            Test("failure_rules::the_first_limit_that_is_set_counts"),
            Test("obeyed::time_limits"),
        ],
    ),
    (
        "time limits",
        "others: request, deployment, router, litellm_settings",
        &[
            Test("failure_rules::the_first_limit_that_is_set_counts"),
            Differs("`litellm_settings.request_timeout` counts only"),
        ],
    ),
    (
        "time limits",
        "by service tier",
        &[Differs("`timeout_by_service_tier`")],
    ),
    (
        "time limits",
        "stream_timeout: the head, and each silence",
        &[
            Test("broken_upstreams::a_stream_that_fails_after_its_content"),
            Test("broken_upstreams::a_stream_that_fails_before_its_content"),
        ],
    ),
    (
        "time limits",
        "LITELLM_MAX_STREAMING_DURATION_SECONDS",
        &[Differs("`LITELLM_MAX_STREAMING_DURATION_SECONDS`")],
    ),
    (
        "time limits",
        "a timeout is a 408, and tried again",
        &[
            Test("obeyed::time_limits"),
            Test("src/policy/retry/mod.rs::by_status"),
        ],
    ),
    // Where LiteLLM's documentation says something else than it does.
    (
        "documented otherwise",
        "num_retries is 2",
        &[Test("failure_rules::the_defaults_are_litellms")],
    ),
    (
        "documented otherwise",
        "who waits is polled for",
        &[
            Test("routing::who_is_urgent_is_next"),
            Differs("who waits for a deployment is looked after"),
        ],
    ),
    (
        "documented otherwise",
        "a cooldown is 5 s",
        &[Test("src/policy/cooldown/tests.rs::how_long")],
    ),
    (
        "documented otherwise",
        "allowed_fails other than 3 counts",
        &[Test(
            "src/policy/cooldown/tests.rs::three_allowed_failures_are_none_said",
        )],
    ),
    (
        "documented otherwise",
        "max_parallel_requests of a deployment: 429 at once",
        &[
            Test("retries::slots_of_a_deployment"),
            Test("limits::slots_of_a_deployment_are_exact"),
        ],
    ),
    (
        "documented otherwise",
        "only enable_pre_call_checks works",
        &[Test("shortlists::small_windows_are_passed_over")],
    ),
];

#[test]
fn every_rule_is_proved_or_explained() {
    let page = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/docs/differences-from-litellm.md"
    );
    let page = std::fs::read_to_string(page).unwrap();
    let mut seen = HashSet::new();
    let mut missing = Vec::new();
    for (about, rule, proofs) in RULES {
        assert!(seen.insert((about, rule)), "{about}: {rule} is here twice");
        assert!(!proofs.is_empty(), "{about}: {rule} has no proof");
        for proof in *proofs {
            let (is_there, named) = match proof {
                Test(test) => (exists(test), test),
                Differs(row) => (page.contains(&format!("\n| {row}")), row),
            };
            if !is_there {
                missing.push(format!("{about}: {rule}: {named}"));
            }
        }
    }
    assert!(missing.is_empty(), "neither tests nor rows: {missing:#?}");
}

#[test]
fn the_defaults_are_litellms() {
    let simulator = Simulator::start();
    simulator.behave_by_default(Behaviour::failing(500));
    let group = ["a", "b", "c", "d"].map(|name| Deployment::of(&simulator, name).group("m"));
    let gateway = Gateway::of(&Config::of(group));
    let reply = gateway.master().chat(&chat("m")).with_status(500);
    assert_eq!(simulator.take().len(), 3, "two retries");
    let message = reply.message();
    assert!(message.contains("LiteLLM Retried: 2 times"), "{message}");
}

#[test]
fn what_stands_for_many_models_is_never_left_out() {
    let simulator = Simulator::start();
    let star = Deployment::of(&simulator, "any/*").param("model", "openai/*");
    let gateway = Gateway::of(&Config::of([star]).router("num_retries", 0));
    let client = gateway.master();
    simulator.behave_by_default(Behaviour::failing(401));
    for _ in 0..4 {
        client.chat(&chat("any/one")).with_status(401);
    }
    assert_eq!(simulator.take().len(), 4, "each of them was sent");
    // One model of its own name is.
    let single = Config::of([Deployment::of(&simulator, "m")]).router("num_retries", 0);
    let gateway = Gateway::of(&single);
    let client = gateway.master();
    client.chat(&chat("m")).with_status(401);
    client.chat(&chat("m")).with_status(429);
    assert_eq!(simulator.take().len(), 1);
}

#[test]
fn the_first_limit_that_is_set_counts() {
    const LONG: f64 = 60.0;
    const SHORT: f64 = 0.4;
    let simulator = Simulator::start();
    simulator.behave("m", Behaviour::of(json!({"hang": "before_head"})));
    let took = |deployment: &[(&str, f64)],
                router: &[(&str, f64)],
                litellm: &[(&str, f64)],
                header: Option<&str>,
                body: &[(&str, f64)],
                is_stream: bool| {
        let mut entry = Deployment::of(&simulator, "m");
        for (name, limit) in deployment {
            entry = entry.param(name, *limit);
        }
        let mut config = Config::of([entry]).router("num_retries", 0);
        for (name, limit) in router {
            config = config.router(name, *limit);
        }
        for (name, limit) in litellm {
            config = config.litellm(name, *limit);
        }
        let gateway = Gateway::of(&config);
        let mut asked = match is_stream {
            true => streamed("m", json!({})),
            false => chat("m"),
        };
        for (name, limit) in body {
            asked[*name] = json!(limit);
        }
        let mut request = Request::post("/v1/chat/completions", asked.to_string());
        if let Some(name) = header {
            request = request.header(name, &SHORT.to_string());
        }
        let began = Instant::now();
        gateway.master().ask(request).with_status(408);
        began.elapsed()
    };
    for (what, took) in [
        (
            "a header before the body",
            took(
                &[],
                &[],
                &[],
                Some("x-litellm-timeout"),
                &[("timeout", LONG)],
                false,
            ),
        ),
        (
            "the body before the deployment",
            took(
                &[("timeout", LONG)],
                &[],
                &[],
                None,
                &[("timeout", SHORT)],
                false,
            ),
        ),
        (
            "request_timeout of the body",
            took(
                &[("timeout", LONG)],
                &[],
                &[],
                None,
                &[("request_timeout", SHORT)],
                false,
            ),
        ),
        (
            "the deployment before the router",
            took(
                &[("timeout", SHORT)],
                &[("timeout", LONG)],
                &[],
                None,
                &[],
                false,
            ),
        ),
        (
            "the router before all",
            took(
                &[],
                &[("timeout", SHORT)],
                &[("request_timeout", LONG)],
                None,
                &[],
                false,
            ),
        ),
        (
            "a stream's header",
            took(
                &[("stream_timeout", LONG)],
                &[],
                &[],
                Some("x-litellm-stream-timeout"),
                &[("stream_timeout", LONG)],
                true,
            ),
        ),
        (
            "a deployment's streams before a request's calls",
            took(
                &[("stream_timeout", SHORT)],
                &[],
                &[],
                None,
                &[("timeout", LONG)],
                true,
            ),
        ),
        (
            "the router's streams before a deployment's calls",
            took(
                &[("timeout", LONG)],
                &[("stream_timeout", SHORT)],
                &[],
                None,
                &[],
                true,
            ),
        ),
        (
            "as others where nobody speaks of streams",
            took(
                &[("timeout", SHORT)],
                &[("timeout", LONG)],
                &[],
                None,
                &[],
                true,
            ),
        ),
    ] {
        assert!(
            took >= Duration::from_millis(350) && took < SOON,
            "{what}: {took:?}"
        );
    }
}
