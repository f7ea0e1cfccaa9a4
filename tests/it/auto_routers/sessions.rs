//! What stays as it is through a session: tier, group, deployment, and the router of Claude Code's agents.

use std::collections::BTreeSet;

use super::{HARD, ask, group, router, saying};
use crate::harness::{Client, Config, Deployment, Gateway, Request, SOON, Value, json, until};
use crate::simulator::Simulator;

#[test]
fn a_session_stays_in_its_tier() {
    let simulator = Simulator::start();
    let tiers = json!({
        "tiers": {"SIMPLE": "small", "MEDIUM": "small", "COMPLEX": "large", "REASONING": "large"},
        "session_affinity": true,
    });
    let gateway = Gateway::of(&Config::of([
        Deployment::of(&simulator, "small"),
        Deployment::of(&simulator, "large"),
        router(
            "smart",
            "complexity_router",
            "complexity_router_config",
            tiers,
        ),
    ]));
    let client = gateway.master();
    let in_session = |session: &str, text: &str| {
        let reply = ask(
            &client,
            &saying("smart", text),
            ("x-claude-code-session-id", session),
        );
        let reply = reply.with_status(200);
        (
            group(&reply).to_owned(),
            reply.must("x-litellm-complexity-router-cause").to_owned(),
        )
    };
    let of = |group: &str, cause: &str| (group.to_owned(), cause.to_owned());
    assert_eq!(in_session("one", HARD), of("large", "reasoning_override"));
    assert_eq!(in_session("one", "ok"), of("large", "session_affinity_pin"));
    assert_eq!(in_session("two", "ok"), of("small", "heuristic_scorer"));
    assert_eq!(in_session("two", HARD), of("small", "session_affinity_pin"));
    assert_eq!(
        in_session("two", "LITELLM ESCALATE"),
        of("small", "session_affinity_escalation")
    );
    assert_eq!(
        in_session("two", "once more, LITELLM ESCALATE"),
        of("large", "session_affinity_escalation")
    );
    assert_eq!(in_session("two", "ok"), of("large", "session_affinity_pin"));
    // What has no session is judged each time.
    let reply = client.chat(&saying("smart", "ok")).with_status(200);
    assert_eq!(group(&reply), "small");
}

/// Three deployments of one group behind a router.
fn of_three(simulator: &Simulator, more: Value) -> Config {
    let mut settings = json!({"tiers": {"SIMPLE": "small"}});
    settings
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let three = (0..3).map(|number| {
        Deployment::of(simulator, "small")
            .param("model", format!("openai/small-{number}"))
            .id(&number.to_string())
    });
    Config::of(three).and([router(
        "smart",
        "complexity_router",
        "complexity_router_config",
        settings,
    )])
}

/// The deployments that ten requests of a session get.
fn deployments(client: &Client, session: &str) -> BTreeSet<String> {
    let one = |_| {
        let header = ("x-litellm-session-id", session);
        let reply = ask(client, &saying("smart", "ok"), header).with_status(200);
        reply.must("x-litellm-model-id").to_owned()
    };
    (0..10).map(one).collect()
}

#[test]
fn a_session_stays_with_its_deployment() {
    let simulator = Simulator::start();
    let mut gateway = Gateway::of(&of_three(&simulator, json!({})));
    let client = gateway.master();
    let sessions: Vec<BTreeSet<String>> = (0..12)
        .map(|number| deployments(&client, &format!("session-{number}")))
        .collect();
    assert!(
        sessions.iter().all(|used| used.len() == 1),
        "each session has one: {sessions:?}"
    );
    let all: BTreeSet<String> = sessions.into_iter().flatten().collect();
    assert!(all.len() > 1, "not all of them the same");
    // The group itself knows no sessions.
    let plain: BTreeSet<String> = (0..30)
        .map(|_| {
            let header = ("x-litellm-session-id", "session-1");
            let reply = ask(&client, &saying("small", "ok"), header).with_status(200);
            reply.must("x-litellm-model-id").to_owned()
        })
        .collect();
    assert!(plain.len() > 1);
    gateway.reload(&of_three(&simulator, json!({"deployment_affinity": false})));
    let mut spread = BTreeSet::new();
    for number in 0..4 {
        spread.extend(deployments(&client, &format!("other-{number}")));
    }
    assert_eq!(spread.len(), 3, "each turn goes where it may");
}

