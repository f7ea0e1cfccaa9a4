//! What a failure costs: the added latency of one, and throughput while many calls fail.

use std::time::{Duration, Instant};

use crate::client::Client;
use crate::models;
use crate::requests::SMALL_TEXT;
use crate::stats;
use crate::table::Sample;
use crate::target::Target;

/// Requests to one model between those to the others.
const TURN: usize = 20;

/// The ways a request can go, each a model: at once, by another deployment after one that answers 500 or refuses the
/// connection, by another group.
const WAYS: [&str; 4] = [
    models::SMALL,
    models::MOVED,
    models::REFUSED,
    models::FALLEN,
];

/// Milliseconds that a failure adds to a request on an idle gateway, at p50 and p99 of each of the ways behind the first. They
/// take turns, so that the machine is the same for all.
pub async fn added(
    target: &Target,
    names: [&'static str; 6],
    duration: Duration,
) -> Result<Vec<Sample>, String> {
    let requests = WAYS.map(|model| target.request(0, model, false, SMALL_TEXT));
    let mut client = Client::connect(target.address)
        .await
        .map_err(|why| why.to_string())?;
    let mut latencies: [Vec<f64>; WAYS.len()] = Default::default();
    let end = Instant::now() + duration;
    while Instant::now() < end {
        for (request, kept) in requests.iter().zip(&mut latencies) {
            for _ in 0..TURN {
                let begun = Instant::now();
                client
                    .exchange(request)
                    .await
                    .map_err(|why| why.to_string())?;
                kept.push(begun.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    let [plain, moved, refused, fallen] = latencies.map(stats::sorted);
    let figures = [
        (&moved, 0.5),
        (&moved, 0.99),
        (&refused, 0.5),
        (&refused, 0.99),
        (&fallen, 0.5),
        (&fallen, 0.99),
    ];
    let sample = |(what, (failed, share)): (&'static str, (&Vec<f64>, f64))| {
        let (with, without) = (
            stats::quantile(failed, share),
            stats::quantile(&plain, share),
        );
        Sample {
            what,
            target: target.name(),
            value: with - without,
            cpu: None,
            note: format!(
                "{with:.3} instead of {without:.3} ms, {} times",
                failed.len()
            ),
        }
    };
    Ok(names.into_iter().zip(figures).map(sample).collect())
}
