//! The headers that Anthropic wants.

use super::errors::invalid;
use crate::simulator::errors::Refusal;
use crate::simulator::request::RequestHead;

/// There are more betas than are written about: whatever is dated since the first ones were is taken for one.
fn is_beta(name: &str) -> bool {
    let digits: String = name.chars().filter(char::is_ascii_digit).collect();
    let date = digits.len().checked_sub(8).map(|start| &digits[start..]);
    date.is_some_and(|date| ("20240401".."20300101").contains(&date))
}

/// The version must be there, and every beta known.
pub fn check_headers(head: &RequestHead) -> Result<(), Refusal> {
    // There is more than one; each is a date.
    match head.anthropic_version.as_deref() {
        None => return Err(invalid("anthropic-version: header is required")),
        Some(version) if ("2023-01-01".."2030-01-01").contains(&version) => {}
        Some(other) => {
            let message = format!("anthropic-version: \"{other}\" is not a valid version");
            return Err(invalid(&message));
        }
    }
    let betas = head.anthropic_beta.as_deref().unwrap_or_default();
    let mut listed = betas
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    match listed.find(|name| !is_beta(name)) {
        None => Ok(()),
        Some(unknown) => Err(invalid(&format!(
            "Unexpected value(s) `{unknown}` for the `anthropic-beta` header. Please consult our documentation at docs.claude.com or try again without the header."
        ))),
    }
}
