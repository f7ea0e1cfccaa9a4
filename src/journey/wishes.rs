//! What a request wants of the decision about one group, beyond the group: made on the worker, where its texts are.

use std::sync::Arc;

use super::course::Traveller;
use super::shortlisting::{Unfit, shortlist};
use super::worker::Worker;
use crate::protocol::kinship;
use crate::protocol::openai::request::Request;
use crate::router::{Destination, Group, Kin, Wish};

/// The wish of a request for a group; `None`, for most requests: it has none.
pub async fn wish(
    worker: &Worker,
    by: Traveller<'_>,
    destination: &Destination,
    request: &Request<'_>,
) -> Result<Option<Arc<Wish>>, Box<Unfit>> {
    let asked = by.asked;
    let shortlist = shortlist(worker, by, destination, request).await;
    let shortlist = shortlist.inspect_err(|unfit| {
        if let Some(explained) = &asked.explained {
            explained.add(unfit.told());
        }
    })?;
    let settings = asked.settings.as_deref();
    let (table, group) = (by.routes.table(), by.routes.group(destination.group));
    let has_kin = group.is_some_and(|group| group.keeps_kin_together);
    let stays = group.map_or(0, |group| session_stays(by, group));
    let says_nothing = asked.explained.is_none() && asked.lar1.is_none();
    let has_nothing = shortlist.is_none() && settings.is_none() && says_nothing;
    if has_nothing && !has_kin && stays == 0 && table.budgets.is_empty() {
        return Ok(None);
    }
    let budgets = asked
        .tags
        .iter()
        .filter_map(|tag| table.budgets.of_tag(tag));
    let wish = Wish {
        shortlist,
        strategy: settings.and_then(|settings| settings.strategy),
        weights: group.and_then(|group| weights(by, group)),
        tag_budgets: budgets.collect(),
        kin: Kin {
            session_stays: stays,
            ..match has_kin {
                true => kin(by, request),
                false if stays > 0 => Kin {
                    session: session(by),
                    ..Kin::default()
                },
                false => Kin::default(),
            }
        },
        lar1: asked.lar1,
        explain: asked.explained.clone(),
    };
    Ok((!wish.is_empty()).then(|| Arc::new(wish)))
}

/// For how long an auto router wants a session to stay where it is, in milliseconds; 0: it does not, or there is none.
fn session_stays(by: Traveller<'_>, group: &Group) -> u64 {
    let led = by.asked.led.as_ref().filter(|_| !group.goes_by_priority);
    let stays = led.and_then(|led| led.session_stays);
    let stays = stays.filter(|_| by.asked.session.is_some());
    stays.map_or(0, |time| {
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
    })
}

fn session(by: Traveller<'_>) -> Option<u64> {
    let session = by.asked.session.as_deref()?;
    Some(kinship::of(session.as_bytes()))
}

/// What a request shares with others that should go where it goes.
fn kin(by: Traveller<'_>, request: &Request<'_>) -> Kin {
    let beginnings = kinship::beginnings(request.operation(), request.bytes());
    Kin {
        session: session(by),
        session_stays: 0,
        caller: Some(kinship::of(by.principal.key_hash.as_bytes())),
        opening: beginnings.as_ref().map(|beginnings| beginnings.opening),
        beginnings: beginnings.map_or_else(Box::default, |own| own.longest_first),
    }
}

/// The shares that key or team give the deployments of a group; none, where none of them is more than nothing.
fn weights(by: Traveller<'_>, group: &Group) -> Option<Box<[(u32, f64)]>> {
    let settings = by.asked.settings.as_deref()?;
    let shares = settings.weights.of(&group.name)?;
    let of_member = |number: u32| {
        let id = &by.routes.table().deployment(number)?.id;
        let place = shares
            .binary_search_by(|(own, _)| (**own).cmp(&**id))
            .ok()?;
        let (_, share) = shares.get(place)?;
        Some((number, *share))
    };
    let members = group.members.iter();
    let mut weights: Box<[(u32, f64)]> = members
        .filter_map(|member| of_member(member.deployment))
        .collect();
    weights.sort_by_key(|(number, _)| *number);
    let counts = weights.iter().any(|(_, share)| *share > 0.0);
    counts.then_some(weights)
}
