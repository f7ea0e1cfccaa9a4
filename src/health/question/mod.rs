//! What deployments are asked, the smallest question of each kind. Pure: a mode and what is said in, a body out.

mod form;
mod picture;
mod sound;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::router::{Errand, HealthCheck};
use crate::types::Operation;

/// A body and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Empty where nothing is sent.
    pub body: Bytes,
    pub content_type: &'static str,
}

const JSON: &str = "application/json";

/// OpenAI's least limit of output, of Responses.
const LEAST_OF_RESPONSES: u64 = 16;

/// A request of an operation, in its client's form.
pub fn served(operation: Operation, check: &HealthCheck) -> Bytes {
    let prompt = &*check.prompt;
    let body = match operation {
        // Anthropic's smallest question is the same.
        Operation::Chat | Operation::Messages => json!({
            "model": "probe",
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": check.max_tokens,
        }),
        Operation::Completion => {
            json!({"model": "probe", "prompt": prompt, "max_tokens": check.max_tokens})
        }
        Operation::Responses | Operation::Compaction => json!({
            "model": "probe",
            "input": prompt,
            "max_output_tokens": check.max_tokens.max(LEAST_OF_RESPONSES),
        }),
        Operation::Embedding => json!({"model": "probe", "input": [prompt]}),
    };
    body.to_string().into()
}

/// What a provider is asked itself, of `model`.
pub fn plain(errand: Errand, check: &HealthCheck, model: &str) -> Question {
    let prompt = &*check.prompt;
    let body = match errand {
        Errand::ImageGeneration => image(model, prompt),
        Errand::Speech => json!({"model": model, "input": prompt, "voice": &*check.voice}),
        Errand::Rerank => {
            json!({"model": model, "query": prompt, "documents": [prompt], "top_n": 1})
        }
        Errand::Moderation => json!({"model": model, "input": prompt}),
        Errand::Ocr => json!({
            "model": model,
            "document": {"type": "image_url", "image_url": picture::data_url()},
        }),
        Errand::Transcription => {
            return form::of(
                &[("model", model)],
                ("file", "silence.wav", "audio/wav"),
                &sound::silence(),
            );
        }
        Errand::ImageEdit => {
            let fields = [("model", model), ("prompt", prompt), ("n", "1")];
            return form::of(
                &fields,
                ("image", "white.png", "image/png"),
                &picture::png(),
            );
        }
        Errand::Video | Errand::Batch => {
            return Question {
                body: Bytes::new(),
                content_type: JSON,
            };
        }
    };
    Question {
        body: body.to_string().into(),
        content_type: JSON,
    }
}

/// The cheapest picture that OpenAI's models make; others choose themselves.
fn image(model: &str, prompt: &str) -> Value {
    let mut body = json!({"model": model, "prompt": prompt, "n": 1});
    if model.starts_with("gpt-image") {
        body["quality"] = "low".into();
    } else if model == "dall-e-2" {
        body["size"] = "256x256".into();
    }
    body
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::router::Mode;

    fn check() -> HealthCheck {
        HealthCheck {
            mode: Mode::Served(Operation::Chat),
            url: None,
            models: Vec::new(),
            prompt: "say \"hello\"".into(),
            max_tokens: 3,
            voice: "ash".into(),
            timeout: Duration::ZERO,
            in_background: true,
        }
    }

    #[test]
    fn what_is_said_is_quoted() {
        for operation in Operation::ALL {
            let body: Value = serde_json::from_slice(&served(operation, &check())).unwrap();
            assert!(body.to_string().contains("say \\\"hello\\\""), "{body}");
            assert!(body.to_string().len() < 200, "{body}");
        }
        let responses: Value =
            serde_json::from_slice(&served(Operation::Responses, &check())).unwrap();
        assert_eq!(responses["max_output_tokens"], 16);
    }

    #[test]
    fn every_errand_has_its_body() {
        let json = |errand, model| -> Value {
            let question = plain(errand, &check(), model);
            assert_eq!(question.content_type, JSON);
            serde_json::from_slice(&question.body).unwrap()
        };
        let prompt = "say \"hello\"";
        for (errand, model, expected) in [
            (
                Errand::ImageGeneration,
                "gpt-image-1",
                json!({"model": "gpt-image-1", "prompt": prompt, "n": 1, "quality": "low"}),
            ),
            (
                Errand::ImageGeneration,
                "dall-e-2",
                json!({"model": "dall-e-2", "prompt": prompt, "n": 1, "size": "256x256"}),
            ),
            (
                Errand::ImageGeneration,
                "flux",
                json!({"model": "flux", "prompt": prompt, "n": 1}),
            ),
            (
                Errand::Speech,
                "tts-1",
                json!({"model": "tts-1", "input": prompt, "voice": "ash"}),
            ),
            (
                Errand::Rerank,
                "r",
                json!({"model": "r", "query": prompt, "documents": [prompt], "top_n": 1}),
            ),
            (
                Errand::Moderation,
                "m",
                json!({"model": "m", "input": prompt}),
            ),
        ] {
            assert_eq!(json(errand, model), expected);
        }
        let ocr = json(Errand::Ocr, "mistral-ocr");
        let url = ocr["document"]["image_url"].as_str().unwrap();
        assert!(
            url.starts_with("data:image/png;base64,iVBORw0KGgo"),
            "{url}"
        );
        for list in [Errand::Video, Errand::Batch] {
            assert!(plain(list, &check(), "m").body.is_empty());
        }
        for (errand, name) in [
            (Errand::Transcription, "file"),
            (Errand::ImageEdit, "image"),
        ] {
            let question = plain(errand, &check(), "whisper-1");
            assert!(
                question
                    .content_type
                    .starts_with("multipart/form-data; boundary=")
            );
            let text = String::from_utf8_lossy(&question.body);
            assert!(
                text.contains("name=\"model\"\r\n\r\nwhisper-1\r\n"),
                "{text}"
            );
            assert!(
                text.contains(&format!("name=\"{name}\"; filename=")),
                "{text}"
            );
        }
    }
}
