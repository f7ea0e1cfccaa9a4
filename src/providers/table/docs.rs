//! `docs/providers.md` is what the table says.

use std::fmt::Write;

use super::*;
use crate::providers::parameters::{Action, Rule};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/providers.md");

const HEAD: &str = "# Providers

A model is written with its provider in front: `model: groq/llama-3.3-70b-versatile`. What is below is all there is to know
about a provider; one that is not listed and speaks OpenAI's format is called as `openai/<model>` with an `api_base`.

**Keys.** `api_key` of an entry goes to that entry's address. A key from the environment goes to its provider's own address,
or to the one that the provider's own variable names, and to nobody else; with another `api_base` write
`api_key: os.environ/NAME`. Providers without an address of their own lend theirs to the `api_base` of an entry, unless
another provider lives there.

**Parameters.** What a provider does not serve is refused with status 400 and the parameter's name. With `drop_params: true`
(`litellm_settings`, `litellm_params` or the request) it is left out; `additional_drop_params: [seed, \"tools[*].strict\"]`
leaves out more, `allowed_openai_params: [n]` sends what the table refuses. `max_tokens` and `max_completion_tokens` mean
the same, the provider gets the name that it knows. `reasoning_effort` and `verbosity` are refused for models that the
catalogue knows and that do not reason. OpenAI's o series, gpt-5 and gpt-6 refuse what their models refuse, at Azure as
well (set `base_model` where a deployment's name does not tell). Unknown fields go on as they are. `developer` messages
become `system`, and `cache_control` marks are taken out, for those who do not know them.

**Azure.** `model: azure/<deployment>` with `api_base: https://<resource>.openai.azure.com`; `api_version` (or
`AZURE_API_VERSION`) is a date, or `v1`, `preview`, `latest` for the addresses without one.
Without a key, a token of Microsoft Entra ID is sent: `azure_ad_token` (`AZURE_AD_TOKEN`), or one that is got and renewed with
`tenant_id`, `client_id`, `client_secret` (`AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET`) for `azure_scope`
(`AZURE_SCOPE`) from `AZURE_AUTHORITY_HOST`, by default `https://login.microsoftonline.com`.
Claude on Azure AI Foundry: `model: azure_ai/claude-…`.

**Messages and Responses.** What a row serves it is called with as it is; a conversation in a protocol that it does not serve is
translated to one that it does. Models that the catalogue knows by `mode: responses`, and those written with `responses/`
before their name (`openai/responses/gpt-5`), are called by Responses alone.

**Anthropic.** A key that begins with `sk-ant-oat` is sent as a bearer token, as is `ANTHROPIC_AUTH_TOKEN` where there is no key.
`anthropic-version` is the client's, else 2023-06-01. The client's `anthropic-beta` goes to Anthropic and to other gateways
whole, to all others as far as they are known to take it; the header `x-litellm-dropped-anthropic-betas` of the answer
names the rest. Betas that the body needs are added. `max_tokens`, which Anthropic requires, is the model's most where a chat
names none (4096 for models that nobody knows). With `litellm_settings.modify_params: true` conversations that Anthropic would
refuse are mended: results are made up for calls that have none and left out where they belong to no call, the user says
something first, and who called tools without a signed thought does not think.

| prefix | provider | address | key | serves | does not serve |
|---|---|---|---|---|---|
";

const TAIL: &str = "
## Not spoken yet

These have protocols of their own, or are no models. An entry that names one is left out at the start, with a warning.

";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for row in all().filter(|row| row.protocol != Protocol::Own) {
        let names: Vec<String> = std::iter::once(&row.name)
            .chain(&row.aliases)
            .map(|name| format!("`{name}/`"))
            .collect();
        let address = row.base.map_or("`api_base`".to_owned(), |base| {
            format!("`{}`", base.replace('|', "\\|"))
        });
        let others: String = row
            .base_variables
            .iter()
            .map(|name| format!(" or `{name}`"))
            .collect();
        let keys: Vec<String> = row
            .key_variables
            .iter()
            .chain(&row.token_variables)
            .map(|name| format!("`{name}`"))
            .collect();
        let optional = if row.key_optional { " (optional)" } else { "" };
        let serves = [
            (Operation::Chat, "chat"),
            (Operation::Completion, "completions"),
            (Operation::Embedding, "embeddings"),
            (Operation::Messages, "messages"),
            (Operation::Responses, "responses"),
        ]
        .into_iter()
        .filter(|(operation, _)| row.serves(*operation))
        .map(|(_, name)| name)
        .collect::<Vec<_>>();
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| {} | {} | {address}{others} | {}{optional} | {} | {} |",
            names.join(", "),
            row.title,
            keys.join(" or "),
            serves.join(", "),
            refused(row).replace('|', "\\|"),
        );
    }
    page.push_str(TAIL);
    let others: Vec<String> = all()
        .filter(|row| row.protocol == Protocol::Own)
        .map(|row| format!("`{}`", row.name))
        .collect();
    page.push_str(&others.join(", "));
    page.push_str(".\n");
    page
}

fn refused(row: &Provider) -> String {
    let mut out = Vec::new();
    for rule in &row.rules {
        match rule {
            Rule::Parameter {
                models,
                parameter,
                action,
            } => {
                let name = parameter.name();
                let what = match action {
                    Action::Refuse => format!("`{name}`"),
                    Action::OneOf(values) => format!("`{name}` other than {}", values.join(", ")),
                    _ => continue,
                };
                let of = if models.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", models.join(", "))
                };
                out.push(what + &of);
            }
            Rule::Only(served) if served.is_empty() => out.push("any parameter".to_owned()),
            Rule::Only(served) => {
                let served: Vec<&str> = served.iter().map(|parameter| parameter.name()).collect();
                out.push(format!("parameters other than {}", served.join(", ")));
            }
            Rule::ToolsByCatalogue => out.push("tools, by model".to_owned()),
            Rule::OpenAiModels | Rule::AnthropicModels => {
                out.push("by model family".to_owned());
            }
            Rule::SendsUser => {}
        }
    }
    out.join(", ")
}

#[test]
fn the_page_is_what_the_table_says() {
    let page = page();
    if std::env::var_os("POINTSMAN_WRITE_DOCS").is_some() {
        std::fs::write(PATH, &page).unwrap();
    }
    let written = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(
        written == page,
        "docs/providers.md is not what the table says: POINTSMAN_WRITE_DOCS=1 cargo test --lib providers:: writes it"
    );
}
