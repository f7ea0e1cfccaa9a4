//! Providers behind real networks: certificates, HTTP/2 with limits, proxies, connections that die.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::fronts::authority::AUTHORITY;
use crate::fronts::{Proxy, Terms, TlsFront};
use crate::harness::{
    Config, Connection, Deployment, Gateway, Request, Setup, chat, chat_with, json, streamed,
};
use crate::simulator::Simulator;

/// A group `m` behind a front.
fn behind(front: &TlsFront) -> Config {
    Config::of([Deployment::at(&front.base_url(), "m")])
        .router("num_retries", 0)
        .litellm("ssl_verify", AUTHORITY.file("ca.pem"))
}

fn http2() -> Terms {
    Terms {
        http2: true,
        ..Terms::default()
    }
}

fn count(counter: &std::sync::atomic::AtomicUsize) -> usize {
    counter.load(Ordering::Relaxed)
}

// --- certificates ---

#[test]
fn an_authority_of_ones_own() {
    let simulator = Simulator::start();
    let front = TlsFront::start(simulator.address(), Terms::default());
    let strangers = Config::of([Deployment::at(&front.base_url(), "m")]).router("num_retries", 0);
    let gateway = Gateway::of(&strangers);
    let reply = gateway.master().chat(&chat("m")).with_status(500);
    assert!(reply.message().contains("TLS"), "{}", reply.message());
    assert!(simulator.take().is_empty());
    drop(gateway);
    let gateway = Gateway::of(&behind(&front));
    gateway.master().chat(&chat("m")).with_status(200);
    drop(gateway);
    for variable in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "SSL_VERIFY"] {
        let gateway = Setup::new(&strangers)
            .env(variable, &AUTHORITY.file("ca.pem"))
            .start();
        gateway.master().chat(&chat("m")).with_status(200);
    }
}

/// Two deployments with the same address never share a connection when what they check differs.
#[test]
fn each_deployment_checks_for_itself() {
    let simulator = Simulator::start();
    let front = TlsFront::start(simulator.address(), http2());
    let at = |name: &str| Deployment::at(&front.base_url(), name);
    let config = Config::of([
        at("careless").param("ssl_verify", false),
        at("careful"),
        at("knowing").param("ssl_verify", AUTHORITY.file("ca.pem")),
    ])
    .router("num_retries", 0);
    let gateway = Setup::new(&config).workers(1).start();
    let master = gateway.master();
    for _ in 0..2 {
        master.chat(&chat("careless")).with_status(200);
        master.chat(&chat("careful")).with_status(500);
        master.chat(&chat("knowing")).with_status(200);
    }
    assert!(gateway.log().contains(
        "model_list[0].litellm_params.ssl_verify: certificates of this deployment are not checked"
    ));
    // One connection each, kept; and two handshakes that were broken off.
    assert_eq!(count(&front.seen().http2), 2);
    assert_eq!(count(&front.seen().refused), 2);
}

#[test]
fn a_certificate_of_ours() {
    let simulator = Simulator::start();
    let terms = Terms {
        wants_certificate: true,
        ..Terms::default()
    };
    let front = TlsFront::start(simulator.address(), terms);
    let gateway = Gateway::of(&behind(&front));
    gateway.master().chat(&chat("m")).with_status(500);
    drop(gateway);
    let client = AUTHORITY.file("client-both.pem");
    let gateway = Gateway::of(&behind(&front).litellm("ssl_certificate", client.as_str()));
    gateway.master().chat(&chat("m")).with_status(200);
    drop(gateway);
    let deployment = Deployment::at(&front.base_url(), "m").param("ssl_certificate", client);
    let config = Config::of([deployment]).litellm("ssl_verify", AUTHORITY.file("ca.pem"));
    Gateway::of(&config)
        .master()
        .chat(&chat("m"))
        .with_status(200);
}

#[test]
fn the_curve() {
    let simulator = Simulator::start();
    let terms = Terms {
        curve: Some(rustls::crypto::ring::kx_group::SECP384R1),
        ..Terms::default()
    };
    let front = TlsFront::start(simulator.address(), terms);
    for (curve, status) in [("secp384r1", 200), ("X25519", 500)] {
        let gateway = Gateway::of(&behind(&front).litellm("ssl_ecdh_curve", curve));
        gateway.master().chat(&chat("m")).with_status(status);
    }
}

#[test]
fn files_that_cannot_be_used_are_told_at_the_start() {
    let simulator = Simulator::start();
    let config = |key: &str, file: &str| Config::single(&simulator, "m").litellm(key, file);
    for (config, expected) in [
        (
            config("ssl_verify", "/no/such.pem"),
            "/no/such.pem cannot be read",
        ),
        (
            config("ssl_verify", &AUTHORITY.file("server.key")),
            "server.key holds no certificate",
        ),
        (
            config("ssl_certificate", &AUTHORITY.file("ca.pem")),
            "ca.pem holds no private key",
        ),
    ] {
        let (status, said) = Setup::new(&config).refuse();
        assert!(!status.success() && said.contains(expected), "{said}");
    }
    let own = Deployment::of(&simulator, "m").param("ssl_verify", "/no/such.pem");
    let (status, said) = Setup::new(&Config::of([own])).refuse();
    assert!(!status.success() && said.contains("id-m"), "{said}");
}

