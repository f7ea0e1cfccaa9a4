//! A whole answer: read, and made the client's.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::attempt::{MOST_ERROR_BYTES, read_failure};
use super::charge::Told;
use super::question::Way;
use crate::policy::upstream_error::Upstream;
use crate::protocol::crossing::Form;
use crate::protocol::openai::answer::AnswerSpans;
use crate::protocol::openai::reasoning;
use crate::protocol::openai::usage::parse_usage;
use crate::protocol::openai_completions::as_chat;
use crate::protocol::pass::StreamFault;
use crate::protocol::{anthropic, openai_embeddings, openai_responses};
use crate::router::Deployment;
use crate::types::Operation;
use crate::upstream::{Answer, ReadError};

/// A 2xx answer that is not what was asked for.
pub enum Unusable {
    Error(Vec<u8>),
    Malformed,
    Read(ReadError, Instant),
}

impl From<StreamFault> for Unusable {
    fn from(fault: StreamFault) -> Self {
        match fault {
            StreamFault::Error(frame) => Self::Error(frame),
            StreamFault::Malformed => Self::Malformed,
        }
    }
}

impl Unusable {
    pub fn as_upstream(&self) -> Upstream<'_> {
        match self {
            Self::Error(frame) => Upstream::InStream { frame },
            Self::Malformed => Upstream::Malformed,
            Self::Read(error, began) => read_failure(*error, *began),
        }
    }
}

/// Some hosts answer a stream request with a plain error and status 200: its text is worth more than "malformed".
pub async fn unexpected(answer: &mut Answer, limit: Duration, began: Instant) -> Unusable {
    match answer.body(limit, MOST_ERROR_BYTES).await {
        Ok(body) => match AnswerSpans::read(&body).and_then(|spans| spans.error) {
            Some(error) => Unusable::Error(body[error].to_vec()),
            None => Unusable::Malformed,
        },
        Err(ReadError::TooLarge) => Unusable::Malformed,
        Err(error) => Unusable::Read(error, began),
    }
}

/// The answer for a client who asked for `operation`, and what it told. `name_json` is the client's name of the model; `form`
/// is asked for a translated answer alone.
pub fn answered(
    body: &Bytes,
    operation: Operation,
    way: &Way,
    deployment: &Deployment,
    name_json: &[u8],
    form: impl FnOnce() -> Form,
) -> Result<(Bytes, Told), Unusable> {
    let told = |facts| Told::of(&facts, &deployment.model);
    if let Some(back) = &way.back {
        let (body, facts) = back.answer(body, form())?;
        let body = Bytes::from(body);
        return Ok(match way.from_chat {
            true => (by_chat(&body)?, told(facts)),
            false => (body, told(facts)),
        });
    }
    match operation {
        Operation::Messages => {
            let (body, facts) = anthropic::pass_answer(body, name_json)?;
            Ok((body, told(facts)))
        }
        Operation::Responses | Operation::Compaction => {
            let (body, facts) = openai_responses::pass_answer(body, name_json)?;
            Ok((body, told(facts)))
        }
        Operation::Embedding => whole(&with_places(body), name_json, &deployment.model),
        Operation::Completion if way.from_chat => {
            whole(&by_chat(body)?, name_json, &deployment.model)
        }
        _ if deployment.plan.says_reasoning => {
            let renamed = reasoning::renamed(body).map(Bytes::from);
            let body = renamed.as_ref().unwrap_or(body);
            whole(body, name_json, &deployment.model)
        }
        _ => whole(body, name_json, &deployment.model),
    }
}

fn by_chat(body: &Bytes) -> Result<Bytes, Unusable> {
    let text = as_chat::answer(body).ok_or(Unusable::Malformed)?;
    Ok(text.into())
}

/// Embeddings whose items have all that OpenAI's have.
fn with_places(body: &Bytes) -> Bytes {
    let data = AnswerSpans::read(body).and_then(|spans| spans.data);
    let Some((data, written)) =
        data.and_then(|data| Some((data.clone(), openai_embeddings::with_places(&body[data])?)))
    else {
        return body.clone();
    };
    [&body[..data.start], &written, &body[data.end..]]
        .concat()
        .into()
}

/// The answer for the client, and what it told.
fn whole(body: &Bytes, name_json: &[u8], asked: &str) -> Result<(Bytes, Told), Unusable> {
    let spans = AnswerSpans::read(body).ok_or(Unusable::Malformed)?;
    if let Some(error) = spans.error {
        return Err(Unusable::Error(body[error].to_vec()));
    }
    let told = Told {
        id: spans
            .text(body, &spans.id)
            .filter(|id| !id.is_empty())
            .map(str::to_owned),
        model: spans
            .text(body, &spans.model)
            .filter(|model| *model != asked)
            .map(str::to_owned),
        service_tier: spans.text(body, &spans.service_tier).map(str::to_owned),
        usage: spans
            .usage
            .as_ref()
            .and_then(|usage| parse_usage(&body[usage.clone()]).ok()),
        content_bytes: spans
            .choices
            .as_ref()
            .map_or(0, |choices| choices.len() as u64),
    };
    let same = spans
        .model
        .as_ref()
        .is_some_and(|model| &body[model.clone()] == name_json);
    let edited = if same {
        body.clone()
    } else {
        Bytes::from(spans.with_model(body, name_json))
    };
    Ok((edited, told))
}
