//! The body of a streamed answer.

use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::attempt::{Begun, Came, Failed, read_failure};
use super::background;
use super::charge::{Charge, Told};
use super::continuity::Outgoing;
use super::cut::Place;
use super::editor::Editor;
use super::failover::Served;
use super::failure as journey;
use super::resume::Resume;
use crate::policy::upstream_error::{ErrorClass, Failure, Upstream};
use crate::protocol::pass::StreamFault;
use crate::protocol::stream_end::{StreamError, ping};
use crate::steps;
use crate::types::Operation;
use crate::upstream::{Answer, ReadError};

/// How long an upstream is given for what may follow the last content (usage, `[DONE]`), and to end its body, so that its
/// connection can be used again.
const TAIL: Duration = Duration::from_secs(5);

/// Time between comments in a stream whose head has gone out before its content, unless the configuration says.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The calls behind a stream that has no content yet.
pub type Serving = Pin<Box<dyn Future<Output = Result<Served, journey::Failure>>>>;

/// The body of a stream. Dropped before its end, it ends the upstream call and settles what was delivered.
pub struct EventStream {
    state: State,
    operation: Operation,
    /// Time between comments.
    heartbeat: Option<Duration>,
    /// Where it waits, and is told when the process has no more time.
    place: Place,
}

#[allow(
    clippy::large_enum_variant,
    reason = "behind the box of its stream; nearly all are open"
)]
enum State {
    /// The head has gone out, deployments are still being tried.
    Waiting {
        serving: Serving,
        greeted: bool,
        /// The answer that is gone on with, if content has gone out.
        broken: Option<Box<Broken>>,
    },
    Open(Open),
    Ended,
}

impl EventStream {
    /// A stream whose content is there.
    pub fn begun(charge: Box<Charge>, begun: Begun) -> Self {
        Self {
            operation: charge.operation,
            heartbeat: charge.routes.table().failover.heartbeat,
            place: charge.worker.cut.place(),
            state: State::Open(Open::new(charge, begun)),
        }
    }

    /// A stream whose client has waited long enough for a head.
    pub fn waiting(
        operation: Operation,
        serving: Serving,
        heartbeat: Option<Duration>,
        place: Place,
    ) -> Self {
        let state = State::Waiting {
            serving,
            greeted: false,
            broken: None,
        };
        Self {
            state,
            operation,
            heartbeat,
            place,
        }
    }

    /// The next bytes for the client; `None` at the end. A failure ends a stream whose head went out before its content.
    pub async fn next(&mut self) -> Option<Result<Bytes, journey::Failure>> {
        let next = steps::contained_future("journey.stream", pin!(self.advance())).await;
        next.unwrap_or_else(|| {
            if let State::Open(open) = &mut self.state {
                open.charge.is_broken = true;
            }
            self.leave();
            self.state = State::Ended;
            Some(Err(journey::Failure::Panicked))
        })
    }

    /// Settles what was delivered of a stream that has not ended, unless the answer is made without us: then when it has been.
    /// The charge settles itself when this fails.
    fn leave(&mut self) {
        let State::Open(open) = &mut self.state else {
            return;
        };
        let Some(id) = open.goes_on() else {
            steps::contained("journey.leave", || open.charge.abandon(&open.left()));
            return;
        };
        if let State::Open(open) = std::mem::replace(&mut self.state, State::Ended) {
            steps::contained("journey.leave", || {
                let told = open.told();
                background::follow(open.charge, id, told);
            });
        }
    }

    async fn advance(&mut self) -> Option<Result<Bytes, journey::Failure>> {
        loop {
            if let State::Open(open) = &mut self.state {
                if let Some(out) = open.next(self.heartbeat, &self.place).await {
                    return Some(Ok(out));
                }
                open.broken.as_ref()?;
                self.go_on();
            }
            match self.wait().await {
                Waited::Begun => {}
                Waited::Out(out) => return Some(out),
                Waited::Ended => return None,
            }
        }
    }

