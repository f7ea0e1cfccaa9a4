//! Log probabilities: each piece of text counts as a token.

use serde::Serialize;

/// Of one choice, or of what a chunk adds to it. The default has none, as OpenAI sends it beside the role.
#[derive(Clone, Serialize)]
pub struct Logprobs<'a> {
    content: Option<Vec<Token<'a>>>,
    refusal: Option<Vec<Token<'a>>>,
}

#[derive(Clone, Serialize)]
struct Token<'a> {
    #[serde(flatten)]
    own: Likelihood<'a>,
    top_logprobs: Vec<Likelihood<'a>>,
}

#[derive(Clone, Copy, Serialize)]
struct Likelihood<'a> {
    token: &'a str,
    logprob: f64,
    /// Its UTF-8.
    bytes: &'a [u8],
}

/// A number with all the digits that a double has.
const STEP: f64 = -0.001_234_567_890_123_4;

// === impl Logprobs ===

impl<'a> Logprobs<'a> {
    /// Of these tokens, the first of which is the answer's token number `from`.
    pub fn of_content(tokens: Vec<&'a str>, from: usize, alternatives: usize) -> Self {
        Self {
            content: Some(listed(tokens, from, alternatives)),
            refusal: None,
        }
    }

    pub fn of_refusal(tokens: Vec<&'a str>, from: usize, alternatives: usize) -> Self {
        Self {
            content: None,
            refusal: Some(listed(tokens, from, alternatives)),
        }
    }
}

impl Default for Logprobs<'_> {
    fn default() -> Self {
        Self {
            content: Some(Vec::new()),
            refusal: None,
        }
    }
}

fn listed(tokens: Vec<&str>, from: usize, alternatives: usize) -> Vec<Token<'_>> {
    let numbered = tokens.into_iter().enumerate();
    let token = |(index, token): (usize, _)| {
        let likelihood = |rank: usize| Likelihood {
            token,
            logprob: STEP * (from + index + 1) as f64 - rank as f64,
            bytes: token.as_bytes(),
        };
        Token {
            own: likelihood(0),
            top_logprobs: (0..alternatives).map(likelihood).collect(),
        }
    };
    numbered.map(token).collect()
}
