//! What an error tells of the tries behind it: LiteLLM's additions to the message, and the failed calls for the spend log.

use std::fmt::Write;
use std::sync::Arc;

use super::course::{Traveller, lists};
use crate::policy::upstream_error::Failure;

/// Longest addition about fallbacks, in bytes (LiteLLM 1.106.2).
const MOST_DETAIL: usize = 2_000;
/// Groups that a message names at most.
const MOST_GROUPS: usize = 20;

/// The fallbacks that failed as well, each with its message.
#[derive(Debug, Default)]
pub struct Trail {
    failed: Vec<(Arc<str>, String)>,
}

impl Trail {
    pub fn add(&mut self, fallback: &Arc<str>, failure: &str) {
        self.failed.push((fallback.clone(), failure.to_owned()));
    }
}

/// Says how often a call was repeated, if it was.
pub fn tell_retries(failure: &mut Failure, retries: u16, most: u32) {
    if retries > 0 {
        let _ = write!(
            failure.message,
            " LiteLLM Retried: {retries} times, LiteLLM Max Retries: {most}"
        );
    }
}

/// Says what became of the fallbacks of `group`: nothing where there are none, where the request wants none, and where the
/// configuration keeps it to itself. Of groups only those are named that the caller may call.
pub fn tell_fallbacks(failure: &mut Failure, by: Traveller<'_>, group: &str, trail: &Trail) {
    let failover = &by.routes.table().failover;
    let Some(lists) = lists(by.asked, &failover.fallbacks) else {
        return;
    };
    if !failover.tells_trail {
        return;
    }
    let mut detail = String::new();
    if trail.failed.is_empty() {
        let list = lists.list_for(failure.class);
        let has_some = lists.targets(failure.class, &[group]).is_some();
        let groups = list.into_iter().flat_map(|list| list.groups());
        let groups: Vec<&str> = groups
            .filter(|group| by.may_call(group))
            .take(MOST_GROUPS)
            .collect();
        if has_some || groups.is_empty() {
            detail.push_str(". No fallback was attempted.");
        } else {
            let _ = write!(
                detail,
                " and no fallback model group was found for it, so the request was not retried on another model. \
                 Fallbacks are configured for: {}.",
                groups.join(", ")
            );
        }
    }
    for (fallback, message) in &trail.failed {
        let _ = write!(detail, ". Fallback to {fallback} also failed: {message}");
    }
    detail.truncate(detail.floor_char_boundary(MOST_DETAIL));
    let _ = write!(
        failure.message,
        "\n\nLiteLLM: model group '{group}' failed with the error above{detail}"
    );
}
