//! Parts of contents that are told to a model: texts, images, files, sound.

use crate::protocol::json_fields::Path;
use crate::protocol::json_write::Array;
use crate::protocol::neutral::{Block, Content, Dialect, Notes, Refused, Source, Text, Why};

/// What parts are written with.
pub struct Ink<'n> {
    pub notes: &'n mut Notes,
}

impl Ink<'_> {
    /// OpenAI's cache needs no marks.
    pub fn note_cache(&mut self, block: &Block) {
        if block.cache.is_some() {
            self.notes.add("cache_control", Why::Hint);
        }
    }
}

/// Writes parts.
pub fn parts(
    out: &mut Array<'_>,
    blocks: &[&Block],
    field: &Path<'_>,
    ink: &mut Ink<'_>,
) -> Result<(), Refused> {
    for (index, block) in blocks.iter().enumerate() {
        part(out, block, &field.item(index), ink, 0)?;
    }
    Ok(())
}

fn part(
    out: &mut Array<'_>,
    block: &Block,
    field: &Path<'_>,
    ink: &mut Ink<'_>,
    depth: u32,
) -> Result<(), Refused> {
    ink.note_cache(block);
    for extension in block.extensions.foreign(Dialect::Responses) {
        ink.notes.add(&extension.name, Why::Unsupported);
    }
    let refused = |why| {
        Err(Refused {
            field: field.to_string(),
            why,
        })
    };
    match &block.content {
        Content::Text { text, .. } => write_text(out, text),
        Content::Image { source, detail } => {
            let (name, value) = match source {
                Source::Url(url) => ("image_url", url.clone()),
                Source::Base64 { media_type, data } => ("image_url", data_url(media_type, data)),
                Source::File(id) => ("file_id", id.clone()),
                Source::Text(_) | Source::Blocks(_) => return refused("an image is no text"),
            };
            out.object(|out| {
                out.text("type", "input_image");
                out.text(name, &value);
                // Required by OpenAI.
                out.text("detail", detail.as_deref().unwrap_or("auto"));
                out.extensions(&block.extensions, Dialect::Responses);
            });
        }
        Content::Document {
            source,
            title,
            context,
            ..
        } => {
            if let Some(context) = context {
                ink.notes.add(field.to_string(), Why::Approximated);
                write_text(out, &context.as_str().into());
            }
            return document(out, source, title.as_deref(), field, ink, depth);
        }
        Content::Audio {
            data,
            format: Some(format),
            ..
        } => out.object(|out| {
            out.text("type", "input_audio");
            out.object("input_audio", |out| {
                out.text("data", data);
                out.text("format", format);
            });
        }),
        Content::Unknown {
            dialect: Dialect::Responses,
            raw,
            ..
        } => out.raw(raw.as_bytes()),
        Content::Unknown { .. } => {
            return refused("this kind of content is unknown to OpenAI's Responses API");
        }
        _ => return refused("this kind of content does not belong into a message of this role"),
    }
    Ok(())
}

fn document(
    out: &mut Array<'_>,
    source: &Source,
    title: Option<&str>,
    field: &Path<'_>,
    ink: &mut Ink<'_>,
    depth: u32,
) -> Result<(), Refused> {
    let (name, value) = match source {
        Source::Base64 { media_type, data } => ("file_data", data_url(media_type, data)),
        Source::Url(url) => ("file_url", url.clone()),
        Source::File(id) => ("file_id", id.clone()),
        Source::Text(text) => {
            ink.notes.add(field.to_string(), Why::Approximated);
            match title {
                Some(title) => write_text(out, &format!("{title}\n\n{text}").into()),
                None => write_text(out, &text.as_str().into()),
            }
            return Ok(());
        }
        Source::Blocks(inner) if depth < 2 => {
            ink.notes.add(field.to_string(), Why::Approximated);
            for (index, inner) in inner.iter().enumerate() {
                let source = field.field("source");
                part(
                    out,
                    inner,
                    &source.field("content").item(index),
                    ink,
                    depth + 1,
                )?;
            }
            return Ok(());
        }
        Source::Blocks(_) => {
            return Err(Refused {
                field: field.to_string(),
                why: "documents are nested too deep",
            });
        }
    };
    let needs_name = name == "file_data";
    out.object(|out| {
        out.text("type", "input_file");
        out.text(name, &value);
        let title = title.or(needs_name.then_some("document.pdf"));
        out.maybe_text("filename", title);
    });
    Ok(())
}

fn write_text(out: &mut Array<'_>, text: &Text) {
    out.object(|out| {
        out.text("type", "input_text");
        out.said("text", text);
    });
}

fn data_url(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}
