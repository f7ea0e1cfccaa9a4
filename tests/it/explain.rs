//! How decisions came about, told beside an answer and before one; and failures on purpose.

use std::process::Command;

use serde_json::Value;

use crate::harness::{
    Config, Deployment, Gateway, MASTER_KEY, Reply, Request, SOON, chat, chat_with, json, until,
};
use crate::simulator::{Behaviour, Simulator};

fn gateway(simulator: &Simulator) -> Gateway {
    let config = Config::of([
        Deployment::of(simulator, "small")
            .group("m")
            .info("max_input_tokens", 10),
        Deployment::of(simulator, "used").group("m").param("rpm", 1),
        Deployment::of(simulator, "paused")
            .group("m")
            .info("blocked", true),
        Deployment::of(simulator, "free").group("m"),
        Deployment::of(simulator, "resting").info("blocked", true),
    ]);
    let config = config
        .router("routing_strategy", "usage-based-routing")
        .router("enable_pre_call_checks", true);
    Gateway::of(&config)
}

fn long() -> Value {
    let text = "A prompt of more than ten tokens, as anybody can count. ".repeat(4);
    json!({"model": "m", "messages": [{"role": "user", "content": text}]})
}

fn verdicts(decision: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let considered = decision["considered"].as_array().unwrap().iter();
    considered
        .map(|own| (text(&own["id"]), text(&own["verdict"])))
        .collect()
}

fn pairs(expected: [(&str, &str); 4]) -> Vec<(String, String)> {
    expected
        .map(|(id, verdict)| (id.to_owned(), verdict.to_owned()))
        .to_vec()
}

#[test]
fn a_request_tells_how_it_was_decided() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let ask = |body: &Value| -> Reply {
        let request = Request::post("/v1/chat/completions", body.to_string());
        let explained = request.header("x-pointsman-explain", "true");
        gateway.master().ask(explained).with_status(200)
    };
    // One call uses up what `used` has in a minute.
    while simulator.received("used") == 0 {
        ask(&long());
    }
    let reply = ask(&long());
    let told: Value = serde_json::from_str(reply.must("x-pointsman-explain")).unwrap();
    let decision = &told["decisions"][0];
    assert_eq!(
        verdicts(decision),
        pairs([
            ("id-small", "unfit"),
            ("id-used", "rpm"),
            ("id-paused", "paused"),
            ("id-free", "chosen"),
        ])
    );
    assert_eq!(decision["deployment"], reply.must("x-litellm-model-id"));
    assert_eq!(
        (&decision["by"], &decision["strategy"]),
        (&json!("strategy"), &json!("usage-based-routing"))
    );
    let reason = decision["considered"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("10"), "{reason}");
    let reply = gateway.master().chat(&chat("m")).with_status(200);
    assert_eq!(reply.header("x-pointsman-explain"), None);
}

#[test]
fn a_retry_is_another_decision() {
    let simulator = Simulator::start();
    simulator.behave("a", Behaviour::failing(500));
    let config = Config::of([
        Deployment::of(&simulator, "a")
            .group("m")
            .param("weight", 1),
        Deployment::of(&simulator, "b").group("m"),
    ]);
    let gateway = Gateway::of(&config.router("num_retries", 1).never_cooling());
    let request = Request::post("/v1/chat/completions", chat("m").to_string());
    let request = request.header("x-pointsman-explain", "true");
    let reply = gateway.master().ask(request).with_status(200);
    let told: Value = serde_json::from_str(reply.must("x-pointsman-explain")).unwrap();
    let deployments: Vec<&Value> = told["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| &own["deployment"])
        .collect();
    assert_eq!(deployments, ["id-a", "id-b"]);
    assert_eq!(
        told["decisions"][1]["considered"][0]["verdict"],
        "already_failed_this_request"
    );
}

#[test]
fn a_hypothetical_request_is_answered_and_not_made() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let explain = |body: &Value| gateway.master().post("/router/explain", body);
    let told = explain(&long()).with_status(200).json();
    assert_eq!(told["group"], "m");
    assert!(["id-used", "id-free"].contains(&told["deployment"].as_str().unwrap()));
    assert_eq!(verdicts(&told)[0], ("id-small".into(), "unfit".into()));
    assert_eq!(simulator.take().len(), 0);
    assert_eq!(gateway.metric("pointsman_open_holds"), Some(0.0));
    explain(&json!({"model": "nobody", "messages": []})).with_status(400);
    explain(&json!({"messages": []})).with_status(400);
    let messages =
        json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]});
    let path = "/router/explain?operation=messages";
    gateway.master().post(path, &messages).with_status(200);
    let path = "/router/explain?operation=tea";
    let error = gateway.master().post(path, &messages).with_status(400);
    assert_eq!(error.error()["param"], "operation");
    // Whoever may not call the model is told no more than by a call.
    let caller = gateway.caller(json!({"models": ["other"]}));
    caller.post("/router/explain", &long()).with_status(403);
}

