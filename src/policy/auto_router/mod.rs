//! Auto routers: names that stand for no deployment, and lead each request to a group by what it says.
//!
//! Four kinds, one file each: by how difficult the request is (`complexity`), by the quality that this asks for (`quality`), by
//! what was learnt of answers to such requests (`adaptive`), by its meaning (`semantic`). All read the last text of the user,
//! and are functions of it, their configuration and given chance: the journey brings texts, vectors and what was learnt.
//! Kinds, names and figures are those of LiteLLM 1.106.2; the lists of words are this gateway's own.

pub mod adaptive;
pub mod asking;
pub mod classifier;
pub mod complexity;
pub mod feedback;
pub mod quality;
pub mod request_type;
pub mod scorer;
pub mod semantic;
mod tier;
mod words;

use std::sync::Arc;

use crate::policy::fallback::Target;

pub use words::Words;

/// What a configuration says of one auto router.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Complexity(Arc<complexity::Settings>),
    Quality(Box<quality::Settings>),
    Adaptive(adaptive::Settings),
    Semantic(semantic::Settings),
}

impl Kind {
    /// The group for whatever it cannot decide about.
    pub fn default_group(&self) -> Option<&Arc<str>> {
        match self {
            Self::Complexity(settings) => settings.default.as_ref(),
            Self::Quality(settings) => settings.default.as_ref(),
            Self::Adaptive(settings) => settings.default.as_ref(),
            Self::Semantic(settings) => Some(&settings.default),
        }
    }

    /// The groups that it may lead to; some more than once.
    pub fn groups(&self) -> Vec<&Arc<str>> {
        match self {
            Self::Complexity(settings) => {
                let tiers = settings.tiers.iter().flatten().map(|target| &target.model);
                tiers.chain(&settings.default).collect()
            }
            Self::Quality(settings) => settings.available.iter().chain(&settings.default).collect(),
            Self::Adaptive(settings) => {
                settings.available.iter().chain(&settings.default).collect()
            }
            Self::Semantic(settings) => {
                let routes = settings.comparison.routes.iter().map(|route| &route.name);
                routes.chain(std::iter::once(&settings.default)).collect()
            }
        }
    }

    /// The groups that it asks itself: for vectors, and for how difficult a request is.
    pub fn helpers(&self) -> Vec<&Arc<str>> {
        match self {
            Self::Complexity(settings) => {
                let asked = settings.asking.as_ref().map(|asking| &asking.group);
                let compared = settings.meanings.as_ref().map(|own| &own.embedding);
                asked.into_iter().chain(compared).collect()
            }
            Self::Semantic(settings) => vec![&settings.comparison.embedding],
            Self::Quality(_) | Self::Adaptive(_) => Vec::new(),
        }
    }
}

/// One of several targets, by a number from 0 to 1.
fn any_of(targets: &[Target], random: f64) -> Option<&Target> {
    let place = (random * targets.len() as f64) as usize;
    targets.get(place.min(targets.len().checked_sub(1)?))
}
