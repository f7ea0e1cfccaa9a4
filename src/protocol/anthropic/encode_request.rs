//! A request as Anthropic takes it.

use std::collections::HashSet;

use super::needs::{PASSED, betas, note_what_is_left, refuse_what_cannot_be};
use super::repairs;
use super::schema;
use super::target::Target;
use super::thinking::Thinking;
use super::tools::{self, ChoiceLimits};
use super::turns;
use super::write_blocks::{self, Ink};
use crate::protocol::json_fields::{Fields, Path};
use crate::protocol::json_write::{self, Object};
use crate::protocol::neutral::{
    Dialect, Encoded, Extension, NameRule, Notes, OutputFormat, Raw, Reasoning, Refused, Request,
    Reversal, Sampling, ToolKind, ToolNames, Why,
};

/// The tool whose arguments are an answer in a format, for models that have no formats. LiteLLM's name for it.
pub const FORMAT_TOOL: &str = "json_tool_call";

const NAMES: NameRule = NameRule { longest: 128 };

/// What a thinking budget leaves for the answer when the client named no limit.
const BESIDE_THINKING: u64 = 4096;

/// The body of `POST /v1/messages`.
pub fn encode_request(request: &Request, target: &Target<'_>) -> Result<Encoded, Refused> {
    let mut notes = Notes::default();
    refuse_what_cannot_be(request)?;
    note_what_is_left(request, &mut notes);
    let mut reasoning = request.reasoning.clone().unwrap_or_default();
    if target.mends && reasoning.is_wanted() && repairs::forbids_thinking(&request.messages) {
        notes.add("thinking", Why::Unsupported);
        reasoning = Reasoning::default();
    }
    let thinking = Thinking::of(&reasoning, target, request.max_output_tokens, &mut notes);
    let max_tokens = request.max_output_tokens.unwrap_or_else(|| {
        let beside = thinking
            .tokens()
            .unwrap_or(0)
            .saturating_add(BESIDE_THINKING);
        match thinking.tokens() {
            Some(tokens) if tokens >= target.default_max_tokens => beside,
            _ => target.default_max_tokens,
        }
    });
    let mut form = Form {
        names: ToolNames::fit(request.tool_names(), NAMES),
        betas: betas(request),
        notes,
        thinking,
        format_tool: None,
        free_text: HashSet::new(),
    };
    let body = form.body(request, target, max_tokens)?;
    if form.thinking.effort.is_some() && !form.thinking.is_adaptive() {
        form.betas.push("effort-2025-11-24");
    }
    form.betas.sort_unstable();
    form.betas.dedup();
    Ok(Encoded {
        body,
        messages: None,
        reversal: Reversal {
            names: form.names,
            format_tool: form.format_tool,
            free_text: form.free_text,
            maker: None,
        },
        betas: form.betas,
        not_carried: form.notes.into_list(),
    })
}

/// A request while it is written.
struct Form {
    names: ToolNames,
    betas: Vec<&'static str>,
    notes: Notes,
    thinking: Thinking,
    format_tool: Option<&'static str>,
    /// Names, as they are sent, of tools of free text that became functions.
    free_text: HashSet<String>,
}

impl Form {
    fn body(
        &mut self,
        request: &Request,
        target: &Target<'_>,
        max_tokens: u64,
    ) -> Result<Vec<u8>, Refused> {
        let mut body = Vec::with_capacity(request.room());
        json_write::object(&mut body, |out| {
            self.fields(request, target, max_tokens, out)
        })?;
        Ok(body)
    }

    fn fields(
        &mut self,
        request: &Request,
        target: &Target<'_>,
        max_tokens: u64,
        out: &mut Object<'_>,
    ) -> Result<(), Refused> {
        turns::write(request, &self.names, target, &mut self.notes, out)?;
        let format = request.format.as_ref();
        let format = format.filter(|format| **format != OutputFormat::Text);
        let native = match format {
            Some(OutputFormat::Schema { schema, .. }) if target.native_format => {
                self.betas.push("structured-outputs-2025-11-13");
                Some(schema::fitted(schema))
            }
            _ => None,
        };
        if format.is_some() && native.is_none() {
            self.format_tool = Some(FORMAT_TOOL);
        }
        let tools = self.tools(request, format)?;
        out.text("model", target.model);
        out.number("max_tokens", max_tokens);
        self.system(out, request);
        if let Some(tools) = &tools {
            out.raw("tools", tools);
            let limits = ChoiceLimits {
                may_force: target.takes_forced_tools && !self.thinking.is_on(),
                format_tool: self.format_tool.is_some(),
                has_others: !request.tools.is_empty(),
            };
            tools::choice(out, request, limits, &self.names, &mut self.notes);
        }
        self.settings(out, request, target);
        self.thinking.write(out);
        if let Some(schema) = &native {
            out.object("output_format", |out| {
                out.text("type", "json_schema");
                out.raw("schema", schema);
            });
        }
        self.extensions(out, request);
        Ok(())
    }

    fn system(&mut self, out: &mut Object<'_>, request: &Request) {
        let blocks = turns::system(request, &mut self.notes);
        if blocks.is_empty() {
            return;
        }
        let mut ink = Ink {
            names: &self.names,
            notes: &mut self.notes,
        };
        out.array("system", |out| {
            for block in blocks {
                write_blocks::block(out, block, &mut ink);
            }
        });
    }

