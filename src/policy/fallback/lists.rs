//! Lists of fallbacks, and the one that an error is for.

use std::sync::Arc;

use crate::policy::upstream_error::ErrorClass;
use crate::providers;

/// The name that stands for every group.
const ANY: &str = "*";

/// One of a group's fallbacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The name of a group, as a request could name it.
    pub model: Arc<str>,
    /// Fields that take the place of the request's own there: names, and values as JSON.
    pub overrides: Vec<(String, Vec<u8>)>,
}

impl Target {
    /// A group that gets the request as it is.
    pub fn plain(model: impl Into<Arc<str>>) -> Self {
        Self {
            model: model.into(),
            overrides: Vec::new(),
        }
    }
}

/// A group's fallbacks, in the order in which they are tried.
pub type Targets = Arc<[Target]>;

/// `fallbacks`, `context_window_fallbacks` or `content_policy_fallbacks`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum List {
    /// `[{group: [target, …]}, …]`, each as it is written.
    ByGroup(Vec<(Arc<str>, Targets)>),
    /// `[target, …]` in a request: for the group that it asks.
    Plain(Targets),
}

impl List {
    /// The targets for a group that is known by `names` (its own, and the one that the request gave), the first of them first. A
    /// name as it is written beats one that differs by the provider's prefix (`openai/gpt-4o`, `gpt-4o`), which beats `*`; of
    /// equal ones the first counts.
    pub fn targets(&self, names: &[&str]) -> Option<&Targets> {
        let lists = match self {
            Self::Plain(targets) => return Some(targets),
            Self::ByGroup(lists) => lists,
        };
        let find = |fits: &dyn Fn(&str) -> bool| {
            let found = lists.iter().find(|(group, _)| fits(group));
            found.map(|(_, targets)| targets)
        };
        let exactly = |name: &&str| find(&|group| group == *name);
        names
            .iter()
            .find_map(exactly)
            .or_else(|| {
                find(&|group| {
                    names.iter().any(|name| {
                        without_provider(name) == group || *name == without_provider(group)
                    })
                })
            })
            .or_else(|| find(&|group| group == ANY))
    }

    /// Names that have targets, in the order written; none of a plain list.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        let lists = match self {
            Self::Plain(_) => &[][..],
            Self::ByGroup(lists) => lists,
        };
        lists.iter().map(|(group, _)| &**group)
    }

    /// Every target of every group.
    pub fn all(&self) -> impl Iterator<Item = &Target> {
        let (plain, lists) = match self {
            Self::Plain(targets) => (&targets[..], &[][..]),
            Self::ByGroup(lists) => (&[][..], &lists[..]),
        };
        let of_groups = lists.iter().flat_map(|(_, targets)| targets.iter());
        plain.iter().chain(of_groups)
    }
}

/// A name without the prefix of a provider that is known.
fn without_provider(name: &str) -> &str {
    match name.split_once('/') {
        Some((provider, rest)) if providers::find(provider).is_some() => rest,
        _ => name,
    }
}

/// What a list is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    General,
    ContextWindow,
    ContentPolicy,
}

/// The lists of a configuration or of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fallbacks {
    /// `fallbacks`, with `default_fallbacks` as those of `*`.
    pub general: Option<List>,
    pub context_window: Option<List>,
    pub content_policy: Option<List>,
    /// Where prompts go that are too long for a group, unless `context_window` has something for it: derived, nobody wrote it.
    pub larger_windows: Vec<(Arc<str>, Targets)>,
}

impl Fallbacks {
    pub fn list(&self, kind: Kind) -> Option<&List> {
        match kind {
            Kind::General => self.general.as_ref(),
            Kind::ContextWindow => self.context_window.as_ref(),
            Kind::ContentPolicy => self.content_policy.as_ref(),
        }
    }

    /// These lists, and where one is missing that of `under`.
    pub fn over<'a>(&'a self, under: &'a Self) -> Layered<'a> {
        Layered([Some(self), Some(under), None])
    }

    /// The first fallback of every group: what a name stands for that a wildcard lets through and nobody has.
    pub fn default_target(&self) -> Option<&str> {
        let targets = self.general.as_ref()?.targets(&[])?;
        targets.first().map(|target| &*target.model)
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The lists of a request, of its key or team, and of the configuration, in this order: whole lists replace each other.
#[derive(Clone, Copy, Debug)]
pub struct Layered<'a>(pub [Option<&'a Fallbacks>; 3]);

