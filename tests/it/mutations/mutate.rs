//! Spoiling a request: in the structure of its JSON, in its bytes, in its headers, in its path.

use fastrand::Rng;
use serde_json::Map;

use crate::harness::{Request, Value};

/// JSON that a reader may stumble over, as it is written.
const ODD: [&str; 44] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "1.5",
    "1e2",
    "1e999",
    "-1e999",
    "1e-400",
    "NaN",
    "Infinity",
    "01",
    "+1",
    ".5",
    "18446744073709551616",
    "9223372036854775807",
    "-9223372036854775808",
    "100000000000000000000000000000000000000",
    "\"\"",
    "\" \"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"💥\"",
    "\"\u{7f}\u{202e}\"",
    "\"m\"",
    "\"0\"",
    "\"1e999\"",
    "\"../../../../etc/passwd\"",
    "\"os.environ/LITELLM_MASTER_KEY\"",
    "\"' OR 1=1; --\"",
    "\"{{7*7}}\"",
    "\"http://169.254.169.254/\"",
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "{\"\":null}",
    "{\"a\":1,\"a\":2}",
    "[1,]",
    "{\"a\"}",
    "",
];

/// Stands in a value for the text that cannot be one.
const HOLE: &str = "@@odd@@";

/// The request with one to three faults.
pub fn spoil(good: &Request, random: &mut Rng) -> Request {
    let mut request = good.clone();
    for _ in 0..random.usize(1..=3) {
        match random.u8(0..20) {
            0..=11 if !request.body.is_empty() => structure(&mut request, random),
            12..=15 if !request.body.is_empty() => bytes(&mut request.body, random),
            16 | 17 => header(&mut request, random),
            18 => path(&mut request, random),
            _ => {
                request.method = random
                    .choice(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
                    .unwrap_or("GET")
                    .into()
            }
        }
    }
    request
}

/// One value replaced, removed, doubled, renamed or wrapped. A body that is no JSON any more loses a few bytes instead.
fn structure(request: &mut Request, random: &mut Rng) {
    let Ok(mut value) = serde_json::from_slice::<Value>(&request.body) else {
        return bytes(&mut request.body, random);
    };
    let odd = odd(random);
    let fault = random.u8(0..6);
    within(&mut value, fault, random);
    let hole = format!("\"{HOLE}\"");
    let mut text = value.to_string().replace(&hole, &odd);
    if fault == 5 && text.starts_with('{') {
        // Twice the same key, which no value can hold.
        let keys: Vec<&String> = value.as_object().into_iter().flat_map(Map::keys).collect();
        if let Some(key) = random.choice(keys) {
            text.insert_str(1, &format!("{}:{odd},", Value::from(key.as_str())));
        }
    }
    request.body = text.into_bytes();
}

fn odd(random: &mut Rng) -> String {
    match random.u8(0..30) {
        0 => "[".repeat(200) + &"]".repeat(200),
        1 => format!("\"{}\"", "a".repeat(20_000)),
        2 => format!("[{}0]", "0,".repeat(5_000)),
        3 => "{\"a\":".repeat(120) + "1" + &"}".repeat(120),
        _ => random.choice(ODD).unwrap_or_default().to_owned(),
    }
}

/// Goes down to a value and does it there.
fn within(value: &mut Value, fault: u8, random: &mut Rng) {
    let deeper = random.u8(0..4) > 0;
    match value {
        Value::Object(fields) if deeper && !fields.is_empty() => {
            let at = random.usize(0..fields.len());
            let key = fields.keys().nth(at).cloned().unwrap_or_default();
            match fault {
                1 if random.bool() => drop(fields.remove(&key)),
                2 if random.bool() => {
                    let kept = fields.remove(&key).unwrap_or_default();
                    fields.insert(format!("{key}\u{0}"), kept);
                }
                _ => within(&mut fields[&key], fault, random),
            }
        }
        Value::Array(items) if deeper && !items.is_empty() => {
            let at = random.usize(0..items.len());
            match fault {
                1 if random.bool() => drop(items.remove(at)),
                2 if random.bool() => items.extend(vec![items[at].clone(); 50]),
                _ => within(&mut items[at], fault, random),
            }
        }
        other if fault == 3 => *other = Value::Array(vec![other.take()]),
        other => *other = Value::from(HOLE),
    }
}

fn bytes(body: &mut Vec<u8>, random: &mut Rng) {
    let at = random.usize(0..=body.len());
    let end = (at + random.usize(1..20)).min(body.len());
    match random.u8(0..5) {
        0 => drop(body.drain(at..end)),
        1 => body.truncate(at),
        2 => body.insert(at, random.u8(..)),
        3 => {
            let piece = body[at..end].to_vec();
            body.splice(at..at, piece);
        }
        _ => {
            if let Some(byte) = body.get_mut(at) {
                *byte = random.u8(..);
            }
        }
    }
}

fn header(request: &mut Request, random: &mut Rng) {
    let names = [
        "content-type",
        "accept",
        "accept-encoding",
        "x-litellm-call-id",
        "x-litellm-timeout",
        "x-litellm-num-retries",
        "x-litellm-tags",
        "x-litellm-trace-id",
        "x-litellm-end-user-id",
        "x-litellm-stream-timeout",
        "x-litellm-enable-message-redaction",
        "litellm-changed-by",
        "openai-organization",
        "openai-beta",
        "origin",
        "x-forwarded-for",
        "traceparent",
        "user-agent",
        "x-stainless-timeout",
        "if-none-match",
        "range",
        "expect",
        "x-http-method-override",
    ];
    let values = [
        "",
        " ",
        "0",
        "-1",
        "1e999",
        "NaN",
        "abc",
        "null",
        "text/plain",
        "application/json; charset=utf-16",
        "multipart/form-data",
        "gzip, br",
        "*/*",
        "a,b,,c",
        "\u{e9}\u{1f682}",
        "{\"a\":1}",
        "00-0-0-00",
        "99999999999999999999",
        "bytes=0-1",
        "os.environ/LITELLM_MASTER_KEY",
    ];
    let name = random.choice(names).unwrap_or_default();
    let value = random.choice(values).unwrap_or_default();
    request.headers.retain(|(own, _)| own != name);
    if random.u8(0..5) > 0 {
        request.headers.push((name.to_owned(), value.to_owned()));
    }
}

fn path(request: &mut Request, random: &mut Rng) {
    let tails = [
        "/",
        "//",
        "/..",
        "/%2e%2e/",
        "%00",
        "%ff",
        "?",
        "?a=%zz",
        "?stream=1&stream=2",
        "/../../health",
        ";a=b",
        "?=&&",
        "%2Fx",
        "/\u{7e}",
    ];
    let tail = random.choice(tails).unwrap_or_default();
    if random.bool() {
        request.path.push_str(tail);
    } else {
        let at = random.usize(0..request.path.len());
        request
            .path
            .insert_str(request.path.floor_char_boundary(at.max(1)), tail);
    }
}
