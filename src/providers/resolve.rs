//! Which provider a model belongs to.

use crate::catalog;

use super::origin::Origin;
use super::provider::{Protocol, Provider};
use super::table::{all, find, or_generic};

/// Why nobody can be called. The texts end a sentence that names the entry.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    #[error(
        "the provider `{0}` is not supported yet; supported are OpenAI, Azure OpenAI, Anthropic and the OpenAI-compatible \
         providers of docs/providers.md"
    )]
    OwnFormat(String),
    #[error(
        "no provider is known for the model `{0}`; write it with its provider, such as `openai/{0}`"
    )]
    Unknown(String),
    #[error(
        "`{0}` is no provider this version knows; give the `api_base` of its OpenAI-compatible API, such as \
         `https://host/v1`"
    )]
    NotKnown(String),
}

/// Who is called for a model.
#[derive(Debug)]
pub struct Target {
    /// The provider's own name; for one that is not in the table the name as written.
    pub name: String,
    pub provider: &'static Provider,
    /// What it is sent as `model`.
    pub model: String,
}

/// The provider of an entry's `model`, from `custom_llm_provider`, the prefix, the host of its `api_base`, or what the
/// catalogue and OpenAI's naming say of a bare name; in this order (LiteLLM 1.106.2).
pub fn resolve(
    model: &str,
    custom: Option<&str>,
    base: Option<&str>,
) -> Result<Target, ProviderError> {
    let prefix = model
        .split_once('/')
        .filter(|(prefix, rest)| !prefix.is_empty() && !rest.is_empty());
    if let Some(custom) = custom.filter(|custom| !custom.is_empty()) {
        let rest = prefix.filter(|(prefix, _)| *prefix == custom);
        return target(custom, rest.map_or(model, |(_, rest)| rest), base);
    }
    if let Some((prefix, rest)) = prefix
        && find(prefix).is_some()
    {
        return target(prefix, rest, base);
    }
    if let Some(row) = base.and_then(Origin::of).and_then(|origin| at(&origin)) {
        return target(row.name, model, base);
    }
    match prefix {
        Some((prefix, rest)) => target(prefix, rest, base),
        None => {
            let owner = owner(model).ok_or_else(|| ProviderError::Unknown(model.to_owned()))?;
            target(owner, model, base)
        }
    }
}

fn target(name: &str, model: &str, base: Option<&str>) -> Result<Target, ProviderError> {
    let known = find(name);
    let provider = known.unwrap_or_else(|| or_generic(name));
    let name = known.map_or(name, |known| known.name).to_owned();
    if known.is_none() && base.is_none() {
        return Err(ProviderError::NotKnown(name));
    }
    if provider.protocol == Protocol::Own {
        return Err(ProviderError::OwnFormat(name));
    }
    Ok(Target {
        model: provider.upstream_model(model),
        name,
        provider,
    })
}

/// The provider that lives at an address.
fn at(origin: &Origin) -> Option<&'static Provider> {
    all().find(|row| {
        matches!(row.protocol, Protocol::OpenAi | Protocol::Anthropic)
            && !origin.is_loopback()
            && row.lives_at(origin)
    })
}

/// Starts of the names of OpenAI's own models.
const OPENAI_MODELS: &[&str] = &[
    "gpt-3.5-",
    "gpt-4",
    "gpt-5",
    "gpt-6",
    "gpt-audio",
    "gpt-image-",
    "gpt-live-",
    "gpt-realtime",
    "gpt-transcribe",
    "chatgpt-",
    "codex-mini-",
    "computer-use-preview",
    "dall-e-",
    "ft:gpt-",
    "ft:o4-",
    "omni-moderation-",
    "sora-2",
    "text-embedding-3-",
    "text-embedding-ada-",
    "text-moderation-",
    "tts-1",
    "whisper-1",
];

