//! Providers with error texts of their own: Azure, Anthropic, AWS, Google and the smaller protocols.

use std::borrow::Cow;

use super::class::ErrorClass::*;
use super::rules::{Rule, Verdict, rule};

/// Whose rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Everybody who speaks OpenAI's protocol, and everybody unknown.
    OpenAi,
    Azure,
    Anthropic,
    Aws,
    Google,
    Cohere,
    Replicate,
    /// Hugging Face, AI21, NLP Cloud.
    Small,
}

impl Family {
    pub fn of(provider: &str) -> Self {
        match provider {
            "azure" | "azure_text" => Self::Azure,
            "anthropic" | "anthropic_text" => Self::Anthropic,
            "bedrock" | "bedrock_converse" | "sagemaker" | "sagemaker_chat" => Self::Aws,
            "vertex_ai" | "vertex_ai_beta" | "gemini" | "palm" => Self::Google,
            "cohere" | "cohere_chat" => Self::Cohere,
            "replicate" => Self::Replicate,
            "huggingface" | "ai21" | "ai21_chat" | "nlp_cloud" => Self::Small,
            _ => Self::OpenAi,
        }
    }

    /// Whether messages show the whole error body instead of the message in it.
    pub fn shows_raw_body(self) -> bool {
        !matches!(self, Self::OpenAi | Self::Azure)
    }

    pub fn rules(self) -> &'static [Rule] {
        match self {
            Self::OpenAi => &[],
            Self::Azure => AZURE,
            Self::Anthropic => ANTHROPIC,
            Self::Aws => AWS,
            Self::Google => GOOGLE,
            Self::Cohere => COHERE,
            Self::Replicate => REPLICATE,
            Self::Small => SMALL,
        }
    }
}

/// The provider as messages spell it, before `Exception`.
pub(super) fn display_name(provider: &str) -> Cow<'_, str> {
    match provider {
        "openai" => "OpenAI".into(),
        "vertex_ai" | "vertex_ai_beta" => "VertexAI".into(),
        _ => {
            let mut letters = provider.chars();
            letters.next().map_or("".into(), |first| {
                format!("{}{}", first.to_uppercase(), letters.as_str()).into()
            })
        }
    }
}

const MODIFY_PARAMS_HINT: &str =
    " Set litellm_settings.modify_params: true to have the gateway repair such conversations.";

const AZURE: &[Rule] = &[
    rule(
        |said| said.has("Internal server error"),
        InternalServerError,
    ),
    rule(
        |said| said.has("This model's maximum context length is"),
        ContextWindowExceededError,
    ),
    rule(|said| said.has("DeploymentNotFound"), NotFoundError),
    rule(
        |said| {
            said.says("content_policy_violation")
                || said.says("responsibleaipolicyviolation")
                || said.says("the response was filtered due to the prompt triggering azure openai's content management")
                || said.says("your task failed as a result of our safety system")
                || said.says("the model produced invalid content")
                || said.says("content_filter_policy")
                || said.says("your request was rejected as a result of our safety system")
                || said.code.as_deref() == Some("content_filter")
        },
        ContentPolicyViolationError,
    ),
    rule(|said| said.has("invalid_request_error"), BadRequestError),
    rule(
        |said| said.has("The api_key client option must be set"),
        AuthenticationError,
    ),
];

const ANTHROPIC: &[Rule] = &[
    rule(
        |said| said.has("prompt is too long") || said.has("prompt: length"),
        ContextWindowExceededError,
    ),
    // 529 is Anthropic's own status for it; 503 says the same to all others.
    Rule {
        test: |said| said.status == Some(529) || said.says("overloaded"),
        verdict: Verdict {
            class: InternalServerError,
            status: Some(503),
            hint: "",
        },
    },
    rule(|said| said.status == Some(500), InternalServerError),
    rule(|said| said.has("Invalid API Key"), AuthenticationError),
    rule(
        |said| said.has("content filtering policy"),
        ContentPolicyViolationError,
    ),
];

const AWS: &[Rule] = &[
    rule(
        |said| {
            said.has("too many tokens")
                || said.has("expected maxLength:")
                || said.has("Input is too long")
                || said.has("prompt is too long")
                || said.has("prompt: length: 1..")
                || said.has("Too many input tokens")
        },
        ContextWindowExceededError,
    ),
    Rule {
        test: |said| {
            said.has(
                "Conversation blocks and tool result blocks cannot be provided in the same turn",
            ) || said.has("A conversation must start with a user message")
        },
        verdict: Verdict {
            class: BadRequestError,
            status: Some(400),
            hint: MODIFY_PARAMS_HINT,
        },
    },
    rule(|said| said.has("Malformed input request"), BadRequestError),
    rule(
        |said| {
            said.has("Unable to locate credentials")
                || said.has("The security token included in the request is invalid")
        },
        AuthenticationError,
    ),
    rule(
        |said| said.has("AccessDeniedException"),
        PermissionDeniedError,
    ),
    rule(
        |said| said.has("ThrottlingException") || said.has("throttlingException"),
        RateLimitError,
    ),
    rule(
        |said| said.has("Connect timeout on endpoint URL") || said.has("timed out"),
        Timeout,
    ),
    rule(
        |said| said.status == Some(500) && said.has("Could not process image"),
        InternalServerError,
    ),
    rule(|said| said.status == Some(500), ServiceUnavailableError),
];

const GOOGLE: &[Rule] = &[
    rule(
        |said| {
            said.has("400 Request payload size exceeds")
                || said.has("exceeds the maximum number of tokens allowed")
        },
        ContextWindowExceededError,
    ),
    rule(|said| said.status == Some(403), BadRequestError),
    rule(
        |said| said.has("The response was blocked."),
        ContentPolicyViolationError,
    ),
    rule(
        |said| {
            said.status == Some(429)
                || said.has("Quota exceeded for")
                || said.has("Resource exhausted")
                || said.has("429 Quota exceeded")
                || said.has("IndexError: list index out of range")
                || said.has("temporarily out of capacity")
                || (matches!(said.status, Some(500..)) && said.code.as_deref() == Some("429"))
        },
        RateLimitError,
    ),
    rule(
        |said| {
            said.has("The model is overloaded.")
                || said.has("None Unknown Error.")
                || said.has("Content has no parts.")
        },
        InternalServerError,
    ),
    // Sent with 400.
    Rule {
        test: |said| said.has("API key not valid."),
        verdict: Verdict {
            class: AuthenticationError,
            status: Some(401),
            hint: "",
        },
    },
    rule(|said| said.status == Some(502), APIConnectionError),
];

const COHERE: &[Rule] = &[
    rule(
        |said| said.has("too many tokens"),
        ContextWindowExceededError,
    ),
    rule(
        |said| said.has("invalid api token") || said.has("No API key provided."),
        AuthenticationError,
    ),
    rule(|said| said.has("invalid type:"), BadRequestError),
    rule(|said| said.has("CohereConnectionError"), RateLimitError),
];

const REPLICATE: &[Rule] = &[
    rule(
        |said| said.has("input is too long"),
        ContextWindowExceededError,
    ),
    rule(
        |said| said.has("Incorrect authentication token"),
        AuthenticationError,
    ),
    rule(|said| said.status == Some(422), UnprocessableEntityError),
    rule(|said| said.status == Some(500), ServiceUnavailableError),
];

const SMALL: &[Rule] = &[rule(
    |said| {
        said.has("length limit exceeded")
            || said.has("inputs tokens + max_new_tokens must be <=")
            || said.has("Prompt has too many tokens")
            || said.has("Input text length should not exceed")
    },
    ContextWindowExceededError,
)];
