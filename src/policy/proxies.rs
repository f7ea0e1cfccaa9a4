//! Which proxy a call to a provider takes, as `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say; small letters
//! count too, and first.
//!
//! Source: the common ground of curl, Go and httpx (LiteLLM's client): a name of `NO_PROXY` stands for itself and all below
//! it, `*` for everything, an address or a range of them for addresses written in a URL.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::types::Secret;

/// One proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// The proxy itself is spoken to over TLS (`https://proxy…`).
    pub is_tls: bool,
    /// A name or an address, without brackets.
    pub host: String,
    pub port: u16,
    /// The value of `Proxy-Authorization`, when its URL has user and password.
    pub authorization: Option<Secret>,
}

/// What the environment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    https: Option<Proxy>,
    http: Option<Proxy>,
    except: Vec<Except>,
}

/// Whom a call goes to directly, on one port or on all.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Except {
    whom: Whom,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Whom {
    Everybody,
    /// In small letters, without a dot at its start.
    Below(String),
    /// An address and how many of its first bits count.
    Range(IpAddr, u8),
}

/// A variable that holds no proxy. The value is not told: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the environment variable {variable} names no proxy that can be used: expected `http://host:port` or \
     `https://host:port`, with `user:password@` if it wants that{hint}"
)]
pub struct ProxyError {
    pub variable: &'static str,
    hint: &'static str,
}

impl Proxies {
    /// Reads the variables. `look_up` answers what one holds.
    pub fn of(look_up: &dyn Fn(&str) -> Option<String>) -> Result<Self, ProxyError> {
        let find = |names: [&'static str; 2]| {
            names.into_iter().find_map(|name| {
                let value = look_up(name)?.trim().to_owned();
                (!value.is_empty()).then_some((name, value))
            })
        };
        let read = |names| {
            find(names)
                .map(|(variable, value)| Proxy::read(variable, &value))
                .transpose()
        };
        let all = read(["all_proxy", "ALL_PROXY"])?;
        let except = find(["no_proxy", "NO_PROXY"]).map_or_else(Vec::new, |(_, list)| {
            list.split([',', ' ', '\t', '\n'])
                .filter_map(Except::read)
                .collect()
        });
        Ok(Self {
            https: read(["https_proxy", "HTTPS_PROXY"])?.or_else(|| all.clone()),
            http: read(["http_proxy", "HTTP_PROXY"])?.or(all),
            except,
        })
    }

    /// The proxy for calls to this host, given without brackets; `None`: they go there directly.
    pub fn way_to(&self, is_tls: bool, host: &str, port: u16) -> Option<&Proxy> {
        let proxy = if is_tls { &self.https } else { &self.http }.as_ref()?;
        let direct = self.except.iter().any(|except| except.is_met(host, port));
        (!direct).then_some(proxy)
    }
}

impl Proxy {
    fn read(variable: &'static str, url: &str) -> Result<Self, ProxyError> {
        let wrong = |hint| ProxyError { variable, hint };
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            "socks4" | "socks4a" | "socks5" | "socks5h" => {
                return Err(wrong("; SOCKS is not spoken"));
            }
            _ => return Err(wrong("")),
        };
        let rest = rest.trim_end_matches('/');
        let (user, authority) = match rest.rsplit_once('@') {
            Some((user, authority)) => (Some(user), authority),
            None => (None, rest),
        };
        let usual = if is_tls { 443 } else { 80 };
        let (host, port) = host_and_port(authority).ok_or(wrong(""))?;
        let authorization = user.map(|user| {
            let plain = percent_decoded(user);
            // The name ends at the first colon, also where there is no password.
            let plain = if user.contains(':') {
                plain
            } else {
                [&plain[..], b":"].concat()
            };
            Secret::new(format!("Basic {}", STANDARD.encode(plain)))
        });
        Ok(Self {
            is_tls,
            host: host.to_owned(),
            port: port.unwrap_or(usual),
            authorization,
        })
    }
}

impl Except {
    fn read(item: &str) -> Option<Self> {
        let item = item.trim();
        if item.is_empty() {
            return None;
        }
        if item == "*" {
            return Some(Self {
                whom: Whom::Everybody,
                port: None,
            });
        }
        if let Some((address, bits)) = item.split_once('/') {
            let address: IpAddr = bare(address).parse().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            let bits = bits.parse().ok().filter(|bits| *bits <= most)?;
            return Some(Self {
                whom: Whom::Range(address, bits),
                port: None,
            });
        }
        let all_bits = |address: IpAddr| {
            let bits = if address.is_ipv4() { 32 } else { 128 };
            Whom::Range(address, bits)
        };
        // An IPv6 address has colons of its own.
        if let Ok(address) = item.parse() {
            return Some(Self {
                whom: all_bits(address),
                port: None,
            });
        }
        let (host, port) = host_and_port(item)?;
        let whom = match host.parse() {
            Ok(address) => all_bits(address),
            Err(_) => {
                let name = host.trim_start_matches('*').trim_start_matches('.');
                Whom::Below(name.trim_end_matches('.').to_ascii_lowercase())
            }
        };
        Some(Self { whom, port })
    }

