//! Responses that are made in the background: the call goes on when its client has been answered, or has left its stream.
//!
//! What such a call costs is known when the response has ended, so the gateway asks for it until then, whoever else does, and
//! once more before a client has it deleted. All that the call has reserved stays reserved; it is settled like any other, once.

mod followed;

use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::http::Method;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

pub use followed::{At, Followed};

use self::followed::{Follow, Glance, Unfollow, WhoFollows};
use super::attempt::Failed;
use super::charge::{Charge, Told};
use super::stored::upstream::{Question, ask};
use super::worker::Worker;
use crate::policy::upstream_error::Upstream;
use crate::protocol::continuity::field;
use crate::protocol::json::plain_str;
use crate::protocol::openai_responses::pass_answer;
use crate::protocol::pass::StreamFault;
use crate::steps;

/// Between two looks: at first, and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Nothing is made for longer.
const LONGEST: Duration = Duration::from_secs(6 * 60 * 60);
/// Looks in a row that show nothing.
const MOST_BLIND: u32 = 20;
/// Who deletes a response waits so long for the look before.
const LAST_LOOK: Duration = Duration::from_secs(10);

/// The upstream's id of a response that is not made yet.
pub fn pending(body: &Bytes) -> Option<String> {
    let text = |name| field(body, name).and_then(|value| plain_str(value, &(0..value.len())));
    let is_pending = ["queued", "in_progress"].contains(&text("status")?);
    is_pending.then(|| text("id").map(str::to_owned)).flatten()
}

/// Settles the call when the response of this id has ended. `told` is what its client has been told already.
pub fn follow(mut charge: Box<Charge>, id: String, told: Told) {
    let deployment = charge.deployment().id.clone();
    let at = At { deployment, id };
    charge.forget_the_body();
    let mut call = Call { charge, at, told };
    if call.charge.worker.cut.is_over() {
        // Nobody waits any more: it is settled as it is dropped.
        return;
    }
    let (looks, mut asked) = mpsc::unbounded_channel();
    let followed = &call.charge.worker.shared.followed;
    followed.do_send(Follow(call.at.clone(), looks));
    actix_rt::spawn(async move {
        let followed = {
            let following = pin!(call.follow(&mut asked));
            steps::contained_future("journey.background", following).await
        };
        call.charge.is_broken |= followed.is_none();
    });
}

/// Has a response that is followed looked at, before it is deleted.
pub async fn look_before_deletion(worker: &Rc<Worker>, at: At) {
    let Ok(Some(looks)) = worker.shared.followed.send(WhoFollows(at)).await else {
        return;
    };
    let (glance, taken) = oneshot::channel();
    if looks.send(glance).is_ok() {
        // Its end is told by its drop.
        let _ = tokio::time::timeout(LAST_LOOK, taken).await;
    }
}

struct Call {
    charge: Box<Charge>,
    at: At,
    told: Told,
}

impl Call {
    async fn follow(&mut self, asked: &mut mpsc::UnboundedReceiver<Glance>) {
        steps::point("journey.background");
        let place = self.charge.worker.cut.place();
        let began = Instant::now();
        let (mut pause, mut blind) = (FIRST_PAUSE, 0);
        while began.elapsed() < LONGEST && blind < MOST_BLIND {
            let waited = {
                let pausing = pin!(async {
                    tokio::select! {
                        () = tokio::time::sleep(pause) => None,
                        Some(glance) = asked.recv() => Some(glance),
                    }
                });
                place.wait(pausing).await
            };
            // Whoever wants a look waits until it is over.
            let Some(_glance) = waited else {
                return;
            };
            pause = (pause * 2).min(LONGEST_PAUSE);
            let seen = {
                let looking = pin!(self.look());
                place.wait(looking).await
            };
            match seen {
                None | Some(Seen::Gone) => return,
                Some(Seen::Pending) => blind = 0,
                Some(Seen::Nothing) => blind += 1,
                Some(Seen::Ended(body)) => {
                    self.charge.upstream_time += began.elapsed();
                    self.settle(&body);
                    return;
                }
            }
        }
    }

    async fn look(&self) -> Seen {
        let charge = &self.charge;
        let question = Question {
            method: Method::GET,
            id: &self.at.id,
            end: "",
            query: "",
        };
        let login = charge.prepared().login.clone();
        let asked = ask(&charge.worker, charge.deployment(), login, &question).await;
        match asked {
            Ok((_, body)) if pending(&body).is_some() => Seen::Pending,
            Ok((_, body)) => Seen::Ended(body),
            Err(failed) if failed.failure.status == 404 => Seen::Gone,
            Err(_) => Seen::Nothing,
        }
    }

    fn settle(&mut self, body: &Bytes) {
        let charge = &mut self.charge;
        let fail = |charge: &mut Charge, upstream: &Upstream<'_>| {
            let failed = Failed::of(charge.deployment(), upstream, Default::default());
            charge.fail(&failed.failure, &self.told);
        };
        match pass_answer(body, b"\"\"") {
            Ok((_, facts)) => {
                let told = Told::of(&facts, &charge.deployment().model);
                // One that was cancelled is charged for what the provider counted, else for what there is of it.
                match told.usage {
                    Some(_) => {
                        charge.succeed(&told);
                    }
                    None => charge.abandon(&Told {
                        content_bytes: told.content_bytes.max(self.told.content_bytes),
                        ..told
                    }),
                }
            }
            Err(StreamFault::Error(frame)) => fail(charge, &Upstream::InStream { frame: &frame }),
            Err(StreamFault::Malformed) => fail(charge, &Upstream::Malformed),
        }
    }
}

/// What a look shows.
enum Seen {
    Pending,
    /// No answer that could be read: another look may show more.
    Nothing,
    /// Its client has had it deleted. That says nothing of the deployment, and it may have been made before.
    Gone,
    Ended(Bytes),
}

impl Drop for Call {
    /// Whatever has become of it: it was asked for.
    fn drop(&mut self) {
        let (charge, told) = (&mut self.charge, &self.told);
        steps::contained("journey.leave", || charge.abandon(&charge.unseen(told)));
        let followed = &self.charge.worker.shared.followed;
        followed.do_send(Unfollow(self.at.clone()));
    }
}
