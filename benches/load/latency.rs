//! An open loop: requests leave when they are due, whether or not earlier ones were answered.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::models;
use crate::requests::{Done, SMALL_TEXT, timed};
use crate::simulator::sleep_until;
use crate::stats;
use crate::target::Target;

pub const RATE: f64 = 1000.0;
/// More than are ever in flight: the rate times the delay, twice.
const POOL: usize = 100;

/// Milliseconds from due to answered, sorted, and CPU microseconds a request.
pub struct Latencies {
    pub sorted: Vec<f64>,
    pub cpu: f64,
}

type Pool = Arc<Mutex<Vec<(Client, Arc<[u8]>)>>>;

/// Sends at [`RATE`] with random gaps, the same for the same `seed`.
pub async fn measure(target: &Target, duration: Duration, seed: u64) -> Result<Latencies, String> {
    let pool = warm_pool(target).await.map_err(|why| why.to_string())?;
    let due = schedule(duration, seed);
    let mut latencies = Vec::with_capacity(due.len());
    let load = async {
        let begun = Instant::now() + Duration::from_millis(20);
        let mut calls = Vec::with_capacity(due.len());
        for offset in due {
            let due = begun + offset;
            sleep_until(due).await;
            calls.push(tokio::spawn(call(target.address, Arc::clone(&pool), due)));
        }
        for call in calls {
            latencies.push(call.await.map_err(io::Error::other)??);
        }
        Ok(Done {
            requests: latencies.len() as u64,
            units: latencies.len() as u64,
        })
    };
    let timed = timed(target, load).await?;
    let sorted = stats::sorted(
        latencies
            .into_iter()
            .map(|latency| latency.as_secs_f64() * 1000.0)
            .collect(),
    );
    Ok(Latencies {
        sorted,
        cpu: timed.cpu_each(),
    })
}

/// Connections that have each been used once, as many upstream as here.
async fn warm_pool(target: &Target) -> io::Result<Pool> {
    let mut warming = Vec::new();
    for index in 0..POOL {
        let request: Arc<[u8]> = target
            .request(index, models::DELAYED, false, SMALL_TEXT)
            .into();
        let mut client = Client::connect(target.address).await?;
        warming.push(tokio::spawn(async move {
            client.exchange(&request).await?;
            io::Result::Ok((client, request))
        }));
    }
    let mut pool = Vec::new();
    for client in warming {
        pool.push(client.await.map_err(io::Error::other)??);
    }
    Ok(Arc::new(Mutex::new(pool)))
}

async fn call(address: SocketAddr, pool: Pool, due: Instant) -> io::Result<Duration> {
    let idle = |pool: &Pool| pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let Some((mut client, request)) = idle(&pool) else {
        return Err(io::Error::other(format!(
            "{address} fell behind: {POOL} requests are waiting"
        )));
    };
    client.exchange(&request).await?;
    let latency = due.elapsed();
    pool.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push((client, request));
    Ok(latency)
}

/// Offsets of a Poisson process.
fn schedule(duration: Duration, seed: u64) -> Vec<Duration> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut at = 0.0;
    std::iter::from_fn(|| {
        at -= (1.0 - random.f64()).ln() / RATE;
        Some(Duration::from_secs_f64(at))
    })
    .take_while(|offset| *offset < duration)
    .collect()
}
