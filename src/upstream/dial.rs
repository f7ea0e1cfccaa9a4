//! Making a connection: name, address check, race of addresses, proxy, TLS.

use std::fmt::Write;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::dns::Names;
use super::race;
use super::wire::{Path, Wire};
use crate::config::NetworkSettings;
use crate::policy::client_access::is_public;
use crate::policy::proxies::Proxy;

/// LiteLLM's connect timeout: for the way to the peer, and once more for TLS.
pub const CONNECT: Duration = Duration::from_secs(5);
/// Largest answer of a proxy to CONNECT.
const MOST_PROXY_BYTES: usize = 16 * 1024;

/// Why there is no connection. The texts hold no secret.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("the name {0} has no address")]
    Name(String),
    #[error("{0} leads to no public address")]
    NotPublic(String),
    #[error("{0} has no address of IPv4")]
    NoIpv4(String),
    #[error("{0}")]
    Io(io::Error),
    #[error("no connection in time")]
    Late,
    #[error("TLS: {0}")]
    Tls(io::Error),
    #[error("the proxy {host} answered CONNECT with {answer}")]
    Proxy { host: String, answer: String },
}

/// Whom to connect to.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub is_tls: bool,
    /// A name or an address, without brackets.
    pub host: &'a str,
    pub port: u16,
}

/// One worker's way out.
pub struct Dialer {
    pub settings: Arc<NetworkSettings>,
    /// Connects to public addresses only: for addresses that callers give.
    pub public_only: bool,
    names: Names,
}

impl Dialer {
    pub fn new(settings: Arc<NetworkSettings>, public_only: bool) -> Self {
        Self {
            names: Names::new(settings.dns_ttl),
            settings,
            public_only,
        }
    }

    /// The proxy that a call to this host takes.
    pub fn proxy(&self, target: Target<'_>) -> Option<&Proxy> {
        let Target { is_tls, host, port } = target;
        self.settings.proxies.way_to(is_tls, host, port)
    }

    /// Connects. `tls` is how TLS is spoken with a target that wants it; `proxy_tls` with a proxy that does.
    pub async fn dial(
        &self,
        target: Target<'_>,
        tls: &Arc<ClientConfig>,
        proxy_tls: &Arc<ClientConfig>,
    ) -> Result<Wire, DialError> {
        let path = timeout(CONNECT, self.path(target, proxy_tls))
            .await
            .map_err(|_| DialError::Late)??;
        if !target.is_tls {
            return Ok(Wire::Plain(path));
        }
        let stream = timeout(CONNECT, secured(path, target.host, tls))
            .await
            .map_err(|_| DialError::Late)??;
        Ok(Wire::Tls(Box::new(stream)))
    }

    async fn path(
        &self,
        target: Target<'_>,
        proxy_tls: &Arc<ClientConfig>,
    ) -> Result<Path, DialError> {
        let Some(proxy) = self.proxy(target) else {
            let addresses = self.addresses(target, self.public_only).await?;
            return self.tcp(target.host, &addresses).await.map(Path::Tcp);
        };
        // The proxy itself may be anywhere. What is behind it is checked here and named by its address, so that the
        // proxy cannot find another one under the same name.
        let checked = if self.public_only {
            Some(self.addresses(target, true).await?)
        } else {
            None
        };
        let of_proxy = Target {
            is_tls: proxy.is_tls,
            host: &proxy.host,
            port: proxy.port,
        };
        let addresses = self.addresses(of_proxy, false).await?;
        let tcp = self.tcp(&proxy.host, &addresses).await?;
        let mut path = if proxy.is_tls {
            Path::TlsProxy(Box::new(secured(tcp, &proxy.host, proxy_tls).await?))
        } else {
            Path::Tcp(tcp)
        };
        let behind = match checked.as_deref().and_then(<[SocketAddr]>::first) {
            Some(address) => address.to_string(),
            None if !target.is_tls => return Ok(path),
            None if target.host.contains(':') => format!("[{}]:{}", target.host, target.port),
            None => format!("{}:{}", target.host, target.port),
        };
        tunnel(&mut path, proxy, &behind).await?;
        Ok(path)
    }

