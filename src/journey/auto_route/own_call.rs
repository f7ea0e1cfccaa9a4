//! Calls of a router's own, through a group of the gateway.
//!
//! Such a call is one like any other: admitted under the caller's limits, journalled and billed, with a row of its own. The
//! caller need not be allowed the group: that it is asked the configuration has decided.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use actix::{Handler, Message};
use actix_web::http::header::HeaderMap;
use bytes::Bytes;
use serde_json::Value;

use super::super::admission::admit;
use super::super::asked::Asked;
use super::super::attempt::Came;
use super::super::charge::Charge;
use super::super::failover::serve;
use super::super::reply::Incoming;
use super::super::routes::Routes;
use super::super::worker::Worker;
use super::{Led, RouteMemory};
use crate::auth::Caller;
use crate::protocol;
use crate::protocol::openai::request::Request;
use crate::router::Asker;
use crate::types::{NanoUsd, Operation};

/// Who calls: a request's worker, its configuration and its caller.
#[derive(Clone, Copy)]
pub struct OwnCalls<'a> {
    pub worker: &'a Rc<Worker>,
    pub routes: &'a Rc<Routes>,
    pub caller: &'a Caller,
    /// For a request that is not made.
    pub foresight: Option<&'a Foresight>,
}

/// Where a request would go, found out without doing anything for it: nobody is called, and nothing is remembered.
#[derive(Debug, Default)]
pub struct Foresight {
    /// The group whose answer would decide.
    pub depends_on: OnceCell<Arc<str>>,
}

/// A whole answer, and what it cost; `None`: its model has no known price.
pub struct Answered {
    pub body: Bytes,
    pub cost: Option<NanoUsd>,
}

/// How much longer than its calls somebody waits for them at most: they end by themselves, and tell why.
pub const GRACE: Duration = Duration::from_secs(1);

impl OwnCalls<'_> {
    /// Whether a group is only to be named that would be asked now.
    pub fn are_foreseen(&self, group: &Arc<str>) -> bool {
        let Some(foresight) = self.foresight else {
            return false;
        };
        foresight.depends_on.get_or_init(|| group.clone());
        true
    }

    /// Lets the memory know something.
    pub fn remember<M>(&self, message: M)
    where
        M: Message<Result = ()> + Send + 'static,
        RouteMemory: Handler<M>,
    {
        if self.foresight.is_none() {
            self.worker.shared.route_memory.do_send(message);
        }
    }

    /// Asks a group, which has time until then. `None`: it could not be asked, or has not answered.
    pub async fn ask(
        &self,
        operation: Operation,
        group: &Arc<str>,
        body: &Value,
        until: Instant,
    ) -> Option<Answered> {
        let Self {
            worker,
            routes,
            caller,
            ..
        } = *self;
        let limit = until.checked_duration_since(Instant::now());
        let limit = limit.filter(|limit| !limit.is_zero())?;
        let asker = Asker::of(caller.principal());
        let destination = routes.table().resolve(group, asker).ok()?;
        let (headers, body) = (HeaderMap::new(), Bytes::from(body.to_string()));
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let incoming = Incoming {
            operation,
            model: None,
            headers: &headers,
            body: body.clone(),
            arrived: Instant::now(),
            started_at: i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            call_id: uuid::Uuid::new_v4().to_string().into(),
            client_ip: None,
            share: Default::default(),
            is_copy: false,
        };
        let request = Request::read(protocol::shape(operation), &body, None).ok()?;
        let mut asked = Asked::of_the_gateway(Led::to(destination));
        asked.timeout = Some(limit);
        let admitted = admit(worker, caller, &request, &asked).await;
        let (admitted, mut prospect) = admitted
            .inspect_err(|_| log::debug!("an auto router's own call of {group} was refused"))
            .ok()?;
        let mut charge = Charge::new(worker, &caller.known, &incoming, asked, admitted);
        charge.end_by(until);
        let (mut charge, came) = serve(charge, &request, &mut prospect, None).await.ok()?;
        let Came::Whole(whole) = came else {
            return None;
        };
        let bill = charge.succeed(&whole.told);
        Some(Answered {
            body: whole.body,
            cost: bill.cost.map(|cost| cost.total),
        })
    }
}
