//! What requests of other protocols may say to a deployment when they are translated for it: compiled once.

use crate::catalog::ModelEntry as CatalogEntry;
use crate::protocol::{anthropic, openai_chat, openai_responses};
use crate::providers::Provider;

/// Whom a request is written for, by the protocol it is translated to.
#[derive(Clone, Copy, Debug)]
pub struct Targets {
    chat: openai_chat::Target<'static>,
    messages: anthropic::Target<'static>,
    responses: openai_responses::Target<'static>,
}

impl Targets {
    /// For the model `name` of a provider. `row` is the catalogue's row of it, `most_output` what the entry says of the longest
    /// answer, in tokens; with `mends` conversations that the model would refuse are mended.
    pub fn of(
        provider: &Provider,
        name: &str,
        row: Option<&CatalogEntry>,
        most_output: Option<u64>,
        mends: bool,
    ) -> Self {
        let chat = openai_chat::Target::of(name, provider, row);
        Self {
            // The name is the deployment's, and is borrowed from it with each call.
            chat: openai_chat::Target { model: "", ..chat },
            messages: anthropic::Target {
                mends,
                ..anthropic::Target::of("", row, most_output)
            },
            responses: openai_responses::Target::of("", provider, row),
        }
    }

    /// For a chat with `model`.
    pub fn chat<'a>(&self, model: &'a str) -> openai_chat::Target<'a> {
        self.chat.named(model)
    }

    /// For Anthropic's Messages with `model`.
    pub fn messages<'a>(&self, model: &'a str) -> anthropic::Target<'a> {
        self.messages.named(model)
    }

    /// For OpenAI's Responses with `model`, asked of the deployment of this id.
    pub fn responses<'a>(
        &self,
        model: &'a str,
        deployment: &'a str,
    ) -> openai_responses::Target<'a> {
        self.responses.named(model, deployment)
    }
}
