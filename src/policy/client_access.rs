//! What a caller may put in the place of a deployment's own access: key, address, headers.
//!
//! Nothing, unless the deployment or the gateway says so. An address of the caller's never meets a key of ours, and is a public
//! one over TLS unless a pattern of the deployment, or a host of the configuration, names it: otherwise callers could reach what
//! only the gateway's network reaches (SSRF).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use regex::Regex;

use crate::types::Secret;

/// What a caller sends.
#[derive(Clone, Debug, Default)]
pub struct ClientAccess {
    pub api_key: Option<Secret>,
    /// Without a slash at the end.
    pub api_base: Option<String>,
    /// How the caller spelled it: `api_base` or `base_url`.
    pub base_field: &'static str,
    pub extra_headers: Vec<(String, Secret)>,
}

/// What a deployment lets callers send.
#[derive(Clone, Debug, Default)]
pub struct AccessRule {
    pub api_key: bool,
    pub extra_headers: bool,
    /// Any public address.
    pub any_base: bool,
    /// Addresses that match one of these, made by [`whole`].
    pub bases: Vec<Regex>,
    /// Hosts that need not be public: `litellm_settings.user_url_allowed_hosts`, in small letters.
    pub trusted_hosts: Vec<String>,
    /// `litellm_settings.user_url_validation: false`: no address need be public.
    pub no_guard: bool,
}

/// How an address may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// At public addresses only, whatever its name resolves to.
    Public,
    /// The configuration names it: anywhere.
    Named,
}

/// Why a caller's access cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessDenied {
    /// The deployment does not allow this field.
    Field(&'static str),
    /// The address is none that callers may give.
    Base,
}

impl AccessRule {
    /// Whether all of `access` is allowed, and how its address is reached.
    pub fn permit(&self, access: &ClientAccess) -> Result<Reach, AccessDenied> {
        if access.api_key.is_some() && !self.api_key {
            return Err(AccessDenied::Field("api_key"));
        }
        if !access.extra_headers.is_empty() && !self.extra_headers {
            return Err(AccessDenied::Field("extra_headers"));
        }
        let Some(base) = &access.api_base else {
            return Ok(Reach::Named);
        };
        let Some((scheme, host)) = origin(base) else {
            return Err(AccessDenied::Base);
        };
        if self.bases.iter().any(|pattern| pattern.is_match(base)) {
            return Ok(Reach::Named);
        }
        if !self.any_base {
            return Err(AccessDenied::Field(access.base_field));
        }
        if self.no_guard || self.trusted_hosts.contains(&host) {
            return Ok(Reach::Named);
        }
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        let is_private = literal
            .parse()
            .is_ok_and(|address: IpAddr| !is_public(address));
        if scheme != "https" || is_private {
            return Err(AccessDenied::Base);
        }
        Ok(Reach::Public)
    }
}

/// A pattern that fits whole addresses only: `https://good\.test` must not let `https://good.test.evil.test` through.
pub fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}

/// Scheme and host in small letters; `None` for what is no plain http(s) address: user information, queries and odd characters
/// have no place in one.
fn origin(base: &str) -> Option<(&'static str, String)> {
    let (scheme, rest) = match base.split_once("://")? {
        (scheme, rest) if scheme.eq_ignore_ascii_case("https") => ("https", rest),
        (scheme, rest) if scheme.eq_ignore_ascii_case("http") => ("http", rest),
        _ => return None,
    };
    if !rest.bytes().all(|byte| byte.is_ascii_graphic()) || rest.contains(['@', '\\', '?', '#']) {
        return None;
    }
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let good_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    (good_port && !host.is_empty()).then(|| (scheme, host.to_ascii_lowercase()))
}

/// Whether an address belongs to the public internet: no private, local, shared, reserved or multicast one, nor one of those
/// inside IPv6 (mapped, 6to4, NAT64). Source: IANA's special-purpose address registries.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let inner = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Mapped and compatible; loopback and unspecified are among them.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] => inner(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => inner(high, low),
        [0x2002, high, low, ..] => inner(high, low),
        // Documentation and Teredo.
        [0x2001, 0xdb8 | 0, ..] => false,
        // Only 2000::/3 is given out.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> AccessRule {
        AccessRule {
            any_base: true,
            ..AccessRule::default()
        }
    }

    fn base(base: &str) -> ClientAccess {
        ClientAccess {
            api_base: Some(base.to_owned()),
            base_field: "api_base",
            ..ClientAccess::default()
        }
    }

    #[test]
    fn nothing_is_allowed_by_itself() {
        let none = AccessRule::default();
        let key = ClientAccess {
            api_key: Some(Secret::new("k")),
            ..ClientAccess::default()
        };
        let headers = ClientAccess {
            extra_headers: vec![("a".to_owned(), Secret::new("b"))],
            ..ClientAccess::default()
        };
        assert_eq!(none.permit(&key), Err(AccessDenied::Field("api_key")));
        assert_eq!(
            none.permit(&headers),
            Err(AccessDenied::Field("extra_headers"))
        );
        assert_eq!(
            none.permit(&base("https://example.com/v1")),
            Err(AccessDenied::Field("api_base"))
        );
        assert_eq!(none.permit(&ClientAccess::default()), Ok(Reach::Named));
    }

    #[test]
    fn addresses_of_callers_are_public_ones() {
        for public in [
            "https://api.example.com/v1",
            "https://8.8.8.8:8443/v1",
            "https://[2606:4700::1111]/v1",
            "HTTPS://API.example.com",
        ] {
            assert_eq!(rule().permit(&base(public)), Ok(Reach::Public), "{public}");
        }
        for other in [
            "http://api.example.com/v1",
            "https://127.0.0.1/v1",
            "https://10.1.2.3",
            "https://169.254.169.254/latest",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://user:pass@example.com/",
            "https://example.com\\@127.0.0.1/",
            "https://example.com/?x=1",
            "https://exa mple.com/",
            "https://",
            "https://example.com:0",
            "https://example.com:99999",
            "file:///etc/passwd",
            "gopher://example.com",
            "example.com",
            "",
        ] {
            assert_eq!(
                rule().permit(&base(other)),
                Err(AccessDenied::Base),
                "{other}"
            );
        }
    }

    #[test]
    fn the_configuration_may_name_others() {
        let named = AccessRule {
            bases: vec![whole(r"http://127\.0\.0\.1:\d+/v1").unwrap()],
            ..AccessRule::default()
        };
        assert_eq!(
            named.permit(&base("http://127.0.0.1:80/v1")),
            Ok(Reach::Named)
        );
        for other in [
            "http://127.0.0.1:80/v1/more",
            "http://127.0.0.1.evil.test/v1",
        ] {
            assert_eq!(
                named.permit(&base(other)),
                Err(AccessDenied::Field("api_base"))
            );
        }
        let trusting = AccessRule {
            trusted_hosts: vec!["llm.internal".to_owned()],
            ..rule()
        };
        assert_eq!(
            trusting.permit(&base("http://LLM.internal:8000/v1")),
            Ok(Reach::Named)
        );
        let open = AccessRule {
            no_guard: true,
            ..rule()
        };
        assert_eq!(open.permit(&base("http://localhost/v1")), Ok(Reach::Named));
        assert_eq!(
            open.permit(&base("ftp://localhost/v1")),
            Err(AccessDenied::Base)
        );
    }

    #[test]
    fn public_addresses() {
        for public in [
            "1.1.1.1",
            "100.63.0.1",
            "2606:4700::1111",
            "2002:0808:0808::",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for other in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.1.2.3",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fc00::1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!is_public(other.parse().unwrap()), "{other}");
        }
    }
}
