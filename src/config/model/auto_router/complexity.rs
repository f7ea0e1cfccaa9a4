//! `complexity_router_config`.

use std::time::Duration;

use super::words::classifier;
use super::{asking, inner, named_tier, unknown_tier, unread};
use crate::config::diagnostic::Severity;
use crate::config::read::{Section, scalar_text};
use crate::config::yaml::{Node, Value};
use crate::policy::auto_router::Words;
use crate::policy::auto_router::complexity::{self, ESCALATE, PlanMode, Rule, Tier};
use crate::policy::auto_router::semantic::{Comparison, MOST_CHARS, Route, THRESHOLD};
use crate::policy::fallback::Target;
use crate::protocol::openai::request::may_be_replaced;

/// How long a session keeps its tier, and its deployments (LiteLLM 1.106.2).
const SESSION: Duration = Duration::from_secs(3_600);

pub fn read(
    section: Option<&Section<'_>>,
    default: Option<String>,
) -> Result<complexity::Settings, &'static str> {
    let mut settings = complexity::Settings {
        escalations: vec![ESCALATE.to_owned()],
        deployment_affinity: Some(SESSION),
        housekeeping: Some(Vec::new()),
        ..complexity::Settings::default()
    };
    let mut own_default = None;
    if let Some(section) = section {
        settings.classifier = classifier(section);
        if let Some(tiers) = inner(section, "tiers") {
            for entry in tiers.entries() {
                match Tier::named(&entry.key) {
                    Some(tier) => {
                        settings.tiers[tier as usize] = targets(&tiers, &entry.key, &entry.value);
                    }
                    None => unknown_tier(&tiers, &entry.key, entry.key_pos),
                }
            }
        }
        settings.rules = rules(section);
        settings.meanings = meanings(section);
        settings.plan_mode = plan_mode(section);
        settings.housekeeping = housekeeping(section);
        if section.value("escalation_keywords").is_some() {
            settings.escalations = section.texts("escalation_keywords");
            settings.escalations.retain(|phrase| !phrase.is_empty());
        }
        let session = section.seconds("session_affinity_ttl_seconds");
        let session = session.unwrap_or(SESSION);
        let stays = section.flag("session_affinity").unwrap_or(false);
        settings.session_affinity = stays.then_some(session);
        settings.continues = judges_turns(section).then_some(session);
        // A session that stays in its tier stays with its deployment (LiteLLM 1.106.2).
        let with_deployment = section.flag("deployment_affinity").unwrap_or(true) || stays;
        settings.deployment_affinity = with_deployment.then_some(session);
        own_default = section.text("default_model");
        settings.asking = asking::read(section);
        unread(section);
    }
    settings.default = default.or(own_default).map(Into::into);
    if settings.default.is_none() && settings.tiers.iter().all(Vec::is_empty) {
        return Err(
            "expected `complexity_router_config.tiers`, the groups of each tier, found none",
        );
    }
    Ok(settings)
}

fn rules(section: &Section<'_>) -> Vec<Rule> {
    const KEY: &str = "keyword_tier_rules";
    let items = match section.value(KEY).map(|node| &node.value) {
        Some(Value::List(items)) => items.as_slice(),
        Some(_) => {
            if let Some(node) = section.value(KEY) {
                section.expected(KEY, node, "a list of maps with `keywords` and `tier`");
            }
            return Vec::new();
        }
        None => return Vec::new(),
    };
    let rule = |(index, item): (usize, &Node)| {
        let path = format!("{}[{index}]", section.path_of(KEY));
        let own = Section::open(item, path, section.sink, Severity::Error)?;
        let words = Words::of(own.texts("keywords"));
        let tier = named_tier(&own, "tier", item.pos)?;
        if words.is_empty() {
            let message = "expected `keywords`, a list of words, found none";
            section.sink.error(item.pos, own.path.clone(), message);
            return None;
        }
        Some(Rule { words, tier })
    };
    items.iter().enumerate().filter_map(rule).collect()
}

