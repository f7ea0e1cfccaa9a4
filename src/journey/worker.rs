//! What one worker thread has.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, Recipient};
use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use super::asked::Rules;
use super::auto_route::{Learned, RouteMemory};
use super::background::Followed;
use super::body_room::BodyRoom;
use super::buffers::Buffers;
use super::chaos::Chaos;
use super::cut::{Cut, Ending, Phase};
use super::mirror::Copies;
use super::reloading::{ReloadConfig, ReloadStatus};
use super::routes::{Current, InForce, Prepared, Routes};
use crate::auth::{Caller, Changes, Directory};
use crate::config::{DrainRoute, HealthChecks, NetworkSettings, ResponseKeeping};
use crate::health::HealthBoard;
use crate::limits::{Enroll, EntityIx};
use crate::metrics::Metrics;
use crate::models::{ChangeModel, TryModel};
use crate::policy::client_access::Reach;
use crate::responses::Keeper;
use crate::router::{ControlHandle, Deployment, Destination, Lease, Port};
use crate::spend::{self, BudgetRenewals, Desk};
use crate::store::Store;
use crate::types::{Operation, Principal};
use crate::upstream::{Client, Endpoint};
use crate::vault::Vault;

/// Figures of the configuration that the way of a request needs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Largest request body, in bytes.
    pub most_request_bytes: usize,
    /// The longest silence within a request's body.
    pub body_timeout: Duration,
    /// Largest answer that is not a stream, in bytes.
    pub most_answer_bytes: usize,
    /// `litellm_settings.budget_exceeded_status_code`.
    pub budget_exceeded_status: u16,
    /// `budget_enforcement: strict`.
    pub strict_budgets: bool,
    /// `general_settings.allow_requests_on_db_unavailable`.
    pub lets_in_without_database: bool,
    /// `general_settings.allow_public_health_readiness_details`.
    pub shows_readiness_details: bool,
    /// Who may drain the instance by `/health/drain`; `None`: nobody.
    pub drain: Option<DrainRoute>,
    /// `general_settings.include_call_id_in_error_body`.
    pub call_id_in_errors: bool,
    /// Each call leaves a line in the log at `info`.
    pub tells_calls: bool,
    /// `general_settings.always_include_stream_usage`.
    pub always_stream_usage: bool,
    /// How providers are reached.
    pub network: Arc<NetworkSettings>,
    pub health_checks: Arc<HealthChecks>,
    /// What requests may ask for.
    pub asking: Rules,
    /// What is kept of responses, and for whom.
    pub responses: ResponseKeeping,
}

/// What all threads share.
pub struct Shared {
    /// The configuration, which a reload replaces.
    pub in_force: Arc<InForce>,
    /// Reads it again.
    pub reload: Recipient<ReloadConfig>,
    /// Changes the database's models.
    pub change_model: Recipient<ChangeModel>,
    /// Says what a model would be that is nobody's yet.
    pub try_model: Recipient<TryModel>,
    pub reload_status: Arc<ReloadStatus>,
    /// How far the end of the process has come.
    pub ending: Arc<Ending>,
    pub metrics: Metrics,
    pub store: Store,
    pub control: Arc<ControlHandle>,
    pub changes: Arc<Changes>,
    pub renewals: Addr<BudgetRenewals>,
    pub ledger: Arc<spend::Gauges>,
    pub journal: Arc<spend::journal::Syncer>,
    /// What checks of deployments have found.
    pub health: Addr<HealthBoard>,
    /// Seals response ids.
    pub vault: Arc<Vault>,
    /// Keeps conversations for upstreams that keep none.
    pub keeper: Addr<Keeper>,
    /// Responses that are made in the background.
    pub followed: Addr<Followed>,
    /// Sessions of auto routers, and what users said of answers.
    pub route_memory: Addr<RouteMemory>,
    /// What was learnt of that.
    pub learned: Arc<ArcSwap<Learned>>,
    /// Room for request bodies.
    pub bodies: Arc<BodyRoom>,
    /// Rehearsals of failures under way.
    pub chaos: Chaos,
    /// Exact token counts at the same time: each keeps a core busy.
    pub counts: Arc<Semaphore>,
}

