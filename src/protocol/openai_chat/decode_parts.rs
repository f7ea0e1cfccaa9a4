//! The parts of a message's content, made neutral.

use crate::protocol::json_fields::{DecodeError, Fields, Path, items, said, text};
use crate::protocol::neutral::{Block, CacheControl, Content, Dialect, Lifetime, Raw, Source};

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
pub fn part(value: &[u8], at: &Path<'_>) -> Result<Block, DecodeError> {
    let mut fields = Fields::read(value, at)?;
    let kind = fields.required_text("type", at)?;
    let content = match kind.as_str() {
        "text" => Content::Text {
            text: fields.required_said("text", at)?,
            citations: Vec::new(),
        },
        "refusal" => Content::Refusal(fields.required_text("refusal", at)?),
        "thinking" => Content::Thinking {
            text: thought(&mut fields, at)?,
            signature: fields
                .text("signature", at)?
                .filter(|text| !text.is_empty()),
        },
        "redacted_thinking" => Content::RedactedThinking(fields.required_text("data", at)?),
        "image_url" => image(&mut fields, at)?,
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
        "file" => file(&mut fields, at)?,
        _ => {
            let raw = Raw::parse(value).ok_or_else(|| at.expected("a JSON value"))?;
            return Ok(Block::plain(Content::Unknown {
                dialect: Dialect::Chat,
                kind,
                raw,
            }));
        }
    };
    Ok(Block {
        content,
        cache: cache_control(&mut fields, at)?,
        extensions: fields.rest(Dialect::Chat, at)?,
    })
}

/// A thought's text; Mistral writes parts.
fn thought(fields: &mut Fields<'_>, at: &Path<'_>) -> Result<String, DecodeError> {
    let at = at.field("thinking");
    match fields.take("thinking") {
        None => Ok(String::new()),
        Some(value) if value.first() == Some(&b'[') => {
            let mut whole = String::new();
            for (index, item) in items(value, &at)?.iter().enumerate() {
                let at = at.item(index);
                let part = Fields::read(item, &at)?.text("text", &at)?;
                whole.push_str(&part.unwrap_or_default());
            }
            Ok(whole)
        }
        Some(value) => text(value, &at),
    }
}

fn image(fields: &mut Fields<'_>, at: &Path<'_>) -> Result<Content, DecodeError> {
    let place = at.field("image_url");
    let value = fields.take("image_url");
    let value = value.ok_or_else(|| at.missing("image_url"))?;
    fields.take("index");
    let (url, detail, format) = if value.first() == Some(&b'"') {
        (text(value, &place)?, None, None)
    } else {
        let mut inner = Fields::read(value, &place)?;
        (
            inner.required_text("url", &place)?,
            inner.text("detail", &place)?,
            inner.text("format", &place)?,
        )
    };
    let source = source(&url, format);
    Ok(match source {
        Source::Base64 { ref media_type, .. } if media_type == "application/pdf" => {
            Content::Document {
                source,
                title: None,
                context: None,
                cited: false,
            }
        }
        source => Content::Image { source, detail },
    })
}

fn file(fields: &mut Fields<'_>, at: &Path<'_>) -> Result<Content, DecodeError> {
    let inner = fields.object("file", at)?;
    let mut inner = inner.ok_or_else(|| at.missing("file"))?;
    let at = at.field("file");
    let format = inner.text("format", &at)?;
    let title = inner.text("filename", &at)?;
    let data = inner.text("file_data", &at)?;
    let id = inner.text("file_id", &at)?;
    let source = match (data, id) {
        (Some(data), _) if data.starts_with("data:") => source(&data, format.clone()),
        (Some(data), _) => Source::Base64 {
            media_type: format
                .clone()
                .unwrap_or_else(|| "application/pdf".to_owned()),
            data,
        },
        (None, Some(id)) if id.starts_with("http://") || id.starts_with("https://") => {
            Source::Url(id)
        }
        (None, Some(id)) => Source::File(id),
        (None, None) => return Err(at.missing("file_data")),
    };
    let is_image = match &source {
        Source::Base64 { media_type, .. } => media_type.starts_with("image/"),
        _ => format.is_some_and(|format| format.starts_with("image/")),
    };
    Ok(if is_image {
        Content::Image {
            source,
            detail: None,
        }
    } else {
        Content::Document {
            source,
            title,
            context: None,
            cited: false,
        }
    })
}

/// Where an address leads: a `data:` address with base64 holds the bytes itself. `format` overrides its media type.
fn source(url: &str, format: Option<String>) -> Source {
    let data = url
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(','));
    match data.and_then(|(head, data)| Some((head.strip_suffix(";base64")?, data))) {
        Some((media_type, data)) => Source::Base64 {
            media_type: format.unwrap_or_else(|| {
                let plain = media_type.split(';').next();
                plain.unwrap_or_default().to_owned()
            }),
            data: data.to_owned(),
        },
        None => Source::Url(url.to_owned()),
    }
}

/// Anthropic's mark, which clients put on messages, parts and tools. Forms that are not Anthropic's are left as they are.
pub fn cache_control(
    fields: &mut Fields<'_>,
    at: &Path<'_>,
) -> Result<Option<CacheControl>, DecodeError> {
    let Some(mut mark) = fields.object("cache_control", at)? else {
        return Ok(None);
    };
    let at = at.field("cache_control");
    mark.take("type");
    let lifetime = match mark.text("ttl", &at)?.as_deref() {
        Some("1h") => Some(Lifetime::OneHour),
        Some("5m") => Some(Lifetime::FiveMinutes),
        None => None,
        Some(_) => return Err(at.field("ttl").expected("\"5m\" or \"1h\"")),
    };
    Ok(Some(CacheControl {
        lifetime,
        extensions: mark.rest(Dialect::Anthropic, &at)?,
    }))
}
