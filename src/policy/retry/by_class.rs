//! How often each class of error is tried again: `retry_policy` and `model_group_retry_policy`, as LiteLLM 1.106.2 knows them.

use crate::policy::by_class::ByClass;
use crate::policy::upstream_error::ErrorClass;

/// How the names of fields end.
const ENDING: &str = "Retries";
/// What holds for every class that no field names.
const OTHERS: &str = "DefaultRetries";

/// One policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetriesByClass {
    named: ByClass,
    others: Option<u32>,
}

impl RetriesByClass {
    /// The names of all fields.
    pub fn fields() -> impl Iterator<Item = String> {
        ByClass::fields(ENDING).chain([OTHERS.to_owned()])
    }

    /// Sets a field; `false` when none has this name.
    pub fn set(&mut self, field: &str, retries: u32) -> bool {
        if field == OTHERS {
            self.others = Some(retries);
            return true;
        }
        self.named.set(field, ENDING, retries)
    }

    /// Retries that a field names for errors of this class: what it says holds for errors too that would not be tried again.
    pub fn named(&self, class: ErrorClass) -> Option<u32> {
        self.named.of(class).map(|(_, retries)| retries)
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
    fn every_field_is_one() {
        for field in RetriesByClass::fields() {
            assert_ne!(policy(&[(&field, 3)]), RetriesByClass::default(), "{field}");
        }
        assert!(!RetriesByClass::default().set("Nonsense", 3));
        let others = policy(&[("DefaultRetries", 3)]);
        assert_eq!(others.others(), Some(3));
        assert!(
            ErrorClass::ALL
                .into_iter()
                .all(|class| others.named(class).is_none())
        );
    }
}
