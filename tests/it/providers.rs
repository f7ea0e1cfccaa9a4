//! Every provider of the table, called as it wants to be called: its path, its way to send a key, its parameters; and what
//! comes back, text, stream, usage, tools and errors.

use pointsman::providers;

use crate::harness::{Config, Deployment, Gateway, Setup, Value, json};
use crate::simulator::{ProviderRow, Simulator, provider_rows};

/// A deployment of a provider; its address is the simulator's, with the path of its usual one.
fn deployment(simulator: &Simulator, row: &ProviderRow) -> Deployment {
    let usual = providers::find(row.name)
        .and_then(|provider| provider.base)
        .unwrap_or_default();
    let path = usual
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map_or(String::new(), |(_, path)| format!("/{path}"))
        .replace("{CLOUDFLARE_ACCOUNT_ID}", "acc");
    let base = format!("http://{}/{}{path}", simulator.address(), row.name);
    Deployment::at(&base, row.name)
        .param("model", format!("{}/model", row.name))
        .param("api_key", row.key())
}

/// All of them behind one gateway, whose environment holds a key of every provider.
fn gateway(simulator: &Simulator) -> Gateway {
    simulator.be_every_provider();
    let deployments = provider_rows().iter().map(|row| deployment(simulator, row));
    let config = Config::of(deployments)
        .router("num_retries", 0)
        .never_cooling();
    let variables = providers::all().flat_map(|row| &row.key_variables);
    let setup = variables.fold(Setup::new(&config), |setup, name| {
        setup.env(name, &format!("foreign-{name}"))
    });
    let gateway = setup.start();
    provider_rows()
        .iter()
        .for_each(|row| gateway.plant(&row.key()));
    gateway
}

fn is_chat(row: &ProviderRow) -> bool {
    row.path
        .trim_end_matches('/')
        .ends_with("/chat/completions")
}

fn ask(gateway: &Gateway, row: &ProviderRow, more: Value) -> crate::harness::Reply {
    let (path, mut body) = if is_chat(row) {
        let message = json!({"role": "user", "content": "hello"});
        (
            "/v1/chat/completions",
            json!({"model": row.name, "messages": [message]}),
        )
    } else {
        (
            "/v1/completions",
            json!({"model": row.name, "prompt": "hello"}),
        )
    };
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    gateway.master().post(path, &body)
}

#[test]
fn the_tables_name_the_same_providers() {
    for row in provider_rows() {
        assert!(
            providers::find(row.name).is_some(),
            "{} is unknown",
            row.name
        );
    }
    // Anthropic, who serves no chats, is called in `anthropic_upstream`.
    use providers::Protocol::{Anthropic, Own};
    let spoken = providers::all().filter(|row| ![Anthropic, Own].contains(&row.protocol));
    for row in spoken {
        assert!(
            provider_rows().iter().any(|known| known.name == row.name),
            "{} is untested",
            row.name
        );
    }
}

#[test]
fn text_stream_usage_and_tools() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for row in provider_rows() {
        let name = row.name;
        let everybodys =
            json!({"temperature": 1, "max_completion_tokens": 50, "user": "u", "seed": null});
        let asked = match (is_chat(row), row.name) {
            (true, "morph" | "v0") | (false, _) => json!({}),
            (true, _) => everybodys,
        };
        let reply = ask(&gateway, row, asked.clone());
        assert_eq!(reply.status, 200, "{name}: {}", reply.text());
        let answer = reply.json();
        assert_eq!(answer["model"], name);
        assert!(
            answer["usage"]["total_tokens"]
                .as_u64()
                .is_some_and(|total| total > 0),
            "{name}"
        );
        let mut streamed = asked;
        streamed["stream"] = json!(true);
        streamed["stream_options"] = json!({"include_usage": true});
        let reply = ask(&gateway, row, streamed);
        assert_eq!(reply.status, 200, "{name}: {}", reply.text());
        let frames = reply.frames();
        assert_eq!(frames.last().map(String::as_str), Some("[DONE]"), "{name}");
        let tells_usage = frames.iter().any(|frame| frame.contains("total_tokens"));
        assert_eq!(
            tells_usage,
            !row.refused.contains(&"stream_options"),
            "{name}"
        );
        let takes_tools = is_chat(row) && !row.refused.contains(&"tools");
        if takes_tools {
            let function = json!({"name": "f", "parameters": {"type": "object"}});
            let call = json!({"id": "call_1", "name": "f", "arguments": "{\"a\":1}"});
            let asked = json!({
                "tools": [{"type": "function", "function": function}],
                "simulate": {"tool_calls": [call]},
            });
            let reply = ask(&gateway, row, asked);
            assert_eq!(reply.status, 200, "{name}: {}", reply.text());
            let choice = &reply.json()["choices"][0];
            assert_eq!(
                choice["message"]["tool_calls"][0]["function"]["arguments"], "{\"a\":1}",
                "{name}"
            );
            assert_eq!(choice["finish_reason"], "tool_calls", "{name}");
        }
    }
    for request in simulator.take() {
        let all = format!(
            "{:?} {}",
            request.headers,
            String::from_utf8_lossy(&request.body)
        );
        assert!(
            !all.contains("foreign-"),
            "{} got somebody else's key",
            request.path
        );
        let of = request.path.split('/').nth(1).unwrap_or_default();
        let others = provider_rows()
            .iter()
            .filter(|row| row.name.len() > 2 && row.name != of);
        for other in others {
            let leaked = request
                .headers
                .iter()
                .any(|(_, value)| value.ends_with(&format!(" {}", other.key())));
            assert!(!leaked, "{} got the key of {}", request.path, other.name);
        }
    }
}

#[test]
fn one_error_of_each_class() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for row in provider_rows() {
        for (status, classes) in [
            (400, &["BadRequestError"][..]),
            (401, &["AuthenticationError", "BadRequestError"]),
            (404, &["NotFoundError", "BadRequestError"]),
            (429, &["RateLimitError"]),
            (500, &["InternalServerError"]),
            (503, &["ServiceUnavailableError", "InternalServerError"]),
        ] {
            let reply = ask(&gateway, row, json!({"simulate": {"status": status}}));
            assert_eq!(reply.status, status, "{}: {}", row.name, reply.text());
            let error = reply.error();
            let message = error["message"].as_str().unwrap_or_default();
            let known = classes
                .iter()
                .any(|class| message.starts_with(&format!("litellm.{class}: ")));
            assert!(known, "{} {status}: {message}", row.name);
            assert_eq!(error["code"], status.to_string(), "{}", row.name);
        }
    }
}

#[test]
fn what_is_refused_there_is_refused_here_or_left_out() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for row in provider_rows().iter().filter(|row| is_chat(row)) {
        // These have other names or are nobody's business.
        let quiet = ["max_completion_tokens", "user", "stream_options"];
        let refused: Vec<&str> = row
            .refused
            .iter()
            .copied()
            .filter(|name| !quiet.contains(name))
            .collect();
        let everything: serde_json::Map<String, Value> = refused
            .iter()
            .map(|name| ((*name).to_owned(), json!(2)))
            .collect();
        for name in &refused {
            let reply = ask(&gateway, row, json!({*name: 2}));
            assert_eq!(reply.status, 400, "{} {name}: {}", row.name, reply.text());
            assert!(
                reply.text().contains("UnsupportedParamsError"),
                "{} {name}: {}",
                row.name,
                reply.text()
            );
        }
        let mut asked = Value::Object(everything);
        asked["drop_params"] = json!(true);
        let reply = ask(&gateway, row, asked);
        assert_eq!(reply.status, 200, "{}: {}", row.name, reply.text());
    }
}
