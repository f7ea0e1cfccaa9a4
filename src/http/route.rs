//! The list of routes, and the guard in front of every handler.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use actix_web::http::Method;
use actix_web::http::header::{HeaderValue, ORIGIN, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::{IntoParams, ToSchema};

use super::about::{About, Answer, SchemaOf, Tag, query_of};
use super::call_id::call_id;
use super::cors::Cors;
use super::error::{ApiError, ErrorForm, Surface};
use super::{admin, anthropic, body, docs, health, metrics, models, openai, responses};
use crate::auth::{AuthError, Caller, Permission, Visited, credential, is_granted, is_within};
use crate::journey::Worker;
use crate::steps;

/// What the guard in front of a handler goes by.
#[derive(Clone, Copy)]
pub struct Gate {
    pub permission: Permission,
    pub surface: Surface,
}

/// Puts the guard in front of a handler.
type Mount = fn(Gate) -> actix_web::Route;

/// One operation: a method and a path.
///
/// ```text
/// Route::post("/key/generate", Permission::OwnKeys, |gate| guarded(gate, generate))
///     .about(Tag::Keys, "Makes a virtual key; its text is returned this once.")
///     .body::<GenerateKeyRequest>()
/// ```
#[derive(Clone)]
pub struct Route {
    pub method: Method,
    /// As actix-web matches it: `{name}` is a segment, `{name:.+}` may hold slashes.
    pub path: &'static str,
    pub permission: Permission,
    /// Whose API it belongs to: its errors look so.
    pub surface: Surface,
    pub about: About,
    mount: Mount,
}

impl Route {
    pub(super) const fn get(path: &'static str, permission: Permission, mount: Mount) -> Self {
        Self::new(Method::GET, path, permission, mount)
    }

    pub(super) const fn post(path: &'static str, permission: Permission, mount: Mount) -> Self {
        Self::new(Method::POST, path, permission, mount)
    }

    pub(super) const fn delete(path: &'static str, permission: Permission, mount: Mount) -> Self {
        Self::new(Method::DELETE, path, permission, mount)
    }

    pub(super) const fn new(
        method: Method,
        path: &'static str,
        permission: Permission,
        mount: Mount,
    ) -> Self {
        Self {
            method,
            path,
            permission,
            surface: Surface::OpenAi,
            about: About::new(Tag::Docs, ""),
            mount,
        }
    }

    /// Whose API it belongs to, when it is not OpenAI's.
    pub(super) const fn of(mut self, surface: Surface) -> Self {
        self.surface = surface;
        self
    }

    /// Its handler behind its guard.
    pub(super) fn mounted(&self) -> actix_web::Route {
        let gate = Gate {
            permission: self.permission,
            surface: self.surface,
        };
        (self.mount)(gate).method(self.method.clone())
    }

    /// Its chapter in the document, and one sentence. Every route has them.
    pub(super) const fn about(mut self, tag: Tag, summary: &'static str) -> Self {
        self.about.tag = tag;
        self.about.summary = summary;
        self
    }

    pub(super) const fn description(mut self, description: &'static str) -> Self {
        self.about.description = description;
        self
    }

    /// The JSON body, which must be there.
    pub(super) const fn body<T: ToSchema>(mut self) -> Self {
        self.about.body = Some(SchemaOf::of::<T>());
        self
    }

    /// The JSON body, which may be left out.
    pub(super) const fn optional_body<T: ToSchema>(self) -> Self {
        let mut route = self.body::<T>();
        route.about.body_is_optional = true;
        route
    }

    /// The query parameters, which are the fields of `T`.
    pub(super) const fn query<T: IntoParams>(mut self) -> Self {
        self.about.query = Some(query_of::<T>);
        self
    }

    pub(super) const fn answers<T: ToSchema>(mut self) -> Self {
        self.about.answer = Answer::Json(SchemaOf::of::<T>());
        self
    }

    /// The JSON answer under its name in a `schemas.json`.
    pub(super) const fn written_answer(mut self, name: &'static str) -> Self {
        self.about.answer = Answer::Json(SchemaOf::Written(name));
        self
    }

    /// What it answers with, when that is not JSON alone.
    pub(super) const fn answer(mut self, answer: Answer) -> Self {
        self.about.answer = answer;
        self
    }

    /// A second answer with a status of its own.
    pub(super) const fn or<T: ToSchema>(mut self, status: u16) -> Self {
        self.about.or = Some((status, SchemaOf::of::<T>()));
        self
    }

    /// Statuses of errors beside those of every route of its kind.
    pub(super) const fn errors(mut self, errors: &'static [u16]) -> Self {
        self.about.errors = errors;
        self
    }

    /// The JSON body under its name in a `schemas.json`.
    pub(super) const fn written_body(mut self, name: &'static str) -> Self {
        self.about.body = Some(SchemaOf::Written(name));
        self
    }

    /// Not in the document: for people, not for programs.
    pub(super) const fn hidden(mut self) -> Self {
        self.about.is_hidden = true;
        self
    }

    /// The same operation at another path.
    pub(super) const fn at(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }
}

/// Every operation of the server.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    [
        openai::ROUTES,
        models::ROUTES,
        anthropic::ROUTES,
        responses::ROUTES,
        admin::KEYS,
        admin::MODELS,
        admin::ROUTER,
        admin::ROUTES,
        health::ROUTES,
        metrics::ROUTES,
        docs::ROUTES,
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
    /// How it is told of errors.
    pub form: ErrorForm,
}

