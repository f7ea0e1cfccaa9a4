//! Values as Python prints them: LiteLLM hashes that text into deployment ids.

use std::fmt::Write;

use crate::config::yaml::{Node, Value};

/// The text that is hashed for a value: text as it is, a map as `json.dumps` writes it, all else as `str()` does.
pub fn hashed_text(node: &Node) -> String {
    let mut out = String::new();
    match &node.value {
        Value::Text(text) => out.push_str(text),
        Value::Map(_) => json(node, &mut out),
        _ => repr(node, &mut out),
    }
    out
}

/// `repr()`.
fn repr(node: &Node, out: &mut String) {
    match &node.value {
        Value::Null => out.push_str("None"),
        Value::Bool(value) => out.push_str(if *value { "True" } else { "False" }),
        Value::Int { value, .. } => push(out, format_args!("{value}")),
        Value::Float { value, .. } => float(*value, ["nan", "inf", "-inf"], out),
        Value::Text(text) => quoted(text, out),
        Value::List(items) => separated(items, ['[', ']'], out, repr),
        Value::Map(entries) => separated(entries, ['{', '}'], out, |entry, out| {
            quoted(&entry.key, out);
            out.push_str(": ");
            repr(&entry.value, out);
        }),
    }
}

/// `json.dumps()` with its defaults: `", "` and `": "`, everything beyond ASCII escaped.
fn json(node: &Node, out: &mut String) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => push(out, format_args!("{value}")),
        Value::Int { value, .. } => push(out, format_args!("{value}")),
        Value::Float { value, .. } => float(*value, ["NaN", "Infinity", "-Infinity"], out),
        Value::Text(text) => json_text(text, out),
        Value::List(items) => separated(items, ['[', ']'], out, json),
        Value::Map(entries) => separated(entries, ['{', '}'], out, |entry, out| {
            json_text(&entry.key, out);
            out.push_str(": ");
            json(&entry.value, out);
        }),
    }
}

fn separated<T>(
    items: &[T],
    [open, close]: [char; 2],
    out: &mut String,
    write: impl Fn(&T, &mut String),
) {
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write(item, out);
    }
    out.push(close);
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
}

/// The shortest digits that read back as the same double; plain from 10⁻⁴ up to 10¹⁶, with an exponent outside.
fn float(value: f64, [nan, infinite, negative]: [&str; 3], out: &mut String) {
    if value.is_nan() {
        return out.push_str(nan);
    }
    if value.is_infinite() {
        return out.push_str(if value > 0.0 { infinite } else { negative });
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{value}");
        out.push_str(&plain);
        if !plain.contains('.') {
            out.push_str(".0");
        }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        push(
            out,
            format_args!("{digits}e{sign}{:02}", exponent.unsigned_abs()),
        );
    }
}

/// `'a'`; double quotes when the text has single ones only.
fn quoted(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if printable(c) => out.push(c),
            c if u32::from(c) < 0x100 => push(out, format_args!("\\x{:02x}", u32::from(c))),
            c if u32::from(c) < 0x10000 => push(out, format_args!("\\u{:04x}", u32::from(c))),
            c => push(out, format_args!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push(quote);
}

/// Python and Rust draw the line alike: no control, format, private, unassigned or separator characters but the space.
fn printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    // Rust escapes a combining character only at the start of a text, so it is asked behind a letter.
    format!("a{c}").escape_debug().nth(1) == Some(c)
}

fn json_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    push(out, format_args!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml::parse;

    #[test]
    fn as_python_prints() {
        // Every line was checked against CPython 3.11.
        for (yaml, expected) in [
            ("plain 'text'", "plain 'text'"),
            ("true", "True"),
            ("null", "None"),
            ("0x10", "16"),
            ("1.5", "1.5"),
            ("2.0", "2.0"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("0.0000025", "2.5e-06"),
            ("1234567890123456.0", "1234567890123456.0"),
            ("12345678901234567.0", "1.2345678901234568e+16"),
            ("-.inf", "-inf"),
            ("[a, b]", "['a', 'b']"),
            (
                "[\"it's\", 'say \"x\"', \"both ' and \\\"\"]",
                "[\"it's\", 'say \"x\"', 'both \\' and \"']",
            ),
            (
                "[1, 2.5, true, null, {a: [b]}]",
                "[1, 2.5, True, None, {'a': ['b']}]",
            ),
            (
                "[\"\\t\\x01é\\u00a0\\u200b😀\\ue000\\u0301\"]",
                "['\\t\\x01é\\xa0\\u200b😀\\ue000\u{301}']",
            ),
            ("{x: y, n: 1}", r#"{"x": "y", "n": 1}"#),
            (
                "{x: é😀, l: [1.5, true, null], m: {}}",
                r#"{"x": "\u00e9\ud83d\ude00", "l": [1.5, true, null], "m": {}}"#,
            ),
            (
                "{x: \"a\\x7f\\x01\\\"\"}",
                "{\"x\": \"a\\u007f\\u0001\\\"\"}",
            ),
        ] {
            let text = parse(&format!("v: {yaml}"))
                .ok()
                .and_then(|document| document.root);
            let text = text
                .as_ref()
                .and_then(|root| root.get("v"))
                .map(|entry| hashed_text(&entry.value));
            assert_eq!(text.as_deref(), Some(expected), "{yaml}");
        }
    }
}
