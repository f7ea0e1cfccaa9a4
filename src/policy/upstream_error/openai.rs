//! Rules for OpenAI and everything that speaks its protocol, top to bottom, first hit wins.
//!
//! Phrases in lower case are compared in any case (`says`), the others exactly (`has`).

use super::class::ErrorClass::{self, *};
use super::rules::{Rule, Verdict, rule};
use super::said::Said;

const AFFINITY_HINT: &str = " Encrypted reasoning can be read only by the deployment that wrote it: \
    set router_settings.optional_pre_call_checks: [encrypted_content_affinity].";

pub(super) fn judge(provider: &str, said: &Said<'_>) -> Verdict {
    let verdict = if rate_limited(said) {
        Some(Verdict::plain(RateLimitError))
    } else if context_exceeded(said) {
        Some(Verdict::plain(ContextWindowExceededError))
    } else {
        let by_code = CODES
            .iter()
            .find(|(who, code, _)| *who == provider && said.code.as_deref() == Some(code));
        let by_phrase = PHRASES
            .iter()
            .find(|(who, phrase, _)| *who == provider && said.says(phrase));
        by_code
            .or(by_phrase)
            .map(|(_, _, class)| Verdict::plain(*class))
            .or_else(|| {
                RULES
                    .iter()
                    .find(|rule| (rule.test)(said))
                    .map(|rule| rule.verdict)
            })
    };
    verdict.unwrap_or_else(|| Verdict::plain(by_status(said.status)))
}

/// What the phrases alone say, for providers with rules of their own. A 4xx that echoes a prompt about rate limits stays what
/// it is: only here, where the provider has better ways to say 429.
pub(super) fn by_phrase(said: &Said<'_>) -> Option<Verdict> {
    let limited = matches!(said.status, None | Some(429)) && rate_limited(said);
    if limited {
        Some(Verdict::plain(RateLimitError))
    } else if context_exceeded(said) {
        Some(Verdict::plain(ContextWindowExceededError))
    } else if CONTENT_POLICY.iter().any(|phrase| said.says(phrase)) {
        Some(Verdict::plain(ContentPolicyViolationError))
    } else {
        None
    }
}

