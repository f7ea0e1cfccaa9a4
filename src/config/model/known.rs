//! What is known of providers by name. A provider that is not listed is taken for OpenAI-compatible when its `api_base` is given.

use crate::catalog;

/// Where OpenAI lives.
const OPENAI_BASE: &str = "https://api.openai.com/v1";

/// A provider whose address and key may come from the environment.
pub struct Known {
    pub name: &'static str,
    /// The address when nothing else is given.
    pub base: Option<&'static str>,
    /// Variables that may name the address, first one first.
    pub base_variables: &'static [&'static str],
    pub key_variable: Option<&'static str>,
}

/// Providers that can be called in this version.
pub const KNOWN: &[Known] = &[
    Known {
        name: "openai",
        base: Some(OPENAI_BASE),
        base_variables: &["OPENAI_BASE_URL", "OPENAI_API_BASE"],
        key_variable: Some("OPENAI_API_KEY"),
    },
    Known {
        name: "text-completion-openai",
        base: Some(OPENAI_BASE),
        base_variables: &["OPENAI_BASE_URL", "OPENAI_API_BASE"],
        key_variable: Some("OPENAI_API_KEY"),
    },
    Known {
        name: "custom_openai",
        base: None,
        base_variables: &[],
        key_variable: None,
    },
    Known {
        name: "openai_like",
        base: None,
        base_variables: &["OPENAI_LIKE_API_BASE"],
        key_variable: Some("OPENAI_LIKE_API_KEY"),
    },
    Known {
        name: "litellm_proxy",
        base: None,
        base_variables: &["LITELLM_PROXY_API_BASE"],
        key_variable: Some("LITELLM_PROXY_API_KEY"),
    },
    Known {
        name: "hosted_vllm",
        base: None,
        base_variables: &["HOSTED_VLLM_API_BASE"],
        key_variable: Some("HOSTED_VLLM_API_KEY"),
    },
];

/// Providers with a wire format of their own: an `api_base` does not make them OpenAI-compatible.
#[rustfmt::skip]
pub const OWN_FORMAT: &[&str] = &[
    "a2a", "a2a_agent", "aleph_alpha", "anthropic", "anthropic_text", "aws_polly", "aws_textract", "azure", "azure_ai",
    "azure_speech", "azure_text", "bedrock", "bedrock_converse", "black_forest_labs", "bytez", "chatgpt", "cohere",
    "cohere_chat", "deepgram", "elevenlabs", "fal_ai", "gdc", "gemini", "gigachat", "github_copilot", "huggingface",
    "infinity", "jina_ai", "langflow", "langgraph", "laya", "manus", "nlp_cloud", "nvidia_riva", "oci", "ollama",
    "ollama_chat", "palm", "petals", "predibase", "ragflow", "reducto", "replicate", "runwayml", "sagemaker",
    "sagemaker_chat", "sagemaker_nova", "sap", "snowflake", "soniox", "stability", "text-completion-codestral",
    "text-completion-inception", "topaz", "transcribe", "triton", "vertex_ai", "vertex_ai_beta", "voyage", "watsonx",
    "watsonx_text",
];

/// Starts of the names of OpenAI's own models.
const OPENAI_MODELS: &[&str] = &[
    "gpt-3.5-",
    "gpt-4",
    "gpt-5",
    "gpt-6",
    "gpt-audio",
    "gpt-image-",
    "gpt-live-",
    "gpt-realtime",
    "gpt-transcribe",
    "chatgpt-",
    "codex-mini-",
    "computer-use-preview",
    "dall-e-",
    "ft:gpt-",
    "ft:o4-",
    "omni-moderation-",
    "sora-2",
    "text-embedding-3-",
    "text-embedding-ada-",
    "text-moderation-",
    "tts-1",
    "whisper-1",
];

/// The provider of a model name without prefix: the catalogue's, else OpenAI for names like its own (newer models,
/// fine-tunes); `*` alone means OpenAI, too.
pub fn owner(model: &str) -> Option<&'static str> {
    if let Some(entry) = catalog::find_key(model) {
        return Some(entry.provider);
    }
    // The reasoning models: o1, o3-mini …
    let mut letters = model.chars();
    let reasoning = letters.next() == Some('o')
        && letters.next().is_some_and(|c| c.is_ascii_digit())
        && matches!(letters.next(), None | Some('-'));
    let like_theirs =
        reasoning || model == "*" || OPENAI_MODELS.iter().any(|start| model.starts_with(start));
    like_theirs.then_some("openai")
}
