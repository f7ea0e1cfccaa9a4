//! One upstream call, up to its first content.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use actix_web::http::header::{self, HeaderMap};
use bytes::{Bytes, BytesMut};

use super::answers::{Unusable, answered, unexpected};
use super::asked::Rehearsal;
use super::azure_login::LoginError;
use super::chaos::Disturbance;
use super::charge::{Charge, Told};
use super::editor::Editor;
use super::headers::to_server;
use super::mocked;
use super::question::{Question, Way, form};
use super::resume::Resume;
use super::routes::Prepared;
use crate::policy::upstream_error::{
    ErrorClass, Failure, Headers as UpstreamHeaders, Stage, Upstream, classify,
};
use crate::protocol::openai::request::Request;
use crate::protocol::openai::stream::StreamForm;
use crate::protocol::pass::StreamFault;
use crate::providers::Entra;
use crate::providers::parameters::Unsupported;
use crate::router::Deployment;
use crate::steps;
use crate::types::Operation;
use crate::upstream::{Answer, CallError, ReadError};

/// Largest error body that is read.
pub const MOST_ERROR_BYTES: usize = 64 * 1024;
/// An error body is waited for no longer.
const ERROR_TIME: Duration = Duration::from_secs(10);
/// Most bytes held back for the same reason.
const MOST_HELD: usize = 1024 * 1024;

/// What a provider would have said.
const REHEARSED: &[u8] = br#"{"error": {"message": "a rehearsal of a failure (/router/chaos)", "type": "rehearsal", "code": null}}"#;

/// What came back.
#[allow(
    clippy::large_enum_variant,
    reason = "moved twice; a box would cost an allocation a request"
)]
pub enum Came {
    Whole(Whole),
    Stream(Box<Begun>),
}

/// A whole answer, edited for the client.
pub struct Whole {
    pub headers: HeaderMap,
    pub body: Bytes,
    pub told: Told,
}

/// A stream whose first content is here.
pub struct Begun {
    pub headers: HeaderMap,
    pub answer: Answer,
    pub editor: Editor,
    /// The events up to the first content, for the client.
    pub first: Bytes,
    /// What is needed to go on with it should it break.
    pub resume: Option<Box<Resume>>,
}

/// A failed attempt, with the headers of the upstream's answer if there was one. Boxed: answers, which are the rule, should
/// not be moved about in the room that failures need.
pub struct Failed {
    pub failure: Failure,
    pub headers: HeaderMap,
    /// What had been delivered: nothing, unless a whole answer could not be used.
    pub told: Told,
}

impl Failed {
    pub fn of(deployment: &Deployment, upstream: &Upstream<'_>, headers: HeaderMap) -> Box<Self> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis() as i64;
        let mut failure = classify(&deployment.provider, upstream, now);
        let headers_sent = deployment.headers.iter().map(|(_, value)| value);
        let logins = deployment.entra.iter().map(Entra::secret);
        for secret in deployment.api_key.iter().chain(headers_sent).chain(logins) {
            failure.redact(secret.expose());
        }
        Self::made(failure, headers)
    }

    pub fn made(failure: Failure, headers: HeaderMap) -> Box<Self> {
        Box::new(Self {
            failure,
            headers,
            told: Told::default(),
        })
    }

    fn with(mut self: Box<Self>, headers: HeaderMap) -> Box<Self> {
        self.headers = headers;
        self
    }

    /// Nothing was sent: the request cannot be made for it.
    pub fn unusable(deployment: &Deployment, why: &str) -> Box<Self> {
        Self::of(deployment, &Upstream::NotServed { why }, HeaderMap::new())
    }

    /// The answer came, and its content was taken out by the provider's filter.
    pub fn filtered(deployment: &Deployment) -> Box<Self> {
        let class = ErrorClass::ContentPolicyViolationError;
        let text = "The provider's content filter stopped the answer.";
        let failure = Failure {
            is_local: false,
            ..Failure::rehearsed(&deployment.provider, class, text)
        };
        Self::made(failure, HeaderMap::new())
    }

    /// Nothing was sent: the request wants to see what follows such a failure.
    pub fn rehearsed(deployment: &Deployment, rehearsal: Rehearsal) -> Box<Self> {
        let text = format!(
            "this is a mock failure of the model group '{}'",
            deployment.group
        );
        let failure = Failure::rehearsed(&deployment.provider, rehearsal.class, &text);
        Self::made(failure, HeaderMap::new())
    }

    /// Nothing was sent: the provider does not serve what the request asks for.
    pub fn unsupported(unsupported: &Unsupported) -> Box<Self> {
        Self::made(Failure::unsupported(unsupported), HeaderMap::new())
    }
}

/// A deployment that is leased for a request.
pub struct Leased<'a> {
    pub charge: &'a Charge,
    pub deployment: Arc<Deployment>,
    pub prepared: Rc<Prepared>,
}

