//! Microsoft Entra ID: what proves a call at Azure without a key. Requests and answers of its token endpoint, and when a token
//! is due; who asks and keeps tokens is elsewhere.

use std::time::Duration;

use serde::Deserialize;

use crate::types::Secret;

use super::azure::escaped;
use super::origin::Origin;

/// What tokens are asked for when nothing else is said (LiteLLM 1.106.2).
const SCOPE: &str = "https://cognitiveservices.azure.com/.default";
/// Where, likewise.
const AUTHORITY: &str = "https://login.microsoftonline.com";
/// A token is renewed this long before its end, or after half its life where that is later.
const MARGIN: Duration = Duration::from_secs(5 * 60);
/// No token lives longer; what says so is not believed.
const LONGEST_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How a deployment without a key proves who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entra {
    /// A token that somebody else keeps fresh.
    Token(Secret),
    /// Tokens are got when they are needed.
    Application(Application),
}

impl Entra {
    /// What must not be told of it.
    pub fn secret(&self) -> &Secret {
        match self {
            Self::Token(token) => token,
            Self::Application(application) => &application.client_secret,
        }
    }
}

/// The `Authorization` of a token.
pub fn bearer(token: &Secret) -> Secret {
    Secret::new(format!("Bearer {}", token.expose()))
}

/// An application's client credentials. Equal ones share their tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Where its tokens are got.
    pub token_url: String,
    client_id: String,
    client_secret: Secret,
    scope: String,
}

/// Why credentials cannot be used. The texts end a sentence that names the entry.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplicationError {
    #[error("expected a tenant's id or domain, such as `contoso.onmicrosoft.com`")]
    Tenant,
    #[error(
        "expected an address like `https://login.microsoftonline.com` in the environment variable AZURE_AUTHORITY_HOST \
         (http only for this machine)"
    )]
    Authority,
}

impl Application {
    /// `authority` and `scope` have Azure's defaults.
    pub fn new(
        authority: Option<&str>,
        tenant: &str,
        client_id: String,
        client_secret: Secret,
        scope: Option<String>,
    ) -> Result<Self, ApplicationError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if tenant.is_empty() || !tenant.bytes().all(is_plain) || tenant.starts_with('.') {
            return Err(ApplicationError::Tenant);
        }
        let authority = authority.unwrap_or(AUTHORITY).trim().trim_end_matches('/');
        // Azure's own tools take the host alone as well.
        let authority = match authority.contains("://") {
            true => authority.to_owned(),
            false => format!("https://{authority}"),
        };
        let is_safe = |origin: Origin| origin.is_tls() || origin.is_loopback();
        if !Origin::of(&authority).is_some_and(is_safe) || authority.contains('?') {
            return Err(ApplicationError::Authority);
        }
        Ok(Self {
            token_url: format!("{authority}/{tenant}/oauth2/v2.0/token"),
            client_id,
            client_secret,
            scope: scope.unwrap_or_else(|| SCOPE.to_owned()),
        })
    }

    /// The body that asks for a token: `application/x-www-form-urlencoded`.
    pub fn form(&self) -> String {
        format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope={}",
            escaped(&self.client_id),
            escaped(self.client_secret.expose()),
            escaped(&self.scope)
        )
    }
}

/// What the token endpoint gave.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    pub token: Secret,
    /// From when it was asked for.
    pub lifetime: Duration,
}

/// The token endpoint gave nothing. Of its words only codes are told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    #[error("it refused the client credentials with status {status}{codes}")]
    Refused { status: u16, codes: String },
    #[error("its answer holds no token that can be used")]
    Malformed,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Seconds,
    token_type: Option<String>,
}

/// A number; older endpoints say it as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_codes: Vec<u64>,
}

impl Grant {
    /// Reads an answer of the token endpoint.
    pub fn read(status: u16, body: &[u8]) -> Result<Self, GrantError> {
        if status != 200 {
            return Err(GrantError::Refused {
                status,
                codes: codes(body),
            });
        }
        let granted: Granted = serde_json::from_slice(body).map_err(|_| GrantError::Malformed)?;
        let seconds = match granted.expires_in {
            Seconds::Number(seconds) => Some(seconds),
            Seconds::Text(text) => text.parse().ok(),
        };
        let token = granted.access_token;
        let is_usable = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        let is_bearer = granted
            .token_type
            .is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
        match seconds {
            Some(seconds) if seconds > 0 && is_usable && is_bearer => Ok(Self {
                token: token.into(),
                lifetime: Duration::from_secs(seconds).min(LONGEST_LIFE),
            }),
            _ => Err(GrantError::Malformed),
        }
    }

