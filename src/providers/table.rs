//! The embedded text, read once.
//!
//! Rules for parameters are explained at [`Rule`]. The last column's words:
//!
//! | word | the provider |
//! |---|---|
//! | `alias=x` | has this prefix, too |
//! | `token=X` | takes the variable X as a bearer token where there is no key |
//! | `host=x` | has this host, too, and its key may go there |
//! | `base=x>y` | is at y where somebody writes an address that ends in x |
//! | `whole=x` | is called at an address that holds x as it is |
//! | `header=X:Y` | gets the header X from the variable Y |
//! | `model=x` | has models that begin with x, or `clarifai`'s pages |
//! | `dedicated` | gives deployments of eight letters and digits a host each |
//! | `openai` | is OpenAI, or speaks for it |
//! | `azure_ai` | is Azure AI Foundry |
//! | `developer`, `cache_control` | knows that role, these marks |
//! | `flatten`, `nonull`, `name=tool` | wants content as text, no null fields, names on tool messages alone |
//! | `claude`, `replay`, `files`, `top_k`, `search` | takes thinking blocks for Claude, `reasoning_content` of earlier turns, parts of
//! the type `file`, `top_k`, `web_search_options` |
//! | `reasoning` | answers with `reasoning` for `reasoning_content` |
//! | `strip=x` | does not take what is at x |
//! | `keeps` | keeps the responses that it makes, so that others may go on from them |
//! | `body=x:y` | gets the field x with the JSON y |

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::types::Operation;

use super::parameters::{Path, Rule};
use super::provider::{AuthWay, ChatAbilities, MessageRules, ModelForm, Protocol, Provider};

/// See the head of the room for the format.
const TEXT: &str = include_str!("providers.tsv");

/// Stands in for a name that is not in the table and has an `api_base`.
const GENERIC: &str = "custom_openai";

struct Table {
    rows: Vec<Provider>,
    by_name: HashMap<&'static str, usize>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    // A test reads every line; one that could not be read would be missing here.
    let rows: Vec<Provider> = TEXT.lines().filter_map(|line| parse(line).ok()).collect();
    let names = |(index, row): (usize, &Provider)| {
        let own = std::iter::once(row.name).chain(row.aliases.iter().copied());
        own.map(move |name| (name, index)).collect::<Vec<_>>()
    };
    let by_name = rows.iter().enumerate().flat_map(names).collect();
    Table { rows, by_name }
});

/// Every provider, in the order of their names.
pub fn all() -> impl Iterator<Item = &'static Provider> {
    TABLE.rows.iter()
}

/// The provider of this name or alias.
pub fn find(name: &str) -> Option<&'static Provider> {
    TABLE.rows.get(*TABLE.by_name.get(name)?)
}

/// The provider of this name, or the one that stands for any OpenAI-compatible server.
pub fn or_generic(name: &str) -> &'static Provider {
    static UNKNOWN: LazyLock<Provider> = LazyLock::new(Provider::default);
    find(name).or_else(|| find(GENERIC)).unwrap_or(&UNKNOWN)
}

impl Default for Provider {
    /// Nobody, nowhere.
    fn default() -> Self {
        Self {
            name: "",
            title: "",
            protocol: Protocol::Own,
            aliases: Vec::new(),
            base: None,
            base_variables: Vec::new(),
            key_variables: Vec::new(),
            auth: Vec::new(),
            messages_auth: None,
            token_variables: Vec::new(),
            key_optional: false,
            paths: [None; Operation::ALL.len()],
            hosts: Vec::new(),
            base_rewrite: None,
            whole_mark: None,
            header_variables: Vec::new(),
            model_form: ModelForm::AsWritten,
            is_azure_ai: false,
            rules: Vec::new(),
            stripped: Vec::new(),
            messages: MessageRules::default(),
            chat: ChatAbilities::default(),
            added: Vec::new(),
            says_reasoning: false,
            is_openai: false,
            keeps_responses: false,
        }
    }
}

/// What is wrong with a line, in words for whoever edits the file.
type Wrong = String;

