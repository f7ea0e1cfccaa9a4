//! A running gateway: whether it is there, what a key may call, and whatever else it is asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::Method;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::config::{NetworkSettings, TlsChoice, Trust};
use crate::policy::proxies::Proxies;
use crate::policy::upstream_error::ConnectProblem;
use crate::types::{Pieces, Secret};
use crate::upstream::{CallError, Client};

const PATIENCE: Duration = Duration::from_secs(10);
/// Largest list that is read.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Names of this machine.
pub const HERE: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A model that the key may call.
#[derive(Debug, Deserialize)]
pub struct Model {
    pub id: String,
    /// Tokens.
    #[serde(default)]
    pub max_input_tokens: Option<u64>,
    /// Tokens.
    #[serde(default)]
    pub max_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct List {
    data: Vec<Model>,
}

/// The gateway cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    #[error("{0}: expected the gateway's address, such as http://localhost:4000")]
    Address(String),
    #[error(
        "no gateway answers at {url} ({why}): start one with `pointsman`, or name another by --url or POINTSMAN_URL"
    )]
    Absent { url: String, why: String },
    #[error("the gateway at {url} wants a key: give one by --key or POINTSMAN_KEY")]
    NoKey { url: String },
    #[error("the gateway at {url} refuses this key ({status}): {message}")]
    Refused {
        url: String,
        status: u16,
        message: String,
    },
    #[error("the gateway does not do this ({status}): {message}")]
    Misunderstood { status: u16, message: String },
    #[error("what answers at {url} is no gateway of this kind: its list of models cannot be read")]
    Stranger { url: String },
    #[error("{0}")]
    Proxy(String),
}

/// The address without slashes at its end, and without the `/v1` that SDKs are given.
pub fn base(url: &str) -> &str {
    let url = url.trim_end_matches('/');
    url.strip_suffix("/v1").unwrap_or(url)
}

/// Whether the address is of this machine, which no proxy leads to.
pub fn is_here(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let is_end = |rest: &str| rest.is_empty() || rest.starts_with([':', '/']);
    let is_name = |name: &str| host.strip_prefix(name).is_some_and(is_end);
    HERE.into_iter()
        .any(|name| is_name(name) || is_name(&format!("[{name}]")))
}

/// What a gateway is asked.
pub struct Ask<'a> {
    pub method: Method,
    /// With its query, from `/`.
    pub path: &'a str,
    /// JSON, or nothing.
    pub body: Vec<u8>,
}

/// Where a gateway is, and who asks.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub url: &'a str,
    pub key: Option<&'a Secret>,
}

/// What the key may call.
pub fn models(
    place: Place<'_>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Model>, GatewayError> {
    let list = Ask {
        method: Method::GET,
        path: "/v1/models?limit=1000",
        body: Vec::new(),
    };
    let body = ask(place, list, env)?;
    serde_json::from_slice(&body)
        .map(|list: List| list.data)
        .map_err(|_| GatewayError::Stranger {
            url: base(place.url).to_owned(),
        })
}

/// Asks a gateway; its answer, when it is one. `env` reads a variable.
pub fn ask(
    place: Place<'_>,
    asked: Ask<'_>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Bytes, GatewayError> {
    let proxies = if is_here(place.url) {
        Proxies::default()
    } else {
        Proxies::of(env).map_err(|error| GatewayError::Proxy(error.to_string()))?
    };
    let ca = env("SSL_CERT_FILE").filter(|file| !file.is_empty());
    let trust = ca.map_or_else(Trust::default, |file| Trust::File(file.into()));
    let network = NetworkSettings {
        proxies,
        tls: TlsChoice {
            trust,
            ..TlsChoice::default()
        },
        ..NetworkSettings::default()
    };
    actix_rt::System::new().block_on(call(place, asked, network))
}

