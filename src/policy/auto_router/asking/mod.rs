//! By a model that is asked how difficult a request is: what it is shown, and what its answer means.
//!
//! The call is the journey's. Names and figures are those of LiteLLM 1.106.2; what the model is told is this gateway's own.

mod prompt;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::classifier::ByWords;
use super::tier::Tier;
use crate::protocol::conversation_text::{ConversationText, Turn};

pub use prompt::{Labels, MOST_EXAMPLES, MOST_INSTRUCTIONS, Prompt, Rubric};

/// Time for an answer.
pub const TIMEOUT: Duration = Duration::from_millis(3_000);
/// Nobody is asked for so long after an answer took too long.
pub const PAUSE: Duration = Duration::from_secs(30);
/// Turns before the last text that are shown.
pub const TURNS: usize = 3;
/// Characters of them together.
pub const CHARS: usize = 8_000;
/// Less room than this is none for a turn.
const LEAST_ROOM: usize = 120;
/// So much of an answer is looked at, in bytes: a tier is one word.
const MOST_ANSWER: usize = 4 << 10;

/// When a model is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    Always,
    /// Where words do not put a text into this tier or an easier one.
    Above(Tier),
    /// Where the score of the words is no further than this from where a tier begins.
    Near(f64),
}

/// Why a model need not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enough {
    /// The words put it into a tier that is easy enough.
    Cheap,
    /// The score is far from where a tier begins.
    Clear,
}

/// `classifier_llm_config` and what stands beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Asking {
    /// The group whose model is asked.
    pub group: Arc<str>,
    pub when: When,
    pub timeout: Duration,
    /// After an answer that took too long nobody is asked for this time; `None`: each request asks.
    pub pause: Option<Duration>,
    /// `reasoning_effort` of the call.
    pub effort: Option<String>,
    /// What the model is told.
    pub system: Arc<str>,
    pub labels: Labels,
    pub context: Context,
    /// Where it was asked in vain the router's default is used, not the words.
    pub falls_to_default: bool,
}

/// What it is shown of the conversation before the last text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Turns, the last ones.
    pub turns: usize,
    /// Characters of all of them.
    pub chars: usize,
    /// Characters of one.
    pub per_turn: Option<usize>,
    /// The model's turns, too.
    pub has_answers: bool,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            turns: TURNS,
            chars: CHARS,
            per_turn: None,
            has_answers: false,
        }
    }
}

impl Asking {
    /// Why the words of a text say enough; `None`: the model is asked. A text that words say nothing of is always asked about.
    pub fn is_answered_by(&self, words: &ByWords) -> Option<Enough> {
        if !words.has_signal {
            return None;
        }
        match self.when {
            When::Always => None,
            When::Above(tier) => (words.tier <= tier).then_some(Enough::Cheap),
            When::Near(margin) => (words.distance > margin).then_some(Enough::Clear),
        }
    }

    /// The body of the call about a conversation whose last text is `text`.
    pub fn body(&self, text: &str, conversation: &ConversationText) -> Value {
        let mut body = json!({
            "model": &*self.group,
            "messages": [
                {"role": "system", "content": &*self.system},
                {"role": "user", "content": self.shown(text, conversation)},
            ],
        });
        if let Some(effort) = &self.effort {
            body["reasoning_effort"] = json!(effort);
        }
        body
    }

    fn shown(&self, text: &str, conversation: &ConversationText) -> String {
        let mut shown = String::new();
        if !conversation.system.trim().is_empty() {
            shown.push_str("System prompt of the request:\n");
            shown.push_str(&conversation.system);
            shown.push_str("\n\n");
        }
        let turns = self.context.chosen(&conversation.turns);
        if !turns.is_empty() {
            shown.push_str("Earlier turns, oldest first:\n");
            for (number, (is_user, turn)) in turns.iter().enumerate() {
                let who = if *is_user { "user" } else { "assistant" };
                shown.push_str(&format!("{}. {who}: {turn}\n", number + 1));
            }
            shown.push('\n');
        }
        shown.push_str("Current message:\n");
        shown.push_str(text);
        shown
    }

    /// The tier that an answer names: JSON with `tier`, the name alone, or the only name in it.
    pub fn tier(&self, answer: &str) -> Option<Tier> {
        let answer = &answer[..answer.floor_char_boundary(MOST_ANSWER)];
        let read: Option<Value> = serde_json::from_str(answer.trim()).ok();
        let named = read.as_ref().and_then(|read| read.get("tier")?.as_str());
        let answer = named.unwrap_or(answer);
        let bare = answer.trim_matches(|c: char| !c.is_alphanumeric());
        self.labels.tier(bare).or_else(|| self.labels.only(answer))
    }
}

