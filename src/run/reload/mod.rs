//! Another configuration without a restart: read, compared with the one in force, and put in its place as a whole, or not at
//! all.
//!
//! The [`Reloader`] is asked by SIGHUP, by the [`watch`] over the files and by `POST /config/reload`, one at a time. It tells
//! the control thread, which tells the workers. Calls under way end under what they began with.

mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, AtomicResponse, Context, Handler, WrapFuture};
use actix_rt::signal::unix;

use super::configuration::{self, Environment};
use super::settings;
use crate::cli::Options;
use crate::config::{Config, Difference, Loaded, Outline, Severity};
use crate::journey::{InForce, Rejected, ReloadConfig, ReloadStatus, Snapshot};
use crate::router::{ControlHandle, Earlier, Reload, RoutingTable, Tables};
use crate::upstream;

use watch::Look;

pub use watch::Seen;

/// What a [`Reloader`] is made of.
pub struct Reloading {
    pub options: Arc<Options>,
    pub environment: Arc<Environment>,
    /// In force.
    pub loaded: Loaded,
    pub table: Arc<RoutingTable>,
    pub control: Arc<ControlHandle>,
    pub in_force: Arc<InForce>,
    pub status: Arc<ReloadStatus>,
    /// What the files were when `loaded` was read.
    pub seen: Seen,
}

/// See the module. Lives on the main thread.
pub struct Reloader {
    options: Arc<Options>,
    environment: Arc<Environment>,
    loaded: Arc<Loaded>,
    /// What the process was started with.
    started: Arc<Outline>,
    tables: Tables,
    control: Arc<ControlHandle>,
    in_force: Arc<InForce>,
    status: Arc<ReloadStatus>,
    seen: Seen,
}

impl Reloader {
    pub fn new(reloading: Reloading) -> Self {
        let Reloading {
            options,
            environment,
            loaded,
            table,
            control,
            in_force,
            status,
            seen,
        } = reloading;
        Self {
            options,
            environment,
            seen,
            started: Arc::new(loaded.outline.clone()),
            loaded: Arc::new(loaded),
            tables: Tables::new(table),
            control,
            in_force,
            status,
        }
    }

    fn look_later(&self, context: &mut Context<Self>) {
        let interval = self.loaded.config.general_settings.config_watch_interval;
        // Switched off by a reload, it may be switched on by the next.
        let next = if interval.is_zero() {
            Duration::from_secs(5)
        } else {
            interval
        };
        context.notify_later(Look, next);
    }
}

impl Actor for Reloader {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.look_later(context);
        match unix::signal(unix::SignalKind::hangup()) {
            Ok(mut hangup) => {
                let own = context.address();
                actix_rt::spawn(async move {
                    while hangup.recv().await.is_some() {
                        own.do_send(ReloadConfig { by: "SIGHUP" });
                    }
                });
            }
            Err(error) => log::error!("SIGHUP will not reload: {error}"),
        }
    }
}

impl Handler<ReloadConfig> for Reloader {
    /// No other message is handled before this one is done.
    type Result = AtomicResponse<Self, Result<Arc<Difference>, Rejected>>;

    fn handle(&mut self, message: ReloadConfig, _: &mut Self::Context) -> Self::Result {
        let (options, environment) = (self.options.clone(), self.environment.clone());
        let (started, present) = (self.started.clone(), self.loaded.clone());
        // Held until the new table is in force: what it shares with them keeps its number.
        let tables = self.tables.earlier(false);
        let (control, in_force) = (self.control.clone(), self.in_force.clone());
        // Before they are read: a change in between is news at the next look.
        self.seen = Seen::at(&self.seen.paths());
        let work = async move {
            let prepared = actix_web::rt::task::spawn_blocking(move || {
                prepare(&options, &environment, (&started, &present), tables)
            });
            let prepared = prepared.await;
            let (files, prepared) = prepared.unwrap_or_else(|_| {
                let rejected = reject("reading it failed in an unexpected way");
                (Vec::new(), Err(rejected))
            });
            let taken = match prepared {
                Ok(prepared) => put_in_force(prepared, &control, &in_force).await,
                Err(rejected) => Err(rejected),
            };
            (files, taken)
        };
        let work = work.into_actor(self);
        let done =
            actix::ActorFutureExt::map(work, move |(files, outcome), reloader: &mut Self, _| {
                // Also those of a file that was refused: it may be one of them that is mended.
                reloader.seen.follow(&files);
                reloader.finish(outcome, message.by)
            });
        AtomicResponse::new(Box::pin(done))
    }
}

