//! Which deployments of a group may take a request, decided on the worker before the control thread is asked.
//!
//! A request that wants nothing, of a group that nobody has said anything of, costs one branch. A prompt is counted only where
//! its bytes do not show that it fits, off this thread; where it cannot be counted nobody is left out for it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use memchr::memmem;

use super::counting::counted;
use super::course::Traveller;
use super::worker::Worker;
use crate::policy::access;
use crate::policy::shortlist::{self, Capability, Cause, GroupFacts, Nobody, Reason};
use crate::policy::shortlist::{Draft, Shortlist, TagWish, Wants};
use crate::policy::token_count;
use crate::policy::upstream_error::ErrorClass;
use crate::protocol::demands;
use crate::protocol::openai::request::Request;
use crate::router::{Destination, Group, Told};
use crate::types::ModelAccess;

/// Models that a refusal names.
const MOST_NAMED: usize = 10;
/// Tokens that a prompt may have beyond its bytes: what frames it.
const FRAMING: u64 = 64;
/// Words of parts that may be more tokens than bytes.
const LARGE_PARTS: [&[u8]; 3] = [b"image", b"file", b"document"];

/// Nobody of a group may take a request.
#[derive(Clone, Debug)]
pub struct Unfit {
    pub group: Arc<str>,
    /// What left nobody, and why each deployment was left out.
    pub nobody: Nobody,
    /// The models that read too little, where that is the cause.
    models: Vec<(Arc<str>, u64)>,
    /// The request's tags, where they are the cause.
    pub tags: Vec<String>,
}

impl Unfit {
    /// What kind of error it is: tells which fallbacks there are.
    pub fn class(&self) -> ErrorClass {
        match self.nobody.why {
            Cause::Window { .. } => ErrorClass::ContextWindowExceededError,
            Cause::Tags => ErrorClass::AuthenticationError,
            Cause::NoModel
            | Cause::Access
            | Cause::Reserved(_)
            | Cause::Region(_)
            | Cause::Capability(_) => ErrorClass::BadRequestError,
        }
    }

    /// As a decision, for a request that wants to know.
    pub fn told(&self) -> Told {
        Told::Unfit {
            group: self.group.clone(),
            why: self.message(),
            left_out: self.nobody.left_out.clone(),
        }
    }

    /// As LiteLLM 1.106.2 says it, where it does.
    pub fn message(&self) -> String {
        let group = &self.group;
        match &self.nobody.why {
            Cause::Window { needed, .. } => {
                let sizes = self.models.iter();
                let sizes = sizes.map(|(model, window)| {
                    format!("Model={model}, Max Input Tokens={window}, Got={needed}")
                });
                let sizes: Vec<String> = sizes.collect();
                format!(
                    "litellm.ContextWindowExceededError: litellm._pre_call_checks: Context Window exceeded for given call. \
                     No models have context window large enough for this call.\n{}",
                    sizes.join("\n")
                )
            }
            Cause::Tags => {
                let tags: Vec<String> = self.tags.iter().map(|tag| format!("'{tag}'")).collect();
                format!(
                    "Not allowed to access model due to tags configuration. Passed model={group} and tags=[{}]",
                    tags.join(", ")
                )
            }
            Cause::NoModel => format!(
                "You passed in model={group}. There are no healthy deployments for this model: it is no model of the providers \
                 that could have it"
            ),
            Cause::Access => format!(
                "You passed in model={group}. There are no healthy deployments for this model: those in the access groups that \
                 this key may call (model_info.access_groups) take no calls"
            ),
            Cause::Reserved(reserved) => format!(
                "litellm.BadRequestError: Deployment {group} is reserved for another team until {} {}",
                reserved.until, reserved.zone
            ),
            Cause::Region(region) => format!(
                "litellm.BadRequestError: no deployment of {group} that could take this call is in the region '{region}' \
                 (allowed_model_region): a deployment says its region by litellm_params.region_name"
            ),
            Cause::Capability(Capability::WebSearch) => format!(
                "litellm.BadRequestError: no deployment of {group} that could take this call searches the web: leave the \
                 web search tool out (model_info.supports_web_search is false)"
            ),
            Cause::Capability(Capability::ResponseFormat) => format!(
                "litellm.BadRequestError: no deployment of {group} that could take this call takes a response format: leave \
                 it out, or have the gateway do it with `drop_params: true`"
            ),
        }
    }
}

/// The members of a group that a request may go to; `None`: all of them. A deployment that is named is not chosen by tags, nor by
/// what it could not do (LiteLLM 1.106.2).
pub async fn shortlist(
    worker: &Worker,
    by: Traveller<'_>,
    destination: &Destination,
    request: &Request<'_>,
) -> Result<Option<Shortlist>, Box<Unfit>> {
    let Some(found) = by.routes.group(destination.group) else {
        return Ok(None);
    };
    let concrete = by.routes.facts(destination);
    let facts = concrete.as_deref().unwrap_or(&found.facts);
    let access = lists(by, destination, found, request);
    if !facts.concern_everybody && !by.asked.is_choosy() && access.is_empty() {
        return Ok(None);
    }
    let wants = wants(by, facts, access, request);
    let decided = match destination.only {
        Some(only) => held(facts, wants, only),
        None => Box::pin(decide(worker, by, destination, facts, wants, request)).await,
    };
    decided.map_err(|nobody| unfit(by, &found.name, nobody))
}