    /// How long after it was asked for it is time to ask for the next one.
    pub fn renewed_after(&self) -> Duration {
        self.lifetime - MARGIN.min(self.lifetime / 2)
    }
}

/// `, invalid_client, AADSTS7000215`.
fn codes(body: &[u8]) -> String {
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
    let is_code = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let error = Some(refusal.error)
        .filter(|error| !error.is_empty() && error.len() <= 40 && error.bytes().all(is_code));
    let number = refusal.error_codes.first();
    error
        .into_iter()
        .chain(number.map(|number| format!("AADSTS{number}")))
        .map(|code| format!(", {code}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(authority: Option<&str>, tenant: &str) -> Result<Application, ApplicationError> {
        Application::new(authority, tenant, "id".into(), "s+e&c=r t".into(), None)
    }

    #[test]
    fn requests() {
        let usual = application(None, "my-tenant").unwrap();
        assert_eq!(
            usual.token_url,
            "https://login.microsoftonline.com/my-tenant/oauth2/v2.0/token"
        );
        assert_eq!(
            usual.form(),
            "grant_type=client_credentials&client_id=id&client_secret=s%2Be%26c%3Dr%20t\
             &scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default"
        );
        assert!(!format!("{usual:?}").contains("s+e"));
        for (authority, expected) in [
            (
                "https://login.microsoftonline.us/",
                Some("https://login.microsoftonline.us/t/oauth2/v2.0/token"),
            ),
            (
                "login.chinacloudapi.cn",
                Some("https://login.chinacloudapi.cn/t/oauth2/v2.0/token"),
            ),
            (
                "http://127.0.0.1:8080",
                Some("http://127.0.0.1:8080/t/oauth2/v2.0/token"),
            ),
            ("http://login.microsoftonline.com", None),
            ("https://u:p@h", None),
            ("https://h/?x", None),
            ("", None),
        ] {
            let url = application(Some(authority), "t").map(|application| application.token_url);
            let expected = expected
                .map(str::to_owned)
                .ok_or(ApplicationError::Authority);
            assert_eq!(url, expected, "{authority}");
        }
        for tenant in ["", "..", "a/b", "a?b", "a b", "ü"] {
            assert_eq!(
                application(None, tenant),
                Err(ApplicationError::Tenant),
                "{tenant}"
            );
        }
    }

    #[test]
    fn answers() {
        let grant = |seconds| {
            Ok(Grant {
                token: "eyJ.a.b".into(),
                lifetime: Duration::from_secs(seconds),
            })
        };
        let refused = |status, codes: &str| {
            Err(GrantError::Refused {
                status,
                codes: codes.into(),
            })
        };
        let whole = r#"{"token_type":"Bearer","expires_in":3599,"ext_expires_in":1,"access_token":"eyJ.a.b"}"#;
        for (status, body, expected) in [
            (200, whole, grant(3599)),
            (
                200,
                r#"{"expires_in":"60","access_token":"eyJ.a.b"}"#,
                grant(60),
            ),
            (
                200,
                r#"{"expires_in":18446744073709551615,"access_token":"eyJ.a.b"}"#,
                grant(604_800),
            ),
            (
                200,
                r#"{"expires_in":0,"access_token":"x"}"#,
                Err(GrantError::Malformed),
            ),
            (
                200,
                r#"{"expires_in":-1,"access_token":"x"}"#,
                Err(GrantError::Malformed),
            ),
            (
                200,
                r#"{"expires_in":60,"access_token":""}"#,
                Err(GrantError::Malformed),
            ),
            (
                200,
                "{\"expires_in\":60,\"access_token\":\"a\\r\\nb\"}",
                Err(GrantError::Malformed),
            ),
            (
                200,
                r#"{"expires_in":60,"access_token":"x","token_type":"pop"}"#,
                Err(GrantError::Malformed),
            ),
            (200, r#"{"access_token":"x"}"#, Err(GrantError::Malformed)),
            (200, "<html>", Err(GrantError::Malformed)),
            (
                401,
                r#"{"error":"invalid_client","error_description":"AADSTS7000215: s","error_codes":[7000215]}"#,
                refused(401, ", invalid_client, AADSTS7000215"),
            ),
            (400, r#"{"error":"The secret is x"}"#, refused(400, "")),
            (503, "", refused(503, "")),
            (302, whole, refused(302, "")),
        ] {
            assert_eq!(Grant::read(status, body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn renewal() {
        for (lifetime, after) in [(3600, 3300), (600, 300), (60, 30), (1, 0)] {
            let grant = Grant {
                token: "x".into(),
                lifetime: Duration::from_secs(lifetime),
            };
            assert_eq!(grant.renewed_after().as_secs(), after, "{lifetime}");
        }
    }
}
