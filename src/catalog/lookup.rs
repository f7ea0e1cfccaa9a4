//! Which row answers for a provider's model.

use super::{ModelEntry, own, table};

/// The entry of `model` at `provider` (LiteLLM's name, `openai`, `vertex_ai` …).
///
/// Tried in turn, in any case: `provider/model`, `model`; then both without a fine-tune's suffix
/// (`ft:gpt-4o-2024-08-06:org::id`), without a region or geography in front (Bedrock), and without a date behind
/// (`-2024-11-20`, `-20250929`, `@20250929`). A row of another provider never answers, whatever its name.
pub fn find(provider: &str, model: &str) -> Option<ModelEntry> {
    let model = fine_tuned_base(strip_provider(provider, model));
    exact(provider, model)
        .or_else(|| exact(provider, without_date(model)?))
        .or_else(|| {
            let model = without_region(provider, model)?;
            exact(provider, model).or_else(|| exact(provider, without_date(model)?))
        })
}

/// The entry whose whole key this is, in any case, whoever its provider.
pub fn find_key(key: &str) -> Option<ModelEntry> {
    row(&[key])
}

fn exact(provider: &str, model: &str) -> Option<ModelEntry> {
    let theirs = |entry: &ModelEntry| same_provider(entry.provider, provider);
    row(&[provider, "/", model])
        .filter(theirs)
        .or_else(|| row(&[model]).filter(theirs))
}

/// The user's row, else the embedded one.
fn row(parts: &[&str]) -> Option<ModelEntry> {
    own::find(parts).or_else(|| table::find(parts).map(ModelEntry::parse))
}

/// Whether two of LiteLLM's provider names are one provider: the catalogue divides some by API or by model family
/// (`bedrock_converse`, `vertex_ai-anthropic_models`, `cohere_chat`, `text-completion-openai`).
pub fn same_provider(one: &str, other: &str) -> bool {
    whole(one).eq_ignore_ascii_case(whole(other))
}

fn whole(provider: &str) -> &str {
    let provider = provider
        .strip_prefix("text-completion-")
        .unwrap_or(provider);
    match provider {
        "bedrock_converse" => "bedrock",
        "cohere_chat" => "cohere",
        "azure_text" => "azure",
        _ => ["vertex_ai", "fireworks_ai"]
            .into_iter()
            .find(|name| {
                provider
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with('-'))
            })
            .unwrap_or(provider),
    }
}

fn strip_provider<'a>(provider: &str, model: &'a str) -> &'a str {
    match model.split_once('/') {
        Some((first, rest)) if first.eq_ignore_ascii_case(provider) => rest,
        _ => model,
    }
}

/// `ft:base` of `ft:base:organization:name:id`.
fn fine_tuned_base(model: &str) -> &str {
    let Some(base) = model.strip_prefix("ft:") else {
        return model;
    };
    let end = base.find(':').unwrap_or(base.len());
    model.get(.."ft:".len() + end).unwrap_or(model)
}

/// The name before `-YYYY-MM-DD`, `-YYYYMMDD` or `@YYYYMMDD`.
fn without_date(model: &str) -> Option<&str> {
    let digits = |text: &str, count: usize| {
        text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (name, last) = model.rsplit_once(['-', '@'])?;
    if digits(last, 8) {
        return Some(name);
    }
    let (name, month) = name.rsplit_once('-')?;
    let (name, year) = name.rsplit_once('-')?;
    (digits(last, 2) && digits(month, 2) && digits(year, 4)).then_some(name)
}

/// A Bedrock model without its region (`us-east-1/…`) or its inference profile's geography (`eu.…`).
fn without_region<'a>(provider: &str, model: &'a str) -> Option<&'a str> {
    const GEOGRAPHIES: [&str; 9] = [
        "us", "us-gov", "eu", "apac", "jp", "au", "ca", "sa", "global",
    ];
    if !same_provider(provider, "bedrock") {
        return None;
    }
    let region = |text: &str| {
        text.split('-').count() >= 3 && text.ends_with(|last: char| last.is_ascii_digit())
    };
    if let Some((first, rest)) = model.split_once('/')
        && region(first)
    {
        return Some(rest);
    }
    let (first, rest) = model.split_once('.')?;
    GEOGRAPHIES.contains(&first).then_some(rest)
}

#[cfg(test)]
mod tests;
