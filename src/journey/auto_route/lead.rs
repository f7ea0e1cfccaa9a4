//! Asks an auto router where a request goes.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::header::HeaderMap;

use super::super::asked::Asked;
use super::super::failure::Failure;
use super::super::routes::Routes;
use super::super::worker::Worker;
use super::memory::{Bind, Bound};
use super::own_call::{Foresight, OwnCalls};
use super::sessions::{ClaudeCode, Session};
use super::{Chosen, Decided, Led, difficulty, experience, meaning, told};
use crate::auth::Caller;
use crate::policy::access;
use crate::protocol::openai::request::Request;
use crate::protocol::user_text::UserText;
use crate::router::{Asker, AutoRouter, RoutingTable, Way};
use crate::types::Operation;

/// Where a request goes that an auto router is asked about; `None` where none is. The caller's lists are asked about the name
/// that it asked for: where that leads is the configuration's business.
pub async fn lead(
    worker: &Rc<Worker>,
    routes: &Rc<Routes>,
    caller: &Caller,
    request: &Request<'_>,
    asked: &Asked,
    headers: &HeaderMap,
) -> Result<Option<Rc<Led>>, Failure> {
    let calls = OwnCalls {
        worker,
        routes,
        caller,
        foresight: None,
    };
    led(calls, request, asked, headers).await
}

/// The same for a request that is not made: nobody is called, and nothing is remembered.
pub async fn foresee(
    worker: &Rc<Worker>,
    routes: &Rc<Routes>,
    caller: &Caller,
    request: &Request<'_>,
    asked: &Asked,
    headers: &HeaderMap,
) -> Result<Option<Rc<Led>>, Failure> {
    let foresight = Foresight::default();
    let calls = OwnCalls {
        worker,
        routes,
        caller,
        foresight: Some(&foresight),
    };
    let led = led(calls, request, asked, headers).await;
    match foresight.depends_on.get() {
        Some(group) => Err(Failure::Unforeseen {
            model: request.model().unwrap_or_default().to_owned(),
            group: group.clone(),
        }),
        None => led,
    }
}

async fn led(
    calls: OwnCalls<'_>,
    request: &Request<'_>,
    asked: &Asked,
    headers: &HeaderMap,
) -> Result<Option<Rc<Led>>, Failure> {
    let OwnCalls {
        worker,
        routes,
        caller,
        ..
    } = calls;
    let (table, principal) = (routes.table(), caller.principal());
    let Some(name) = request.model().filter(|_| table.has_auto_routers()) else {
        return Ok(None);
    };
    let Some(router) = router_for(calls, table, request, asked, headers).await else {
        return Ok(None);
    };
    let denied = |by| Failure::ModelDenied {
        by,
        model: name.to_owned(),
    };
    // Where copies go the configuration decides.
    if !asked.is_copy {
        table.permit(principal, name).map_err(denied)?;
    }
    let said = UserText::of(request.operation(), request.bytes());
    let session = Session::of(&router, caller, asked, &said);
    let decided = match &router.way {
        Way::Complexity(difficulty) => {
            let session = session.filter(|session| session.is_named);
            difficulty::decide(calls, difficulty, request, &said, session).await
        }
        Way::Quality(quality) => quality.decide(&said.last).map(|decision| Decided {
            headers: told::of_quality(&decision),
            ..Decided::plainly(decision.group)
        }),
        Way::Adaptive(adaptive) => {
            let floor = experience::floor(headers, asked).map_err(Failure::Request)?;
            experience::decide(worker, &router, adaptive, &said, floor)
        }
        Way::Semantic { meaning, .. } => {
            let place = meaning::route(calls, meaning, &said.last).await;
            let place = place.ok().flatten();
            let route = place.and_then(|place| meaning.comparison.routes.get(place));
            route.map(|route| Decided::plainly(route.name.clone()))
        }
    };
    // What nobody serves, and no decision at all, is what the default is for.
    let asker = Asker::of(principal);
    let leads = |decided: Decided| {
        let destination = table.resolve(&decided.target.model, asker).ok()?;
        Some((decided, destination))
    };
    let mut defaults = router.groups.iter().cloned().map(Decided::plainly);
    let led = decided.and_then(leads).or_else(|| defaults.find_map(leads));
    let (decided, destination) = led.ok_or_else(|| Failure::LedNowhere(name.to_owned()))?;
    let chosen = decided.chosen.map(|kind| Chosen {
        router: router.name.clone(),
        group: decided.target.model.clone(),
        kind,
    });
    if let (Some(chosen), Some(session)) = (&chosen, session) {
        experience::hear(calls, session, chosen, &said);
    }
    let fields = decided.target.overrides.as_slice();
    let body = (!fields.is_empty()).then(|| Box::new(request.with_fields(fields)));
    Ok(Some(Rc::new(Led {
        headers: decided.headers,
        body,
        chosen,
        session_stays: router.session_stays(),
        ..Led::to(destination)
    })))
}

/// The router that a request asks for; or, where an agent of Claude Code asks for a model of its own choice, the one that the
/// conversation it works for asked for last (LiteLLM 1.106.2).
async fn router_for(
    calls: OwnCalls<'_>,
    table: &RoutingTable,
    request: &Request<'_>,
    asked: &Asked,
    headers: &HeaderMap,
) -> Option<Arc<AutoRouter>> {
    let OwnCalls { worker, caller, .. } = calls;
    let (principal, name) = (caller.principal(), request.model()?);
    let own = table.auto_router(access::target(principal, name)).cloned();
    let Some(code) = ClaudeCode::of(caller, headers).filter(|_| !asked.is_copy) else {
        return own;
    };
    let memory = &worker.shared.route_memory;
    let session = code.session;
    match own {
        Some(own) => {
            if !code.is_agent {
                let router = own.name.clone();
                calls.remember(Bind { session, router });
            }
            Some(own)
        }
        None => {
            let is_known = || table.resolve(name, Asker::of(principal)).is_ok();
            let is_conversation = Operation::CONVERSATIONS.contains(&request.operation());
            if !code.is_agent || !is_conversation || !is_known() {
                return None;
            }
            let bound = memory.send(Bound { session }).await.ok().flatten()?;
            let router = table.auto_router(&bound)?;
            let may_ask = table.permit(principal, &router.name).is_ok();
            may_ask.then(|| router.clone())
        }
    }
}
