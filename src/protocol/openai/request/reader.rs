//! What one scan over a body's fields collects.

use std::ops::Range;

use super::fields::{GATEWAY_ONLY, READ, is_refused};
use super::{MAX_FIELDS, RequestError};
use crate::protocol::json::{self, Field, scan_object};
use crate::protocol::openai::shape::{Facts, MetadataUse, Shape, wrong};
use crate::providers::parameters::{Parameter, ParameterSet, Path, Wishes};

/// Most entries of `additional_drop_params` and `allowed_openai_params`.
const MOST_WISHES: usize = 100;

/// Why a scan is of no use.
pub(super) enum Odd {
    /// The body must be written anew first.
    NeedsNormalForm,
    Wrong(RequestError),
}

impl From<RequestError> for Odd {
    fn from(error: RequestError) -> Self {
        Self::Wrong(error)
    }
}

/// Collects the known fields of one scan.
pub(super) struct Reader {
    shape: &'static Shape,
    pub(super) facts: Facts,
    seen: usize,
    pub(super) model: Option<Range<usize>>,
    pub(super) stream_options: Option<Range<usize>>,
    pub(super) messages: Option<Range<usize>>,
    pub(super) tools: Option<Range<usize>>,
    pub(super) parameters: ParameterSet,
    pub(super) wishes: Wishes,
    pub(super) addressed: Vec<(Range<usize>, Range<usize>)>,
    pub(super) service_tier: Option<Range<usize>>,
    /// OpenAI's `store`.
    stores: bool,
    /// The place of `metadata` among the removed.
    metadata: Option<usize>,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    pub(super) removed: Vec<Range<usize>>,
    pub(super) removed_until: Vec<Option<usize>>,
    keys: Keys,
    pub(super) problem: Option<Odd>,
}

impl Reader {
    pub(super) fn new(shape: &'static Shape) -> Self {
        Self {
            shape,
            facts: Facts::default(),
            seen: 0,
            model: None,
            stream_options: None,
            messages: None,
            tools: None,
            parameters: ParameterSet::default(),
            wishes: Wishes::default(),
            addressed: Vec::new(),
            stores: false,
            metadata: None,
            service_tier: None,
            stream: false,
            include_usage: false,
            removed: Vec::new(),
            removed_until: Vec::new(),
            keys: Keys::default(),
            problem: None,
        }
    }

    pub(super) fn field(&mut self, bytes: &[u8], field: &Field) {
        self.seen += 1;
        if let Some(until @ None) = self.removed_until.last_mut() {
            *until = Some(field.start());
        }
        if self.seen > MAX_FIELDS {
            // Beats everything: the normal form compares each field with each.
            self.problem = Some(RequestError::TooManyFields.into());
            return;
        }
        if self.problem.is_some() {
            return;
        }
        let key = &bytes[field.key.clone()];
        if field.key_is_escaped || self.keys.repeats(key) {
            self.problem = Some(Odd::NeedsNormalForm);
            return;
        }
        if let Err(problem) = self.known(bytes, key, field) {
            self.problem = Some(problem);
        }
    }

