//! Prices of the models that answers name.
//!
//! A provider may serve another model than the one it was asked for: a dated one, or what a model router chose. Where the
//! deployment has no prices of its own, the model that its answer names is billed, if the catalogue has a price for it at
//! this provider.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::policy::cost::Tariff;
use crate::router::Deployment;

/// Models that are remembered of one deployment: a router's choice is small, and names come from outside.
const MOST_NAMES: usize = 64;
/// Longer names are no model's.
const LONGEST_NAME: usize = 256;

type Known = HashMap<Box<str>, Option<Arc<Tariff>>, foldhash::fast::RandomState>;

/// What one thread knows of one deployment.
#[derive(Default)]
pub struct AnswerPrices {
    known: RefCell<Known>,
}

impl AnswerPrices {
    /// The tariff for an answer of `deployment` that names `model`; `None` where the deployment's own holds.
    pub fn find(&self, deployment: &Deployment, model: &str) -> Option<Arc<Tariff>> {
        if !deployment.bills_what_answers_name || model.len() > LONGEST_NAME {
            return None;
        }
        let mut known = self.known.borrow_mut();
        if let Some(tariff) = known.get(model) {
            return tariff.clone();
        }
        let tariff = deployment.tariff_of_answer(model).map(Arc::new);
        if known.len() < MOST_NAMES {
            known.insert(model.into(), tariff.clone());
        }
        tariff
    }
}