/// The provider of a model name without prefix: the catalogue's, else OpenAI for names like its own (newer models,
/// fine-tunes); `*` alone means OpenAI, too.
pub fn owner(model: &str) -> Option<&'static str> {
    if let Some(entry) = catalog::find_key(model) {
        // The catalogue divides some providers by model family: `vertex_ai-language-models`.
        let family = entry.provider.split('-').next().unwrap_or_default();
        return [entry.provider, family]
            .into_iter()
            .find(|name| find(name).is_some())
            .or(Some(entry.provider));
    }
    // The reasoning models: o1, o3-mini …
    let mut letters = model.chars();
    let reasoning = letters.next() == Some('o')
        && letters.next().is_some_and(|c| c.is_ascii_digit())
        && matches!(letters.next(), None | Some('-'));
    let like_theirs =
        reasoning || model == "*" || OPENAI_MODELS.iter().any(|start| model.starts_with(start));
    like_theirs.then_some("openai")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers() {
        let together = Some("https://api.together.xyz/v1");
        let local = Some("http://127.0.0.1:8080/v1");
        for (model, custom, base, expected) in [
            ("openai/gpt-4o", None, None, "openai gpt-4o"),
            ("gpt-4o", None, None, "openai gpt-4o"),
            ("o3-mini", None, None, "openai o3-mini"),
            ("*", None, None, "openai *"),
            ("openai/*", None, None, "openai *"),
            (
                "gpt-3.5-turbo-instruct",
                None,
                None,
                "text-completion-openai gpt-3.5-turbo-instruct",
            ),
            ("openai/meta/llama", None, local, "openai meta/llama"),
            ("llama", Some("openai"), local, "openai llama"),
            (
                "meta/llama",
                Some("hosted_vllm"),
                local,
                "hosted_vllm meta/llama",
            ),
            (
                "hosted_vllm/meta/llama",
                Some("hosted_vllm"),
                local,
                "hosted_vllm meta/llama",
            ),
            ("acme/llama", None, local, "acme llama"),
            ("groq/llama", None, None, "groq llama"),
            (
                "meta-llama/Llama-3",
                None,
                together,
                "together_ai meta-llama/Llama-3",
            ),
            ("Llama-3", None, together, "together_ai Llama-3"),
            ("openai/Llama-3", None, together, "openai Llama-3"),
            ("nanogpt/x", None, None, "nano-gpt x"),
            (
                "openrouter/anthropic/claude-opus",
                None,
                None,
                "openrouter anthropic/claude-opus",
            ),
            ("openrouter/auto", None, None, "openrouter openrouter/auto"),
            (
                "fireworks_ai/llama",
                None,
                None,
                "fireworks_ai accounts/fireworks/models/llama",
            ),
            (
                "fireworks_ai/accounts/a/models/m",
                None,
                None,
                "fireworks_ai accounts/a/models/m",
            ),
            (
                "clarifai/openai.chat.gpt-4",
                None,
                None,
                "clarifai https://clarifai.com/openai/chat/models/gpt-4",
            ),
            ("anthropic/claude-x", None, local, "anthropic claude-x"),
            (
                "claude-sonnet-4-5",
                None,
                None,
                "anthropic claude-sonnet-4-5",
            ),
            (
                "claude-x",
                None,
                Some("https://api.anthropic.com"),
                "anthropic claude-x",
            ),
            (
                "azure_ai/claude-opus-4-1",
                None,
                None,
                "azure_ai claude-opus-4-1",
            ),
            ("openai/responses/gpt-5", None, None, "openai gpt-5"),
            ("azure/responses/mine", None, None, "azure mine"),
            ("azure/gpt5_series/mine", None, None, "azure mine"),
            (
                "azure_ai/mistral-large",
                None,
                None,
                "azure_ai mistral-large",
            ),
        ] {
            let resolved = resolve(model, custom, base)
                .map(|target| format!("{} {}", target.name, target.model));
            assert_eq!(resolved.as_deref(), Ok(expected), "{model}");
        }
        let own = |name: &str| ProviderError::OwnFormat(name.into());
        for (model, custom, base, error) in [
            ("bedrock/claude", None, None, own("bedrock")),
            ("vertex_ai/claude", None, local, own("vertex_ai")),
            (
                "acme/llama",
                None,
                None,
                ProviderError::NotKnown("acme".into()),
            ),
            (
                "llama",
                Some("acme"),
                None,
                ProviderError::NotKnown("acme".into()),
            ),
            ("llama", None, local, ProviderError::Unknown("llama".into())),
            (
                "gpt-oss-120b",
                None,
                None,
                ProviderError::Unknown("gpt-oss-120b".into()),
            ),
            (
                "openai",
                None,
                None,
                ProviderError::Unknown("openai".into()),
            ),
            (
                "openai/",
                None,
                None,
                ProviderError::Unknown("openai/".into()),
            ),
        ] {
            assert_eq!(resolve(model, custom, base).err(), Some(error), "{model}");
        }
    }
}
