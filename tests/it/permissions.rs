//! Every route as every role, and as nobody. The expected matrix stands here, not in the code it checks: a route that is added
//! without a row fails.

use crate::harness::{Client, Config, Gateway, MASTER_KEY, Request, chat, json};
use crate::simulator::Simulator;
use pointsman::http::{Route, Surface, routes};

/// Who asks, in the order of the matrix's columns.
const CALLERS: [&str; 12] = [
    "master",
    "admin",
    "admin viewer",
    "internal user",
    "internal viewer",
    "user without role",
    "key without user",
    "blocked key",
    "expired key",
    "key of a blocked team",
    "unknown key",
    "nobody",
];

/// Y: let in (whatever the answer is then); 1: 401; 3: 403.
const MATRIX: &[(&str, &str, &str)] = &[
    //                                    m a v i j r k b e t u n
    ("POST", "/router/explain", "Y Y 3 Y Y Y Y 1 1 1 1 1"),
    ("GET", "/router/chaos", "Y Y Y 1 1 1 1 1 1 1 1 1"),
    (
        "GET",
        "/auto_router/classifier/default_prompt",
        "Y Y Y 1 1 1 1 1 1 1 1 1",
    ),
    (
        "POST",
        "/auto_router/classifier/default_prompt",
        "Y Y Y 1 1 1 1 1 1 1 1 1",
    ),
    ("POST", "/router/chaos", "Y Y 3 1 1 1 1 1 1 1 1 1"),
    ("DELETE", "/router/chaos", "Y Y 3 1 1 1 1 1 1 1 1 1"),
    ("POST", "/v1/chat/completions", "Y Y 3 Y Y Y Y 1 1 1 1 1"),
    ("POST", "/chat/completions", "Y Y 3 Y Y Y Y 1 1 1 1 1"),
    (
        "POST",
        "/engines/{model:.+}/chat/completions",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    (
        "POST",
        "/openai/deployments/{model:.+}/chat/completions",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    ("POST", "/v1/completions", "Y Y 3 Y Y Y Y 1 1 1 1 1"),
    ("POST", "/completions", "Y Y 3 Y Y Y Y 1 1 1 1 1"),
    (
        "POST",
        "/engines/{model:.+}/completions",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    (
        "POST",
        "/openai/deployments/{model:.+}/completions",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    ("POST", "/v1/embeddings", "Y Y 3 Y Y Y Y 1 1 1 1 1"),
    ("POST", "/embeddings", "Y Y 3 Y Y Y Y 1 1 1 1 1"),
    (
        "POST",
        "/engines/{model:.+}/embeddings",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    (
        "POST",
        "/openai/deployments/{model:.+}/embeddings",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    ("POST", "/v1/messages", "Y Y 3 Y Y Y Y 1 1 1 1 1"),
    (
        "POST",
        "/v1/messages/count_tokens",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    ("POST", "/anthropic/v1/messages", "Y Y 3 Y Y Y Y 1 1 1 1 1"),
    (
        "POST",
        "/anthropic/v1/messages/count_tokens",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    (
        "POST",
        "/claude_code_gateway/v1/messages",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    (
        "POST",
        "/claude_code_gateway/v1/messages/count_tokens",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    ("GET", "/v1/responses", "Y Y 3 Y Y Y Y 1 1 1 1 1"),
    ("GET", "/responses", "Y Y 3 Y Y Y Y 1 1 1 1 1"),
    ("GET", "/openai/v1/responses", "Y Y 3 Y Y Y Y 1 1 1 1 1"),
    ("POST", "/v1/responses/compact", "Y Y 3 Y Y Y Y 1 1 1 1 1"),
    ("POST", "/responses/compact", "Y Y 3 Y Y Y Y 1 1 1 1 1"),
    (
        "POST",
        "/openai/v1/responses/compact",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    ("POST", "/v1/responses", "Y Y 3 Y Y Y Y 1 1 1 1 1"),
    ("POST", "/responses", "Y Y 3 Y Y Y Y 1 1 1 1 1"),
    ("POST", "/openai/v1/responses", "Y Y 3 Y Y Y Y 1 1 1 1 1"),
    (
        "GET",
        "/v1/responses/{response_id}",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    ("GET", "/responses/{response_id}", "Y Y 3 Y Y Y Y 1 1 1 1 1"),
    (
        "GET",
        "/openai/v1/responses/{response_id}",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    (
        "DELETE",
        "/v1/responses/{response_id}",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    (
        "DELETE",
        "/responses/{response_id}",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    (
        "DELETE",
        "/openai/v1/responses/{response_id}",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    (
        "POST",
        "/v1/responses/{response_id}/cancel",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    (
        "POST",
        "/responses/{response_id}/cancel",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    (
        "POST",
        "/openai/v1/responses/{response_id}/cancel",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    (
        "GET",
        "/v1/responses/{response_id}/input_items",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    (
        "GET",
        "/responses/{response_id}/input_items",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    (
        "GET",
        "/openai/v1/responses/{response_id}/input_items",
        "Y Y 3 Y Y Y Y 1 1 1 1 1",
    ),
    ("GET", "/v1/models", "Y Y Y Y Y Y Y 1 1 1 1 1"),
    ("GET", "/models", "Y Y Y Y Y Y Y 1 1 1 1 1"),
    ("GET", "/v1/models/{model:.+}", "Y Y Y Y Y Y Y 1 1 1 1 1"),
    ("GET", "/models/{model:.+}", "Y Y Y Y Y Y Y 1 1 1 1 1"),
    ("GET", "/anthropic/v1/models", "Y Y Y Y Y Y Y 1 1 1 1 1"),
    (
        "GET",
        "/anthropic/v1/models/{model:.+}",
        "Y Y Y Y Y Y Y 1 1 1 1 1",
    ),
    (
        "POST",
        "/api/event_logging/batch",
        "Y Y Y Y Y Y Y Y Y Y Y Y",
    ),
    (
        "POST",
        "/api/event_logging/v2/batch",
        "Y Y Y Y Y Y Y Y Y Y Y Y",
    ),
    ("GET", "/api/hello", "Y Y Y Y Y Y Y Y Y Y Y Y"),
    ("HEAD", "/api/hello", "Y Y Y Y Y Y Y Y Y Y Y Y"),
    ("HEAD", "/", "Y Y Y Y Y Y Y Y Y Y Y Y"),
    ("GET", "/v1/model/info", "Y Y Y Y Y Y Y 1 1 1 1 1"),
    ("GET", "/model/info", "Y Y Y Y Y Y Y 1 1 1 1 1"),
    ("GET", "/model_group/info", "Y Y Y Y Y Y Y 1 1 1 1 1"),
    ("POST", "/model/new", "Y Y 3 3 1 3 1 1 1 1 1 1"),
    ("POST", "/model/update", "Y Y 3 3 1 3 1 1 1 1 1 1"),
    (
        "PATCH",
        "/model/{model_id:.+}/update",
        "Y Y 3 3 1 3 1 1 1 1 1 1",
    ),
    ("POST", "/model/delete", "Y Y 3 3 1 3 1 1 1 1 1 1"),
    ("POST", "/model/block", "Y Y 3 1 1 1 1 1 1 1 1 1"),
    ("POST", "/model/unblock", "Y Y 3 1 1 1 1 1 1 1 1 1"),
    ("GET", "/key/info", "Y Y Y Y Y Y Y 1 1 1 1 1"),
    ("POST", "/v2/key/info", "Y Y Y Y Y Y Y 1 1 1 1 1"),
    ("GET", "/key/list", "Y Y Y Y Y Y 3 1 1 1 1 1"),
    ("GET", "/key/aliases", "Y Y Y Y 1 Y 1 1 1 1 1 1"),
    ("POST", "/config/reload", "Y Y 3 1 1 1 1 1 1 1 1 1"),
    ("POST", "/key/generate", "Y Y 3 Y 1 Y 1 1 1 1 1 1"),
    ("POST", "/key/update", "Y Y 3 Y 1 Y 1 1 1 1 1 1"),
    ("POST", "/key/delete", "Y Y 3 Y 1 Y 1 1 1 1 1 1"),
    ("POST", "/key/block", "Y Y 3 Y 1 Y 1 1 1 1 1 1"),
    ("POST", "/key/unblock", "Y Y 3 Y 1 Y 1 1 1 1 1 1"),
    ("POST", "/key/regenerate", "Y Y 3 Y 1 Y 1 1 1 1 1 1"),
    (
        "POST",
        "/key/{key:.+}/regenerate",
        "Y Y 3 Y 1 Y 1 1 1 1 1 1",
    ),
    (
        "POST",
        "/key/{key:.+}/reset_spend",
        "Y Y 3 Y 1 Y 1 1 1 1 1 1",
    ),
    ("GET", "/spend/logs", "Y Y Y Y Y Y 1 1 1 1 1 1"),
    ("GET", "/spend/logs/v2", "Y Y Y Y Y Y 1 1 1 1 1 1"),
    ("GET", "/spend/logs/ui", "Y Y Y Y Y Y 1 1 1 1 1 1"),
    ("POST", "/spend/calculate", "Y Y Y Y Y Y 1 1 1 1 1 1"),
    ("POST", "/cost/estimate", "Y Y Y Y Y Y 1 1 1 1 1 1"),
    ("POST", "/utils/token_counter", "Y Y Y Y Y Y Y 1 1 1 1 1"),
    ("GET", "/metrics", "Y Y Y Y Y Y Y 1 1 1 1 1"),
    ("GET", "/metrics/", "Y Y Y Y Y Y Y 1 1 1 1 1"),
    ("GET", "/openapi.json", "Y Y Y Y Y Y Y Y Y Y Y Y"),
    ("GET", "/routes", "Y Y Y Y Y Y Y Y Y Y Y Y"),
    ("GET", "/", "Y Y Y Y Y Y Y Y Y Y Y Y"),
    ("GET", "/swagger/{file}", "Y Y Y Y Y Y Y Y Y Y Y Y"),
    ("GET", "/health/liveliness", "Y Y Y Y Y Y Y Y Y Y Y Y"),
    ("GET", "/health/liveness", "Y Y Y Y Y Y Y Y Y Y Y Y"),
    ("GET", "/health/readiness", "Y Y Y Y Y Y Y Y Y Y Y Y"),
    ("OPTIONS", "/health/liveliness", "Y Y Y Y Y Y Y Y Y Y Y Y"),
    ("OPTIONS", "/health/liveness", "Y Y Y Y Y Y Y Y Y Y Y Y"),
    ("OPTIONS", "/health/readiness", "Y Y Y Y Y Y Y Y Y Y Y Y"),
    (
        "GET",
        "/health/readiness/details",
        "Y Y Y 1 1 1 1 1 1 1 1 1",
    ),
    ("GET", "/health", "Y Y Y Y Y Y Y 1 1 1 1 1"),
    ("GET", "/health/backlog", "Y Y Y 1 1 1 1 1 1 1 1 1"),
    ("GET", "/health/latest", "Y Y Y 1 1 1 1 1 1 1 1 1"),
    ("GET", "/health/history", "Y Y Y 1 1 1 1 1 1 1 1 1"),
    ("GET", "/health/shared-status", "Y Y Y 1 1 1 1 1 1 1 1 1"),
    ("GET", "/health/drain", "Y Y Y Y Y Y Y Y Y Y Y Y"),
    ("GET", "/health/services", "Y Y Y Y Y Y Y 1 1 1 1 1"),
    ("GET", "/health/license", "Y Y Y 1 1 1 1 1 1 1 1 1"),
    ("POST", "/health/test_connection", "Y Y 3 1 1 1 1 1 1 1 1 1"),
    ("GET", "/test", "Y Y Y Y Y Y Y Y Y Y Y Y"),
    (
        "GET",
        "/utils/supported_openai_params",
        "Y Y Y 1 1 1 1 1 1 1 1 1",
    ),
];

/// One caller of each kind, in the matrix's order.
fn callers(gateway: &Gateway) -> Vec<Client> {
    for (user, role) in [
        ("admin", Some("proxy_admin")),
        ("admin-viewer", Some("proxy_admin_viewer")),
        ("internal", Some("internal_user")),
        ("internal-viewer", Some("internal_user_viewer")),
        ("no-role", None),
    ] {
        gateway.user(user, |row| row.user_role = role.map(str::to_owned));
    }
    gateway.team("blocked", |team| team.row.blocked = true);
    let unknown = "sk-0123456789abcdefghijkl";
    gateway.plant(unknown);
    let keys = [
        json!({"user_id": "admin"}),
        json!({"user_id": "admin-viewer"}),
        json!({"user_id": "internal"}),
        json!({"user_id": "internal-viewer"}),
        json!({"user_id": "no-role"}),
        json!({}),
        json!({"blocked": true, "user_id": "admin"}),
        json!({"duration": "1s", "user_id": "admin"}),
        json!({"team_id": "blocked"}),
    ];
    let mut callers = vec![gateway.client(MASTER_KEY)];
    callers.extend(keys.map(|fields| gateway.caller(fields)));
    callers.push(gateway.client(unknown));
    callers.push(gateway.anonymous());
    assert_eq!(callers.len(), CALLERS.len());
    // The expired one expires a second after it was made.
    crate::harness::until("the key expires", crate::harness::SOON, || {
        callers[8].get("/v1/models").status == 401
    });
    callers
}

fn request(route: &Route) -> Request {
    let path = &route.path.replace("{model:.+}", "m");
    match path.as_str() {
        "/v1/chat/completions" | "/chat/completions" => Request::post(path, chat("m").to_string()),
        _ if route.method == "POST" => Request::post(&path.replace("{key:.+}", "none"), "{}"),
        _ if route.method == "PATCH" => Request {
            method: "PATCH".into(),
            ..Request::post(&path.replace("{model_id:.+}", "none"), "{}")
        },
        _ => Request::new(route.method.as_str(), path),
    }
}

#[test]
fn every_route_as_every_caller() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let callers = callers(&gateway);
    let mut wrong = Vec::new();
    for route in routes() {
        let row = MATRIX
            .iter()
            .find(|(method, path, _)| *method == route.method.as_str() && *path == route.path);
        let Some((_, _, row)) = row else {
            panic!(
                "{} {} has no row in the matrix: who may call it?",
                route.method, route.path
            )
        };
        for ((expected, name), caller) in row.split(' ').zip(CALLERS).zip(&callers) {
            let reply = caller.ask(request(route));
            let is_right = match expected {
                "Y" => ![401, 403].contains(&reply.status) && reply.status < 500,
                "1" => reply.status == 401,
                _ => reply.status == 403,
            };
            if !is_right {
                wrong.push(format!(
                    "{} {} as {name}: {}, expected {expected}",
                    route.method, route.path, reply.status
                ));
            }
            if ["1", "3"].contains(&expected) {
                let body = reply.json();
                let error = &body["error"];
                assert!(error["type"].is_string(), "{body}");
                match route.surface {
                    Surface::Anthropic => assert_eq!(body["type"], "error", "{body}"),
                    _ => assert!(error["param"].is_string(), "{body}"),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let unlisted = MATRIX.iter().filter(|(method, path, _)| {
        !routes().any(|route| route.path == *path && route.method.as_str() == *method)
    });
    assert_eq!(
        unlisted.count(),
        0,
        "the matrix names a route that there is not"
    );
}

#[test]
fn refusals_say_why() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let callers = callers(&gateway);
    let [viewer, keyless, blocked, expired, of_team] = [2, 6, 7, 8, 9].map(|index| &callers[index]);
    let generate = |caller: &Client| caller.post("/key/generate", &json!({}));
    let refused = generate(viewer).with_status(403).error();
    assert_eq!(refused["type"], "auth_error");
    let text = "user not allowed to access this route, role= proxy_admin_viewer. Trying to access: /key/generate";
    assert_eq!(refused["message"], text);
    let message = generate(keyless).with_status(401).message();
    let text = "Authentication Error, Only proxy admin can be used to generate, delete, update info for new keys/users/teams. \
                Route=/key/generate. Your role=unknown";
    assert!(message.starts_with(text), "{message}");
    for (caller, kind, text) in [
        (
            blocked,
            "auth_error",
            "Authentication Error, Key is blocked. Update via `/key/unblock` if you're an admin.",
        ),
        (
            expired,
            "expired_key",
            "Authentication Error - Expired Key. Key Expiry time ",
        ),
        (of_team, "auth_error", "Team=blocked is blocked."),
    ] {
        let error = caller.chat(&chat("m")).with_status(401).error();
        assert_eq!(error["type"], kind);
        assert!(error["message"].as_str().unwrap().contains(text), "{error}");
    }
}

/// A blocked or expired key of an administrator administers nothing; nobody reads another's key.
#[test]
fn keys_are_seen_by_their_owners() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    for user in ["alice", "bob"] {
        gateway.user(user, |row| row.user_role = Some("internal_user".into()));
    }
    let alice = gateway.key(json!({"user_id": "alice", "key_alias": "a"}));
    let alices_other = gateway.key(json!({"user_id": "alice"}));
    let bob = gateway.key(json!({"user_id": "bob"}));
    let loner = gateway.key(json!({}));
    let sees = |who: &str, what: &str| {
        gateway
            .client(who)
            .get(&format!("/key/info?key={what}"))
            .status
    };
    assert_eq!(sees(&alice.secret, &alice.hash), 200);
    assert_eq!(sees(&alice.secret, &alices_other.hash), 200);
    assert_eq!(sees(&bob.secret, &alice.hash), 403);
    assert_eq!(sees(&loner.secret, &alice.hash), 403);
    assert_eq!(sees(&loner.secret, &loner.hash), 200);
    assert_eq!(sees(MASTER_KEY, &"0".repeat(64)), 404);
    let own = gateway
        .client(&alice.secret)
        .get("/key/info")
        .with_status(200)
        .json();
    assert_eq!(
        (&own["key"], &own["info"]["key_alias"]),
        (&json!(alice.hash), &json!("a"))
    );
    let by_text = gateway
        .master()
        .get(&format!("/key/info?key={}", alice.secret))
        .with_status(200)
        .json();
    assert_eq!(by_text["info"]["user_id"], "alice");
}
