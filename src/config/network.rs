//! How providers are reached: proxies, TLS, HTTP versions, names. From `litellm_settings`, `litellm_params` and the variables
//! that LiteLLM and its HTTP clients know.

use std::path::PathBuf;
use std::time::Duration;

use crate::policy::proxies::Proxies;

use super::diagnostic::{Severity, Sink};
use super::read::Section;
use super::yaml::{Node, Pos, Value};

/// LiteLLM keeps addresses of names for 300 s; ours are fresher, and kept longer only while a name server does not answer.
const DNS_TTL: Duration = Duration::from_secs(60);
/// Nothing is kept longer.
const LONGEST_DNS_TTL: u64 = 86_400;

/// The same for all deployments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkSettings {
    pub proxies: Proxies,
    /// Of deployments that say nothing of their own.
    pub tls: TlsChoice,
    /// HTTP/2 is spoken with those who offer it.
    pub http2: bool,
    /// No address of IPv6 is connected to.
    pub force_ipv4: bool,
    /// How long the addresses of a name are used, from 0.
    pub dns_ttl: Duration,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            proxies: Proxies::default(),
            tls: TlsChoice::default(),
            http2: true,
            force_ipv4: false,
            dns_ttl: DNS_TTL,
        }
    }
}

/// How TLS to a provider is set up. Connections of different choices are never shared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlsChoice {
    pub trust: Trust,
    /// A PEM file with a certificate of ours, those that lead to its root, and its key.
    pub client_certificate: Option<PathBuf>,
    /// The one group of elliptic curves that keys are agreed on with; any of today's unless it is set.
    pub curve: Option<Curve>,
}

/// A group of elliptic curves, by OpenSSL's names in `ssl_ecdh_curve`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    X25519,
    P256,
    P384,
}

/// Whose certificates are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Those of the public certificate authorities, as Mozilla lists them; compiled in.
    #[default]
    Public,
    /// Those that a PEM file names, and no others.
    File(PathBuf),
    /// Anybody's: nothing is checked.
    Anybody,
}

/// Reads what is the same for all deployments.
pub(super) fn read(
    node: Option<&Node>,
    env: &dyn Fn(&str) -> Option<String>,
    sink: &Sink,
) -> NetworkSettings {
    let usual = NetworkSettings::default();
    let nothing = Node::new(Pos::START, Value::Null);
    let path = "litellm_settings";
    // What is no map was told by those who read the rest of it.
    let node = node.filter(|node| matches!(node.value, Value::Map(_)));
    let Some(section) = Section::open(node.unwrap_or(&nothing), path, sink, Severity::Error) else {
        return usual;
    };
    let start = section.node.pos;
    let proxies = Proxies::of(env).unwrap_or_else(|error| {
        sink.error(start, error.variable.to_owned(), error.to_string());
        Proxies::default()
    });
    let env = |name: &str| env(name).filter(|value| !value.trim().is_empty());
    let trust = env("SSL_VERIFY")
        .map(|value| Trust::of(&value))
        .or_else(|| trust(&section))
        .unwrap_or_default();
    // A bundle that the environment names stands for the public authorities (LiteLLM: where it exists).
    let trust = match trust {
        Trust::Public => ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"]
            .iter()
            .find_map(|name| env(name))
            .map_or(Trust::Public, |file| Trust::File(file.into())),
        chosen => chosen,
    };
    let tls = TlsChoice {
        trust,
        client_certificate: env("SSL_CERTIFICATE")
            .or_else(|| section.text("ssl_certificate"))
            .map(PathBuf::from),
        curve: curve(&section),
    };
    if tls.trust == Trust::Anybody {
        let message = "certificates of providers are not checked: whoever sits in between can read keys and prompts; \
                       give `ssl_verify` the path of a certificate authority instead";
        let pos = section.value("ssl_verify").map_or(start, |node| node.pos);
        sink.warning(pos, section.path_of("ssl_verify"), message);
    }
    NetworkSettings {
        proxies,
        tls,
        http2: section.flag("http2").unwrap_or(usual.http2),
        force_ipv4: section.flag("force_ipv4").unwrap_or(usual.force_ipv4),
        dns_ttl: dns_ttl(&env, start, sink).unwrap_or(usual.dns_ttl),
    }
}

