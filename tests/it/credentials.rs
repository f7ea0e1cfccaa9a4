//! Every place a key may stand in, and what is no key.

use crate::harness::{Client, Config, Gateway, Key, MASTER_KEY, Reply, Request, Setup, chat, json};
use crate::simulator::Simulator;

type Headers<'a> = &'a [(&'a str, &'a str)];

fn gateway(simulator: &Simulator) -> Gateway {
    Gateway::of(&Config::single(simulator, "m"))
}

fn with(client: &Client, headers: Headers<'_>) -> Reply {
    let mut request = Request::post("/v1/chat/completions", chat("m").to_string());
    for (name, value) in headers {
        request = request.header(name, value);
    }
    client.ask(request)
}

#[test]
fn a_key_may_stand_in_any_clients_header() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let Key { secret, .. } = gateway.key(json!({}));
    let bearer = format!("Bearer {secret}");
    let nobody = gateway.anonymous();
    for (name, value) in [
        ("Authorization", bearer.as_str()),
        ("authorization", secret.as_str()),
        ("x-litellm-api-key", secret.as_str()),
        ("x-litellm-api-key", bearer.as_str()),
        ("api-key", secret.as_str()),
        ("x-api-key", secret.as_str()),
        ("X-Goog-Api-Key", secret.as_str()),
        ("Ocp-Apim-Subscription-Key", secret.as_str()),
    ] {
        assert_eq!(with(&nobody, &[(name, value)]).status, 200, "{name}");
    }
    for request in simulator.requests() {
        assert!(
            !format!("{:?}", request.headers).contains(&secret),
            "our key went upstream"
        );
    }
}

#[test]
fn the_first_that_is_present_wins_even_when_wrong() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({})).secret;
    let nobody = gateway.anonymous();
    let wrong = "sk-0123456789abcdefghijkl";
    let good = [
        ("x-litellm-api-key", key.as_str()),
        ("authorization", "Bearer vendor-token"),
    ];
    assert_eq!(with(&nobody, &good).status, 200);
    let empty_counts_as_absent = [("authorization", ""), ("x-api-key", key.as_str())];
    assert_eq!(with(&nobody, &empty_counts_as_absent).status, 200);
    for wrong_first in [
        [
            ("x-litellm-api-key", wrong),
            ("authorization", key.as_str()),
        ],
        [("authorization", wrong), ("x-api-key", key.as_str())],
        [("authorization", "Bearer "), ("x-api-key", key.as_str())],
    ] {
        assert_eq!(with(&nobody, &wrong_first).status, 401, "{wrong_first:?}");
    }
}

#[test]
fn what_is_no_key() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let nobody = gateway.anonymous();
    let unknown = "sk-0123456789abcdefghijkl";
    gateway.plant(unknown);
    let hash = pointsman::types::KeyHash::of(unknown).to_string();
    let unknown_message = format!(
        "Authentication Error, Invalid proxy server token passed. Received API Key = sk-...ijkl, Key Hash (Token) ={hash}. \
         Unable to find token in cache or `LiteLLM_VerificationTokenTable`"
    );
    let missing = "Authentication Error, No api key passed in.";
    let malformed =
        "Authentication Error, Malformed API Key passed in. Ensure Key has `Bearer ` prefix.";
    let not_virtual = "LiteLLM Virtual Key expected. Received=";
    let cases: [(Headers<'_>, &str, &str); 7] = [
        (&[], "auth_error", missing),
        (&[("authorization", "")], "auth_error", missing),
        (&[("authorization", "Bearer ")], "auth_error", malformed),
        (&[("x-api-key", "")], "auth_error", malformed),
        (
            &[("authorization", "Bearer not-a-virtual-key-of-ours")],
            "auth_error",
            not_virtual,
        ),
        (
            &[("authorization", &format!("Bearer {unknown}"))],
            "token_not_found_in_db",
            &unknown_message,
        ),
        (
            &[("authorization", "Basic dXNlcjpwYXNz")],
            "auth_error",
            not_virtual,
        ),
    ];
    for (headers, kind, message) in cases {
        let reply = with(&nobody, headers).with_status(401);
        let error = reply.error();
        assert_eq!(error["type"], kind, "{headers:?}: {error}");
        let text = error["message"].as_str().unwrap();
        assert!(text.contains(message), "{headers:?}: {text}");
        assert!(
            !text.contains(unknown) && !text.contains("not-a-virtual-key"),
            "{text}"
        );
        assert!(reply.header("x-litellm-call-id").is_some());
    }
    assert_eq!(simulator.received("m"), 0);
}

/// A key of LiteLLM's own making, known by its SHA-256 alone.
#[test]
fn a_row_of_litellm_keeps_working() {
    use pointsman::store::{KeyRow, NewKey, queries};
    use pointsman::types::KeyHash;
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let secret = "sk-imported-from-litellm-1";
    gateway.plant(secret);
    let row = KeyRow::new(KeyHash::of(secret), 0);
    queries::insert_key(
        &mut gateway.database(),
        &NewKey {
            row,
            models: Vec::new(),
        },
    )
    .unwrap();
    gateway.client(secret).chat(&chat("m")).with_status(200);
}

#[test]
fn an_unknown_key_works_as_soon_as_it_is_made() {
    let simulator = Simulator::start();
    let gateway = Setup::new(&Config::single(&simulator, "m"))
        .workers(4)
        .start();
    let secret = "sk-made-after-it-was-tried";
    gateway.plant(secret);
    let caller = gateway.client(secret);
    for _ in 0..12 {
        caller.chat(&chat("m")).with_status(401);
    }
    gateway.key(json!({"key": secret}));
    for _ in 0..12 {
        caller.chat(&chat("m")).with_status(200);
    }
}

#[test]
fn the_master_key_is_compared_whole() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for wrong in [
        &MASTER_KEY[..MASTER_KEY.len() - 1],
        &format!("{MASTER_KEY}x"),
        &MASTER_KEY.to_uppercase(),
    ] {
        assert_eq!(gateway.client(wrong).chat(&chat("m")).status, 401);
    }
    gateway.master().chat(&chat("m")).with_status(200);
}
