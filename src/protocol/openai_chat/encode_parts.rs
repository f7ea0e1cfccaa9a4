//! The parts of a message's content, as Chat Completions takes them.

use super::encode_messages::Form;
use super::target::Target;
use crate::protocol::json_fields::Path;
use crate::protocol::json_write::{Array, Object};
use crate::protocol::neutral::{
    Block, CacheControl, Content, Dialect, Lifetime, Notes, Refused, Source, Why,
};

impl Form<'_> {
    pub fn is_marked(&self, block: &Block) -> bool {
        block.cache.is_some() && self.target.takes_cache_control
    }

    /// Writes `content`: one plain text as a string; anything else as parts.
    pub fn content(
        &mut self,
        out: &mut Object<'_>,
        blocks: &[&Block],
        field: &Path<'_>,
    ) -> Result<(), Refused> {
        match blocks {
            [] => out.text("content", ""),
            [block]
                if matches!(block.content, Content::Text { .. })
                    && !self.is_marked(block)
                    && block.extensions.of(Dialect::Chat).next().is_none() =>
            {
                if block.cache.is_some() {
                    self.notes.add("cache_control", Why::Hint);
                }
                out.joined("content", block.said());
            }
            blocks => {
                return out.array("content", |out| {
                    for (index, block) in blocks.iter().enumerate() {
                        self.part(out, block, &field.item(index), 0)?;
                    }
                    Ok(())
                });
            }
        }
        Ok(())
    }

    fn part(
        &mut self,
        out: &mut Array<'_>,
        block: &Block,
        field: &Path<'_>,
        depth: u32,
    ) -> Result<(), Refused> {
        let refused = |why| {
            Err(Refused {
                field: field.to_string(),
                why,
            })
        };
        match &block.content {
            Content::Text { .. } => self.text_part(out, block),
            Content::Image { source, detail } => {
                return self.image(out, block, source, detail.as_deref(), field);
            }
            Content::Document {
                source,
                title,
                context,
                ..
            } => {
                if let Some(context) = context {
                    self.notes.add(field.to_string(), Why::Approximated);
                    self.text_part(out, &Block::text(context.clone()));
                }
                return self.document(out, block, source, title.as_deref(), field, depth);
            }
            Content::Audio {
                data,
                format: Some(format),
                ..
            } => self.marked(out, block, |out| {
                out.text("type", "input_audio");
                out.object("input_audio", |out| {
                    out.text("data", data);
                    out.text("format", format);
                });
            }),
            Content::Unknown {
                dialect: Dialect::Chat,
                raw,
                ..
            } => out.raw(raw.as_bytes()),
            Content::Unknown { .. } => {
                return refused("this kind of content is unknown to Chat Completions");
            }
            _ => {
                return refused("this kind of content does not belong into a message of this role");
            }
        }
        Ok(())
    }

    pub fn text_part(&mut self, out: &mut Array<'_>, block: &Block) {
        self.marked(out, block, |out| {
            out.text("type", "text");
            out.joined("text", block.said());
        });
    }

    fn image(
        &mut self,
        out: &mut Array<'_>,
        block: &Block,
        source: &Source,
        detail: Option<&str>,
        field: &Path<'_>,
    ) -> Result<(), Refused> {
        let url = match source {
            Source::Url(url) => url.clone(),
            Source::Base64 { media_type, data } => data_url(media_type, data),
            Source::File(_) | Source::Text(_) | Source::Blocks(_) => {
                return Err(Refused {
                    field: field.to_string(),
                    why: "a stored image belongs to the provider that stores it; send it as base64 or by its address",
                });
            }
        };
        self.marked(out, block, |out| {
            out.text("type", "image_url");
            out.object("image_url", |out| {
                out.text("url", &url);
                out.maybe_text("detail", detail);
            });
        });
        Ok(())
    }

    fn document(
        &mut self,
        out: &mut Array<'_>,
        block: &Block,
        source: &Source,
        title: Option<&str>,
        field: &Path<'_>,
        depth: u32,
    ) -> Result<(), Refused> {
        let refused = |why| {
            Err(Refused {
                field: field.to_string(),
                why,
            })
        };
        match source {
            Source::Base64 { media_type, data } if self.target.takes_files => {
                let url = data_url(media_type, data);
                self.marked(out, block, |out| {
                    out.text("type", "file");
                    out.object("file", |out| {
                        out.text("filename", title.unwrap_or("document.pdf"));
                        out.text("file_data", &url);
                    });
                });
            }
            Source::Base64 { .. } => return refused("this model takes no documents"),
            Source::Text(text) => {
                self.notes.add(field.to_string(), Why::Approximated);
                let text = match title {
                    Some(title) => format!("{title}\n\n{text}"),
                    None => text.clone(),
                };
                let part = Block {
                    content: Content::Text {
                        text: text.into(),
                        citations: Vec::new(),
                    },
                    ..block.clone()
                };
                self.text_part(out, &part);
            }
            Source::Blocks(inner) if depth < 2 => {
                self.notes.add(field.to_string(), Why::Approximated);
                for (index, inner) in inner.iter().enumerate() {
                    let source = field.field("source");
                    self.part(out, inner, &source.field("content").item(index), depth + 1)?;
                }
            }
            Source::Blocks(_) => return refused("documents are nested too deep"),
            Source::File(id) => {
                self.marked(out, block, |out| {
                    out.text("type", "file");
                    out.object("file", |out| out.text("file_id", id));
                });
            }
            Source::Url(_) => {
                return refused(
                    "Chat Completions takes no document by its address; send it as base64",
                );
            }
        }
        Ok(())
    }

    fn marked(&mut self, out: &mut Array<'_>, block: &Block, fill: impl FnOnce(&mut Object<'_>)) {
        out.object(|out| {
            fill(out);
            cache_control(out, block.cache.as_ref(), self.target, self.notes);
            out.extensions(&block.extensions, Dialect::Chat);
        });
        for extension in block.extensions.foreign(Dialect::Chat) {
            self.notes.add(&extension.name, Why::Unsupported);
        }
    }
}

fn data_url(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}

/// Anthropic's mark, for hosts that take it.
pub fn cache_control(
    out: &mut Object<'_>,
    mark: Option<&CacheControl>,
    target: &Target<'_>,
    notes: &mut Notes,
) {
    let Some(mark) = mark else {
        return;
    };
    if !target.takes_cache_control {
        return notes.add("cache_control", Why::Hint);
    }
    out.object("cache_control", |out| {
        out.text("type", "ephemeral");
        match mark.lifetime {
            Some(Lifetime::FiveMinutes) => out.text("ttl", "5m"),
            Some(Lifetime::OneHour) => out.text("ttl", "1h"),
            None => {}
        }
        for extension in &mark.extensions.0 {
            out.raw(&extension.name, extension.value.as_bytes());
        }
    });
}
