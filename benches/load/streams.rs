//! Streams: flat out, for what a chunk costs, and paced, for when it arrives.

use std::io;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::models::{self, FLAT_CHUNKS, PACE_MS};
use crate::requests::{CONNECTIONS, Done, SMALL_TEXT, joined, timed};
use crate::stats;
use crate::table::Sample;
use crate::target::{Kind, Target};

pub const PACED_STREAMS: usize = 256;

/// Counts the events of a stream by their line ends, wherever reads cut them.
pub struct Events {
    lines: usize,
    lines_each: usize,
}

impl Default for Events {
    /// Of chats: a line with data, an empty one.
    fn default() -> Self {
        Self::of_lines(2)
    }
}

impl Events {
    /// Of so many lines each, the empty one included.
    pub fn of_lines(lines_each: usize) -> Self {
        Self {
            lines: 0,
            lines_each,
        }
    }

    /// How many events end in this piece.
    pub fn in_piece(&mut self, piece: &[u8]) -> usize {
        let before = self.lines / self.lines_each;
        self.lines += memchr::memchr_iter(b'\n', piece).count();
        self.lines / self.lines_each - before
    }
}

/// Chunks a second of streams that come as fast as they can.
pub async fn flat(
    target: &Target,
    what: &'static str,
    duration: Duration,
) -> Result<Sample, String> {
    timed(target, flat_out(target, duration / 8)).await?;
    Ok(timed(target, flat_out(target, duration))
        .await?
        .sample(what, target))
}

async fn flat_out(target: &Target, duration: Duration) -> io::Result<Done> {
    let mut loops = Vec::new();
    let end = Instant::now() + duration;
    for index in 0..CONNECTIONS {
        let request = target.request(index, models::FLAT, true, SMALL_TEXT);
        let address = target.address;
        loops.push(tokio::spawn(async move {
            let mut client = Client::connect(address).await?;
            let mut done = Done::default();
            while Instant::now() < end {
                let mut events = Events::default();
                let mut seen = 0;
                client
                    .stream_answer(&request, |piece, _| {
                        seen += events.in_piece(piece);
                        true
                    })
                    .await?;
                // The role, the finish reason and [DONE] are events too.
                if seen != FLAT_CHUNKS + 3 {
                    return Err(io::Error::other(format!(
                        "a stream had {seen} events, not {}",
                        FLAT_CHUNKS + 3
                    )));
                }
                done.requests += 1;
                done.units += seen as u64;
            }
            Ok(done)
        }));
    }
    joined(loops).await
}

/// When a chunk arrived and with which read.
type Arrival = (Instant, u64);

/// Gaps between text chunks that were sent with even gaps, and how many chunks came alone.
pub async fn paced(
    target: &Target,
    whats: [&'static str; 3],
    chunks: usize,
) -> Result<Vec<Sample>, String> {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let load = async {
        let mut streams = Vec::new();
        for index in 0..PACED_STREAMS {
            let request = target.request(index, models::PACED, true, SMALL_TEXT);
            let mut client = Client::connect(target.address).await?;
            let sender = sender.clone();
            // Spread over two steps of the pace, so that streams are not in time with each other.
            let pause =
                Duration::from_micros(2 * PACE_MS * 1000 * index as u64 / PACED_STREAMS as u64);
            streams.push(tokio::spawn(async move {
                crate::simulator::sleep_until(Instant::now() + pause).await;
                let arrivals = arrivals(&mut client, &request).await?;
                let units = arrivals.len() as u64;
                // The receiver outlives every stream.
                let _ = sender.send(arrivals);
                Ok(Done { requests: 1, units })
            }));
        }
        joined(streams).await
    };
    let timed = timed(target, load).await?;
    drop(sender);
    let mut gaps = Vec::new();
    let (mut alone, mut all) = (0, 0);
    while let Some(arrivals) = receiver.recv().await {
        // The first event is the role, those after the text have no pace.
        let text = arrivals
            .get(1..=chunks)
            .ok_or_else(|| format!("a stream had {} events", arrivals.len()))?;
        gaps.extend(
            text.windows(2)
                .map(|pair| pair[1].0.duration_since(pair[0].0).as_secs_f64() * 1000.0),
        );
        all += text.len().saturating_sub(2);
        alone += text
            .windows(3)
            .filter(|near| near[0].1 != near[1].1 && near[1].1 != near[2].1)
            .count();
    }
    let gaps = stats::sorted(gaps);
    let note = format!(
        "{:.2} % of the chunks came alone",
        100.0 * alone as f64 / all.max(1) as f64
    );
    let sample = |(what, share)| Sample {
        what,
        target: target.name(),
        value: stats::quantile(&gaps, share),
        cpu: (share == 0.5 && target.kind != Kind::Direct).then(|| timed.cpu_each()),
        note: if share == 0.5 {
            note.clone()
        } else {
            String::new()
        },
    };
    Ok(whats
        .into_iter()
        .zip([0.5, 0.99, 0.999])
        .map(sample)
        .collect())
}

async fn arrivals(client: &mut Client, request: &[u8]) -> io::Result<Vec<Arrival>> {
    let mut arrivals = Vec::new();
    let mut events = Events::default();
    client
        .stream_answer(request, |piece, read| {
            let ended = events.in_piece(piece);
            arrivals.extend(std::iter::repeat_n((Instant::now(), read), ended));
            true
        })
        .await?;
    Ok(arrivals)
}