    async fn addresses(
        &self,
        target: Target<'_>,
        public_only: bool,
    ) -> Result<Vec<SocketAddr>, DialError> {
        let unknown = |error: io::Error| {
            log::debug!("upstream: {}: {error}", target.host);
            DialError::Name(target.host.to_owned())
        };
        let found = self.names.look_up(target.host).await.map_err(unknown)?;
        let with_port = |address: &IpAddr| SocketAddr::new(*address, target.port);
        let mut addresses: Vec<SocketAddr> = found.iter().map(with_port).collect();
        if public_only {
            addresses.retain(|address| is_public(address.ip()));
            if addresses.is_empty() {
                return Err(DialError::NotPublic(target.host.to_owned()));
            }
        }
        if self.settings.force_ipv4 {
            addresses.retain(SocketAddr::is_ipv4);
            if addresses.is_empty() {
                return Err(DialError::NoIpv4(target.host.to_owned()));
            }
        }
        Ok(addresses)
    }

    async fn tcp(&self, host: &str, addresses: &[SocketAddr]) -> Result<TcpStream, DialError> {
        let stream = race::connect(addresses).await.map_err(|error| {
            // Whoever moved may have told the name server already.
            self.names.forget(host);
            DialError::Io(error)
        })?;
        // A small write after a small write else waits 40 ms for the peer's delayed acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            log::debug!("upstream: TCP_NODELAY: {error}");
        }
        Ok(stream)
    }
}

async fn secured<S>(
    stream: S,
    host: &str,
    config: &Arc<ClientConfig>,
) -> Result<tokio_rustls::client::TlsStream<S>, DialError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| DialError::Tls(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    TlsConnector::from(config.clone())
        .connect(name, stream)
        .await
        .map_err(DialError::Tls)
}

/// Asks a proxy for a way to `behind`, `host:port`.
async fn tunnel(path: &mut Path, proxy: &Proxy, behind: &str) -> Result<(), DialError> {
    let mut request = format!("CONNECT {behind} HTTP/1.1\r\nhost: {behind}\r\n");
    if let Some(authorization) = &proxy.authorization {
        let _ = write!(
            request,
            "proxy-authorization: {}\r\n",
            authorization.expose()
        );
    }
    request.push_str("\r\n");
    path.write_all(request.as_bytes())
        .await
        .map_err(DialError::Io)?;
    path.flush().await.map_err(DialError::Io)?;
    let refused = |answer: String| DialError::Proxy {
        host: proxy.host.clone(),
        answer,
    };
    let mut head = Vec::with_capacity(512);
    let end = loop {
        if let Some(at) = head.windows(4).position(|end| end == b"\r\n\r\n") {
            break at + 4;
        }
        if head.len() > MOST_PROXY_BYTES {
            return Err(refused("an endless head".to_owned()));
        }
        if path.read_buf(&mut head).await.map_err(DialError::Io)? == 0 {
            return Err(refused("the end of the connection".to_owned()));
        }
    };
    match status(&head) {
        // Providers speak only when spoken to: more than the head would be the proxy's own.
        Some(200..=299) if head.len() > end => Err(refused("more than a head".to_owned())),
        Some(200..=299) => Ok(()),
        Some(status) => Err(refused(format!("status {status}"))),
        None => Err(refused("something that is no HTTP".to_owned())),
    }
}

/// The status of an answer's head.
fn status(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(rest).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_proxies() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407 \r\n\r\n"), Some(407));
        assert_eq!(status(b"HTTP/2 200\r\n\r\n"), None);
        assert_eq!(status(b"nonsense"), None);
        assert_eq!(status(b""), None);
    }

    #[actix_web::test]
    async fn only_public_addresses() {
        let dialer = Dialer::new(Arc::default(), true);
        for host in [
            "127.0.0.1",
            "localhost",
            "::1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "169.254.169.254",
        ] {
            let target = Target {
                is_tls: true,
                host,
                port: 443,
            };
            let outcome = dialer.addresses(target, true).await;
            assert!(matches!(outcome, Err(DialError::NotPublic(_))), "{host}");
        }
        let target = Target {
            is_tls: true,
            host: "192.0.9.1",
            port: 443,
        };
        assert_eq!(dialer.addresses(target, true).await.unwrap().len(), 1);
    }
}
