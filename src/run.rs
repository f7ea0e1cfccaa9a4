//! From options to a running server, and from its end to a tidy exit.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::{Actor, Arbiter};
use actix_rt::signal::unix;
use tokio::sync::Semaphore;

use crate::auth::{Epoch, Master};
use crate::cli::Options;
use crate::config::{BudgetEnforcement, Config, LoadError, Loaded, MasterKeyProblem, Severity};
use crate::http::{DocsSettings, Running, ServeError, serve};
use crate::journey::{Settings, Shared};
use crate::metrics::Metrics;
use crate::router::{self, RoutingTable};
use crate::spend::journal::{FOLDER, Syncer};
use crate::spend::{Flush, Gauges, RecoveryError, SpendLogger, book_settled, recover};
use crate::store::{Pools, Store, StoreError};
use crate::types::DatabaseUrl;

/// The embedded database's file inside the data directory.
const DATABASE_FILE: &str = "pointsman.db";
const LOCK_FILE: &str = "lock";
/// New calls are refused while so many bytes wait in the journals.
const MOST_JOURNAL_BYTES: u64 = 1024 * 1024 * 1024;
/// Largest request body when `max_request_size_mb` is not set.
const MOST_REQUEST_BYTES: usize = 64 * 1024 * 1024;
/// Largest whole answer.
const MOST_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// Exact token counts at the same time.
const COUNTS: usize = 4;
/// LiteLLM's variable for the length of limit windows, in seconds.
const WINDOW_VARIABLE: &str = "LITELLM_RATE_LIMIT_WINDOW_SIZE";
/// How long worker threads are waited for after their server has ended.
const LAST_WRITES: Duration = Duration::from_millis(200);
/// How long the last rows may take to be booked at exit; what is left is booked at the next start.
const LAST_FLUSH: Duration = Duration::from_secs(10);