impl Reloader {
    fn finish(
        &mut self,
        outcome: Result<Prepared, Rejected>,
        by: &str,
    ) -> Result<Arc<Difference>, Rejected> {
        match outcome {
            Ok(prepared) => {
                self.tables.advance(prepared.table);
                self.loaded = Arc::new(prepared.loaded);
                self.status.accept();
                let difference = prepared.difference;
                log::info!("configuration reloaded ({by}): {difference}");
                Ok(Arc::new(difference))
            }
            Err(rejected) => {
                for complaint in &rejected.complaints {
                    log::error!("{complaint}");
                }
                log::error!("the configuration has errors (above); the one in force stays ({by})");
                self.status.reject(&rejected);
                Err(rejected)
            }
        }
    }
}

/// A configuration that may be put in force.
struct Prepared {
    loaded: Loaded,
    table: Arc<RoutingTable>,
    difference: Difference,
}

fn reject(complaint: impl ToString) -> Rejected {
    Rejected {
        complaints: vec![complaint.to_string()],
    }
}

/// Reads and compiles; blocks. Answers the files as well.
fn prepare(
    options: &Options,
    environment: &Environment,
    before: (&Outline, &Loaded),
    earlier: Earlier,
) -> (Vec<PathBuf>, Result<Prepared, Rejected>) {
    match configuration::read(options, environment) {
        Ok(loaded) => {
            let files = loaded.files.clone();
            (files, compile(loaded, environment, before, earlier))
        }
        Err(error) => (Vec::new(), Err(reject(error))),
    }
}

fn compile(
    loaded: Loaded,
    environment: &Environment,
    (started, present): (&Outline, &Loaded),
    mut earlier: Earlier,
) -> Result<Prepared, Rejected> {
    if loaded.has_errors() {
        let errors = loaded.diagnostics.iter();
        let errors = errors.filter(|told| told.severity == Severity::Error);
        return Err(Rejected {
            complaints: errors.map(ToString::to_string).collect(),
        });
    }
    upstream::check(&loaded.config).map_err(reject)?;
    let difference = Difference::between(started, present, &loaded);
    if !difference.is_empty() {
        configuration::report(&loaded.diagnostics, environment);
    }
    earlier.settings_are_kept = difference.keeps_settings();
    let compile = || RoutingTable::compile_after(&loaded.config, &earlier);
    let table = Arc::new(loaded.own_models.during(compile));
    Ok(Prepared {
        loaded,
        table,
        difference,
    })
}

async fn put_in_force(
    prepared: Prepared,
    control: &Arc<ControlHandle>,
    in_force: &Arc<InForce>,
) -> Result<Prepared, Rejected> {
    let config: &Config = &prepared.loaded.config;
    // What is decided at the start alone is said to be so: the answer names it.
    let strict = in_force.load().settings.strict_budgets;
    let snapshot = Snapshot {
        table: prepared.table.clone(),
        settings: settings(config, strict),
    };
    prepared.loaded.own_models.lay();
    let in_force = in_force.clone();
    let reload = Reload {
        table: prepared.table.clone(),
        publish: Box::new(move || in_force.publish(snapshot)),
    };
    let taken = control.router().send(reload).await;
    taken.map_err(|_| reject("the control thread did not take it up; try again"))?;
    Ok(prepared)
}
