//! The list of routes, and the guard in front of every handler.

use std::future::Future;
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use actix_web::http::Method;
use actix_web::http::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpRequest, HttpResponse, web};

use super::call_id::call_id;
use super::error::ApiError;
use super::{admin, body, health, metrics, openai};
use crate::auth::{AuthError, Caller, Permission, credential};
use crate::journey::Worker;

/// One operation.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub permission: Permission,
    /// One sentence for people.
    pub summary: &'static str,
    /// Puts the guard for `permission` in front of the handler.
    pub(super) mount: fn(Permission) -> actix_web::Route,
}

/// Every operation of the server.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    [
        openai::ROUTES,
        admin::ROUTES,
        health::ROUTES,
        metrics::ROUTES,
    ]
    .into_iter()
    .flatten()
}

/// A request that was let in.
pub struct Call {
    pub worker: Rc<Worker>,
    pub request: HttpRequest,
    pub payload: web::Payload,
    /// `None` on public routes only.
    pub caller: Option<Caller>,
    pub arrived: Instant,
}

impl Call {
    /// The caller of a route that is not public.
    pub fn caller(&self) -> Result<&Caller, ApiError> {
        self.caller
            .as_ref()
            .ok_or_else(|| AuthError::Credential(crate::auth::CredentialError::Missing).into())
    }
}

/// A route that lets callers with `permission` through to `handler`.
pub(super) fn guarded<F, Answer>(permission: Permission, handler: F) -> actix_web::Route
where
    F: Fn(Call) -> Answer + Copy + 'static,
    Answer: Future<Output = Result<HttpResponse, ApiError>> + 'static,
{
    web::route().to(
        move |request: HttpRequest, payload: web::Payload| async move {
            let arrived = Instant::now();
            let Some(worker) = request.app_data::<Rc<Worker>>().cloned() else {
                return ApiError::unavailable("this thread is not ready").response();
            };
            let caller = match permission {
                Permission::Public => None,
                _ => match authorise(&worker, &request, permission).await {
                    Ok(caller) => Some(caller),
                    Err(error) => {
                        // An unread body would cost the connection, and the client its answer.
                        body::discard(payload).await;
                        let id = call_id(request.headers());
                        let error = ApiError::from(error).header("x-litellm-call-id", &id);
                        return no_sniffing(error.response());
                    }
                },
            };
            let call = Call {
                worker,
                request,
                payload,
                caller,
                arrived,
            };
            no_sniffing(handler(call).await.unwrap_or_else(ApiError::response))
        },
    )
}

/// No browser shall guess that an answer is a page.
fn no_sniffing(mut response: HttpResponse) -> HttpResponse {
    response
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn authorise(
    worker: &Rc<Worker>,
    request: &HttpRequest,
    permission: Permission,
) -> Result<Caller, AuthError> {
    let key = credential(request.headers())?;
    let caller = worker.directory.caller(key, now_ms).await?;
    let route = || {
        request
            .match_pattern()
            .unwrap_or_else(|| request.path().to_owned())
    };
    let role = caller.role();
    permission.check(role).map_err(|refused| match refused {
        crate::auth::Refused::AdminOnly => AuthError::AdminOnly {
            route: route(),
            role: role.as_str(),
        },
        crate::auth::Refused::Viewer => AuthError::Viewer {
            route: route(),
            role: role.as_str(),
        },
    })?;
    Ok(caller)
}

/// Milliseconds since the Unix epoch.
pub(super) fn now_ms() -> i64 {
    (now_micros()) / 1000
}

/// Microseconds since the Unix epoch.
pub(super) fn now_micros() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_micros() as i64
}
