//! Query parameters, with errors as LiteLLM's framework words them.

use std::ops::RangeInclusive;

use actix_web::{HttpRequest, web};
use serde_json::json;

use crate::http::error::ApiError;

/// Longest text that is looked for: no name in the database is longer, and SQLite's patterns have a limit of their own.
const MOST_TEXT: usize = 512;

/// The parameters of one request, decoded. Of a doubled one the last counts; an empty one counts as absent.
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn of(request: &HttpRequest) -> Self {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
        Self(pairs.map(web::Query::into_inner).unwrap_or_default())
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().rev().find(|(own, _)| own == name)?;
        (!value.is_empty()).then_some(value.as_str())
    }

    /// A text of at most 512 characters, to look for in the database; 422 for a longer one.
    pub fn short_text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.text(name) {
            Some(text) if text.chars().count() > MOST_TEXT => {
                let message = format!("String should have at most {MOST_TEXT} characters");
                Err(wrong("string_too_long", name, &message))
            }
            text => Ok(text),
        }
    }

    /// A whole number in bounds; 422 for anything else.
    pub fn whole(&self, name: &str, bounds: RangeInclusive<i64>) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let Ok(number) = text.parse::<i64>() else {
            let message = "Input should be a valid integer, unable to parse string as an integer";
            return Err(wrong("int_parsing", name, message));
        };
        if number < *bounds.start() {
            let message = format!(
                "Input should be greater than or equal to {}",
                bounds.start()
            );
            return Err(wrong("greater_than_equal", name, &message));
        }
        if number > *bounds.end() {
            let message = format!("Input should be less than or equal to {}", bounds.end());
            return Err(wrong("less_than_equal", name, &message));
        }
        Ok(Some(number))
    }

    /// `true`, `false`, `1`, `0`, `yes`, `no`, `on`, `off` in any case; 422 for anything else.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Some(true)),
            "false" | "0" | "no" | "off" => Ok(Some(false)),
            _ => {
                let message = "Input should be a valid boolean, unable to interpret input";
                Err(wrong("bool_parsing", name, message))
            }
        }
    }
}

fn wrong(kind: &str, name: &str, message: &str) -> ApiError {
    ApiError::detail(
        422,
        json!([{"type": kind, "loc": ["query", name], "msg": message}]),
    )
}
