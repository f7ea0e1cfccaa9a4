//! The address of a call.

use crate::types::Operation;

use super::provider::{Protocol, Provider};
use super::{anthropic, azure};

impl Provider {
    /// Where `operation` of `model` is served behind `base`; `None` when this provider does not serve it. `api_version` is
    /// Azure's.
    pub fn url(
        &self,
        operation: Operation,
        base: &str,
        model: &str,
        api_version: Option<&str>,
    ) -> Option<String> {
        let path = self.paths[operation.index()]?;
        let is_messages = operation == Operation::Messages;
        if self.is_azure_ai && is_messages != anthropic::is_claude(model) {
            // Claude speaks Anthropic's protocol there, and no other model does.
            return None;
        }
        let by_deployment = !operation.is_of_responses();
        Some(self.url_of_path(path, by_deployment, base, model, api_version))
    }

    /// Where `path` is served behind `base`. At Azure's addresses `by_deployment` says whether the address names `model`.
    pub fn url_of_path(
        &self,
        path: &str,
        by_deployment: bool,
        base: &str,
        model: &str,
        api_version: Option<&str>,
    ) -> String {
        let (address, query) = match base.split_once('?') {
            Some((address, query)) => (address, Some(query)),
            None => (base, None),
        };
        let address = address.trim_end_matches('/');
        if let Some(path) = path.strip_prefix("..") {
            return asked(beside(address, path), query);
        }
        if self.protocol == Protocol::Azure {
            let form = azure::Form {
                is_azure_ai: self.is_azure_ai,
                by_deployment,
                address,
                query,
                deployment: model,
                path,
            };
            return form.url(api_version);
        }
        let whole = self.whole_mark.is_some_and(|mark| address.contains(mark));
        let url = if whole {
            format!("{address}{}", if path.ends_with('/') { "/" } else { "" })
        } else {
            joined(self.without_operation(address), path)
        };
        asked(url, query)
    }

    /// A base address that was written with an operation's path, without it.
    fn without_operation<'a>(&self, address: &'a str) -> &'a str {
        self.paths
            .iter()
            .flatten()
            .map(|path| path.trim_end_matches('/'))
            .chain(Operation::ALL.map(Operation::path))
            .find_map(|path| address.strip_suffix(path))
            .unwrap_or(address)
    }
}

fn asked(mut url: String, query: Option<&str>) -> String {
    if let Some(query) = query {
        url.push('?');
        url.push_str(query);
    }
    url
}

/// `path` beside `address`, which ends in the version or the name of another protocol's root.
fn beside(address: &str, path: &str) -> String {
    let roots = ["/v1", "/beta", "/models", "/anthropic"];
    let mut root = address.strip_suffix(path).unwrap_or(address);
    while let Some(shorter) = roots.iter().find_map(|end| root.strip_suffix(end)) {
        root = shorter;
    }
    format!("{root}{path}")
}

/// `path` behind `address`; a `/v1` that both have appears once.
pub(super) fn joined(address: &str, path: &str) -> String {
    const VERSION: &str = "/v1";
    let path = match path.strip_prefix(VERSION) {
        Some(rest) if address.ends_with(VERSION) => rest,
        _ => path,
    };
    format!("{address}{path}")
}

#[cfg(test)]
mod tests {
    use crate::providers::find;
    use crate::types::Operation::{self, Chat, Messages, Responses};

    fn url(provider: &str, operation: Operation, base: &str) -> Option<String> {
        let provider = find(provider).unwrap();
        provider.url(operation, base, "claude-x", None)
    }

    /// Checked against the providers' references and LiteLLM 1.106.2.
    #[test]
    fn addresses_of_messages_and_responses() {
        for (provider, operation, base, expected) in [
            ("anthropic", Messages, "https://h", "https://h/v1/messages"),
            (
                "anthropic",
                Messages,
                "https://h/v1/",
                "https://h/v1/messages",
            ),
            (
                "anthropic",
                Messages,
                "https://h/v1/messages",
                "https://h/v1/messages",
            ),
            (
                "anthropic",
                Messages,
                "https://h/a?b=c",
                "https://h/a/v1/messages?b=c",
            ),
            (
                "deepseek",
                Messages,
                "https://h/beta",
                "https://h/anthropic/v1/messages",
            ),
            (
                "deepseek",
                Messages,
                "https://h/anthropic",
                "https://h/anthropic/v1/messages",
            ),
            (
                "minimax",
                Messages,
                "https://h/p/v1",
                "https://h/p/anthropic/v1/messages",
            ),
            (
                "minimax",
                Messages,
                "https://h/anthropic/v1/messages",
                "https://h/anthropic/v1/messages",
            ),
            ("tencent", Messages, "https://h/v1", "https://h/v1/messages"),
            (
                "azure_ai",
                Messages,
                "https://r.services.ai.azure.com",
                "https://r.services.ai.azure.com/anthropic/v1/messages",
            ),
            (
                "azure_ai",
                Messages,
                "https://r.services.ai.azure.com/models",
                "https://r.services.ai.azure.com/anthropic/v1/messages",
            ),
            (
                "openai",
                Responses,
                "https://h/v1",
                "https://h/v1/responses",
            ),
            (
                "openai",
                Responses,
                "https://h/v1/chat/completions",
                "https://h/v1/responses",
            ),
            (
                "perplexity",
                Responses,
                "https://api.perplexity.ai",
                "https://api.perplexity.ai/v1/responses",
            ),
        ] {
            assert_eq!(
                url(provider, operation, base).as_deref(),
                Some(expected),
                "{base}"
            );
        }
        for (provider, operation) in [
            ("anthropic", Chat),
            ("openai", Messages),
            ("groq", Messages),
            ("groq", Responses),
            ("azure_ai", Chat),
        ] {
            assert_eq!(url(provider, operation, "https://h/v1"), None, "{provider}");
        }
    }
}
