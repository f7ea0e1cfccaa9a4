//! One row of the table, and what it says about itself.

use crate::types::{Operation, Secret};

use super::anthropic;
use super::origin::{self, Origin};
use super::parameters::{Path, Rule};

/// Whose wire format a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OpenAI's, at paths of its own.
    OpenAi,
    /// OpenAI's, at Azure's addresses.
    Azure,
    /// Anthropic's.
    Anthropic,
    /// Another one, not spoken yet.
    Own,
}

/// How a key is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthWay {
    /// `Authorization: <scheme> <key>`.
    Scheme(&'static str),
    /// `<name>: <key>`.
    Header(&'static str),
}

/// A provider.
#[derive(Debug)]
pub struct Provider {
    /// The prefix of its models: `groq` in `groq/llama-3.3-70b`.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    pub protocol: Protocol,
    /// Other prefixes that mean the same.
    pub aliases: Vec<&'static str>,
    /// The address when nothing else is given, without a slash at its end. `{A|B}` stands for the first of these that is
    /// set: a name in capitals is an environment variable, another one a field of `litellm_params`.
    pub base: Option<&'static str>,
    /// Variables that may name the address, first one first.
    pub base_variables: Vec<&'static str>,
    /// Variables that may hold the key, first one first.
    pub key_variables: Vec<&'static str>,
    /// Ways in which the key is sent, all of them.
    pub auth: Vec<AuthWay>,
    /// How it is sent with Messages, where that is another way.
    pub(super) messages_auth: Option<AuthWay>,
    /// Variables that may hold a token, which is sent as `Authorization: Bearer` where there is no key.
    pub token_variables: Vec<&'static str>,
    /// A server that may run without a key.
    pub key_optional: bool,
    /// The path of each operation behind the base address, `..` in front for one beside it; `None`: not served.
    pub(super) paths: [Option<&'static str>; Operation::ALL.len()],
    /// More hosts of the provider that its key may go to; `*.` in front stands for any name before the rest.
    pub(super) hosts: Vec<&'static str>,
    /// An end of a base address and what it has to be.
    pub(super) base_rewrite: Option<(&'static str, &'static str)>,
    /// A base address that holds this text is the address of the call itself.
    pub(super) whole_mark: Option<&'static str>,
    /// Headers whose values variables may hold.
    pub header_variables: Vec<(&'static str, &'static str)>,
    pub(super) model_form: ModelForm,
    pub(super) is_azure_ai: bool,
    /// What it makes of parameters.
    pub rules: Vec<Rule>,
    /// Places in a request that it does not take.
    pub stripped: Vec<Path>,
    pub messages: MessageRules,
    /// What its chats take beyond OpenAI's.
    pub chat: ChatAbilities,
    /// A field that every request gets, as name and JSON, unless it has it.
    pub added: Vec<(&'static str, &'static str)>,
    /// Answers call their reasoning `reasoning`, where others say `reasoning_content`.
    pub says_reasoning: bool,
    /// OpenAI, or somebody who speaks for it: answers are as OpenAI documents them.
    pub is_openai: bool,
    /// A response that it makes can be gone on from by its id.
    pub keeps_responses: bool,
}

/// What a provider's messages must be like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageRules {
    /// Knows the role `developer`; for others it becomes `system`.
    pub knows_developer: bool,
    /// Takes `cache_control` marks.
    pub takes_cache_control: bool,
    /// Takes content as one text, not in parts.
    pub wants_text: bool,
    /// `name` on messages of the role `tool` alone.
    pub names_tools_only: bool,
    /// Refuses fields of assistant messages that are `null`.
    pub refuses_null: bool,
}

impl MessageRules {
    /// Whether what a translation writes is right: it never writes the role `developer`, and marks only where they are taken.
    pub fn are_kept_by_translations(&self) -> bool {
        !(self.wants_text || self.names_tools_only || self.refuses_null)
    }
}

/// What a provider's chats take that most do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChatAbilities {
    /// `thinking` and `thinking_blocks`, for models of Anthropic's.
    pub claude: bool,
    /// `reasoning_content` of earlier turns.
    pub earlier_reasoning: bool,
    /// Parts of the type `file`.
    pub files: bool,
    pub top_k: bool,
    /// `web_search_options`.
    pub web_search: bool,
}

