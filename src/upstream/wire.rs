//! A connection as bytes: TCP, or TLS over it, to a provider or through a proxy.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_rt::net::{ActixStream, Ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// What reaches the provider's door: straight, or inside the TLS that a proxy wants.
#[derive(Debug)]
pub enum Path {
    Tcp(TcpStream),
    TlsProxy(Box<TlsStream<TcpStream>>),
}

/// The provider's connection.
#[derive(Debug)]
pub enum Wire {
    Plain(Path),
    Tls(Box<TlsStream<Path>>),
}

impl Path {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Tcp(tcp) => tcp,
            Self::TlsProxy(tls) => tls.get_ref().0,
        }
    }
}

impl Wire {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(path) => path.tcp(),
            Self::Tls(tls) => tls.get_ref().0.tcp(),
        }
    }

    /// Whether both sides agreed on HTTP/2.
    pub fn is_http2(&self) -> bool {
        matches!(self, Self::Tls(tls) if tls.get_ref().1.alpn_protocol() == Some(b"h2"))
    }
}

/// Hands every call on to the variant that is there.
macro_rules! delegate {
    ($name:ident: $($variant:ident),+) => {
        impl AsyncRead for $name {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $(Self::$variant(inner) => Pin::new(inner).poll_read(context, buffer),)+
                }
            }
        }

        impl AsyncWrite for $name {
            fn poll_write(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                match self.get_mut() {
                    $(Self::$variant(inner) => Pin::new(inner).poll_write(context, bytes),)+
                }
            }

            fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $(Self::$variant(inner) => Pin::new(inner).poll_flush(context),)+
                }
            }

            fn poll_shutdown(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $(Self::$variant(inner) => Pin::new(inner).poll_shutdown(context),)+
                }
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                slices: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                match self.get_mut() {
                    $(Self::$variant(inner) => Pin::new(inner).poll_write_vectored(context, slices),)+
                }
            }

            fn is_write_vectored(&self) -> bool {
                match self {
                    $(Self::$variant(inner) => inner.is_write_vectored(),)+
                }
            }
        }
    };
}

delegate!(Path: Tcp, TlsProxy);
delegate!(Wire: Plain, Tls);

impl ActixStream for Wire {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_read_ready(self.tcp(), context)
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(self.tcp(), context)
    }
}
