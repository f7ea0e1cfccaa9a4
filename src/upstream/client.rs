//! One worker's client and the endpoints it calls.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use awc::FrozenClientRequest;
use awc::error::{PayloadError, SendRequestError};
use awc::http::{Method, Uri, header};
use tokio::time::{Instant, timeout_at};

use super::answer::Answer;
use super::body::Body;
use super::dial::{DialError, Dialer, Target};
use super::http2::{Head, Origin, SendError, Spoken, exchange};
use super::tls::TlsError;
use super::transport::Transport;
use crate::config::{NetworkSettings, TlsChoice};
use crate::policy::upstream_error::ConnectProblem;
use crate::types::{Pieces, Secret};

/// A request that nobody has looked at is sent anew so often.
const MOST_UNTOUCHED: u32 = 3;

/// One a worker thread; clones are the same one.
#[derive(Clone)]
pub struct Client(Rc<RefCell<Way>>);

/// The way out, as the configuration in force has it.
struct Way {
    dialer: Rc<Dialer>,
    /// One for each choice of TLS.
    transports: HashMap<TlsChoice, Rc<Transport>>,
}

/// A deployment's address with everything that its requests have in common, ready to be sent.
pub struct Endpoint {
    request: FrozenClientRequest,
    transport: Rc<Transport>,
    http2: Option<Http2>,
}

/// An address, and the headers of its requests.
pub(super) struct Address {
    uri: Uri,
    is_tls: bool,
    host: String,
    port: u16,
    transport: Rc<Transport>,
    /// What HTTP/1.1's client is given in the place of the address.
    pub line: Uri,
    pub headers: header::HeaderMap,
    /// For a proxy that is told the address.
    authorization: Option<header::HeaderValue>,
}

impl Address {
    /// The client of HTTP/1.1 for it.
    pub fn http1(&self) -> &awc::Client {
        self.transport.http1(self.is_tls)
    }

    /// With those that HTTP/1.1 alone has.
    pub fn whole_headers(
        &self,
    ) -> impl Iterator<Item = (header::HeaderName, header::HeaderValue)> + '_ {
        let own = self.headers.iter();
        let own = own.map(|(name, value)| (name.clone(), value.clone()));
        let proxy = self.authorization.iter();
        own.chain(proxy.map(|value| (header::PROXY_AUTHORIZATION, value.clone())))
    }

    fn http2(&self, method: &Method) -> Option<Http2> {
        let may = self.is_tls && self.transport.dialer.settings.http2;
        may.then(|| Http2 {
            origin: self.transport.origin(&self.host, self.port),
            head: Head {
                method: method.clone(),
                uri: self.uri.clone(),
                headers: of_http2(&self.headers),
            },
        })
    }
}

/// How it is called where HTTP/2 may be spoken.
struct Http2 {
    origin: Rc<Origin>,
    head: Head,
}

/// An address or a header that HTTP does not allow.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("'{0}' is no URL")]
    Url(String),
    #[error("header '{0}' has a name or a value that HTTP does not allow")]
    Header(String),
    #[error("{0}")]
    Tls(#[from] TlsError),
}

/// No response head came.
#[derive(Debug)]
pub enum CallError {
    Connect(ConnectProblem),
    ConnectTimeout,
    /// Connected, but nothing came in time.
    HeadTimeout,
    /// The connection ended, or sent something that is no HTTP, before the head was whole.
    Cut,
}

impl Client {
    pub fn new(settings: Arc<NetworkSettings>) -> Self {
        Self::with(Dialer::new(settings, false))
    }

    /// A client that connects to public addresses only, for addresses that callers give. Nobody there gets to see a
    /// certificate of ours.
    pub fn public_only(settings: &NetworkSettings) -> Self {
        let mut settings = settings.clone();
        settings.tls.client_certificate = None;
        Self::with(Dialer::new(Arc::new(settings), true))
    }

    fn with(dialer: Dialer) -> Self {
        Self(Rc::new(RefCell::new(Way {
            dialer: Rc::new(dialer),
            transports: HashMap::new(),
        })))
    }

    /// Takes other settings for endpoints that are prepared from now on; those there are keep their connections. Answers
    /// whether the settings are others.
    pub fn adopt(&self, settings: &Arc<NetworkSettings>) -> bool {
        let mut way = self.0.borrow_mut();
        if way.dialer.settings == *settings {
            return false;
        }
        way.dialer = Rc::new(Dialer::new(settings.clone(), way.dialer.public_only));
        way.transports.clear();
        true
    }

    /// Prepares an address that is asked by POST; see [`Self::endpoint_for`].
    pub fn endpoint(
        &self,
        url: &str,
        headers: &[(String, Secret)],
        tls: Option<&TlsChoice>,
    ) -> Result<Endpoint, EndpointError> {
        self.endpoint_for(Method::POST, url, headers, tls)
    }

