//! Operations that make something else than text, lists, and sessions: answered at once, and only when they were asked right.

use serde_json::{Value, json};

use super::errors::Refusal;

/// By the end of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    Image,
    ImageEdit,
    Speech,
    Transcription,
    Rerank,
    Moderation,
    Ocr,
    /// A WebSocket.
    Realtime,
    Videos,
    Batches,
}

impl Thing {
    pub fn of(path: &str) -> Option<Self> {
        let ends = [
            ("/images/generations", Self::Image),
            ("/images/edits", Self::ImageEdit),
            ("/audio/speech", Self::Speech),
            ("/audio/transcriptions", Self::Transcription),
            ("/rerank", Self::Rerank),
            ("/moderations", Self::Moderation),
            ("/ocr", Self::Ocr),
            ("/realtime", Self::Realtime),
            ("/videos", Self::Videos),
            ("/batches", Self::Batches),
        ];
        let mut ends = ends.into_iter();
        ends.find(|(end, _)| path.ends_with(end))
            .map(|(_, thing)| thing)
    }

    pub fn allows(self, method: &str) -> bool {
        match self {
            Self::Videos | Self::Batches | Self::Realtime => method == "GET",
            _ => method == "POST",
        }
    }

    /// The model that is asked for; `path` with its query.
    pub fn model(self, path: &str, body: &[u8]) -> Option<String> {
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        match self {
            Self::Videos | Self::Batches => None,
            Self::Transcription | Self::ImageEdit => field(body, "model"),
            Self::Realtime => {
                let (_, query) = path.split_once('?')?;
                let mut fields = query.split('&');
                let model = fields.find_map(|field| field.strip_prefix("model="));
                model.map(str::to_owned)
            }
            _ => json["model"].as_str().map(str::to_owned),
        }
    }

    /// The answer; a refusal names what is wrong.
    pub fn answer(self, path: &str, body: &[u8]) -> Result<String, Refusal> {
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let has = |name: &str| match &json[name] {
            Value::Null => Err(wants(name)),
            Value::String(text) if text.is_empty() => Err(wants(name)),
            _ => Ok(()),
        };
        let holds = |what: &[u8], name: &str| {
            let is_there = body.windows(what.len()).any(|part| part == what);
            if is_there { Ok(()) } else { Err(wants(name)) }
        };
        if !matches!(self, Self::Videos | Self::Batches) && self.model(path, body).is_none() {
            return Err(wants("model"));
        }
        let answer = match self {
            Self::Image => {
                has("prompt")?;
                json!({"created": 1, "data": [{"b64_json": "a".repeat(200_000)}]})
            }
            Self::ImageEdit => {
                holds(b"\x89PNG\r\n", "image")?;
                field(body, "prompt").ok_or_else(|| wants("prompt"))?;
                json!({"created": 1, "data": [{"b64_json": "aaaa"}]})
            }
            Self::Speech => {
                has("input").and(has("voice"))?;
                return Ok("ID3 no JSON".to_owned());
            }
            Self::Transcription => {
                holds(b"RIFF", "file").and(holds(b"WAVEfmt ", "file"))?;
                json!({"text": ""})
            }
            Self::Rerank => {
                has("query").and(has("documents"))?;
                json!({"results": [{"index": 0, "relevance_score": 1.0}]})
            }
            Self::Moderation => {
                has("input")?;
                json!({"id": "modr-1", "results": [{"flagged": false}]})
            }
            Self::Ocr => {
                has("document")?;
                json!({"pages": []})
            }
            Self::Realtime => {
                let message = "This endpoint only accepts WebSocket connections.";
                return Err(Refusal::invalid(426, message, None, None));
            }
            Self::Videos | Self::Batches => json!({"object": "list", "data": []}),
        };
        Ok(answer.to_string())
    }
}

fn wants(name: &str) -> Refusal {
    let message = format!("Missing required parameter: '{name}'.");
    Refusal::invalid(
        400,
        &message,
        Some(name),
        Some("missing_required_parameter"),
    )
}

/// A field of a form, as curl and the SDKs write it.
fn field(body: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let head = format!("name=\"{name}\"\r\n\r\n");
    let (_, rest) = text.split_once(&head)?;
    Some(rest.split("\r\n").next()?.to_owned())
}
