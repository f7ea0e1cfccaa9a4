//! The paths under which the operations of a model are found: OpenAI's, and those of Azure's SDKs.

use crate::harness::{Config, Deployment, Gateway, Reply, Value, json};
use crate::simulator::Simulator;

fn gateway(simulator: &Simulator) -> Gateway {
    let names = ["m", "org/m", "org/team/m", "a b", "chat"];
    let deployment = |name: &&str| {
        let upstream = format!("up-{}", name.replace(['/', ' '], "-"));
        Deployment::of(simulator, &upstream).group(name)
    };
    Gateway::of(&Config::of(names.iter().map(deployment)).router("num_retries", 0))
}

fn body(operation: &str) -> Value {
    match operation {
        "chat/completions" => json!({"messages": [{"role": "user", "content": "x"}]}),
        "completions" => json!({"prompt": "x"}),
        _ => json!({"input": "x"}),
    }
}

fn ask(gateway: &Gateway, path: &str, operation: &str, model: Option<&str>) -> Reply {
    let mut body = body(operation);
    if let Some(model) = model {
        body["model"] = json!(model);
    }
    gateway.master().post(path, &body)
}

const OPERATIONS: [&str; 3] = ["chat/completions", "completions", "embeddings"];

#[test]
fn every_form_reaches_its_operation() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for operation in OPERATIONS {
        for path in [format!("/{operation}"), format!("/v1/{operation}")] {
            let reply = ask(&gateway, &path, operation, Some("m")).with_status(200);
            assert_eq!(reply.json()["model"], "m");
        }
        for (written, model) in [
            ("m", "m"),
            ("org/m", "org/m"),
            ("org%2Fm", "org/m"),
            ("org/team%2fm", "org/team/m"),
            ("a%20b", "a b"),
            ("chat", "chat"),
        ] {
            for path in [
                format!("/engines/{written}/{operation}"),
                format!("/openai/deployments/{written}/{operation}?api-version=2024-10-21"),
            ] {
                // The model of the path wins over the body's, as LiteLLM has it.
                for in_body in [None, Some("m"), Some("nobody knows this")] {
                    let reply = ask(&gateway, &path, operation, in_body);
                    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
                    assert_eq!(reply.json()["model"], model, "{path}");
                }
            }
        }
        let upstream: Vec<String> = simulator.take().into_iter().map(|r| r.path).collect();
        let expected = format!("/v1/{operation}");
        assert!(
            upstream.iter().all(|path| *path == expected),
            "{upstream:?}"
        );
    }
}

#[test]
fn a_path_model_goes_upstream_once_under_its_own_name() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for in_body in [r#""model":null,"#, r#""model":"x","#, ""] {
        let body = format!(r#"{{{in_body}"prompt":"x"}}"#);
        let request = crate::harness::Request::post("/engines/org/m/completions", body);
        gateway.master().ask(request).with_status(200);
        let sent = String::from_utf8(simulator.take().remove(0).body).unwrap();
        assert_eq!(sent, r#"{"model":"up-org-m","prompt":"x"}"#);
    }
}

/// Also where the request is translated, and its body says that it names none.
#[test]
fn a_path_model_is_asked_in_another_protocol() {
    let simulator = Simulator::start();
    let claude = Deployment::of(&simulator, "m").param("model", "anthropic/claude");
    let gateway = Gateway::of(&Config::of([claude]));
    for model in [json!("nobody knows this"), Value::Null] {
        let mut body = body("chat/completions");
        body["model"] = model;
        let reply = gateway
            .master()
            .post("/engines/m/chat/completions", &body)
            .with_status(200);
        assert_eq!(reply.json()["model"], "m");
        assert_eq!(simulator.take().remove(0).json()["model"], "claude");
    }
}

#[test]
fn models_nobody_knows_are_told_by_the_operation() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for operation in OPERATIONS {
        for path in [
            format!("/v1/{operation}"),
            format!("/engines/nope/{operation}"),
            format!("/openai/deployments/nope/{operation}"),
        ] {
            let reply = ask(&gateway, &path, operation, Some("nope")).with_status(400);
            let expected = format!("/{operation}: Invalid model name passed in model=nope.");
            assert!(
                reply.message().starts_with(&expected),
                "{}",
                reply.message()
            );
        }
        // Quotes and control characters could not be sent on; NUL and broken escapes are no names.
        for model in ["%22", "a%0Ab", "%00", "%FF", "%5C"] {
            let path = format!("/engines/{model}/{operation}");
            ask(&gateway, &path, operation, None)
                .with_status(400)
                .error();
        }
    }
    assert_eq!(simulator.requests().len(), 0);
}

#[test]
fn keys_are_held_to_their_models_by_the_path_too() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({"models": ["m"]}));
    for operation in OPERATIONS {
        let mut body = body(operation);
        body["model"] = json!("m");
        let path = format!("/openai/deployments/org/m/{operation}");
        caller.post(&path, &body).with_status(403);
        let path = format!("/openai/deployments/m/{operation}");
        caller.post(&path, &body).with_status(200);
    }
}
