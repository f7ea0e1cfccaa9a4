//! `auto_router_config`: routes with examples, as JSON, beside it or in a file.

use serde_json::Value as Json;

use crate::config::read::Section;
use crate::config::yaml::Value;
use crate::policy::auto_router::semantic::{self, Comparison, MOST_CHARS, Route, THRESHOLD};

/// A file of routes is no larger.
const MOST_BYTES: u64 = 1 << 20;
/// More examples than this nobody compares with each request.
const MOST_UTTERANCES: usize = 1_000;

pub fn read(section: &Section<'_>) -> Result<semantic::Settings, &'static str> {
    let name = |field: &str| section.text(field).filter(|name| !name.is_empty());
    let default = name("auto_router_default_model")
        .ok_or("expected `auto_router_default_model`, the group for all else, found none")?;
    let embedding = name("auto_router_embedding_model").ok_or(
        "expected `auto_router_embedding_model`, the group that makes vectors, found none",
    )?;
    let written = match section.value("auto_router_config") {
        Some(node) => match &node.value {
            Value::Text(text) => serde_json::from_str(text).ok(),
            _ => node.to_json(),
        },
        None => {
            let path = name("auto_router_config_path")
                .ok_or("expected `auto_router_config` or `auto_router_config_path`, found none")?;
            Some(file(&path)?)
        }
    };
    let written = written.ok_or("`auto_router_config` is no JSON")?;
    let routes = written.get("routes").and_then(Json::as_array);
    let routes = routes.ok_or("expected `routes`, a list, in `auto_router_config`")?;
    let routes: Option<Vec<Route>> = routes.iter().map(route).collect();
    let routes =
        routes.ok_or("each of `routes` needs a `name` and `utterances`, a list of texts")?;
    let utterances: usize = routes.iter().map(|route| route.utterances.len()).sum();
    if utterances == 0 || utterances > MOST_UTTERANCES {
        return Err("expected 1 to 1000 utterances in `routes`");
    }
    Ok(semantic::Settings {
        comparison: Comparison {
            routes,
            embedding: embedding.into(),
            most_chars: section
                .small("auto_router_max_input_chars", 1_000_000)
                .map_or(MOST_CHARS, |most| most as usize),
        },
        default: default.into(),
    })
}

/// A file of routes; a relative path is one from where the gateway was started, as in LiteLLM.
fn file(path: &str) -> Result<Json, &'static str> {
    let length = std::fs::metadata(path).map(|known| known.len());
    if length.is_ok_and(|length| length > MOST_BYTES) {
        return Err("the file of `auto_router_config_path` is larger than 1 MiB");
    }
    let text =
        std::fs::read(path).map_err(|_| "the file of `auto_router_config_path` cannot be read")?;
    serde_json::from_slice(&text).map_err(|_| "the file of `auto_router_config_path` is no JSON")
}

fn route(route: &Json) -> Option<Route> {
    let utterances = route.get("utterances")?.as_array()?.iter();
    let utterances = utterances.map(|text| text.as_str().map(str::to_owned));
    Some(Route {
        name: route.get("name")?.as_str()?.into(),
        utterances: utterances.collect::<Option<_>>()?,
        threshold: match route.get("score_threshold") {
            None | Some(Json::Null) => THRESHOLD,
            Some(threshold) => threshold.as_f64()?,
        },
    })
}
