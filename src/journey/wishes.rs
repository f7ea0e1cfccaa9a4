//! What a request wants of the decision about one group, beyond the group: made on the worker, where its texts are.

use std::sync::Arc;

use super::course::Traveller;
use super::shortlisting::{Unfit, shortlist};
use super::worker::Worker;
use crate::protocol::openai::request::Request;
use crate::router::{Destination, Group, Wish};

/// The wish of a request for a group; `None`, for most requests: it has none.
pub async fn wish(
    worker: &Worker,
    by: Traveller<'_>,
    destination: &Destination,
    request: &Request<'_>,
) -> Result<Option<Arc<Wish>>, Box<Unfit>> {
    let shortlist = shortlist(worker, by, destination, request).await?;
    let settings = by.asked.settings.as_deref();
    if shortlist.is_none() && settings.is_none() {
        return Ok(None);
    }
    let group = by.routes.group(destination.group);
    let wish = Wish {
        shortlist,
        strategy: settings.and_then(|settings| settings.strategy),
        weights: group.and_then(|group| weights(by, group)),
        ..Wish::default()
    };
    let says_something =
        wish.shortlist.is_some() || wish.strategy.is_some() || wish.weights.is_some();
    Ok(says_something.then(|| Arc::new(wish)))
}

/// The shares that key or team give the deployments of a group; none, where none of them is more than nothing.
fn weights(by: Traveller<'_>, group: &Group) -> Option<Box<[(u32, f64)]>> {
    let settings = by.asked.settings.as_deref()?;
    let shares = settings.weights.of(&group.name)?;
    let of_member = |number: u32| {
        let id = &by.routes.table().deployment(number)?.id;
        let (_, share) = shares.iter().find(|(own, _)| **own == **id)?;
        Some((number, *share))
    };
    let members = group.members.iter();
    let weights: Box<[(u32, f64)]> = members
        .filter_map(|member| of_member(member.deployment))
        .collect();
    let counts = weights.iter().any(|(_, share)| *share > 0.0);
    counts.then_some(weights)
}
