//! Which provider an entry calls, at which address, with which key.
//!
//! This version speaks OpenAI's format upstream: OpenAI itself, and whatever is compatible and has its `api_base` given.
//! A key found in the environment goes only to the address that belongs to it: with an `api_base` of its own an entry
//! names its own `api_key`.

use crate::types::Secret;

use super::known::{KNOWN, OWN_FORMAT, owner};

/// Why an entry cannot be called. The texts end a sentence that names the entry.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    #[error(
        "the provider `{0}` is not supported yet; supported are `openai` and OpenAI-compatible servers with an `api_base`"
    )]
    OwnFormat(String),
    #[error(
        "the provider `{0}` is not supported yet without an `api_base`; give the address of its OpenAI-compatible API, \
         such as `https://host/v1`"
    )]
    NeedsBase(String),
    #[error(
        "no provider is known for the model `{0}`; write it with its provider, such as `openai/{0}`"
    )]
    Unknown(String),
    #[error(
        "expected an `api_base` like `https://host/v1` (http or https, no user name or password in it)"
    )]
    BadBase,
    #[error("expected an address like `https://host/v1` in the environment variable {0}")]
    BadVariable(&'static str),
}

/// The provider and the model name it is sent, from `model`, `custom_llm_provider` and whether an `api_base` is given.
pub fn split(
    model: &str,
    custom: Option<&str>,
    has_base: bool,
) -> Result<(String, String), ProviderError> {
    let prefix = model
        .split_once('/')
        .filter(|(prefix, rest)| !prefix.is_empty() && !rest.is_empty());
    let (provider, upstream) = match (custom.filter(|custom| !custom.is_empty()), prefix) {
        (Some(custom), Some((prefix, rest))) if prefix == custom => (custom, rest),
        (Some(custom), _) => (custom, model),
        (None, Some((prefix, rest))) => (prefix, rest),
        (None, None) => (
            owner(model).ok_or_else(|| ProviderError::Unknown(model.to_owned()))?,
            model,
        ),
    };
    if OWN_FORMAT.contains(&provider) {
        return Err(ProviderError::OwnFormat(provider.to_owned()));
    }
    if !has_base && KNOWN.iter().all(|known| known.name != provider) {
        return Err(ProviderError::NeedsBase(provider.to_owned()));
    }
    Ok((provider.to_owned(), upstream.to_owned()))
}

