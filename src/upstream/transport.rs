//! All connections that are made with the same settings, by origin.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use actix_web::dev::Service;
use awc::Connector;
use awc::http::Uri;
use futures_util::future::LocalBoxFuture;
use rustls::ClientConfig;

use super::close_delimited::Watched;
use super::dial::{CONNECT, DialError, Dialer, Target};
use super::http2::Origin;
use super::tls::{TlsError, client_config};
use super::wire::Wire;
use crate::config::TlsChoice;

/// Providers close idle connections after a minute or more; closing first avoids writing into a dead one.
const KEEP_ALIVE: std::time::Duration = std::time::Duration::from_secs(55);
/// Old connections are replaced so that DNS changes take effect.
const LIFETIME: std::time::Duration = std::time::Duration::from_secs(15 * 60);
/// Hosts remembered at most: callers may name some.
const MOST_ORIGINS: usize = 1000;

/// Connections of one choice of TLS.
pub struct Transport {
    pub dialer: Rc<Dialer>,
    http1: Arc<ClientConfig>,
    /// Offers HTTP/2 as well.
    either: Arc<ClientConfig>,
    origins: RefCell<HashMap<(String, u16), Rc<Origin>>>,
    /// HTTP/1.1 by awc: two clients, because awc tells hosts apart and not how they are reached. Made at the first call.
    plain: OnceCell<awc::Client>,
    secure: OnceCell<awc::Client>,
    /// A connection was begun since this was last looked at.
    pub has_dialed: Cell<bool>,
}

impl Transport {
    /// Reads the files that `choice` names.
    pub fn new(dialer: Rc<Dialer>, choice: &TlsChoice) -> Result<Rc<Self>, TlsError> {
        let http1 = client_config(choice, &[b"http/1.1"])?;
        let mut either = http1.clone();
        either.alpn_protocols.insert(0, b"h2".to_vec());
        Ok(Rc::new(Self {
            dialer,
            http1: Arc::new(http1),
            either: Arc::new(either),
            origins: RefCell::default(),
            plain: OnceCell::new(),
            secure: OnceCell::new(),
            has_dialed: Cell::new(false),
        }))
    }

    /// The client of HTTP/1.1 for origins that TLS is spoken with, or not. Its URLs are all `http:`; TLS is ours.
    pub fn http1(self: &Rc<Self>, is_tls: bool) -> &awc::Client {
        let client = if is_tls { &self.secure } else { &self.plain };
        client.get_or_init(|| {
            let connector = Connector::new()
                .connector(Http1 {
                    transport: Rc::downgrade(self),
                    is_tls,
                })
                // awc's limit is one semaphore for all hosts: slow streams to one provider would block every other.
                // Deployments bound their own calls.
                .limit(0)
                // The dialer has its own limits, which tell what was waited for.
                .timeout(CONNECT * 3)
                .conn_keep_alive(KEEP_ALIVE)
                .conn_lifetime(LIFETIME);
            awc::Client::builder()
                .connector(connector)
                .disable_timeout()
                .disable_redirects()
                .no_default_headers()
                .finish()
        })
    }

    /// What is known of a host.
    pub fn origin(&self, host: &str, port: u16) -> Rc<Origin> {
        let mut origins = self.origins.borrow_mut();
        if let Some(origin) = origins.get(&(host.to_owned(), port)) {
            return origin.clone();
        }
        if origins.len() >= MOST_ORIGINS {
            // Those that no endpoint names any more.
            origins.retain(|_, origin| Rc::strong_count(origin) > 1);
        }
        let origin = Rc::new(Origin::new(Target {
            is_tls: true,
            host,
            port,
        }));
        origins.insert((host.to_owned(), port), origin.clone());
        origin
    }

    /// A connection that speaks what both sides like best.
    pub async fn dial_either(&self, origin: &Origin) -> Result<Wire, DialError> {
        let target = Target {
            is_tls: true,
            host: &origin.host,
            port: origin.port,
        };
        self.dialer.dial(target, &self.either, &self.http1).await
    }

    async fn dial_http1(&self, target: Target<'_>) -> Result<Wire, DialError> {
        if target.is_tls {
            let key = (target.host.to_owned(), target.port);
            let origin = self.origins.borrow().get(&key).cloned();
            if let Some(wire) = origin.and_then(|origin| origin.spare()) {
                return Ok(wire);
            }
        }
        self.dialer.dial(target, &self.http1, &self.http1).await
    }
}

/// Makes awc's connections.
#[derive(Clone)]
struct Http1 {
    transport: Weak<Transport>,
    is_tls: bool,
}

impl Service<ConnectInfo<Uri>> for Http1 {
    type Response = Connection<Uri, Watched>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    actix_web::dev::always_ready!();

    fn call(&self, request: ConnectInfo<Uri>) -> Self::Future {
        let (transport, is_tls) = (self.transport.upgrade(), self.is_tls);
        if let Some(transport) = &transport {
            transport.has_dialed.set(true);
        }
        Box::pin(async move {
            // Whoever calls holds it.
            let transport = transport.ok_or(ConnectError::Unresolved)?;
            let uri = request.request().clone();
            let host = uri.host().unwrap_or_default();
            let target = Target {
                is_tls,
                host: host.trim_start_matches('[').trim_end_matches(']'),
                port: uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
            };
            match transport.dial_http1(target).await {
                Ok(wire) => Ok(Connection::new(uri, Watched::new(wire))),
                Err(error) => Err(ConnectError::Resolver(Box::new(error))),
            }
        })
    }
}
