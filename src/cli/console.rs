//! `explain` and `chaos`: what a running gateway is asked.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Gateway;

/// `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The model that is asked for; in the place of the request's, if both are given.
    #[arg(value_name = "MODEL")]
    pub model: Option<String>,

    /// A file with the request's body (JSON); `-` is the standard input. A word without it.
    #[arg(long, value_name = "FILE")]
    pub body: Option<PathBuf>,

    /// What kind of request it is.
    #[arg(long, value_enum, default_value_t = Operation::Chat)]
    pub operation: Operation,

    /// Print JSON, for programs.
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub gateway: Gateway,
}

/// Kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    Chat,
    Messages,
    Responses,
    Completions,
    Embeddings,
}

impl Operation {
    /// As the gateway knows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Messages => "messages",
            Self::Responses => "responses",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
        }
    }

    /// A small request.
    pub fn sample(self) -> Value {
        match self {
            Self::Chat => json!({"messages": [{"role": "user", "content": "Hi"}]}),
            Self::Messages => {
                json!({"max_tokens": 16, "messages": [{"role": "user", "content": "Hi"}]})
            }
            Self::Responses | Self::Embeddings => json!({"input": "Hi"}),
            Self::Completions => json!({"prompt": "Hi"}),
        }
    }
}

/// `chaos`. Without a deployment it tells what is under way.
#[derive(Debug, Args)]
pub struct Chaos {
    /// The deployment's id (`GET /model/info`).
    #[arg(value_name = "DEPLOYMENT")]
    pub deployment: Option<String>,

    /// Calls fail with this status, 400 to 599.
    #[arg(long, value_name = "STATUS", requires = "deployment")]
    pub fail: Option<u16>,

    /// Calls are so many milliseconds late, at most 60000.
    #[arg(
        long = "delay-ms",
        alias = "delay_ms",
        value_name = "MS",
        requires = "deployment"
    )]
    pub delay_ms: Option<u64>,

    /// The share of its calls, up to 1.
    #[arg(long, default_value_t = 1.0)]
    pub share: f64,

    /// How long, at most 3600.
    #[arg(long, default_value_t = 60.0)]
    pub seconds: f64,

    /// End what is under way: of this deployment, or all of it.
    #[arg(long)]
    pub stop: bool,

    #[command(flatten)]
    pub gateway: Gateway,
}
