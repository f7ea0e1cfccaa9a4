//! What all responses of one stream have in common, and the response object itself.

use std::sync::Arc;

use super::items;
use crate::protocol::json_write::Object;
use crate::protocol::openai_responses::Asked;

/// What is known of a response before its answer.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// As the client shall know it, such as `resp_…`.
    pub id: String,
    pub model: String,
    /// Seconds since the Unix epoch.
    pub created: u64,
    /// What the upstream says of its own.
    pub service_tier: Option<String>,
    pub asked: Arc<Asked>,
}

impl Head {
    /// An id for the item of this number.
    pub fn item_id(&self, prefix: &str, place: u64) -> String {
        let own = self.id.strip_prefix("resp_").unwrap_or(&self.id);
        format!("{prefix}_{own}{place:x}")
    }

    /// The fields of a response. `output` are the items of an array, with commas between; `fill` writes how it ended.
    pub fn write(
        &self,
        out: &mut Object<'_>,
        status: &str,
        output: &[u8],
        fill: impl FnOnce(&mut Object<'_>),
    ) {
        out.text("id", &self.id);
        out.text("object", "response");
        out.number("created_at", self.created);
        out.text("status", status);
        out.text("model", &self.model);
        items::list(out, "output", output);
        fill(out);
        self.asked.write(out);
        let own = self.service_tier.as_deref();
        out.text("service_tier", own.unwrap_or(self.asked.service_tier()));
    }
}