/// A call that has ended.
pub struct Attempted {
    pub came: Result<Came, Box<Failed>>,
    /// Time spent waiting for the upstream.
    pub waited: Duration,
}

/// Calls the leased deployment.
pub async fn attempt(
    leased: &Leased<'_>,
    request: &Request<'_>,
    name_json: &[u8],
) -> Result<Came, Box<Failed>> {
    steps::point("journey.attempt");
    let began = Instant::now();
    let Leased {
        charge,
        deployment,
        prepared,
    } = leased;
    let worker = charge.worker.clone();
    let fail = |upstream: &Upstream<'_>| Failed::of(deployment, upstream, HeaderMap::new());
    let limit = charge.limit_at(deployment, request.stream);
    let mock = charge.asked.mock.as_ref().or(deployment.mock.as_ref());
    let chaos = &worker.shared.chaos;
    let struck = chaos.strikes(&deployment.id, fastrand::f64(), began);
    if let Some(struck) = struck {
        Box::pin(rehearse(deployment, &struck, limit)).await?;
    }
    let (called, way, told) = match mock {
        Some(mock) => (
            Box::pin(mocked::call(mock, &worker, deployment, request, limit)).await,
            Way::from_mock(request.operation()),
            HeaderMap::new(),
        ),
        None => {
            let question = Question::of(request, deployment)?;
            let mut limit = limit;
            let wishes = charge.asked.anthropic.as_deref();
            let (mut more, dropped) = question.headers(wishes, deployment);
            // A caller's own access needs no token of ours.
            if deployment.entra.is_some()
                && let Some(login) = prepared.login.clone()
            {
                let token = Box::pin(login.authorization(limit)).await;
                let token = token.map_err(|why| no_token(deployment, &why))?;
                more.push((header::AUTHORIZATION, token));
                limit = limit.saturating_sub(began.elapsed());
            }
            let not_served = || {
                let why = format!("it has no {}", request.operation().path());
                fail(&Upstream::NotServed { why: &why })
            };
            let called = match &charge.asked.access {
                Some(access) => {
                    let reach = deployment.client_access.permit(access);
                    let reach = reach.map_err(|_| not_served())?;
                    let (client, endpoint) = worker
                        .endpoint_with_access(deployment, question.operation, reach)
                        .ok_or_else(not_served)?;
                    Box::pin(client.call(&endpoint, &question.body, &more, limit)).await
                }
                None => {
                    let endpoint = prepared.endpoint(&worker.client, question.operation);
                    let endpoint = endpoint.ok_or_else(not_served)?;
                    let calling = worker.client.call(endpoint, &question.body, &more, limit);
                    calling.await
                }
            };
            let mut told = HeaderMap::new();
            question.tell(&mut told);
            if let Some((name, betas)) = dropped {
                told.insert(name, betas);
            }
            (called, question.way, told)
        }
    };
    let mut answer = called.map_err(|error| fail(&call_failure(&error, began)))?;
    let mut headers = answer.foreign_headers().map(to_server).unwrap_or_default();
    for (name, value) in told {
        headers.append(name, value);
    }
    if !answer.status().is_success() {
        let body = match answer.unreadable() {
            Some(_) => Bytes::new(),
            None => {
                let time = ERROR_TIME.min(limit);
                answer.beginning(time, MOST_ERROR_BYTES).await
            }
        };
        let told = Upstream::Status {
            status: answer.status().as_u16(),
            headers: waits(&answer),
            body: &body,
        };
        return Err(fail(&told).with(headers));
    }
    if let Some(why) = answer.unreadable() {
        return Err(fail(&Upstream::Unreadable { why: &why }).with(headers));
    }
    if request.stream != answer.is_event_stream() {
        let wrong = Box::pin(unexpected(&mut answer, limit, began)).await;
        return Err(fail(&wrong.as_upstream()).with(headers));
    }
    let form = || form(leased, request, name_json);
    if request.stream {
        answer.forget_headers();
        let open = StreamForm {
            from_chat: way.from_chat,
            ..stream_form(leased, request, name_json)
        };
        let editor = match &charge.resumed {
            None => Editor::new(request.operation(), way, open, form),
            Some(resumed) => {
                let back = resumed.back(way, request);
                Editor::behind(request.operation(), back, form(), resumed)
            }
        };
        let begun = Box::pin(first_content(leased, answer, editor, limit, began)).await;
        return match begun {
            Ok((answer, editor, first)) => Ok(Came::Stream(Box::new(Begun {
                headers,
                answer,
                editor,
                first,
                resume: None,
            }))),
            Err(failed) => Err(failed.with(headers)),
        };
    }
    let left = limit.saturating_sub(began.elapsed());
    let most = charge.routes.settings().most_answer_bytes;
    let read = answer.body(left, most).await;
    let read = match &read {
        Ok(body) => answered(body, request.operation(), &way, deployment, name_json, form),
        Err(error) => Err(Unusable::Read(*error, began)),
    };
    match read {
        Ok((body, told)) => Ok(Came::Whole(Whole {
            headers,
            body,
            told,
        })),
        Err(wrong) => Err(fail(&wrong.as_upstream()).with(headers)),
    }
}

