//! The address of a call.

use crate::types::Operation;

use super::azure;
use super::provider::{Protocol, Provider};

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
        let (address, query) = match base.split_once('?') {
            Some((address, query)) => (address, Some(query)),
            None => (base, None),
        };
        let address = address.trim_end_matches('/');
        if self.protocol == Protocol::Azure {
            let form = azure::Form {
                is_azure_ai: self.is_azure_ai,
                address,
                query,
                deployment: model,
                path,
            };
            return Some(form.url(api_version));
        }
        let whole = self.whole_mark.is_some_and(|mark| address.contains(mark));
        let mut url = if whole {
            format!("{address}{}", if path.ends_with('/') { "/" } else { "" })
        } else {
            joined(self.without_operation(address), path)
        };
        if let Some(query) = query {
            url.push('?');
            url.push_str(query);
        }
        Some(url)
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

/// `path` behind `address`; a `/v1` that both have appears once.
pub(super) fn joined(address: &str, path: &str) -> String {
    const VERSION: &str = "/v1";
    let path = match path.strip_prefix(VERSION) {
        Some(rest) if address.ends_with(VERSION) => rest,
        _ => path,
    };
    format!("{address}{path}")
}
