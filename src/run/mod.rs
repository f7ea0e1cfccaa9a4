//! From options to a running server, and from its end to a tidy exit.
//!
//! `main` calls [`run`], [`check`], [`verify_ledger`] or [`rotate_master_key`]. `data_dir` takes the data directory and keeps its secret files,
//! `configuration` reads and reports, `master_key` and `salt_key` decide which keys count, `greeting` says what a first
//! start says, `reload` puts another configuration in force, `open_files` asks for as many as there may be connections,
//! `watchdog` looks after the control thread, `stop` ends, `check` looks a file over, `plan` two of them side by side. What is decided about a request is
//! decided elsewhere.

mod check;
mod configuration;
mod data_dir;
mod error;
mod greeting;
mod ledger;
mod master_key;
mod open_files;
mod plan;
mod reload;
mod salt_key;
mod stop;
mod watchdog;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix::{Actor, Arbiter};
use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use crate::auth::Changes;
use crate::cli::{self, Flag, Lack, Options};
use crate::config::{BudgetEnforcement, Config, GeneralSettings, Loaded};
use crate::health::HealthBoard;
use crate::http::{Cors, DocsSettings, OwnCertificate, RootPath, Running, TlsFiles, serve};
use crate::journey::{
    AskingRules, BodyRoom, Chaos, Ending, Followed, HealthChecker, InForce, Learned, ReloadStatus,
    RouteMemory, Settings, Shared, Snapshot,
};
use crate::metrics::Metrics;
use crate::policy::spends::SpendWindow;
use crate::responses::Keeper;
use crate::router::{self, RoutingTable};
use crate::spend::journal::{FOLDER, JournalWriter, Syncer};
use crate::spend::{BudgetRenewals, Desk, Gauges, SpendLogger, WRITE_INTERVAL, recover};
use crate::steps;
use crate::store::messages::{ReadWindows, ResetOverdue};
use crate::store::{Pools, Store, ask};
use crate::types::{DatabaseUrl, NanoUsd};
use crate::upstream;
use crate::vault::Vault;

use configuration::Environment;
use data_dir::DataDir;
use greeting::Greeting;
use master_key::MasterKey;
use reload::{Reloader, Reloading, Seen, first_models};
use stop::{StopSignals, finish, serve_until_told};
use watchdog::control_lost;

pub use check::check;
pub use error::RunError;
pub use ledger::verify as verify_ledger;
pub use master_key::rotate as rotate_master_key;
pub use plan::plan;

