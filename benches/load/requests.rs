//! Closed loops: a number of connections, each asking again as soon as it is answered.

use std::future::Future;
use std::io;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::process::Cpu;
use crate::table::Sample;
use crate::target::Target;

pub const CONNECTIONS: usize = 64;
pub const SMALL_TEXT: usize = 60;
pub const LARGE_TEXT: usize = 200_000;

/// What a load did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    pub requests: u64,
    /// What is counted: requests or chunks.
    pub units: u64,
}

/// A load and what it cost.
pub struct Timed {
    pub done: Done,
    seconds: f64,
    cpu: Cpu,
}

/// Runs a load. What the target has still to do when the load ends counts as if it were done at once, on its one core; that
/// it waits for its next batch before does not.
pub async fn timed(
    target: &Target,
    load: impl Future<Output = io::Result<Done>>,
) -> Result<Timed, String> {
    let mark = target.mark().await?;
    let before = target.cpu();
    let begun = Instant::now();
    let done = load.await.map_err(|why| why.to_string())?;
    let loaded = begun.elapsed().as_secs_f64();
    let at_end = target.cpu();
    target.drained(mark, done.requests).await?;
    let after = target.cpu();
    Ok(Timed {
        done,
        seconds: loaded + after.since(&at_end).micros() / 1e6,
        cpu: after.since(&before),
    })
}

/// Requests a second, after a warm-up in which every key was used: its first use, a read of the store, is another figure.
pub async fn measure(
    target: &Target,
    what: &'static str,
    (model, text_bytes): (&str, usize),
    duration: Duration,
) -> Result<Sample, String> {
    let of = |index| target.requests(index, CONNECTIONS, model, text_bytes);
    measure_by(target, what, &of, duration).await
}

/// The same of any requests: those that a connection, given by its number, sends by turns.
pub async fn measure_by(
    target: &Target,
    what: &'static str,
    of: &impl Fn(usize) -> Vec<Vec<u8>>,
    duration: Duration,
) -> Result<Sample, String> {
    timed(target, closed_loop(target, of, duration / 8, true)).await?;
    let load = closed_loop(target, of, duration, false);
    Ok(timed(target, load).await?.sample(what, target))
}

/// For `duration` at least; with `each`, until each request was sent.
pub async fn closed_loop(
    target: &Target,
    of: &impl Fn(usize) -> Vec<Vec<u8>>,
    duration: Duration,
    each: bool,
) -> io::Result<Done> {
    let mut loops = Vec::new();
    let end = Instant::now() + duration;
    for index in 0..CONNECTIONS {
        let requests = of(index);
        let address = target.address;
        loops.push(tokio::spawn(async move {
            let mut client = Client::connect(address).await?;
            let mut answered = 0;
            for request in requests.iter().cycle() {
                if Instant::now() >= end && (!each || answered >= requests.len() as u64) {
                    break;
                }
                client.exchange(request).await?;
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

/// The sum of what tasks did, or the first error.
pub async fn joined(tasks: Vec<tokio::task::JoinHandle<io::Result<Done>>>) -> io::Result<Done> {
    let mut sum = Done::default();
    for task in tasks {
        let done = task.await.map_err(io::Error::other)??;
        sum.requests += done.requests;
        sum.units += done.units;
    }
    Ok(sum)
}

// === impl Timed ===

impl Timed {
    /// Units a second; the note says how busy the target's core was, and which of its threads cost what.
    pub fn sample(&self, what: &'static str, target: &Target) -> Sample {
        let units = self.done.units as f64;
        let busy = self.cpu.micros() / 1e6 / self.seconds;
        Sample {
            what,
            target: target.name(),
            value: units / self.seconds,
            cpu: Some(self.cpu_each()),
            note: format!("core {:.0} % busy; {}", busy * 100.0, self.cpu.split(units)),
        }
    }

    /// CPU microseconds for each unit.
    pub fn cpu_each(&self) -> f64 {
        self.cpu.micros() / self.done.units.max(1) as f64
    }
}