impl<'a> Layered<'a> {
    pub fn list(&self, kind: Kind) -> Option<&'a List> {
        let mut lists = self.0.into_iter().flatten();
        lists.find_map(|lists| lists.list(kind))
    }

    /// Nobody has any.
    pub fn is_empty(&self) -> bool {
        self.0.iter().flatten().all(|lists| lists.is_empty())
    }

    /// The list that an error of this class is for. A prompt that is too long and content that is refused have lists of their
    /// own; only where such a list is missing altogether does the general one serve them, not where it lacks the group.
    pub fn list_for(&self, class: ErrorClass) -> Option<&'a List> {
        let own = match class {
            ErrorClass::ContextWindowExceededError => self.list(Kind::ContextWindow),
            ErrorClass::ContentPolicyViolationError => self.list(Kind::ContentPolicy),
            _ => None,
        };
        own.or_else(|| self.list(Kind::General))
    }

    /// The targets for an error of this class at a group that is known by `names`.
    pub fn targets(&self, class: ErrorClass, names: &[&str]) -> Option<&'a Targets> {
        let of = |list: &'a List| list.targets(names);
        if class == ErrorClass::ContextWindowExceededError {
            let written = self.list(Kind::ContextWindow).and_then(of);
            let derived = || {
                let layers = self.0.into_iter().flatten();
                let mut lists = layers.flat_map(|lists| &lists.larger_windows);
                let found = lists.find(|(group, _)| names.contains(&&**group))?;
                Some(&found.1)
            };
            if let Some(targets) = written.or_else(derived) {
                return Some(targets);
            }
        }
        self.list_for(class).and_then(of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(of: &[(&str, &[&str])]) -> List {
        let of = of.iter().map(|(group, targets)| {
            let targets = targets.iter().map(|target| Target::plain(*target));
            ((*group).into(), targets.collect())
        });
        List::ByGroup(of.collect())
    }

    fn first<'a>(list: &'a List, names: &[&str]) -> Option<&'a str> {
        list.targets(names).map(|targets| &*targets[0].model)
    }

    #[test]
    fn names_as_written_then_by_provider_then_any() {
        let list = list(&[
            ("*", &["any"]),
            ("gpt-4o", &["exact"]),
            ("openai/o1", &["prefixed"]),
            ("azure/o1", &["later"]),
            ("mine/o3", &["of nobody known"]),
        ]);
        for (names, expected) in [
            (&["gpt-4o"][..], "exact"),
            (&["other", "gpt-4o"], "exact"),
            (&["openai/gpt-4o"], "exact"),
            (&["azure/o1"], "later"),
            (&["o1"], "prefixed"),
            (&["groq/o1"], "any"),
            (&["o3"], "any"),
            (&["mine/o3"], "of nobody known"),
            (&["unheard of"], "any"),
        ] {
            assert_eq!(first(&list, names), Some(expected), "{names:?}");
        }
        let List::ByGroup(mut lists) = list else {
            unreachable!()
        };
        lists.remove(0);
        assert_eq!(first(&List::ByGroup(lists), &["unheard of"]), None);
        let plain = List::Plain([Target::plain("p")].into());
        assert_eq!(first(&plain, &["whatever"]), Some("p"));
    }

    /// The table of LiteLLM's router: which list an error gets, by which lists there are.
    #[test]
    fn a_list_for_each_error() {
        let lists = |general: bool, window: bool, policy: bool| Fallbacks {
            general: general.then(|| list(&[("m", &["general"])])),
            context_window: window.then(|| list(&[("m", &["window"])])),
            content_policy: policy.then(|| list(&[("other", &["policy"])])),
            ..Fallbacks::default()
        };
        let none = Fallbacks::default();
        use ErrorClass::*;
        for (there, class, expected) in [
            (
                (true, true, true),
                ContextWindowExceededError,
                Some("window"),
            ),
            (
                (true, false, true),
                ContextWindowExceededError,
                Some("general"),
            ),
            ((false, false, true), ContextWindowExceededError, None),
            // The list is there and lacks the group: the general one is not asked.
            ((true, true, true), ContentPolicyViolationError, None),
            (
                (true, true, false),
                ContentPolicyViolationError,
                Some("general"),
            ),
            ((true, true, true), RateLimitError, Some("general")),
            ((true, true, true), BadRequestError, Some("general")),
            ((false, true, true), BadRequestError, None),
        ] {
            let (general, window, policy) = there;
            let config = lists(general, window, policy);
            let list = none.over(&config).list_for(class);
            let found = list.and_then(|list| first(list, &["m"]));
            assert_eq!(found, expected, "{there:?} {class:?}");
        }
    }

    #[test]
    fn a_requests_list_replaces_the_whole() {
        let config = Fallbacks {
            general: Some(list(&[("m", &["config"]), ("n", &["config"])])),
            context_window: Some(list(&[("m", &["window"])])),
            content_policy: None,
            ..Fallbacks::default()
        };
        let request = Fallbacks {
            general: Some(list(&[("m", &["request"])])),
            ..Fallbacks::default()
        };
        let key = Fallbacks {
            general: Some(list(&[("n", &["key"])])),
            content_policy: Some(list(&[("m", &["key"])])),
            ..Fallbacks::default()
        };
        let all = Layered([Some(&request), Some(&key), Some(&config)]);
        let of_key = all.list(Kind::ContentPolicy);
        assert_eq!(of_key.and_then(|list| first(list, &["m"])), Some("key"));
        let both = request.over(&config);
        let found = |kind, name| both.list(kind).and_then(|list| first(list, &[name]));
        assert_eq!(found(Kind::General, "m"), Some("request"));
        assert_eq!(found(Kind::General, "n"), None);
        assert_eq!(found(Kind::ContextWindow, "m"), Some("window"));
        assert_eq!(found(Kind::ContentPolicy, "m"), None);
    }
}
