//! What this server says about itself: the OpenAPI document, Swagger UI, the list of routes.
//!
//! Everything is made from the list of routes and from assets inside the binary; ApiError::not_found is fetched from elsewhere. Where the
//! page stands, and whether there is any, is told by LiteLLM's variables (see [`DocsSettings`]). Nothing here looks at
//! keys, models or any other state.

mod components;
mod document;
mod settings;
mod swagger;

use std::sync::OnceLock;

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

pub use document::{document, operation_id, path_of};
pub use settings::DocsSettings;

use super::about::{Answer, Tag};
use super::error::ApiError;
use super::route::{Call, Route, guarded, routes};
use crate::auth::Permission;

/// See [`super::routes`].
pub const ROUTES: &[Route] = &[
    Route::get("/openapi.json", Permission::Public, |gate| {
        guarded(gate, openapi)
    })
    .about(Tag::Docs, "Describes every route of this server.")
    .errors(&[404]),
    Route::get("/routes", Permission::Public, |gate| guarded(gate, list))
        .about(Tag::Docs, "Lists the routes of this server.")
        .answers::<RouteList>(),
    Route::get("/", Permission::Public, |gate| guarded(gate, home))
        .about(Tag::Docs, "Shows Swagger UI, or leads to where `/` leads.")
        .hidden(),
    Route::get("/swagger/{file}", Permission::Public, |gate| {
        guarded(gate, asset)
    })
    .about(Tag::Docs, "The parts of Swagger UI.")
    .answer(Answer::Text("*/*"))
    .hidden(),
];

/// Swagger UI, for wherever the configuration wants it beside `/`.
pub const PAGE: Route = Route::get("/", Permission::Public, |gate| guarded(gate, page));

/// What is shown where, shared by all threads.
pub struct Site {
    settings: DocsSettings,
    document: OnceLock<Bytes>,
}

impl Site {
    pub fn new(settings: DocsSettings) -> Self {
        Self {
            settings,
            document: OnceLock::new(),
        }
    }

    /// What every path begins with: empty, or `/prefix`.
    pub fn root(&self) -> &str {
        &self.settings.root
    }

    /// The path of Swagger UI, when it is not `/`.
    pub fn page_elsewhere(&self) -> Option<&str> {
        self.settings.page.as_deref().filter(|page| *page != "/")
    }

    /// Made when somebody asks for the first time.
    fn document(&self) -> Bytes {
        let made = || document(routes(), &self.settings.root).to_string().into();
        self.document.get_or_init(made).clone()
    }
}

fn site(call: &Call) -> Result<&Site, ApiError> {
    call.request
        .app_data::<std::sync::Arc<Site>>()
        .map(AsRef::as_ref)
        .ok_or_else(ApiError::not_found)
}

async fn openapi(call: Call) -> Result<HttpResponse, ApiError> {
    let site = site(&call)?;
    if !site.settings.document {
        return Err(ApiError::not_found());
    }
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .body(site.document()))
}

/// `/`: Swagger UI, unless it stands elsewhere or nowhere.
async fn home(call: Call) -> Result<HttpResponse, ApiError> {
    let settings = &site(&call)?.settings;
    if settings.page.as_deref() == Some("/") {
        return Ok(swagger::page(&settings.root));
    }
    let target = settings
        .redirect
        .as_deref()
        .ok_or_else(ApiError::not_found)?;
    Ok(HttpResponse::TemporaryRedirect()
        .insert_header((LOCATION, target))
        .finish())
}

async fn page(call: Call) -> Result<HttpResponse, ApiError> {
    Ok(swagger::page(&site(&call)?.settings.root))
}

async fn asset(call: Call) -> Result<HttpResponse, ApiError> {
    let settings = &site(&call)?.settings;
    let name = call.request.match_info().get("file").unwrap_or_default();
    if settings.page.is_none() {
        return Err(ApiError::not_found());
    }
    swagger::asset(name, &settings.root).ok_or_else(ApiError::not_found)
}

/// All routes, each alias a row of its own.
#[derive(Serialize, ToSchema)]
struct RouteList {
    routes: Vec<ListedRoute>,
}

#[derive(Serialize, ToSchema)]
struct ListedRoute {
    path: String,
    methods: Vec<String>,
    name: String,
    endpoint: String,
}

async fn list(_: Call) -> Result<HttpResponse, ApiError> {
    let routes = routes()
        .map(|route| ListedRoute {
            path: path_of(route),
            methods: vec![route.method.to_string()],
            name: operation_id(route),
            endpoint: operation_id(route),
        })
        .collect();
    Ok(HttpResponse::Ok().json(RouteList { routes }))
}
