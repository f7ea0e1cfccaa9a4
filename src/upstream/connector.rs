//! How connections are made: TCP_NODELAY always, and a count of new ones.

use std::cell::Cell;
use std::rc::Rc;

use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use actix_web::dev::Service;
use awc::http::Uri;
use futures_util::future::LocalBoxFuture;
use tokio::net::TcpStream;

/// Wraps awc's TCP connector, which leaves Nagle's algorithm on: a small write after a small write then waits 40 ms for the
/// peer's delayed acknowledgement.
#[derive(Clone)]
pub struct NoDelay<S> {
    inner: S,
    opened: Rc<Cell<u64>>,
}

impl<S> NoDelay<S> {
    /// `opened` counts the connections that came about.
    pub fn new(inner: S, opened: Rc<Cell<u64>>) -> Self {
        Self { inner, opened }
    }
}

impl<S> Service<ConnectInfo<Uri>> for NoDelay<S>
where
    S: Service<ConnectInfo<Uri>, Response = Connection<Uri, TcpStream>, Error = ConnectError>,
    S::Future: 'static,
{
    type Response = Connection<Uri, TcpStream>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    actix_web::dev::forward_ready!(inner);

    fn call(&self, request: ConnectInfo<Uri>) -> Self::Future {
        let connecting = self.inner.call(request);
        let opened = self.opened.clone();
        Box::pin(async move {
            let connection = connecting.await?;
            opened.set(opened.get() + 1);
            if let Err(error) = connection.io_ref().set_nodelay(true) {
                log::debug!("upstream: TCP_NODELAY: {error}");
            }
            Ok(connection)
        })
    }
}
