//! What is answered when no route is meant: LiteLLM's 404 and 405, and the way to a path without its last slash.

use std::sync::{Arc, OnceLock};

use actix_web::dev::ResourceDef;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};

use super::body;
use super::cors::Cors;
use super::docs::Site;
use super::error::{ApiError, Surface};
use super::route::routes;

/// 404; or 307, when there is a route of this path without the slash at its end.
pub async fn not_found(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    body::discard(payload).await;
    if let Some(preflight) = preflight(&request) {
        return preflight;
    }
    let root = request
        .app_data::<Arc<Site>>()
        .map_or("", |site| site.root());
    match without_slash(request.path(), root) {
        Some(path) => {
            let query = request.query_string();
            let mark = if query.is_empty() { "" } else { "?" };
            HttpResponse::TemporaryRedirect()
                .insert_header((LOCATION, format!("{path}{mark}{query}")))
                .finish()
        }
        None => {
            let below = request.path().strip_prefix(root);
            let is_anthropics = below.unwrap_or(request.path()).starts_with("/anthropic/");
            let surface = if is_anthropics {
                Surface::Anthropic
            } else {
                Surface::Shared
            };
            told(&request, ApiError::not_found(), surface)
        }
    }
}

/// 405: the path, which is of `surface`, is there, the method is not.
pub async fn wrong_method(
    request: HttpRequest,
    payload: web::Payload,
    surface: Surface,
) -> HttpResponse {
    body::discard(payload).await;
    if let Some(preflight) = preflight(&request) {
        return preflight;
    }
    told(&request, ApiError::wrong_method(), surface)
}

/// The answer to a browser that asks whether it may call a route: no route has the method OPTIONS.
fn preflight(request: &HttpRequest) -> Option<HttpResponse> {
    request.app_data::<Cors>()?.preflight(request)
}

/// A page must be allowed to see that there is nothing.
fn told(request: &HttpRequest, error: ApiError, surface: Surface) -> HttpResponse {
    let mut answer = error.respond(surface.form(request.headers()));
    if let Some(cors) = request.app_data::<Cors>() {
        cors.tell(request, answer.headers_mut());
    }
    answer
}

/// The path without the slash at its end, if a route has it, below `root` or not. Two slashes in front would lead to another
/// host.
fn without_slash<'a>(path: &'a str, root: &str) -> Option<&'a str> {
    static PATHS: OnceLock<Vec<ResourceDef>> = OnceLock::new();
    let path = path.strip_suffix('/')?;
    if path.starts_with("//") {
        return None;
    }
    let paths = PATHS.get_or_init(|| routes().map(|route| ResourceDef::new(route.path)).collect());
    let is_route = |path: &str| paths.iter().any(|pattern| pattern.is_match(path));
    let below = path.strip_prefix(root).unwrap_or(path);
    (is_route(path) || is_route(below)).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_too_much_leads_to_the_route() {
        assert_eq!(without_slash("/key/info/", ""), Some("/key/info"));
        assert_eq!(without_slash("/v1/models/", "/llm"), Some("/v1/models"));
        assert_eq!(
            without_slash("/llm/v1/models/", "/llm"),
            Some("/llm/v1/models")
        );
        for path in [
            "/",
            "/key/info",
            "/key/info//",
            "//key/info/",
            "/no/such/",
            "",
        ] {
            assert_eq!(without_slash(path, ""), None, "{path}");
        }
        assert_eq!(without_slash("/other/key/info/", "/llm"), None);
    }
}
