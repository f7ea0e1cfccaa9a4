//! Upstream text made fit for an error message: bounded, and without credentials.

/// Upstream text in a message is at most this long, in bytes.
const LONGEST: usize = 2 << 10;
/// Copied `type` and `param` values are at most this long, in bytes.
const LONGEST_NAME: usize = 256;
/// No credential we know is shorter.
pub(super) const SHORTEST_SECRET: usize = 8;

pub(super) const MASK: &str = "***";

/// How credentials begin: OpenAI and its kin, Groq, xAI, Hugging Face, Perplexity, NVIDIA, Replicate, Google, AWS, JSON web tokens.
const PREFIXES: [&str; 11] = [
    "sk-", "gsk_", "xai-", "hf_", "pplx-", "nvapi-", "r8_", "AIza", "AKIA", "ASIA", "eyJ",
];

/// What a credential of unknown form stands behind; compared in lower case.
const LEADS: [&str; 5] = ["bearer ", "key=", "token=", "secret=", "signature="];

/// At most 2 KiB of `text` with every credential in it masked.
pub(super) fn clean(text: &str) -> String {
    // Masking first, or a cut through a key would leave too little of it to be recognised. Far more than is shown is masked,
    // since masks are shorter than what they replace.
    bounded(
        &masked(&text[..text.floor_char_boundary(4 * LONGEST)]),
        LONGEST,
    )
}

/// The same for a value that should be one word.
pub(super) fn short(text: &str) -> String {
    bounded(
        &masked(&text[..text.floor_char_boundary(4 * LONGEST_NAME)]),
        LONGEST_NAME,
    )
}

fn bounded(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let ellipsis = '…';
    let mut cut = text[..text.floor_char_boundary(longest - ellipsis.len_utf8())].to_owned();
    cut.push(ellipsis);
    cut
}

fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_word = false;
    while let Some(first) = rest.chars().next() {
        if !in_word && let Some(len) = credential(rest) {
            out.push_str(&hidden(&rest[..len]));
            rest = &rest[len..];
        } else if let Some((lead, len)) = led(rest) {
            out.push_str(&rest[..lead]);
            out.push_str(MASK);
            rest = &rest[lead + len..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
        in_word = first.is_ascii_alphanumeric();
    }
    out
}

/// The length of the credential `text` begins with.
fn credential(text: &str) -> Option<usize> {
    let prefix = PREFIXES
        .into_iter()
        .find(|prefix| text.starts_with(prefix))?;
    let len = text
        .bytes()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'*'))
        .count();
    // What the provider masked itself (`sk-proj-****abcd`) stays: the user recognises the key by it.
    let masked_already = text.get(..len)?.contains("**");
    (len >= prefix.len() + SHORTEST_SECRET && !masked_already).then_some(len)
}

/// If `text` begins with a word that announces a credential: the lengths of both.
fn led(text: &str) -> Option<(usize, usize)> {
    let lead = LEADS.into_iter().find(|lead| {
        text.get(..lead.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(lead))
    })?;
    let ends = |b: &u8| {
        b.is_ascii_whitespace()
            || matches!(
                b,
                b'&' | b'"' | b'\'' | b'\\' | b',' | b';' | b'<' | b'>' | b')'
            )
    };
    let secret = text.get(lead.len()..)?;
    let len = secret.bytes().take_while(|b| !ends(b)).count();
    let masked_already = secret.get(..len)?.contains("**");
    (len >= SHORTEST_SECRET && !masked_already).then_some((lead.len(), len))
}

/// The first three and the last two characters: enough to tell keys apart. Credentials are ASCII.
fn hidden(credential: &str) -> String {
    let head = credential.get(..3).unwrap_or_default();
    let tail = credential
        .len()
        .checked_sub(2)
        .and_then(|at| credential.get(at..))
        .unwrap_or_default();
    format!("{head}...{tail}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn credentials_are_masked_and_words_are_not() {
        for (text, is) in [
            ("key sk-abcdefgh1234 is wrong", "key sk-...34 is wrong"),
            ("'sk-proj-abc_DEF-0123'.", "'sk-...23'."),
            (
                "Incorrect API key provided: sk-proj-abcd****wxyz.",
                "Incorrect API key provided: sk-proj-abcd****wxyz.",
            ),
            (
                "Incorrect API key provided: sk-abc***xyz",
                "Incorrect API key provided: sk-abc***xyz",
            ),
            (
                "sk-1234 and sk-learn and task-management-systems",
                "sk-1234 and sk-learn and task-management-systems",
            ),
            (
                "https://h.test/v1?key=AIzaSyA1234567890&alt=sse",
                "https://h.test/v1?key=***&alt=sse",
            ),
            (
                "Authorization: Bearer abcdef0123456789",
                "Authorization: Bearer ***",
            ),
            (
                r#"{"h":"bearer abcdef0123456789"}"#,
                r#"{"h":"bearer ***"}"#,
            ),
            (
                "Bearer authentication is required",
                "Bearer *** is required",
            ),
            ("credential AKIAIOSFODNN7EXAMPLE", "credential AKI...LE"),
            ("ключ sk-abcdefgh1234é", "ключ sk-...34é"),
        ] {
            assert_eq!(masked(text), is);
        }
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        let cut = clean(&"é".repeat(5_000));
        assert!(cut.len() <= LONGEST && cut.ends_with("é…"), "{}", cut.len());
        assert_eq!(clean(&"a".repeat(LONGEST)).len(), LONGEST);
    }

    proptest! {
        #[test]
        fn no_key_survives(before in "\\PC{0,40}[ \"':]", key in "sk-[A-Za-z0-9]{8,60}", after in "[ \"',.]\\PC{0,40}") {
            let masked = clean(&format!("{before}{key}{after}"));
            prop_assert!(!masked.contains(&key));
        }

        #[test]
        fn no_text_is_too_much(text in "(\\PC|sk-|bearer |\\n){0,3000}") {
            prop_assert!(clean(&text).len() <= LONGEST && short(&text).len() <= LONGEST_NAME);
        }
    }
}
