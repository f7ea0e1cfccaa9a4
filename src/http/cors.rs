//! Cross-origin requests: which pages may call the gateway from a browser.
//!
//! As LiteLLM 1.106.2: every origin, without credentials, unless `LITELLM_CORS_ORIGINS` (a comma list) and
//! `LITELLM_CORS_ALLOW_CREDENTIALS` say otherwise. A request without an `origin` costs one look at its headers.

use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN,
    VARY,
};
use actix_web::{HttpRequest, HttpResponse};

/// What scripts of a page may read beside the few headers that browsers always show (LiteLLM's list).
const EXPOSED: &str = "x-litellm-semantic-filter, x-litellm-semantic-filter-tools, x-litellm-adaptive-router-model, \
                       x-litellm-applied-guardrails, x-litellm-guardrail-scan-id, x-litellm-guardrail-scan-metadata, \
                       x-litellm-cache-key";
const METHODS: &str = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";
/// How long a browser remembers a preflight's answer, in seconds.
const MAX_AGE: &str = "600";

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Cors {
    /// None: every origin.
    origins: Option<Vec<String>>,
    credentials: bool,
}

impl Cors {
    /// From the two variables. Credentials with every origin need to be asked for.
    pub fn of(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let listed: Vec<String> = env("LITELLM_CORS_ORIGINS")
            .unwrap_or_default()
            .split(',')
            .map(|origin| origin.trim().trim_end_matches('/').to_owned())
            .filter(|origin| !origin.is_empty())
            .collect();
        let every = listed.is_empty() || listed.iter().any(|origin| origin == "*");
        let credentials = env("LITELLM_CORS_ALLOW_CREDENTIALS").map(|text| text.to_lowercase());
        Self {
            credentials: match credentials.as_deref() {
                Some(text) => ["true", "1"].contains(&text),
                None => !every,
            },
            origins: (!every).then_some(listed),
        }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        let Some(origins) = &self.origins else {
            return true;
        };
        origins
            .iter()
            .any(|known| known.as_bytes() == origin.as_bytes())
    }

    /// Tells a browser whether the page may see this answer.
    pub fn tell(&self, request: &HttpRequest, headers: &mut HeaderMap) {
        let Some(origin) = request.headers().get(ORIGIN) else {
            return;
        };
        if !self.allow(origin, headers) {
            return;
        }
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(EXPOSED),
        );
    }

    /// Sets the origin that may see an answer; false when this one may not.
    fn allow(&self, origin: &HeaderValue, headers: &mut HeaderMap) -> bool {
        let one = self.origins.is_some() || self.credentials;
        if one {
            headers.insert(VARY, HeaderValue::from_static("Origin"));
        }
        if !self.allows(origin) {
            return false;
        }
        let value = if one {
            origin.clone()
        } else {
            HeaderValue::from_static("*")
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, value);
        if self.credentials {
            headers.insert(
                ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
        }
        true
    }

    /// The answer to a browser that asks before it calls; none when this request is no such question.
    pub fn preflight(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let asked = request.headers();
        let origin = asked.get(ORIGIN)?;
        if request.method() != Method::OPTIONS || !asked.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        {
            return None;
        }
        let mut headers = HeaderMap::new();
        let mut response = if self.allow(origin, &mut headers) {
            headers.insert(
                ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static(METHODS),
            );
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
            if let Some(names) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
            }
            HttpResponse::Ok().body("OK")
        } else {
            HttpResponse::BadRequest().body("Disallowed CORS origin")
        };
        for (name, value) in headers {
            response.headers_mut().append(name, value);
        }
        Some(response)
    }
}