    /// Prepares an address for JSON requests. `tls` is how this deployment differs from the others. Of two `headers` of the
    /// same name the later one counts.
    pub fn endpoint_for(
        &self,
        method: Method,
        url: &str,
        headers: &[(String, Secret)],
        tls: Option<&TlsChoice>,
    ) -> Result<Endpoint, EndpointError> {
        let address = self.address(url, headers, tls)?;
        let http2 = address.http2(&method);
        let mut request = address
            .http1()
            .request(method, address.line.clone())
            .no_decompress();
        *request.headers_mut() = address.whole_headers().collect();
        Ok(Endpoint {
            request: request
                .freeze()
                .map_err(|_| EndpointError::Url(url.to_owned()))?,
            http2,
            transport: address.transport,
        })
    }

    /// What an address is called with.
    pub(super) fn address(
        &self,
        url: &str,
        headers: &[(String, Secret)],
        tls: Option<&TlsChoice>,
    ) -> Result<Address, EndpointError> {
        let unusable = || EndpointError::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| unusable())?;
        let authority = uri.authority().ok_or_else(unusable)?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(unusable()),
        };
        // The host alone: user information in a URL is no part of it.
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        let bare = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        let target = Target {
            is_tls,
            host: bare,
            port: authority
                .port_u16()
                .unwrap_or(if is_tls { 443 } else { 80 }),
        };
        let transport = self.transport(tls)?;
        // `Host` is set here, because awc else builds a header map anew for each request.
        let mut own = header::HeaderMap::new();
        let mut set = |name, value: &str| {
            let value = header::HeaderValue::from_str(value).map_err(|_| unusable())?;
            own.insert(name, value);
            Ok::<_, EndpointError>(())
        };
        set(header::HOST, host)?;
        set(header::ACCEPT, "*/*")?;
        set(header::ACCEPT_ENCODING, "identity")?;
        set(header::CONTENT_TYPE, "application/json")?;
        set(
            header::USER_AGENT,
            concat!("pointsman/", env!("CARGO_PKG_VERSION")),
        )?;
        for (name, value) in headers {
            let wrong = || EndpointError::Header(name.clone());
            let header: header::HeaderName = name.parse().map_err(|_| wrong())?;
            let mut value = header::HeaderValue::from_str(value.expose()).map_err(|_| wrong())?;
            value.set_sensitive(true);
            own.insert(header, value);
        }
        let (line, authorization) =
            request_line(&transport.dialer, &uri, target).ok_or_else(unusable)?;
        Ok(Address {
            is_tls,
            host: target.host.to_owned(),
            port: target.port,
            line,
            headers: own,
            authorization,
            transport,
            uri,
        })
    }

    fn transport(&self, tls: Option<&TlsChoice>) -> Result<Rc<Transport>, TlsError> {
        let way = &mut *self.0.borrow_mut();
        let choice = tls.unwrap_or(&way.dialer.settings.tls);
        if let Some(known) = way.transports.get(choice) {
            return Ok(known.clone());
        }
        let made = Transport::new(way.dialer.clone(), choice)?;
        way.transports.insert(choice.clone(), made.clone());
        Ok(made)
    }

    /// Sends a request and waits for the head of its answer, `head_timeout` at most. `more` are headers of this call alone, which win over the ones of `endpoint`.
    ///
    /// A connection that was kept from an earlier request may have been closed by the other side meanwhile. When it dies
    /// before the first byte of an answer, the request is sent once more, silently; so is one that the other side says it has
    /// not looked at.
    pub async fn call(
        &self,
        endpoint: &Endpoint,
        body: &Pieces,
        more: &[(header::HeaderName, header::HeaderValue)],
        head_timeout: Duration,
    ) -> Result<Answer, CallError> {
        let deadline = Instant::now() + head_timeout;
        let called = async {
            if let Some(http2) = &endpoint.http2
                && let Some(outcome) = endpoint.by_http2(http2, body, more).await
            {
                return outcome;
            }
            endpoint.by_http1(body, more).await
        };
        timeout_at(deadline, called)
            .await
            .unwrap_or(Err(CallError::HeadTimeout))
    }
}

/// The URL that awc is given, and what a proxy wants to see with the request: TLS is ours, so the scheme is always `http`; a
/// proxy of plain HTTP is told the whole address (RFC 9112, 3.2.2).
fn request_line(
    dialer: &Dialer,
    uri: &Uri,
    target: Target<'_>,
) -> Option<(Uri, Option<header::HeaderValue>)> {
    let host = uri.host()?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let proxy = dialer
        .proxy(target)
        .filter(|_| !target.is_tls && !dialer.public_only);
    let path = match proxy {
        Some(_) => format!("http://{host}:{}{path}", target.port),
        None => path.to_owned(),
    };
    let line = Uri::builder()
        .scheme("http")
        .authority(format!("{host}:{}", target.port))
        .path_and_query(path)
        .build()
        .ok()?;
    let authorization = proxy.and_then(|proxy| proxy.authorization.as_ref());
    let authorization = authorization.and_then(|value| {
        let mut value = header::HeaderValue::from_str(value.expose()).ok()?;
        value.set_sensitive(true);
        Some(value)
    });
    Some((line, authorization))
}

