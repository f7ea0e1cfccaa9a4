//! Pages in a browser: which may call, and what they are told.

use crate::harness::{Config, Gateway, Request, Setup, chat, json};
use crate::simulator::Simulator;

const PAGE: &str = "https://page.example";

fn preflight(path: &str, origin: &str) -> Request {
    Request::new("OPTIONS", path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization, x-litellm-tags",
        )
}

fn from_page(origin: &str) -> Request {
    Request::post("/v1/chat/completions", chat("m").to_string()).header("origin", origin)
}

#[test]
fn every_page_may_call() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    for path in ["/v1/chat/completions", "/key/generate", "/nowhere"] {
        let reply = gateway
            .anonymous()
            .ask(preflight(path, PAGE))
            .with_status(200);
        assert_eq!(reply.must("access-control-allow-origin"), "*");
        assert_eq!(
            reply.must("access-control-allow-headers"),
            "authorization, x-litellm-tags"
        );
        assert!(reply.must("access-control-allow-methods").contains("POST"));
    }
    let reply = gateway.master().ask(from_page(PAGE)).with_status(200);
    assert_eq!(reply.must("access-control-allow-origin"), "*");
    assert_eq!(reply.header("access-control-allow-credentials"), None);
    assert!(
        reply
            .must("access-control-expose-headers")
            .contains("x-litellm-cache-key")
    );
    // An error must be seen, too; who is no page is told nothing.
    let reply = gateway.anonymous().ask(from_page(PAGE)).with_status(401);
    assert_eq!(reply.must("access-control-allow-origin"), "*");
    let reply = gateway.master().chat(&chat("m")).with_status(200);
    assert_eq!(reply.header("access-control-allow-origin"), None);
    // A plain OPTIONS is no question of a browser.
    let plain = Request::new("OPTIONS", "/v1/chat/completions");
    gateway.anonymous().ask(plain).with_status(405);
}

#[test]
fn some_pages_may_call() {
    let simulator = Simulator::start();
    let gateway = Setup::new(&Config::single(&simulator, "m"))
        .env(
            "LITELLM_CORS_ORIGINS",
            "https://other.example, https://page.example/",
        )
        .start();
    let reply = gateway.master().ask(from_page(PAGE)).with_status(200);
    assert_eq!(reply.must("access-control-allow-origin"), PAGE);
    assert_eq!(reply.must("access-control-allow-credentials"), "true");
    assert_eq!(reply.must("vary"), "Origin");
    let stranger = "https://page.example.evil.test";
    let reply = gateway.master().ask(from_page(stranger)).with_status(200);
    assert_eq!(reply.header("access-control-allow-origin"), None);
    gateway
        .anonymous()
        .ask(preflight("/v1/chat/completions", stranger))
        .with_status(400);
    let reply = gateway
        .caller(json!({}))
        .ask(preflight("/v1/chat/completions", PAGE))
        .with_status(200);
    assert_eq!(reply.must("access-control-allow-origin"), PAGE);
}