// --- HTTP/2 ---

#[test]
fn a_provider_that_allows_two_streams() {
    let simulator = Simulator::start();
    let terms = Terms {
        most_streams: Some(2),
        ..http2()
    };
    let front = TlsFront::start(simulator.address(), terms);
    let gateway = Setup::new(&behind(&front)).workers(1).start();
    let slow = chat_with("m", json!({"simulate": {"delay_ms": 100}}));
    std::thread::scope(|scope| {
        for number in 0..50 {
            let (master, slow) = (gateway.master(), &slow);
            scope.spawn(move || {
                let body = if number % 2 == 0 {
                    slow.clone()
                } else {
                    streamed("m", json!({}))
                };
                master.chat(&body).with_status(200);
            });
        }
    });
    let seen = front.seen();
    assert_eq!(count(&seen.streams), 50, "none was refused or sent twice");
    assert!(count(&seen.most_at_once) <= 2);
    assert!(count(&seen.http2) > 1, "{}", count(&seen.http2));
    assert_eq!(simulator.take().len(), 50);
}

/// One connection carries what comes one after the other and together, streams piece by piece.
#[test]
fn one_connection_for_many_calls() {
    let simulator = Simulator::start();
    let front = TlsFront::start(simulator.address(), http2());
    let gateway = Setup::new(&behind(&front)).workers(1).start();
    let master = gateway.master();
    for _ in 0..5 {
        master.chat(&chat("m")).with_status(200);
    }
    let large = chat_with("m", json!({"user": "x".repeat(3_000_000), "simulate": {}}));
    master.chat(&large).with_status(200);
    let reply = master.chat(&streamed(
        "m",
        json!({"simulate": {"chunks": 20, "chunk_delay_ms": 5}}),
    ));
    reply.must("content-type");
    assert!(reply.chunks.len() > 10, "{:?}", reply.chunks);
    assert_eq!(count(&front.seen().http2), 1);
    let arrived = simulator.take();
    assert!(
        arrived
            .iter()
            .all(|request| request.headers.iter().all(|(name, _)| name != "upgrade"))
    );
}

#[test]
fn http2_can_be_switched_off() {
    let simulator = Simulator::start();
    let front = TlsFront::start(simulator.address(), http2());
    let gateway = Gateway::of(&behind(&front).litellm("http2", false));
    gateway.master().chat(&chat("m")).with_status(200);
    assert_eq!(count(&front.seen().http2), 0);
    assert_eq!(count(&front.seen().connections), 1);
}

/// Who speaks HTTP/1.1 only is found out by the connection that then is used.
#[test]
fn http1_by_the_connection_that_asked() {
    let simulator = Simulator::start();
    let front = TlsFront::start(simulator.address(), Terms::default());
    let gateway = Setup::new(&behind(&front)).workers(1).start();
    for _ in 0..3 {
        gateway.master().chat(&chat("m")).with_status(200);
    }
    assert_eq!(count(&front.seen().connections), 1);
}

#[test]
fn a_connection_that_goes_away_is_replaced() {
    let simulator = Simulator::start();
    let terms = Terms {
        goes_away_after: Some(3),
        ..http2()
    };
    let front = TlsFront::start(simulator.address(), terms);
    let gateway = Setup::new(&behind(&front)).workers(1).start();
    let slow = chat_with("m", json!({"simulate": {"delay_ms": 20}}));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (master, slow) = (gateway.master(), &slow);
            scope.spawn(move || {
                for _ in 0..6 {
                    master.chat(slow).with_status(200);
                }
            });
        }
    });
    assert_eq!(simulator.take().len(), 24, "none was asked twice");
    assert!(count(&front.seen().http2) >= 3);
}

#[test]
fn a_kept_connection_that_died_is_not_noticed() {
    let simulator = Simulator::start();
    for terms in [http2(), Terms::default()] {
        let front = TlsFront::start(simulator.address(), terms);
        let gateway = Setup::new(&behind(&front)).workers(1).start();
        for _ in 0..3 {
            gateway.master().chat(&chat("m")).with_status(200);
            front.cut();
        }
        assert_eq!(count(&front.seen().connections), 3);
    }
}

#[test]
fn a_client_that_leaves_ends_its_stream() {
    let simulator = Simulator::start();
    let front = TlsFront::start(simulator.address(), http2());
    let gateway = Setup::new(&behind(&front)).workers(1).start();
    let body = streamed("m", json!({"simulate": {"silent_after_chunks": 2}}));
    let mut connection = Connection::open(gateway.address()).unwrap();
    let request =
        Request::post("/v1/chat/completions", body.to_string()).key(crate::harness::MASTER_KEY);
    connection.send(&request).unwrap();
    let mut incoming = connection.incoming().unwrap();
    connection.read_until(&mut incoming, "data:");
    let left = Instant::now();
    connection.leave();
    assert!(simulator.wait_until(Duration::from_secs(3), |simulator| {
        !simulator.hangups().is_empty()
    }));
    assert!(left.elapsed() < Duration::from_secs(1));
    // The connection goes on.
    gateway.master().chat(&chat("m")).with_status(200);
    assert_eq!(count(&front.seen().http2), 1);
}

