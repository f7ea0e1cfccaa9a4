//! `pointsman chaos`: failures on purpose at a running gateway.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::ConsoleError;
use super::gateway::{Ask, Place, ask};
use crate::cli::Chaos;
use crate::types::Secret;

/// Begins or ends a rehearsal, or none, and tells which are under way.
pub fn chaos(wanted: &Chaos, env: &dyn Fn(&str) -> Option<String>) -> Result<String, ConsoleError> {
    let key = wanted.gateway.key.as_deref().map(Secret::new);
    let place = Place {
        url: &wanted.gateway.url,
        key: key.as_ref(),
    };
    let asked = match (&wanted.deployment, wanted.stop) {
        (deployment, true) => Ask {
            method: Method::DELETE,
            path: &stopped(deployment.as_deref()),
            body: Vec::new(),
        },
        (None, false) => Ask {
            method: Method::GET,
            path: "/router/chaos",
            body: Vec::new(),
        },
        (Some(deployment), false) => Ask {
            method: Method::POST,
            path: "/router/chaos",
            body: serde_json::to_vec(&json!({
                "deployment": deployment,
                "share": wanted.share,
                "status": wanted.fail,
                "delay_ms": wanted.delay_ms,
                "seconds": wanted.seconds,
            }))?,
        },
    };
    let told: Value = serde_json::from_slice(&ask(place, asked, env)?)?;
    Ok(words(&told))
}

fn stopped(deployment: Option<&str>) -> String {
    match deployment {
        None => "/router/chaos".to_owned(),
        Some(id) => {
            let query = serde_urlencoded::to_string([("deployment", id)]).unwrap_or_default();
            format!("/router/chaos?{query}")
        }
    }
}

fn words(told: &Value) -> String {
    let under_way = told["under_way"].as_array();
    let line = |own: &Value| {
        let share = own["share"].as_f64().unwrap_or_default() * 100.0;
        let effect = match (own["status"].as_u64(), own["delay_ms"].as_u64()) {
            (Some(status), Some(delay @ 1..)) => format!("fail with {status}, {delay} ms late"),
            (Some(status), _) => format!("fail with {status}"),
            (None, delay) => format!("are {} ms late", delay.unwrap_or_default()),
        };
        let id = own["deployment"].as_str().unwrap_or_default();
        let left = own["seconds_left"].as_f64().unwrap_or_default();
        format!("{share:.0} % of the calls of {id} {effect}, for {left:.0} s more\n")
    };
    let lines: String = under_way.into_iter().flatten().map(line).collect();
    match lines.is_empty() {
        true => "no rehearsal is under way\n".to_owned(),
        false => lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_in_words() {
        let told = json!({"under_way": [
            {"deployment": "a", "share": 0.25, "status": 503, "delay_ms": 0, "seconds_left": 59.7},
            {"deployment": "b", "share": 1.0, "status": null, "delay_ms": 200, "seconds_left": 5.0},
        ]});
        assert_eq!(
            words(&told),
            "25 % of the calls of a fail with 503, for 60 s more\n100 % of the calls of b are 200 ms late, for 5 s more\n"
        );
        assert_eq!(
            words(&json!({"under_way": []})),
            "no rehearsal is under way\n"
        );
        assert_eq!(stopped(Some("a b&c")), "/router/chaos?deployment=a+b%26c");
    }
}
