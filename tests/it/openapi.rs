//! What the server says about itself: the OpenAPI document, Swagger UI, the list of routes, and what is not there.

use std::collections::BTreeSet;

use crate::harness::{Client, Config, Gateway, Request, Setup, Value};
use crate::simulator::Simulator;
use pointsman::http::{Route, routes};

fn gateway(variables: &[(&str, &str)]) -> Gateway {
    let setup = Setup::new(&Config::of([]));
    variables
        .iter()
        .fold(setup, |setup, (name, value)| setup.env(name, value))
        .start()
}

fn document(client: &Client) -> Value {
    client.get("/openapi.json").with_status(200).json()
}

/// The path as a document writes it: parameters without actix-web's patterns.
fn written(route: &Route) -> String {
    route.path.replace(":.+}", "}").replace(":.*}", "}")
}

/// Every `$ref` in the document.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| match value {
            Value::String(target) if name == "$ref" => {
                found.insert(target.clone());
            }
            value => references(value, found),
        }),
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_route_is_described() {
    let gateway = gateway(&[]);
    let document = document(&gateway.anonymous());
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    for route in routes() {
        assert!(
            !route.about.summary.is_empty(),
            "{}: no summary",
            route.path
        );
        let path = written(route);
        let operation = &document["paths"][&path][route.method.as_str().to_lowercase()];
        if route.about.is_hidden {
            assert!(operation.is_null(), "{path} is hidden");
            continue;
        }
        let what = format!("{} {path}: {operation}", route.method);
        assert_eq!(operation["summary"], route.about.summary, "{what}");
        assert!(ids.insert(operation["operationId"].to_string()), "{what}");
        assert!(operation["responses"]["200"].is_object(), "{what}");
        let is_public = route.permission == pointsman::auth::Permission::Public;
        assert_eq!(operation["responses"]["401"].is_null(), is_public, "{what}");
        assert_eq!(
            operation["security"].as_array().unwrap().is_empty(),
            is_public,
            "{what}"
        );
        let reads_body = ["POST", "PATCH"].contains(&route.method.as_str())
            && route.path != "/config/reload"
            && !route.path.ends_with("/cancel");
        assert_eq!(operation["requestBody"].is_object(), reads_body, "{what}");
        for name in path
            .split('{')
            .skip(1)
            .map(|part| part.split('}').next().unwrap())
        {
            let parameters = operation["parameters"].as_array().expect("parameters");
            let parameter = parameters
                .iter()
                .find(|parameter| parameter["name"] == name);
            assert_eq!(parameter.expect("the parameter")["in"], "path", "{what}");
        }
    }
    let chat = &document["paths"]["/v1/chat/completions"]["post"]["responses"]["200"];
    let event = &chat["content"]["text/event-stream"]["schema"]["properties"]["data"];
    let chunk = "#/components/schemas/ChatCompletionChunk";
    assert_eq!(event["contentSchema"]["$ref"], chunk);
    let needs = |name: &str| document["components"]["schemas"][name]["required"].to_string();
    assert_eq!(needs("ChatCompletionRequest"), r#"["model","messages"]"#);
    assert_eq!(needs("ChatCompletionRequestByPath"), r#"["messages"]"#);
    let mut targets = BTreeSet::new();
    references(&document, &mut targets);
    for target in targets {
        let found = document.pointer(target.trim_start_matches('#'));
        assert!(
            found.is_some_and(Value::is_object),
            "{target} leads nowhere"
        );
    }
}

#[test]
fn every_route_is_listed() {
    let gateway = gateway(&[]);
    let listed = gateway.anonymous().get("/routes").with_status(200).json();
    let listed: Vec<_> = listed["routes"].as_array().unwrap().iter().collect();
    assert_eq!(listed.len(), routes().count());
    for route in routes() {
        let is_it = |row: &&&Value| {
            row["path"] == written(route).as_str() && row["methods"][0] == route.method.as_str()
        };
        let row = listed
            .iter()
            .find(is_it)
            .unwrap_or_else(|| panic!("{}", route.path));
        assert!(
            row["name"].is_string() && row["endpoint"].is_string(),
            "{row}"
        );
    }
}

/// Everything that the page loads is there, with the type that browsers insist on, and nothing is loaded from elsewhere.
#[test]
fn swagger_ui_needs_nothing_from_elsewhere() {
    let gateway = gateway(&[]);
    let browser = gateway.anonymous();
    let page = browser.get("/").with_status(200);
    assert!(page.must("content-type").starts_with("text/html"));
    assert!(
        page.must("content-security-policy")
            .starts_with("default-src 'self'")
    );
    let page = page.text().to_owned();
    let links: Vec<_> = page
        .split(['"'])
        .filter(|part| part.starts_with('/') || part.contains("://"))
        .collect();
    assert!(links.len() >= 4, "{page}");
    for link in links {
        let kind = match link.rsplit('.').next() {
            Some("css") => "text/css",
            Some("js") => "text/javascript",
            _ => "image/png",
        };
        let asset = browser.get(link).with_status(200);
        assert!(asset.must("content-type").starts_with(kind), "{link}");
    }
    let start = browser.get("/swagger/start.js");
    assert!(start.text().contains("url: \"/openapi.json\""));
    browser.get("/swagger/no-such-file.js").with_status(404);
    browser
        .get("/swagger/..%2f..%2fetc%2fpasswd")
        .with_status(404);
}

#[test]
fn variables_say_where_the_page_is() {
    let hidden = gateway(&[("NO_DOCS", "True")]);
    hidden.anonymous().get("/").with_status(404);
    hidden
        .anonymous()
        .get("/swagger/swagger-ui.css")
        .with_status(404);
    hidden.anonymous().get("/openapi.json").with_status(200);

    let closed = gateway(&[("NO_OPENAPI", "True")]);
    closed.anonymous().get("/").with_status(404);
    closed.anonymous().get("/openapi.json").with_status(404);

    let moved = gateway(&[("DOCS_URL", "/docs"), ("ROOT_REDIRECT_URL", "/docs")]);
    let there = moved.anonymous().get("/docs").with_status(200);
    assert!(there.must("content-type").starts_with("text/html"));
    let home = moved.anonymous().get("/").with_status(307);
    assert_eq!(home.must("location"), "/docs");
}

#[test]
fn what_is_not_there_is_said_as_litellm_says_it() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let client = gateway.anonymous();
    let missing = client.get("/no/such/path").with_status(404).json();
    assert_eq!(missing.to_string(), r#"{"detail":"Not Found"}"#);
    let wrong = client
        .ask(Request::new("DELETE", "/v1/models"))
        .with_status(405)
        .json();
    assert_eq!(wrong.to_string(), r#"{"detail":"Method Not Allowed"}"#);
    let slash = client.get("/key/info/?key=k").with_status(307);
    assert_eq!(slash.must("location"), "/key/info?key=k");
}
