//! Scheme, host and port: what a key belongs to.

/// Where an address leads, its path left aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    is_tls: bool,
    /// In small letters.
    pub host: String,
    port: u16,
}

impl Origin {
    /// `None` for what cannot be called: no http(s), no host, a user or password, a port that is none, spaces in the path.
    pub fn of(address: &str) -> Option<Self> {
        let address = address.trim();
        let (scheme, rest) = address.split_once("://")?;
        let is_tls = match scheme {
            _ if scheme.eq_ignore_ascii_case("https") => true,
            _ if scheme.eq_ignore_ascii_case("http") => false,
            _ => return None,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = (rest.get(..end)?, rest.get(end..)?);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().ok().filter(|port| *port > 0)?)
            }
            _ => (authority, if is_tls { 443 } else { 80 }),
        };
        let good_host = !host.is_empty()
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b));
        let good_path = path.bytes().all(|b| b.is_ascii_graphic()) && !path.contains('#');
        (good_host && good_path).then(|| Self {
            is_tls,
            host: host.to_ascii_lowercase(),
            port,
        })
    }

    /// `https` on its usual port.
    pub fn is_usual_tls(&self) -> bool {
        self.is_tls && self.port == 443
    }

    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    pub fn is_loopback(&self) -> bool {
        matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "[::1]")
    }
}

/// Whether `host` (small letters) is `pattern`; `*.rest` stands for every name that ends in `.rest`.
pub fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(rest) => host.len() > rest.len() && host.ends_with(rest),
        None => host == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        let same = [
            "https://api.openai.com/v1",
            "https://API.openai.com:443/v1/",
            "HTTPS://api.openai.com?x=y",
            " https://api.openai.com ",
        ];
        for address in same {
            assert_eq!(Origin::of(address), Origin::of(same[0]), "{address}");
            assert!(Origin::of(address).is_some_and(|origin| origin.is_usual_tls()));
        }
        for other in [
            "http://api.openai.com/v1",
            "https://api.openai.com:8443/v1",
            "https://api.openai.com.evil.org/v1",
        ] {
            assert_ne!(Origin::of(other), Origin::of(same[0]), "{other}");
        }
        for wrong in [
            "",
            "h/v1",
            "ftp://h",
            "https://",
            "https://u:p@h/v1",
            "http://h:0",
            "http://h:x",
            "http://h:70000",
            "http://a b/",
            "http://h/a#b",
        ] {
            assert_eq!(Origin::of(wrong), None, "{wrong}");
        }
        assert!(Origin::of("http://[::1]:8080/v1").is_some_and(|origin| origin.is_loopback()));
    }

    #[test]
    fn patterns() {
        assert!(matches("*.api.baseten.co", "model-x.api.baseten.co"));
        assert!(!matches("*.api.baseten.co", ".api.baseten.co"));
        assert!(!matches("*.api.baseten.co", "api.baseten.co"));
        assert!(!matches("*.api.baseten.co", "x.api.baseten.co.evil.org"));
        assert!(matches("h", "h") && !matches("h", "xh"));
    }
}
