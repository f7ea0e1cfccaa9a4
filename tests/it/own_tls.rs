//! TLS on the gateway's own port.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::fronts::authority::AUTHORITY;
use crate::harness::{Config, Gateway, MASTER_KEY, SOON, Setup, chat, eventually};
use crate::simulator::Simulator;
use pointsman::upstream::certificates;

fn setup(config: &Config, certificate: &str, key: &str) -> Setup {
    Setup::new(config)
        .flag(&format!("--ssl_certfile_path={certificate}"))
        .flag(&format!("--ssl_keyfile_path={key}"))
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A connection to the gateway, with the certificate it showed.
fn connect(gateway: &Gateway) -> (Stream, CertificateDer<'static>) {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(AUTHORITY.file("ca.pem").as_ref()).unwrap());
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    while session.is_handshaking() {
        session.complete_io(&mut stream).expect("TLS");
    }
    assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
    let shown = session.peer_certificates().unwrap()[0].clone().into_owned();
    (StreamOwned::new(session, stream), shown)
}

fn ask(stream: &mut Stream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut all = Vec::new();
    // Without a word of farewell it would be an error.
    stream.read_to_end(&mut all).unwrap();
    String::from_utf8(all).unwrap()
}

#[test]
fn calls_over_tls() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m");
    let gateway = setup(
        &config,
        &AUTHORITY.file("server.pem"),
        &AUTHORITY.file("server.key"),
    )
    .start();
    assert!(gateway.log().contains("listening on https://"));
    let body = chat("m").to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {MASTER_KEY}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let (mut stream, _) = connect(&gateway);
    let said = ask(&mut stream, &request);
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    // Somebody without TLS is not let wait.
    let mut plain = TcpStream::connect(gateway.address()).unwrap();
    plain.set_read_timeout(Some(SOON)).unwrap();
    plain
        .write_all(b"GET / HTTP/1.1\r\nhost: g\r\n\r\n")
        .unwrap();
    let mut said = Vec::new();
    let _ = plain.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP"));
}

/// A certificate that is replaced is shown to those who come after; a broken one changes nothing.
#[test]
fn a_certificate_is_renewed() {
    let simulator = Simulator::start();
    let folder = tempfile::tempdir().unwrap();
    let both = folder.path().join("both.pem");
    let put = |text: &str| {
        let next = folder.path().join("next");
        std::fs::write(&next, text).unwrap();
        std::fs::rename(&next, &both).unwrap();
    };
    let text = |name: &str| std::fs::read_to_string(AUTHORITY.file(name)).unwrap();
    put(&text("server-both.pem"));
    let path = both.display().to_string();
    let gateway = setup(&Config::single(&simulator, "m"), &path, &path).start();
    let (mut kept, first) = connect(&gateway);
    put("nonsense");
    eventually("it is told", SOON, || {
        gateway.log().contains("stays as it was").then_some(())
    });
    assert_eq!(connect(&gateway).1, first);
    put(&text("renewed-both.pem"));
    eventually("the other one is shown", SOON, || {
        (connect(&gateway).1 != first).then_some(())
    });
    let said = ask(
        &mut kept,
        "GET /health/liveliness HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n",
    );
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
}

#[test]
fn files_that_cannot_be_used() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m");
    let file = |name: &str| AUTHORITY.file(name);
    for (certificate, key, expected) in [
        (
            "/no/such.pem".to_owned(),
            file("server.key"),
            "/no/such.pem cannot be read",
        ),
        (
            file("server.key"),
            file("server.key"),
            "server.key holds no certificate",
        ),
        (
            file("server.pem"),
            file("server.pem"),
            "server.pem holds no private key",
        ),
        (file("server.pem"), file("client.key"), "do not go together"),
    ] {
        let (status, said) = setup(&config, &certificate, &key).refuse();
        assert!(!status.success() && said.contains(expected), "{said}");
    }
    let (status, said) = Setup::new(&config)
        .env("SSL_CERTFILE_PATH", &file("server.pem"))
        .refuse();
    assert!(
        !status.success() && said.contains("--ssl_keyfile_path is not given"),
        "{said}"
    );
}
