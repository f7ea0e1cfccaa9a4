//! The strategies by name, and what the configuration says of how they work.

use std::fmt;

use super::{
    CacheAffinity, CostBased, LatencyBased, LeastBusy, Member, P2cEwma, SimpleShuffle, Strategy,
    UsageBased, lar1,
};
use crate::policy::latency::LatencyRules;

/// `routing_strategy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StrategyName {
    /// At random, weighted by `weight`, else `rpm`, else `tpm`.
    #[default]
    SimpleShuffle,
    /// The fewest calls under way.
    LeastBusy,
    /// The fewest tokens this minute, within `rpm` and `tpm`. Both of LiteLLM's names are this.
    UsageBased,
    UsageBasedV2,
    /// The fastest answers of late.
    LatencyBased,
    /// The lowest price.
    CostBased,
    /// As simple-shuffle; budgets of providers are kept with every strategy.
    ProviderBudget,
    /// The better of two taken at random, by peak-EWMA of latency and calls under way. Pointsman's own.
    P2cEwma,
    /// The same deployment for what shares a session or the beginning of a prompt. Pointsman's own.
    CacheAffinity,
    /// By how sure a request's agent says it is.
    Lar1,
}

impl StrategyName {
    pub const ALL: [Self; 10] = [
        Self::SimpleShuffle,
        Self::LeastBusy,
        Self::UsageBased,
        Self::UsageBasedV2,
        Self::LatencyBased,
        Self::CostBased,
        Self::ProviderBudget,
        Self::P2cEwma,
        Self::CacheAffinity,
        Self::Lar1,
    ];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SimpleShuffle => "simple-shuffle",
            Self::LeastBusy => "least-busy",
            Self::UsageBased => "usage-based-routing",
            Self::UsageBasedV2 => "usage-based-routing-v2",
            Self::LatencyBased => "latency-based-routing",
            Self::CostBased => "cost-based-routing",
            Self::ProviderBudget => "provider-budget-routing",
            Self::P2cEwma => "p2c-ewma",
            Self::CacheAffinity => "cache-affinity",
            Self::Lar1 => "lar1",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }

    /// `rpm` and `tpm` of deployments are limits here; elsewhere they are only weights unless a check is switched on
    /// (LiteLLM 1.106.2).
    pub const fn keeps_limits(self) -> bool {
        matches!(
            self,
            Self::UsageBased | Self::UsageBasedV2 | Self::LatencyBased | Self::CostBased
        )
    }

    /// A strategy prepared for these members.
    pub fn prepare(self, members: &[Member], args: &StrategyArgs) -> Box<dyn Strategy> {
        match self {
            Self::SimpleShuffle | Self::ProviderBudget => Box::new(SimpleShuffle::new(members)),
            Self::LeastBusy => Box::new(LeastBusy),
            Self::UsageBased | Self::UsageBasedV2 => Box::new(UsageBased),
            Self::LatencyBased => Box::new(LatencyBased {
                buffer: args.lowest_latency_buffer,
            }),
            Self::CostBased => Box::new(CostBased::new(members)),
            Self::P2cEwma => Box::new(P2cEwma),
            Self::CacheAffinity => Box::new(CacheAffinity::new(members)),
            Self::Lar1 => Box::new(lar1::Lar1 {
                thresholds: args.lar1,
            }),
        }
    }
}

impl fmt::Display for StrategyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `routing_strategy_args`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StrategyArgs {
    pub latency: LatencyRules,
    /// Latency-based routing chooses among all that are no slower than the fastest by this share, ≥ 0.
    pub lowest_latency_buffer: f32,
    /// Of `lar1`.
    pub lar1: lar1::Thresholds,
}