/// The words of the rules, to be compared by what they mean: a route for each, by its place.
fn meanings(section: &Section<'_>) -> Option<Comparison> {
    const KEY: &str = "semantic_keyword_matching";
    let embedding = section.text("embedding_model");
    let embedding = embedding.filter(|group| !group.is_empty());
    let threshold = section.amount("match_threshold").unwrap_or(THRESHOLD);
    let node = section.value(KEY)?;
    if !section.flag(KEY)? {
        return None;
    }
    let Some(embedding) = embedding else {
        let message = "expected `embedding_model`, the group that makes vectors, beside it";
        section.sink.error(node.pos, section.path_of(KEY), message);
        return None;
    };
    let rules = section.value("keyword_tier_rules").map(|node| &node.value);
    let Some(Value::List(rules)) = rules else {
        return None;
    };
    let route = |(place, rule): (usize, &Node)| {
        let path = format!("{}[{place}]", section.path_of("keyword_tier_rules"));
        let own = Section::open(rule, path, section.sink, Severity::Error)?;
        let words = own.texts("keywords").into_iter();
        let words = words.map(|word| word.trim().to_owned());
        Some(Route {
            name: place.to_string().into(),
            utterances: words.filter(|word| !word.is_empty()).collect(),
            threshold,
        })
    };
    let routes: Vec<Route> = rules.iter().enumerate().filter_map(route).collect();
    let count: usize = routes.iter().map(|route| route.utterances.len()).sum();
    (count > 0).then(|| Comparison {
        routes,
        embedding: embedding.into(),
        most_chars: MOST_CHARS,
    })
}

fn plan_mode(section: &Section<'_>) -> Option<PlanMode> {
    const KEY: &str = "plan_mode_min_tier";
    let patterns = patterns(section, "plan_mode_patterns");
    let pos = section.value(KEY)?.pos;
    let least = named_tier(section, KEY, pos)?;
    Some(PlanMode { least, patterns })
}

fn housekeeping(section: &Section<'_>) -> Option<Vec<String>> {
    let more = patterns(section, "housekeeping_patterns");
    let is_on = section.flag("route_housekeeping_to_cheapest_tier");
    is_on.unwrap_or(true).then_some(more)
}

/// Texts that are looked for as they are; empty ones would be everywhere.
fn patterns(section: &Section<'_>, key: &str) -> Vec<String> {
    let patterns = section.texts(key).into_iter();
    let patterns = patterns.map(|pattern| pattern.trim().to_owned());
    patterns.filter(|pattern| !pattern.is_empty()).collect()
}

/// `classification_mode`: whether only what a user says is judged, not what follows from it.
fn judges_turns(section: &Section<'_>) -> bool {
    const KEY: &str = "classification_mode";
    match section.text(KEY).as_deref() {
        None | Some("every_request") => false,
        Some("user_turn") => true,
        Some(_) => {
            if let Some(node) = section.value(KEY) {
                section.expected(KEY, node, "every_request or user_turn");
            }
            false
        }
    }
}

/// The groups of a tier: a name, a map of `model_name` and `litellm_params` (fields that the request gets), or a list of both.
fn targets(section: &Section<'_>, key: &str, node: &Node) -> Vec<Target> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        Value::Null => return Vec::new(),
        _ => std::slice::from_ref(node),
    };
    items
        .iter()
        .filter_map(|item| target(section, key, item))
        .collect()
}

fn target(section: &Section<'_>, key: &str, node: &Node) -> Option<Target> {
    if let Some(name) = scalar_text(node).filter(|name| !name.is_empty()) {
        return Some(Target::plain(name));
    }
    let own = match &node.value {
        Value::Map(_) => Section::open(node, section.path_of(key), section.sink, Severity::Error),
        _ => None,
    };
    let name = own.as_ref().and_then(|own| {
        let names = [own.text("model_name"), own.text("model")];
        names.into_iter().flatten().find(|name| !name.is_empty())
    });
    let (Some(own), Some(name)) = (own, name) else {
        section.expected(key, node, "the name of a group, or a map with `model_name`");
        return None;
    };
    let mut target = Target::plain(name);
    if let Some(params) = inner(&own, "litellm_params") {
        for entry in params.entries() {
            if !may_be_replaced(&entry.key) {
                let message =
                    "cannot be other for a tier: give it a group of its own, with this setting";
                section
                    .sink
                    .error(entry.key_pos, params.path_of(&entry.key), message);
            } else if let Some(value) = entry.value.to_json() {
                target
                    .overrides
                    .push((entry.key.clone(), value.to_string().into_bytes()));
            }
        }
    }
    unread(&own);
    Some(target)
}
