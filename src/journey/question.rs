//! What a deployment is sent, and in whose protocol: the client's own bytes with the few edits that they need, or the same
//! request in the protocol that its provider speaks.

use std::ops::Range;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;

use super::asked::AnthropicWishes;
use super::attempt::{Failed, Leased};
use crate::policy::upstream_error::{Failure, Upstream};
use crate::protocol::crossing::{self, Back, Form, Target};
use crate::protocol::neutral::{Dialect, NotCarried, Why};
use crate::protocol::openai::request::Request;
use crate::protocol::openai_completions::as_chat;
use crate::protocol::{json, shape};
use crate::providers::Selected;
use crate::router::Deployment;
use crate::types::{Operation, Pieces, PiecesBuilder};

/// Names the fields of a request that its provider's protocol cannot say.
const NOT_CARRIED: HeaderName = HeaderName::from_static("x-litellm-not-carried");
const BETA: HeaderName = HeaderName::from_static("anthropic-beta");
const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// Tells a client which of its betas the provider was not told.
const DROPPED_BETAS: HeaderName = HeaderName::from_static("x-litellm-dropped-anthropic-betas");

type Header = (HeaderName, HeaderValue);

/// What is sent.
pub struct Question {
    pub body: Pieces,
    /// The operation that the deployment is asked for.
    pub operation: Operation,
    /// Values of `anthropic-beta` that the body needs.
    pub betas: Vec<&'static str>,
    /// What of the client's request the body does not say.
    pub not_carried: Vec<NotCarried>,
    pub way: Way,
}

/// How an answer becomes the client's.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// Where upstream and client speak different protocols.
    pub back: Option<Back>,
    /// A text completion that a chat answers.
    pub from_chat: bool,
}

impl Way {
    /// Mocks answer conversations as chats do.
    pub fn from_mock(operation: Operation) -> Self {
        let client = crossing::dialect(operation).filter(|client| *client != Dialect::Chat);
        Self {
            back: client.map(|client| Back::plain(Dialect::Chat, client)),
            from_chat: false,
        }
    }
}

impl Question {
    /// The request as `deployment` is to be asked.
    pub fn of(request: &Request<'_>, deployment: &Deployment) -> Result<Self, Box<Failed>> {
        Self::of_model(
            request,
            deployment,
            &deployment.model,
            &deployment.model_json,
        )
    }

    /// The same for another model of its provider; `model_json` is its name as a JSON string.
    pub fn of_model(
        request: &Request<'_>,
        deployment: &Deployment,
        model: &str,
        model_json: &[u8],
    ) -> Result<Self, Box<Failed>> {
        let unsupported = |unsupported| Failed::unsupported(&unsupported);
        let plan = &deployment.plan;
        let asked = request.operation();
        let from_chat = asked == Operation::Completion && deployment.texts_by_chat;
        let passed = |body| Self {
            body,
            operation: asked,
            betas: request.betas().collect(),
            not_carried: Vec::new(),
            way: Way::default(),
        };
        if !from_chat && deployment.called_by(asked) == asked {
            let body = request.upstream_body(model_json, plan);
            return Ok(passed(body.map_err(unsupported)?));
        }
        let (body, asked) = if from_chat {
            let body = request.upstream_body(model_json, plan);
            let body = body.map_err(unsupported)?.to_bytes();
            (by_chat(&body, deployment)?, Operation::Chat)
        } else {
            let body = request.body_to_translate(model_json, plan);
            (body.map_err(unsupported)?, asked)
        };
        let operation = deployment.called_by(asked);
        let mut question = if operation == asked {
            Self {
                operation,
                ..passed(body.into())
            }
        } else {
            let target = target(deployment, operation, model);
            Self::across(&body, asked, operation, deployment, target)?
        };
        question.way.from_chat = from_chat;
        Ok(question)
    }

    /// Headers of this call alone; and, for the answer's head, the betas that the client asked for and its provider is not
    /// told.
    pub fn headers(
        &self,
        wishes: Option<&AnthropicWishes>,
        deployment: &Deployment,
    ) -> (Vec<Header>, Option<Header>) {
        if self.operation != Operation::Messages {
            return (Vec::new(), None);
        }
        let betas = wishes.map_or(&[][..], |wishes| &wishes.betas);
        let betas = betas.iter().map(String::as_str);
        let Selected { sent, dropped } = deployment.betas.select(betas, &self.betas);
        let version = wishes.and_then(|wishes| wishes.version.clone());
        let sent = sent.and_then(|sent| HeaderValue::from_str(&sent).ok());
        let headers = [(VERSION, version), (BETA, sent)];
        let headers = headers
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        let dropped = HeaderValue::from_str(&dropped.join(","))
            .ok()
            .filter(|_| !dropped.is_empty());
        (
            headers.collect(),
            dropped.map(|dropped| (DROPPED_BETAS, dropped)),
        )
    }

