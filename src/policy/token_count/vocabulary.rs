//! Vocabularies: which model reads which, and encoding at a bounded price.

use std::sync::OnceLock;

use tiktoken_rs::{CoreBPE, cl100k_base, o200k_base};

use super::CountError;

/// Texts are encoded in pieces of this many characters, as LiteLLM does: the price of a hostile text stays linear.
const PIECE: usize = 1024;
/// Characters one request has encoded; what goes beyond is sampled.
const MAX_EXACT: usize = 4_000_000;
const SAMPLES: usize = 16;
/// Bytes of one sample, about.
const SAMPLE: usize = 16 << 10;

/// OpenAI models whose vocabulary is o200k_base, by the beginning of their names.
const O200K: [&str; 8] = [
    "gpt-4o",
    "gpt-4.1",
    "gpt-4.5",
    "gpt-5",
    "gpt-oss",
    "chatgpt-4o",
    "codex",
    "ft:gpt-4o",
];

/// Counts the tokens of texts in one request.
pub(super) struct Counter {
    vocabulary: &'static CoreBPE,
    /// Characters that may still be encoded one for one.
    exact_left: usize,
}

impl Counter {
    /// Models nobody knows are counted like GPT-4, as LiteLLM does; a provider prefix (`azure/gpt-4o`) is looked through.
    pub fn for_model(model: &str) -> Result<Self, CountError> {
        static O200K_BASE: OnceLock<Option<CoreBPE>> = OnceLock::new();
        static CL100K_BASE: OnceLock<Option<CoreBPE>> = OnceLock::new();
        let (name, vocabulary) = if reads_o200k(model) {
            ("o200k_base", O200K_BASE.get_or_init(|| o200k_base().ok()))
        } else {
            (
                "cl100k_base",
                CL100K_BASE.get_or_init(|| cl100k_base().ok()),
            )
        };
        let vocabulary = vocabulary.as_ref().ok_or(CountError::NoVocabulary(name))?;
        Ok(Self {
            vocabulary,
            exact_left: MAX_EXACT,
        })
    }

    /// Tokens of `text`. What looks like a special token is plain text.
    pub fn count(&mut self, text: &str) -> u64 {
        let characters = text.chars().count();
        if characters <= self.exact_left {
            self.exact_left -= characters;
            return self.encode(text);
        }
        self.sample(text)
    }

    fn encode(&self, mut text: &str) -> u64 {
        let mut tokens = 0;
        while !text.is_empty() {
            let end = text
                .char_indices()
                .nth(PIECE)
                .map_or(text.len(), |(at, _)| at);
            tokens += self.vocabulary.count_ordinary(&text[..end]) as u64;
            text = &text[end..];
        }
        tokens
    }

    /// Encodes samples spread evenly over the text and scales their count up to the whole.
    fn sample(&self, text: &str) -> u64 {
        if text.len() <= SAMPLES * SAMPLE {
            return self.encode(text);
        }
        let stride = text.len() / SAMPLES;
        let (mut bytes, mut tokens) = (0, 0);
        for at in (0..SAMPLES).map(|n| n * stride) {
            let sample = &text[text.floor_char_boundary(at)..text.floor_char_boundary(at + SAMPLE)];
            bytes += sample.len() as u128;
            tokens += u128::from(self.encode(sample));
        }
        let scaled = (tokens * text.len() as u128).div_ceil(bytes.max(1));
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

fn reads_o200k(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let o_series = name.strip_prefix('o').is_some_and(|rest| {
        let mut rest = rest.chars();
        rest.next()
            .is_some_and(|digit| matches!(digit, '1' | '3' | '4'))
            && matches!(rest.next(), None | Some('-'))
    });
    o_series || O200K.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vocabulary_of_a_model() {
        for (model, o200k) in [
            ("gpt-4o-mini", true),
            ("gpt-4.1", true),
            ("gpt-5-nano", true),
            ("o1", true),
            ("o3-mini", true),
            ("azure/gpt-4o", true),
            ("openrouter/openai/o4-mini", true),
            ("gpt-4", false),
            ("gpt-4-turbo", false),
            ("gpt-3.5-turbo", false),
            ("text-embedding-3-small", false),
            ("claude-sonnet-4-5", false),
            ("o2", false),
            ("o3x", false),
            ("olmo", false),
            ("", false),
        ] {
            assert_eq!(reads_o200k(model), o200k, "{model}");
        }
    }

    #[test]
    fn texts() {
        let mut counter = Counter::for_model("gpt-4o").unwrap();
        for (text, tokens) in [("", 0), ("Hello world", 2), ("<|endoftext|>", 7)] {
            assert_eq!(counter.count(text), tokens, "{text}");
        }
        assert_eq!(counter.exact_left, MAX_EXACT - 24);
    }

    #[test]
    fn pieces_do_not_cut_characters() {
        let mut counter = Counter::for_model("gpt-4").unwrap();
        assert!(counter.count(&"日本語é".repeat(1_000)) >= 1_000);
    }

    #[test]
    fn samples_come_close() {
        let counter = Counter::for_model("gpt-4o").unwrap();
        let text = "The signal is at clear; номер 12. ".repeat(20_000);
        let (exact, sampled) = (counter.encode(&text), counter.sample(&text));
        assert!(
            sampled.abs_diff(exact) * 50 < exact,
            "{sampled} for {exact}"
        );
        let mut spent = Counter {
            exact_left: 10,
            ..Counter::for_model("gpt-4o").unwrap()
        };
        assert_eq!(spent.count(&text), sampled);
        assert_eq!(
            spent.count("Hello world"),
            2,
            "short texts are counted all the same"
        );
    }
}
