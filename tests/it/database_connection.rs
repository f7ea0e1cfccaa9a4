//! How PostgreSQL is reached: TLS, the spellings of its URL, and how long is waited for it.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;

use crate::fronts::authority::AUTHORITY;
use crate::harness::postgres::{Schema, Server};
use crate::harness::{Config, Gateway, SOON, Setup, Value, at_once, chat, json, until};
use crate::simulator::Simulator;

fn config(simulator: &Simulator) -> Config {
    Config::single(simulator, "m")
}

/// A call that is booked.
fn works(gateway: &Gateway) {
    gateway.caller(json!({})).chat(&chat("m")).with_status(200);
    gateway.rows_when(1);
    gateway.verified();
}

/// A server that talks over TLS only.
fn tls_server() -> Option<Server> {
    Server::with(
        &[
            "ssl=on",
            "ssl_cert_file=server.pem",
            "ssl_key_file=server.key",
        ],
        |server| {
            for name in ["server.pem", "server.key"] {
                let text = std::fs::read_to_string(AUTHORITY.file(name)).unwrap();
                server.file(name, &text);
            }
            server.file("pg_hba.conf", "hostssl all all 127.0.0.1/32 trust\n");
        },
    )
}

#[test]
fn over_tls() {
    let Some(server) = tls_server() else {
        return;
    };
    let simulator = Simulator::start();
    let config = config(&simulator);
    let ca = AUTHORITY.file("ca.pem");
    for parameters in [
        "?sslmode=require".to_owned(),
        format!("?sslmode=verify-full&sslrootcert={ca}"),
        format!("?sslaccept=strict&sslcert={ca}"),
    ] {
        let gateway = Setup::new(&config).start_in(Schema::at(&server.url(&parameters)));
        works(&gateway);
    }
    // The same from beside the URL.
    let beside = config.clone().general(
        "database_extra_connection_params",
        json!({"sslmode": "verify-full", "sslrootcert": ca}),
    );
    works(&Setup::new(&beside).start_in(Schema::at(&server.url(""))));
}

/// What is not what it was said to be is not talked to.
#[test]
fn a_server_that_cannot_be_verified_is_refused() {
    let Some(server) = tls_server() else {
        return;
    };
    let simulator = Simulator::start();
    let other = tempfile::tempdir().unwrap();
    let other_ca = other.path().join("ca.pem");
    let key = rcgen::KeyPair::generate().unwrap();
    let stranger = rcgen::CertificateParams::new(Vec::new())
        .unwrap()
        .self_signed(&key)
        .unwrap();
    std::fs::write(&other_ca, stranger.pem()).unwrap();
    let beside = [
        (
            json!({"sslmode": "verify-full", "sslrootcert": other_ca}),
            "certificate verify failed",
        ),
        (json!({"sslmode": "disable"}), "no encryption"),
        (
            json!({"sslmode": "verify-full", "sslrootcert": "/no/such/file"}),
            "/no/such/file",
        ),
    ];
    for (parameters, expected) in beside {
        let config = config(&simulator)
            .general("database_url", server.url(""))
            .general("database_extra_connection_params", parameters);
        let (status, said) = Setup::new(&config).refuse();
        assert_eq!(status.code(), Some(1));
        assert!(said.contains(expected), "{expected} not in {said}");
    }
}

/// LiteLLM's users bring URLs with parameters that only its database client knows.
#[test]
fn a_url_as_litellm_takes_it() {
    let Some(server) = Server::start() else {
        return;
    };
    let simulator = Simulator::start();
    let schema = Schema::at(&server.url("")).spelled_for_prisma(
        "&connection_limit=20&pool_timeout=60&pgbouncer=true&socket_timeout=10&sslmode=prefer",
    );
    let gateway = Setup::new(&config(&simulator)).start_in(schema);
    works(&gateway);
}

#[test]
fn a_parameter_nobody_knows_is_refused() {
    let Some(server) = Server::start() else {
        return;
    };
    let simulator = Simulator::start();
    let config = config(&simulator).general("database_url", server.url("?sslmood=require"));
    let (status, said) = Setup::new(&config).refuse();
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("sslmood"), "{said}");
}

#[test]
fn times_of_a_connection() {
    // Accepts and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "postgres://me:hunter2@{}/none",
        silent.local_addr().unwrap()
    );
    let simulator = Simulator::start();
    let of = |seconds: u64| {
        let config = config(&simulator)
            .general("database_url", url.clone())
            .general("database_connect_timeout", seconds);
        let begun = Instant::now();
        let (status, said) = Setup::new(&config).refuse();
        assert_eq!(status.code(), Some(1));
        assert!(
            said.contains("timeout expired") && !said.contains("hunter2"),
            "{said}"
        );
        begun.elapsed()
    };
    // libpq makes two seconds of one.
    let (short, long) = (of(1), of(4));
    assert!(short < Duration::from_secs(4), "{short:?}");
    assert!(long >= Duration::from_secs(4), "{long:?}");
    let Some(server) = Server::start() else {
        return;
    };
    // A lock that somebody else holds: a query waits for it as long as it may.
    let waits = |seconds: u64| {
        let config = config(&simulator).general("database_socket_timeout", seconds);
        let gateway = Setup::new(&config).start_in(Schema::at(&server.url("")));
        works(&gateway);
        let mut other = gateway.database();
        other
            .batch_execute("BEGIN; LOCK TABLE keys IN ACCESS EXCLUSIVE MODE")
            .unwrap();
        let begun = Instant::now();
        let reply = gateway.master().get("/key/list");
        assert_eq!(reply.status, 503, "{}", reply.text());
        let waited = begun.elapsed();
        other.batch_execute("ROLLBACK").unwrap();
        waited
    };
    assert!(waits(1) < Duration::from_secs(2));
    assert!(waits(3) >= Duration::from_secs(3));
}

/// Four processes begin on an empty database, and book the calls of one key at the same time.
#[test]
fn four_gateways_on_one_database() {
    let Some(server) = Server::start() else {
        return;
    };
    let simulator = Simulator::start();
    let config = config(&simulator);
    let schema = Schema::at(&server.url(""));
    let url = schema.url();
    let gateways = at_once(4, |_| {
        Setup::new(&config)
            .env("DATABASE_URL", &url)
            .workers(1)
            .start()
    });
    let key = gateways[0].key(json!({}));
    at_once(4, |index| {
        for _ in 0..10 {
            let caller = gateways[index].client(&key.secret);
            caller.chat(&chat("m")).with_status(200);
        }
    });
    let rows = || {
        let (status, said) = gateways[0].verify(&["--json", "--database-url", &url]);
        assert!(status.success(), "{said}");
        let found: Value = serde_json::from_str(&said).unwrap();
        found["rows"].as_u64()
    };
    until("all calls are booked", SOON, || rows() == Some(40));
}