/// What a rehearsal does before a call goes out: it waits, or the call fails.
async fn rehearse(
    deployment: &Deployment,
    struck: &Disturbance,
    limit: Duration,
) -> Result<(), Box<Failed>> {
    let began = Instant::now();
    tokio::time::sleep(struck.delay.min(limit)).await;
    let failed = |upstream: &Upstream<'_>| Err(Failed::of(deployment, upstream, HeaderMap::new()));
    if struck.delay >= limit {
        return failed(&Upstream::Timeout {
            after: began.elapsed(),
            stage: Stage::Head,
        });
    }
    match struck.status {
        None => Ok(()),
        Some(status) => failed(&Upstream::Status {
            status,
            headers: UpstreamHeaders::default(),
            body: REHEARSED,
        }),
    }
}

fn stream_form(leased: &Leased<'_>, request: &Request<'_>, name_json: &[u8]) -> StreamForm {
    let Leased {
        charge, deployment, ..
    } = leased;
    let operation = request.operation();
    let kind = match operation {
        Operation::Completion => "cmpl",
        _ => "chatcmpl",
    };
    StreamForm {
        model_json: name_json.to_vec(),
        wants_usage: request.include_usage || charge.routes.settings().always_stream_usage,
        operation,
        from_chat: false,
        id: format!("{kind}-{}", charge.call_id).into(),
        created: charge.started_at / 1_000_000,
        is_openai: deployment.plan.is_openai,
        says_reasoning: deployment.plan.says_reasoning,
    }
}

/// Reads a stream until it has content to show, or tells of a response that goes on being made without us. How long its client
/// waits for a head is not decided here.
async fn first_content(
    leased: &Leased<'_>,
    mut answer: Answer,
    mut editor: Editor,
    limit: Duration,
    began: Instant,
) -> Result<(Answer, Editor, Bytes), Box<Failed>> {
    let fail = |upstream: &Upstream<'_>| Failed::of(&leased.deployment, upstream, HeaderMap::new());
    let is_background = leased.charge.is_background();
    let mut held = BytesMut::new();
    loop {
        let read = answer
            .chunk(limit)
            .await
            .map_err(|error| fail(&read_failure(error, began)))?;
        let ended = read.is_none();
        let edited = match read {
            Some(bytes) => editor.feed(bytes),
            None => editor.finish(),
        };
        match edited.fault {
            Some(StreamFault::Error(frame)) => {
                return Err(fail(&Upstream::InStream { frame: &frame }));
            }
            Some(StreamFault::Malformed) => return Err(fail(&Upstream::Malformed)),
            None => {}
        }
        let facts = editor.facts();
        let is_made = is_background && facts.id.is_some();
        let has_content = facts.content_started || facts.finished || facts.done;
        let ready = is_made || has_content || held.len() > MOST_HELD;
        if ready && held.is_empty() {
            return Ok((answer, editor, edited.out));
        }
        held.extend_from_slice(&edited.out);
        if ready {
            return Ok((answer, editor, held.freeze()));
        }
        if ended {
            return Err(fail(&Upstream::Cut));
        }
    }
}

/// Nothing was sent: there is no token to send it with.
pub fn no_token(deployment: &Deployment, why: &LoginError) -> Box<Failed> {
    let why = why.to_string();
    Failed::of(
        deployment,
        &Upstream::NoToken { why: &why },
        HeaderMap::new(),
    )
}

/// A call without the head of an answer, as the classifier knows it.
pub fn call_failure(error: &CallError, began: Instant) -> Upstream<'static> {
    let timeout = |stage| Upstream::Timeout {
        after: began.elapsed(),
        stage,
    };
    match error {
        CallError::Connect(problem) => Upstream::ConnectFailed(*problem),
        CallError::ConnectTimeout => timeout(Stage::Connect),
        CallError::HeadTimeout => timeout(Stage::Head),
        CallError::Cut => Upstream::Cut,
    }
}

/// A body that ended early, as the classifier knows it.
pub fn read_failure(error: ReadError, began: Instant) -> Upstream<'static> {
    match error {
        ReadError::Cut => Upstream::Cut,
        ReadError::Timeout => Upstream::Timeout {
            after: began.elapsed(),
            stage: Stage::Body,
        },
        ReadError::TooLarge => Upstream::Malformed,
    }
}

/// How long an answer asks to wait.
pub fn waits(answer: &Answer) -> UpstreamHeaders<'_> {
    UpstreamHeaders {
        retry_after: answer.header("retry-after"),
        retry_after_ms: answer.header("retry-after-ms"),
        should_retry: answer.header("x-should-retry"),
    }
}
