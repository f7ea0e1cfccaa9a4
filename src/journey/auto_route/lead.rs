//! Asks an auto router where a request goes.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderMap;

use super::super::asked::Asked;
use super::super::failure::Failure;
use super::super::routes::Routes;
use super::super::worker::Worker;
use super::memory::{Heard, Recall, Stay};
use super::{Chosen, Led, meaning, told};
use crate::auth::Caller;
use crate::policy::access;
use crate::policy::auto_router::feedback::Feedback;
use crate::policy::auto_router::request_type::RequestType;
use crate::policy::auto_router::{adaptive, complexity};
use crate::policy::fallback::Target;
use crate::protocol::openai::request::{Request, RequestError};
use crate::protocol::user_text::UserText;
use crate::router::{Asker, AutoRouter, Way};

const FLOOR: &str = "x-litellm-min-quality-tier";

/// What a router has decided.
struct Decided {
    target: Target,
    headers: Vec<told::Header>,
    chosen: Option<RequestType>,
}

impl Decided {
    fn plainly(group: Arc<str>) -> Self {
        Self {
            target: Target::plain(group),
            headers: Vec::new(),
            chosen: None,
        }
    }
}

/// Where a request goes that asks for an auto router; `None` where it asks for no such name. The caller's lists are asked about the router's name: where it leads is the configuration's business.
pub async fn lead(
    worker: &Rc<Worker>,
    routes: &Rc<Routes>,
    caller: &Caller,
    request: &Request<'_>,
    asked: &Asked,
    headers: &HeaderMap,
) -> Result<Option<Rc<Led>>, Failure> {
    let (table, principal) = (routes.table(), caller.principal());
    let Some(name) = request.model() else {
        return Ok(None);
    };
    let Some(router) = table.auto_router(access::target(principal, name)) else {
        return Ok(None);
    };
    let denied = |by| Failure::ModelDenied {
        by,
        model: name.to_owned(),
    };
    table.permit(principal, name).map_err(denied)?;
    let said = UserText::of(request.operation(), request.bytes());
    let decided = match &router.way {
        Way::Complexity(settings) => {
            let session = session(router, caller, asked, &said).filter(|(is_named, _)| *is_named);
            by_complexity(worker, settings, &said, session.map(|(_, session)| session)).await
        }
        Way::Quality(quality) => quality.decide(&said.last).map(|decision| Decided {
            headers: told::of_quality(&decision),
            ..Decided::plainly(decision.group)
        }),
        Way::Adaptive(adaptive) => {
            let floor = floor(headers).map_err(Failure::Request)?;
            adapted(worker, router, adaptive, &said, floor)
        }
        Way::Semantic(known) => {
            let route = meaning::route(worker, routes, caller, known, &said.last).await;
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
    let (decided, destination) = led.ok_or_else(|| Failure::UnknownModel(Some(name.to_owned())))?;
    let chosen = decided.chosen.map(|kind| Chosen {
        router: router.name.clone(),
        group: decided.target.model.clone(),
        kind,
    });
    if let Some(chosen) = &chosen
        && let Some((_, session)) = session(router, caller, asked, &said)
    {
        // What is said first answers nobody.
        let feedback = Feedback::of(&said.last).filter(|_| said.turns > 1);
        worker.shared.route_memory.do_send(Heard {
            session,
            chosen: chosen.clone(),
            feedback,
        });
    }
    let fields = decided.target.overrides.as_slice();
    let body = (!fields.is_empty()).then(|| Box::new(request.with_fields(fields)));
    Ok(Some(Rc::new(Led {
        headers: decided.headers,
        body,
        chosen,
        ..Led::to(destination)
    })))
}

/// A session stays in its tier where the configuration says so.
async fn by_complexity(
    worker: &Rc<Worker>,
    settings: &complexity::Settings,
    said: &UserText,
    session: Option<u64>,
) -> Option<Decided> {
    let random = fastrand::f64();
    let stays = settings.session_affinity.zip(session);
    let known = match stays {
        Some((time, session)) => recall(worker, session, time).await,
        None => None,
    };
    let decision = match known {
        Some(tier) => settings.stay(tier, &said.last, random),
        None => settings.decide(&said.last, random),
    }?;
    if let Some((_, session)) = stays {
        let tier = decision.tier;
        worker.shared.route_memory.do_send(Stay { session, tier });
    }
    Some(Decided {
        headers: told::of_complexity(&decision),
        target: decision.target,
        chosen: None,
    })
}

async fn recall(worker: &Rc<Worker>, session: u64, time: Duration) -> Option<complexity::Tier> {
    let asked = worker.shared.route_memory.send(Recall { session, time });
    asked.await.ok().flatten()
}

fn adapted(
    worker: &Rc<Worker>,
    router: &AutoRouter,
    adaptive: &adaptive::Router,
    said: &UserText,
    floor: u8,
) -> Option<Decided> {
    let kind = RequestType::of(&said.last);
    let learned = worker.shared.learned.load();
    let learnt = |place: usize| {
        let arm = adaptive.arms.get(place);
        arm.map_or_else(Default::default, |arm| {
            learned.of(&router.name, &arm.group, kind)
        })
    };
    let group = adaptive
        .choose(kind, floor, learnt, &mut fastrand::f64)?
        .clone();
    Some(Decided {
        headers: told::of_adaptive(&group),
        chosen: Some(kind),
        ..Decided::plainly(group)
    })
}

/// The least quality that a caller wants, 1 to 3; 0 where it wants none.
fn floor(headers: &HeaderMap) -> Result<u8, RequestError> {
    let Some(value) = headers.get(FLOOR) else {
        return Ok(0);
    };
    let number = value
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse().ok());
    number
        .filter(|floor| (1..=3).contains(floor))
        .ok_or(RequestError::WrongType {
            field: FLOOR,
            expected: "1, 2 or 3",
        })
}

/// By what a conversation is known, and whether its client named it: by its session, else by how it began.
fn session(
    router: &AutoRouter,
    caller: &Caller,
    asked: &Asked,
    said: &UserText,
) -> Option<(bool, u64)> {
    let mut hasher = DefaultHasher::new();
    router.name.hash(&mut hasher);
    caller.principal().key_hash.hash(&mut hasher);
    let is_named = asked.session.is_some();
    match &asked.session {
        Some(session) => session.hash(&mut hasher),
        None if said.first.is_empty() => return None,
        None => said.first.hash(&mut hasher),
    }
    Some((is_named, hasher.finish()))
}