/// What a deployment says of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnTls {
    /// `ssl_verify`; [`Trust::Public`] stands for `true`.
    trust: Option<Trust>,
    /// `ssl_certificate`.
    client_certificate: Option<PathBuf>,
}

impl OwnTls {
    /// Reads it from `litellm_params`.
    pub(super) fn read(section: &Section<'_>) -> Self {
        let trust = trust(section);
        if trust == Some(Trust::Anybody) {
            let message = "certificates of this deployment are not checked: whoever sits in between can read its key and \
                           prompts; give the path of a certificate authority instead";
            let pos = section
                .value("ssl_verify")
                .map_or(section.node.pos, |node| node.pos);
            let path = section.path_of("ssl_verify");
            section.sink.warning(pos, path, message);
        }
        Self {
            trust,
            client_certificate: section.text("ssl_certificate").map(PathBuf::from),
        }
    }

    /// Laid over the common choice; `None`: nothing is different.
    pub fn over(&self, common: &TlsChoice) -> Option<TlsChoice> {
        let trust = match &self.trust {
            // `true` leaves whom to believe to the common choice, unless that is everybody.
            Some(Trust::Public) if common.trust != Trust::Anybody => &common.trust,
            Some(own) => own,
            None => &common.trust,
        };
        let certificate = self.client_certificate.as_ref();
        let choice = TlsChoice {
            trust: trust.clone(),
            client_certificate: certificate.or(common.client_certificate.as_ref()).cloned(),
            curve: common.curve,
        };
        (choice != *common).then_some(choice)
    }
}

impl Trust {
    fn of(text: &str) -> Self {
        match text.trim() {
            yes if yes.eq_ignore_ascii_case("true") || yes == "1" => Self::Public,
            no if no.eq_ignore_ascii_case("false") || no == "0" => Self::Anybody,
            file => Self::File(file.into()),
        }
    }
}

/// `ssl_verify`: true, false, or the path of a PEM file.
fn trust(section: &Section<'_>) -> Option<Trust> {
    let node = section.value("ssl_verify")?;
    match &node.value {
        Value::Bool(true) => Some(Trust::Public),
        Value::Bool(false) => Some(Trust::Anybody),
        Value::Text(text) if !text.trim().is_empty() => Some(Trust::of(text)),
        _ => {
            let what = "true, false, or the path of a PEM file of certificate authorities";
            section.expected("ssl_verify", node, what);
            None
        }
    }
}

fn curve(section: &Section<'_>) -> Option<Curve> {
    const KEY: &str = "ssl_ecdh_curve";
    let name = section.text(KEY).filter(|name| !name.trim().is_empty())?;
    match name.trim().to_ascii_lowercase().as_str() {
        "x25519" => Some(Curve::X25519),
        "prime256v1" | "secp256r1" | "p-256" => Some(Curve::P256),
        "secp384r1" | "p-384" => Some(Curve::P384),
        _ => {
            let node = section.value(KEY)?;
            section.expected(KEY, node, "`X25519`, `prime256v1` or `secp384r1`");
            None
        }
    }
}