    /// Asks for the rest of an answer that broke.
    fn go_on(&mut self) {
        let State::Open(open) = std::mem::replace(&mut self.state, State::Ended) else {
            return;
        };
        let told = open.told();
        let Open {
            charge,
            editor,
            outgoing,
            resume: Some(resume),
            broken: Some(failed),
            ..
        } = open
        else {
            return;
        };
        self.state = State::Waiting {
            serving: resume.go_on(charge, failed, &told),
            greeted: true,
            broken: Some(Box::new(Broken { editor, outgoing })),
        };
    }

    /// Waits for the calls behind a stream that has no content, or no more of it.
    async fn wait(&mut self) -> Waited {
        let State::Waiting {
            serving,
            greeted,
            broken,
        } = &mut self.state
        else {
            return Waited::Ended;
        };
        if !std::mem::replace(greeted, true) {
            return Waited::Out(Ok(ping(self.operation)));
        }
        let wait = self.heartbeat.unwrap_or(HEARTBEAT);
        let served = self
            .place
            .wait(pin!(tokio::time::timeout(wait, serving)))
            .await;
        match served.unwrap_or(Ok(Err(journey::Failure::Ending))) {
            Err(_) => Waited::Out(Ok(ping(self.operation))),
            Ok(Ok((charge, Came::Stream(begun)))) => {
                let outgoing = broken.take().map(|broken| broken.outgoing);
                let mut open = Open::new(charge, *begun);
                // Ids stay what they were.
                open.outgoing = outgoing.unwrap_or(open.outgoing);
                if let Some(outgoing) = &mut open.outgoing {
                    outgoing.is_made_by(open.charge.deployment());
                }
                self.state = State::Open(open);
                Waited::Begun
            }
            Ok(Ok((_, Came::Whole(_)))) => {
                // A stream's answer is never whole; its charge settles itself.
                self.state = State::Ended;
                Waited::Ended
            }
            Ok(Err(failure)) => {
                let broken = broken.take();
                self.state = State::Ended;
                Waited::Out(match broken {
                    Some(broken) => Ok(broken.end(&failure)),
                    None => Err(failure),
                })
            }
        }
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        // Does nothing when the stream has ended.
        self.leave();
    }
}

/// What came of waiting.
enum Waited {
    /// The stream has content.
    Begun,
    Out(Result<Bytes, journey::Failure>),
    Ended,
}

/// An answer that broke after its first content.
struct Broken {
    editor: Editor,
    outgoing: Option<Outgoing>,
}

impl Broken {
    /// One error event ends a stream that nobody could go on with.
    fn end(mut self, failure: &journey::Failure) -> Bytes {
        let error = match failure {
            journey::Failure::Upstream { failure, .. } => told_as(failure),
            journey::Failure::Ending => CUT_SHORT,
            _ => StreamError {
                message: "the gateway could not go on with this answer",
                kind: Some("api_error"),
                param: None,
                code: None,
                status: 500,
            },
        };
        let out = Bytes::from(self.editor.fail(&error));
        match &mut self.outgoing {
            Some(outgoing) => outgoing.last(out),
            None => out,
        }
    }
}

/// How a stream ends that the gateway cannot wait for.
const CUT_SHORT: StreamError<'static> = StreamError {
    message: "the gateway is shutting down: the answer is cut short here",
    kind: Some("service_unavailable"),
    param: None,
    code: None,
    status: 503,
};

/// An upstream's failure as the event that ends a stream tells it.
fn told_as(failure: &Failure) -> StreamError<'_> {
    StreamError {
        message: &failure.message,
        kind: failure.error_type.as_deref(),
        param: failure.param.as_deref(),
        // Codex makes its conversation shorter when it reads this.
        code: (failure.class == ErrorClass::ContextWindowExceededError)
            .then_some("context_length_exceeded"),
        status: failure.status,
    }
}