// --- proxies ---

#[test]
fn through_a_proxy() {
    let simulator = Simulator::start();
    let front = TlsFront::start(simulator.address(), http2());
    let config = Config::of([
        Deployment::at(&front.base_url(), "secure"),
        Deployment::of(&simulator, "plain"),
    ])
    .router("num_retries", 0)
    .litellm("ssl_verify", AUTHORITY.file("ca.pem"));
    const BASIC: &str = "Basic dXNlcjpwQHNz";
    let proxy = Proxy::start(Some(BASIC), None);
    let url = format!("http://user:p%40ss@{}", proxy.address());
    let gateway = Setup::new(&config).env("ALL_PROXY", &url).start();
    gateway.plant("p@ss");
    gateway.plant("dXNlcjpwQHNz");
    for name in ["secure", "plain"] {
        gateway.master().chat(&chat(name)).with_status(200);
    }
    let asked = proxy.asked();
    let expected = [
        format!("CONNECT localhost:{}", front.port()),
        format!("POST {}/chat/completions", simulator.base_url()),
    ];
    for (asked, expected) in asked.iter().zip(&expected) {
        assert_eq!(asked.what, *expected);
        assert_eq!(asked.authorization.as_deref(), Some(BASIC));
    }
    assert_eq!(asked.len(), 2, "{asked:?}");
    let arrived = simulator.take();
    let secure = format!("{:?}", arrived[0].headers);
    assert!(!secure.contains("proxy-authorization"), "{secure}");
    drop(gateway);
    // Without its password nobody comes through, and no provider is to blame.
    let gateway = Setup::new(&config)
        .env("HTTPS_PROXY", &format!("http://{}", proxy.address()))
        .start();
    let reply = gateway.master().chat(&chat("secure")).with_status(500);
    assert!(reply.message().contains("proxy"), "{}", reply.message());
    gateway.master().chat(&chat("plain")).with_status(200);
    assert_eq!(proxy.asked().len(), 3);
}

#[test]
fn past_a_proxy() {
    let simulator = Simulator::start();
    let front = TlsFront::start(simulator.address(), http2());
    let proxy = Proxy::start(None, None);
    let gateway = Setup::new(&behind(&front))
        .env("HTTPS_PROXY", &format!("http://{}", proxy.address()))
        .env("NO_PROXY", "example.com, localhost")
        .start();
    gateway.master().chat(&chat("m")).with_status(200);
    assert!(proxy.asked().is_empty());
    drop(gateway);
    let (status, said) = Setup::new(&behind(&front))
        .env("HTTPS_PROXY", "socks5://user:hidden@127.0.0.1:1")
        .refuse();
    assert!(
        !status.success() && said.contains("HTTPS_PROXY") && !said.contains("hidden"),
        "{said}"
    );
}

/// A proxy is no way around the check of callers' addresses: what it is asked for is an address that was checked.
#[test]
fn callers_addresses_are_checked_before_a_proxy() {
    let simulator = Simulator::start();
    let front = TlsFront::start(simulator.address(), Terms::default());
    let proxy = Proxy::start(None, Some(simulator.address()));
    let config = Config::single(&simulator, "m").general("allow_client_side_credentials", true);
    let gateway = Setup::new(&config)
        .env("HTTPS_PROXY", &format!("http://{}", proxy.address()))
        .start();
    let ask = |base: String| {
        let body = chat_with("m", json!({"api_base": base, "api_key": "sk-theirs"}));
        gateway.master().chat(&body)
    };
    ask(format!("https://localhost:{}/v1", front.port())).with_status(500);
    assert!(proxy.asked().is_empty());
    // A public one is asked for by its address.
    ask("https://192.0.9.1/v1".to_owned()).with_status(500);
    assert_eq!(proxy.asked()[0].what, "CONNECT 192.0.9.1:443");
    assert!(simulator.take().is_empty());
}

// --- addresses ---

#[test]
fn ipv4_alone() {
    let simulator = Simulator::start();
    let front = TlsFront::start(simulator.address(), Terms::default());
    let gateway = Gateway::of(&behind(&front).litellm("force_ipv4", true));
    gateway.master().chat(&chat("m")).with_status(200);
    drop(gateway);
    let six = Deployment::at("http://[::1]:9/v1", "m");
    let config = Config::of([six])
        .router("num_retries", 0)
        .litellm("force_ipv4", true);
    let gateway = Gateway::of(&config);
    let reply = gateway.master().chat(&chat("m")).with_status(500);
    assert!(
        reply.message().contains("resolve") || reply.message().contains("name"),
        "{}",
        reply.message()
    );
}