    fn tools(
        &mut self,
        request: &Request,
        format: Option<&OutputFormat>,
    ) -> Result<Option<Vec<u8>>, Refused> {
        let mut tools = Vec::new();
        let mut outcome = Ok(());
        let mut is_empty = true;
        json_write::array(&mut tools, |out| {
            for (place, tool) in request.tools.iter().enumerate() {
                if let ToolKind::Custom { name, .. } = &tool.kind {
                    self.free_text.insert(self.names.sent(name).to_owned());
                }
                let (betas, notes) = (&mut self.betas, &mut self.notes);
                outcome = tools::write(out, tool, place, &self.names, betas, notes);
                if outcome.is_err() {
                    return;
                }
            }
            if let Some(options) = &request.web_search {
                tools::web_search(out, options, &mut self.notes);
            }
            if let Some(format) = format.filter(|_| self.format_tool.is_some()) {
                tools::format_tool(out, format);
            }
            if out.is_empty() && tools::are_in_history(request) {
                tools::stand_in(out);
            }
            is_empty = out.is_empty();
        });
        outcome.map(|()| (!is_empty).then_some(tools))
    }

    fn settings(&mut self, out: &mut Object<'_>, request: &Request, target: &Target<'_>) {
        let stop = request.stop.iter().filter(|text| !text.trim().is_empty());
        if stop.clone().count() < request.stop.len() {
            self.notes.add("stop", Why::Unsupported);
        }
        if stop.clone().next().is_some() {
            out.texts("stop_sequences", stop.map(String::as_str));
        }
        self.sampling(out, &request.sampling, target);
        self.user(out, request);
        match request.service_tier.as_deref() {
            None => {}
            Some(tier @ ("auto" | "standard_only")) => out.text("service_tier", tier),
            Some("default") => out.text("service_tier", "standard_only"),
            Some(_) => self.notes.add("service_tier", Why::Unsupported),
        }
        if request.stream {
            out.truth("stream", true);
        }
    }

    /// A model that thinks takes a temperature of 1 only, and no `top_k`; newer models take none of them.
    fn sampling(&mut self, out: &mut Object<'_>, sampling: &Sampling, target: &Target<'_>) {
        let thinks = self.thinking.is_on();
        let is_one = |raw: &Raw| ["1", "1.0"].contains(&raw.as_str());
        let fields = [
            ("temperature", &sampling.temperature, thinks),
            ("top_p", &sampling.top_p, false),
            ("top_k", &sampling.top_k, thinks),
        ];
        for (name, value, unless) in fields {
            let Some(value) = value else { continue };
            if name == "temperature" && is_one(value) || target.takes_sampling && !unless {
                out.raw(name, value.as_bytes());
            } else {
                self.notes.add(name, Why::Unsupported);
            }
        }
    }

    /// Anthropic asks for an opaque id: an e-mail address or a telephone number is not passed on, as in LiteLLM 1.106.2.
    fn user(&mut self, out: &mut Object<'_>, request: &Request) {
        let user = request.user.as_deref().filter(|user| !is_personal(user));
        if user.is_none() {
            self.notes.add_some(&request.user, "user", Why::Unsupported);
        }
        let own = request.metadata.of(Dialect::Anthropic);
        if user.is_none() && own.clone().next().is_none() {
            return;
        }
        out.object("metadata", |out| {
            out.maybe_text("user_id", user);
            for extension in own {
                out.raw(&extension.name, extension.value.as_bytes());
            }
        });
    }

    /// What only Anthropic knows, whoever said it; `output_config` is put together of its parts.
    fn extensions(&mut self, out: &mut Object<'_>, request: &Request) {
        let mut config: Vec<(String, Vec<u8>)> = Vec::new();
        if let Some(effort) = self.thinking.effort {
            let mut text = Vec::new();
            json_write::text(&mut text, effort.name());
            config.push(("effort".to_owned(), text));
        }
        for extension in &request.extensions.0 {
            let Extension {
                dialect,
                name,
                value,
            } = extension;
            if let Some(part) = name.strip_prefix("output_config.") {
                config.push((part.to_owned(), value.as_bytes().to_vec()));
            } else if name == "output_config" {
                config.extend(parts(value, self.thinking.effort.is_some()));
            } else if *dialect == Dialect::Anthropic || PASSED.contains(&name.as_str()) {
                out.raw(name, value.as_bytes());
            }
        }
        if !config.is_empty() {
            out.object("output_config", |out| {
                for (name, value) in &config {
                    out.raw(name, value);
                }
            });
        }
    }
}

/// The fields of an `output_config` that a client of another protocol sent.
fn parts(config: &Raw, has_effort: bool) -> Vec<(String, Vec<u8>)> {
    let fields = Fields::read(config.as_bytes(), &Path::Body)
        .and_then(|fields| fields.rest(Dialect::Anthropic, &Path::Body));
    let parts = fields.unwrap_or_default().0.into_iter();
    parts
        .filter(|part| part.name != "effort" || !has_effort)
        .map(|part| (part.name, part.value.as_bytes().to_vec()))
        .collect()
}

fn is_personal(user: &str) -> bool {
    let digits = user.bytes().filter(u8::is_ascii_digit).count();
    let is_phone = digits >= 7
        && user
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-() .".contains(&byte));
    is_phone
        || user
            .split_once('@')
            .is_some_and(|(_, host)| host.contains('.'))
}
