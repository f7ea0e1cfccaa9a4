//! How often each class of error is tried again: `retry_policy` and `model_group_retry_policy`, as LiteLLM 1.106.2 knows them.

use crate::policy::upstream_error::ErrorClass::{self, *};

/// The fields of a policy, each with the classes it decides. A class that several fields decide is meant by the first of them
/// that is set.
const FIELDS: [(&str, &[ErrorClass]); 8] = [
    (
        "ContentPolicyViolationErrorRetries",
        &[ContentPolicyViolationError],
    ),
    (
        "BadRequestErrorRetries",
        &[
            BadRequestError,
            ContentPolicyViolationError,
            ContextWindowExceededError,
            UnsupportedParamsError,
        ],
    ),
    ("AuthenticationErrorRetries", &[AuthenticationError]),
    ("TimeoutErrorRetries", &[Timeout]),
    ("RateLimitErrorRetries", &[RateLimitError]),
    ("InternalServerErrorRetries", &[InternalServerError]),
    ("ServiceUnavailableErrorRetries", &[ServiceUnavailableError]),
    ("NotFoundErrorRetries", &[NotFoundError]),
];
/// What holds for every class that no field names.
const OTHERS: &str = "DefaultRetries";

/// One policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetriesByClass {
    named: [Option<u32>; FIELDS.len()],
    others: Option<u32>,
}

impl RetriesByClass {
    /// The names of all fields.
    pub fn fields() -> impl Iterator<Item = &'static str> {
        FIELDS.iter().map(|(name, _)| *name).chain([OTHERS])
    }

    /// Sets a field; a name that is none changes nothing.
    pub fn set(&mut self, field: &str, retries: u32) {
        if field == OTHERS {
            self.others = Some(retries);
        }
        let known = FIELDS.iter().position(|(name, _)| *name == field);
        if let Some(place) = known.and_then(|place| self.named.get_mut(place)) {
            *place = Some(retries);
        }
    }

    /// Retries that a field names for errors of this class: what it says holds for errors too that would not be tried again.
    pub fn named(&self, class: ErrorClass) -> Option<u32> {
        let decides = FIELDS.iter().zip(self.named);
        decides
            .filter(|((_, classes), _)| classes.contains(&class))
            .find_map(|(_, retries)| retries)
    }

    /// `DefaultRetries`: how often, but not whether.
    pub const fn others(&self) -> Option<u32> {
        self.others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(fields: &[(&str, u32)]) -> RetriesByClass {
        let mut policy = RetriesByClass::default();
        for (field, retries) in fields {
            policy.set(field, *retries);
        }
        policy
    }

    #[test]
    fn the_most_specific_field_decides() {
        let both = policy(&[
            ("BadRequestErrorRetries", 1),
            ("ContentPolicyViolationErrorRetries", 4),
        ]);
        let general = policy(&[("BadRequestErrorRetries", 1)]);
        for (policy, class, expected) in [
            (both, ContentPolicyViolationError, Some(4)),
            (both, BadRequestError, Some(1)),
            (general, ContentPolicyViolationError, Some(1)),
            (general, ContextWindowExceededError, Some(1)),
            (general, RateLimitError, None),
            (general, BadGatewayError, None),
        ] {
            assert_eq!(policy.named(class), expected, "{class:?}");
        }
    }

    #[test]
    fn every_field_is_one() {
        for field in RetriesByClass::fields() {
            assert_ne!(policy(&[(field, 3)]), RetriesByClass::default(), "{field}");
        }
        assert_eq!(policy(&[("Nonsense", 3)]), RetriesByClass::default());
        let others = policy(&[("DefaultRetries", 3)]);
        assert_eq!(others.others(), Some(3));
        assert!(
            ErrorClass::ALL
                .into_iter()
                .all(|class| others.named(class).is_none())
        );
    }
}
