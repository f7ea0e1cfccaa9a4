//! A form with a file in it (RFC 7578).

use super::Question;

/// Nothing that is sent holds it: what people write in a prompt is short, and the files are ours.
const BOUNDARY: &str = "pointsman-e2f1b6c4a7d84f0f9a35";
const CONTENT_TYPE: &str = "multipart/form-data; boundary=pointsman-e2f1b6c4a7d84f0f9a35";

/// `file` is the name of its field, of itself, and its type.
pub fn of(fields: &[(&str, &str)], file: (&str, &str, &str), bytes: &[u8]) -> Question {
    let mut body = Vec::with_capacity(bytes.len() + 1_024);
    for (name, value) in fields {
        let part = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        body.extend_from_slice(part.as_bytes());
    }
    let (field, name, kind) = file;
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(bytes);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    Question {
        body: body.into(),
        content_type: CONTENT_TYPE,
    }
}
