//! TLS before the simulator: HTTP/1.1 is handed on byte for byte, each stream of HTTP/2 as a request of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Thread;
use super::authority::AUTHORITY;
use super::bridge;
use crate::harness::{SOON, until};
use pointsman::upstream::{certificates, key};

/// How it behaves.
#[derive(Clone, Default)]
pub struct Terms {
    /// Speaks HTTP/2 with those who offer it.
    pub http2: bool,
    /// Streams at the same time on one connection; more are refused.
    pub most_streams: Option<u32>,
    /// Every connection goes away, in order, after so many streams.
    pub goes_away_after: Option<usize>,
    /// Clients must show a certificate of the authority.
    pub wants_certificate: bool,
    /// The only group of curves it agrees on keys with; any unless it is set.
    pub curve: Option<&'static dyn rustls::crypto::SupportedKxGroup>,
}

/// A running one.
pub struct TlsFront {
    thread: Thread,
    seen: Arc<Seen>,
    cut: watch::Sender<u32>,
}

/// What it saw.
#[derive(Default)]
pub struct Seen {
    pub connections: AtomicUsize,
    /// Of them, those that are open.
    pub open: AtomicUsize,
    /// Handshakes that failed.
    pub refused: AtomicUsize,
    pub streams: AtomicUsize,
    /// Of HTTP/2 connections.
    pub http2: AtomicUsize,
    /// The most streams that were open on one connection.
    pub most_at_once: AtomicUsize,
}

impl TlsFront {
    pub fn start(behind: SocketAddr, terms: Terms) -> Self {
        let config = Arc::new(config(&terms));
        let seen = Arc::<Seen>::default();
        let counted = seen.clone();
        let (cut, cuts) = watch::channel(0);
        let thread = Thread::start(async move |listener: TcpListener| {
            let acceptor = TlsAcceptor::from(config);
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    continue;
                };
                let _ = stream.set_nodelay(true);
                let (acceptor, terms, seen) = (acceptor.clone(), terms.clone(), counted.clone());
                let mut cuts = cuts.clone();
                cuts.mark_unchanged();
                tokio::task::spawn_local(async move {
                    seen.connections.fetch_add(1, Ordering::Relaxed);
                    let Ok(stream) = acceptor.accept(stream).await else {
                        seen.refused.fetch_add(1, Ordering::Relaxed);
                        return;
                    };
                    seen.open.fetch_add(1, Ordering::Relaxed);
                    tokio::select! {
                        () = serve(stream, behind, terms, seen.clone()) => {}
                        _ = cuts.changed() => {}
                    }
                    seen.open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Self { thread, seen, cut }
    }

    /// `https://localhost:PORT/v1`.
    pub fn base_url(&self) -> String {
        format!("https://localhost:{}/v1", self.thread.address.port())
    }

    pub fn port(&self) -> u16 {
        self.thread.address.port()
    }

    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Ends all connections at once, without a word.
    pub fn cut(&self) {
        self.cut.send_modify(|times| *times += 1);
        until("all are closed", SOON, || {
            self.seen.open.load(Ordering::Relaxed) == 0
        });
    }
}

fn config(terms: &Terms) -> ServerConfig {
    let mut provider = ring::default_provider();
    if let Some(curve) = terms.curve {
        provider.kx_groups = vec![curve];
    }
    let provider = Arc::new(provider);
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("versions");
    let file = |name: &str| AUTHORITY.file(name);
    let builder = if terms.wants_certificate {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(file("ca.pem").as_ref()).expect("a root"));
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
    } else {
        builder.with_no_client_auth()
    };
    let chain = certificates(file("server.pem").as_ref()).expect("a certificate");
    let own_key = key(file("server.key").as_ref()).expect("a key");
    let mut config = builder.with_single_cert(chain, own_key).expect("a pair");
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    if terms.http2 {
        config.alpn_protocols.insert(0, b"h2".to_vec());
    }
    config
}

async fn serve(
    mut stream: TlsStream<TcpStream>,
    behind: SocketAddr,
    terms: Terms,
    seen: Arc<Seen>,
) {
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        let Ok(mut onward) = TcpStream::connect(behind).await else {
            return;
        };
        let _ = onward.set_nodelay(true);
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
        return;
    }
    seen.http2.fetch_add(1, Ordering::Relaxed);
    let mut builder = h2::server::Builder::new();
    // The limit that is told is kept by the other side; that it is kept is counted here.
    if let Some(most) = terms.most_streams {
        builder.max_concurrent_streams(most);
    }
    let Ok(mut connection) = builder.handshake::<_, bytes::Bytes>(stream).await else {
        return;
    };
    let open = Arc::new(AtomicUsize::new(0));
    let mut served = 0;
    while let Some(Ok((request, respond))) = connection.accept().await {
        seen.streams.fetch_add(1, Ordering::Relaxed);
        let now = open.fetch_add(1, Ordering::Relaxed) + 1;
        seen.most_at_once.fetch_max(now, Ordering::Relaxed);
        let open = open.clone();
        tokio::task::spawn_local(async move {
            bridge::hand_on(request, respond, behind).await;
            open.fetch_sub(1, Ordering::Relaxed);
        });
        served += 1;
        if terms.goes_away_after == Some(served) {
            connection.graceful_shutdown();
        }
    }
}
