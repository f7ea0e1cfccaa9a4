//! Numbers that a configuration gives by class of error, under LiteLLM's names: `TimeoutErrorAllowedFails: 2`.

use super::upstream_error::ErrorClass::{self, *};

/// How fields begin, and the classes each decides. A class that several decide is meant by the first that is set.
const BEGINNINGS: [(&str, &[ErrorClass]); 9] = [
    (
        "ContentPolicyViolationError",
        &[ContentPolicyViolationError],
    ),
    (
        "BadRequestError",
        &[
            BadRequestError,
            ContentPolicyViolationError,
            ContextWindowExceededError,
            UnsupportedParamsError,
        ],
    ),
    ("AuthenticationError", &[AuthenticationError]),
    ("TimeoutError", &[Timeout]),
    ("RateLimitError", &[RateLimitError]),
    ("InternalServerError", &[InternalServerError]),
    ("ServiceUnavailableError", &[ServiceUnavailableError]),
    ("BadGatewayError", &[BadGatewayError]),
    ("NotFoundError", &[NotFoundError]),
];

/// How many beginnings there are.
pub const NAMES: usize = BEGINNINGS.len();

/// One map of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByClass([Option<u32>; NAMES]);

impl ByClass {
    /// The names of all fields that end in `ending`.
    pub fn fields(ending: &str) -> impl Iterator<Item = String> {
        BEGINNINGS
            .iter()
            .map(move |(beginning, _)| format!("{beginning}{ending}"))
    }

    /// Sets the field that ends in `ending`; `false` when none has this name.
    pub fn set(&mut self, field: &str, ending: &str, value: u32) -> bool {
        let beginning = field.strip_suffix(ending).unwrap_or_default();
        let known = BEGINNINGS.iter().position(|(name, _)| *name == beginning);
        match known.and_then(|place| self.0.get_mut(place)) {
            Some(place) => {
                *place = Some(value);
                true
            }
            None => false,
        }
    }

    /// What is said of errors of this class, and by which field (its place, below [`NAMES`]).
    pub fn of(&self, class: ErrorClass) -> Option<(usize, u32)> {
        BEGINNINGS
            .iter()
            .zip(self.0)
            .enumerate()
            .filter(|(_, ((_, classes), _))| classes.contains(&class))
            .find_map(|(place, (_, value))| Some((place, value?)))
    }

    /// Nothing is said of any class.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_special_name_counts() {
        let mut map = ByClass::default();
        assert!(map.is_empty());
        assert!(map.set("BadRequestErrorAllowedFails", "AllowedFails", 7));
        assert!(!map.set("BadRequestErrorRetries", "AllowedFails", 8));
        assert!(!map.set("AllowedFails", "AllowedFails", 9));
        let of = |map: &ByClass, class| map.of(class).map(|(_, value)| value);
        assert_eq!(of(&map, ContentPolicyViolationError), Some(7));
        assert_eq!(of(&map, ContextWindowExceededError), Some(7));
        assert!(map.set("ContentPolicyViolationErrorAllowedFails", "AllowedFails", 1));
        assert_eq!(of(&map, ContentPolicyViolationError), Some(1));
        assert_eq!(of(&map, BadRequestError), Some(7));
        // LiteLLM has no name for these.
        for class in [
            PaymentRequiredError,
            PermissionDeniedError,
            APIConnectionError,
            APIError,
        ] {
            assert_eq!(map.of(class), None, "{class:?}");
        }
        assert!(!map.is_empty());
    }

    #[test]
    fn every_field_can_be_set() {
        for field in ByClass::fields("Retries") {
            assert!(ByClass::default().set(&field, "Retries", 1), "{field}");
        }
    }
}
