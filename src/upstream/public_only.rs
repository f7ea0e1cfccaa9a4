//! Names that callers give are looked up here: what resolves to an address inside is not connected to.

use std::error::Error;
use std::net::SocketAddr;

use actix_tls::connect::Resolve;
use futures_util::future::LocalBoxFuture;

use crate::policy::client_access::is_public;

/// Looks names up and keeps public addresses only. The check is made at the very lookup that the connection uses, so that a
/// name cannot change between check and use.
pub struct PublicOnly;

impl Resolve for PublicOnly {
    fn lookup<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> LocalBoxFuture<'a, Result<Vec<SocketAddr>, Box<dyn Error>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, port)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err("the name leads to no public address".into());
            }
            Ok(public)
        })
    }
}
