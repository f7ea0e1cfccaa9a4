//! Clients and models of different protocols: what a chunk costs, when it arrives, and what a long conversation costs.
//!
//! nginx forwards the same request to the simulator, which speaks the client's protocol itself: it translates nothing.

use std::io;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::models::{self, Ask, FLAT_CHUNKS, PACE_MS, Protocol};
use crate::requests::{CONNECTIONS, Done, LARGE_TEXT, SMALL_TEXT, joined, timed_alone};
use crate::stats;
use crate::streams::{Events, PACED_STREAMS};
use crate::table::Sample;
use crate::target::{Kind, Target};

/// One client in front of one kind of model.
pub struct Way {
    protocol: Protocol,
    at_anthropic: bool,
    flat: &'static str,
    gap: &'static str,
    first: &'static str,
    bodies: &'static str,
}

macro_rules! way {
    ($protocol:ident, $at_anthropic:literal, $name:literal) => {
        Way {
            protocol: Protocol::$protocol,
            at_anthropic: $at_anthropic,
            flat: concat!($name, ": 64 streams flat out, chunks/s"),
            gap: concat!($name, ": 256 streams at 20 ms, gap p99, ms"),
            first: concat!($name, ": … first text p99, ms"),
            bodies: concat!($name, ": conversations of 200 KB, req/s"),
        }
    };
}

pub const WAYS: [Way; 6] = [
    way!(Chat, false, "Chat → Chat"),
    way!(Messages, true, "Messages → Messages"),
    way!(Messages, false, "Messages → Chat"),
    way!(Chat, true, "Chat → Messages"),
    way!(Responses, false, "Responses → Chat"),
    way!(Responses, true, "Responses → Messages"),
];

impl Way {
    fn ask(&self, target: &Target, model: &'static str, stream: bool, text_bytes: usize) -> Ask {
        let of_anthropic = || {
            let known = models::AT_ANTHROPIC.iter();
            known
                .clone()
                .find(|(_, upstream)| *upstream == model)
                .map_or(model, |(group, _)| group)
        };
        let is_gateway = matches!(target.kind, Kind::Pointsman | Kind::PointsmanSmall);
        Ask {
            protocol: self.protocol,
            model: if is_gateway && self.at_anthropic {
                of_anthropic()
            } else {
                model
            },
            stream,
            text_bytes,
        }
    }

    /// Of one event, the empty line included.
    fn lines(&self) -> usize {
        match self.protocol {
            Protocol::Chat => 2,
            Protocol::Messages | Protocol::Responses => 3,
        }
    }
}

/// Chunks a second of streams that come as fast as they can. A chunk is one of the provider's.
pub async fn flat(target: &Target, way: &Way, duration: Duration) -> Result<Sample, String> {
    timed_alone(target, flat_out(target, way, duration / 8)).await?;
    let load = flat_out(target, way, duration);
    Ok(timed_alone(target, load).await?.sample(way.flat, target))
}

async fn flat_out(target: &Target, way: &Way, duration: Duration) -> io::Result<Done> {
    let mut loops = Vec::new();
    let end = Instant::now() + duration;
    for index in 0..CONNECTIONS {
        let request = target.ask(index, way.ask(target, models::FLAT, true, SMALL_TEXT));
        let (address, lines) = (target.address, way.lines());
        loops.push(tokio::spawn(async move {
            let mut client = Client::connect(address).await?;
            let mut done = Done::default();
            while Instant::now() < end {
                let mut events = Events::of_lines(lines);
                let mut seen = 0;
                let each = |piece: &[u8], _| {
                    seen += events.in_piece(piece);
                    true
                };
                client.stream_answer(&request, each).await?;
                if seen < FLAT_CHUNKS {
                    return Err(io::Error::other(format!("a stream had {seen} events")));
                }
                done.requests += 1;
                done.units += FLAT_CHUNKS as u64;
            }
            Ok(done)
        }));
    }
    joined(loops).await
}

/// Gaps between chunks that were sent with even gaps, and the time to the first of them.
pub async fn paced(target: &Target, way: &Way, chunks: usize) -> Result<Vec<Sample>, String> {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let load = async {
        let mut streams = Vec::new();
        for index in 0..PACED_STREAMS {
            let request = target.ask(index, way.ask(target, models::PACED, true, SMALL_TEXT));
            let mut client = Client::connect(target.address).await?;
            let (sender, lines) = (sender.clone(), way.lines());
            let pause =
                Duration::from_micros(2 * PACE_MS * 1000 * index as u64 / PACED_STREAMS as u64);
            streams.push(tokio::spawn(async move {
                crate::simulator::sleep_until(Instant::now() + pause).await;
                let begun = Instant::now();
                let mut events = Events::of_lines(lines);
                let mut arrivals = Vec::new();
                let each = |piece: &[u8], _| {
                    let ended = events.in_piece(piece);
                    arrivals.extend(std::iter::repeat_n(Instant::now(), ended));
                    true
                };
                client.stream_answer(&request, each).await?;
                let units = arrivals.len() as u64;
                // The receiver outlives every stream.
                let _ = sender.send((begun, arrivals));
                Ok(Done { requests: 1, units })
            }));
        }
        joined(streams).await
    };
    timed_alone(target, load).await?;
    drop(sender);
    let (mut gaps, mut firsts) = (Vec::new(), Vec::new());
    while let Some((begun, arrivals)) = receiver.recv().await {
        let millis = |since: Instant, at: &Instant| at.duration_since(since).as_secs_f64() * 1000.0;
        firsts.extend(arrivals.first().map(|first| millis(begun, first)));
        // What stands around the text has no pace, and there is little of it in front.
        let text = arrivals.get(5..chunks.min(arrivals.len()));
        let text = text.ok_or_else(|| format!("a stream had {} events", arrivals.len()))?;
        gaps.extend(text.windows(2).map(|pair| millis(pair[0], &pair[1])));
    }
    let sample = |what, values| Sample {
        what,
        target: target.name(),
        value: stats::quantile(&stats::sorted(values), 0.99),
        cpu: None,
        note: String::new(),
    };
    Ok(vec![sample(way.gap, gaps), sample(way.first, firsts)])
}

/// Requests a second that bring a long conversation.
pub async fn bodies(target: &Target, way: &Way, duration: Duration) -> Result<Sample, String> {
    timed_alone(target, closed_loop(target, way, duration / 8)).await?;
    let load = closed_loop(target, way, duration);
    Ok(timed_alone(target, load).await?.sample(way.bodies, target))
}

async fn closed_loop(target: &Target, way: &Way, duration: Duration) -> io::Result<Done> {
    let mut loops = Vec::new();
    let end = Instant::now() + duration;
    for index in 0..CONNECTIONS {
        let request = target.ask(index, way.ask(target, models::SMALL, false, LARGE_TEXT));
        let address = target.address;
        loops.push(tokio::spawn(async move {
            let mut client = Client::connect(address).await?;
            let mut answered = 0;
            while Instant::now() < end {
                client.exchange(&request).await?;
                answered += 1;
            }
            Ok(Done {
                requests: answered,
                units: answered,
            })
        }));
    }
    joined(loops).await
}
