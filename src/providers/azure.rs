//! Azure's addresses: OpenAI deployments with a dated `api-version` or in the `v1` form, and Azure AI Foundry.

use super::origin::{Origin, matches};
use super::url::joined;

/// The version of calls that name none (LiteLLM 1.106.2).
pub const DEFAULT_VERSION: &str = "2025-02-01-preview";
/// The same for models of Azure AI Foundry.
const DEFAULT_MODELS_VERSION: &str = "2024-05-01-preview";
/// Versions that mean the `v1` form.
const V1_VERSIONS: [&str; 3] = ["v1", "latest", "preview"];
/// Hints in front of a deployment's name: about the model's family, or where its price is valid.
const HINTS: [&str; 6] = [
    "o_series/",
    "gpt5_series/",
    "responses/",
    "global/",
    "eu/",
    "us/",
];

/// The deployment's name without hints.
pub fn deployment(model: &str) -> &str {
    HINTS
        .into_iter()
        .find_map(|hint| model.strip_prefix(hint))
        .filter(|rest| !rest.is_empty())
        .unwrap_or(model)
}

/// Whether a host of Azure AI takes the key in `api-key`; serverless hosts want a bearer token.
pub fn wants_key_header(host: &str) -> bool {
    [
        "*.services.ai.azure.com",
        "*.openai.azure.com",
        "*.cognitiveservices.azure.com",
    ]
    .iter()
    .any(|pattern| matches(pattern, host))
}

/// One call's parts.
pub struct Form<'a> {
    pub is_azure_ai: bool,
    /// The address names the deployment; otherwise the body does.
    pub by_deployment: bool,
    /// Without query, no slash at the end.
    pub address: &'a str,
    /// What was behind the `?` of the base address: it is kept, and nothing added to it.
    pub query: Option<&'a str>,
    pub deployment: &'a str,
    /// The operation's.
    pub path: &'a str,
}

impl Form<'_> {
    pub fn url(&self, version: Option<&str>) -> String {
        let host = Origin::of(self.address)
            .map(|origin| origin.host)
            .unwrap_or_default();
        if self.is_azure_ai && self.by_deployment && !self.address.contains("/openai") {
            if matches("*.services.ai.azure.com", &host) {
                let address = self.address.trim_end_matches("/models");
                let version = version.unwrap_or(DEFAULT_MODELS_VERSION);
                return self.asked(format!("{address}/models{}", self.path), Some(version));
            }
            if !wants_key_header(&host) {
                let address = joined(self.bare(), &format!("/v1{}", self.path));
                return self.asked(address, version);
            }
        }
        self.openai(&host, version)
    }

    fn openai(&self, host: &str, version: Option<&str>) -> String {
        const DEPLOYMENTS: &str = "/openai/deployments/";
        const V1: &str = "/openai/v1";
        let default = match self.by_deployment {
            true => DEFAULT_VERSION,
            false => "preview",
        };
        let version = version.unwrap_or(default);
        let bare = match self.bare().split_once(DEPLOYMENTS) {
            Some((root, _)) if !self.by_deployment => root,
            _ => self.bare(),
        };
        let v1 = V1_VERSIONS.contains(&version);
        if bare.contains(DEPLOYMENTS) {
            return self.asked(format!("{bare}{}", self.path), Some(version));
        }
        if let Some((root, _)) = bare.split_once(V1) {
            let address = format!("{root}{V1}{}", self.path);
            return self.asked(address, Some(version).filter(|_| v1 && version != "v1"));
        }
        let bare = match self.by_deployment {
            true => bare,
            false => bare.trim_end_matches("/models"),
        };
        let root = bare.strip_suffix("/openai").unwrap_or(bare);
        if v1 {
            // `latest` and `preview` are one.
            let version = (version != "v1").then_some("preview");
            return self.asked(format!("{root}{V1}{}", self.path), version);
        }
        if !self.by_deployment {
            return self.asked(format!("{root}/openai{}", self.path), Some(version));
        }
        let deployment = escaped(self.deployment);
        let address = if host == "gateway.ai.cloudflare.com" {
            format!("{root}/{deployment}{}", self.path)
        } else {
            format!("{root}{DEPLOYMENTS}{deployment}{}", self.path)
        };
        self.asked(address, Some(version))
    }

    /// The address without the path of the operation, if it was written with it.
    fn bare(&self) -> &str {
        self.address.strip_suffix(self.path).unwrap_or(self.address)
    }

    fn asked(&self, mut address: String, version: Option<&str>) -> String {
        match (self.query, version) {
            (Some(query), _) => {
                address.push('?');
                address.push_str(query);
            }
            (None, Some(version)) => {
                address.push_str("?api-version=");
                address.push_str(&escaped(version));
            }
            (None, None) => {}
        }
        address
    }
}