/// The embedded database's file inside the data directory.
const DATABASE_FILE: &str = "pointsman.db";
/// What is served when nothing was asked for; a file that people can copy.
const DEMO: (&str, &str) = ("built-in demo.yaml", include_str!("../../config/demo.yaml"));
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
/// Spend is written no more and no less often, whatever `proxy_batch_write_at` says.
const SHORTEST_WRITE: Duration = Duration::from_millis(100);
const LONGEST_WRITE: Duration = Duration::from_secs(3600);
/// Runs the gateway until it is told to stop. `without_effect` are flags of LiteLLM that were given.
pub fn run(options: &Options, without_effect: &[&'static Flag]) -> Result<(), RunError> {
    for Flag { name, lack, .. } in without_effect {
        match *lack {
            Lack::Needless => log::info!("--{name} is not needed here; ignored"),
            Lack::NotYet(why) => log::warn!("--{name} has no effect: {why}"),
            Lack::Refused(why) => return Err(RunError::Flag { name, why }),
        }
    }
    let environment = Environment::capture();
    let mut seen = Seen::at(options.config.as_slice());
    let loaded = configuration::load(options, &environment)?;
    seen.follow(&loaded.files);
    loaded.own_models.lay();
    let config = loaded.config.clone();
    let window = window()?;
    cli::export(&config.environment_variables);
    let root_path = RootPath::new(&env("SERVER_ROOT_PATH").unwrap_or_default())?;
    // Before anything is made on disk.
    if options.config.is_some()
        && let Some(problem) = config.general_settings.master_key_refusal()
    {
        return Err(RunError::MasterKey(problem));
    }
    // Fails only when a provider is installed already, and then there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    upstream::check(&config).map_err(RunError::Tls)?;
    let certificate = certificate(options)?;
    open_files::raise_limit(config.general_settings.client_limits.most_connections);
    let data_dir = DataDir::open(&options.place.data_dir)?;
    let master_key = MasterKey::choose(
        &config.general_settings,
        options.config.is_some(),
        &data_dir,
    )?;
    let start = Start {
        options,
        config: &config,
        loaded,
        environment,
        seen,
        window,
        docs: DocsSettings::from_env(root_path.as_str(), &env),
        root_path,
        data_dir: &data_dir,
        master_key,
        certificate,
    };
    actix_web::rt::System::new().block_on(start_up(start))
}

/// Everything that was decided before the first thread.
struct Start<'a> {
    options: &'a Options,
    config: &'a Config,
    /// What the configuration was read from, for comparing another with it.
    loaded: Loaded,
    environment: Environment,
    seen: Seen,
    /// Length of limit windows.
    window: Duration,
    root_path: RootPath,
    docs: DocsSettings,
    data_dir: &'a DataDir,
    master_key: MasterKey,
    /// What TLS is spoken with to clients, if it is.
    certificate: Option<Arc<OwnCertificate>>,
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
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

async fn start_up(start: Start<'_>) -> Result<(), RunError> {
    steps::listen();
    let Start {
        options,
        config,
        loaded,
        environment,
        seen,
        window,
        root_path,
        docs,
        data_dir,
        master_key,
        certificate,
    } = start;
    let general = &config.general_settings;
    let salt_key = salt_key::read(data_dir, &env)?;
    let vault = Arc::new(Vault::new(&salt_key.key));
    let embedded = || {
        Ok(DatabaseUrl::Sqlite(std::path::absolute(
            options.place.data_dir.join(DATABASE_FILE),
        )?))
    };
    let wrong = |error| RunError::DataDir {
        path: options.place.data_dir.clone(),
        error,
    };
    let url = general
        .database_url
        .clone()
        .map_or_else(embedded, Ok)
        .map_err(wrong)?;
    let store = Store::open(
        &url,
        Pools::new(
            general.database_connection_pool_limit,
            general.database_connection_timeout,
        ),
    )?;
    if options.skip_server_startup {
        log::info!("the database is up to date: {url}");
        return Ok(());
    }
    let recovered = recover(&store, &options.place.data_dir).await?;
    if recovered > 0 {
        log::info!("ledger: {recovered} rows of an earlier process were booked from its journal");
    }
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis() as i64;
    let renewed = ask(&store.admin, ResetOverdue { now_ms }).await?;
    if renewed > 0 {
        log::info!("{renewed} budgets have begun anew since the last process");
    }
    let strict = general.budget_enforcement == BudgetEnforcement::Strict;
    let file = loaded;
    let (loaded, models) = first_models(&file, &environment, &store, &vault).await;
    let (together, models) = (loaded.config.clone(), Arc::new(models));
    let config = &together;
    let table = Arc::new(RoutingTable::compile(config));
    let metrics = Metrics::new().map_err(|error| RunError::Other(error.to_string()))?;
    let spent = ask(&store.ledger, ReadWindows { now_ms }).await?;
    let spent = spent.into_iter().map(|row| {
        let window = SpendWindow::until(row.ends_at, NanoUsd(row.spent));
        (router::budget_name(&row.budget), window)
    });
    let spent = spent.collect();
    let control = router::start(table.clone(), window, strict, spent, metrics.cooldowns())
        .map_err(|error| RunError::Other(error.to_string()))?;
    // Slow work beside the requests: booking spend, and budgets that begin anew.
    let arbiter = Arbiter::new();
    let renewals = {
        let (gatekeeper, store) = (control.gatekeeper().clone(), store.clone());
        BudgetRenewals::start_in_arbiter(&arbiter.handle(), move |_| {
            BudgetRenewals::new(gatekeeper, store)
        })
    };
    let syncer = Syncer::start()
        .map_err(|error| RunError::Other(format!("the journal's thread did not start: {error}")))?;
    let ledger = Arc::new(Gauges::default());
    let logger = {
        let (store, dir, syncer, gauges) = (
            store.clone(),
            options.place.data_dir.clone(),
            syncer.clone(),
            ledger.clone(),
        );
        let write_interval = general.proxy_batch_write_at.map_or(WRITE_INTERVAL, |time| {
            time.clamp(SHORTEST_WRITE, LONGEST_WRITE)
        });
        SpendLogger::start_in_arbiter(&arbiter.handle(), move |_| {
            SpendLogger::new(store, &dir, syncer, gauges, write_interval)
        })
    };
    let keeper = {
        let (store, vault) = (store.clone(), vault.clone());
        Keeper::start_in_arbiter(&arbiter.handle(), move |_| Keeper::new(store, vault))
    };
    let learned = Arc::<ArcSwap<Learned>>::default();
    let route_memory = {
        let (store, learned) = (store.clone(), learned.clone());
        RouteMemory::start_in_arbiter(&arbiter.handle(), move |_| RouteMemory::new(store, learned))
    };
    let in_force = Arc::new(InForce::new(Snapshot {
        table: table.clone(),
        settings: settings(config, strict),
        models: models.clone(),
    }));
    let ending = Arc::<Ending>::default();
    let health = HealthBoard::start_in_arbiter(&arbiter.handle(), |_| HealthBoard::default());
    let followed = Followed::start_in_arbiter(&arbiter.handle(), |_| Followed::default());
    let _checker = {
        let (in_force, control, board) = (in_force.clone(), control.clone(), health.clone());
        let (store, ending) = (store.clone(), ending.clone());
        let writer = JournalWriter::new(options.place.data_dir.join(FOLDER), syncer.clone());
        let (logger, ledger) = (logger.clone(), ledger.clone());
        HealthChecker::start_in_arbiter(&Arbiter::new().handle(), move |_| {
            let _ = rustix::thread::set_name(c"health");
            let desk = Desk::open(writer, logger, ledger, MOST_JOURNAL_BYTES);
            HealthChecker::new(in_force, control, board, store, desk, ending)
        })
    };
    let reload_status = Arc::<ReloadStatus>::default();
    let reloader = Reloader::new(Reloading {
        options: Arc::new(options.clone()),
        environment: Arc::new(environment),
        file,
        loaded,
        models,
        table: table.clone(),
        control: control.clone(),
        in_force: in_force.clone(),
        status: reload_status.clone(),
        seen,
        store: store.clone(),
        vault: vault.clone(),
    })
    .start();
    let lost = control_lost(control.clone());
    let shared = Arc::new(Shared {
        in_force,
        ending: ending.clone(),
        reload: reloader.clone().recipient(),
        change_model: reloader.clone().recipient(),
        try_model: reloader.recipient(),
        reload_status,
        metrics,
        store: store.clone(),
        control,
        changes: Arc::<Changes>::default(),
        renewals,
        ledger,
        journal: syncer.clone(),
        health,
        vault,
        keeper: keeper.clone(),
        followed,
        route_memory: route_memory.clone(),
        learned,
        bodies: BodyRoom::new(general.client_limits.most_body_bytes),
        chaos: Chaos::default(),
        counts: Arc::new(Semaphore::new(COUNTS)),
    });
    // The actors of this thread begin now: one that is dropped before would begin at the end, without a runtime.
    tokio::task::yield_now().await;
    // Before anybody can know that it runs, and stop it.
    let signals = StopSignals::listen().map_err(|error| RunError::Other(error.to_string()))?;
    let (server, handle, addresses) = serve(Running {
        shared,
        master: master_key.master().map(Arc::new),
        key_ttl: general.user_api_key_cache_ttl,
        default_parallel: general.max_parallel_requests,
        journal_folder: options.place.data_dir.join(FOLDER),
        most_journal_bytes: MOST_JOURNAL_BYTES,
        logger: logger.clone(),
        address: (host(options, general), options.port),
        workers: options.workers(),
        docs: docs.clone(),
        keep_alive: options.keepalive_timeout.map(Duration::from_secs),
        limits: general.client_limits,
        certificate: certificate.clone(),
        root_path: root_path.clone(),
        cors: Cors::of(&|name| std::env::var(name).ok()),
    })?;
    // A key that was never shown must not be the one that counts at the next start.
    master_key.keep(data_dir)?;
    for address in &addresses {
        let scheme = certificate.as_ref().map_or("http", |_| "https");
        log::info!("listening on {scheme}://{address}{root_path}");
    }
    log::info!(
        "{} deployments in {} model groups; data in {}",
        table.deployment_count(),
        table.groups().count(),
        url
    );
    if let (None, Some(address)) = (&options.config, addresses.first()) {
        greet(
            &Greet {
                options,
                config,
                root_path: &root_path,
                docs: &docs,
                data_dir,
                master_key: &master_key,
                is_tls: certificate.is_some(),
                salt_key: salt_key.made.as_deref(),
            },
            *address,
        )?;
    }
    let served = serve_until_told(server, handle, signals, &ending, general, lost).await;
    finish(
        &store,
        &options.place.data_dir,
        &logger,
        (&keeper, &route_memory),
        &syncer,
    )
    .await?;
    served.map_err(|error| RunError::Other(error.to_string()))
}

/// The certificate for clients, if one is given.
fn certificate(options: &Options) -> Result<Option<Arc<OwnCertificate>>, RunError> {
    let files = match (&options.ssl_certfile, &options.ssl_keyfile) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => TlsFiles {
            certificate: certificate.clone(),
            key: key.clone(),
        },
        (None, Some(_)) => return Err(RunError::HalfTls("--ssl_certfile_path")),
        (Some(_), None) => return Err(RunError::HalfTls("--ssl_keyfile_path")),
    };
    OwnCertificate::read(files)
        .map(Some)
        .map_err(RunError::OwnTls)
}

