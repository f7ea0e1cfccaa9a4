//! Connecting to one of several addresses: both families in turn, the next one after a moment, the first that answers wins.
//!
//! Source: RFC 8305 (Happy Eyeballs).

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;

/// What one address has before the next one is tried as well.
pub const PAUSE: Duration = Duration::from_millis(250);

type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>>>>;

/// Connects to the address that answers first. The error is the last one; there is none of several that is the right one.
pub async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    race(in_turn(addresses), PAUSE, |address| {
        Box::pin(TcpStream::connect(address))
    })
    .await
}

/// The same addresses, of both families in turn, beginning with the family of the first one.
fn in_turn(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first_family = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let of = |family: bool| {
        let same = move |address: &&SocketAddr| address.is_ipv6() == family;
        addresses.iter().filter(same).copied()
    };
    let (mut these, mut those) = (of(first_family), of(!first_family));
    let mut mixed = Vec::with_capacity(addresses.len());
    while mixed.len() < addresses.len() {
        mixed.extend(these.next());
        mixed.extend(those.next());
    }
    mixed
}

async fn race(
    addresses: Vec<SocketAddr>,
    pause: Duration,
    connect: impl Fn(SocketAddr) -> Attempt,
) -> io::Result<TcpStream> {
    let mut left = addresses.into_iter();
    let mut running: Vec<Attempt> = Vec::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no address");
    loop {
        match left.next() {
            Some(address) => running.push(connect(address)),
            None if running.is_empty() => return Err(last),
            None => {}
        }
        let ended = poll_fn(|context| {
            for (place, attempt) in running.iter_mut().enumerate() {
                if let Poll::Ready(outcome) = attempt.as_mut().poll(context) {
                    return Poll::Ready((place, outcome));
                }
            }
            Poll::Pending
        });
        let ended = if left.len() > 0 {
            tokio::time::timeout(pause, ended).await.ok()
        } else {
            Some(ended.await)
        };
        match ended {
            Some((_, Ok(stream))) => return Ok(stream),
            Some((place, Err(error))) => {
                drop(running.swap_remove(place));
                last = error;
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::time::Instant;

    use super::*;

    fn v4(number: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, number).into()
    }

    fn v6(number: u16) -> SocketAddr {
        (Ipv6Addr::LOCALHOST, number).into()
    }

    #[test]
    fn families_take_turns() {
        assert_eq!(
            in_turn(&[v6(1), v6(2), v6(3), v4(4)]),
            [v6(1), v4(4), v6(2), v6(3)]
        );
        assert_eq!(in_turn(&[v4(1), v6(2), v4(3)]), [v4(1), v6(2), v4(3)]);
        assert!(in_turn(&[]).is_empty());
    }

    #[actix_web::test]
    async fn a_silent_address_costs_a_moment() {
        let listener = tokio::net::TcpListener::bind(v4(0)).await.unwrap();
        let there = listener.local_addr().unwrap();
        let connect = move |address: SocketAddr| -> Attempt {
            if address == v6(9) {
                Box::pin(std::future::pending())
            } else {
                Box::pin(TcpStream::connect(address))
            }
        };
        let began = Instant::now();
        let pause = Duration::from_millis(50);
        let stream = race(vec![v6(9), there], pause, connect).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), there);
        assert!((pause..pause * 20).contains(&began.elapsed()));
    }

    #[actix_web::test]
    async fn a_refusal_costs_nothing() {
        let listener = tokio::net::TcpListener::bind(v4(0)).await.unwrap();
        let there = listener.local_addr().unwrap();
        let closed = std::net::TcpListener::bind(v4(0)).unwrap();
        let gone = closed.local_addr().unwrap();
        drop(closed);
        let began = Instant::now();
        let stream = super::connect(&[gone, gone, there]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), there);
        assert!(began.elapsed() < PAUSE);
        let error = super::connect(&[gone]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(super::connect(&[]).await.is_err());
    }
}
