//! Parts of contents, of messages and of tools' outputs, made neutral.

use super::annotations;
use crate::protocol::json_fields::{DecodeError, Fields, Path, items, said};
use crate::protocol::neutral::{Block, Content, Dialect, Raw, Source};

/// A text, or an array of parts; nothing is none.
pub fn content(value: Option<&[u8]>, at: &Path<'_>) -> Result<Vec<Block>, DecodeError> {
    match value {
        None => Ok(Vec::new()),
        Some(value) if value.first() == Some(&b'"') => Ok(vec![Block::text(said(value, at)?)]),
        Some(value) if value.first() == Some(&b'[') => {
            let parts = items(value, at)?;
            let parts = parts.iter().enumerate();
            parts
                .map(|(index, value)| part(value, &at.item(index)))
                .collect()
        }
        Some(_) => Err(at.expected("a string or an array of content parts")),
    }
}

/// One part of a content.
fn part(value: &[u8], at: &Path<'_>) -> Result<Block, DecodeError> {
    let mut fields = Fields::read(value, at)?;
    let kind = fields.required_text("type", at)?;
    let content = match kind.as_str() {
        "input_text" | "text" => Content::Text {
            text: fields.required_said("text", at)?,
            citations: Vec::new(),
        },
        "output_text" => {
            fields.take("logprobs");
            Content::Text {
                text: fields.required_said("text", at)?,
                citations: annotations::decode(fields.take("annotations"), at)?,
            }
        }
        "refusal" => Content::Refusal(fields.required_text("refusal", at)?),
        "input_image" | "computer_screenshot" => image(&mut fields, at)?,
        "input_file" => file(&mut fields, at)?,
        "input_audio" => {
            let inner = fields.object("input_audio", at)?;
            let mut inner = inner.ok_or_else(|| at.missing("input_audio"))?;
            let at = at.field("input_audio");
            Content::Audio {
                id: None,
                data: inner.required_text("data", &at)?,
                format: Some(inner.required_text("format", &at)?),
                transcript: None,
            }
        }
        _ => {
            let raw = Raw::parse(value).ok_or_else(|| at.expected("a JSON value"))?;
            return Ok(Block::plain(Content::Unknown {
                dialect: Dialect::Responses,
                kind,
                raw,
            }));
        }
    };
    Ok(Block {
        content,
        cache: None,
        extensions: fields.rest(Dialect::Responses, at)?,
    })
}

fn image(fields: &mut Fields<'_>, at: &Path<'_>) -> Result<Content, DecodeError> {
    let url = fields.text("image_url", at)?;
    let file = fields.text("file_id", at)?;
    let source = match (url, file) {
        (Some(url), _) => source(&url),
        (None, Some(id)) => Source::File(id),
        (None, None) => return Err(at.missing("image_url")),
    };
    let detail = fields.text("detail", at)?;
    Ok(Content::Image { source, detail })
}

fn file(fields: &mut Fields<'_>, at: &Path<'_>) -> Result<Content, DecodeError> {
    let title = fields.text("filename", at)?;
    let data = fields.text("file_data", at)?;
    let url = fields.text("file_url", at)?;
    let id = fields.text("file_id", at)?;
    let source = match (data, url, id) {
        (Some(data), _, _) if data.starts_with("data:") => source(&data),
        (Some(data), _, _) => Source::Base64 {
            media_type: "application/pdf".to_owned(),
            data,
        },
        (None, Some(url), _) => Source::Url(url),
        (None, None, Some(id)) => Source::File(id),
        (None, None, None) => return Err(at.missing("file_data")),
    };
    Ok(Content::Document {
        source,
        title,
        context: None,
        cited: false,
    })
}

/// Where an address leads: a `data:` address with base64 holds the bytes itself.
fn source(url: &str) -> Source {
    match data_url(url) {
        Some((media_type, data)) => Source::Base64 {
            media_type: media_type.to_owned(),
            data: data.to_owned(),
        },
        None => Source::Url(url.to_owned()),
    }
}

/// Media type and base64 of a `data:` address.
pub fn data_url(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let media_type = head.strip_suffix(";base64")?;
    let plain = media_type.split(';').next();
    Some((plain.unwrap_or_default(), data))
}
