//! Names with stars (`openai/*`): which names they stand for, and what their stars stood for.
//!
//! As in LiteLLM 1.106.2: a pattern fits the *beginning* of a name, each star takes as much as it can, longer patterns come
//! before shorter ones, and what the stars took replaces those of the provider's model.

use std::cmp::Reverse;

/// A name with at least one star.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wildcard {
    /// The text before, between and behind the stars: one more than there are stars.
    pieces: Vec<Box<str>>,
}

impl Wildcard {
    /// `None`: it holds no star.
    pub fn parse(pattern: &str) -> Option<Self> {
        let pieces: Vec<Box<str>> = pattern.split('*').map(Into::into).collect();
        (pieces.len() > 1).then_some(Self { pieces })
    }

    /// What stands before the first star.
    pub fn beginning(&self) -> &str {
        self.pieces.first().map_or("", |piece| piece)
    }

    /// What each star takes of `name`; `None` where the pattern does not fit its beginning. A star takes any text, also none,
    /// and of several ways to fit the one in which the first star takes most, then the second …
    pub fn captures<'n>(&self, name: &'n str) -> Option<Vec<&'n str>> {
        let (first, others) = self.pieces.split_first()?;
        let mut rest = name.strip_prefix(&**first)?;
        let start = name.len() - rest.len();
        // From behind: each piece at its last place before the one that follows leaves most to the stars before it.
        let mut captured = Vec::with_capacity(others.len());
        let mut ends_at = None;
        for piece in others.iter().rev() {
            let at = rest.rfind(&**piece)?;
            if let Some(end) = ends_at {
                captured.push((start + at + piece.len(), end));
            }
            ends_at = Some(start + at);
            rest = &rest[..at];
        }
        captured.push((start, ends_at?));
        let text = |(from, to): (usize, usize)| name.get(from..to);
        captured.into_iter().rev().map(text).collect()
    }

    /// Whether it fits the beginning of a name.
    pub fn fits(&self, name: &str) -> bool {
        self.captures(name).is_some()
    }

    /// Sorts patterns that say more first: by the length of LiteLLM's regular expression (characters that mean something there
    /// count twice, a star four times), then by how many of them there are.
    pub fn rank(&self) -> Reverse<(usize, usize)> {
        /// What Python's `re.escape` escapes.
        const ESCAPED: &str = "()[]{}?*+-|^$\\.&~# \t\n\r\u{b}\u{c}";
        /// What counts as complex.
        const COMPLEX: &str = "*+?\\^$|()";
        let stars = self.pieces.len() - 1;
        // `(.*)`, of which three are complex.
        let (mut length, mut complexity) = (4 * stars, 3 * stars);
        for letter in self.pieces.iter().flat_map(|piece| piece.chars()) {
            let is_escaped = ESCAPED.contains(letter);
            length += 1 + usize::from(is_escaped);
            complexity += usize::from(is_escaped) + usize::from(COMPLEX.contains(letter));
        }
        Reverse((length, complexity))
    }
}

/// The model that `template` means for a `name` whose stars took `captures`: its own stars replaced from left to right, those
/// that are left over kept; without a star it is itself, and with fewer stars than captures it is the whole `name`.
pub fn filled(template: &str, captures: &[&str], name: &str) -> String {
    let stars = template.matches('*').count();
    if stars == 0 {
        return template.to_owned();
    }
    if captures.len() > stars {
        return name.to_owned();
    }
    let mut captures = captures.iter();
    let mut filled = String::with_capacity(template.len() + name.len());
    for (place, piece) in template.split('*').enumerate() {
        if place > 0 {
            filled.push_str(captures.next().copied().unwrap_or("*"));
        }
        filled.push_str(piece);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex::Regex;

    fn captures<'n>(pattern: &str, name: &'n str) -> Option<Vec<&'n str>> {
        Wildcard::parse(pattern)?.captures(name)
    }

    #[test]
    fn what_stars_take() {
        for (pattern, name, expected) in [
            ("openai/*", "openai/gpt-4o", Some(&["gpt-4o"][..])),
            ("openai/*", "openai/a/b", Some(&["a/b"])),
            ("openai/*", "openai/", Some(&[""])),
            ("openai/*", "azure/gpt-4o", None),
            ("*", "anything at all", Some(&["anything at all"])),
            ("*/*", "a/b/c", Some(&["a/b", "c"])),
            // The beginning is enough.
            ("gpt-*-turbo", "gpt-4-turbo-preview", Some(&["4"])),
            ("*-mini", "gpt-4o-mini-mini-x", Some(&["gpt-4o-mini"])),
            ("a*a", "a", None),
            ("a**", "abc", Some(&["bc", ""])),
            ("é*", "éà", Some(&["à"])),
        ] {
            assert_eq!(
                captures(pattern, name).as_deref(),
                expected,
                "{pattern} {name}"
            );
        }
        assert_eq!(Wildcard::parse("gpt-4o"), None);
    }

    #[test]
    fn what_the_provider_is_asked_for() {
        for (pattern, template, name, expected) in [
            ("openai/*", "openai/*", "openai/gpt-4o", "openai/gpt-4o"),
            ("mine/*", "azure/eu-*", "mine/gpt-4o", "azure/eu-gpt-4o"),
            ("*", "openai/*", "gpt-4o", "openai/gpt-4o"),
            // One model for all names.
            ("claude-*", "openai/gpt-4o", "claude-x", "openai/gpt-4o"),
            // More captures than stars, and fewer.
            ("*/*", "openai/*", "groq/llama", "groq/llama"),
            ("v-*", "openai/*-*", "v-1", "openai/1-*"),
            // What was taken is text, no pattern.
            ("a-*-*", "p/*/*", "a-*-b", "p/*/b"),
        ] {
            let captures = captures(pattern, name).unwrap();
            assert_eq!(
                filled(template, &captures, name),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn the_longer_pattern_says_more() {
        let mut patterns = [
            "*",
            "openai/*",
            "openai/gpt*",
            "openai/gpt-*",
            "openai/*-4o*",
        ];
        patterns.sort_by_key(|pattern| Wildcard::parse(pattern).map(|own| own.rank()));
        assert_eq!(
            patterns,
            [
                "openai/*-4o*",
                "openai/gpt-*",
                "openai/gpt*",
                "openai/*",
                "*"
            ]
        );
    }

    proptest! {
        /// The same as the regular expression that LiteLLM makes of a pattern.
        #[test]
        fn as_a_regular_expression(pattern in "[ab/.*]{1,8}\\*[ab/.*]{0,4}", name in "[ab/.]{0,12}") {
            let source = format!("^{}", regex::escape(&pattern).replace("\\*", "(.*)"));
            let expected = Regex::new(&source).unwrap().captures(&name);
            let expected: Option<Vec<&str>> = expected.map(|found| {
                found.iter().skip(1).flatten().map(|group| group.as_str()).collect()
            });
            prop_assert_eq!(captures(&pattern, &name), expected);
        }
    }
}
