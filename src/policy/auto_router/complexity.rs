//! By how difficult a request is: four tiers, each with its groups.
//!
//! What decides, first to last: words or meanings that the configuration names (`rules`), then the words of the text
//! (`classifier`) or a model that is asked (`asking`). Then a user who asks for more gets the next tier, and a plan of a coding
//! agent the configuration's least. A session that stays keeps what was decided first.

use std::sync::Arc;
use std::time::Duration;

use super::any_of;
use super::asking::{Asking, Enough};
use super::classifier::{ByWords, Classifier};
use super::semantic::Comparison;
use super::words::{Words, searched};
use crate::policy::fallback::Target;

pub use super::tier::Tier;

/// Why a request is in its tier, as `x-litellm-complexity-router-cause` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Score,
    ReasoningMarkers,
    /// A rule has one of its words.
    Words,
    /// A rule's words mean nearly the same.
    Meaning,
    /// A model was asked.
    Asked,
    /// A model would have been asked, had the words not said enough.
    Enough(Enough),
    /// A coding agent plans.
    PlanMode,
    /// A coding agent wants a title for a conversation.
    Housekeeping,
    /// It goes on with what its user asked before.
    Continued,
    /// The session is in this tier.
    Session,
    /// The session's user asked for more.
    SessionEscalated,
    /// There is no text to judge by.
    NoText,
    /// A model was asked in vain.
    Unanswered,
}

impl Cause {
    /// LiteLLM's name (1.106.2).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Score => "heuristic_scorer",
            Self::ReasoningMarkers => "reasoning_override",
            Self::Words => "literal_keyword_match",
            Self::Meaning => "semantic_keyword_match",
            Self::Asked => "llm_classifier",
            Self::Enough(Enough::Cheap) => "heuristic_first_short_circuit",
            Self::Enough(Enough::Clear) => "hybrid_short_circuit",
            Self::PlanMode => "plan_mode",
            Self::Housekeeping => "housekeeping",
            Self::Continued => "user_turn_continuation",
            Self::Session => "session_affinity_pin",
            Self::SessionEscalated => "session_affinity_escalation",
            Self::NoText => "default_fallback",
            Self::Unanswered => "default_model_fallback",
        }
    }
}

/// Words that put a request into a tier before it is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub words: Words,
    pub tier: Tier,
}

/// What makes a request one for at least this tier: a coding agent plans, by its own words or by one of these.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanMode {
    pub least: Tier,
    pub patterns: Vec<String>,
}

/// `complexity_router_config`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub classifier: Classifier,
    /// A model that is asked, always or where words do not say enough.
    pub asking: Option<Asking>,
    /// By tier: one of them at random.
    pub tiers: [Vec<Target>; 4],
    pub rules: Vec<Rule>,
    /// The words of `rules` by their place, compared by what they mean.
    pub meanings: Option<Comparison>,
    /// What a user writes to get the next tier, exactly so.
    pub escalations: Vec<String>,
    /// Where there is no text, and for tiers without a group.
    pub default: Option<Arc<str>>,
    pub plan_mode: Option<PlanMode>,
    /// What coding agents ask for themselves goes to the easiest tier, by their words or by these; `None`: it is judged like all
    /// else.
    pub housekeeping: Option<Vec<String>>,
    /// Between two things that its user asks a session stays where the first one went, for as long as it is used within this
    /// time.
    pub continues: Option<Duration>,
    /// A session stays in the tier of its first request for as long as it is used within this time.
    pub session_affinity: Option<Duration>,
    /// In each group a session stays with one deployment for as long as it is used within this time.
    pub deployment_affinity: Option<Duration>,
}

/// What a user writes to get the next tier, unless the configuration says otherwise (LiteLLM 1.106.2).
pub const ESCALATE: &str = "LITELLM ESCALATE";

/// How coding agents ask for the title of a conversation, as LiteLLM 1.106.2 knows them: they quote all of it, so that it looks
/// difficult.
const TITLES: [&str; 2] = [
    "Write the title in the predominant language of the session",
    "You are coming up with a succinct title for a coding session",
];

/// The tier of a text, before anything raises it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    pub tier: Tier,
    pub cause: Cause,
    /// None where no words were weighed.
    pub score: Option<f64>,
}

impl From<ByWords> for Judged {
    fn from(judged: ByWords) -> Self {
        Self {
            tier: judged.tier,
            cause: match judged.by_markers {
                true => Cause::ReasoningMarkers,
                false => Cause::Score,
            },
            score: Some(judged.score),
        }
    }
}

/// What a request says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The user's last text.
    pub text: &'a str,
    /// A coding agent plans.
    pub is_planning: bool,
}

/// Where a request goes, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub tier: Tier,
    pub cause: Cause,
    /// None where no words were weighed.
    pub score: Option<f64>,
    pub target: Target,
    /// What its session stays in, if it does: not what a plan has raised, and nothing where there was no text.
    pub stays_in: Option<Tier>,
}

impl Settings {
    /// The tier of a text by rules and words alone.
    pub fn judge(&self, text: &str) -> Judged {
        let by_rule = self.by_rule(text);
        by_rule.unwrap_or_else(|| self.classifier.judge(text).into())
    }