async fn call(
    place: Place<'_>,
    asked: Ask<'_>,
    network: NetworkSettings,
) -> Result<Bytes, GatewayError> {
    let Place { url, key } = place;
    let base = base(url);
    let url = || base.to_owned();
    let absent = |why: &str| GatewayError::Absent {
        url: url(),
        why: why.to_owned(),
    };
    let mut headers = vec![
        ("anthropic-version".to_owned(), Secret::new("2023-06-01")),
        ("content-type".to_owned(), Secret::new("application/json")),
    ];
    headers.extend(key.map(|key| ("x-litellm-api-key".to_owned(), key.clone())));
    let began = Instant::now();
    let client = Client::new(Arc::new(network));
    let address = format!("{base}{}", asked.path);
    let endpoint = client
        .endpoint_for(asked.method, &address, &headers, None)
        .map_err(|error| GatewayError::Address(error.to_string()))?;
    let body = Pieces::from(Bytes::from(asked.body));
    let called = client.call(&endpoint, &body, &[], PATIENCE).await;
    let mut answer = called.map_err(|error| absent(why(&error)))?;
    let left = PATIENCE.saturating_sub(began.elapsed());
    let body = answer.body(left, MOST_BYTES).await;
    let body = body.map_err(|_| absent("its answer broke off"))?;
    match answer.status().as_u16() {
        200 => Ok(body),
        401 if key.is_none() => Err(GatewayError::NoKey { url: url() }),
        status @ (401 | 403) => Err(GatewayError::Refused {
            url: url(),
            status,
            message: message(&body),
        }),
        status => Err(match (status, told(&body)) {
            (404, Told::Nothing | Told::Detail(_)) => GatewayError::Stranger { url: url() },
            (_, Told::Error(message) | Told::Detail(message)) => {
                GatewayError::Misunderstood { status, message }
            }
            (_, Told::Nothing) => absent(&format!("status {status}")),
        }),
    }
}

fn why(error: &CallError) -> &'static str {
    match error {
        CallError::Connect(ConnectProblem::Dns) => "its name is not known",
        CallError::Connect(ConnectProblem::Refused) => "nobody listens there",
        CallError::Connect(ConnectProblem::Tls) => "TLS with it failed",
        CallError::Connect(ConnectProblem::Proxy) => "the proxy in between refused",
        CallError::Connect(ConnectProblem::Other) => "no connection came about",
        CallError::ConnectTimeout | CallError::HeadTimeout => "it does not answer in time",
        CallError::Cut => "it ended the connection",
    }
}

/// What an answer says that is none, shortened.
#[derive(Debug, PartialEq)]
enum Told {
    /// An error in a gateway's form.
    Error(String),
    /// A web framework's.
    Detail(String),
    /// No words of a gateway: something in between answers, or a stranger.
    Nothing,
}

fn told(body: &[u8]) -> Told {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let short = |text: &str| text.chars().take(600).collect();
    match (body["error"]["message"].as_str(), &body["detail"]) {
        // No route: told in Anthropic's form where its clients ask.
        (Some("Not Found"), _) => Told::Detail("Not Found".to_owned()),
        (Some(text), _) => Told::Error(short(text)),
        (None, Value::Null) => Told::Nothing,
        (None, detail) => Told::Detail(short(&detail.to_string())),
    }
}

fn message(body: &[u8]) -> String {
    match told(body) {
        Told::Error(message) | Told::Detail(message) => message,
        Told::Nothing => "it does not say why".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_may_be_an_sdks() {
        for url in [
            "http://h:1",
            "http://h:1/",
            "http://h:1/v1",
            "http://h:1/v1/",
        ] {
            assert_eq!(base(url), "http://h:1");
        }
        assert_eq!(base("https://h/llm/v1"), "https://h/llm");
    }

    #[test]
    fn what_an_answer_says() {
        assert_eq!(
            told(br#"{"error": {"message": "paused"}}"#),
            Told::Error("paused".into())
        );
        assert_eq!(
            told(br#"{"detail": {"error": "no"}}"#),
            Told::Detail(r#"{"error":"no"}"#.into())
        );
        for nothing in [&b"<html>"[..], b"", b"[]", b"{}"] {
            assert_eq!(told(nothing), Told::Nothing);
        }
    }

    #[test]
    fn what_is_here() {
        for url in [
            "http://localhost:4000",
            "http://127.0.0.1/v1",
            "https://[::1]:4000",
            "http://localhost",
        ] {
            assert!(is_here(url), "{url}");
        }
        for url in [
            "http://localhost.example.com",
            "https://gateway:4000",
            "http://127.0.0.10",
            "x",
        ] {
            assert!(!is_here(url), "{url}");
        }
    }
}
