//! Which deployments of a group fit a request's tags (LiteLLM 1.106.2).
//!
//! Plain tags of a request ask for deployments that have one of them (or all, by setting), `&tag` requires one, `!tag` excludes
//! one; a pattern of a deployment that the caller's program fits counts like a tag that fits. Who asks for nothing, or for what
//! the group does not know, gets those that are tagged `default`. The decision looks at the whole group: a deployment that is
//! away for other reasons does not open the others to those whom it was for.

use std::collections::HashMap;
use std::sync::Arc;

use regex::RegexSet;

use super::bits::Bits;
use super::reason::TagReason;

/// Whom requests get that fit nobody.
const DEFAULT: &str = "default";

/// What the configuration says of all groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRules {
    /// `tag_filtering_match_any`: one tag that fits is enough.
    pub match_any: bool,
    /// `tag_routing_prefix`: taken off where a tag begins with it; such a tag is meant for routing, known or not.
    pub prefix: Box<str>,
}

impl Default for TagRules {
    fn default() -> Self {
        Self {
            match_any: true,
            prefix: "".into(),
        }
    }
}

/// What a request says.
#[derive(Clone, Copy, Debug, Default)]
pub struct TagWish<'a> {
    /// All of them, those of key and team too.
    pub tags: &'a [String],
    /// Those of key and team: what they require or exclude holds in any case.
    pub inherited: &'a [Arc<str>],
    pub user_agent: Option<&'a str>,
}

/// The tags of a group's deployments, with a number each.
#[derive(Clone, Debug, Default)]
pub struct TagIndex {
    numbers: HashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
}

impl TagIndex {
    fn number(&mut self, tag: &str) -> u32 {
        if let Some(known) = self.numbers.get(tag) {
            return *known;
        }
        let (name, number): (Arc<str>, _) = (tag.into(), self.names.len() as u32);
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        number
    }

    fn name(&self, number: u32) -> Arc<str> {
        let name = self.names.get(number as usize);
        name.cloned().unwrap_or_else(|| "".into())
    }
}

/// The tags of one deployment.
#[derive(Clone, Debug, Default)]
pub struct MemberTags {
    own: Bits,
    /// Searched in `User-Agent: <program>`.
    patterns: Option<RegexSet>,
    is_default: bool,
}

impl MemberTags {
    /// `patterns` are left out where they are none: the configuration has told.
    pub fn new(index: &mut TagIndex, tags: &[String], patterns: &[String]) -> Self {
        let usable = patterns.iter().filter(|text| is_pattern(text));
        let patterns = RegexSet::new(usable)
            .ok()
            .filter(|patterns| !patterns.is_empty());
        Self {
            own: Bits::of(tags.iter().map(|tag| index.number(tag))),
            patterns,
            is_default: tags.iter().any(|tag| tag == DEFAULT),
        }
    }
}

/// Whether a text can be used in `tag_regex`.
pub fn is_pattern(text: &str) -> bool {
    regex::Regex::new(text).is_ok()
}

/// Tags of one kind in a request.
#[derive(Default)]
struct Kind<'a> {
    /// Those that a deployment of the group has.
    known: Bits,
    /// One that no deployment has.
    unknown: Option<&'a str>,
    /// Of those that no deployment has: one with the prefix, one without.
    has_confirmed: bool,
    has_stray: bool,
    /// A known one with the prefix is no more than a known one.
    is_any: bool,
}

#[derive(Default)]
struct Parsed<'a> {
    positive: Kind<'a>,
    required: Kind<'a>,
    excluded: Kind<'a>,
}

impl<'a> Parsed<'a> {
    fn of(tags: impl Iterator<Item = &'a str> + Clone, rules: &TagRules, index: &TagIndex) -> Self {
        let parsed = tags.filter_map(|tag| {
            let stripped = tag.strip_prefix(&*rules.prefix);
            let stripped = stripped.filter(|_| !rules.prefix.is_empty());
            let bare = stripped.unwrap_or(tag);
            let (place, bare) = match bare.as_bytes().first()? {
                b'&' => (1, &bare[1..]),
                b'!' => (2, &bare[1..]),
                _ => (0, bare),
            };
            (!bare.is_empty()).then_some((place, bare, stripped.is_some()))
        });
        let kind = |wanted| {
            let mut kind = Kind::default();
            let mut known = Vec::new();
            for (_, bare, is_confirmed) in parsed.clone().filter(|(place, ..)| *place == wanted) {
                kind.is_any = true;
                match index.numbers.get(bare) {
                    Some(number) => known.push(*number),
                    None => {
                        kind.unknown = kind.unknown.or(Some(bare));
                        kind.has_confirmed |= is_confirmed;
                        kind.has_stray |= !is_confirmed;
                    }
                }
            }
            kind.known = Bits::of(known);
            kind
        };
        Self {
            positive: kind(0),
            required: kind(1),
            excluded: kind(2),
        }
    }

    /// What `&` and `!` have against a deployment.
    fn against(&self, member: &MemberTags, index: &TagIndex) -> Option<TagReason> {
        if let Some(tag) = member.own.first_shared(&self.excluded.known) {
            return Some(TagReason::Excluded(index.name(tag)));
        }
        if let Some(unknown) = self.required.unknown {
            return Some(TagReason::Required(unknown.into()));
        }
        let missing = member.own.first_missing(&self.required.known)?;
        Some(TagReason::Required(index.name(missing)))
    }