/// The lists that allow a group by access groups alone. Nobody is asked where the configuration leads a request, and a deployment
/// that is named has been allowed by itself.
fn lists<'a>(
    by: Traveller<'a>,
    destination: &Destination,
    group: &Group,
    request: &Request<'_>,
) -> Vec<&'a ModelAccess> {
    let is_led = by.asked.led.is_some() || by.asked.is_copy;
    if !group.facts.splits_access || is_led || destination.only.is_some() {
        return Vec::new();
    }
    let (table, principal) = (by.routes.table(), by.principal);
    let leads_here = |model: &&str| {
        let found = table.resolve_for(principal, model);
        found.is_ok_and(|found| found.group == destination.group)
    };
    let asked_for = request.model().filter(leads_here);
    let meant = asked_for.map(|model| access::target(principal, model));
    let names = [
        Some(&*group.name),
        destination.concrete.as_deref(),
        asked_for,
        meant,
    ];
    let names: Vec<&str> = names.into_iter().flatten().collect();
    access::narrowing(principal, &names, &group.access_groups)
}

fn held(facts: &GroupFacts, wants: Wants<'_>, only: u32) -> Result<Option<Shortlist>, Nobody> {
    let wants = Wants {
        response_format: false,
        tags: None,
        ..wants
    };
    Ok(shortlist::draft(facts, &wants)?.only(only)?.list())
}

async fn decide(
    worker: &Worker,
    by: Traveller<'_>,
    destination: &Destination,
    facts: &GroupFacts,
    wants: Wants<'_>,
    request: &Request<'_>,
) -> Result<Option<Shortlist>, Nobody> {
    let draft = shortlist::draft(facts, &wants)?;
    let Some(window) = draft.smallest_window() else {
        return Ok(draft.list());
    };
    if most_tokens(request.bytes()).is_some_and(|most| most <= window) {
        return Ok(draft.list());
    }
    match count(worker, by, destination, &draft, request).await {
        Some(tokens) => Ok(draft.for_prompt(tokens)?.list()),
        None => Ok(draft.list()),
    }
}

fn wants<'a>(
    by: Traveller<'a>,
    facts: &GroupFacts,
    access: Vec<&'a ModelAccess>,
    request: &Request<'_>,
) -> Wants<'a> {
    let (principal, asked) = (by.principal, by.asked);
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    let (operation, body) = (request.operation(), request.bytes());
    Wants {
        now: since_epoch.map_or(0, |since| since.as_secs() as i64),
        team: principal.team.as_ref().map(|team| &*team.id),
        access,
        region: asked.region.as_ref(),
        web_search: facts.minds_web_search && demands::web_search(body),
        response_format: facts.minds_response_format
            && !request.drops_parameters()
            && demands::response_format(operation, body),
        tags: (facts.filters_tags || asked.filters_tags).then(|| TagWish {
            tags: &asked.tags,
            inherited: &principal.options.tags,
            user_agent: asked.user_agent.as_deref(),
        }),
    }
}

/// The most tokens that a body can have, where its size tells: no text has more tokens than bytes.
fn most_tokens(body: &[u8]) -> Option<u64> {
    let has = |word: &&[u8]| memmem::find(body, word).is_some();
    let is_text = !LARGE_PARTS.iter().any(has);
    is_text.then(|| (body.len() as u64).saturating_add(FRAMING))
}

/// The tokens of the prompt, in the words of the first deployment that is left.
async fn count(
    worker: &Worker,
    by: Traveller<'_>,
    destination: &Destination,
    draft: &Draft<'_>,
    request: &Request<'_>,
) -> Option<u64> {
    let prepared = by.routes.deployment(draft.left().next()?)?;
    let prepared = by.routes.fitted(prepared, destination)?;
    let counted_as = prepared.deployment.counted_as.clone();
    let body = Bytes::copy_from_slice(request.bytes());
    let operation = request.operation();
    let count = move || token_count::count_request(operation, &counted_as, &body);
    let counted = counted(worker, count).await;
    let counted = counted.inspect_err(|error| log::debug!("a prompt was not counted: {error}"));
    counted.ok()
}

fn unfit(by: Traveller<'_>, group: &Arc<str>, nobody: Nobody) -> Box<Unfit> {
    let models = nobody.left_out.iter().filter_map(|(number, reason)| {
        let Reason::WindowTooSmall { window, .. } = reason else {
            return None;
        };
        let deployment = by.routes.table().deployment(*number)?;
        Some((deployment.litellm_model.clone(), *window))
    });
    Box::new(Unfit {
        group: group.clone(),
        models: models.take(MOST_NAMED).collect(),
        tags: match nobody.why {
            Cause::Tags => by.asked.tags.clone(),
            _ => Vec::new(),
        },
        nobody,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bytes_tell() {
        assert_eq!(most_tokens(b"0123456789"), Some(74));
        assert_eq!(most_tokens(br#"{"type":"image_url"}"#), None);
        assert_eq!(most_tokens(br#"{"type":"input_file"}"#), None);
    }
}