/// A stream whose content has begun.
struct Open {
    charge: Box<Charge>,
    answer: Option<Answer>,
    editor: Editor,
    first: Option<Bytes>,
    gap: Duration,
    /// How long the upstream has said nothing, as far as comments have told the client so.
    silence: Duration,
    began: Instant,
    ended: bool,
    /// Of an answer of the Responses API.
    outgoing: Option<Outgoing>,
    /// What is needed to go on with the answer should it break.
    resume: Option<Box<Resume>>,
    /// How it broke: it is to be gone on with.
    broken: Option<Box<Failed>>,
}

impl Open {
    fn new(charge: Box<Charge>, begun: Begun) -> Self {
        let gap = charge.asked.limit(charge.deployment(), true);
        Self {
            outgoing: Outgoing::of(&charge),
            charge,
            answer: Some(begun.answer),
            editor: begun.editor,
            first: Some(begun.first),
            resume: begun.resume,
            broken: None,
            gap,
            silence: Duration::ZERO,
            began: Instant::now(),
            ended: false,
        }
    }

    /// The next bytes for the client, in its own names; `None` at the end.
    async fn next(&mut self, heartbeat: Option<Duration>, place: &Place) -> Option<Bytes> {
        loop {
            if self.broken.is_some() {
                return None;
            }
            let out = self.read(heartbeat, place).await;
            if self.broken.is_some() && out.as_ref().is_none_or(Bytes::is_empty) {
                return None;
            }
            if let (Some(resume), Some(out), None) = (&mut self.resume, &out, &self.broken) {
                resume.feed(out);
            }
            let Some(outgoing) = &mut self.outgoing else {
                return out;
            };
            let named = match out {
                Some(out) => outgoing.pass(&self.charge, out),
                None => return Some(outgoing.finish()).filter(|rest| !rest.is_empty()),
            };
            if !named.is_empty() {
                return Some(named);
            }
        }
    }

    /// The next bytes, as they were made.
    ///
    /// The last ones leave when the call's row is journalled: a complete answer always has its row.
    async fn read(&mut self, heartbeat: Option<Duration>, place: &Place) -> Option<Bytes> {
        steps::point("journey.stream");
        if let Some(first) = self.first.take() {
            return self.pass(first, None).await;
        }
        while !self.ended {
            let answer = self.answer.as_mut()?;
            // After the last content only usage and `[DONE]` are missing: a complete answer does not wait long for them.
            let gap = if self.editor.facts().finished {
                TAIL
            } else {
                self.gap
            };
            let left = gap.saturating_sub(self.silence);
            let beat = heartbeat.filter(|beat| *beat < left);
            let chunk = answer.chunk(beat.unwrap_or(left));
            let Some(read) = place.wait(pin!(chunk)).await else {
                return Some(self.end_cut().await);
            };
            if let (Some(beat), Err(ReadError::Timeout)) = (beat, &read) {
                self.silence += beat;
                return Some(ping(self.charge.operation));
            }
            self.silence = Duration::ZERO;
            let (out, fault, is_end) = match read {
                Err(ReadError::Timeout) if self.editor.facts().finished => {
                    (Bytes::new(), None, true)
                }
                Ok(Some(read)) => {
                    let edited = self.editor.feed(read);
                    (edited.out, edited.fault.map(Fault::Frame), false)
                }
                Ok(None) => {
                    let edited = self.editor.finish();
                    (edited.out, edited.fault.map(Fault::Frame), true)
                }
                Err(error) => (Bytes::new(), Some(Fault::Read(error)), false),
            };
            let fault = match (fault, is_end) {
                // The end of a stream that had finished is an end, whether `[DONE]` came or not.
                (None, true) if !self.editor.may_end() => Some(Fault::Read(ReadError::Cut)),
                (fault, _) => fault,
            };
            if is_end && fault.is_none() {
                return Some(self.end_whole(out).await);
            }
            if let Some(out) = self.pass(out, fault).await {
                return Some(out);
            }
        }
        None
    }

