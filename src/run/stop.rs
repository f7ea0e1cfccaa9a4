//! The end: told by a signal, and tidy.

use std::path::Path;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::Addr;
use actix_rt::signal::unix;
use actix_web::dev::{Server, ServerHandle};

use crate::config::GeneralSettings;
use crate::journey::{Ending, FlushLearnt, Phase, RouteMemory};
use crate::responses::{FlushTurns, Keeper};
use crate::spend::journal::Syncer;
use crate::spend::{Flush, SpendLogger, book_settled, recover};
use crate::store::Store;

use super::RunError;

/// What is cut short gets so long to tell its clients, and connections to end.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long worker threads may take to drop what they have.
const LAST_WRITES: Duration = Duration::from_secs(5);
/// How long the last rows may take to be booked at exit; what is left is booked at the next start.
const LAST_FLUSH: Duration = Duration::from_secs(10);

/// SIGTERM and SIGINT, from the first moment on.
pub struct StopSignals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl StopSignals {
    pub fn listen() -> std::io::Result<Self> {
        // A file that may not grow (`ulimit -f`) would end the process; like a full disk it is an error of a write instead.
        let no_room = rustix::process::Signal::XFSZ.as_raw();
        let _ = unix::signal(unix::SignalKind::from_raw(no_room))?;
        Ok(Self {
            terminate: unix::signal(unix::SignalKind::terminate())?,
            interrupt: unix::signal(unix::SignalKind::interrupt())?,
        })
    }

    /// The name of the next one.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Serves until a signal comes, then lets calls under way end, for as long as `general` says; a second signal has no such
/// patience. What is left is cut short: its clients are told, and it is charged. The same when what nothing can go on without
/// is `lost`, and that is an error.
pub async fn serve_until_told(
    server: Server,
    handle: ServerHandle,
    mut signals: StopSignals,
    ending: &Ending,
    general: &GeneralSettings,
    lost: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let mut server = pin!(server);
    let name = tokio::select! {
        ended = &mut server => return ended,
        name = signals.next() => name,
        () = lost => {
            actix_rt::spawn(handle.stop(true));
            cut_short(ending, server).await?;
            let text = "the control thread was lost; the process must be started again";
            return Err(std::io::Error::other(text));
        }
    };
    ending.advance(Phase::Draining);
    log::info!(
        "{name} received; calls under way may end, within {} s",
        general.drain_timeout.as_secs_f64()
    );
    let patience = async {
        tokio::time::sleep(general.drain_delay).await;
        // Takes no more connections, and ends those that are idle.
        actix_rt::spawn(handle.stop(true));
        tokio::time::sleep(general.drain_timeout).await;
        "the time is over"
    };
    let why = tokio::select! {
        ended = &mut server => return ended,
        why = patience => why,
        name = signals.next() => name,
    };
    log::warn!("{why}: what is still under way is cut short");
    actix_rt::spawn(handle.stop(true));
    cut_short(ending, server).await
}

async fn cut_short(
    ending: &Ending,
    server: impl Future<Output = std::io::Result<()>>,
) -> std::io::Result<()> {
    ending.advance(Phase::Cut);
    tokio::select! {
        ended = server => ended?,
        () = tokio::time::sleep(LAST_WORDS) => {}
    }
    ending.advance(Phase::Over);
    Ok(())
}

/// Books what is left, now that nobody writes any more.
pub async fn finish(
    store: &Store,
    data_dir: &Path,
    logger: &Addr<SpendLogger>,
    (keeper, route_memory): (&Addr<Keeper>, &Addr<RouteMemory>),
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
    let (kept, flushed, _) = tokio::join!(
        tokio::time::timeout(LAST_FLUSH, keeper.send(FlushTurns)),
        tokio::time::timeout(LAST_FLUSH, logger.send(Flush)),
        tokio::time::timeout(LAST_FLUSH, route_memory.send(FlushLearnt)),
    );
    if kept.is_err() {
        log::warn!("the last responses could not be written down: nobody can refer to them later");
    }
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