#[test]
fn the_command_line_tells_it_too() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_pointsman"))
            .args(arguments)
            .args(["--url", &format!("http://{}", gateway.address())])
            .env("POINTSMAN_KEY", MASTER_KEY)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.success(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (well, told, _) = run(&["explain", "m"]);
    assert!(
        well && told.starts_with("m (usage-based-routing): id-"),
        "{told}"
    );
    assert!(
        told.contains("  - id-paused  openai/paused  paused\n"),
        "{told}"
    );
    let (well, told, _) = run(&["explain", "m", "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert!(well && told["considered"].is_array());
    let (well, _, why) = run(&["explain", "nobody"]);
    assert!(!well && why.contains("Invalid model name"), "{why}");
    let (_, told, _) = run(&["chaos"]);
    assert_eq!(told, "no rehearsal is under way\n");
    let (well, told, why) = run(&[
        "chaos",
        "id-free",
        "--fail",
        "503",
        "--share",
        "0.5",
        "--seconds",
        "60",
    ]);
    assert!(well, "{why}");
    assert!(
        told.starts_with("50 % of the calls of id-free fail with 503, for "),
        "{told}"
    );
    let (_, told, _) = run(&["chaos", "--stop"]);
    assert_eq!(told, "no rehearsal is under way\n");
    let (well, _, why) = run(&["chaos", "id-nobody", "--fail", "503"]);
    assert!(!well && why.contains("no deployment has this id"), "{why}");
    for wish in [["--fail", "503"], ["--delay-ms", "5"]] {
        let (well, _, why) = run(&["chaos", wish[0], wish[1]]);
        assert!(!well && why.contains("<DEPLOYMENT>"), "{why}");
    }
    let (well, _, why) = run(&["explain", "resting"]);
    assert!(
        !well && why.contains("(503)") && why.contains("paused"),
        "{why}"
    );
}

#[test]
fn failures_on_purpose_are_failures() {
    let simulator = Simulator::start();
    let config = Config::of(["a", "b"].map(|name| Deployment::of(&simulator, name).group("m")));
    let gateway = Gateway::of(&config.router("num_retries", 2));
    let begin = |fields: Value| gateway.master().post("/router/chaos", &fields);
    begin(json!({"deployment": "id-a", "status": 503, "share": 1.0})).with_status(200);
    for _ in 0..8 {
        let reply = gateway.master().chat(&chat("m")).with_status(200);
        assert_eq!(reply.must("x-litellm-model-id"), "id-b");
    }
    assert_eq!(simulator.received("a"), 0, "it was not called");
    let rows = gateway.rows_when(8);
    assert!(rows.iter().any(|row| row.retries == 1));
    let ended = gateway
        .master()
        .ask(Request::new("DELETE", "/router/chaos"));
    assert_eq!(ended.with_status(200).json()["under_way"], json!([]));
    // A delay alone is a slow answer.
    for id in ["id-a", "id-b"] {
        begin(json!({"deployment": id, "delay_ms": 300})).with_status(200);
    }
    let began = std::time::Instant::now();
    gateway
        .master()
        .chat(&chat_with("m", json!({})))
        .with_status(200);
    assert!(began.elapsed().as_millis() >= 300);
    for (fields, param) in [
        (json!({"deployment": "id-a"}), "status"),
        (json!({"deployment": "id-a", "status": 200}), "status"),
        (
            json!({"deployment": "id-a", "status": 500, "share": 0}),
            "share",
        ),
        (
            json!({"deployment": "id-a", "status": 500, "seconds": 1e9}),
            "seconds",
        ),
        (
            json!({"deployment": "id-a", "delay_ms": 10_000_000}),
            "delay_ms",
        ),
        (json!({"deployment": "id-x", "status": 500}), "deployment"),
    ] {
        let refused = begin(fields).with_status(400);
        assert_eq!(refused.error()["param"], param);
    }
    begin(json!({"status": 500})).with_status(422);
}

fn explained(gateway: &Gateway, body: &Value, session: &str) -> Reply {
    let request = Request::post("/v1/chat/completions", body.to_string());
    let request = request.header("x-pointsman-explain", "true");
    let request = request.header("x-litellm-session-id", session);
    gateway.master().ask(request)
}

fn decisions(reply: &Reply) -> Vec<Value> {
    let told: Value = serde_json::from_str(reply.must("x-pointsman-explain")).unwrap();
    told["decisions"].as_array().unwrap().clone()
}

/// Each decision of a request that went from group to group, with the figures of its own group; also where nobody fitted.
#[test]
fn groups_that_were_left_tell_why() {
    let simulator = Simulator::start();
    simulator.behave("fails", Behaviour::failing(500));
    let tiny = |name: &str, group: &str| {
        Deployment::of(&simulator, name)
            .group(group)
            .info("max_input_tokens", 10)
    };
    let config = Config::of([
        tiny("small", "first"),
        Deployment::of(&simulator, "fails").group("first"),
        tiny("tiny", "narrow"),
        tiny("little", "second"),
        Deployment::of(&simulator, "works").group("second"),
    ]);
    let config = config
        .router("enable_pre_call_checks", true)
        .router("num_retries", 0)
        .router("fallbacks", json!([{"first": ["narrow", "second"]}]))
        .router("context_window_fallbacks", json!([{"narrow": ["second"]}]))
        .never_cooling();
    let gateway = Gateway::of(&config);
    let of = |model: &str| {
        let mut body = long();
        body["model"] = json!(model);
        let reply = explained(&gateway, &body, "s").with_status(200);
        decisions(&reply)
    };
    let reason = |decision: &Value| {
        let first = &decision["considered"][0];
        assert_eq!(first["verdict"], "unfit", "{decision}");
        first["reason"].as_str().unwrap().to_owned()
    };
    let groups = |decisions: &[Value]| -> Vec<String> {
        let name = |own: &Value| own["group"].as_str().unwrap().to_owned();
        decisions.iter().map(name).collect()
    };
    let all = of("first");
    assert_eq!(groups(&all), ["first", "narrow", "second"]);
    assert_eq!(all[0]["deployment"], "id-fails");
    assert!(all[1]["deployment"].is_null());
    let why = all[1]["nobody"].as_str().unwrap();
    assert!(why.contains("Context Window exceeded"), "{why}");
    assert_eq!(all[2]["deployment"], "id-works");
    for decision in &all {
        assert!(reason(decision).contains("10"), "{decision}");
    }
    assert_eq!(groups(&of("narrow")), ["narrow", "second"]);
}

/// Whoever goes where its session went has not asked whose turn it is by `order`.
#[test]
fn a_session_is_no_matter_of_order() {
    let simulator = Simulator::start();
    simulator.behave("first", Behaviour::of(json!({"hold": true})));
    let config = Config::of([
        Deployment::of(&simulator, "first")
            .group("m")
            .param("order", 1)
            .param("max_parallel_requests", 1),
        Deployment::of(&simulator, "second")
            .group("m")
            .param("order", 2),
    ]);
    let gateway =
        Gateway::of(&config.router("optional_pre_call_checks", json!(["session_affinity"])));
    let waiting = gateway.master().send(&chat("m"));
    assert!(simulator.wait_until(SOON, |simulator| simulator.in_flight("first") == 1));
    let decision = |session: &str| {
        let reply = explained(&gateway, &chat("m"), session).with_status(200);
        decisions(&reply).remove(0)
    };
    let full = decision("s");
    assert_eq!(full["considered"][0]["verdict"], "max_parallel_requests");
    simulator.behave("first", Behaviour::default());
    simulator.release();
    until("the first is free", SOON, || {
        gateway.metric("pointsman_in_flight_requests") == Some(0.0)
    });
    drop(waiting);
    let kept = decision("s");
    assert_eq!(
        (&kept["deployment"], &kept["by"]),
        (&json!("id-second"), &json!("session_affinity"))
    );
    assert_eq!(kept["considered"][0]["verdict"], "not_chosen");
    let free = decision("another");
    assert_eq!(free["deployment"], "id-first");
    assert_eq!(free["considered"][1]["verdict"], "order");
}
