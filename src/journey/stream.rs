//! The body of a streamed answer.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use serde_json::json;

use super::attempt::{Begun, Failed, read_failure};
use super::charge::{Charge, Told};
use crate::policy::upstream_error::{Failure, Upstream};
use crate::protocol::openai::stream::{StreamEditor, StreamFault};
use crate::upstream::{Answer, ReadError};

/// How long an upstream is given for what may follow the last content (usage, `[DONE]`), and to end its body, so that its
/// connection can be used again.
const TAIL: Duration = Duration::from_secs(5);

/// A stream under way. Dropped before its end, it ends the upstream call and settles what was delivered.
pub struct EventStream {
    charge: Charge,
    answer: Option<Answer>,
    editor: StreamEditor,
    first: Option<Bytes>,
    gap: Duration,
    began: Instant,
    ended: bool,
}

impl EventStream {
    pub fn new(charge: Charge, begun: Begun) -> Self {
        let gap = charge.asked.limit(charge.deployment(), true);
        Self {
            charge,
            answer: Some(begun.answer),
            editor: begun.editor,
            first: Some(begun.first),
            gap,
            began: Instant::now(),
            ended: false,
        }
    }

    /// The next bytes for the client; `None` at the end.
    ///
    /// The last ones leave when the call's row is journalled: a complete answer always has its row.
    pub async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return self.pass(first, None).await;
        }
        while !self.ended {
            let answer = self.answer.as_mut()?;
            // After the last content only usage and `[DONE]` are missing: a complete answer does not wait long for them.
            let gap = if self.editor.facts.finished {
                TAIL
            } else {
                self.gap
            };
            let (out, fault, is_end) = match answer.chunk(gap).await {
                Err(ReadError::Timeout) if self.editor.facts.finished => (Bytes::new(), None, true),
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
            return Some(self.end_broken(out, &fault).await);
        }
        if self.editor.facts.done {
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
        if self.editor.facts.done {
            return out;
        }
        let mut whole = BytesMut::from(&out[..]);
        whole.extend_from_slice(&self.editor.closing());
        whole.extend_from_slice(b"data: [DONE]\n\n");
        whole.freeze()
    }

    /// One error event ends a stream that broke after its first content.
    async fn end_broken(&mut self, out: Bytes, fault: &Fault) -> Bytes {
        self.ended = true;
        self.answer = None;
        let failure = self.failure(fault);
        self.charge.upstream_time += self.began.elapsed();
        self.charge.fail(&failure, &self.told());
        self.charge.worker.desk.written().await;
        let mut whole = BytesMut::from(&out[..]);
        let error = json!({"error": {
            "message": failure.message,
            "type": failure.error_type,
            "param": failure.param,
            "code": failure.status.to_string(),
        }});
        whole.extend_from_slice(b"data: ");
        whole.extend_from_slice(error.to_string().as_bytes());
        whole.extend_from_slice(b"\n\n");
        whole.freeze()
    }

    fn told(&self) -> Told {
        let facts = &self.editor.facts;
        let asked = &*self.charge.deployment().model;
        Told {
            id: facts.id.clone(),
            model: facts.model.clone().filter(|model| model != asked),
            service_tier: facts.service_tier.clone(),
            usage: facts.usage,
            content_bytes: facts.content_bytes,
        }
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

impl Drop for EventStream {
    fn drop(&mut self) {
        // Does nothing when the stream has ended.
        self.charge.abandon(&self.told());
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
