//! What one worker thread has.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use actix::Addr;
use actix_web::http::header::{HeaderName, HeaderValue};
use tokio::sync::Semaphore;

use super::answer_prices::AnswerPrices;
use super::asked::Rules;
use super::azure_login::{Login, logins};
use super::buffers::Buffers;
use super::headers::prepared;
use crate::auth::{Caller, Changes, Directory};
use crate::limits::{Enroll, EntityIx};
use crate::metrics::{DeploymentMetrics, Metrics};
use crate::policy::access;
use crate::policy::client_access::Reach;
use crate::router::{ControlHandle, Deployment, Port, RoutingTable};
use crate::spend::{self, BudgetRenewals, Desk};
use crate::store::Store;
use crate::types::{Operation, Principal};
use crate::upstream::{Client, Endpoint};

/// Figures of the configuration that the way of a request needs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Largest request body, in bytes.
    pub most_request_bytes: usize,
    /// Largest answer that is not a stream, in bytes.
    pub most_answer_bytes: usize,
    /// `litellm_settings.budget_exceeded_status_code`.
    pub budget_exceeded_status: u16,
    /// `budget_enforcement: strict`.
    pub strict_budgets: bool,
    /// `general_settings.include_call_id_in_error_body`.
    pub call_id_in_errors: bool,
    /// `general_settings.always_include_stream_usage`.
    pub always_stream_usage: bool,
    /// What requests may ask for.
    pub asking: Rules,
}

/// What all threads share.
pub struct Shared {
    pub settings: Settings,
    pub metrics: Metrics,
    pub store: Store,
    pub control: Arc<ControlHandle>,
    pub changes: Arc<Changes>,
    pub renewals: Addr<BudgetRenewals>,
    pub ledger: Arc<spend::Gauges>,
    pub journal: Arc<spend::journal::Syncer>,
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
    pub answer_prices: AnswerPrices,
    /// For addresses that callers give; made at the first one.
    public_client: OnceCell<Client>,
    table: Arc<RoutingTable>,
    /// One a deployment and operation; `None`: it cannot be called so.
    endpoints: Vec<[Option<Endpoint>; Operation::ALL.len()]>,
    /// One a deployment; `None`: it needs no token, or can have none.
    logins: Vec<Option<Rc<Login>>>,
    /// Made at the first call: a deployment serves one or two operations, and each has a dozen series.
    metrics: Vec<[OnceCell<DeploymentMetrics>; Operation::ALL.len()]>,
    headers: Vec<Vec<(HeaderName, HeaderValue)>>,
}

impl Worker {
    /// Prepares this thread: addresses of all deployments are resolved here, once.
    pub fn new(shared: Arc<Shared>, directory: Directory, desk: Desk, port: Port) -> Rc<Self> {
        let client = Client::new();
        let table = shared.control.table().clone();
        let endpoints = |deployment: &Arc<Deployment>| {
            Operation::ALL.map(|operation| {
                let url = deployment.urls[operation.index()].as_deref()?;
                client
                    .endpoint(url, &deployment.headers)
                    .inspect_err(|error| {
                        log::error!("deployment {} cannot be called: {error}", deployment.id)
                    })
                    .ok()
            })
        };
        Rc::new(Self {
            endpoints: table.deployments.iter().map(endpoints).collect(),
            logins: logins(&table.deployments, &client),
            metrics: table
                .deployments
                .iter()
                .map(|_| Default::default())
                .collect(),
            headers: table.deployments.iter().map(|d| prepared(d)).collect(),
            client,
            buffers: Buffers::default(),
            answer_prices: AnswerPrices::default(),
            public_client: OnceCell::new(),
            table,
            directory,
            desk,
            port,
            shared,
        })
    }

    pub fn table(&self) -> &Arc<RoutingTable> {
        &self.table
    }

    pub fn deployment(&self, index: u32) -> Option<&Arc<Deployment>> {
        self.table.deployments.get(index as usize)
    }

    /// Where a deployment serves an operation.
    pub fn endpoint(&self, index: u32, operation: Operation) -> Option<&Endpoint> {
        self.endpoints.get(index as usize)?[operation.index()].as_ref()
    }

    /// Where the token comes from that a deployment is called with, if it is called with one.
    pub fn login(&self, index: u32, deployment: &Deployment) -> Option<&Rc<Login>> {
        deployment.entra.as_ref()?;
        self.logins.get(index as usize)?.as_ref()
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
            Reach::Public => self.public_client.get_or_init(Client::public_only),
        };
        let url = deployment.urls[operation.index()].as_deref()?;
        let endpoint = client
            .endpoint(url, &deployment.headers)
            .inspect_err(|error| log::debug!("a caller's access cannot be used: {error}"))
            .ok()?;
        Some((client, endpoint))
    }

    /// The series of a deployment's calls of one operation.
    pub fn metrics(&self, index: u32, operation: Operation) -> Option<&DeploymentMetrics> {
        let series = self.metrics.get(index as usize)?.get(operation.index())?;
        let deployment = self.deployment(index)?;
        Some(series.get_or_init(|| {
            self.shared.metrics.deployment([
                &deployment.group,
                &deployment.model,
                &deployment.id,
                &deployment.provider,
                operation.path(),
            ])
        }))
    }

    /// Response headers that all calls of a deployment share.
    pub fn headers(&self, index: u32) -> Option<&[(HeaderName, HeaderValue)]> {
        self.headers.get(index as usize).map(Vec::as_slice)
    }

    /// Whether `principal` may call a model by this name: every list that binds it allows the model or a group it is in.
    pub fn may_call(&self, principal: &Principal, model: &str) -> bool {
        let groups = |model: &str| self.table.access_groups(model);
        access::check_with_groups(principal, model, groups).is_ok()
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
            .ok()?;
        caller
            .known
            .places
            .set(Some(places.map(|place| place.map(|EntityIx(place)| place))));
        Some(places)
    }
}
