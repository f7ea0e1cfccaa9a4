//! Anthropic's list of models, in pages.

use actix_web::HttpResponse;
use serde::Serialize;

use super::{Shown, Unwell, callable};
use crate::http::error::ApiError;
use crate::http::query::Query;
use crate::http::route::Call;

/// Models of a page unless the client says how many.
const USUAL_PAGE: i64 = 20;
const LARGEST_PAGE: i64 = 1000;
/// What Anthropic writes where a model's day of release is not known.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// A model as Anthropic's API describes it.
#[derive(Serialize)]
pub struct Model<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: &'static str,
    max_input_tokens: Option<u64>,
    /// The largest `max_tokens` of a request.
    max_tokens: Option<u64>,
}

#[derive(Serialize)]
struct Page<'a> {
    data: Vec<Model<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

/// A model under the name that the caller has for it.
pub fn model<'a>(shown: &Shown, name: &'a str) -> Model<'a> {
    Model {
        kind: "model",
        id: name,
        display_name: name,
        created_at: CREATED,
        max_input_tokens: shown.max_input_tokens,
        max_tokens: shown.max_output_tokens,
    }
}

pub fn list(call: &Call, query: &Query, unwell: &Unwell) -> Result<HttpResponse, ApiError> {
    let all = callable(call, unwell)?;
    let limit = query
        .whole("limit", 1..=LARGEST_PAGE)?
        .unwrap_or(USUAL_PAGE);
    let limit = usize::try_from(limit).unwrap_or(1);
    let place = |name: &str| {
        let Some(id) = query.text(name) else {
            return Ok(None);
        };
        let place = all.iter().position(|model| &*model.name == id);
        let text = || format!("{name}: `{id:.128}` is none of the models of this list");
        place
            .map(Some)
            .ok_or_else(|| ApiError::bad_request(text(), Some(name)))
    };
    let (page, has_more) = page(all.len(), limit, place("after_id")?, place("before_id")?);
    let models = all.get(page).unwrap_or_default();
    Ok(HttpResponse::Ok().json(Page {
        data: models.iter().map(|own| model(own, &own.name)).collect(),
        has_more,
        first_id: models.first().map(|model| &*model.name),
        last_id: models.last().map(|model| &*model.name),
    }))
}

/// Which of `count` models are on a page, and whether there are more in its direction.
fn page(
    count: usize,
    limit: usize,
    after: Option<usize>,
    before: Option<usize>,
) -> (std::ops::Range<usize>, bool) {
    match (after, before) {
        (None, Some(before)) => {
            let start = before.saturating_sub(limit);
            (start..before, start > 0)
        }
        (after, before) => {
            let end = before.unwrap_or(count);
            let start = after.map_or(0, |after| after + 1).min(end);
            let stop = end.min(start.saturating_add(limit));
            (start..stop, stop < end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages() {
        for (limit, after, before, range, more) in [
            (20, None, None, 0..5, false),
            (2, None, None, 0..2, true),
            (2, Some(1), None, 2..4, true),
            (2, Some(3), None, 4..5, false),
            (2, Some(4), None, 5..5, false),
            (2, None, Some(4), 2..4, true),
            (2, None, Some(1), 0..1, false),
            (2, Some(0), Some(2), 1..2, false),
            (2, Some(3), Some(1), 1..1, false),
        ] {
            let got = page(5, limit, after, before);
            assert_eq!(got, (range, more), "{limit} {after:?} {before:?}");
        }
    }
}