fn parse(line: &'static str) -> Result<Provider, Wrong> {
    let mut columns = line.split('\t');
    let mut next = || columns.next().unwrap_or_default();
    let (name, title, protocol) = (next(), next(), next());
    let mut provider = Provider {
        name,
        title,
        protocol: match protocol {
            "openai" => Protocol::OpenAi,
            "azure" => Protocol::Azure,
            "anthropic" => Protocol::Anthropic,
            "own" => Protocol::Own,
            other => return Err(format!("unknown protocol '{other}'")),
        },
        ..Provider::default()
    };
    if provider.protocol == Protocol::Azure {
        provider.model_form = ModelForm::AzureDeployment;
    }
    provider.base = Some(next()).filter(|base| !base.is_empty());
    provider.base_variables = list(next());
    provider.key_variables = list(next());
    for way in list(next()) {
        auth(&mut provider, way)?;
    }
    for operation in list(next()) {
        serve(&mut provider, operation)?;
    }
    for rule in words(next()) {
        let rule = Rule::parse(rule).map_err(|error| error.to_string())?;
        provider.rules.push(rule);
    }
    for quirk in words(next()) {
        read_quirk(&mut provider, quirk)?;
    }
    match columns.next() {
        Some(more) => Err(format!("a column too many: '{more}'")),
        None => Ok(provider),
    }
}

fn list(text: &'static str) -> Vec<&'static str> {
    text.split(',').filter(|item| !item.is_empty()).collect()
}

fn words(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split(' ').filter(|word| !word.is_empty())
}

fn auth(provider: &mut Provider, way: &'static str) -> Result<(), Wrong> {
    match way.split_once(':') {
        None if way == "bearer" => provider.auth.push(AuthWay::Scheme("Bearer")),
        None if way == "optional" => provider.key_optional = true,
        Some(("scheme", scheme)) => provider.auth.push(AuthWay::Scheme(scheme)),
        Some(("header", name)) => provider.auth.push(AuthWay::Header(name)),
        Some(("messages", name)) => provider.messages_auth = Some(AuthWay::Header(name)),
        _ => return Err(format!("unknown way to send a key '{way}'")),
    }
    Ok(())
}

fn serve(provider: &mut Provider, text: &'static str) -> Result<(), Wrong> {
    let (name, path) = match text.split_once('=') {
        Some((name, path)) => (name, Some(path)),
        None => (text, None),
    };
    let operation = match name {
        "chat" => Operation::Chat,
        "completions" => Operation::Completion,
        "embeddings" => Operation::Embedding,
        "messages" => Operation::Messages,
        "responses" => Operation::Responses,
        _ => return Err(format!("unknown operation '{name}'")),
    };
    let path = path.unwrap_or(operation.path());
    provider.paths[operation.index()] = Some(path);
    if operation == Operation::Responses {
        // Read once and kept for ever, as the rest of the table is.
        let compact = format!("{path}/compact").leak();
        provider.paths[Operation::Compaction.index()] = Some(compact);
    }
    Ok(())
}

fn read_quirk(provider: &mut Provider, quirk: &'static str) -> Result<(), Wrong> {
    let unknown = || format!("unknown quirk '{quirk}'");
    match quirk.split_once('=') {
        None => match quirk {
            "dedicated" => provider.model_form = ModelForm::Baseten,
            "azure_ai" => provider.is_azure_ai = true,
            "developer" => provider.messages.knows_developer = true,
            "cache_control" => provider.messages.takes_cache_control = true,
            "flatten" => provider.messages.wants_text = true,
            "nonull" => provider.messages.refuses_null = true,
            "reasoning" => provider.says_reasoning = true,
            "openai" => provider.is_openai = true,
            "keeps" => provider.keeps_responses = true,
            "claude" => provider.chat.claude = true,
            "replay" => provider.chat.earlier_reasoning = true,
            "files" => provider.chat.files = true,
            "top_k" => provider.chat.top_k = true,
            "search" => provider.chat.web_search = true,
            _ => return Err(unknown()),
        },
        Some(("token", name)) => provider.token_variables.push(name),
        Some(("alias", name)) => provider.aliases.push(name),
        Some(("host", host)) => provider.hosts.push(host),
        Some(("whole", mark)) => provider.whole_mark = Some(mark),
        Some(("base", rewrite)) => {
            provider.base_rewrite = Some(rewrite.split_once('>').ok_or_else(unknown)?);
        }
        Some(("header", header)) => {
            provider
                .header_variables
                .push(header.split_once(':').ok_or_else(unknown)?);
        }
        Some(("name", "tool")) => provider.messages.names_tools_only = true,
        Some(("strip", path)) => {
            provider
                .stripped
                .push(Path::parse(path).map_err(|_| unknown())?);
        }
        Some(("body", field)) => {
            provider
                .added
                .push(field.split_once(':').ok_or_else(unknown)?);
        }
        Some(("model", "clarifai")) => provider.model_form = ModelForm::Clarifai,
        Some(("model", prefix)) => provider.model_form = ModelForm::Prefixed(prefix),
        _ => return Err(unknown()),
    }
    Ok(())
}

#[cfg(test)]
mod docs;
#[cfg(test)]
mod tests;
