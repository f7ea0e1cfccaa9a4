//! How a deployment at Azure proves who calls when it has no key.

use crate::config::read::Section;
use crate::providers::{Application, Entra};
use crate::types::Secret;

/// The fields of it, as written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AzureParams {
    pub azure_ad_token: Option<Secret>,
    pub tenant_id: Option<String>,
    pub client_id: Option<String>,
    pub client_secret: Option<Secret>,
    pub azure_scope: Option<String>,
}

pub fn read(section: &Section<'_>) -> AzureParams {
    AzureParams {
        azure_ad_token: section.secret("azure_ad_token").filter(is_given),
        tenant_id: section.text("tenant_id"),
        client_id: section.text("client_id"),
        client_secret: section.secret("client_secret").filter(is_given),
        azure_scope: section.text("azure_scope"),
    }
}

fn is_given(secret: &Secret) -> bool {
    !secret.expose().trim().is_empty()
}

/// A token, else an application's credentials, each from the entry or from `env`, which is asked only for what may be used at
/// the entry's address. What cannot be used is warned of and left out.
pub fn entra(
    section: &Section<'_>,
    params: &AzureParams,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<Entra> {
    let env = |name: &str| env(name).filter(|value| !value.trim().is_empty());
    let text = |own: &Option<String>, name| {
        let own = own.clone().filter(|value| !value.trim().is_empty());
        own.or_else(|| env(name))
    };
    let secret = |own: &Option<Secret>, name| own.clone().or_else(|| env(name).map(Secret::new));
    if let Some(token) = secret(&params.azure_ad_token, "AZURE_AD_TOKEN") {
        if token.expose().starts_with("oidc/") {
            let (pos, path) = place(section, "azure_ad_token");
            let message = "tokens by OpenID Connect (`oidc/…`) are not supported yet";
            section.sink.not_yet_because(pos, path, message);
            return None;
        }
        return Some(Entra::Token(token));
    }
    let parts = (
        text(&params.tenant_id, "AZURE_TENANT_ID"),
        text(&params.client_id, "AZURE_CLIENT_ID"),
        secret(&params.client_secret, "AZURE_CLIENT_SECRET"),
    );
    let (tenant, id, secret) = match parts {
        (Some(tenant), Some(id), Some(secret)) => (tenant, id, secret),
        (None, None, None) => return None,
        _ => {
            // In the environment alone they may be meant for something else.
            let written = ["tenant_id", "client_id", "client_secret"]
                .into_iter()
                .find(|key| section.raw(key).is_some());
            if let Some(key) = written {
                let (pos, path) = place(section, key);
                let message =
                    "client credentials need all of `tenant_id`, `client_id` and `client_secret`";
                section.sink.warning(pos, path, message);
            }
            return None;
        }
    };
    let scope = text(&params.azure_scope, "AZURE_SCOPE");
    let authority = env("AZURE_AUTHORITY_HOST");
    match Application::new(authority.as_deref(), tenant.trim(), id, secret, scope) {
        Ok(application) => Some(Entra::Application(application)),
        Err(error) => {
            let (pos, path) = place(section, "tenant_id");
            section.sink.warning(pos, path, error.to_string());
            None
        }
    }
}

fn place(section: &Section<'_>, key: &str) -> (crate::config::yaml::Pos, String) {
    match section.raw(key) {
        Some(node) => (node.pos, section.path_of(key)),
        None => (section.node.pos, section.path.clone()),
    }
}
