//! OpenAI's request parameters by name.

macro_rules! parameters {
    ($($variant:ident $name:literal,)+) => {
        /// A parameter that providers serve or do not; fields outside this list are a provider's own and always go on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Parameter {
            $(#[doc = concat!("`", $name, "`")] $variant,)+
        }

        impl Parameter {
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The parameter of a top-level field; `None` for every other field.
            pub fn of_field(name: &[u8]) -> Option<Self> {
                $(
                    const _: () = assert!($name.len() < 64);
                )+
                // The compiler compares lengths first.
                $(if name == $name.as_bytes() { return Some(Self::$variant); })+
                None
            }

            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

parameters! {
    Temperature "temperature",
    MaxTokens "max_tokens",
    Tools "tools",
    ToolChoice "tool_choice",
    TopP "top_p",
    MaxCompletionTokens "max_completion_tokens",
    ReasoningEffort "reasoning_effort",
    ResponseFormat "response_format",
    N "n",
    Stop "stop",
    Seed "seed",
    User "user",
    StreamOptions "stream_options",
    ParallelToolCalls "parallel_tool_calls",
    PresencePenalty "presence_penalty",
    FrequencyPenalty "frequency_penalty",
    LogitBias "logit_bias",
    Logprobs "logprobs",
    TopLogprobs "top_logprobs",
    Functions "functions",
    FunctionCall "function_call",
    Modalities "modalities",
    Audio "audio",
    Prediction "prediction",
    Store "store",
    Verbosity "verbosity",
    ServiceTier "service_tier",
    WebSearchOptions "web_search_options",
    SafetyIdentifier "safety_identifier",
    PromptCacheKey "prompt_cache_key",
    PromptCacheRetention "prompt_cache_retention",
    Dimensions "dimensions",
}

impl Parameter {
    /// A place in an array with one thing a parameter.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Some of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParameterSet(u64);

impl ParameterSet {
    pub fn insert(&mut self, parameter: Parameter) {
        self.0 |= 1 << parameter.index();
    }

    pub fn contains(self, parameter: Parameter) -> bool {
        self.0 & (1 << parameter.index()) != 0
    }

    /// Whether any parameter is in both.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sets() {
        const { assert!(Parameter::ALL.len() <= 64) };
        for (index, parameter) in Parameter::ALL.iter().enumerate() {
            assert_eq!(parameter.index(), index);
            let name = parameter.name();
            assert_eq!(Parameter::of_field(name.as_bytes()), Some(*parameter));
            assert_eq!(Parameter::of_field(name.to_uppercase().as_bytes()), None);
        }
        assert_eq!(Parameter::of_field(b"messages"), None);
        let mut set = ParameterSet::default();
        set.insert(Parameter::Dimensions);
        assert!(set.contains(Parameter::Dimensions) && !set.contains(Parameter::N));
        assert!(set.meets(set) && !set.meets(ParameterSet::default()));
    }
}
