//! A model that is nobody's yet, read as if the database had it.

use std::sync::Arc;

use actix::Message;
use serde_json::{Map, Value};

use crate::router::Deployment;

/// Asks for the deployment that such an entry would be beside those in force, or what is wrong with it. Changes nothing, and
/// nothing of it is kept. Has no `Debug`: its parameters hold secrets.
#[derive(Message)]
#[rtype(result = "Result<Arc<Deployment>, String>")]
pub struct TryModel {
    pub litellm_params: Map<String, Value>,
    pub model_info: Map<String, Value>,
}
