//! Asking for a deployment, and waiting for one where the request has a priority and nobody takes calls
//! (LiteLLM's scheduler, which orders requests while its deployments cool down).

use std::time::{Duration, Instant};

use super::course::Traveller;
use super::worker::Worker;
use crate::router::{Answer, Begin, Denied, Queueing};

/// Longest time between two looks, whatever `polling_interval` says: who is far behind in the queue need not look often, but who
/// does not look for a second counts as gone.
const SELDOM: Duration = Duration::from_millis(500);

/// Asks; a request with a priority waits for its turn, no longer than its calls may take.
pub async fn begin(worker: &Worker, by: Traveller<'_>, begin: &mut Begin) -> Answer {
    let (asked, table) = (by.asked, by.routes.table());
    begin.queue = asked
        .priority
        .or(table.default_priority)
        .map(|priority| Queueing::Join { priority });
    let asked_at = Instant::now();
    let most = asked.timeout.unwrap_or(table.queue_timeout);
    let mut pause = table.polling_interval.min(SELDOM);
    loop {
        let place = match worker.port.begin(begin.clone()).await {
            Err(Denied::Queued(place)) => place,
            answer => return answer,
        };
        if asked_at.elapsed() >= most {
            return Err(Denied::Queued(place));
        }
        begin.queue = Some(Queueing::Wait(place));
        tokio::time::sleep(pause).await;
        pause = (pause * 11 / 10).min(SELDOM);
    }
}
