//! What else than tokens decides the cost of a call.

use crate::catalog::ServiceTier;

/// Facts of one call, from the request, the answer and the deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallFacts {
    /// The tier the provider says it served, else the one asked for.
    pub tier: ServiceTier,
    pub residency: Residency,
    /// Anthropic's `usage.inference_geo` is `us`.
    pub inference_in_us: bool,
    /// Anthropic's `usage.speed` is `fast`.
    pub fast: bool,
    pub units: Units,
}

/// Where the provider processes the data, as far as it has a price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Residency {
    #[default]
    Global,
    /// OpenAI's data residency in the US.
    Us,
    /// OpenAI's data residency in Europe.
    Eu,
    /// A Vertex location other than `global`.
    Regional,
}

/// Size of the context a web search puts before the model (`web_search_options.search_context_size`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SearchContext {
    Low,
    #[default]
    Medium,
    High,
}

/// Countable things that are billed and are no tokens. A kind without a price costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// Milliseconds of audio transcribed.
    pub milliseconds: u64,
    /// Milliseconds a text answer took, for deployments billed by time.
    pub answer_milliseconds: u64,
    /// Milliseconds of video made.
    pub video_milliseconds: u64,
    /// Characters spoken.
    pub characters: u64,
    /// Search units of a rerank, queries of a search.
    pub queries: u64,
    pub input_images: u64,
    pub output_images: u64,
    /// Pages read by OCR.
    pub pages: u64,
    pub web_searches: u64,
    pub search_context: SearchContext,
    pub maps_queries: u64,
    pub code_sessions: u64,
}