/// How a provider spells its models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModelForm {
    #[default]
    AsWritten,
    /// Names without a slash get this in front.
    Prefixed(&'static str),
    /// Clarifai: `user.app.model` is a page of theirs.
    Clarifai,
    /// Azure: hints in front that LiteLLM's users write are no part of the deployment's name.
    AzureDeployment,
    /// Baseten: eight letters and digits are a deployment with a host of its own.
    Baseten,
}

impl Provider {
    /// Whether it serves this operation.
    pub fn serves(&self, operation: Operation) -> bool {
        self.paths[operation.index()].is_some()
    }

    /// The headers that carry `key` to `base` with calls of `operation`.
    pub fn auth_headers(
        &self,
        operation: Operation,
        base: &str,
        key: &Secret,
    ) -> Vec<(&'static str, Secret)> {
        let send = |way: &AuthWay| match way {
            AuthWay::Scheme(scheme) => {
                let value = format!("{scheme} {}", key.expose());
                ("authorization", Secret::new(value))
            }
            AuthWay::Header(name) => (*name, key.clone()),
        };
        if operation == Operation::Messages {
            if self.protocol == Protocol::Anthropic && anthropic::is_oauth_token(key) {
                let browser = Secret::new("true");
                return vec![
                    send(&AuthWay::Scheme("Bearer")),
                    (anthropic::DIRECT_ACCESS, browser),
                ];
            }
            if let Some(way) = self.messages_auth {
                return vec![send(&way)];
            }
        }
        match self.auth_at(base) {
            Some(way) => vec![send(&way)],
            None => self.auth.iter().map(send).collect(),
        }
    }

    /// A way that depends on the host.
    fn auth_at(&self, base: &str) -> Option<AuthWay> {
        let origin = Origin::of(base)?;
        if self.is_azure_ai && super::azure::wants_key_header(&origin.host) {
            return Some(AuthWay::Header("api-key"));
        }
        // Deployments of their own have a host and a scheme of their own.
        let dedicated = self.model_form == ModelForm::Baseten
            && origin::matches("*.api.baseten.co", &origin.host);
        dedicated.then_some(AuthWay::Scheme("Api-Key"))
    }

    /// The name this provider is sent for `model`, which has no provider in front any more.
    pub fn upstream_model(&self, model: &str) -> String {
        match self.model_form {
            ModelForm::Prefixed(prefix) if !model.contains('/') && model != "*" => {
                format!("{prefix}{model}")
            }
            ModelForm::Clarifai => match *model.split('.').collect::<Vec<_>>() {
                [user, app, ref rest @ ..] if !rest.is_empty() && !model.contains('/') => {
                    format!(
                        "https://clarifai.com/{user}/{app}/models/{}",
                        rest.join(".")
                    )
                }
                _ => model.to_owned(),
            },
            ModelForm::AzureDeployment => super::azure::deployment(model).to_owned(),
            // Says by which operation it is called.
            _ if self.is_openai => model.strip_prefix("responses/").unwrap_or(model).to_owned(),
            _ => model.to_owned(),
        }
    }

    /// The address for `model` when nothing else is given, placeholders unfilled.
    pub(super) fn base_for(&self, model: &str) -> Option<String> {
        let dedicated = self.model_form == ModelForm::Baseten
            && model.len() == 8
            && model.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if dedicated {
            return Some(format!(
                "https://model-{model}.api.baseten.co/environments/production/sync/v1"
            ));
        }
        self.base.map(str::to_owned)
    }

    /// Whether `origin` is one that the table gives this provider: its usual one, or one of its other hosts (by TLS).
    pub(super) fn lives_at(&self, origin: &Origin) -> bool {
        let usual = self
            .base
            .filter(|base| !base.contains('{'))
            .and_then(Origin::of);
        let other = |host: &&str| origin::matches(host, &origin.host);
        usual.as_ref() == Some(origin) || (origin.is_usual_tls() && self.hosts.iter().any(other))
    }

    /// Software that its users run themselves, or a service with an address for each customer: there is no address of the
    /// provider's own.
    pub(super) fn has_no_home(&self) -> bool {
        match self.base.map(Origin::of) {
            Some(Some(origin)) => origin.is_loopback(),
            Some(None) => false,
            None => true,
        }
    }
}
