//! How decisions came about, in names and words: for the header of a request that wants to know, and for whoever asks before.

use std::rc::Rc;

use actix_web::http::header::{HeaderName, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

use super::admission::lead;
use super::asked::Asked;
use super::auto_route::foresee;
use super::charge::Charge;
use super::continuity::resume;
use super::course::Traveller;
use super::failure::{Failure, Refused};
use super::reply::Incoming;
use super::wishes::wish;
use super::worker::Worker;
use crate::auth::Caller;
use crate::policy::selection::Passed;
use crate::policy::shortlist::{Reason, Shortlist};
use crate::protocol;
use crate::protocol::openai::request::Request;
use crate::router::{Considered, Explain, Explained, Nobody, RoutingTable, Told, Trace, Verdict};

/// Asks for it, and carries it.
pub const EXPLAIN: HeaderName = HeaderName::from_static("x-pointsman-explain");
/// Deployments of a decision that a header tells of.
const MOST_IN_HEADER: usize = 16;
/// Deployments that an answer tells of where nobody fits, as many as of other decisions.
const MOST_CONSIDERED: usize = 256;
/// Longest header, in bytes; a longer one tells less.
const LONGEST: usize = 6 * 1024;

/// The decisions about one request, in order.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Explanation {
    pub decisions: Vec<Decision>,
}

/// One of them: which deployment of a group takes a call.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Decision {
    pub group: String,
    pub strategy: &'static str,
    /// The id of the deployment that takes the call; none where nobody does.
    pub deployment: Option<String>,
    /// What chose it: `strategy`, `pinned`, `session_affinity`, `deployment_affinity`, `prompt_caching`.
    pub by: Option<&'static str>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nobody: Option<String>,
    pub considered: Vec<Weighed>,
    /// Deployments that are not told.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A deployment of the group, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Weighed {
    pub id: String,
    /// `litellm_params.model`
    pub model: String,
    /// `chosen`, or a word for why it was passed over: `cooldown`, `rpm`, `tags` …
    pub verdict: &'static str,
    /// The same with its figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How a decision about a request would come about now. Nothing is sent, reserved or charged.
pub async fn explain(
    worker: &Rc<Worker>,
    caller: &Caller,
    incoming: &Incoming<'_>,
) -> Result<Decision, Refused> {
    let told = tell(worker, caller, incoming).await;
    told.map_err(|failure| Refused::of(incoming, failure))
}

async fn tell(
    worker: &Rc<Worker>,
    caller: &Caller,
    incoming: &Incoming<'_>,
) -> Result<Decision, Failure> {
    let shape = protocol::shape(incoming.operation);
    let request = Request::read(shape, &incoming.body, None).map_err(Failure::Request)?;
    let routes = worker.routes();
    let rules = &routes.settings().asking;
    let principal = caller.principal();
    let asked = Asked::read(rules, incoming.headers, &request, principal);
    let asked = asked.map_err(Failure::Request)?;
    let mut asked = asked.under(caller.known.settings.as_ref());
    if incoming.operation.is_of_responses() {
        let resumed = Box::pin(resume(worker, &routes, caller, &request)).await?;
        asked.continuity = Some(Rc::new(resumed.continuity));
    }
    let headers = incoming.headers;
    let led = foresee(worker, &routes, caller, &request, &asked, headers);
    asked.led = Box::pin(led).await?;
    let own_body = asked.led.as_ref().and_then(|led| led.body.clone());
    let request = match &own_body {
        Some(body) => Request::read(shape, body, None).map_err(Failure::Request)?,
        None => request,
    };
    let (destination, mut begin, _) = lead(worker, &routes, caller, &request, &asked).await?;
    let by = Traveller {
        routes: &routes,
        principal,
        asked: &asked,
    };
    let table = routes.table();
    let wish = match wish(worker, by, &destination, &request).await {
        Ok(wish) => wish,
        Err(unfit) => return Ok(decision(table, &unfit.told())),
    };
    begin.wish = wish.clone();
    let router = worker.shared.control.router();
    let trace = router.send(Explain(begin)).await;
    let trace = trace.ok().flatten().ok_or(Failure::ControlFailed)?;
    let shortlist = wish.as_ref().and_then(|wish| wish.shortlist.clone());
    Ok(decision(table, &Told::Decided { trace, shortlist }))
}

/// A decision in names and words.
fn decision(table: &RoutingTable, told: &Told) -> Decision {
    match told {
        Told::Decided { trace, shortlist } => decided(table, trace, shortlist.as_ref()),
        Told::Unfit {
            group,
            why,
            left_out,
        } => nobody_fits(table, group, why, left_out),
    }
}

