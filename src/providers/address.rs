//! Where a deployment is called, and which key goes there.
//!
//! A key found in the environment belongs to its provider's own address, or to the one that the provider's own variable
//! names. With an `api_base` elsewhere an entry names its own `api_key`. A provider without an address of its own (a vLLM
//! server, an Azure resource) lends its key to whatever `api_base` the operator writes, unless another provider lives there.

use crate::types::Secret;

use super::origin::Origin;
use super::provider::Provider;
use super::table;

/// Why there is no address. The texts end a sentence that names the entry.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error(
        "the provider `{0}` has no address of its own; give the `api_base` of its OpenAI-compatible API, such as \
         `https://host/v1`"
    )]
    NeedsBase(String),
    #[error("the address of `{provider}` needs {wanted}; set it, or give a whole `api_base`")]
    NeedsPart { provider: String, wanted: String },
    #[error(
        "expected an `api_base` like `https://host/v1` (http or https, no user name or password in it)"
    )]
    BadBase,
    #[error("expected an address like `https://host/v1` in the environment variable {0}")]
    BadVariable(&'static str),
}

/// What an entry says itself, and where the rest may be found.
pub struct Given<'a> {
    pub base: Option<&'a str>,
    pub key: Option<Secret>,
    /// A variable of the environment (names in capitals) or a field of the entry (other names).
    pub look_up: &'a dyn Fn(&str) -> Option<String>,
}

/// Where calls go, and with what.
#[derive(Debug)]
pub struct Address {
    /// No slash at the end.
    pub base: String,
    pub key: Option<Secret>,
    /// Headers whose values the environment holds.
    pub headers: Vec<(&'static str, Secret)>,
    /// Secrets of the provider that the environment holds may be used here.
    pub is_home: bool,
    /// A variable that holds a key which does not belong to this address.
    pub withheld: Option<&'static str>,
}

impl Provider {
    /// The address and the key for calls of `model` under the name `name` (the provider's own, or an unknown one that it
    /// stands in for).
    pub fn address(
        &self,
        name: &str,
        model: &str,
        given: Given<'_>,
    ) -> Result<Address, AddressError> {
        let variable =
            |name: &&'static str| (given.look_up)(name).filter(|value| !value.trim().is_empty());
        let moved = self
            .base_variables
            .iter()
            .find_map(|name| Some((*name, variable(name)?)));
        let own = match (&moved, given.base) {
            (Some((_, base)), _) => Some(base.clone()),
            (None, Some(_)) => self.filled(name, model, given.look_up).ok().flatten(),
            (None, None) => self.filled(name, model, given.look_up)?,
        };
        let base = match given.base.or(own.as_deref()) {
            Some(base) => self.corrected(base.trim().trim_end_matches('/')),
            None => return Err(AddressError::NeedsBase(name.to_owned())),
        };
        let Some(origin) = Origin::of(&base) else {
            return Err(match (given.base, &moved) {
                (None, Some((variable, _))) => AddressError::BadVariable(variable),
                _ => AddressError::BadBase,
            });
        };
        let is_home = own.as_deref().and_then(Origin::of).as_ref() == Some(&origin)
            || (moved.is_none() && self.lives_at(&origin))
            || (self.has_no_home() && !is_anothers(&origin));
        let found = self
            .key_variables
            .iter()
            .find_map(|name| Some((*name, Secret::new(variable(name)?))));
        let (key, withheld) = match (given.key, found) {
            (Some(key), _) => (Some(key), None),
            (None, Some((_, key))) if is_home => (Some(key), None),
            (None, Some((variable, _))) => (None, Some(variable)),
            (None, None) => (None, None),
        };
        let token = self
            .token_variables
            .iter()
            .filter(|_| key.is_none() && is_home)
            .find_map(|name| Some(("authorization", super::bearer(&variable(name)?.into()))));
        let header =
            |(header, name): &(&'static str, &'static str)| Some((*header, variable(name)?.into()));
        let headers = self
            .header_variables
            .iter()
            .filter(|_| is_home)
            .filter_map(header)
            .chain(token)
            .collect();
        Ok(Address {
            base,
            key,
            headers,
            is_home,
            withheld,
        })
    }

    /// The usual address with its placeholders filled; `None` when there is none.
    fn filled(
        &self,
        name: &str,
        model: &str,
        look_up: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<String>, AddressError> {
        let Some(mut base) = self.base_for(model) else {
            return Ok(None);
        };
        while let Some((head, rest)) = base.split_once('{') {
            let (names, tail) = rest.split_once('}').unwrap_or((rest, ""));
            let value = names
                .split('|')
                .find_map(look_up)
                .filter(|value| is_plain(value));
            let Some(value) = value else {
                return Err(AddressError::NeedsPart {
                    provider: name.to_owned(),
                    wanted: wanted(names),
                });
            };
            base = format!("{head}{value}{tail}");
        }
        Ok(Some(base))
    }

    fn corrected(&self, base: &str) -> String {
        match self.base_rewrite {
            Some((end, right)) if base.ends_with(end) => {
                format!("{}{right}", base.strip_suffix(end).unwrap_or(base))
            }
            _ => base.to_owned(),
        }
    }
}

/// Whether a provider lives there. Nobody owns the machine's own address.
fn is_anothers(origin: &Origin) -> bool {
    !origin.is_loopback() && table::all().any(|other| other.lives_at(origin))
}

/// A part of a host or path that cannot change what is around it.
fn is_plain(value: &str) -> bool {
    !value.is_empty()
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn wanted(names: &str) -> String {
    let one = |name: &str| {
        if name.bytes().any(|byte| byte.is_ascii_lowercase()) {
            format!("`{name}`")
        } else {
            format!("the environment variable {name}")
        }
    };
    names.split('|').map(one).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests;
