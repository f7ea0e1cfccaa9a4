//! Every provider at once: each under its own path, with its own way to send a key, refusing what it does not serve.
//!
//! `providers.tsv` has a line a provider: name, path of the call, header and scheme of the key, refused parameters. It was
//! written from the providers' documents, not from the gateway's table, so that the two can disagree. The first segment of a
//! request's path names the provider, the rest must be its path, and its key is `key-of-<name>`.

use std::sync::LazyLock;

use super::errors::Refusal;
use super::request::RequestHead;

/// One provider.
pub struct ProviderRow {
    pub name: &'static str,
    /// Without query.
    pub path: &'static str,
    pub header: &'static str,
    /// In front of the key, without space; empty: the key alone.
    pub scheme: &'static str,
    pub refused: Vec<&'static str>,
}

/// All of them, by name.
pub fn provider_rows() -> &'static [ProviderRow] {
    static ROWS: LazyLock<Vec<ProviderRow>> = LazyLock::new(|| {
        let row = |line: &'static str| {
            let mut columns = line.split('\t');
            let mut next = || columns.next().unwrap_or_default();
            let (name, path, auth) = (next(), next(), next());
            let (header, scheme) = auth.split_once(':').unwrap_or((auth, ""));
            ProviderRow {
                name,
                path,
                header,
                scheme,
                refused: next().split(',').filter(|name| !name.is_empty()).collect(),
            }
        };
        include_str!("providers.tsv").lines().map(row).collect()
    });
    &ROWS
}

impl ProviderRow {
    pub fn key(&self) -> String {
        format!("key-of-{}", self.name)
    }

    /// The value of its header.
    fn credential(&self) -> String {
        match self.scheme {
            "" => self.key(),
            scheme => format!("{scheme} {}", self.key()),
        }
    }
}

/// What the provider that a request names finds wrong with it.
pub fn check(head: &RequestHead, body: &[u8]) -> Result<(), Refusal> {
    let path = head.path.split('?').next().unwrap_or_default();
    let nobody = || Refusal::invalid(404, &format!("nobody serves {path}"), None, None);
    let (name, rest) = path
        .strip_prefix('/')
        .and_then(|path| path.split_once('/'))
        .ok_or_else(nobody)?;
    let row = provider_rows()
        .iter()
        .find(|row| row.name == name)
        .ok_or_else(nobody)?;
    if row.path.strip_prefix('/') != Some(rest) {
        return Err(nobody());
    }
    let header = head.headers.iter().find(|(own, _)| own == row.header);
    if header.map(|(_, value)| value.as_str()) != Some(&row.credential()) {
        let message = format!("no key in {} for {name}", row.header);
        return Err(Refusal::invalid(
            401,
            &message,
            None,
            Some("invalid_api_key"),
        ));
    }
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(body).unwrap_or_default();
    match row
        .refused
        .iter()
        .find(|refused| fields.contains_key(**refused))
    {
        Some(refused) => {
            let message = format!("Unrecognized request argument supplied: {refused}");
            Err(Refusal::invalid(400, &message, Some(refused), None))
        }
        None => Ok(()),
    }
}
