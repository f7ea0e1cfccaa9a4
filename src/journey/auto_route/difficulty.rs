//! Asks a complexity router.

use std::rc::Rc;
use std::time::Duration;

use super::super::worker::Worker;
use super::meaning::NotCompared;
use super::memory::{Recall, Stay};
use super::own_call::OwnCalls;
use super::sessions::Session;
use super::{Decided, asking, meaning, told};
use crate::policy::auto_router::complexity::{Cause, Decision, Judged, Said, Tier};
use crate::protocol::conversation_text::ConversationText;
use crate::protocol::openai::request::Request;
use crate::protocol::plan_mode::is_planning;
use crate::protocol::user_text::UserText;
use crate::router::Difficulty;
use crate::types::NanoUsd;

/// Where a request goes by its difficulty. A session stays where its first request went, or what its user asked last, where the
/// configuration says so.
pub async fn decide(
    calls: OwnCalls<'_>,
    difficulty: &Difficulty,
    request: &Request<'_>,
    user: &UserText,
    session: Option<Session>,
) -> Option<Decided> {
    let (settings, worker) = (&difficulty.settings, calls.worker);
    let (operation, body) = (request.operation(), request.bytes());
    let plan_mode = settings.plan_mode.as_ref();
    let said = Said {
        text: &user.last,
        is_planning: plan_mode.is_some_and(|plan| is_planning(operation, body, &plan.patterns)),
    };
    let (stays, goes_on) = (settings.session_affinity, settings.continues);
    let kept = stays.or(goes_on).zip(session);
    let known = match kept {
        Some((time, session)) if stays.is_some() || !user.is_new => {
            recall(worker, session, time).await
        }
        _ => None,
    };
    // Of a tier's groups a session that stays has the same one each time, and one that goes on while it does.
    let random = match kept {
        Some((_, session)) if stays.is_some() => session.chance(),
        Some((_, session)) => session.chance_of(said.text),
        None => fastrand::f64(),
    };
    let (decision, cost) = match known {
        Some(tier) if stays.is_some() => (settings.stay(tier, said, random), None),
        Some(tier) => (settings.go_on(tier, said, random), None),
        None if said.text.trim().is_empty() => (settings.without_text(said, random), None),
        None => judge(calls, difficulty, request, said, random).await,
    };
    let decision = decision?;
    if let (Some((_, session)), Some(tier)) = (kept, decision.stays_in) {
        let session = session.hash;
        calls.remember(Stay { session, tier });
    }
    Some(Decided {
        headers: told::of_complexity(&decision, cost),
        target: decision.target,
        chosen: None,
    })
}

/// By rules, by words, or by what a model says, which may have a price.
async fn judge(
    calls: OwnCalls<'_>,
    difficulty: &Difficulty,
    request: &Request<'_>,
    said: Said<'_>,
    random: f64,
) -> (Option<Decision>, Option<NanoUsd>) {
    let settings = &difficulty.settings;
    let place = |judged: Judged| settings.place(judged, said, random);
    let compared = match &difficulty.meaning {
        Some(known) => meaning::route(calls, known, said.text).await,
        None => Err(NotCompared),
    };
    // What cannot be compared by meaning is by its letters.
    let by_rule = match compared {
        Ok(place) => place.and_then(|place| settings.by_meaning(place)),
        Err(NotCompared) => settings.by_rule(said.text),
    };
    let judged = by_rule.or_else(|| settings.by_housekeeping(said.text));
    if let Some(judged) = judged {
        return (place(judged), None);
    }
    let words = settings.classifier.judge(said.text);
    let Some(asking) = &settings.asking else {
        return (place(words.into()), None);
    };
    if let Some(enough) = asking.is_answered_by(&words) {
        let judged = Judged {
            cause: Cause::Enough(enough),
            ..words.into()
        };
        return (place(judged), None);
    }
    let conversation = ConversationText::of(request.operation(), request.bytes());
    let paused = &difficulty.paused_until;
    let asked = asking::tier(calls, asking, paused, said.text, &conversation).await;
    let Some(asked) = asked else {
        let by_default = asking
            .falls_to_default
            .then(|| settings.unanswered(said, random));
        return (by_default.flatten().or_else(|| place(words.into())), None);
    };
    let judged = Judged {
        tier: asked.tier,
        cause: Cause::Asked,
        score: None,
    };
    (place(judged), asked.cost)
}

async fn recall(worker: &Rc<Worker>, session: Session, time: Duration) -> Option<Tier> {
    let session = session.hash;
    let asked = worker.shared.route_memory.send(Recall { session, time });
    asked.await.ok().flatten()
}