/// Where to listen. A gateway whose key everybody knows is for this machine, unless somebody says otherwise.
fn host(options: &Options, general: &GeneralSettings) -> String {
    let generates_a_key = options.config.is_none() && general.master_key.is_none();
    let usual = if generates_a_key || general.master_key_problem().is_none() {
        "0.0.0.0"
    } else {
        "127.0.0.1"
    };
    options.host.clone().unwrap_or_else(|| usual.to_owned())
}

/// What a greeting is made of.
struct Greet<'a> {
    options: &'a Options,
    config: &'a Config,
    root_path: &'a RootPath,
    docs: &'a DocsSettings,
    data_dir: &'a DataDir,
    master_key: &'a MasterKey,
    is_tls: bool,
    /// Where the salt key is, if it was made just now.
    salt_key: Option<&'a Path>,
}

/// Tells a person who started without a file what there is and what to try.
fn greet(start: &Greet<'_>, address: SocketAddr) -> Result<(), RunError> {
    let model = start.config.model_list.first();
    greeting::say(
        &Greeting {
            address,
            root_path: start.root_path.as_str(),
            master_key: start.master_key,
            data_dir: start.data_dir.path(),
            is_tls: start.is_tls,
            salt_key: start.salt_key,
            model: model.map_or("gpt-4o", |model| &model.model_name),
            is_demo: !start.options.models.is_any(),
            docs_path: start.docs.page.as_deref(),
        }
        .text(),
    );
    Ok(())
}

fn settings(config: &Config, strict_budgets: bool) -> Settings {
    let general = &config.general_settings;
    let megabytes = |size: f64| (size * 1024.0 * 1024.0).clamp(1024.0, 4e9) as usize;
    Settings {
        most_request_bytes: general
            .max_request_size_mb
            .map_or(MOST_REQUEST_BYTES, megabytes),
        body_timeout: general.client_limits.body_timeout,
        most_answer_bytes: MOST_ANSWER_BYTES,
        budget_exceeded_status: config.litellm_settings.budget_exceeded_status_code,
        strict_budgets,
        lets_in_without_database: general.allow_requests_on_db_unavailable,
        shows_readiness_details: general.allow_public_health_readiness_details,
        drain: general.drain_route.clone(),
        call_id_in_errors: general.include_call_id_in_error_body,
        tells_calls: config.auto_mode.is_on(),
        always_stream_usage: general.always_include_stream_usage,
        network: Arc::new(config.network.clone()),
        health_checks: Arc::new(config.health_checks.clone()),
        asking: AskingRules::of(config),
        responses: general.response_keeping,
    }
}
