//! Health checks of the background: round after round, whether or not anybody looks.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, AsyncContext, Context, WrapFuture};

use super::probe::probe_all;
use super::routes::{Current, InForce, Prepared, Routes};
use crate::config::HealthChecks;
use crate::health::{Finding, HealthBoard, Post};
use crate::router::{ControlHandle, HealthFinding, HealthFindings};
use crate::upstream::Client;

/// How often it is looked whether a round is due: the configuration may change meanwhile.
const LOOK: Duration = Duration::from_secs(1);

/// Begins a round when one is due, one at a time. Idle while `background_health_checks` is off.
pub struct HealthChecker {
    in_force: Arc<InForce>,
    control: Arc<ControlHandle>,
    board: Addr<HealthBoard>,
    /// Made at the first round.
    way: Option<Rc<Way>>,
    /// When the last round began.
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
    ) -> Self {
        Self {
            in_force,
            control,
            board,
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
        self.began = Some(Instant::now());
        self.is_busy = true;
        let way = self.way.get_or_insert_with(|| {
            let client = Client::new(snapshot.settings.network.clone());
            let current = Current::new(&self.in_force, &client);
            Rc::new(Way { client, current })
        });
        let routes = way.current.get(&self.in_force, &way.client);
        let work = round(
            way.clone(),
            routes,
            checks,
            self.control.clone(),
            self.board.clone(),
        );
        let done = work.into_actor(self);
        context.spawn(actix::ActorFutureExt::map(done, |(), checker, _| {
            checker.is_busy = false
        }));
    }
}

impl Actor for HealthChecker {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(LOOK, Self::look);
    }
}

async fn round(
    way: Rc<Way>,
    routes: Rc<Routes>,
    checks: Arc<HealthChecks>,
    control: Arc<ControlHandle>,
    board: Addr<HealthBoard>,
) {
    let asked = asked(&routes, &checks);
    let deployments: Vec<Rc<Prepared>> =
        asked.iter().map(|(_, prepared)| prepared.clone()).collect();
    let findings = probe_all(&way.client, &deployments, checks.concurrency, true).await;
    let failing = findings
        .iter()
        .filter(|finding| finding.problem.is_some())
        .count();
    log::debug!(
        "health: {failing} of {} deployments do not work",
        findings.len()
    );
    if checks.decide_routing {
        let numbers = asked.iter().map(|(number, _)| *number);
        let findings = numbers
            .zip(&findings)
            .map(|(number, finding)| told(number, finding, &checks));
        let message = HealthFindings {
            findings: findings.collect(),
            fresh_for: checks.staleness,
        };
        control.router().do_send(message);
    }
    board.do_send(Post(findings));
}

fn asked(routes: &Routes, checks: &HealthChecks) -> Vec<(u32, Rc<Prepared>)> {
    let is_asked =
        |group: &str| checks.groups.is_empty() || checks.groups.iter().any(|own| own == group);
    let deployments = routes.table().deployments().filter(|(_, deployment)| {
        deployment.mock.is_none()
            && !deployment.is_paused()
            && deployment.health_check.in_background
            && is_asked(&deployment.group)
    });
    deployments
        .filter_map(|(number, _)| Some((number, routes.deployment(number)?.clone())))
        .collect()
}

/// What of a finding decides who is called.
fn told(number: u32, finding: &Finding, checks: &HealthChecks) -> HealthFinding {
    let problem = finding.problem.as_ref();
    let problem = problem.filter(|problem| !checks.ignore_transient || !problem.is_transient());
    let fault = problem.and_then(|problem| problem.fault);
    // One that could not be asked is neither well nor ill.
    let says_something = problem.is_none() || fault.is_some();
    HealthFinding {
        number,
        id: finding.deployment.clone(),
        decides: (checks.spare_failing && says_something).then_some(problem.is_none()),
        fault,
    }
}