/// The decision about a request that no deployment of a group is for.
fn nobody_fits(
    table: &RoutingTable,
    group: &str,
    why: &str,
    left_out: &[(u32, Reason)],
) -> Decision {
    let weighed = left_out.iter().filter_map(|(number, reason)| {
        let deployment = table.deployment(*number)?;
        Some(Weighed {
            id: deployment.id.to_string(),
            model: deployment.litellm_model.to_string(),
            verdict: Passed::Unfit.code(),
            reason: Some(reason.to_string()),
        })
    });
    Decision {
        group: group.to_owned(),
        strategy: "",
        deployment: None,
        by: None,
        nobody: Some(why.to_owned()),
        considered: weighed.take(MOST_CONSIDERED).collect(),
        more: left_out.len().saturating_sub(MOST_CONSIDERED),
    }
}

fn decided(table: &RoutingTable, trace: &Trace, shortlist: Option<&Shortlist>) -> Decision {
    let (deployment, by) = match trace.verdict {
        Verdict::Chosen { deployment, by } => (id(table, deployment), Some(by.as_str())),
        Verdict::None(_) => (None, None),
    };
    let weighed = |considered: &Considered| weighed(table, considered, shortlist);
    Decision {
        group: table
            .group(trace.group)
            .map_or_else(String::new, |group| group.name.to_string()),
        strategy: trace.strategy.as_str(),
        deployment,
        by,
        nobody: match trace.verdict {
            Verdict::None(nobody) => Some(words(nobody).to_owned()),
            Verdict::Chosen { .. } => None,
        },
        considered: trace.considered.iter().filter_map(weighed).collect(),
        more: trace.more,
    }
}

/// Why a group cannot take a call.
pub fn words(nobody: Nobody) -> &'static str {
    match nobody {
        Nobody::Busy { .. } => "all slots of its deployments are in use",
        Nobody::Limited { .. } => "the limits of its deployments are reached",
        Nobody::Cooling { .. } => "all its deployments are in cooldown",
        Nobody::OverBudget { .. } => "the budgets of its deployments are spent",
        Nobody::Exhausted => "it has no deployment to call",
    }
}

fn id(table: &RoutingTable, number: u32) -> Option<String> {
    Some(table.deployment(number)?.id.to_string())
}

fn weighed(
    table: &RoutingTable,
    considered: &Considered,
    shortlist: Option<&Shortlist>,
) -> Option<Weighed> {
    let number = considered.deployment;
    let (verdict, reason) = match considered.passed {
        None => ("chosen", None),
        Some(passed) => {
            let by_request = || {
                let left_out = shortlist?.left_out();
                let (_, reason) = left_out.iter().find(|(own, _)| *own == number)?;
                Some(reason.to_string())
            };
            let words = match passed {
                Passed::Unfit => by_request(),
                _ => None,
            };
            let words = words.unwrap_or_else(|| passed.to_string());
            (passed.code(), Some(words))
        }
    };
    Some(Weighed {
        id: id(table, number)?,
        model: table.deployment(number)?.litellm_model.to_string(),
        verdict,
        reason,
    })
}

/// The decisions about a request, as a header, if it asked for them.
pub fn header_of(charge: &Charge) -> Option<HeaderValue> {
    let explained = charge.asked.explained.as_deref()?;
    header(charge.routes.table(), explained)
}

fn header(table: &RoutingTable, explained: &Explained) -> Option<HeaderValue> {
    let decisions = explained.all().map(|told| decision(table, told));
    let mut told = Explanation {
        decisions: decisions.collect(),
    };
    let mut most = MOST_IN_HEADER;
    loop {
        told.decisions.iter_mut().for_each(|own| own.shorten(most));
        let text = serde_json::to_string(&told).ok()?;
        if text.len() <= LONGEST || most == 0 {
            return HeaderValue::from_str(&ascii(&text)).ok();
        }
        most /= 2;
    }
}

impl Decision {
    /// Tells of so many deployments, the chosen one among them.
    fn shorten(&mut self, most: usize) {
        let chosen = |own: &Weighed| own.verdict == "chosen";
        let before = self.considered.len();
        if before <= most {
            return;
        }
        let at = self.considered.iter().position(chosen);
        if let Some(at) = at {
            self.considered.swap(0, at);
        }
        self.considered
            .truncate(most.max(usize::from(at.is_some())));
        self.more += before - self.considered.len();
    }
}

/// JSON in the letters that a header may have.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_ascii() {
            text.push(letter);
            continue;
        }
        let mut units = [0; 2];
        for unit in letter.encode_utf16(&mut units) {
            text.push_str(&format!("\\u{unit:04x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_ascii_and_bounded() {
        assert_eq!(ascii("\"é😀\""), "\"\\u00e9\\ud83d\\ude00\"");
        let weighed = |verdict| Weighed {
            id: "x".repeat(100),
            model: "m".into(),
            verdict,
            reason: None,
        };
        let mut decision = Decision {
            group: "g".into(),
            strategy: "least-busy",
            deployment: None,
            by: None,
            nobody: None,
            considered: vec![weighed("rpm"), weighed("rpm"), weighed("chosen")],
            more: 1,
        };
        decision.shorten(0);
        assert_eq!((decision.considered.len(), decision.more), (1, 3));
        assert_eq!(decision.considered[0].verdict, "chosen");
    }
}
