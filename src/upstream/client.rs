//! One worker's client and the endpoints it calls.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use actix_tls::connect::Resolver;
use awc::error::{PayloadError, SendRequestError};
use awc::http::{Version, header};
use awc::{Connector, FrozenClientRequest};

use super::answer::Answer;
use super::body::Body;
use super::connector::NoDelay;
use super::public_only::PublicOnly;
use crate::policy::upstream_error::ConnectProblem;
use crate::types::{Pieces, Secret};

/// Providers close idle connections after a minute or more; closing first avoids writing into a dead one.
const KEEP_ALIVE: Duration = Duration::from_secs(55);
/// Old connections are replaced so that DNS changes take effect.
const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// LiteLLM's connect timeout.
const CONNECT: Duration = Duration::from_secs(5);

/// One a worker thread; clones are the same one.
#[derive(Clone)]
pub struct Client {
    client: awc::Client,
    opened: Rc<Cell<u64>>,
}

/// A deployment's address with everything that its requests have in common, ready to be sent.
pub struct Endpoint {
    request: FrozenClientRequest,
}

/// An address or a header that HTTP does not allow.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("'{0}' is no URL")]
    Url(String),
    #[error("header '{0}' has a name or a value that HTTP does not allow")]
    Header(String),
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
    pub fn new() -> Self {
        Self::with(Resolver::default())
    }

    /// A client that connects to public addresses only, for addresses that callers give.
    pub fn public_only() -> Self {
        Self::with(Resolver::custom(PublicOnly))
    }

    fn with(resolver: Resolver) -> Self {
        let opened = Rc::new(Cell::new(0));
        let tcp = actix_tls::connect::Connector::new(resolver).service();
        let connector = Connector::new()
            .connector(NoDelay::new(tcp, opened.clone()))
            // awc's limit is one semaphore for all hosts: slow streams to one provider would block every other. Deployments
            // bound their own calls.
            .limit(0)
            .timeout(CONNECT)
            .conn_keep_alive(KEEP_ALIVE)
            .conn_lifetime(LIFETIME)
            .max_http_version(Version::HTTP_11);
        let client = awc::Client::builder()
            .connector(connector)
            .disable_timeout()
            .disable_redirects()
            .no_default_headers()
            .finish();
        Self { client, opened }
    }

    /// Prepares an address for JSON requests. Of two `headers` of the same name the later one counts.
    pub fn endpoint(
        &self,
        url: &str,
        headers: &[(String, Secret)],
    ) -> Result<Endpoint, EndpointError> {
        let unusable = || EndpointError::Url(url.to_owned());
        let uri: awc::http::Uri = url.parse().map_err(|_| unusable())?;
        let authority = uri.authority().ok_or_else(unusable)?;
        // The host alone: user information in a URL is no part of it. Set here, because awc else builds a header map anew
        // for each request.
        let host = authority
            .as_str()
            .rsplit('@')
            .next()
            .unwrap_or_default()
            .to_owned();
        let mut request = self
            .client
            .post(uri.clone())
            .insert_header((header::HOST, host))
            .insert_header((header::ACCEPT, "*/*"))
            .insert_header((header::ACCEPT_ENCODING, "identity"))
            .insert_header((header::CONTENT_TYPE, "application/json"))
            .insert_header((
                header::USER_AGENT,
                concat!("pointsman/", env!("CARGO_PKG_VERSION")),
            ))
            .no_decompress();
        for (name, value) in headers {
            let wrong = || EndpointError::Header(name.clone());
            let header: header::HeaderName = name.parse().map_err(|_| wrong())?;
            let mut value = header::HeaderValue::from_str(value.expose()).map_err(|_| wrong())?;
            value.set_sensitive(true);
            request = request.insert_header((header, value));
        }
        Ok(Endpoint {
            request: request.freeze().map_err(|_| unusable())?,
        })
    }

    /// Sends a request and waits for the head of its answer, `head_timeout` at most. `authorization` is of this call alone.
    ///
    /// A connection that was kept from an earlier request may have been closed by the other side meanwhile. When it dies
    /// before the first byte of an answer, and no new connection was made, the request is sent once more, silently.
    pub async fn call(
        &self,
        endpoint: &Endpoint,
        body: &Pieces,
        authorization: Option<&header::HeaderValue>,
        head_timeout: Duration,
    ) -> Result<Answer, CallError> {
        let deadline = tokio::time::Instant::now() + head_timeout;
        let mut resend = true;
        loop {
            let opened = self.opened.get();
            let body = Body::from(body.clone());
            let sending = match authorization {
                None => endpoint.request.send_body(body),
                Some(value) => endpoint
                    .request
                    .extra_header((header::AUTHORIZATION, value.clone()))
                    .send_body(body),
            };
            let outcome = tokio::time::timeout_at(deadline, sending)
                .await
                .map_err(|_| CallError::HeadTimeout)?;
            let error = match outcome {
                Ok(response) => return Ok(Answer::new(response)),
                Err(error) => error,
            };
            let kept = self.opened.get() == opened;
            if kept && resend && is_death(&error) {
                resend = false;
                continue;
            }
            log::debug!("upstream: no answer: {error}");
            return Err(CallError::of(&error));
        }
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
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
    fn of(error: &SendRequestError) -> Self {
        use awc::error::ConnectError as Awc;
        match error {
            SendRequestError::Connect(Awc::Timeout) => Self::ConnectTimeout,
            SendRequestError::Connect(Awc::Resolver(_) | Awc::NoRecords | Awc::Unresolved) => {
                Self::Connect(ConnectProblem::Dns)
            }
            SendRequestError::Connect(Awc::SslIsNotSupported) => Self::Connect(ConnectProblem::Tls),
            // rustls reports through the socket's error type.
            SendRequestError::Connect(Awc::Io(error))
                if error.kind() == std::io::ErrorKind::InvalidData =>
            {
                Self::Connect(ConnectProblem::Tls)
            }
            SendRequestError::Connect(Awc::Io(error))
                if error.kind() == std::io::ErrorKind::ConnectionRefused =>
            {
                Self::Connect(ConnectProblem::Refused)
            }
            SendRequestError::Connect(Awc::Disconnected) => Self::Cut,
            SendRequestError::Connect(_) | SendRequestError::Url(_) => {
                Self::Connect(ConnectProblem::Other)
            }
            SendRequestError::Timeout => Self::HeadTimeout,
            _ => Self::Cut,
        }
    }
}
