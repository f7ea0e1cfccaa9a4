//! What a request says about fallbacks: lists of its own, none at all, or a rehearsal of a failure.

use super::Body;
use super::rules::Rules;
use crate::policy::fallback::{Fallbacks, List, ListError};
use crate::policy::mid_stream::MidStreamFailure;
use crate::policy::upstream_error::ErrorClass;
use crate::protocol::openai::request::RequestError;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailoverWishes {
    /// They take the place of the configuration's, list by list.
    pub lists: Fallbacks,
    /// `disable_fallbacks`.
    pub disabled: bool,
    pub rehearsal: Option<Rehearsal>,
    /// In the place of the router's.
    pub mid_stream_failure: Option<MidStreamFailure>,
}

/// A failure that the first call of a request pretends: the `mock_testing_…` fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rehearsal {
    pub class: ErrorClass,
    /// The group has failed for good: its fallbacks are next. Otherwise its retries are.
    pub is_final: bool,
}

/// The flags, and what each pretends.
const REHEARSALS: [(&str, Rehearsal); 4] = [
    (
        "mock_testing_fallbacks",
        Rehearsal {
            class: ErrorClass::InternalServerError,
            is_final: true,
        },
    ),
    (
        "mock_testing_context_fallbacks",
        Rehearsal {
            class: ErrorClass::ContextWindowExceededError,
            is_final: true,
        },
    ),
    (
        "mock_testing_content_policy_fallbacks",
        Rehearsal {
            class: ErrorClass::ContentPolicyViolationError,
            is_final: true,
        },
    ),
    (
        "mock_testing_rate_limit_error",
        Rehearsal {
            class: ErrorClass::RateLimitError,
            is_final: false,
        },
    ),
];

const LISTS: [&str; 3] = [
    "fallbacks",
    "context_window_fallbacks",
    "content_policy_fallbacks",
];
const DISABLE: &str = "disable_fallbacks";
const MID_STREAM: &str = "mid_stream_failure";

/// The fields of a body; none when it has none of them.
pub fn read(body: &Body<'_>, rules: &Rules) -> Result<Option<Box<FailoverWishes>>, RequestError> {
    let flags = REHEARSALS.map(|(field, _)| field);
    if !body.0.addresses_any(&LISTS)
        && !body.0.addresses_any(&flags)
        && !body.0.addresses_any(&[DISABLE, MID_STREAM])
    {
        return Ok(None);
    }
    let mut wishes = FailoverWishes {
        disabled: body.flag(DISABLE)?,
        mid_stream_failure: mid_stream_failure(body)?,
        ..FailoverWishes::default()
    };
    for (field, rehearsal) in REHEARSALS {
        if body.flag(field)? && wishes.rehearsal.is_none() {
            if !rules.mock_testing {
                return Err(RequestError::WrongType {
                    field,
                    expected: "left out: general_settings.dangerously_allow_mock_testing_request_params is not set",
                });
            }
            wishes.rehearsal = Some(rehearsal);
        }
    }
    let lists = LISTS.map(|field| list(body, field));
    let [general, context_window, content_policy] = lists;
    wishes.lists = Fallbacks {
        general: general?,
        context_window: context_window?,
        content_policy: content_policy?,
        larger_windows: Vec::new(),
    };
    Ok((wishes != FailoverWishes::default()).then(|| Box::new(wishes)))
}

fn mid_stream_failure(body: &Body<'_>) -> Result<Option<MidStreamFailure>, RequestError> {
    let Some(value) = body.json(MID_STREAM)? else {
        return Ok(None);
    };
    let named = value.as_str().and_then(MidStreamFailure::named);
    named.map(Some).ok_or(RequestError::WrongType {
        field: MID_STREAM,
        expected: MidStreamFailure::VALUES,
    })
}

fn list(body: &Body<'_>, field: &'static str) -> Result<Option<List>, RequestError> {
    let read = |value| match List::from_json(value) {
        Ok(list) => Ok(list),
        Err(ListError::Expected(expected)) => Err(RequestError::WrongType { field, expected }),
        Err(ListError::Refused(what)) if what == "an address" => {
            Err(RequestError::Refused(format!("{field} (an address)")))
        }
        Err(ListError::Refused(what)) => Err(RequestError::Refused(what)),
    };
    body.json(field)?.map(read).transpose()
}
