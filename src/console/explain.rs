//! `pointsman explain`: where a request would go now.

use std::fmt::Write as _;
use std::io::Read as _;

use actix_web::http::Method;
use serde_json::{Value, json};

use super::ConsoleError;
use super::gateway::{Ask, Place, ask};
use crate::cli::Explain;
use crate::types::Secret;

/// Asks, and tells in a table, or in JSON.
pub fn explain(
    wanted: &Explain,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<String, ConsoleError> {
    let key = wanted.gateway.key.as_deref().map(Secret::new);
    let mut body = read(wanted)?;
    if let (Some(model), Some(fields)) = (&wanted.model, body.as_object_mut()) {
        fields.insert("model".to_owned(), json!(model));
    }
    let path = format!("/router/explain?operation={}", wanted.operation.as_str());
    let asked = Ask {
        method: Method::POST,
        path: &path,
        body: serde_json::to_vec(&body)?,
    };
    let place = Place {
        url: &wanted.gateway.url,
        key: key.as_ref(),
    };
    let told: Value = serde_json::from_slice(&ask(place, asked, env)?)?;
    if wanted.json {
        return Ok(serde_json::to_string_pretty(&told)?);
    }
    Ok(table(&told))
}

fn read(wanted: &Explain) -> Result<Value, ConsoleError> {
    let Some(file) = &wanted.body else {
        if wanted.model.is_none() {
            let usage = "expected a model, a file with a request (--body), or both";
            return Err(ConsoleError::Usage(usage));
        }
        return Ok(wanted.operation.sample());
    };
    let read = match file.as_os_str() == "-" {
        true => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        }
        false => std::fs::read_to_string(file),
    };
    let text = read.map_err(|source| ConsoleError::Unreadable {
        file: file.clone(),
        source,
    })?;
    Ok(serde_json::from_str(&text)?)
}

/// A decision as people read it.
fn table(told: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut out = format!("{} ({}): ", text(&told["group"]), text(&told["strategy"]));
    let _ = match told["deployment"].as_str() {
        Some(deployment) => writeln!(out, "{deployment} takes it, by {}", text(&told["by"])),
        None => writeln!(out, "nobody takes it: {}", text(&told["nobody"])),
    };
    let considered = told["considered"].as_array();
    let rows: Vec<[String; 4]> = considered
        .into_iter()
        .flatten()
        .map(|own| {
            let mark = if own["verdict"] == "chosen" { "+" } else { "-" };
            let why = own["reason"].as_str().unwrap_or("chosen");
            [
                mark.to_owned(),
                text(&own["id"]),
                text(&own["model"]),
                why.to_owned(),
            ]
        })
        .collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let (ids, models) = (width(1), width(2));
    for [mark, id, model, why] in &rows {
        let _ = writeln!(out, "  {mark} {id:ids$}  {model:models$}  {why}");
    }
    if let Some(more) = told["more"].as_u64() {
        let _ = writeln!(out, "  and {more} more");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_for_people() {
        let told = json!({
            "group": "m", "strategy": "least-busy", "deployment": "b", "by": "strategy",
            "considered": [
                {"id": "aa", "model": "openai/x", "verdict": "rpm", "reason": "rpm 60/60"},
                {"id": "b", "model": "azure/xyz", "verdict": "chosen"},
            ],
            "more": 3,
        });
        let lines = [
            "m (least-busy): b takes it, by strategy",
            "  - aa  openai/x   rpm 60/60",
            "  + b   azure/xyz  chosen",
            "  and 3 more",
            "",
        ];
        assert_eq!(table(&told), lines.join("\n"));
        let nobody = json!({"group": "m", "strategy": "x", "nobody": "all cool", "considered": []});
        assert_eq!(table(&nobody), "m (x): nobody takes it: all cool\n");
    }
}