    fn known(&mut self, bytes: &[u8], key: &[u8], field: &Field) -> Result<(), Odd> {
        let span = &field.value;
        let value = &bytes[span.clone()];
        let is_null = value == b"null";
        if let Some(parameter) = Parameter::of_field(key) {
            self.parameters.insert(parameter);
        }
        match key {
            b"messages" => self.messages = Some(span.clone()),
            b"tools" if !is_null => self.tools = Some(span.clone()),
            _ => {}
        }
        match key {
            b"model" => {
                self.model = Some(span.clone());
                if is_null {
                    return Ok(());
                }
                if value.first() != Some(&b'"') {
                    return Err(RequestError::ModelNotText.into());
                }
                if json::plain_str(bytes, span).is_none() {
                    return Err(Odd::NeedsNormalForm);
                }
            }
            b"drop_params" => {
                self.leave_out(field);
                self.wishes.drop_params = list_or(value, "drop_params", "true or false")?;
            }
            b"additional_drop_params" => {
                self.leave_out(field);
                const EXPECTED: &str =
                    "a list of at most 100 parameters, such as `tools[*].strict`";
                let name = "additional_drop_params";
                let texts: Vec<String> = list_or(value, name, EXPECTED)?.unwrap_or_default();
                let paths = texts.iter().map(|text| Path::parse(text));
                self.wishes.additional_drop_params = paths
                    .collect::<Result<Vec<_>, _>>()
                    .ok()
                    .filter(|paths| paths.len() <= MOST_WISHES)
                    .ok_or_else(|| Odd::from(wrong(name, EXPECTED)))?;
            }
            b"allowed_openai_params" => {
                self.leave_out(field);
                const EXPECTED: &str = "a list of at most 100 names of parameters";
                let name = "allowed_openai_params";
                let names: Vec<String> = list_or(value, name, EXPECTED)?.unwrap_or_default();
                if names.len() > MOST_WISHES {
                    return Err(wrong(name, EXPECTED).into());
                }
                self.wishes.allowed_openai_params = names;
            }
            b"stream" => {
                self.stream = match value {
                    b"true" => true,
                    b"false" | b"null" => false,
                    _ => return Err(wrong("stream", "true or false").into()),
                };
                if self.stream && !self.shape.streams {
                    return Err(wrong("stream", "false: these answers are not streamed").into());
                }
            }
            b"stream_options" => {
                self.include_usage = asks_for_usage(value)
                    .ok_or_else(|| Odd::from(wrong("stream_options", "an object")))?;
                self.stream_options = Some(span.clone());
            }
            b"user" | b"safety_identifier" => self.address(field),
            b"metadata" => {
                self.address(field);
                if self.shape.metadata == MetadataUse::WhenStored {
                    self.metadata = Some(self.removed.len());
                    self.leave_out(field);
                }
            }
            b"store" => self.stores = value == b"true",
            b"service_tier" => self.service_tier = Some(span.clone()),
            // Null is as good as absent.
            _ if !is_null && (self.shape.field)(&mut self.facts, key, value)? => {}
            _ => {
                let name = std::str::from_utf8(key).unwrap_or_default();
                if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
                    let lower = name.to_ascii_lowercase();
                    let means_one_of_ours = READ.contains(&lower.as_str())
                        || GATEWAY_ONLY.binary_search(&lower.as_str()).is_ok();
                    // Some servers read field names in any case: what is checked here must be what they obey.
                    if means_one_of_ours {
                        return Err(RequestError::WrongCase(lower).into());
                    }
                    if is_refused(&lower) {
                        return Err(RequestError::Refused(name.to_owned()).into());
                    }
                }
                if is_refused(name) {
                    return Err(RequestError::Refused(name.to_owned()).into());
                }
                if GATEWAY_ONLY.binary_search(&name).is_ok() {
                    self.address(field);
                    self.leave_out(field);
                }
            }
        }
        Ok(())
    }

    fn leave_out(&mut self, field: &Field) {
        self.removed.push(field.start()..field.value.end);
        self.removed_until.push(None);
    }

    fn address(&mut self, field: &Field) {
        self.addressed
            .push((field.key.clone(), field.value.clone()));
    }

    /// OpenAI takes `metadata` with what it stores and refuses it otherwise: then it was meant for the gateway alone.
    pub(super) fn keep_what_is_stored(&mut self) {
        if let Some(place) = self.metadata.filter(|_| self.stores) {
            self.removed.remove(place);
            self.removed_until.remove(place);
        }
    }
}

/// A value of its type; `null` is none.
fn list_or<T: serde::de::DeserializeOwned>(
    value: &[u8],
    field: &'static str,
    expected: &'static str,
) -> Result<Option<T>, Odd> {
    serde_json::from_slice(value).map_err(|_| wrong(field, expected).into())
}

/// Which keys were seen: a small set of hashes, since most bodies have few fields.
#[derive(Default)]
struct Keys {
    seen: Vec<(usize, u64)>,
}

impl Keys {
    /// True when a key of equal bytes (or, rarely, of equal hash) came before.
    fn repeats(&mut self, key: &[u8]) -> bool {
        // FNV-1a: a false alarm only costs the normal form.
        let hash = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let entry = (key.len(), hash);
        if self.seen.contains(&entry) {
            return true;
        }
        if self.seen.is_empty() {
            self.seen.reserve(16);
        }
        self.seen.push(entry);
        false
    }
}

/// Whether a `stream_options` value asks for usage; `None` when it is neither null nor an object with plain keys, each once:
/// a second, escaped `include_usage` would tell the upstream something else.
fn asks_for_usage(value: &[u8]) -> Option<bool> {
    if value == b"null" {
        return Some(false);
    }
    let mut asked = false;
    let mut keys = Keys::default();
    let mut plain = true;
    scan_object(value, |field| {
        let key = &value[field.key.clone()];
        plain &= !field.key_is_escaped && !keys.repeats(key);
        if key == b"include_usage" {
            asked = &value[field.value] == b"true";
        }
    })
    .ok()?;
    plain.then_some(asked)
}
