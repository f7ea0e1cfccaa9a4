//! Who may call a route is decided by the route that answers, however the request spells it: no detour in the path, the host
//! or a proxy's headers leads past the door.

use pointsman::auth::Permission;
use pointsman::http::routes;

use crate::harness::{Config, Gateway, Reply, Request, chat, json};
use crate::simulator::Simulator;

/// The path as somebody would write it who wants one part of a server to see another path than the next.
fn spellings(path: &str) -> Vec<String> {
    let (first, rest) = path.split_at(2);
    let letter = first.chars().last().map_or(0, u32::from);
    vec![
        path.to_owned(),
        format!("/{path}"),
        format!("//{path}"),
        format!("{path}/"),
        format!("{path}//"),
        format!("{path}/."),
        format!("{path}/.."),
        format!("{path}/x/.."),
        format!("/.{path}"),
        format!("/x/..{path}"),
        format!("/health/liveliness/..{path}"),
        format!("/health/liveliness/../..{path}"),
        format!("/health/liveliness%2f..{path}"),
        format!("/health/liveliness;{path}"),
        format!("/v1{path}"),
        format!("/%{letter:02x}{rest}"),
        format!("/%{letter:02X}{rest}"),
        format!("/%25{letter:02x}{rest}"),
        format!("%2f{}", &path[1..]),
        path.replace('/', "%2f"),
        path.replace('/', "\\"),
        path.to_uppercase(),
        format!("{path};a=b"),
        format!("{path}%00"),
        format!("{path}%20"),
        format!("{path}%0a"),
        format!("{path}?"),
        format!("{path}?path=/health/liveliness"),
        format!("http://gateway{path}"),
        format!("http://127.0.0.1@gateway{path}"),
    ]
}

const HEADERS: [(&str, &str); 10] = [
    ("x-original-url", "/health/liveliness"),
    ("x-rewrite-url", "/health/liveliness"),
    ("x-forwarded-prefix", "/health"),
    ("x-forwarded-host", "localhost"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-real-ip", "127.0.0.1"),
    ("forwarded", "for=127.0.0.1;host=localhost;proto=https"),
    ("x-http-method-override", "OPTIONS"),
    ("x-forwarded-user", "admin"),
    ("referer", "http://localhost/ui"),
];

/// Refused, or sent (on this server) to the path that refuses.
fn stays_outside(reply: &Reply) -> bool {
    let here = |location: &str| location.starts_with('/') && !location.starts_with("//");
    match reply.status {
        307 => here(reply.must("location")) && reply.body.is_empty(),
        status => (400..500).contains(&status),
    }
}

#[test]
fn nobody_gets_in_by_a_detour() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let nobody = gateway.anonymous();
    let mut inside = Vec::new();
    for route in routes().filter(|route| route.permission != Permission::Public) {
        let around: Vec<&str> = route.path.split(['{', '}']).step_by(2).collect();
        let path = around.join("m");
        let ask = |path: &str, header: Option<(&str, &str)>| {
            let mut request = Request::new(route.method.as_str(), path);
            if route.method != "GET" {
                request = request.header("content-type", "application/json");
                request.body = chat("m").to_string().into_bytes();
            }
            let request =
                header.map_or(request.clone(), |(name, value)| request.header(name, value));
            nobody.ask(request)
        };
        for spelling in spellings(&path) {
            let reply = ask(&spelling, None);
            if !stays_outside(&reply) {
                inside.push(format!("{} {spelling}: {}", route.method, reply.status));
            }
        }
        for header in HEADERS {
            let status = ask(&path, Some(header)).status;
            if status != 401 {
                inside.push(format!("{} {path} with {header:?}: {status}", route.method));
            }
        }
    }
    assert!(inside.is_empty(), "{}", inside.join("\n"));
    assert_eq!(simulator.requests().len(), 0);
}

/// A key that may do little may do no more by the same ways: nothing is made, and another's key is not shown.
#[test]
fn a_small_key_stays_small_on_every_detour() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let other = gateway.key(json!({"key_alias": "of another"}));
    let caller = gateway.caller(json!({"models": ["elsewhere"]}));
    for spelling in spellings("/key/generate") {
        let reply = caller.ask(Request::post(&spelling, "{}"));
        assert!(stays_outside(&reply), "{spelling}: {}", reply.status);
    }
    for spelling in spellings("/key/info") {
        let joint = if spelling.contains('?') { '&' } else { '?' };
        let path = format!("{spelling}{joint}key={}", other.hash);
        let reply = caller.get(&path);
        assert!(stays_outside(&reply), "{path}: {}", reply.status);
    }
    for spelling in spellings("/v1/chat/completions") {
        let reply = caller.ask(Request::post(&spelling, chat("m").to_string()));
        assert!(stays_outside(&reply), "{spelling}: {}", reply.status);
    }
    assert_eq!(simulator.requests().len(), 0);
}

/// What is asked in a header of a proxy is not what is answered.
#[test]
fn a_public_route_answers_itself_alone() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let plain = gateway
        .anonymous()
        .get("/health/liveliness")
        .with_status(200);
    for name in [
        "x-original-url",
        "x-rewrite-url",
        "x-forwarded-uri",
        "x-http-method-override",
    ] {
        let request = Request::get("/health/liveliness").header(name, "/key/info");
        let reply = gateway.anonymous().ask(request).with_status(200);
        assert_eq!(reply.body, plain.body, "{name}");
    }
}
