//! What a client asks of a model.

/// An operation on a model. A deployment serves each at an address of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// `POST /v1/chat/completions`.
    Chat,
    /// `POST /v1/completions`, OpenAI's older text completions.
    Completion,
    /// `POST /v1/embeddings`.
    Embedding,
    /// `POST /v1/messages`, Anthropic's.
    Messages,
    /// `POST /v1/responses`, OpenAI's.
    Responses,
    /// `POST /v1/responses/compact`: a conversation made short, for the deployment that did it alone.
    Compaction,
}

impl Operation {
    /// All of them, in the order of [`Self::index`].
    pub const ALL: [Self; 6] = [
        Self::Chat,
        Self::Completion,
        Self::Embedding,
        Self::Messages,
        Self::Responses,
        Self::Compaction,
    ];

    /// Those that say the same in different protocols, the one that most providers speak first.
    pub const CONVERSATIONS: [Self; 3] = [Self::Chat, Self::Messages, Self::Responses];

    /// Belongs to the Responses API, whose requests may go on from others.
    pub const fn is_of_responses(self) -> bool {
        matches!(self, Self::Responses | Self::Compaction)
    }

    /// A place in an array that holds one thing an operation.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The usual path of the operation, behind the base address (`…/v1`).
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Completion => "/completions",
            Self::Embedding => "/embeddings",
            Self::Messages => "/messages",
            Self::Responses => "/responses",
            Self::Compaction => "/responses/compact",
        }
    }

    /// The name of the operation in spend rows and metrics (LiteLLM 1.106.2).
    pub const fn call_type(self) -> &'static str {
        match self {
            Self::Chat => "acompletion",
            Self::Completion => "atext_completion",
            Self::Embedding => "aembedding",
            Self::Messages => "anthropic_messages",
            Self::Responses => "aresponses",
            Self::Compaction => "acompact_responses",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_the_place_in_all() {
        for (place, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation.index(), place);
        }
    }
}