/// Where the calls go (no slash at the end) and the key that is sent there.
pub fn address(
    provider: &str,
    given_base: Option<&str>,
    given_key: Option<Secret>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(String, Option<Secret>), ProviderError> {
    let known = KNOWN.iter().find(|known| known.name == provider);
    let variable = |name: &'static str| env(name).filter(|value| !value.trim().is_empty());
    let from_env = known.and_then(|known| {
        known
            .base_variables
            .iter()
            .find_map(|name| Some((*name, variable(name)?)))
    });
    let own_base = from_env
        .as_ref()
        .map(|(_, base)| base.as_str())
        .or_else(|| known?.base);
    let base = match given_base.or(own_base) {
        Some(base) => base.trim().trim_end_matches('/'),
        None => return Err(ProviderError::NeedsBase(provider.to_owned())),
    };
    let Some(origin) = origin(base) else {
        return Err(match (given_base, &from_env) {
            (None, Some((name, _))) => ProviderError::BadVariable(name),
            _ => ProviderError::BadBase,
        });
    };
    let key = given_key.or_else(|| {
        // An `api_base` that spells out the provider's own address changes nothing.
        let own_origin = self::origin(own_base?.trim())?;
        if own_origin != origin {
            return None;
        }
        variable(known?.key_variable?).map(Secret::new)
    });
    Ok((base.to_owned(), key))
}

/// Scheme, host and port in small letters; `None` for what cannot be called.
fn origin(base: &str) -> Option<String> {
    let base = base.to_ascii_lowercase();
    let rest = base
        .strip_prefix("https://")
        .or_else(|| base.strip_prefix("http://"))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = (rest.get(..end)?, rest.get(end..)?);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let good_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let good_host = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b));
    let good_path = path.bytes().all(|b| b.is_ascii_graphic()) && !path.contains('#');
    (good_port && good_host && good_path).then(|| {
        let scheme = if base.starts_with("https") {
            "https"
        } else {
            "http"
        };
        let usual = if scheme == "https" { "443" } else { "80" };
        format!("{scheme}://{host}:{}", port.unwrap_or(usual))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers() {
        for (model, custom, has_base, expected) in [
            ("openai/gpt-4o", None, false, "openai gpt-4o"),
            ("gpt-4o", None, false, "openai gpt-4o"),
            ("o3-mini", None, false, "openai o3-mini"),
            ("*", None, false, "openai *"),
            ("openai/*", None, false, "openai *"),
            (
                "gpt-3.5-turbo-instruct",
                None,
                false,
                "text-completion-openai gpt-3.5-turbo-instruct",
            ),
            ("openai/meta/llama", None, true, "openai meta/llama"),
            ("llama", Some("openai"), true, "openai llama"),
            (
                "meta/llama",
                Some("hosted_vllm"),
                true,
                "hosted_vllm meta/llama",
            ),
            (
                "hosted_vllm/meta/llama",
                Some("hosted_vllm"),
                true,
                "hosted_vllm meta/llama",
            ),
            ("acme/llama", None, true, "acme llama"),
        ] {
            let split = split(model, custom, has_base)
                .map(|(provider, model)| format!("{provider} {model}"));
            assert_eq!(split.as_deref(), Ok(expected), "{model}");
        }
        for (model, custom, has_base, error) in [
            (
                "anthropic/claude",
                None,
                false,
                ProviderError::OwnFormat("anthropic".into()),
            ),
            (
                "azure/gpt-4o",
                None,
                true,
                ProviderError::OwnFormat("azure".into()),
            ),
            (
                "groq/llama",
                None,
                false,
                ProviderError::NeedsBase("groq".into()),
            ),
            (
                "llama",
                Some("groq"),
                false,
                ProviderError::NeedsBase("groq".into()),
            ),
            ("llama", None, true, ProviderError::Unknown("llama".into())),
            (
                "gpt-oss-120b",
                None,
                false,
                ProviderError::Unknown("gpt-oss-120b".into()),
            ),
            (
                "openai",
                None,
                false,
                ProviderError::Unknown("openai".into()),
            ),
            (
                "openai/",
                None,
                false,
                ProviderError::Unknown("openai/".into()),
            ),
            (
                "claude-sonnet-4-5",
                None,
                false,
                ProviderError::OwnFormat("anthropic".into()),
            ),
        ] {
            assert_eq!(split(model, custom, has_base), Err(error), "{model}");
        }
    }

    #[test]
    fn keys_go_only_where_they_belong() {
        let none: &[(&str, &str)] = &[];
        let key = &[("OPENAI_API_KEY", "env-key")][..];
        let moved = &[
            ("OPENAI_API_KEY", "env-key"),
            ("OPENAI_BASE_URL", "http://local:8080/v1/"),
        ][..];
        for (provider, base, given, variables, expected) in [
            ("openai", None, None, none, "https://api.openai.com/v1 -"),
            (
                "openai",
                None,
                None,
                key,
                "https://api.openai.com/v1 env-key",
            ),
            (
                "openai",
                None,
                Some("own"),
                key,
                "https://api.openai.com/v1 own",
            ),
            (
                "openai",
                Some("https://API.openai.com:443/v1/"),
                None,
                key,
                "https://API.openai.com:443/v1 env-key",
            ),
            (
                "openai",
                Some("https://elsewhere/v1"),
                None,
                key,
                "https://elsewhere/v1 -",
            ),
            (
                "openai",
                Some("http://api.openai.com/v1"),
                None,
                key,
                "http://api.openai.com/v1 -",
            ),
            (
                "openai",
                Some("https://api.openai.com.evil.org/v1"),
                None,
                key,
                "https://api.openai.com.evil.org/v1 -",
            ),
            ("openai", None, None, moved, "http://local:8080/v1 env-key"),
            (
                "openai",
                Some("https://api.openai.com/v1"),
                None,
                moved,
                "https://api.openai.com/v1 -",
            ),
            (
                "custom_openai",
                Some("http://h/v1"),
                None,
                key,
                "http://h/v1 -",
            ),
            (
                "acme",
                Some("http://h/v1"),
                Some("own"),
                key,
                "http://h/v1 own",
            ),
        ] {
            let env = |name: &str| {
                variables
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| (*value).to_owned())
            };
            let address = address(provider, base, given.map(Secret::new), &env)
                .map(|(base, key)| format!("{base} {}", key.as_ref().map_or("-", Secret::expose)));
            assert_eq!(address.as_deref(), Ok(expected), "{provider} {base:?}");
        }
        for base in [
            "",
            "h/v1",
            "ftp://h",
            "https://",
            "https://u:p@h/v1",
            "http://h:0",
            "http://h:x",
            "http://a b/",
        ] {
            assert!(
                address("openai", Some(base), None, &|_| None).is_err(),
                "{base}"
            );
        }
    }
}