impl Call {
    /// The caller of a route that is not public.
    pub fn caller(&self) -> Result<&Caller, ApiError> {
        self.caller
            .as_ref()
            .ok_or_else(|| AuthError::Credential(crate::auth::CredentialError::Missing).into())
    }
}

/// A route that lets those through to `handler` who may pass the gate.
pub(super) fn guarded<F, Answer>(gate: Gate, handler: F) -> actix_web::Route
where
    F: Fn(Call) -> Answer + Copy + 'static,
    Answer: Future<Output = Result<HttpResponse, ApiError>> + 'static,
{
    web::route().to(
        move |request: HttpRequest, payload: web::Payload| async move {
            let arrived = Instant::now();
            // Of a page in a browser, which must be told whether it may see the answer.
            let page = request
                .headers()
                .contains_key(ORIGIN)
                .then(|| request.clone());
            let form = gate.surface.form(request.headers());
            let answer = pin!(answer(
                request,
                payload,
                gate.permission,
                form,
                handler,
                arrived
            ));
            let answer = steps::contained_future("http", answer).await;
            let response = answer.unwrap_or_else(|| Err(ApiError::broken()));
            finished(
                response.unwrap_or_else(|error| error.respond(form)),
                page.as_ref(),
            )
        },
    )
}

async fn answer<F, Answer>(
    request: HttpRequest,
    payload: web::Payload,
    permission: Permission,
    form: ErrorForm,
    handler: F,
    arrived: Instant,
) -> Result<HttpResponse, ApiError>
where
    F: Fn(Call) -> Answer,
    Answer: Future<Output = Result<HttpResponse, ApiError>>,
{
    let Some(worker) = request.app_data::<Rc<Worker>>().cloned() else {
        return Err(ApiError::unavailable("this thread is not ready"));
    };
    steps::point("http.authorise");
    let caller = match permission {
        Permission::Public => None,
        _ => match authorise(&worker, &request, permission).await {
            Ok(caller) => Some(caller),
            Err(error) => {
                // An unread body would cost the connection, and the client its answer.
                body::discard(payload).await;
                let id = call_id(request.headers());
                return Err(ApiError::from(error).header("x-litellm-call-id", &id));
            }
        },
    };
    let call = Call {
        worker,
        request,
        payload,
        caller,
        arrived,
        form,
    };
    steps::point("http.handler");
    handler(call).await
}

/// No browser shall guess that an answer is a page, and pages elsewhere see what they may.
fn finished(mut response: HttpResponse, page: Option<&HttpRequest>) -> HttpResponse {
    if let Some(request) = page
        && let Some(cors) = request.app_data::<Cors>()
    {
        cors.tell(request, response.headers_mut());
    }
    response
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Lets a caller in, or says why not.
pub(super) async fn authorise(
    worker: &Rc<Worker>,
    request: &HttpRequest,
    permission: Permission,
) -> Result<Caller, AuthError> {
    let caller = match worker.directory.anybody() {
        Some(caller) => caller,
        None => {
            let key = credential(request.headers())?;
            match worker.directory.caller(key, now_ms).await {
                Err(AuthError::NoDatabase)
                    if worker.routes().settings().lets_in_without_database =>
                {
                    worker.directory.unlooked()
                }
                found => found?,
            }
        }
    };
    let route = || {
        request
            .match_pattern()
            .unwrap_or_else(|| request.path().to_owned())
    };
    let role = caller.role();
    let entries = &caller.principal().allowed_routes;
    if !entries.is_empty() {
        let pattern = route();
        let visited = Visited {
            permission,
            pattern: &pattern,
            path: request.path(),
        };
        if !is_within(entries, visited) {
            return Err(AuthError::OtherRoute {
                allowed: entries.clone(),
                route: request.path().to_owned(),
            });
        }
        if is_granted(entries, visited) {
            return Ok(caller);
        }
    }
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