const fn hinted(test: fn(&Said<'_>) -> bool, hint: &'static str) -> Rule {
    Rule {
        test,
        verdict: Verdict {
            class: BadRequestError,
            status: None,
            hint,
        },
    }
}

const RULES: &[Rule] = &[
    rule(
        |said| said.has("invalid_request_error") && said.has("model_not_found"),
        NotFoundError,
    ),
    rule(|said| said.has("A timeout occurred"), Timeout),
    rule(content_policy_violated, ContentPolicyViolationError),
    hinted(
        |said| said.has("invalid_encrypted_content") || said.has("could not be verified"),
        AFFINITY_HINT,
    ),
    rule(
        |said| said.has("invalid_request_error") && !said.has("Incorrect API key provided"),
        BadRequestError,
    ),
    rule(
        |said| {
            said.has("Web server is returning an unknown error")
                || said.has("The server had an error processing your request.")
        },
        InternalServerError,
    ),
    rule(|said| said.has("Request too large"), RateLimitError),
    rule(
        |said| said.has("The api_key client option must be set"),
        AuthenticationError,
    ),
    rule(
        |said| said.has("Mistral API raised a streaming error"),
        APIError,
    ),
];

/// Numbers of single hosts that say more than their statuses; MiniMax sends them with 200.
const CODES: &[(&str, &str, ErrorClass)] = &[
    ("minimax", "1002", RateLimitError),
    ("minimax", "1004", AuthenticationError),
    ("minimax", "1008", PaymentRequiredError),
    ("minimax", "1026", ContentPolicyViolationError),
    ("minimax", "1027", ContentPolicyViolationError),
    ("minimax", "1039", ContextWindowExceededError),
    ("minimax", "1041", RateLimitError),
    ("minimax", "2013", BadRequestError),
    ("minimax", "2049", AuthenticationError),
    ("zai", "1261", ContextWindowExceededError),
    ("zai", "1301", ContentPolicyViolationError),
];

/// Words of single hosts, compared in any case.
const PHRASES: &[(&str, &str, ErrorClass)] = &[
    (
        "cloudflare",
        "exceeded this model context window limit",
        ContextWindowExceededError,
    ),
    (
        "dashscope",
        "range of input length should be",
        ContextWindowExceededError,
    ),
    (
        "dashscope",
        "datainspectionfailed",
        ContentPolicyViolationError,
    ),
    (
        "dashscope",
        "data_inspection_failed",
        ContentPolicyViolationError,
    ),
    (
        "deepseek",
        "content exists risk",
        ContentPolicyViolationError,
    ),
    (
        "github_copilot",
        "model_max_prompt_tokens_exceeded",
        ContextWindowExceededError,
    ),
    (
        "mistral",
        "too large for model with",
        ContextWindowExceededError,
    ),
    ("moonshot", "engine_overloaded_error", RateLimitError),
    (
        "moonshot",
        "exceeded model token limit",
        ContextWindowExceededError,
    ),
    (
        "moonshot",
        "considered high risk",
        ContentPolicyViolationError,
    ),
    (
        "volcengine",
        "sensitivecontentdetected",
        ContentPolicyViolationError,
    ),
    (
        "volcengine",
        "exceed max message tokens",
        ContextWindowExceededError,
    ),
    ("xai", "safety_check_type", ContentPolicyViolationError),
    (
        "zai",
        "prompt exceeds max length",
        ContextWindowExceededError,
    ),
];

fn by_status(status: Option<u16>) -> ErrorClass {
    match status {
        // 422 has no class of its own here; it keeps its status.
        Some(400 | 422) => BadRequestError,
        Some(401) => AuthenticationError,
        Some(404) => NotFoundError,
        Some(408 | 504) => Timeout,
        Some(429) => RateLimitError,
        Some(500) => InternalServerError,
        Some(502) => BadGatewayError,
        Some(503) => ServiceUnavailableError,
        Some(_) => APIError,
        None => APIConnectionError,
    }
}

fn rate_limited(said: &Said<'_>) -> bool {
    // A 400 may echo a prompt with any number in it.
    let by_number = matches!(said.status, None | Some(429)) && has_word(said.lower(), "429");
    by_number || has_rate_limit(said.lower()) || said.says("service tier capacity exceeded")
}

fn content_policy_violated(said: &Said<'_>) -> bool {
    (said.has("Invalid prompt") && said.has("violating our usage policy"))
        || said.has("moderation_blocked")
        || CONTENT_POLICY.iter().any(|phrase| said.says(phrase))
}

const CONTENT_POLICY: [&str; 7] = [
    "content_policy_violation",
    "responsibleaipolicyviolation",
    "content_filter_policy",
    "request was rejected as a result of the safety system",
    "request was rejected as a result of our safety system",
    "your task failed as a result of our safety system",
    "the model produced invalid content",
];

/// LiteLLM's phrases.
const CONTEXT: [&str; 9] = [
    "exceed context limit",
    "this model's maximum context length is",
    "string too long. expected a string with maximum length",
    "model's maximum context limit",
    "is longer than the model's context length",
    "input tokens exceed the configured limit",
    "`inputs` tokens + `max_new_tokens` must be",
    "exceeds the available context size",
    "exceeds the maximum number of tokens allowed",
];

/// Phrases LiteLLM does not know, believed only of a 400 or 413: other failures use such words too.
const MORE_CONTEXT: [&str; 7] = [
    "context_length_exceeded",
    "input tokens exceed",
    "maximum context length",
    "prompt is too long",
    "maximum prompt length",
    "too many tokens",
    "reduce the length",
];

fn context_exceeded(said: &Said<'_>) -> bool {
    // One long field is not a long conversation.
    if said.says("string_above_max_length")
        || (said.says("invalid 'user'") && said.says("string too long"))
    {
        return false;
    }
    CONTEXT.iter().any(|phrase| said.says(phrase))
        || (said.says("current length is") && said.says("while limit is"))
        || (said.says("maximum input length is") && said.says("tokens"))
        || (matches!(said.status, Some(400 | 413))
            && (MORE_CONTEXT.iter().any(|phrase| said.says(phrase))
                || near(said.lower(), "context", &["length", "window", "limit"])
                || near(said.lower(), "token", &["limit", "exceed"])))
}

/// `\bword\b`, where word characters are ASCII letters, digits and `_`.
fn has_word(text: &str, word: &str) -> bool {
    let inside =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    text.match_indices(word).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|at| text.as_bytes().get(at));
        !inside(before) && !inside(text.as_bytes().get(at + word.len()))
    })
}

/// `rate[\s_-]*limit`.
fn has_rate_limit(text: &str) -> bool {
    text.match_indices("rate").any(|(at, rate)| {
        let after = text[at + rate.len()..]
            .trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '_' | '-'));
        after.starts_with("limit")
    })
}

/// `first.{0,20}(then)`: one of `then` begins within twenty characters after `first`, on the same line.
fn near(text: &str, first: &str, then: &[&str]) -> bool {
    text.match_indices(first).any(|(at, _)| {
        let after = &text[at + first.len()..];
        let gaps = after
            .char_indices()
            .take(21)
            .take_while(|(_, c)| *c != '\n');
        gaps.map(|(gap, _)| &after[gap..])
            .any(|tail| then.iter().any(|word| tail.starts_with(word)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matchers_do_what_their_patterns_say() {
        for (text, is) in [
            ("ratelimit", true),
            ("rate - _limit", true),
            ("rate\tlimits", true),
            ("rate of limit", false),
            ("corporate limit", true),
        ] {
            assert_eq!(has_rate_limit(text), is, "{text}");
        }
        for (text, is) in [
            ("429", true),
            ("code: 429,", true),
            ("4290", false),
            ("x429", false),
            ("_429", false),
            ("é429é", true),
        ] {
            assert_eq!(has_word(text, "429"), is, "{text}");
        }
        for (text, is) in [
            ("contextlength", true),
            ("context is over the length", true),
            ("context 3456789 1234567890 length", true),
            ("context 3456789 12345678901 length", false),
            ("context\nlength", false),
            ("éècontext ééé limit", true),
            ("length context", false),
        ] {
            assert_eq!(
                near(text, "context", &["length", "window", "limit"]),
                is,
                "{text}"
            );
        }
    }

    #[test]
    fn long_whitespace_is_cheap() {
        let text = format!("{}{}", "rate".repeat(1_000), " ".repeat(50_000));
        assert!(!has_rate_limit(&text));
    }
}
