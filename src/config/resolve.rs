//! `os.environ/NAME` becomes what the variable holds.
//!
//! LiteLLM's rules: every text value of a map is looked up, maps inside lists too; a bare text inside a list is not. A
//! missing variable gives null, not an error, and a variable that holds `true` or `false` in any case gives a bool.

use super::diagnostic::Sink;
use super::redact::key_in_path;
use super::yaml::{Node, Value};

const PREFIX: &str = "os.environ/";
/// LiteLLM fetches a token for such a value.
const OIDC: &str = "oidc/";

/// Resolves the values below `node`. `path` is the place of `node`, empty for the root.
pub fn resolve(node: &mut Node, path: &str, env: &dyn Fn(&str) -> Option<String>, sink: &Sink) {
    match &mut node.value {
        Value::Map(entries) => {
            for entry in entries {
                let dot = if path.is_empty() { "" } else { "." };
                let path = format!("{path}{dot}{}", key_in_path(&entry.key));
                look_up(&mut entry.value, &path, env, sink);
                if matches!(&entry.value.value, Value::Text(text) if text.starts_with(OIDC)) {
                    let message = "tokens of an identity provider are not supported yet: the text is taken as it is";
                    sink.not_yet_because(entry.value.pos, path.clone(), message);
                }
                resolve(&mut entry.value, &path, env, sink);
            }
        }
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                if matches!(&item.value, Value::Text(text) if text.starts_with(PREFIX)) {
                    let message =
                        "not looked up: LiteLLM does not do it for a text in a list either";
                    sink.warning(item.pos, format!("{path}[{index}]"), message);
                }
                resolve(item, &format!("{path}[{index}]"), env, sink);
            }
        }
        _ => {}
    }
}

fn look_up(node: &mut Node, path: &str, env: &dyn Fn(&str) -> Option<String>, sink: &Sink) {
    let Value::Text(text) = &node.value else {
        return;
    };
    let Some(name) = text.strip_prefix(PREFIX) else {
        return;
    };
    let name: Box<str> = name.into();
    node.value = match env(&name) {
        Some(value) if value.eq_ignore_ascii_case("true") => Value::Bool(true),
        Some(value) if value.eq_ignore_ascii_case("false") => Value::Bool(false),
        Some(value) => Value::Text(value),
        None => {
            sink.note(
                node.pos,
                path,
                format!(
                    "the environment variable {name} is not set; the field counts as not given"
                ),
            );
            Value::Null
        }
    };
    node.variable = Some(name);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml::parse;

    #[test]
    fn where_and_how() {
        let text = "a: os.environ/ON\nb: [os.environ/K, {c: os.environ/K}]\nd: os.environ/NONE\n\
                    e: {f: {g: os.environ/K}}\nh: x os.environ/K";
        let env = |name: &str| match name {
            "ON" => Some("True".to_owned()),
            "K" => Some("v".to_owned()),
            _ => None,
        };
        let sink = Sink::new("f");
        let mut root = parse(text).ok().and_then(|document| document.root);
        if let Some(root) = &mut root {
            resolve(root, "", &env, &sink);
        }
        let json = root
            .and_then(|root| root.to_json())
            .map(|json| json.to_string());
        assert_eq!(
            json.as_deref(),
            Some(
                r#"{"a":true,"b":["os.environ/K",{"c":"v"}],"d":null,"e":{"f":{"g":"v"}},"h":"x os.environ/K"}"#
            )
        );
        let shown: Vec<String> = sink
            .into_diagnostics()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            shown,
            [
                "f:2:5: warning: b[0]: not looked up: LiteLLM does not do it for a text in a list either",
                "f:3:4: note: d: the environment variable NONE is not set; the field counts as not given"
            ]
        );
    }
}