impl Context {
    /// The turns that are shown, oldest first: the newest that there is room for, and of the first that there is too little room
    /// for its beginning. The last turn of all is what the user says now.
    fn chosen(&self, turns: &[Turn]) -> Vec<(bool, String)> {
        let last = turns.iter().rposition(|turn| turn.is_user);
        let before = turns.get(..last.unwrap_or(0)).unwrap_or_default();
        let eligible = before
            .iter()
            .rev()
            .filter(|turn| turn.is_user || self.has_answers);
        let (mut room, mut chosen) = (self.chars, Vec::new());
        for turn in eligible.take(self.turns) {
            if room < LEAST_ROOM {
                break;
            }
            let text = match self.per_turn {
                Some(most) => shortened(&turn.text, most),
                None => turn.text.clone(),
            };
            let length = text.chars().count();
            let text = match length > room {
                true => text.chars().take(room).collect(),
                false => text,
            };
            room = room.saturating_sub(length);
            chosen.push((turn.is_user, text));
        }
        chosen.reverse();
        chosen
    }
}

/// A text without its middle, where it is longer than this, in characters.
fn shortened(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let end = most / 2;
    let beginning: String = text.chars().take(most - end).collect();
    let ending: String = text.chars().skip(length - end).collect();
    format!("{beginning} … {ending}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::auto_router::classifier::Classifier;

    fn asking(when: When) -> Asking {
        let labels = Labels::default();
        Asking {
            group: "judge".into(),
            when,
            timeout: TIMEOUT,
            pause: Some(PAUSE),
            effort: None,
            system: Prompt::default().text().into(),
            labels,
            context: Context::default(),
            falls_to_default: false,
        }
    }

    fn conversation(turns: &[(bool, &str)]) -> ConversationText {
        let turn = |(is_user, text): &(bool, &str)| Turn {
            is_user: *is_user,
            text: (*text).to_owned(),
        };
        ConversationText {
            system: "Be brief".into(),
            turns: turns.iter().map(turn).collect(),
        }
    }

    #[test]
    fn when_words_say_enough() {
        let classifier = Classifier::default();
        let silent = "Tell me something nice about the weather in autumn, would you please do so";
        let near = "Please have a look at this python of mine, it does not do what I want it to";
        for (when, text, expected) in [
            (When::Always, "hi", None),
            (When::Above(Tier::Simple), "hi", Some(Enough::Cheap)),
            (When::Above(Tier::Simple), silent, None),
            (
                When::Above(Tier::Medium),
                "think through it step by step",
                None,
            ),
            (When::Near(0.05), "hi", Some(Enough::Clear)),
            (When::Near(0.05), near, None),
            (When::Near(0.05), silent, None),
        ] {
            let words = classifier.judge(text);
            assert_eq!(
                asking(when).is_answered_by(&words),
                expected,
                "{text}: {words:?}"
            );
        }
    }

    #[test]
    fn what_is_shown() {
        let turns = [
            (true, "one"),
            (false, "yes"),
            (true, "two"),
            (true, "three"),
            (true, "four"),
            (true, "now"),
        ];
        let mut asking = asking(When::Always);
        asking.effort = Some("low".into());
        let body = asking.body("now", &conversation(&turns));
        assert_eq!(body["model"], "judge");
        assert_eq!(body["reasoning_effort"], "low");
        assert_eq!(
            body["messages"][1]["content"],
            "System prompt of the request:\nBe brief\n\nEarlier turns, oldest first:\n1. user: two\n2. user: three\n\
             3. user: four\n\nCurrent message:\nnow"
        );
        asking.context = Context {
            turns: 5,
            chars: 1_000,
            per_turn: Some(2),
            has_answers: true,
        };
        let shown = asking.shown("now", &conversation(&turns[..4]));
        assert!(
            shown.contains("1. user: o … e\n2. assistant: y … s\n3. user: t … o\n\n"),
            "{shown}"
        );
        asking.context.turns = 0;
        let shown = asking.shown("now", &ConversationText::default());
        assert_eq!(shown, "Current message:\nnow");
    }

    #[test]
    fn what_answers_mean() {
        let mut asking = asking(When::Always);
        for (answer, expected) in [
            ("SIMPLE", Some(Tier::Simple)),
            (" `medium`.\n", Some(Tier::Medium)),
            (r#"{"tier": "COMPLEX"}"#, Some(Tier::Complex)),
            ("The tier is REASONING, I think.", Some(Tier::Reasoning)),
            ("SIMPLE or MEDIUM", None),
            (r#"{"level": 3}"#, None),
            ("", None),
        ] {
            assert_eq!(asking.tier(answer), expected, "{answer}");
        }
        asking.labels.set(Tier::Simple, "Cheap");
        assert_eq!(asking.tier("cheap"), Some(Tier::Simple));
        assert_eq!(asking.tier("SIMPLE"), None, "it was not told this name");
    }

    proptest! {
        #[test]
        fn any_answer_is_read_and_the_room_is_kept(
            answer in "\\PC{0,200}",
            texts in proptest::collection::vec("\\PC{0,300}", 0..8),
            chars in 0usize..1_000,
        ) {
            let mut asking = asking(When::Always);
            asking.tier(&answer);
            asking.context.chars = chars;
            let turns: Vec<Turn> = texts.into_iter().map(|text| Turn { is_user: true, text }).collect();
            let chosen = asking.context.chosen(&turns);
            prop_assert!(chosen.iter().map(|(_, text)| text.chars().count()).sum::<usize>() <= chars);
        }
    }
}
