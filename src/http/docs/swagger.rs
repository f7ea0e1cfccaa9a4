//! Swagger UI, from assets inside the binary.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use bytes::Bytes;
use utoipa_swagger_ui::Config;

/// Nothing from elsewhere is loaded or asked, whatever a description may hold. Swagger UI styles its elements in place.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; \
                      base-uri 'none'";

/// The script that starts it; the page itself holds none, so that the policy can forbid scripts in pages.
const START: &str = "start.js";

/// The page. `root` is what every path begins with.
pub fn page(root: &str) -> HttpResponse {
    let page = format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Pointsman API</title>
<link rel="stylesheet" href="{root}/swagger/swagger-ui.css">
<link rel="icon" type="image/png" href="{root}/swagger/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{root}/swagger/swagger-ui-bundle.js"></script>
<script src="{root}/swagger/{START}"></script>
</body>
</html>
"#
    );
    HttpResponse::Ok()
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .content_type("text/html; charset=utf-8")
        .body(page)
}

/// One file of Swagger UI, or `None`.
pub fn asset(name: &str, root: &str) -> Option<HttpResponse> {
    if name == START {
        let url = serde_json::json!(format!("{root}/openapi.json"));
        let start = format!(
            "window.ui = SwaggerUIBundle({{url: {url}, dom_id: \"#swagger-ui\", deepLinking: true, docExpansion: \"list\", \
             defaultModelsExpandDepth: 0, displayRequestDuration: true}});\n"
        );
        return Some(
            HttpResponse::Ok()
                .content_type("text/javascript; charset=utf-8")
                .body(start),
        );
    }
    // The crate's own page and its start are not ours.
    let is_ours = name.starts_with("swagger-ui") || name.starts_with("favicon-");
    if !is_ours {
        return None;
    }
    let file = utoipa_swagger_ui::serve(name, Arc::new(Config::default())).ok()??;
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    Some(
        HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "public, max-age=86400"))
            .content_type(file.content_type)
            .body(bytes),
    )
}
