//! A target that was just started: how long that took, its memory, and what an open stream adds.

use std::io;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::client::Client;
use crate::models;
use crate::requests::SMALL_TEXT;
use crate::streams::Events;
use crate::table::Sample;
use crate::target::Target;

/// Events after which a stream counts as open: the role and two chunks, two seconds in.
const SETTLED: usize = 3;
const LIMIT: Duration = Duration::from_secs(30);

pub fn start(target: &Target, what: &'static str) -> Sample {
    Sample {
        what,
        target: target.name(),
        value: target.started_in.as_secs_f64(),
        cpu: None,
        note: String::new(),
    }
}

/// Resident memory in MiB.
pub fn rss(target: &Target, what: &'static str) -> Sample {
    Sample {
        what,
        target: target.name(),
        value: target.rss() / 1024.0 / 1024.0,
        cpu: None,
        note: String::new(),
    }
}

/// KiB that each of `count` open streams adds.
pub async fn streams(target: &Target, what: &'static str, count: usize) -> Result<Sample, String> {
    let before = target.rss();
    let (settled, mut reports) = mpsc::unbounded_channel();
    let mut streams = Vec::new();
    for index in 0..count {
        let request = target.request(index, models::IDLE, true, SMALL_TEXT);
        let mut client = Client::connect(target.address)
            .await
            .map_err(|why| why.to_string())?;
        let settled = settled.clone();
        streams.push(tokio::spawn(async move {
            let mut events = Events::default();
            let mut seen = 0;
            let ended = client
                .stream_answer(&request, |piece, _| {
                    let already = seen >= SETTLED;
                    seen += events.in_piece(piece);
                    if !already && seen >= SETTLED {
                        // Nobody listens any more when the measurement failed.
                        let _ = settled.send(Ok(()));
                    }
                    true
                })
                .await;
            let _ = settled.send(Err(ended
                .err()
                .unwrap_or(io::ErrorKind::UnexpectedEof.into())));
        }));
    }
    let all_open = async {
        for _ in 0..count {
            match reports.recv().await {
                Some(Ok(())) => {}
                Some(Err(why)) => return Err(format!("a stream ended: {why}")),
                None => return Err("no stream is left".to_owned()),
            }
        }
        Ok(())
    };
    let opened = tokio::time::timeout(LIMIT, all_open).await;
    let after = target.rss();
    streams.iter().for_each(tokio::task::JoinHandle::abort);
    opened.map_err(|_| format!("{count} streams did not open within {} s", LIMIT.as_secs()))??;
    Ok(Sample {
        what,
        target: target.name(),
        value: (after - before) / 1024.0 / count as f64,
        cpu: None,
        note: format!("{count} streams, {:.1} MiB in all", after / 1024.0 / 1024.0),
    })
}
