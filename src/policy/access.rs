//! Which models a caller may call.

use std::sync::Arc;

use crate::providers;
use crate::types::{ModelAccess, Principal};

/// The list that refused a model. Every scope that is present must allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeniedBy {
    Key,
    Team,
    User,
}

impl DeniedBy {
    /// `error.type` of the refusal.
    pub const fn error_type(self) -> &'static str {
        match self {
            Self::Key => "key_model_access_denied",
            Self::Team => "team_model_access_denied",
            Self::User => "user_model_access_denied",
        }
    }
}

/// The model that `principal` means by a name: one of its key's own names for models, which may hold stars, or the name
/// itself.
pub fn target<'a>(principal: &'a Principal, model: &'a str) -> &'a str {
    let aliases = || principal.aliases.iter();
    let exact = aliases().find(|(name, _)| name == model);
    let own = exact.or_else(|| {
        let patterns = aliases().filter(|(name, _)| matches_pattern(name, model));
        patterns.max_by_key(|(name, _)| specificity(name))
    });
    own.map_or(model, |(_, target)| target)
}

/// How much a pattern says: of two that match, the larger one counts.
pub fn specificity(pattern: &str) -> usize {
    pattern.len()
}

/// Whether `principal` may call what it asks for as `model`. The key's list may hold its own name for the model or the model
/// that is meant; the lists of team and user know only the latter.
///
/// Where access groups are not known: what only one of them allows is refused.
pub fn check(principal: &Principal, model: &str) -> Result<(), DeniedBy> {
    check_with_groups(principal, model, |_| &[])
}

/// The same; `groups` answers which access groups (`model_info.access_groups`) a model is in. A list may name a group instead
/// of its models.
pub fn check_with_groups<'g>(
    principal: &Principal,
    model: &str,
    groups: impl Fn(&str) -> &'g [Arc<str>],
) -> Result<(), DeniedBy> {
    let target = target(principal, model);
    let allows = |list: &ModelAccess, model: &str| {
        allows(list, model) || groups(model).iter().any(|group| names(list, group))
    };
    for (by, list) in binding(principal) {
        // A user's `no-default-models` closes all its personal keys.
        let is_closed = by == DeniedBy::User && names(list, "no-default-models");
        let by_own_name = by == DeniedBy::Key && allows(list, model);
        if is_closed || !(by_own_name || allows(list, target)) {
            return Err(by);
        }
    }
    Ok(())
}

/// The lists that all must allow a model: those of key and team, or of a personal key and its user. `all-team-models` leaves
/// a key's decision to its team.
fn binding(principal: &Principal) -> impl Iterator<Item = (DeniedBy, &ModelAccess)> {
    let has_team = principal.team.is_some();
    let by_team = has_team && names(&principal.models, "all-team-models");
    let key = (!by_team).then_some((DeniedBy::Key, &principal.models));
    let team = has_team.then_some((DeniedBy::Team, &principal.team_models));
    let is_personal = !has_team && principal.user.is_some();
    let user = is_personal.then_some((DeniedBy::User, &principal.user_models));
    [key, team, user].into_iter().flatten()
}

/// Of the lists that bind somebody those that allow a model by its access groups alone, none of its `own_names` standing there:
/// of its deployments only those may be called that are in a group of each (LiteLLM 1.106.2). `groups` are those of all its
/// deployments.
pub fn narrowing<'p>(
    principal: &'p Principal,
    own_names: &[&str],
    groups: &[Arc<str>],
) -> Vec<&'p ModelAccess> {
    let by_group = |list: &ModelAccess| {
        !own_names.iter().any(|name| allows(list, name))
            && groups.iter().any(|group| names(list, group))
    };
    let lists = binding(principal).map(|(_, list)| list);
    lists.filter(|list| by_group(list)).collect()
}

/// Whether a list has just this entry.
pub fn names(list: &ModelAccess, entry: &str) -> bool {
    list.0.iter().any(|own| own == entry)
}

fn allows(list: &ModelAccess, model: &str) -> bool {
    let is_allowed = |entry: &String| {
        matches!(entry.as_str(), "*" | "all-proxy-models")
            || entry == model
            || matches_pattern(entry, model)
    };
    list.0.is_empty() || list.0.iter().any(is_allowed) || allows_provider(list, model)
}

/// Whether a pattern such as `openai/*` allows a model that is written without its provider (LiteLLM 1.106.2).
fn allows_provider(list: &ModelAccess, model: &str) -> bool {
    let mut patterns = list
        .0
        .iter()
        .filter(|entry| entry.contains("/*"))
        .peekable();
    if patterns.peek().is_none() {
        return false;
    }
    let Some(provider) = providers::owner(model) else {
        return false;
    };
    let whole = format!("{provider}/{model}");
    patterns.any(|pattern| matches_pattern(pattern, &whole))
}

