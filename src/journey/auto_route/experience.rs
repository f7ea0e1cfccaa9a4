//! Asks an adaptive router, and tells it what users said of its answers.

use std::rc::Rc;

use actix_web::http::header::HeaderMap;

use super::super::asked::Asked;
use super::super::worker::Worker;
use super::memory::Heard;
use super::own_call::OwnCalls;
use super::sessions::Session;
use super::{Chosen, Decided, told};
use crate::policy::auto_router::adaptive;
use crate::policy::auto_router::feedback::Feedback;
use crate::policy::auto_router::request_type::RequestType;
use crate::protocol::openai::request::RequestError;
use crate::protocol::user_text::UserText;
use crate::router::AutoRouter;

const HEADER: &str = "x-litellm-min-quality-tier";
const FIELD: &str = "metadata.min_quality_tier";

/// Where a request goes by what was learnt.
pub fn decide(
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

/// Remembers what was chosen, and learns from what the user says of the answer before.
pub fn hear(calls: OwnCalls<'_>, session: Session, chosen: &Chosen, said: &UserText) {
    // What is said first answers nobody.
    let feedback = Feedback::of(&said.last).filter(|_| said.turns > 1);
    calls.remember(Heard {
        session: session.hash,
        chosen: chosen.clone(),
        feedback,
    });
}

/// The least quality that a caller wants, 1 to 3; 0 where it wants none. The header wins.
pub fn floor(headers: &HeaderMap, asked: &Asked) -> Result<u8, RequestError> {
    let (field, written) = match headers.get(HEADER) {
        Some(value) => (HEADER, value.to_str().ok()),
        None => match &asked.min_quality_tier {
            Some(written) => (FIELD, Some(&**written)),
            None => return Ok(0),
        },
    };
    let number = written.and_then(|text| text.trim().parse().ok());
    number
        .filter(|floor| (1..=3).contains(floor))
        .ok_or(RequestError::WrongType {
            field,
            expected: "1, 2 or 3",
        })
}