impl Endpoint {
    /// `None`: HTTP/1.1 is spoken there.
    async fn by_http2(
        &self,
        Http2 { origin, head }: &Http2,
        body: &Pieces,
        more: &[(header::HeaderName, header::HeaderValue)],
    ) -> Option<Result<Answer, CallError>> {
        let (mut resend, mut untouched) = (true, 0);
        loop {
            let slot = match origin.way(&self.transport).await {
                Ok(Spoken::Http1) => return None,
                Ok(Spoken::Http2(slot)) => slot,
                Err(error) => return Some(Err(CallError::not_connected(&error))),
            };
            let is_reused = slot.is_reused;
            let error = match exchange(slot, head, more, body.clone()).await {
                Ok(answer) => return Some(Ok(Answer::of_http2(answer))),
                Err(error) => error,
            };
            log::debug!("upstream: no answer: {error}");
            match error {
                SendError::WantsHttp1 => {
                    origin.speak_http1();
                    return None;
                }
                SendError::Untouched if untouched < MOST_UNTOUCHED => untouched += 1,
                SendError::Died(_) if is_reused && resend => resend = false,
                _ => return Some(Err(CallError::Cut)),
            }
        }
    }

    async fn by_http1(
        &self,
        body: &Pieces,
        more: &[(header::HeaderName, header::HeaderValue)],
    ) -> Result<Answer, CallError> {
        let mut resend = true;
        loop {
            let body = Body::from(body.clone());
            let sending = match more {
                [] => self.request.send_body(body),
                more => {
                    let more = more.iter().cloned();
                    let more = header::HeaderMap::from_iter(more);
                    self.request.extra_headers(more).send_body(body)
                }
            };
            let (outcome, has_dialed) = self.watched(sending).await;
            let error = match outcome {
                Ok(response) => return Ok(Answer::new(response)),
                Err(error) => error,
            };
            if !has_dialed && resend && is_death(&error) {
                resend = false;
                continue;
            }
            log::debug!("upstream: no answer: {error}");
            return Err(CallError::of(&error));
        }
    }

    /// Also tells whether a connection was made for this very request: awc asks for one while the request is polled.
    async fn watched<F: Future>(&self, sending: F) -> (F::Output, bool) {
        let mut sending = pin!(sending);
        let has_dialed = &self.transport.has_dialed;
        let mut dialed = false;
        let outcome = poll_fn(|context| {
            has_dialed.set(false);
            let polled = sending.as_mut().poll(context);
            dialed |= has_dialed.get();
            polled
        })
        .await;
        (outcome, dialed)
    }
}

/// The same headers without those that HTTP/2 says otherwise.
fn of_http2(headers: &header::HeaderMap) -> http::HeaderMap {
    let own = |name: &header::HeaderName| {
        ![
            header::HOST,
            header::CONNECTION,
            header::TRANSFER_ENCODING,
            header::CONTENT_LENGTH,
            header::UPGRADE,
        ]
        .contains(name)
    };
    headers
        .iter()
        .filter(|(name, _)| own(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The connection ended while sending or before anything came back.
fn is_death(error: &SendRequestError) -> bool {
    match error {
        SendRequestError::Send(_) => true,
        SendRequestError::Connect(awc::error::ConnectError::Disconnected) => true,
        SendRequestError::Response(actix_web::error::ParseError::Io(_)) => true,
        SendRequestError::Body(error) => error.is::<PayloadError>(),
        _ => false,
    }
}

impl CallError {
    pub(super) fn of(error: &SendRequestError) -> Self {
        use awc::error::ConnectError as Awc;
        match error {
            SendRequestError::Connect(Awc::Timeout) => Self::ConnectTimeout,
            SendRequestError::Connect(Awc::Resolver(error)) => error
                .downcast_ref()
                .map_or(Self::Connect(ConnectProblem::Other), Self::not_connected),
            SendRequestError::Connect(Awc::Disconnected) => Self::Cut,
            SendRequestError::Connect(_) | SendRequestError::Url(_) => {
                Self::Connect(ConnectProblem::Other)
            }
            SendRequestError::Timeout => Self::HeadTimeout,
            _ => Self::Cut,
        }
    }

    fn not_connected(error: &DialError) -> Self {
        Self::Connect(match error {
            DialError::Late => return Self::ConnectTimeout,
            DialError::Name(_) | DialError::NotPublic(_) | DialError::NoIpv4(_) => {
                ConnectProblem::Dns
            }
            DialError::Tls(_) => ConnectProblem::Tls,
            DialError::Proxy { .. } => ConnectProblem::Proxy,
            DialError::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                ConnectProblem::Refused
            }
            DialError::Io(_) => ConnectProblem::Other,
        })
    }
}