    fn fits(&self, member: &MemberTags, rules: &TagRules, agent: Option<&str>) -> bool {
        let (own, asked) = (&member.own, &self.positive);
        let by_tags = match rules.match_any {
            true => own.first_shared(&asked.known).is_some(),
            false => {
                asked.is_any && asked.unknown.is_none() && own.first_missing(&asked.known).is_none()
            }
        };
        // Where every tag must fit, a pattern does not make up for one that does not.
        let patterns = member
            .patterns
            .as_ref()
            .filter(|_| rules.match_any || own.is_empty());
        by_tags
            || patterns
                .zip(agent)
                .is_some_and(|(patterns, agent)| patterns.is_match(agent))
    }
}

type Reasons = Vec<Option<TagReason>>;

/// What speaks against each member; against all of them where nobody may take the request.
///
/// `fails_open` (`model_info.allow_fail_open`): who would be refused gets the defaults, as far as the tags of key and team allow.
pub fn judge(
    members: &[MemberTags],
    index: &TagIndex,
    fails_open: bool,
    rules: &TagRules,
    wish: &TagWish<'_>,
) -> Reasons {
    let asked = Parsed::of(wish.tags.iter().map(String::as_str), rules, index);
    let agent = wish.user_agent.filter(|agent| !agent.is_empty());
    let agent = agent.map(|agent| format!("User-Agent: {agent}"));
    let agent = agent.as_deref();
    let against: Reasons = members
        .iter()
        .map(|member| asked.against(member, index))
        .collect();
    let with = || {
        let members = members.iter().zip(&against);
        members.filter(|(_, against)| against.is_none())
    };
    let open = |refused: Reasons| match fails_open && !hides_an_answer(members, index, &asked) {
        true => fail_open(members, index, rules, wish).unwrap_or(refused),
        false => refused,
    };
    let by_pattern = agent.is_some()
        && !asked.required.is_any
        && with().any(|(member, _)| member.patterns.is_some());
    if asked.positive.is_any || by_pattern {
        let fits: Vec<bool> = members
            .iter()
            .map(|member| asked.fits(member, rules, agent))
            .collect();
        let only = |reason: TagReason, is_in: &dyn Fn(usize) -> bool| -> Reasons {
            let reasons = against.iter().cloned().enumerate();
            let reason = |(place, against): (usize, Option<TagReason>)| {
                against.or_else(|| (!is_in(place)).then(|| reason.clone()))
            };
            reasons.map(reason).collect()
        };
        let fitting = only(TagReason::NoneFits, &|place| {
            fits.get(place).copied().unwrap_or_default()
        });
        if is_somebody(&fitting) {
            return fitting;
        }
        let is_meant = !asked.positive.known.is_empty() || asked.positive.has_confirmed;
        if is_meant || !with().any(|(member, _)| member.is_default) {
            return open(fitting);
        }
        let is_default = |place: usize| members.get(place).is_some_and(|member| member.is_default);
        return only(TagReason::NotDefault, &is_default);
    }
    if asked.required.is_any {
        return match is_somebody(&against) {
            true => against,
            false => open(against),
        };
    }
    // Untagged, but for exclusions: the defaults of the whole group first.
    let none = vec![None; members.len()];
    let reasons: Reasons = against
        .into_iter()
        .zip(defaults(members, none))
        .map(|(against, default)| against.or(default))
        .collect();
    match is_somebody(&reasons) || !asked.excluded.is_any {
        true => reasons,
        false => open(reasons),
    }
}

fn is_somebody(reasons: &Reasons) -> bool {
    reasons.iter().any(Option::is_none)
}

/// Of those that are left, the ones that are tagged `default`, if there are some.
fn defaults(members: &[MemberTags], reasons: Reasons) -> Reasons {
    let both = || members.iter().zip(&reasons);
    if !both().any(|(member, reason)| member.is_default && reason.is_none()) {
        return reasons;
    }
    let members = members.iter().zip(reasons);
    let narrowed = members.map(|(member, reason)| {
        reason.or_else(|| (!member.is_default).then_some(TagReason::NotDefault))
    });
    narrowed.collect()
}

/// The defaults among those that the tags of key and team allow.
fn fail_open(
    members: &[MemberTags],
    index: &TagIndex,
    rules: &TagRules,
    wish: &TagWish<'_>,
) -> Option<Reasons> {
    let inherited = Parsed::of(wish.inherited.iter().map(|tag| &**tag), rules, index);
    let allowed = members
        .iter()
        .map(|member| inherited.against(member, index));
    let reasons = defaults(members, allowed.collect());
    is_somebody(&reasons).then_some(reasons)
}

/// A required tag that nobody has must not open what the other required tags leave: they had an answer of their own.
fn hides_an_answer(members: &[MemberTags], index: &TagIndex, asked: &Parsed<'_>) -> bool {
    let required = &asked.required;
    if !required.has_stray || required.has_confirmed || required.known.is_empty() {
        return false;
    }
    let known = Parsed {
        required: Kind {
            known: required.known.clone(),
            ..Kind::default()
        },
        excluded: Kind {
            known: asked.excluded.known.clone(),
            ..Kind::default()
        },
        ..Parsed::default()
    };
    members
        .iter()
        .any(|member| known.against(member, index).is_none())
}
