//! What a model is for, as far as it says how it is asked whether it works.

use crate::providers::{Protocol, Provider, escaped};
use crate::types::Operation;

/// How a deployment is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By an operation that clients ask for too, translated where it has to be.
    Served(Operation),
    /// By one that only its provider serves.
    Plain(Errand),
    /// By opening a WebSocket, and closing it.
    Realtime,
}

/// Operations that are only asked for in checks. What they cost where they are asked for real decides how: a video costs as
/// much as ten thousand chats, so that its provider is asked for the list of those there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    ImageGeneration,
    ImageEdit,
    Speech,
    Transcription,
    Rerank,
    Moderation,
    Ocr,
    /// The list of videos.
    Video,
    /// The list of batches.
    Batch,
}

impl Errand {
    /// By the name of a mode (LiteLLM 1.106.2).
    fn named(mode: &str) -> Option<Self> {
        Some(match mode {
            "image_generation" => Self::ImageGeneration,
            "image_edit" => Self::ImageEdit,
            "audio_speech" => Self::Speech,
            "audio_transcription" => Self::Transcription,
            "rerank" => Self::Rerank,
            "moderation" | "moderations" => Self::Moderation,
            "ocr" => Self::Ocr,
            "video_generation" => Self::Video,
            "batch" => Self::Batch,
            _ => return None,
        })
    }

    /// Its path behind the base address (OpenAI's reference; Mistral's of `ocr`; Cohere's and vLLM's of `rerank`).
    const fn path(self) -> &'static str {
        match self {
            Self::ImageGeneration => "/images/generations",
            Self::ImageEdit => "/images/edits",
            Self::Speech => "/audio/speech",
            Self::Transcription => "/audio/transcriptions",
            Self::Rerank => "/rerank",
            Self::Moderation => "/moderations",
            Self::Ocr => "/ocr",
            Self::Video => "/videos",
            Self::Batch => "/batches",
        }
    }

    /// What it is called in the books (LiteLLM 1.106.2). `None`: a list costs nothing.
    pub const fn call_type(self) -> Option<&'static str> {
        Some(match self {
            Self::ImageGeneration => "aimage_generation",
            Self::ImageEdit => "aimage_edit",
            Self::Speech => "aspeech",
            Self::Transcription => "atranscription",
            Self::Rerank => "arerank",
            Self::Moderation => "amoderation",
            Self::Ocr => "aocr",
            Self::Video | Self::Batch => return None,
        })
    }

    /// Asks for a list, by GET.
    pub const fn is_list(self) -> bool {
        matches!(self, Self::Video | Self::Batch)
    }

    /// Where a provider is asked; `None`: it speaks a protocol that has no such thing.
    pub(super) fn url(
        self,
        provider: &Provider,
        base: &str,
        model: &str,
        version: Option<&str>,
    ) -> Option<String> {
        // Azure's addresses name the deployment that is to make something; lists belong to the resource.
        let by_deployment = !self.is_list();
        let path = match (provider.protocol, self) {
            (Protocol::Own, _) => return None,
            (Protocol::Anthropic, Self::Batch) => "/v1/messages/batches",
            (Protocol::Anthropic, _) => return None,
            (Protocol::OpenAi | Protocol::Azure, _) => self.path(),
        };
        let mut url = provider.url_of_path(path, by_deployment, base, model, version);
        if self.is_list() {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str("limit=1");
        }
        Some(url)
    }
}

/// Where a realtime session of a model is begun (OpenAI's reference; Azure's of the `v1` form, which has no version of its
/// own). Of `http:` or `https:`, as everything that is called. `None`: its provider speaks another protocol.
pub(super) fn realtime_url(provider: &Provider, base: &str, model: &str) -> Option<String> {
    if !matches!(provider.protocol, Protocol::OpenAi | Protocol::Azure) {
        return None;
    }
    let mut url = provider.url_of_path("/realtime", false, base, model, Some("v1"));
    url.push(if url.contains('?') { '&' } else { '?' });
    url.push_str("model=");
    url.push_str(&escaped(model));
    Some(url)
}