/// See the module.
pub struct Worker {
    pub shared: Arc<Shared>,
    pub directory: Directory,
    pub desk: Desk,
    pub port: Port,
    pub client: Client,
    pub buffers: Buffers,
    /// Of requests, for `silent_model`.
    pub copies: Copies,
    /// Ends what is under way here when the process has no more time for it.
    pub cut: Rc<Cut>,
    /// For addresses that callers give; made at the first one.
    public_client: OnceCell<Client>,
    current: Current,
}

impl Worker {
    pub fn new(shared: Arc<Shared>, directory: Directory, desk: Desk, port: Port) -> Rc<Self> {
        let client = Client::new(shared.in_force.load().settings.network.clone());
        Rc::new(Self {
            current: Current::new(&shared.in_force, &client),
            client,
            buffers: Buffers::default(),
            copies: Copies::default(),
            cut: heed(&shared.ending),
            public_client: OnceCell::new(),
            directory,
            desk,
            port,
            shared,
        })
    }

    /// What the configuration in force says. A request asks once and holds it; what the control thread has answered with is
    /// in what this returns after the answer.
    pub fn routes(&self) -> Rc<Routes> {
        self.current.get(&self.shared.in_force, &self.client)
    }

    /// The deployment of a lease that was just given to a request that began under `begun`. `None`: it has gone meanwhile.
    ///
    /// The table that a lease is given by is in force when its answer leaves the control thread, and the next one may follow
    /// before the answer is read.
    pub fn leased(
        &self,
        begun: &Routes,
        lease: Lease,
        destination: &Destination,
    ) -> Option<Rc<Prepared>> {
        let present = self.routes();
        let found = present.deployment(lease.deployment);
        let found = found.or_else(|| begun.deployment(lease.deployment))?;
        begun.fitted(found, destination)
    }

    /// The address of a deployment that has a caller's access: made for one call. Where only public addresses may be reached,
    /// a client of its own sees to it.
    pub fn endpoint_with_access(
        &self,
        deployment: &Deployment,
        operation: Operation,
        reach: Reach,
    ) -> Option<(&Client, Endpoint)> {
        let client = match reach {
            Reach::Named => &self.client,
            Reach::Public => self
                .public_client
                .get_or_init(|| Client::public_only(&self.routes().settings().network)),
        };
        let url = deployment.urls[operation.index()].as_deref()?;
        let endpoint = client
            .endpoint(
                url,
                deployment.headers_of(operation),
                deployment.tls.as_ref(),
            )
            .inspect_err(|error| log::debug!("a caller's access cannot be used: {error}"))
            .ok()?;
        Some((client, endpoint))
    }

    /// Whether `principal` may call a model by this name: every list that binds it allows the model or a group it is in.
    pub fn may_call(&self, principal: &Principal, model: &str) -> bool {
        let routes = self.routes();
        routes.table().permit(principal, model).is_ok()
    }

    /// Where the gatekeeper counts this caller's key, user and team; asked once for as long as the caller is cached.
    pub async fn places(&self, caller: &Caller) -> Option<[Option<EntityIx>; 3]> {
        if let Some(places) = caller.known.places.get() {
            return Some(places.map(|place| place.map(EntityIx)));
        }
        let principal = caller.principal();
        let scopes = [
            Some(principal.key.clone()),
            principal.user.clone(),
            principal.team.clone(),
        ];
        let places = self
            .shared
            .control
            .gatekeeper()
            .send(Enroll { scopes })
            .await
            .ok()??;
        caller
            .known
            .places
            .set(Some(places.map(|place| place.map(|EntityIx(place)| place))));
        Some(places)
    }
}

/// Follows the end of the process on this thread.
fn heed(ending: &Ending) -> Rc<Cut> {
    let cut = Rc::<Cut>::default();
    let (time_is_over, all_is_over) = (ending.reached(Phase::Cut), ending.reached(Phase::Over));
    let ours = cut.clone();
    actix_rt::spawn(async move {
        time_is_over.await;
        ours.cut();
        all_is_over.await;
        // Whatever hangs is dropped with the thread's tasks, and settles its call as it goes.
        actix_rt::Arbiter::current().stop();
    });
    cut
}
