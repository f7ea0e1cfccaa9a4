//! Clients and models of different protocols: what a chunk costs, when it arrives, and what a long conversation costs.
//!
//! nginx forwards the same request to the simulator, which speaks the client's protocol itself: it translates nothing.

use std::io;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::models::{self, Ask, FIRST_TEXT, FLAT_CHUNKS, Protocol, Speaks};
use crate::requests::{CONNECTIONS, Done, LARGE_TEXT, SMALL_TEXT, joined, timed};
use crate::stats;
use crate::streams::{Events, PACED_STREAMS};
use crate::table::Sample;
use crate::target::{Kind, Target};

/// One client in front of one kind of model.
pub struct Way {
    protocol: Protocol,
    upstream: Speaks,
    flat: &'static str,
    gap: &'static str,
    first: &'static str,
    bodies: &'static str,
}

macro_rules! way {
    ($protocol:ident, $upstream:ident, $name:literal) => {
        Way {
            protocol: Protocol::$protocol,
            upstream: Speaks::$upstream,
            flat: concat!($name, ": 64 streams flat out, chunks/s"),
            gap: concat!($name, ": 256 streams at 20 ms, gap p99, ms"),
            first: concat!($name, ": … first text p99, ms"),
            bodies: concat!($name, ": conversations of 200 KB, req/s"),
        }
    };
}

pub const WAYS: [Way; 7] = [
    way!(Chat, OpenAi, "Chat → Chat"),
    way!(Messages, Anthropic, "Messages → Messages"),
    way!(Messages, OpenAi, "Messages → Chat"),
    way!(Chat, Anthropic, "Chat → Messages"),
    way!(Responses, OpenAi, "Responses → Responses"),
    way!(Responses, Chats, "Responses → Chat"),
    way!(Responses, Anthropic, "Responses → Messages"),
];

impl Way {
    fn ask(&self, target: &Target, model: &str, stream: bool, text_bytes: usize) -> Ask {
        let is_gateway = matches!(target.kind, Kind::Pointsman | Kind::PointsmanSmall);
        Ask {
            protocol: self.protocol,
            model: if is_gateway {
                self.upstream.group(model)
            } else {
                model.to_owned()
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
    timed(target, flat_out(target, way, duration / 8)).await?;
    let load = flat_out(target, way, duration);
    Ok(timed(target, load).await?.sample(way.flat, target))
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

/// Time over which the streams of [`paced`] begin: their phases are spread evenly over the pace.
const BEGINNING: Duration = Duration::from_micros(501_300);

/// What arrived of a stream, and when.
struct Arrivals {
    begun: Instant,
    events: Events,
    ends: Vec<Instant>,
    /// What came before the first text, and a little more.
    beginning: Vec<u8>,
    text: Option<Instant>,
}

impl Arrivals {
    fn of_lines(lines_each: usize) -> Self {
        Self {
            begun: Instant::now(),
            events: Events::of_lines(lines_each),
            ends: Vec::new(),
            beginning: Vec::new(),
            text: None,
        }
    }

    fn take(&mut self, piece: &[u8]) {
        let now = Instant::now();
        let ended = self.events.in_piece(piece);
        self.ends.extend(std::iter::repeat_n(now, ended));
        if self.text.is_none() {
            self.beginning.extend_from_slice(piece);
            let is_here = memchr::memmem::find(&self.beginning, FIRST_TEXT).is_some();
            self.text = is_here.then_some(now);
        }
    }

    /// Milliseconds between events of text. What stands around the text has no pace, and there is little of it in front.
    fn gaps(&self, chunks: usize) -> Result<impl Iterator<Item = f64>, String> {
        let ends = &self.ends;
        let text = ends.get(5..chunks.min(ends.len()));
        let text = text.ok_or_else(|| format!("a stream had {} events", ends.len()))?;
        Ok(text.windows(2).map(|pair| millis(pair[0], pair[1])))
    }

    fn until_text(&self) -> Result<f64, String> {
        let text = self.text.ok_or("a stream had no text")?;
        Ok(millis(self.begun, text))
    }
}

fn millis(since: Instant, at: Instant) -> f64 {
    at.duration_since(since).as_secs_f64() * 1000.0
}

/// Gaps between chunks that were sent with even gaps, and the time to the first text. Each connection and key has been used
/// before.
pub async fn paced(target: &Target, way: &Way, chunks: usize) -> Result<Vec<Sample>, String> {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let load = async {
        let mut streams = Vec::new();
        for index in 0..PACED_STREAMS {
            let ask = |model, stream| target.ask(index, way.ask(target, model, stream, SMALL_TEXT));
            let (warming, request) = (ask(models::SMALL, false), ask(models::PACED, true));
            let (address, sender, lines) = (target.address, sender.clone(), way.lines());
            let pause = BEGINNING * index as u32 / PACED_STREAMS as u32;
            streams.push(tokio::spawn(async move {
                let mut client = Client::connect(address).await?;
                client.exchange(&warming).await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
                crate::simulator::sleep_until(Instant::now() + pause).await;
                let mut arrivals = Arrivals::of_lines(lines);
                let each = |piece: &[u8], _| {
                    arrivals.take(piece);
                    true
                };
                client.stream_answer(&request, each).await?;
                let units = arrivals.ends.len() as u64;
                // The receiver outlives every stream.
                let _ = sender.send(arrivals);
                Ok(Done { requests: 2, units })
            }));
        }
        joined(streams).await
    };
    timed(target, load).await?;
    drop(sender);
    let (mut gaps, mut firsts) = (Vec::new(), Vec::new());
    while let Some(arrivals) = receiver.recv().await {
        firsts.push(arrivals.until_text()?);
        gaps.extend(arrivals.gaps(chunks)?);
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
    timed(target, closed_loop(target, way, duration / 8)).await?;
    let load = closed_loop(target, way, duration);
    Ok(timed(target, load).await?.sample(way.bodies, target))
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
