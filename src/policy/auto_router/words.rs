//! Words and phrases that are looked for in a text.

/// So much of a text is searched, in bytes: who asks a difficult question says so early.
const SEARCHED: usize = 16 << 10;

/// A list of words and phrases. A word counts where it stands alone (`api`, not `rapid`), whatever its case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(Vec<Box<str>>);

impl Words {
    pub fn of<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Self {
        let words = words.into_iter();
        let words = words.map(|word| word.as_ref().trim().to_lowercase());
        Self(
            words
                .filter(|word| !word.is_empty())
                .map(Into::into)
                .collect(),
        )
    }

    /// How many of them a text has, each counted once. The text is as [`searched`] gives it.
    pub fn count(&self, text: &str) -> usize {
        self.0.iter().filter(|word| has(text, word)).count()
    }

    /// The first of them that the text has.
    pub fn first(&self, text: &str) -> Option<&str> {
        let mut words = self.0.iter();
        words.find(|word| has(text, word)).map(|word| &**word)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What is searched of a text: its beginning, in lower case.
pub fn searched(text: &str) -> String {
    text[..text.floor_char_boundary(SEARCHED)].to_lowercase()
}

/// Whether `word` stands in a text between what is no letter and no digit. Where words are not told apart by spaces (Chinese,
/// Japanese, Korean), anywhere.
fn has(text: &str, word: &str) -> bool {
    let is_of_a_word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    text.match_indices(word).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        let begins = !(is_of_a_word(before) && is_of_a_word(word.chars().next()));
        let ends = !(is_of_a_word(after) && is_of_a_word(word.chars().next_back()));
        begins && ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_alone() {
        let words = Words::of(["API", "pull request", "你好", "c++"]);
        for (text, count) in [
            ("rapid", 0),
            ("an API.", 1),
            ("api api", 1),
            ("a Pull Request for the api", 2),
            ("他说你好吗", 1),
            ("in c++?", 1),
            ("api_key", 0),
            ("", 0),
        ] {
            assert_eq!(words.count(&searched(text)), count, "{text}");
        }
        assert_eq!(words.first("a pull request"), Some("pull request"));
        assert!(Words::of(["", "  "]).is_empty());
    }
}
