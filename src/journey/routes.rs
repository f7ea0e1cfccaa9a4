//! What one thread needs of the configuration in force: the routing table, the settings, and each deployment ready to be
//! called. A request holds the one it began with to its end.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::http::header::{HeaderName, HeaderValue};
use arc_swap::ArcSwap;

use super::answer_prices::AnswerPrices;
use super::azure_login::{Login, Logins};
use super::concretes::Concretes;
use super::headers::prepared;
use super::worker::Settings;
use crate::metrics::{DeploymentMetrics, Metrics};
use crate::models::Models;
use crate::policy::shortlist::GroupFacts;
use crate::policy::wildcard::Wildcard;
use crate::router::{Costs, Deployment, Destination, Group, RoutingTable};
use crate::types::Operation;
use crate::upstream::{Client, Endpoint};

/// What the configuration in force says, for all threads.
pub struct Snapshot {
    pub table: Arc<RoutingTable>,
    pub settings: Settings,
    /// What has become of the database's models.
    pub models: Arc<Models>,
}

/// The snapshot in force. Threads compare one number a request and keep what they made of it.
pub struct InForce {
    snapshot: ArcSwap<Snapshot>,
    version: AtomicU64,
}

impl InForce {
    pub fn new(snapshot: Snapshot) -> Self {
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            version: AtomicU64::new(0),
        }
    }

    pub fn load(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Puts another one in force.
    pub fn publish(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
        self.version.fetch_add(1, Ordering::Release);
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}

/// A deployment as one thread calls it.
pub struct Prepared {
    pub deployment: Arc<Deployment>,
    /// Made at the first call; `None`: it cannot be called so.
    endpoints: [OnceCell<Option<Endpoint>>; Operation::ALL.len()],
    /// Where the token comes from that it is called with, if it is called with one.
    pub login: Option<Rc<Login>>,
    /// Made at the first call: a deployment serves one or two operations, and each has a dozen series.
    metrics: [OnceCell<DeploymentMetrics>; Operation::ALL.len()],
    /// Response headers that all its calls share.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Of the models that its answers name.
    pub answer_prices: AnswerPrices,
    /// Of one that stands for many models by a star: those that were asked for.
    concretes: Concretes<Arc<str>, Option<Rc<Prepared>>>,
}

impl Prepared {
    fn new(deployment: &Arc<Deployment>, login: Option<Rc<Login>>) -> Rc<Self> {
        Rc::new(Self {
            endpoints: Default::default(),
            login,
            metrics: Default::default(),
            headers: prepared(deployment),
            answer_prices: AnswerPrices::default(),
            concretes: Concretes::default(),
            deployment: deployment.clone(),
        })
    }

    /// One that is in no table.
    pub fn alone(deployment: &Arc<Deployment>, client: &Client) -> Rc<Self> {
        let login = Logins::after(std::iter::empty(), client).of(deployment);
        Self::new(deployment, login)
    }

    /// Where it serves an operation.
    pub fn endpoint(&self, client: &Client, operation: Operation) -> Option<&Endpoint> {
        let endpoint = self.endpoints.get(operation.index())?;
        let make = || {
            let deployment = &self.deployment;
            let url = deployment.urls[operation.index()].as_deref()?;
            client
                .endpoint(
                    url,
                    deployment.headers_of(operation),
                    deployment.tls.as_ref(),
                )
                .inspect_err(|error| {
                    log::error!("deployment {} cannot be called: {error}", deployment.id)
                })
                .ok()
        };
        endpoint.get_or_init(make).as_ref()
    }

    /// The same for one name of those that `pattern`, the name of its group, stands for. `None`: that is no model of its
    /// provider.
    fn standing_for(self: &Rc<Self>, pattern: &Wildcard, name: &Arc<str>) -> Option<Rc<Self>> {
        if !self.deployment.stands_for_many() {
            return Some(self.clone());
        }
        let make = || {
            let deployment = self.deployment.standing_for(pattern, name)?;
            Some(Self::new(&Arc::new(deployment), self.login.clone()))
        };
        self.concretes.get_or_make(name, make)
    }

    /// The series of its calls of one operation.
    pub fn metrics(&self, metrics: &Metrics, operation: Operation) -> Option<&DeploymentMetrics> {
        let series = self.metrics.get(operation.index())?;
        let deployment = &self.deployment;
        Some(series.get_or_init(|| {
            let [group, model] = deployment.metric_names();
            metrics.deployment([
                group,
                model,
                &deployment.id,
                &deployment.provider,
                operation.path(),
            ])
        }))
    }
}

/// A snapshot with its deployments prepared for this thread.
pub struct Routes {
    snapshot: Arc<Snapshot>,
    /// By number.
    prepared: Vec<Option<Rc<Prepared>>>,
    /// Of what stars stand for.
    costs: Concretes<Destination, Arc<Costs>>,
    facts: Concretes<Destination, Arc<GroupFacts>>,
}

impl Routes {
    /// Prepares a snapshot; deployments that are as in `before` stay prepared.
    fn new(snapshot: Arc<Snapshot>, before: &[Option<Rc<Prepared>>], client: &Client) -> Self {
        let present = before.iter().flatten();
        let mut logins = Logins::after(present.filter_map(|known| known.login.clone()), client);
        let table = &snapshot.table;
        let mut prepared = vec![None; table.deployment_places()];
        for (number, deployment) in table.deployments() {
            let number = number as usize;
            let known = before.get(number).and_then(Option::as_ref);
            let known = known.filter(|known| Arc::ptr_eq(&known.deployment, deployment));
            let made = || Prepared::new(deployment, logins.of(deployment));
            prepared[number] = Some(known.cloned().unwrap_or_else(made));
        }
        Self {
            snapshot,
            prepared,
            costs: Concretes::default(),
            facts: Concretes::default(),
        }
    }

    pub fn table(&self) -> &Arc<RoutingTable> {
        &self.snapshot.table
    }

    pub fn models(&self) -> &Models {
        &self.snapshot.models
    }

    pub fn settings(&self) -> &Settings {
        &self.snapshot.settings
    }

    pub fn group(&self, number: u32) -> Option<&Group> {
        self.table().group(number)
    }

    pub fn deployment(&self, number: u32) -> Option<&Rc<Prepared>> {
        self.prepared.get(number as usize)?.as_ref()
    }

    /// A deployment as a call of `destination` needs it. `None`: the name that is asked for is no model of its provider.
    pub fn fitted(
        &self,
        prepared: &Rc<Prepared>,
        destination: &Destination,
    ) -> Option<Rc<Prepared>> {
        let Some(name) = &destination.concrete else {
            return Some(prepared.clone());
        };
        let pattern = self.group(destination.group)?.pattern.as_ref()?;
        prepared.standing_for(pattern, name)
    }

    /// The deployments that may take a call of `destination`, as it needs them.
    pub fn members(&self, destination: &Destination) -> impl Iterator<Item = Rc<Prepared>> {
        let only = destination.only;
        let members = self.numbered(destination);
        let members = members.filter(move |(number, _)| only.is_none_or(|only| only == *number));
        members.filter_map(|(_, member)| member)
    }

    /// All members of the group of `destination` by their numbers; `None`: the name that is asked for is no model of its
    /// provider.
    fn numbered(
        &self,
        destination: &Destination,
    ) -> impl Iterator<Item = (u32, Option<Rc<Prepared>>)> {
        let group = self.group(destination.group);
        let members = group.map_or(&[][..], |group| &group.members);
        members.iter().filter_map(|member| {
            let prepared = self.deployment(member.deployment)?;
            Some((member.deployment, self.fitted(prepared, destination)))
        })
    }

    /// What requests may choose by the deployments for a call of `destination`, where its group cannot say it: a star stands
    /// for the model.
    pub fn facts(&self, destination: &Destination) -> Option<Arc<GroupFacts>> {
        destination.concrete.as_ref()?;
        let make = || {
            let members = self.numbered(destination);
            let members = members
                .map(|(number, member)| (number, member.map(|member| member.deployment.clone())));
            Arc::new(self.table().facts_of(members))
        };
        Some(self.facts.get_or_make(destination, make))
    }

    /// What a call of `destination` can cost, where its group cannot say it: a star stands for the model.
    pub fn costs(&self, destination: &Destination) -> Option<Arc<Costs>> {
        destination.concrete.as_ref()?;
        let make = || {
            let mut costs = Costs::default();
            let members = self.members(destination);
            let members = members.filter(|prepared| !prepared.deployment.is_paused());
            members.for_each(|prepared| costs.add(&prepared.deployment));
            Arc::new(costs)
        };
        Some(self.costs.get_or_make(destination, make))
    }
}

/// The routes of a thread, made anew when another snapshot is in force.
pub struct Current {
    version: Cell<u64>,
    routes: RefCell<Rc<Routes>>,
}

impl Current {
    pub fn new(in_force: &InForce, client: &Client) -> Self {
        // The version first: a snapshot that is published in between is only made anew once more.
        let version = in_force.version();
        let routes = Routes::new(in_force.load(), &[], client);
        Self {
            version: Cell::new(version),
            routes: RefCell::new(Rc::new(routes)),
        }
    }

    /// What is in force now.
    pub fn get(&self, in_force: &InForce, client: &Client) -> Rc<Routes> {
        let version = in_force.version();
        if self.version.get() != version {
            let routes = {
                let (snapshot, before) = (in_force.load(), self.routes.borrow());
                // Another way to providers: nothing that was prepared for the former one is of use.
                let is_other_way = client.adopt(&snapshot.settings.network);
                let known = if is_other_way {
                    &[]
                } else {
                    before.prepared.as_slice()
                };
                Routes::new(snapshot, known, client)
            };
            *self.routes.borrow_mut() = Rc::new(routes);
            self.version.set(version);
        }
        self.routes.borrow().clone()
    }
}
