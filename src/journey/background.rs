//! Responses that are made in the background: the call goes on when its client has been answered.
//!
//! What such a call costs is known when the response has ended, so the gateway asks for it until then, whoever else does. All
//! that the call has reserved stays reserved; it is settled like any other, once.

use std::pin::pin;
use std::time::{Duration, Instant};

use actix_web::http::Method;
use bytes::Bytes;

use super::attempt::Failed;
use super::charge::{Charge, Told};
use super::stored::upstream::{Question, ask};
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

/// The upstream's id of a response that is not made yet.
pub fn pending(body: &Bytes) -> Option<String> {
    let text = |name| field(body, name).and_then(|value| plain_str(value, &(0..value.len())));
    let is_pending = ["queued", "in_progress"].contains(&text("status")?);
    is_pending.then(|| text("id").map(str::to_owned)).flatten()
}

/// Settles the call when the response has ended.
pub fn follow(charge: Box<Charge>, id: String) {
    let mut call = Call { charge };
    actix_rt::spawn(async move {
        let followed = {
            let following = pin!(call.follow(&id));
            steps::contained_future("journey.background", following).await
        };
        call.charge.is_broken |= followed.is_none();
    });
}

struct Call {
    charge: Box<Charge>,
}

impl Call {
    async fn follow(&mut self, id: &str) {
        steps::point("journey.background");
        let place = self.charge.worker.cut.place();
        let began = Instant::now();
        let (mut pause, mut blind) = (FIRST_PAUSE, 0);
        while began.elapsed() < LONGEST && blind < MOST_BLIND {
            if place.wait(pin!(tokio::time::sleep(pause))).await.is_none() {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            let seen = {
                let looking = pin!(self.look(id));
                place.wait(looking).await
            };
            match seen {
                None => return,
                Some(Seen::Pending) => blind = 0,
                Some(Seen::Nothing) => blind += 1,
                Some(Seen::Ended(ended)) => {
                    self.charge.upstream_time += began.elapsed();
                    self.settle(*ended);
                    return;
                }
            }
        }
    }

    async fn look(&self, id: &str) -> Seen {
        let charge = &self.charge;
        let question = Question {
            method: Method::GET,
            id,
            end: "",
            query: "",
        };
        let login = charge.prepared().login.clone();
        let asked = ask(&charge.worker, charge.deployment(), login, &question).await;
        match asked {
            Ok((_, body)) if pending(&body).is_some() => Seen::Pending,
            Ok((_, body)) => Seen::Ended(Box::new(Ok(body))),
            // Deleted before it had ended.
            Err(failed) if failed.failure.status == 404 => Seen::Ended(Box::new(Err(failed))),
            Err(_) => Seen::Nothing,
        }
    }

    fn settle(&mut self, ended: Result<Bytes, Box<Failed>>) {
        let charge = &mut self.charge;
        let body = match ended {
            Ok(body) => body,
            Err(failed) => return charge.fail(&failed.failure, &Told::default()),
        };
        let fail = |charge: &mut Charge, upstream: &Upstream<'_>| {
            let failed = Failed::of(charge.deployment(), upstream, Default::default());
            charge.fail(&failed.failure, &Told::default());
        };
        match pass_answer(&body, b"\"\"") {
            Ok((_, facts)) => {
                let told = Told::of(&facts, &charge.deployment().model);
                // One that was cancelled is charged for what the provider counted.
                match told.usage {
                    Some(_) => {
                        charge.succeed(&told);
                    }
                    None => charge.abandon(&told),
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
    Ended(Box<Result<Bytes, Box<Failed>>>),
}

impl Drop for Call {
    /// Whatever has become of it: its input was read.
    fn drop(&mut self) {
        let told = Told {
            content_bytes: 1,
            ..Told::default()
        };
        steps::contained("journey.leave", || self.charge.abandon(&told));
    }
}