    fn is_met(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|own| own != port) {
            return false;
        }
        match &self.whom {
            Whom::Everybody => true,
            Whom::Below(name) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                host.strip_suffix(name.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            Whom::Range(address, bits) => host
                .parse()
                .is_ok_and(|host| shares_bits(*address, host, *bits)),
        }
    }
}

/// Whether the first `bits` of two addresses are equal. An IPv4 address inside IPv6 counts as itself.
fn shares_bits(one: IpAddr, other: IpAddr, bits: u8) -> bool {
    match (one, other.to_canonical()) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            let away = 32 - u32::from(bits);
            one.to_bits().checked_shr(away) == other.to_bits().checked_shr(away)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            let away = 128 - u32::from(bits);
            one.to_bits().checked_shr(away) == other.to_bits().checked_shr(away)
        }
        _ => false,
    }
}

/// `host`, `host:port`, `[::1]:port`.
fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port.parse().ok()?)),
        _ => (authority, None),
    };
    let host = bare(host);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:*".contains(&byte);
    (!host.is_empty() && host.bytes().all(is_plain)).then_some((host, port))
}

fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = &after[2..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Proxies, ProxyError> {
        Proxies::of(&|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn which_proxy() {
        let proxies = of(&[
            ("HTTPS_PROXY", "http://one:3128"),
            ("https_proxy", ""),
            ("http_proxy", "two"),
            ("HTTP_PROXY", "http://three"),
        ])
        .unwrap();
        let way = |tls| proxies.way_to(tls, "api.test", 443).unwrap();
        assert_eq!((way(true).host.as_str(), way(true).port), ("one", 3128));
        assert_eq!((way(false).host.as_str(), way(false).port), ("two", 80));
        let all = of(&[("ALL_PROXY", "https://[::1]/")]).unwrap();
        for tls in [true, false] {
            let way = all.way_to(tls, "api.test", 443).unwrap();
            assert_eq!(
                (way.is_tls, way.host.as_str(), way.port),
                (true, "::1", 443)
            );
        }
        assert_eq!(of(&[]).unwrap().way_to(true, "api.test", 443), None);
    }

    #[test]
    fn names_and_passwords() {
        for (url, expected) in [
            ("http://u:p@h", Some("Basic dTpw")),
            ("http://u%40x:p%3a%zz@h", Some("Basic dUB4OnA6JXp6")),
            ("http://u@h", Some("Basic dTo=")),
            ("http://h", None),
        ] {
            let proxies = of(&[("ALL_PROXY", url)]).unwrap();
            let proxy = proxies.way_to(true, "x", 1).unwrap();
            let own = proxy.authorization.as_ref().map(|own| own.expose());
            assert_eq!(own, expected, "{url}");
            assert!(!format!("{proxies:?}").contains("Basic"), "{url}");
        }
    }

    #[test]
    fn what_is_no_proxy() {
        for url in [
            "ftp://h",
            "http://",
            "http://h:99999",
            "http://a b",
            "http://h/path",
            "socks5://h:1080",
        ] {
            let error = of(&[("HTTPS_PROXY", url)]).unwrap_err();
            assert_eq!(error.variable, "HTTPS_PROXY", "{url}");
        }
        let error = of(&[("ALL_PROXY", "socks5://user:hidden@h")]).unwrap_err();
        assert!(error.to_string().contains("SOCKS") && !error.to_string().contains("hidden"));
    }

    #[test]
    fn exceptions() {
        let list = "localhost, .internal.test,*.wild.test example.test:8443,10.0.0.0/8,192.168.1.7,::1,fd00::/8,[fe80::1]:80,,a/b";
        let proxies = of(&[("ALL_PROXY", "http://p"), ("NO_PROXY", list)]).unwrap();
        for (host, port, direct) in [
            ("localhost", 443, true),
            ("LOCALHOST.", 1, true),
            ("notlocalhost", 443, false),
            ("a.internal.test", 443, true),
            ("internal.test", 443, true),
            ("xinternal.test", 443, false),
            ("a.b.wild.test", 443, true),
            ("example.test", 8443, true),
            ("api.example.test", 8443, true),
            ("example.test", 443, false),
            ("10.255.0.1", 443, true),
            ("11.0.0.1", 443, false),
            ("::ffff:10.1.1.1", 443, true),
            ("192.168.1.7", 443, true),
            ("192.168.1.8", 443, false),
            ("::1", 443, true),
            ("fdab::1", 443, true),
            ("fe80::1", 80, true),
            ("fe80::1", 443, false),
        ] {
            let way = proxies.way_to(true, host, port);
            assert_eq!(way.is_none(), direct, "{host}:{port}");
        }
        let none = of(&[("ALL_PROXY", "http://p"), ("no_proxy", "*")]).unwrap();
        assert_eq!(none.way_to(false, "anything", 80), None);
        let zero = of(&[("ALL_PROXY", "http://p"), ("no_proxy", "0.0.0.0/0")]).unwrap();
        assert_eq!(zero.way_to(false, "8.8.8.8", 80), None);
    }
}
