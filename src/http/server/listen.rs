//! Sockets that listen, and what becomes of a connection that comes in.

use std::cell::OnceCell;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Response};
use actix_server::ServerBuilder;
use actix_service::{
    IntoServiceFactory, ServiceFactory, ServiceFactoryExt, apply_fn_factory, fn_service, map_config,
};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, ServiceResponse};
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::attended::attend;
use super::door::{Door, Stream};
use super::visitors::{Patience, Visitors};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 2048;
/// TLS must be agreed on within this time.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// What a client still sends when its answer is out is taken for so long, so that it sees the answer.
const LINGER: Duration = Duration::from_secs(1);

thread_local! {
    /// One a worker, whatever the number of sockets.
    static VISITORS: OnceCell<Rc<Visitors>> = const { OnceCell::new() };
}

/// Listens on all addresses of a host.
pub fn bind(host: &str, port: u16) -> io::Result<Vec<TcpListener>> {
    let (mut bound, mut failure) = (Vec::new(), None);
    for address in (host, port).to_socket_addrs()? {
        match listener(address) {
            Ok(listener) => bound.push(listener),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) if bound.is_empty() => Err(error),
        _ => Ok(bound),
    }
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Serves what `app` makes on a socket.
pub fn add<F, I, S, B>(
    builder: ServerBuilder,
    listener: TcpListener,
    patience: Patience,
    tls: Option<Arc<ServerConfig>>,
    app: F,
) -> io::Result<ServerBuilder>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, actix_http::Request>,
    S: ServiceFactory<
            actix_http::Request,
            Config = AppConfig,
            Response = ServiceResponse<B>,
            Error = actix_web::Error,
            InitError = (),
        > + 'static,
    S::Service: 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    let drained = builder.graceful_shutdown_signal();
    builder.listen("http", listener, move || {
        let tls = tls.clone().map(TlsAcceptor::from);
        let drained = drained.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let drained = drained.clone();
                async move { drained.notified().await }
            })
            .keep_alive(patience.keep_alive)
            .client_request_timeout(patience.head)
            .client_disconnect_timeout(LINGER)
            // Else a client that leaves during a silent upstream call goes unnoticed.
            .h1_allow_half_closed(false)
            .on_connect_ext(|door: &Door, data| {
                data.insert(door.visit.clone());
            })
            .h1(apply_fn_factory(
                map_config(app().into_factory(), |()| AppConfig::default())
                    .map_err(|error: actix_web::Error| Response::from(error.error_response())),
                attend::<_, B>,
            ));
        let accepting = fn_service(move |stream: TcpStream| accept(stream, patience, tls.clone()));
        ServiceFactoryExt::and_then(accepting, http)
    })
}

/// A connection as HTTP sees it; TLS is agreed on.
async fn accept(
    stream: TcpStream,
    patience: Patience,
    tls: Option<TlsAcceptor>,
) -> Result<(Door, Option<SocketAddr>), DispatchError> {
    let peer = stream.peer_addr().ok();
    // Head and first bytes leave in one write; what follows must not wait for the client's acknowledgement.
    stream.set_nodelay(true)?;
    let stream = match tls {
        None => Stream::Plain(stream),
        Some(acceptor) => {
            let agreed = timeout(HANDSHAKE, acceptor.accept(stream)).await;
            let agreed = agreed.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
            Stream::Tls(Box::new(agreed?))
        }
    };
    let visit = VISITORS.with(|visitors| visitors.get_or_init(|| Visitors::new(patience)).enter());
    Ok((Door::new(stream, visit), peer))
}
