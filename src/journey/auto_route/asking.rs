//! Asks a model how difficult a request is, by a call through a group of ours.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde::Deserialize;

use super::own_call::{GRACE, OwnCalls};
use crate::policy::auto_router::asking::Asking;
use crate::policy::auto_router::complexity::Tier;
use crate::protocol::conversation_text::ConversationText;
use crate::router::clock;
use crate::types::{NanoUsd, Operation};

/// What the model says, and what that cost; `None`: its price is not known.
pub struct Asked {
    pub tier: Tier,
    pub cost: Option<NanoUsd>,
}

#[derive(Deserialize)]
struct Answer {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

/// The tier of a conversation whose last text is `text`. `None`: there was no answer in time, or none that names a tier, or
/// nobody is asked for a while because the last answer took too long. One request asks again when that is over; the others go
/// on without until it has an answer.
pub async fn tier(
    calls: OwnCalls<'_>,
    asking: &Asking,
    paused_until: &AtomicU64,
    text: &str,
    conversation: &ConversationText,
) -> Option<Asked> {
    let pause = asking.pause.map(|pause| pause.as_millis() as u64);
    let now = clock::now();
    let known = paused_until.load(Ordering::Relaxed);
    let is_paused = pause.is_some() && now < known;
    if is_paused || calls.are_foreseen(&asking.group) {
        return None;
    }
    if let Some(pause) = pause
        && known > 0
    {
        let is_first = || {
            let until = now.saturating_add(pause);
            let order = Ordering::Relaxed;
            paused_until
                .compare_exchange(known, until, order, order)
                .is_ok()
        };
        if !is_first() {
            return None;
        }
    }
    let body = asking.body(text, conversation);
    let until = Instant::now() + asking.timeout;
    let call = calls.ask(Operation::Chat, &asking.group, &body, until);
    let call = tokio::time::timeout(asking.timeout + GRACE, call);
    let answered = Box::pin(call).await.ok().flatten();
    if answered.is_none() && Instant::now() >= until {
        if let Some(pause) = pause {
            let until = clock::now().saturating_add(pause);
            paused_until.store(until.max(1), Ordering::Relaxed);
        }
        log::warn!(
            "{} has not said in {:?} how difficult a request is",
            asking.group,
            asking.timeout
        );
    }
    let answered = answered?;
    if known > 0 {
        paused_until.store(0, Ordering::Relaxed);
    }
    let answer: Answer = serde_json::from_slice(&answered.body).ok()?;
    let said = answer.choices.into_iter().next()?.message.content?;
    let Some(tier) = asking.tier(&said) else {
        log::debug!("the answer of {} names no tier", asking.group);
        return None;
    };
    Some(Asked {
        tier,
        cost: answered.cost,
    })
}
