//! What the OpenAPI document tells about a route beside its path and its permission.

use std::borrow::Cow;

use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, ToSchema};

/// The chapter of the document that a route stands in, in the document's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    Chat,
    Messages,
    Responses,
    Completions,
    Embeddings,
    Models,
    Keys,
    Spend,
    Config,
    Utils,
    Health,
    Docs,
}

impl Tag {
    pub const ALL: [Self; 12] = [
        Self::Chat,
        Self::Messages,
        Self::Responses,
        Self::Completions,
        Self::Embeddings,
        Self::Models,
        Self::Keys,
        Self::Spend,
        Self::Config,
        Self::Utils,
        Self::Health,
        Self::Docs,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat completions",
            Self::Messages => "messages",
            Self::Responses => "responses",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Models => "models",
            Self::Keys => "keys",
            Self::Spend => "spend",
            Self::Config => "configuration",
            Self::Utils => "utilities",
            Self::Health => "health and metrics",
            Self::Docs => "documentation",
        }
    }

    pub const fn description(self) -> &'static str {
        match self {
            Self::Chat => "OpenAI's chat completions, whole or streamed.",
            Self::Messages => "Anthropic's Messages, whole or streamed.",
            Self::Responses => "OpenAI's Responses API, for models of every provider.",
            Self::Completions => "OpenAI's legacy text completions, whole or streamed.",
            Self::Embeddings => "OpenAI's embeddings.",
            Self::Models => "What may be called, and what it costs and can do.",
            Self::Keys => "Virtual keys: their models, limits and budgets.",
            Self::Spend => "What calls have cost.",
            Self::Config => "What the gateway goes by.",
            Self::Utils => "Token counts and parameters of models.",
            Self::Health => "Probes for orchestrators, checks of deployments, Prometheus.",
            Self::Docs => "What this server can do.",
        }
    }
}

/// Where a body's schema comes from.
#[derive(Clone, Copy)]
pub enum SchemaOf {
    /// The type that is deserialised or serialised.
    Type {
        name: fn() -> Cow<'static, str>,
        schema: fn() -> RefOr<Schema>,
        /// Adds the schemas that this one refers to.
        parts: fn(&mut Vec<(String, RefOr<Schema>)>),
    },
    /// The name of a schema in a room's `schemas.json`: bodies that pass through as bytes, or are put together field by field,
    /// have no type here.
    Written(&'static str),
}

impl SchemaOf {
    pub const fn of<T: ToSchema>() -> Self {
        Self::Type {
            name: T::name,
            schema: T::schema,
            parts: T::schemas,
        }
    }
}

/// What a route answers with when all is well.
#[derive(Clone, Copy)]
pub enum Answer {
    /// JSON of no fixed shape.
    AnyJson,
    Json(SchemaOf),
    /// JSON; or, when the request says `"stream": true`, events of the second shape.
    JsonOrEvents(SchemaOf, SchemaOf),
    /// Another content type.
    Text(&'static str),
}

/// Everything but path, method and permission.
#[derive(Clone, Copy)]
pub struct About {
    pub tag: Tag,
    /// One sentence for people.
    pub summary: &'static str,
    /// What is worth knowing beside it.
    pub description: &'static str,
    pub body: Option<SchemaOf>,
    /// Whether the body may be left out.
    pub body_is_optional: bool,
    pub query: Option<fn() -> Vec<Parameter>>,
    pub answer: Answer,
    /// A second answer that is no error, with its status.
    pub or: Option<(u16, SchemaOf)>,
    /// Statuses of errors that this route has beside those that its kind has anyway.
    pub errors: &'static [u16],
    /// Not in the document: for people, not for programs.
    pub is_hidden: bool,
}

impl About {
    pub const fn new(tag: Tag, summary: &'static str) -> Self {
        Self {
            tag,
            summary,
            description: "",
            body: None,
            body_is_optional: false,
            query: None,
            answer: Answer::AnyJson,
            or: None,
            errors: &[],
            is_hidden: false,
        }
    }
}

/// The query parameters of `T`.
pub(super) fn query_of<T: IntoParams>() -> Vec<Parameter> {
    T::into_params(|| Some(ParameterIn::Query))
}