    /// Of the rules that have a word of the text, the hardest tier.
    pub fn by_rule(&self, text: &str) -> Option<Judged> {
        if self.rules.is_empty() {
            return None;
        }
        let lower = searched(text);
        let fitting = self
            .rules
            .iter()
            .filter(|rule| rule.words.first(&lower).is_some());
        let tier = fitting.map(|rule| rule.tier).max()?;
        Some(Judged {
            tier,
            cause: Cause::Words,
            score: None,
        })
    }

    /// The tier of the rule at this place, whose words mean what the text does.
    pub fn by_meaning(&self, place: usize) -> Option<Judged> {
        let rule = self.rules.get(place)?;
        Some(Judged {
            tier: rule.tier,
            cause: Cause::Meaning,
            score: None,
        })
    }

    /// The easiest tier with a group, for what a coding agent asks for itself.
    pub fn by_housekeeping(&self, text: &str) -> Option<Judged> {
        let more = self.housekeeping.as_ref()?.iter().map(String::as_str);
        if !TITLES
            .into_iter()
            .chain(more)
            .any(|words| text.contains(words))
        {
            return None;
        }
        let mut tiers = Tier::ALL.into_iter();
        Some(Judged {
            tier: tiers.find(|tier| !self.tiers[*tier as usize].is_empty())?,
            cause: Cause::Housekeeping,
            score: None,
        })
    }

    /// Where a text goes that was judged; `random` is uniform in `[0, 1)`. `None`: the configuration names no group at all.
    pub fn place(&self, judged: Judged, said: Said<'_>, random: f64) -> Option<Decision> {
        let tier = match self.asks_for_more(said.text) {
            true => judged.tier.up(),
            false => judged.tier,
        };
        let judged = Judged { tier, ..judged };
        self.raised(judged, Some(tier), said, random)
    }

    /// Where a session goes that is in `tier`, which it keeps whatever its user says.
    pub fn stay(&self, tier: Tier, said: Said<'_>, random: f64) -> Option<Decision> {
        let (tier, cause) = match self.asks_for_more(said.text) {
            true => (tier.up(), Cause::SessionEscalated),
            false => (tier, Cause::Session),
        };
        self.kept(tier, cause, said, random)
    }

    /// Where a session goes that is in `tier` and goes on with what its user asked.
    pub fn go_on(&self, tier: Tier, said: Said<'_>, random: f64) -> Option<Decision> {
        self.kept(tier, Cause::Continued, said, random)
    }

    fn kept(&self, tier: Tier, cause: Cause, said: Said<'_>, random: f64) -> Option<Decision> {
        let judged = Judged {
            tier,
            cause,
            score: None,
        };
        self.raised(judged, Some(tier), said, random)
    }

    /// Where a request goes that nothing is said in.
    pub fn without_text(&self, said: Said<'_>, random: f64) -> Option<Decision> {
        let judged = Judged {
            tier: Tier::Simple,
            cause: Cause::NoText,
            score: None,
        };
        let decision = self.raised(judged, None, said, random)?;
        Some(match (&self.default, decision.cause) {
            (Some(default), Cause::NoText) => Decision {
                target: Target::plain(default.clone()),
                ..decision
            },
            _ => decision,
        })
    }

    /// Where a request goes that a model was asked about in vain, if the configuration has a group for those.
    pub fn unanswered(&self, said: Said<'_>, random: f64) -> Option<Decision> {
        let default = self.default.clone()?;
        let judged = Judged {
            tier: Tier::Simple,
            cause: Cause::Unanswered,
            score: None,
        };
        let decision = self.raised(judged, None, said, random)?;
        let target = match decision.cause {
            Cause::Unanswered => Target::plain(default),
            _ => decision.target,
        };
        Some(Decision { target, ..decision })
    }

    /// The same for a plan, which has a least tier.
    fn raised(
        &self,
        judged: Judged,
        stays_in: Option<Tier>,
        said: Said<'_>,
        random: f64,
    ) -> Option<Decision> {
        let least = self.plan_mode.as_ref().filter(|_| said.is_planning);
        let least = least.map(|plan| plan.least);
        let (tier, cause) = match least.filter(|least| *least > judged.tier) {
            Some(least) => (least, Cause::PlanMode),
            None => (judged.tier, judged.cause),
        };
        Some(Decision {
            tier,
            cause,
            score: judged.score,
            target: self.target(tier, random)?,
            stays_in,
        })
    }

    /// Whether the user wants the next tier.
    pub fn asks_for_more(&self, text: &str) -> bool {
        self.escalations
            .iter()
            .any(|phrase| text.contains(phrase.as_str()))
    }

    /// One of the tier's groups; where it has none, the default, then the next harder tier's, then the next easier one's.
    fn target(&self, tier: Tier, random: f64) -> Option<Target> {
        let of = |tier: Tier| any_of(&self.tiers[tier as usize], random).cloned();
        let default = || self.default.clone().map(Target::plain);
        let harder = || {
            Tier::ALL
                .into_iter()
                .filter(|other| *other > tier)
                .find_map(of)
        };
        let easier = || {
            Tier::ALL
                .into_iter()
                .rev()
                .filter(|other| *other < tier)
                .find_map(of)
        };
        of(tier).or_else(default).or_else(harder).or_else(easier)
    }
}

#[cfg(test)]
mod tests;