#[test]
fn a_session_that_stays_keeps_its_group() {
    let simulator = Simulator::start();
    let groups = ["one", "two", "three", "four"];
    let settings = json!({"tiers": {"SIMPLE": groups}, "session_affinity": true});
    let entries = groups.map(|name| Deployment::of(&simulator, name));
    let gateway = Gateway::of(&Config::of(entries).and([router(
        "smart",
        "complexity_router",
        "complexity_router_config",
        settings,
    )]));
    let client = gateway.master();
    let used = |session: &str| -> BTreeSet<String> {
        let one = |_| {
            let header = ("x-litellm-session-id", session);
            let reply = ask(&client, &saying("smart", "ok"), header).with_status(200);
            group(&reply).to_owned()
        };
        (0..6).map(one).collect()
    };
    let sessions: Vec<BTreeSet<String>> = (0..16)
        .map(|number| used(&format!("session-{number}")))
        .collect();
    assert!(sessions.iter().all(|used| used.len() == 1), "{sessions:?}");
    let all: BTreeSet<String> = sessions.into_iter().flatten().collect();
    assert!(all.len() > 1);
}

#[test]
fn agents_of_claude_code_are_led_like_their_session() {
    let simulator = Simulator::start();
    let tiers = json!({"tiers": {"SIMPLE": "small", "REASONING": "large"}});
    let gateway = Gateway::of(
        &Config::of(["small", "large", "plain"].map(|name| Deployment::of(&simulator, name))).and(
            [router(
                "smart",
                "complexity_router",
                "complexity_router_config",
                tiers,
            )],
        ),
    );
    let client = gateway.caller(json!({"models": ["smart", "plain"]}));
    let send = |client: &Client, model: &str, text: &str, session: &str, agent: Option<&str>| {
        let body = json!({"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": text}]});
        let mut request = Request::post("/v1/messages", body.to_string())
            .header("x-claude-code-session-id", session);
        if let Some(agent) = agent {
            request = request.header("x-claude-code-agent-id", agent);
        }
        client.ask(request)
    };
    let led = |model: &str, text: &str, session: &str, agent: Option<&str>| {
        let reply = send(&client, model, text, session, agent).with_status(200);
        (
            group(&reply).to_owned(),
            reply.json()["model"].as_str().unwrap().to_owned(),
        )
    };
    let of = |group: &str, model: &str| (group.to_owned(), model.to_owned());
    assert_eq!(led("plain", HARD, "s", Some("a")), of("plain", "plain"));
    assert_eq!(led("smart", "ok", "s", None), of("small", "smart"));
    until("the session is known", SOON, || {
        led("plain", HARD, "s", Some("a")) == of("large", "plain")
    });
    assert_eq!(led("plain", "ok", "s", Some("a")), of("small", "plain"));
    // The conversation's own calls to other models are its own business, and change nothing.
    assert_eq!(led("plain", HARD, "s", None), of("plain", "plain"));
    assert_eq!(led("plain", HARD, "s", Some("b")), of("large", "plain"));
    assert_eq!(
        led("plain", HARD, "another", Some("a")),
        of("plain", "plain")
    );
    // What the caller may not ask for, or nobody knows, it does not get this way.
    send(&client, "large", HARD, "s", Some("a")).with_status(403);
    send(&gateway.master(), "nobody", HARD, "s", Some("a")).with_status(400);
    // Another key's session is another one.
    let other = gateway.caller(json!({"models": ["smart", "plain"]}));
    let reply = send(&other, "plain", HARD, "s", Some("a")).with_status(200);
    assert_eq!(group(&reply), "plain");
}