/// A text as part of a path, a query or a form.
pub fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::providers::find;
    use crate::types::Operation;

    /// Checked against Azure's reference of its REST API and LiteLLM 1.106.2.
    #[test]
    fn addresses() {
        let (azure, ai) = (find("azure").unwrap(), find("azure_ai").unwrap());
        let dated = "openai/deployments/gpt-4o/chat/completions?api-version=";
        for (provider, base, version, expected) in [
            (azure, "https://r.openai.azure.com", None, format!("https://r.openai.azure.com/{dated}2025-02-01-preview")),
            (azure, "https://r.openai.azure.com/", Some("2024-10-21"), format!("https://r.openai.azure.com/{dated}2024-10-21")),
            (azure, "https://r.openai.azure.com/openai", Some("2024-10-21"), format!("https://r.openai.azure.com/{dated}2024-10-21")),
            (azure, "https://apim.example.com/prefix", Some("2024-10-21"), format!("https://apim.example.com/prefix/{dated}2024-10-21")),
            (azure, "https://r.openai.azure.com", Some("v1"), "https://r.openai.azure.com/openai/v1/chat/completions".into()),
            (azure, "https://r.openai.azure.com", Some("latest"), "https://r.openai.azure.com/openai/v1/chat/completions?api-version=preview".into()),
            (azure, "https://r.openai.azure.com", Some("preview"), "https://r.openai.azure.com/openai/v1/chat/completions?api-version=preview".into()),
            (azure, "https://r.openai.azure.com/openai/v1/", None, "https://r.openai.azure.com/openai/v1/chat/completions".into()),
            (azure, "https://r.openai.azure.com/openai/deployments/other", Some("2024-10-21"),
                "https://r.openai.azure.com/openai/deployments/other/chat/completions?api-version=2024-10-21".into()),
            (azure, "https://r.openai.azure.com/openai/deployments/other/chat/completions?api-version=2023-05-15", Some("2024-10-21"),
                "https://r.openai.azure.com/openai/deployments/other/chat/completions?api-version=2023-05-15".into()),
            (azure, "https://gateway.ai.cloudflare.com/v1/a/g/azure-openai/r", Some("2024-10-21"),
                "https://gateway.ai.cloudflare.com/v1/a/g/azure-openai/r/gpt-4o/chat/completions?api-version=2024-10-21".into()),
            (ai, "https://r.services.ai.azure.com", None, "https://r.services.ai.azure.com/models/chat/completions?api-version=2024-05-01-preview".into()),
            (ai, "https://r.services.ai.azure.com/models", Some("2025-01-01"), "https://r.services.ai.azure.com/models/chat/completions?api-version=2025-01-01".into()),
            (ai, "https://r.services.ai.azure.com/openai/v1", None, "https://r.services.ai.azure.com/openai/v1/chat/completions".into()),
            (ai, "https://r.eastus.models.ai.azure.com", None, "https://r.eastus.models.ai.azure.com/v1/chat/completions".into()),
            (ai, "https://r.eastus.models.ai.azure.com/v1/", None, "https://r.eastus.models.ai.azure.com/v1/chat/completions".into()),
            (ai, "https://r.openai.azure.com", Some("2024-10-21"), format!("https://r.openai.azure.com/{dated}2024-10-21")),
        ] {
            let url = provider.url(Operation::Chat, base, "gpt-4o", version);
            assert_eq!(url, Some(expected), "{base} {version:?}");
        }
        let v1 = "https://r.openai.azure.com/openai/v1/responses";
        for (provider, base, version, expected) in [
            (
                azure,
                "https://r.openai.azure.com",
                None,
                format!("{v1}?api-version=preview"),
            ),
            (
                azure,
                "https://r.openai.azure.com",
                Some("v1"),
                v1.to_owned(),
            ),
            (
                azure,
                "https://r.openai.azure.com",
                Some("2025-03-01-preview"),
                "https://r.openai.azure.com/openai/responses?api-version=2025-03-01-preview".into(),
            ),
            (
                azure,
                "https://r.openai.azure.com/openai/deployments/d",
                Some("2025-03-01-preview"),
                "https://r.openai.azure.com/openai/responses?api-version=2025-03-01-preview".into(),
            ),
            (
                azure,
                "https://r.openai.azure.com/openai/v1",
                None,
                v1.to_owned() + "?api-version=preview",
            ),
            (
                azure,
                "https://r.openai.azure.com/openai/responses?api-version=2025-04-01-preview",
                None,
                "https://r.openai.azure.com/openai/v1/responses?api-version=2025-04-01-preview"
                    .into(),
            ),
            (
                ai,
                "https://r.services.ai.azure.com/models",
                None,
                "https://r.services.ai.azure.com/openai/v1/responses?api-version=preview".into(),
            ),
        ] {
            let url = provider.url(Operation::Responses, base, "gpt-5", version);
            assert_eq!(url, Some(expected), "{base} {version:?}");
        }
        assert_eq!(
            azure
                .url(Operation::Embedding, "https://h", "a b/ü", Some("v1?&"))
                .as_deref(),
            Some("https://h/openai/deployments/a%20b%2F%C3%BC/embeddings?api-version=v1%3F%26")
        );
    }

    #[test]
    fn hints_are_no_part_of_the_name() {
        for (model, expected) in [
            ("o_series/my-o3", "my-o3"),
            ("gpt5_series/x", "x"),
            ("us/gpt-4o", "gpt-4o"),
            ("gpt-4o", "gpt-4o"),
            ("us/", "us/"),
        ] {
            assert_eq!(super::deployment(model), expected);
        }
    }
}