impl Mode {
    /// `mode` is what the entry or the catalogue says; a conversation is asked by another operation where the deployment
    /// `serves` none such. What nobody knows is asked as a chat.
    pub(super) fn of(mode: Option<&str>, serves: impl Fn(Operation) -> bool) -> Self {
        let first = |order: [Operation; 3]| {
            let mut order = order.into_iter();
            let served = order.find(|operation| serves(*operation));
            Self::Served(served.unwrap_or(Operation::Chat))
        };
        let [chat, messages, responses] = Operation::CONVERSATIONS;
        match mode {
            Some("embedding") => Self::Served(Operation::Embedding),
            Some("completion") => Self::Served(Operation::Completion),
            Some("realtime") => Self::Realtime,
            Some("responses") => first([responses, chat, messages]),
            Some("anthropic_messages") => first([messages, chat, responses]),
            Some(mode) => {
                Errand::named(mode).map_or_else(|| first([chat, messages, responses]), Self::Plain)
            }
            None => first([chat, messages, responses]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::find;

    #[test]
    fn a_conversation_takes_what_there_is() {
        let only = |served: Operation| move |asked: Operation| asked == served;
        for (mode, served, expected) in [
            (None, Operation::Chat, Operation::Chat),
            (None, Operation::Messages, Operation::Messages),
            (Some("chat"), Operation::Responses, Operation::Responses),
            (Some("responses"), Operation::Chat, Operation::Chat),
            (
                Some("anthropic_messages"),
                Operation::Messages,
                Operation::Messages,
            ),
            (Some("decisions"), Operation::Chat, Operation::Chat),
            (Some("embedding"), Operation::Chat, Operation::Embedding),
        ] {
            assert_eq!(
                Mode::of(mode, only(served)),
                Mode::Served(expected),
                "{mode:?}"
            );
        }
        assert_eq!(
            Mode::of(Some("responses"), |_| true),
            Mode::Served(Operation::Responses)
        );
        assert_eq!(Mode::of(Some("ocr"), |_| true), Mode::Plain(Errand::Ocr));
    }

    #[test]
    fn sessions() {
        let url = |name, base| realtime_url(find(name).unwrap(), base, "gpt realtime");
        for (provider, base, expected) in [
            ("openai", "https://h/v1", Some("https://h/v1/realtime")),
            (
                "xai",
                "https://api.x.ai/v1/",
                Some("https://api.x.ai/v1/realtime"),
            ),
            (
                "azure",
                "https://r.openai.azure.com",
                Some("https://r.openai.azure.com/openai/v1/realtime"),
            ),
            ("anthropic", "https://h", None),
        ] {
            let expected = expected.map(|url| format!("{url}?model=gpt%20realtime"));
            assert_eq!(url(provider, base), expected, "{provider}");
        }
        assert_eq!(
            url("openai", "https://h/v1?a=b").unwrap(),
            "https://h/v1/realtime?a=b&model=gpt%20realtime"
        );
    }

    /// Checked against the references of OpenAI, Azure and Anthropic.
    #[test]
    fn addresses() {
        let azure = "https://r.openai.azure.com";
        for (provider, base, mode, expected) in [
            (
                "openai",
                "https://h/v1",
                "image_generation",
                Some("https://h/v1/images/generations".to_owned()),
            ),
            (
                "openai",
                "https://h/v1/",
                "audio_transcription",
                Some("https://h/v1/audio/transcriptions".to_owned()),
            ),
            (
                "openai",
                "https://h/v1/chat/completions",
                "rerank",
                Some("https://h/v1/rerank".to_owned()),
            ),
            (
                "openai",
                "https://h/v1?a=b",
                "batch",
                Some("https://h/v1/batches?a=b&limit=1".to_owned()),
            ),
            (
                "mistral",
                "https://api.mistral.ai/v1",
                "ocr",
                Some("https://api.mistral.ai/v1/ocr".to_owned()),
            ),
            (
                "azure",
                azure,
                "audio_speech",
                Some(format!(
                    "{azure}/openai/deployments/tts/audio/speech?api-version=2024-10-21"
                )),
            ),
            (
                "azure",
                azure,
                "batch",
                Some(format!(
                    "{azure}/openai/batches?api-version=2024-10-21&limit=1"
                )),
            ),
            (
                "anthropic",
                "https://h",
                "batch",
                Some("https://h/v1/messages/batches?limit=1".to_owned()),
            ),
            ("anthropic", "https://h", "image_edit", None),
        ] {
            let errand = Errand::named(mode).unwrap();
            let url = errand.url(find(provider).unwrap(), base, "tts", Some("2024-10-21"));
            assert_eq!(url, expected, "{provider} {mode}");
        }
    }
}