/// `openai/*`, `claude-*`: each star stands for any text, which may be empty.
pub fn matches_pattern(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{KeyHash, Role, Scope};

    fn principal(key: &[&str], team: Option<&[&str]>, user: Option<&[&str]>) -> Principal {
        let access =
            |list: &[&str]| ModelAccess(list.iter().map(|entry| (*entry).to_owned()).collect());
        let scope = || Scope::unlimited("x");
        Principal {
            key_hash: KeyHash::of("sk-x"),
            key: scope(),
            key_alias: None,
            key_name: None,
            role: Role::InternalUser,
            is_master: false,
            blocked: false,
            expires_at: None,
            retires_at: None,
            allowed_routes: Vec::new(),
            aliases: Vec::new(),
            models: access(key),
            user: user.map(|_| scope()),
            user_models: access(user.unwrap_or_default()),
            team: team.map(|_| scope()),
            team_models: access(team.unwrap_or_default()),
            team_blocked: false,
            options: Default::default(),
        }
    }

    #[test]
    fn every_present_scope_must_allow() {
        let all: &[&str] = &[];
        let cases = [
            (principal(&[], None, None), Ok(())),
            (principal(&["m"], None, None), Ok(())),
            (principal(&["n"], None, None), Err(DeniedBy::Key)),
            (principal(&["*"], Some(&["n"]), None), Err(DeniedBy::Team)),
            (
                principal(&["all-proxy-models"], Some(&["m"]), Some(&["n"])),
                Ok(()),
            ),
            (principal(&["all-team-models"], Some(&["m"]), None), Ok(())),
            (
                principal(&["all-team-models"], Some(&["n"]), None),
                Err(DeniedBy::Team),
            ),
            (
                principal(&["all-team-models"], None, None),
                Err(DeniedBy::Key),
            ),
            (principal(&[], None, Some(&["n"])), Err(DeniedBy::User)),
            (
                principal(&[], None, Some(&["no-default-models"])),
                Err(DeniedBy::User),
            ),
            (principal(&[], None, Some(all)), Ok(())),
        ];
        for (principal, expected) in cases {
            assert_eq!(check(&principal, "m"), expected, "{principal:?}");
        }
    }

    #[test]
    fn a_key_may_have_its_own_names() {
        let named = |key: &[&str], user: Option<&[&str]>| Principal {
            aliases: vec![("short".into(), "m".into())],
            ..principal(key, None, user)
        };
        let all: &[&str] = &[];
        for (principal, model, expected) in [
            (named(&["short"], None), "short", Ok(())),
            (named(&["m"], None), "short", Ok(())),
            (named(&["short"], None), "m", Err(DeniedBy::Key)),
            (named(&["n"], None), "short", Err(DeniedBy::Key)),
            (named(all, Some(&["short"])), "short", Err(DeniedBy::User)),
            (named(all, Some(&["m"])), "short", Ok(())),
        ] {
            assert_eq!(check(&principal, model), expected, "{principal:?}");
        }
        assert_eq!(target(&named(all, None), "short"), "m");
        assert_eq!(target(&named(all, None), "other"), "other");
    }

    #[test]
    fn a_list_may_name_a_group_of_models() {
        let beta: [Arc<str>; 1] = ["beta".into()];
        let groups = |model: &str| if model == "m" { &beta[..] } else { &[] };
        let of_key = principal(&["beta"], None, None);
        for (principal, model, expected) in [
            (&of_key, "m", Ok(())),
            (&of_key, "n", Err(DeniedBy::Key)),
            (&principal(&["beta"], Some(&["beta"]), None), "m", Ok(())),
            (
                &principal(&["beta"], Some(&["n"]), None),
                "m",
                Err(DeniedBy::Team),
            ),
            (
                &principal(&[], None, Some(&["beta"])),
                "n",
                Err(DeniedBy::User),
            ),
        ] {
            assert_eq!(
                check_with_groups(principal, model, groups),
                expected,
                "{principal:?}"
            );
        }
        assert_eq!(check(&of_key, "m"), Err(DeniedBy::Key));
    }

    #[test]
    fn what_a_group_alone_allows_is_narrowed() {
        let groups: [Arc<str>; 2] = ["beta".into(), "gamma".into()];
        let narrowed = |principal: &Principal| {
            let lists = narrowing(principal, &["m", "alias"], &groups);
            let lists = lists.iter().map(|list| list.0.join(" "));
            lists.collect::<Vec<_>>().join("; ")
        };
        for (principal, expected) in [
            (principal(&[], None, None), ""),
            (principal(&["m", "beta"], None, None), ""),
            (principal(&["alias", "beta"], None, None), ""),
            (principal(&["*", "beta"], None, None), ""),
            (principal(&["beta"], None, None), "beta"),
            (principal(&["beta", "other"], None, None), "beta other"),
            // A fallback that the configuration decides on: nothing of it is this list's.
            (principal(&["other"], None, None), ""),
            (principal(&["m"], Some(&["gamma"]), None), "gamma"),
            (principal(&["beta"], Some(&["gamma"]), None), "beta; gamma"),
            (
                principal(&["all-team-models"], Some(&["gamma"]), None),
                "gamma",
            ),
            (principal(&["m"], None, Some(&["beta"])), "beta"),
            (principal(&["m"], Some(&["m"]), Some(&["beta"])), ""),
        ] {
            assert_eq!(narrowed(&principal), expected, "{principal:?}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("openai/*", "openai/gpt-4o", true),
            ("openai/*", "azure/gpt-4o", false),
            ("claude-*-sonnet", "claude-3-5-sonnet", true),
            ("claude-*-sonnet", "claude-3-opus", false),
            ("gpt-4o", "gpt-4o-mini", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches_pattern(pattern, text), expected, "{pattern} {text}");
        }
    }
}