    /// Tells the client which of its fields did not get across. Hints that change no answer, and what was said in other
    /// words, are not worth a line.
    pub fn tell(&self, headers: &mut HeaderMap) {
        let is_lost = |note: &&NotCarried| !matches!(note.why, Why::Hint | Why::Approximated);
        let fields = self.not_carried.iter().filter(is_lost);
        let fields: Vec<&str> = fields.map(|note| note.field.as_str()).collect();
        let list = HeaderValue::from_str(&fields.join(", "));
        if let Some(list) = list.ok().filter(|_| !fields.is_empty()) {
            headers.insert(NOT_CARRIED, list);
        }
    }

    fn across(
        body: &Bytes,
        asked: Operation,
        operation: Operation,
        deployment: &Deployment,
        target: Option<Target<'_>>,
    ) -> Result<Self, Box<Failed>> {
        let not_served = || {
            let why = format!("it has no {}", asked.path());
            Failed::unusable(deployment, &why)
        };
        let from = crossing::dialect(asked).ok_or_else(not_served)?;
        let target = target.ok_or_else(not_served)?;
        let across = crossing::request(from, body, &target).map_err(|stranded| {
            let text = stranded.to_string();
            Failed::made(
                Failure::unspeakable(&deployment.provider, stranded.field(), &text),
                HeaderMap::new(),
            )
        })?;
        let body = Bytes::from(across.body);
        let body = match operation {
            Operation::Chat => planned(&body, across.messages, deployment, target.model())?,
            _ => body.into(),
        };
        Ok(Self {
            body,
            operation,
            betas: across.betas,
            not_carried: across.not_carried,
            way: Way {
                back: Some(across.back),
                from_chat: false,
            },
        })
    }
}

fn by_chat(body: &[u8], deployment: &Deployment) -> Result<Bytes, Box<Failed>> {
    match as_chat::request(body) {
        Ok(chat) => Ok(chat.into()),
        Err(why) => {
            let why = format!("the model only chats, so {why}");
            Err(Failed::of(
                deployment,
                &Upstream::NotServed { why: &why },
                Default::default(),
            ))
        }
    }
}

/// A chat that a translation has made, by the provider's rules. Its client knows nothing of this provider's parameters: what it
/// does not take is left out.
///
/// Where its messages are right as they are, only what stands around them is read again.
fn planned(
    body: &Bytes,
    messages: Option<Range<usize>>,
    deployment: &Deployment,
    model: &str,
) -> Result<Pieces, Box<Failed>> {
    let edited = |body: &Bytes| {
        let request = Request::read(shape(Operation::Chat), body, None)
            .map_err(|error| Failed::unusable(deployment, &error.to_string()))?;
        request
            .dropping_parameters()
            .upstream_body(&json::quoted(model), &deployment.plan)
            .map_err(|unsupported| Failed::unsupported(&unsupported))
    };
    let plan = &deployment.plan;
    let messages = messages.filter(|_| plan.messages.are_kept_by_translations());
    let Some(messages) = messages else {
        return edited(body);
    };
    let around = [&body[..messages.start], b"[]", &body[messages.end..]];
    let around = edited(&around.concat().into())?.to_bytes();
    let mut place = None;
    let _ = json::scan_object(&around, |field| {
        if &around[field.key] == b"messages" {
            place = Some(field.value);
        }
    });
    let Some(place) = place else {
        return edited(body);
    };
    let mut pieces = PiecesBuilder::with_capacity(around.len());
    pieces.put(&around[..place.start]);
    pieces.keep(body, messages);
    pieces.put(&around[place.end..]);
    Ok(pieces.finish())
}

/// Whom a request is written for when the deployment is asked for `operation`.
fn target<'a>(
    deployment: &'a Deployment,
    operation: Operation,
    model: &'a str,
) -> Option<Target<'a>> {
    match operation {
        Operation::Chat => Some(Target::Chat(deployment.targets.chat(model))),
        Operation::Messages => Some(Target::Anthropic(deployment.targets.messages(model))),
        Operation::Responses => {
            let target = deployment.targets.responses(model, &deployment.id);
            Some(Target::Responses(target))
        }
        _ => None,
    }
}

/// What the client of a translated answer is to see. `name_json` is its name of the model.
pub fn form(leased: &Leased<'_>, request: &Request<'_>, name_json: &[u8]) -> Form {
    let charge = leased.charge;
    Form {
        model: serde_json::from_slice(name_json).unwrap_or_default(),
        id: charge.call_id.to_string(),
        created: u64::try_from(charge.started_at / 1_000_000).unwrap_or_default(),
        wants_usage: request.include_usage || charge.routes.settings().always_stream_usage,
        ends_with_reason: leased.deployment.plan.is_openai,
    }
}
