//! Deployments at Azure that are called with a token in the place of a key.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::harness::{
    Config, Deployment, Gateway, SOON, Setup, Value, at_once, chat, chat_with, json, until,
};
use crate::simulator::Simulator;

const CLIENT_SECRET: &str = "client+secret&PLANTED=0001";
const CLIENT_SECRET_IN_A_FORM: &str = "client%2Bsecret%26PLANTED%3D0001";

/// Azure's token endpoint: answers one request a connection, and counts.
struct TokenEndpoint {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    last: Arc<Mutex<String>>,
}

impl TokenEndpoint {
    /// Token `n` is `eyJtoken-n-PLANTED`; with a `status` other than 200 there is none.
    fn start(status: u16, lifetime: u64, takes: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, last) = (
            Arc::<AtomicUsize>::default(),
            Arc::<Mutex<String>>::default(),
        );
        let (count, seen) = (asked.clone(), last.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut request = String::new();
                // The form is the end of the request, and the scope the end of the form.
                while !request.ends_with(".default") {
                    let mut piece = [0; 4096];
                    match stream.read(&mut piece) {
                        Ok(0) | Err(_) => break,
                        Ok(read) => request.push_str(&String::from_utf8_lossy(&piece[..read])),
                    }
                }
                let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                let body = match status {
                    200 => {
                        json!({"token_type": "Bearer", "expires_in": lifetime, "access_token": token(number)})
                    }
                    _ => json!({
                        "error": "invalid_client",
                        "error_description": format!("AADSTS7000215: Invalid client secret {CLIENT_SECRET}"),
                        "error_codes": [7_000_215],
                    }),
                };
                *seen.lock().unwrap() = request;
                std::thread::sleep(takes);
                let body = body.to_string();
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
            }
        });
        Self {
            address,
            asked,
            last,
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn gateway(&self, config: &Config) -> Gateway {
        let gateway = Setup::new(config)
            .env("AZURE_AUTHORITY_HOST", &format!("http://{}", self.address))
            .env("AZURE_CLIENT_SECRET", CLIENT_SECRET)
            .workers(1)
            .log("trace")
            .start();
        gateway.plant(CLIENT_SECRET);
        gateway.plant(CLIENT_SECRET_IN_A_FORM);
        (1..10).for_each(|number| gateway.plant(&token(number)));
        gateway
    }
}

fn token(number: usize) -> String {
    format!("eyJtoken-{number}-PLANTED")
}

fn keyless(simulator: &Simulator) -> Deployment {
    Deployment::at(simulator.base_url().trim_end_matches("/v1"), "azure")
        .param("model", "azure/m")
        .param("api_key", Value::Null)
}

/// Two deployments that share an application, whose secret is in the environment.
fn application(simulator: &Simulator) -> Config {
    let one = |id: &str| {
        keyless(simulator)
            .id(id)
            .param("tenant_id", "my-tenant")
            .param("client_id", "my-client")
            .param("azure_scope", "https://scope.example/.default")
    };
    Config::of([one("a"), one("b")]).router("num_retries", 0)
}

#[test]
fn a_token_takes_the_place_of_a_key() {
    let simulator = Simulator::start();
    let own = "a-static-token-PLANTED";
    simulator.expect_key(Some(own));
    let deployment = keyless(&simulator).param("azure_ad_token", "os.environ/MY_TOKEN");
    let config = Config::of([deployment]).router("num_retries", 0);
    let gateway = Setup::new(&config)
        .env("MY_TOKEN", own)
        .log("trace")
        .start();
    gateway.plant(own);
    gateway.master().chat(&chat("azure")).with_status(200);
    let request = simulator.take().pop().unwrap();
    assert_eq!(request.header("api-key"), None);
    let echo =
        json!({"simulate": {"status": 400, "body": {"error": {"message": format!("bad {own}")}}}});
    let reply = gateway.master().chat(&chat_with("azure", echo));
    assert!(!reply.text().contains(own), "{}", reply.text());
}

#[test]
fn client_credentials_get_one_token_for_all() {
    let simulator = Simulator::start();
    simulator.expect_key(Some(&token(1)));
    let endpoint = TokenEndpoint::start(200, 3600, Duration::from_millis(200));
    let gateway = endpoint.gateway(&application(&simulator));
    let replies = at_once(8, |_| gateway.master().chat(&chat("azure")));
    for reply in replies {
        reply.with_status(200);
    }
    gateway.master().chat(&chat("azure")).with_status(200);
    assert_eq!(endpoint.asked(), 1);
    let asked = endpoint.last.lock().unwrap().clone();
    let (head, form) = asked.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    assert!(
        head.starts_with("post /my-tenant/oauth2/v2.0/token http/1.1"),
        "{head}"
    );
    assert!(
        head.contains("content-type: application/x-www-form-urlencoded"),
        "{head}"
    );
    assert_eq!(
        form,
        "grant_type=client_credentials&client_id=my-client&client_secret=client%2Bsecret%26PLANTED%3D0001\
         &scope=https%3A%2F%2Fscope.example%2F.default"
    );
}

#[test]
fn tokens_are_renewed() {
    let simulator = Simulator::start();
    let endpoint = TokenEndpoint::start(200, 2, Duration::ZERO);
    let gateway = endpoint.gateway(&application(&simulator));
    until("a third token is used", SOON, || {
        gateway.master().chat(&chat("azure")).with_status(200);
        let used = simulator.take().pop().unwrap();
        used.header("authorization") == Some(&format!("Bearer {}", token(3)))
    });
}

#[test]
fn without_a_token_another_deployment_is_asked() {
    let simulator = Simulator::start();
    let endpoint = TokenEndpoint::start(401, 0, Duration::ZERO);
    let gateway = endpoint.gateway(&application(&simulator));
    let reply = gateway.master().chat(&chat("azure")).with_status(401);
    let error = reply.error();
    assert_eq!(error["type"], "authentication_error");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.starts_with("litellm.AuthenticationError"),
        "{message}"
    );
    assert!(
        message.contains("status 401, invalid_client, AADSTS7000215"),
        "{message}"
    );
    assert!(!reply.text().contains("PLANTED"), "{}", reply.text());
    assert!(simulator.take().is_empty());
    drop(gateway);

    let other = Deployment::of(&simulator, "azure")
        .id("other")
        .param("weight", 1);
    let broken = keyless(&simulator)
        .param("tenant_id", "my-tenant")
        .param("client_id", "my-client")
        .param("weight", 1_000_000);
    let config = Config::of([broken, other]).router("num_retries", 2);
    let gateway = endpoint.gateway(&config);
    gateway.master().chat(&chat("azure")).with_status(200);
}