fn dns_ttl(env: &dyn Fn(&str) -> Option<String>, start: Pos, sink: &Sink) -> Option<Duration> {
    const NAME: &str = "AIOHTTP_TTL_DNS_CACHE";
    let text = env(NAME)?;
    match text.trim().parse() {
        Ok(seconds) if seconds <= LONGEST_DNS_TTL => Some(Duration::from_secs(seconds)),
        _ => {
            let message = format!(
                "the environment variable {NAME} must be a whole number of seconds from 0 to {LONGEST_DNS_TTL}"
            );
            sink.error(start, NAME.to_owned(), message);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, ModelEntry};

    fn load(text: &str, variables: &[(&str, &str)]) -> (Config, Vec<String>) {
        let loaded = Config::from_text("f", text, &|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
        .unwrap();
        let told = loaded.diagnostics.iter().map(ToString::to_string);
        (loaded.config, told.collect())
    }

    #[test]
    fn whom_to_believe() {
        let file = |name: &str| Trust::File(name.into());
        for (text, variables, expected) in [
            ("{}", &[][..], Trust::Public),
            ("litellm_settings: {ssl_verify: true}", &[], Trust::Public),
            (
                "litellm_settings: {ssl_verify: 'False'}",
                &[],
                Trust::Anybody,
            ),
            (
                "litellm_settings: {ssl_verify: /ca.pem}",
                &[],
                file("/ca.pem"),
            ),
            (
                "litellm_settings: {ssl_verify: /ca.pem}",
                &[("SSL_CERT_FILE", "/b")],
                file("/ca.pem"),
            ),
            (
                "{}",
                &[("SSL_CERT_FILE", "/b"), ("REQUESTS_CA_BUNDLE", "/c")],
                file("/b"),
            ),
            ("{}", &[("REQUESTS_CA_BUNDLE", "/c")], file("/c")),
            (
                "litellm_settings: {ssl_verify: false}",
                &[("SSL_CERT_FILE", "/b")],
                Trust::Anybody,
            ),
            (
                "litellm_settings: {ssl_verify: false}",
                &[("SSL_VERIFY", "True")],
                Trust::Public,
            ),
            ("{}", &[("SSL_VERIFY", "/v")], file("/v")),
        ] {
            let (config, told) = load(text, variables);
            assert_eq!(config.network.tls.trust, expected, "{text} {variables:?}");
            assert_eq!(
                told.len(),
                usize::from(expected == Trust::Anybody),
                "{told:?}"
            );
        }
        let (_, told) = load("litellm_settings: {ssl_verify: [1]}", &[]);
        assert_eq!(
            told,
            [
                "f:1:32: error: litellm_settings.ssl_verify: expected true, false, or the path of a PEM file of certificate authorities, found a list"
            ]
        );
    }

    #[test]
    fn deployments_of_their_own_kind() {
        let entry = |fields: &str| {
            format!(
                "{{model_name: m, litellm_params: {{model: openai/m, api_key: k, api_base: 'https://h'{fields}}}}}"
            )
        };
        let text = format!(
            "litellm_settings: {{ssl_verify: /ca, ssl_certificate: /own}}\nmodel_list: [{}, {}, {}, {}]",
            entry(""),
            entry(", ssl_verify: false"),
            entry(", ssl_verify: true, ssl_certificate: /other"),
            entry(", ssl_verify: /b")
        );
        let (config, told) = load(&text, &[]);
        let choice = |trust, own: &str| {
            Some(TlsChoice {
                trust,
                client_certificate: Some(own.into()),
                curve: None,
            })
        };
        let own = |entry: &ModelEntry| entry.litellm_params.tls.over(&config.network.tls);
        let tls: Vec<_> = config.model_list.iter().map(own).collect();
        assert_eq!(
            tls,
            [
                None,
                choice(Trust::Anybody, "/own"),
                choice(Trust::File("/ca".into()), "/other"),
                choice(Trust::File("/b".into()), "/own")
            ]
        );
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("not checked"), "{told:?}");
    }

    #[test]
    fn the_rest() {
        let (config, told) = load(
            "litellm_settings: {http2: false, force_ipv4: true, ssl_ecdh_curve: X25519}",
            &[
                ("AIOHTTP_TTL_DNS_CACHE", "5"),
                ("HTTPS_PROXY", "http://p:1"),
            ],
        );
        let network = config.network;
        assert!(!network.http2 && network.force_ipv4 && told.is_empty());
        assert_eq!(network.tls.curve, Some(Curve::X25519));
        assert_eq!(network.dns_ttl, Duration::from_secs(5));
        assert_eq!(network.proxies.way_to(true, "x", 443).unwrap().port, 1);
        let (_, told) = load(
            "{}",
            &[("AIOHTTP_TTL_DNS_CACHE", "x"), ("ALL_PROXY", "gopher://p")],
        );
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().all(|line| line.contains("error")), "{told:?}");
    }
}
