//! The end: told by a signal, and tidy.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::Addr;
use actix_rt::signal::unix;

use crate::spend::journal::Syncer;
use crate::spend::{Flush, SpendLogger, book_settled, recover};
use crate::store::Store;

use super::RunError;

/// How long worker threads are waited for after their server has ended.
const LAST_WRITES: Duration = Duration::from_millis(200);
/// How long the last rows may take to be booked at exit; what is left is booked at the next start.
const LAST_FLUSH: Duration = Duration::from_secs(10);

/// Resolves at SIGTERM or SIGINT.
pub fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = unix::signal(unix::SignalKind::terminate())?;
    let mut interrupt = unix::signal(unix::SignalKind::interrupt())?;
    // A file that may not grow (`ulimit -f`) would end the process; like a full disk it is an error of a write instead.
    let no_room = rustix::process::Signal::XFSZ.as_raw();
    let _ = unix::signal(unix::SignalKind::from_raw(no_room))?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        log::info!("{name} received; calls under way may end");
    })
}

/// Books what is left, now that nobody writes any more.
pub async fn finish(
    store: &Store,
    data_dir: &Path,
    logger: &Addr<SpendLogger>,
    syncer: &Syncer,
) -> Result<(), RunError> {
    let later = "not everything could be booked; the journal keeps it for the next start";
    // Worker threads may outlive their server by a moment, or for good: then their journals are read, not removed.
    let quiet = async {
        while syncer.health().writers.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let is_quiet = tokio::time::timeout(LAST_WRITES, quiet).await.is_ok();
    let flushed = tokio::time::timeout(LAST_FLUSH, logger.send(Flush)).await;
    syncer.sync();
    if flushed.is_err() {
        log::warn!("ledger: {later}");
        return Ok(());
    }
    // Rows that were journalled but not handed over.
    let booked = if is_quiet {
        recover(store, data_dir).await
    } else {
        book_settled(store, data_dir).await
    };
    match booked {
        Ok(_) => log::info!("stopped"),
        Err(error) => log::warn!("ledger: {later}: {error}"),
    }
    Ok(())
}
