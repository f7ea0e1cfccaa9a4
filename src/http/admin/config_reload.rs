//! `POST /config/reload`.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::{Difference, NamedDeployment};
use crate::http::error::ApiError;
use crate::http::route::Call;
use crate::journey::ReloadConfig;

/// A deployment, as people know it.
#[derive(Serialize, ToSchema)]
struct NamedModel {
    model_name: String,
    model_id: String,
}

/// A deployment that is called or chosen in another way from now on.
#[derive(Serialize, ToSchema)]
struct ChangedModel {
    model_name: String,
    model_id: String,
    /// Names of fields, never values.
    fields: Vec<String>,
}

/// What has changed.
#[derive(Serialize, ToSchema)]
pub struct ConfigReloaded {
    /// In one sentence.
    message: String,
    added: Vec<NamedModel>,
    changed: Vec<ChangedModel>,
    removed: Vec<NamedModel>,
    /// Other fields that hold from now on.
    settings: Vec<String>,
    /// Fields that hold from the next start on.
    takes_effect_at_the_next_start: Vec<String>,
}

pub async fn reload(call: Call) -> Result<HttpResponse, ApiError> {
    let asked = ReloadConfig {
        by: "POST /config/reload",
    };
    let reloaded = call.worker.shared.reload.send(asked).await;
    let gone = |_| ApiError::unavailable("the gateway is about to end");
    match reloaded.map_err(gone)? {
        Ok(difference) => Ok(HttpResponse::Ok().json(answer(&difference))),
        Err(rejected) => {
            let text = format!(
                "the configuration in force stays: {}",
                rejected.complaints.join("; ")
            );
            Err(ApiError::new(400, "bad_request_error", text, None))
        }
    }
}

fn answer(difference: &Difference) -> ConfigReloaded {
    let named = |deployment: &NamedDeployment| NamedModel {
        model_name: deployment.group.clone(),
        model_id: deployment.id.to_string(),
    };
    let changed = difference.changed.iter().map(|changed| ChangedModel {
        model_name: changed.deployment.group.clone(),
        model_id: changed.deployment.id.to_string(),
        fields: changed.fields.clone(),
    });
    ConfigReloaded {
        message: difference.to_string(),
        added: difference.added.iter().map(named).collect(),
        changed: changed.collect(),
        removed: difference.removed.iter().map(named).collect(),
        settings: difference.settings.clone(),
        takes_effect_at_the_next_start: difference.at_next_start.clone(),
    }
}
