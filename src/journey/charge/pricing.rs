//! What a call has used, by what its upstream tells, and what that costs.

use std::time::Duration;

use crate::catalog::ServiceTier;
use crate::journey::routes::Prepared;
use crate::policy::cost::{CallFacts, Cost, Units};
use crate::protocol::openai::usage::ParsedUsage;
use crate::protocol::pass::StreamFacts;
use crate::router::Deployment;
use crate::types::{NanoUsd, RowCost, Usage};

/// What an upstream told of its answer.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The model it names, where that is not the one asked for.
    pub model: Option<String>,
    pub service_tier: Option<String>,
    pub usage: Option<ParsedUsage>,
    /// Bytes of content delivered, for an estimate when there is no usage.
    pub content_bytes: u64,
}

impl Told {
    /// What an answer told that was asked of `model`.
    pub fn of(facts: &StreamFacts, model: &str) -> Self {
        Self {
            id: facts.id.clone(),
            model: facts.model.clone().filter(|named| named != model),
            service_tier: facts.service_tier.clone(),
            usage: facts.usage,
            content_bytes: facts.content_bytes,
        }
    }
}

/// A settled request.
#[derive(Clone, Copy, Debug)]
pub struct Bill {
    /// `None`: the model has no known price.
    pub cost: Option<Cost>,
}

impl Bill {
    /// What is booked.
    pub fn spend(&self) -> NanoUsd {
        self.cost.map_or(NanoUsd::ZERO, |cost| cost.total)
    }

    pub fn recorded(&self) -> RowCost {
        self.cost.map_or_else(
            || RowCost {
                unpriced: true,
                ..RowCost::default()
            },
            |cost| cost.recorded(),
        )
    }
}

/// What a call used, and its bill.
#[derive(Clone, Copy)]
pub struct Priced {
    pub usage: Usage,
    pub is_estimated: bool,
    pub bill: Bill,
}

/// What the bill of a call goes by beside its answer.
pub struct Asked {
    /// What is billed where the provider tells no usage.
    pub input_tokens: u64,
    /// The service tier asked for.
    pub tier: Option<ServiceTier>,
    pub took: Duration,
    /// Microseconds since the Unix epoch.
    pub started_at: i64,
}

/// What was used and what it costs. A call that is not `whole` and delivered nothing costs nothing.
pub fn priced(
    deployment: &Deployment,
    prepared: &Prepared,
    told: &Told,
    whole: bool,
    asked: &Asked,
) -> Priced {
    let (usage, is_estimated) = match told.usage {
        Some(parsed) if !parsed.output_is_open => (parsed.usage, false),
        _ if !whole && told.content_bytes == 0 => (Usage::default(), false),
        input_alone => {
            let output = told.content_bytes.div_ceil(4);
            let input = Usage {
                input: asked.input_tokens,
                ..Usage::default()
            };
            let input = input_alone.map_or(input, |parsed| parsed.usage);
            (
                Usage {
                    output: input.output.max(output),
                    ..input
                },
                true,
            )
        }
    };
    let of_answer = told
        .model
        .as_deref()
        .and_then(|model| prepared.answer_prices.find(deployment, model));
    let tariff = of_answer.as_ref().unwrap_or(&deployment.tariff);
    let parsed = told.usage.unwrap_or_default();
    if !whole && usage.total_tokens() == 0 && parsed.stated_cost.is_none() {
        let cost = (!tariff.is_unpriced()).then(Cost::default);
        return Priced {
            usage,
            is_estimated,
            bill: Bill { cost },
        };
    }
    let facts = CallFacts {
        tier: ServiceTier::billed(
            told.service_tier.as_deref(),
            asked.tier.or(deployment.default_tier),
        ),
        inference_in_us: parsed.inference_in_us,
        fast: parsed.fast,
        units: Units {
            answer_milliseconds: asked.took.as_millis() as u64,
            web_searches: parsed.web_searches,
            ..Units::default()
        },
        ..CallFacts::default()
    };
    let began = asked.started_at / 1_000_000;
    let cost = tariff.bill(&usage, &facts, parsed.stated_cost, began);
    Priced {
        usage,
        is_estimated,
        bill: Bill { cost },
    }
}