    async fn pass(&mut self, out: Bytes, fault: Option<Fault>) -> Option<Bytes> {
        if let Some(fault) = fault {
            return Some(match self.breaks_off(&out, &fault) {
                true => out,
                false => self.end_broken(out, &fault).await,
            });
        }
        if self.editor.facts().done {
            return Some(self.end_whole(out).await);
        }
        // Reads that hold no whole event have nothing for the client yet.
        (!out.is_empty()).then_some(out)
    }

    async fn end_whole(&mut self, out: Bytes) -> Bytes {
        self.ended = true;
        self.charge.upstream_time += self.began.elapsed();
        self.charge.succeed(&self.told());
        if let Some(answer) = self.answer.take() {
            release(answer);
        }
        self.charge.worker.desk.written().await;
        let closing = self.editor.closing();
        if closing.is_empty() {
            return out;
        }
        [&out[..], &closing].concat().into()
    }

    /// One error event ends a stream that the gateway cannot wait for.
    async fn end_cut(&mut self) -> Bytes {
        self.ended = true;
        self.answer = None;
        self.charge.upstream_time += self.began.elapsed();
        self.charge.abandon(&self.left());
        self.charge.worker.desk.written().await;
        self.editor.fail(&CUT_SHORT).into()
    }

    /// Whether a stream that broke after its first content, `out` being the last of it, is gone on with.
    fn breaks_off(&mut self, out: &Bytes, fault: &Fault) -> bool {
        let signs = self.editor.has_signed_thoughts();
        let Some(resume) = &mut self.resume else {
            return false;
        };
        resume.feed(out);
        if let Some(obstacle) = resume.obstacle(signs) {
            log::debug!("a stream that broke is not gone on with: {obstacle}");
            return false;
        }
        self.answer = None;
        self.charge.upstream_time += self.began.elapsed();
        self.broken = Some(Failed::made(self.failure(fault), Default::default()));
        true
    }

    /// One error event ends a stream that broke after its first content.
    async fn end_broken(&mut self, out: Bytes, fault: &Fault) -> Bytes {
        self.ended = true;
        self.answer = None;
        let failure = self.failure(fault);
        self.charge.upstream_time += self.began.elapsed();
        if self.goes_on().is_none() {
            self.charge.fail(&failure, &self.told());
            self.charge.worker.desk.written().await;
        }
        let error = self.editor.fail(&told_as(&failure));
        [&out[..], &error].concat().into()
    }

    /// The upstream's id of a response that is made in the background and was not seen to its end.
    fn goes_on(&self) -> Option<String> {
        let goes_on = self.charge.is_background() && !self.charge.is_settled();
        self.editor.facts().id.clone().filter(|_| goes_on)
    }

    /// What is told of an answer that is left before its end.
    fn left(&self) -> Told {
        match self.charge.is_background() {
            true => self.charge.unseen(&self.told()),
            false => self.told(),
        }
    }

    fn told(&self) -> Told {
        Told::of(self.editor.facts(), &self.charge.deployment().model)
    }

    fn failure(&self, fault: &Fault) -> Failure {
        let upstream = match fault {
            Fault::Frame(StreamFault::Error(frame)) => Upstream::InStream { frame },
            Fault::Frame(StreamFault::Malformed) => Upstream::Malformed,
            Fault::Read(error) => read_failure(*error, self.began),
        };
        Failed::of(self.charge.deployment(), &upstream, Default::default()).failure
    }
}

enum Fault {
    Frame(StreamFault),
    Read(ReadError),
}

/// Reads the rest of an answer whose last event has passed: only then can its connection serve again.
fn release(mut answer: Answer) {
    actix_rt::spawn(async move {
        let rest = async { while let Ok(Some(_)) = answer.chunk(TAIL).await {} };
        let _ = tokio::time::timeout(TAIL, rest).await;
    });
}
