//! `SERVER_ROOT_PATH`: everything is served below a path, for proxies that leave it on, and without it, for probes.

use crate::harness::{Config, Request, Setup, chat, json, streamed};
use crate::simulator::Simulator;
use pointsman::http::routes;

#[test]
fn every_route_is_below_the_path() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m")
        .general("enable_drain_endpoint", true)
        .general("drain_endpoint_token", "t");
    let setup = Setup::new(&config);
    let gateway = setup.env("SERVER_ROOT_PATH", "/some/llm/").start();
    assert!(gateway.log().contains("/some/llm"), "{}", gateway.log());
    let master = gateway.master();
    for prefix in ["/some/llm", ""] {
        let path = format!("{prefix}/v1/chat/completions");
        master.post(&path, &chat("m")).with_status(200);
        let stream = master
            .post(&path, &streamed("m", json!({})))
            .with_status(200);
        assert!(stream.is_done(), "{prefix}");
        gateway
            .anonymous()
            .get(&format!("{prefix}/health/liveliness"))
            .with_status(200);
    }
    // Known means: refused for want of a key or served, but not unknown.
    for route in routes().filter(|route| !route.path.contains('{')) {
        let path = format!("/some/llm{}", route.path);
        let request = Request::new(route.method.as_str(), &path);
        let reply = gateway.anonymous().ask(request);
        assert!(
            reply.status != 404 && reply.status != 405,
            "{} {path}: {}",
            route.method,
            reply.status
        );
    }
    for path in ["/some/llm/nothing", "/some", "/some/v1/models", "/nothing"] {
        assert_eq!(
            master.get(path).with_status(404).json(),
            json!({"detail": "Not Found"})
        );
    }
    master.get("/some/llm/v1/chat/completions").with_status(405);
}

#[test]
fn a_path_that_is_none_is_refused() {
    let simulator = Simulator::start();
    let setup = Setup::new(&Config::single(&simulator, "m")).env("SERVER_ROOT_PATH", "/{tenant}");
    let (status, said) = setup.refuse();
    assert!(
        !status.success() && said.contains("SERVER_ROOT_PATH"),
        "{said}"
    );
}
