//! What a user's words say of the answer before them.

use std::sync::LazyLock;

use super::words::{Words, searched};

/// Whether the answer before was of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feedback {
    Good,
    Bad,
}

/// So much of a text is read, in bytes: who is pleased or not says so at once, and pasted texts say other things.
const READ: usize = 400;

impl Feedback {
    /// Of the user's next text; `None` where it says nothing of the kind, or both.
    pub fn of(text: &str) -> Option<Self> {
        let lower = searched(&text[..text.floor_char_boundary(READ)]);
        let (good, bad) = (GOOD.first(&lower).is_some(), BAD.first(&lower).is_some());
        match (good, bad) {
            (true, false) => Some(Self::Good),
            (false, true) => Some(Self::Bad),
            (true, true) | (false, false) => None,
        }
    }
}

static GOOD: LazyLock<Words> = LazyLock::new(|| {
    Words::of([
        "thanks",
        "thank you",
        "perfect",
        "that works",
        "works now",
        "works great",
        "great answer",
        "well done",
        "exactly right",
        "exactly what i",
        "awesome",
        "excellent",
        "that helped",
        "this helped",
    ])
});

static BAD: LazyLock<Words> = LazyLock::new(|| {
    Words::of([
        "that's wrong",
        "that is wrong",
        "this is wrong",
        "not what i",
        "doesn't work",
        "does not work",
        "didn't work",
        "still broken",
        "still fails",
        "still failing",
        "still wrong",
        "try again",
        "incorrect",
        "you misunderstood",
        "you ignored",
        "i already told you",
        "i said",
        "useless",
        "no, i meant",
        "forget it",
        "never mind",
    ])
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_users_say() {
        for (text, expected) in [
            ("Thanks! Now the next one", Some(Feedback::Good)),
            ("That's wrong, look again", Some(Feedback::Bad)),
            ("thanks, but it still fails", None),
            ("And for the others?", None),
            ("", None),
        ] {
            assert_eq!(Feedback::of(text), expected, "{text}");
        }
        let pasted = format!("{}incorrect", "x ".repeat(300));
        assert_eq!(Feedback::of(&pasted), None);
    }
}
