//! A forward proxy: CONNECT, and whole addresses for plain HTTP.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Thread;

/// One request that it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `CONNECT localhost:443`, `POST http://…`.
    pub what: String,
    pub authorization: Option<String>,
}

/// A running one.
pub struct Proxy {
    thread: Thread,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Proxy {
    /// Lets everybody through; with `expects`, those who send it as `Proxy-Authorization`. Wherever they want to go they
    /// come to `leads_to`, when that is given.
    pub fn start(expects: Option<&'static str>, leads_to: Option<SocketAddr>) -> Self {
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let noted = asked.clone();
        let thread = Thread::start(async move |listener: TcpListener| {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    continue;
                };
                let noted = noted.clone();
                tokio::task::spawn_local(async move {
                    let _ = serve(stream, expects, leads_to, &noted).await;
                });
            }
        });
        Self { thread, asked }
    }

    pub fn address(&self) -> SocketAddr {
        self.thread.address
    }

    pub fn asked(&self) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    expects: Option<&str>,
    leads_to: Option<SocketAddr>,
    noted: &Mutex<Vec<Asked>>,
) -> std::io::Result<()> {
    let mut inbox = Vec::new();
    let end = loop {
        if let Some(at) = memchr::memmem::find(&inbox, b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut inbox).await? == 0 {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(&inbox[..end]).into_owned();
    let line = head.lines().next().unwrap_or_default();
    let authorization = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("proxy-authorization")
            .then(|| value.to_owned())
    });
    let what = line.trim_end_matches(" HTTP/1.1").to_owned();
    let is_let_through = expects.is_none() || authorization.as_deref() == expects;
    noted
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(Asked {
            what: what.clone(),
            authorization,
        });
    if !is_let_through {
        let answer = "HTTP/1.1 407 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        return stream.write_all(answer.as_bytes()).await;
    }
    let (method, whither) = what.split_once(' ').unwrap_or_default();
    let authority = whither
        .trim_start_matches("http://")
        .split('/')
        .next()
        .unwrap_or_default();
    let mut onward = match leads_to {
        Some(address) => TcpStream::connect(address).await?,
        None => TcpStream::connect(authority).await?,
    };
    if method == "CONNECT" {
        stream
            .write_all(b"HTTP/1.1 200 Connection established\r\nvia: 1.1 test\r\n\r\n")
            .await?;
    } else {
        // One request a connection is enough here.
        let path = whither
            .trim_start_matches("http://")
            .trim_start_matches(authority);
        let own = format!("{method} {path} HTTP/1.1");
        let rest = inbox[line.len()..].to_vec();
        onward.write_all(&[own.as_bytes(), &rest].concat()).await?;
    }
    tokio::io::copy_bidirectional(&mut stream, &mut onward).await?;
    Ok(())
}
