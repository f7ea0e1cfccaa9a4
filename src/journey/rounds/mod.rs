//! Health checks of the background: round after round, whether or not anybody looks.

mod shared;

use std::collections::HashMap;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, AsyncContext, Context, WrapFuture};

use super::cut::{Ending, Phase};
use super::probe::probe_all;
use super::routes::{Current, InForce, Prepared, Routes};
use crate::config::HealthChecks;
use crate::health::{Finding, HealthBoard, Post, keep};
use crate::router::{ControlHandle, HealthFinding, HealthFindings};
use crate::spend::Desk;
use crate::steps;
use crate::store::Store;
use crate::types::{DeploymentId, LedgerId};
use crate::upstream::Client;

/// How often it is looked whether a round is due: the configuration may change meanwhile.
const LOOK: Duration = Duration::from_secs(1);

/// Begins a round when one is due, one at a time. Idle while `background_health_checks` is off. Its thread is its own, and ends
/// when the process is told to end.
pub struct HealthChecker {
    in_force: Arc<InForce>,
    control: Arc<ControlHandle>,
    board: Addr<HealthBoard>,
    store: Store,
    desk: Desk,
    ending: Arc<Ending>,
    /// What this instance is called among those that share their findings.
    name: LedgerId,
    /// Made at the first round.
    way: Option<Rc<Way>>,
    /// When the last round began, here or where it was shared.
    began: Option<Instant>,
    is_busy: bool,
}

/// How this thread reaches deployments.
struct Way {
    client: Client,
    current: Current,
}

impl HealthChecker {
    pub fn new(
        in_force: Arc<InForce>,
        control: Arc<ControlHandle>,
        board: Addr<HealthBoard>,
        store: Store,
        desk: Desk,
        ending: Arc<Ending>,
    ) -> Self {
        Self {
            desk,
            ending,
            in_force,
            control,
            board,
            store,
            name: LedgerId::now(),
            way: None,
            began: None,
            is_busy: false,
        }
    }

    fn look(&mut self, context: &mut Context<Self>) {
        let snapshot = self.in_force.load();
        let checks = snapshot.settings.health_checks.clone();
        if !checks.in_background {
            self.began = None;
            return;
        }
        let is_due = self
            .began
            .is_none_or(|began| began.elapsed() >= checks.interval);
        if self.is_busy || !is_due {
            return;
        }
        let way = self.way.get_or_insert_with(|| {
            let client = Client::new(snapshot.settings.network.clone());
            let current = Current::new(&self.in_force, &client);
            Rc::new(Way { client, current })
        });
        let round = Round {
            routes: way.current.get(&self.in_force, &way.client),
            way: way.clone(),
            checks,
            control: self.control.clone(),
            board: self.board.clone(),
            store: self.store.clone(),
            desk: self.desk.clone(),
        };
        let name = self.name.to_string();
        let looked = Instant::now();
        let work = async move {
            steps::point("health.round");
            if round.checks.shared {
                return shared::round(&round, &name).await;
            }
            round.ask().await;
            Some(Duration::ZERO)
        };
        let done = async move {
            let done = steps::contained_future("health.round", pin!(work)).await;
            // One that panicked is over: the next comes when it is due.
            done.unwrap_or(Some(Duration::ZERO))
        };
        let done = done.into_actor(self);
        let taken = move |age: Option<Duration>, checker: &mut Self, _: &mut Context<Self>| {
            checker.is_busy = false;
            if let Some(age) = age {
                checker.began = looked.checked_sub(age).or(Some(looked));
            }
        };
        self.is_busy = true;
        context.spawn(actix::ActorFutureExt::map(done, taken));
    }
}

impl Actor for HealthChecker {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(LOOK, |checker, context| {
            steps::contained("health.look", || checker.look(context));
        });
        // Nobody waits for a check: its thread ends first, and leaves its journal to those who book what is left.
        let ending = self.ending.reached(Phase::Draining);
        actix_rt::spawn(async move {
            ending.await;
            actix_rt::Arbiter::current().stop();
        });
    }
}

/// What a round needs.
struct Round {
    way: Rc<Way>,
    routes: Rc<Routes>,
    checks: Arc<HealthChecks>,
    control: Arc<ControlHandle>,
    board: Addr<HealthBoard>,
    store: Store,
    desk: Desk,
}

impl Round {
    /// Asks all deployments that the background asks, and hands on what they answer.
    async fn ask(&self) {
        let deployments: Vec<Rc<Prepared>> =
            self.asked().map(|(_, prepared)| prepared.clone()).collect();
        let concurrency = self.checks.concurrency;
        let findings = probe_all(
            &self.way.client,
            &self.desk,
            &deployments,
            concurrency,
            true,
        )
        .await;
        let failing = findings
            .iter()
            .filter(|finding| finding.problem.is_some())
            .count();
        log::debug!(
            "health: {failing} of {} deployments do not work",
            findings.len()
        );
        self.tell_router(&findings, self.checks.staleness);
        keep(&self.store, &findings).await;
        self.board.do_send(Post(findings));
    }

    /// Takes what another instance has found so long ago.
    fn take(&self, findings: Vec<Finding>, age: Duration) {
        self.tell_router(&findings, self.checks.staleness.saturating_sub(age));
        self.board.do_send(Post(findings));
    }

    fn asked(&self) -> impl Iterator<Item = (u32, &Rc<Prepared>)> {
        let groups = &self.checks.groups;
        let is_asked = |group: &str| groups.is_empty() || groups.iter().any(|own| own == group);
        let deployments = self.routes.table().deployments();
        deployments
            .filter(move |(_, deployment)| {
                deployment.mock.is_none()
                    && !deployment.is_paused()
                    && deployment.health_check.in_background
                    && is_asked(&deployment.group)
            })
            .filter_map(|(number, _)| Some((number, self.routes.deployment(number)?)))
    }

    fn tell_router(&self, findings: &[Finding], fresh_for: Duration) {
        if !self.checks.decide_routing {
            return;
        }
        let found: HashMap<&DeploymentId, &Finding> = findings
            .iter()
            .map(|finding| (&finding.deployment, finding))
            .collect();
        let told = self.asked().filter_map(|(number, prepared)| {
            let finding = found.get(&prepared.deployment.id)?;
            Some(told(number, finding, &self.checks))
        });
        let message = HealthFindings {
            findings: told.collect(),
            fresh_for,
        };
        self.control.router().do_send(message);
    }
}

/// What of a finding decides who is called.
fn told(number: u32, finding: &Finding, checks: &HealthChecks) -> HealthFinding {
    let problem = finding.problem.as_ref();
    let problem = problem.filter(|problem| !checks.ignore_transient || !problem.is_transient());
    let fault = problem.and_then(|problem| problem.fault);
    // One that could not be asked is neither well nor ill; of what others have found it is only known whether.
    let says_something = problem.is_none_or(|problem| problem.was_asked);
    HealthFinding {
        number,
        id: finding.deployment.clone(),
        decides: (checks.spare_failing && says_something).then_some(problem.is_none()),
        fault,
    }
}