/// Why the gateway did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{0}")]
    Config(#[from] LoadError),
    #[error("the configuration has errors (above); nothing was started")]
    ConfigHasErrors,
    #[error("{0}")]
    MasterKey(MasterKeyProblem),
    #[error("{WINDOW_VARIABLE} must be a whole number of seconds from 1 to 86400")]
    Window,
    #[error("the data directory {} cannot be used: {error}", .path.display())]
    DataDir {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("the data directory {} is in use by another pointsman; give each process its own --data-dir", .0.display())]
    Locked(PathBuf),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("the ledger cannot be brought up to date: {0}")]
    Recovery(#[from] RecoveryError),
    #[error("{0}")]
    Serve(#[from] ServeError),
    #[error("{0}")]
    Other(String),
}

/// Runs the gateway until it is told to stop.
pub fn run(options: &Options) -> Result<(), RunError> {
    let config = load(options)?;
    let window = window()?;
    if let Some(problem) = config.general_settings.master_key_refusal() {
        return Err(RunError::MasterKey(problem));
    }
    for (name, value) in &config.environment_variables {
        // SAFETY: no other thread has been started yet.
        unsafe { std::env::set_var(name, value.expose()) };
    }
    // Fails only when a provider is installed already, and then there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let _lock = data_dir(&options.data_dir)?;
    actix_web::rt::System::new().block_on(start(options, &config, window))
}

fn load(options: &Options) -> Result<Config, RunError> {
    let env = |name: &str| std::env::var(name).ok();
    let Loaded {
        config,
        diagnostics,
    } = match &options.config {
        Some(path) => Config::load(path, &env)?,
        None => Config::from_text("(no configuration file)", "{}", &env)?,
    };
    let mut refused = false;
    for diagnostic in &diagnostics {
        match diagnostic.severity {
            Severity::Note => log::info!("{diagnostic}"),
            Severity::Warning => log::warn!("{diagnostic}"),
            Severity::Error => {
                refused = true;
                log::error!("{diagnostic}");
            }
        }
    }
    if refused {
        Err(RunError::ConfigHasErrors)
    } else {
        Ok(config)
    }
}

fn window() -> Result<Duration, RunError> {
    let Ok(text) = std::env::var(WINDOW_VARIABLE) else {
        return Ok(Duration::from_secs(60));
    };
    match text.trim().parse() {
        Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err(RunError::Window),
    }
}

/// Makes the data directory and takes it for this process.
fn data_dir(path: &Path) -> Result<File, RunError> {
    let wrong = |error| RunError::DataDir {
        path: path.to_owned(),
        error,
    };
    fs::create_dir_all(path.join(FOLDER)).map_err(wrong)?;
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path.join(LOCK_FILE))
        .map_err(wrong)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(RunError::Locked(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(wrong(error)),
    }
}

async fn start(options: &Options, config: &Config, window: Duration) -> Result<(), RunError> {
    let general = &config.general_settings;
    let embedded = || {
        Ok(DatabaseUrl::Sqlite(std::path::absolute(
            options.data_dir.join(DATABASE_FILE),
        )?))
    };
    let wrong = |error| RunError::DataDir {
        path: options.data_dir.clone(),
        error,
    };
    let url = general
        .database_url
        .clone()
        .map_or_else(embedded, Ok)
        .map_err(wrong)?;
    let store = Store::open(&url, Pools::default())?;
    let recovered = recover(&store, &options.data_dir).await?;
    if recovered > 0 {
        log::info!("ledger: {recovered} rows of an earlier process were booked from its journal");
    }
    let strict = general.budget_enforcement == BudgetEnforcement::Strict;
    let table = Arc::new(RoutingTable::compile(config));
    let control = router::start(table.clone(), window, strict)
        .map_err(|error| RunError::Other(error.to_string()))?;
    let syncer = Syncer::start()
        .map_err(|error| RunError::Other(format!("the journal's thread did not start: {error}")))?;
    let ledger = Arc::new(Gauges::default());
    let logger = {
        let (store, dir, syncer, gauges) = (
            store.clone(),
            options.data_dir.clone(),
            syncer.clone(),
            ledger.clone(),
        );
        let arbiter = Arbiter::new();
        SpendLogger::start_in_arbiter(&arbiter.handle(), move |_| {
            SpendLogger::new(store, dir, syncer, gauges)
        })
    };
    let shared = Arc::new(Shared {
        settings: settings(config, strict),
        metrics: Metrics::new().map_err(|error| RunError::Other(error.to_string()))?,
        store: store.clone(),
        control,
        epoch: Arc::<Epoch>::default(),
        ledger,
        journal: syncer.clone(),
        counts: Arc::new(Semaphore::new(COUNTS)),
    });
    let master = general
        .master_key
        .as_ref()
        .map(|key| Arc::new(Master::new(key.expose())));
    let (server, handle, addresses) = serve(Running {
        shared,
        master,
        key_ttl: general.user_api_key_cache_ttl,
        default_parallel: general.max_parallel_requests,
        journal_folder: options.data_dir.join(FOLDER),
        most_journal_bytes: MOST_JOURNAL_BYTES,
        logger: logger.clone(),
        address: (options.host.clone(), options.port),
        workers: options.workers(),
        docs: DocsSettings::from_env("", &|name| std::env::var(name).ok()),
    })?;
    for address in addresses {
        log::info!("listening on http://{address}");
    }
    log::info!(
        "{} deployments in {} model groups; data in {}",
        table.deployments.len(),
        table.groups.len(),
        url
    );
    let told = told_to_stop().map_err(|error| RunError::Other(error.to_string()))?;
    actix_rt::spawn(async move {
        told.await;
        handle.stop(true).await;
    });
    server
        .await
        .map_err(|error| RunError::Other(error.to_string()))?;
    finish(&store, &options.data_dir, &logger, &syncer).await
}

/// Resolves at SIGTERM or SIGINT.
fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = unix::signal(unix::SignalKind::terminate())?;
    let mut interrupt = unix::signal(unix::SignalKind::interrupt())?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        log::info!("{name} received; calls under way may end");
    })
}

/// Books what is left, now that nobody writes any more.
async fn finish(
    store: &Store,
    data_dir: &Path,
    logger: &actix::Addr<SpendLogger>,
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

fn settings(config: &Config, strict_budgets: bool) -> Settings {
    let general = &config.general_settings;
    let megabytes = |size: f64| (size * 1024.0 * 1024.0).clamp(1024.0, 4e9) as usize;
    Settings {
        most_request_bytes: general
            .max_request_size_mb
            .map_or(MOST_REQUEST_BYTES, megabytes),
        most_answer_bytes: MOST_ANSWER_BYTES,
        budget_exceeded_status: config.litellm_settings.budget_exceeded_status_code,
        strict_budgets,
        call_id_in_errors: general.include_call_id_in_error_body,
    }
}
