//! What a text is founded on: annotations of the Responses API and of its neighbours.
//!
//! A web page is the same in OpenAI's two protocols, but for one level of nesting, so it is kept in Chat Completions' form.
//! Files are named by ids that only the provider knows: they stay as they are.

use crate::protocol::json_fields::{DecodeError, Fields, Path, items};
use crate::protocol::json_write::{self, Object};
use crate::protocol::neutral::{Citation, Dialect, Raw};

/// The kind that both of OpenAI's protocols have.
const WEB: &str = "url_citation";

/// Reads the `annotations` of a text.
pub fn decode(value: Option<&[u8]>, at: &Path<'_>) -> Result<Vec<Citation>, DecodeError> {
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let at = at.field("annotations");
    let list = items(value, &at)?;
    let list = list.iter().enumerate();
    list.map(|(index, item)| one(item, &at.item(index)))
        .collect()
}

/// Reads one annotation.
pub fn one(value: &[u8], at: &Path<'_>) -> Result<Citation, DecodeError> {
    let mut fields = Fields::read(value, at)?;
    let kind = fields.text("type", at)?;
    let url = fields.text("url", at)?;
    let title = fields.text("title", at)?;
    let not_json = || at.expected("a JSON value");
    if kind.as_deref() != Some(WEB) {
        return Ok(Citation {
            dialect: Dialect::Responses,
            raw: Raw::parse(value).ok_or_else(not_json)?,
            url,
            title,
        });
    }
    let rest = fields.rest(Dialect::Responses, at)?;
    let mut nested = Vec::with_capacity(value.len() + 32);
    json_write::object(&mut nested, |out| {
        out.text("type", WEB);
        out.object(WEB, |out| {
            out.extensions(&rest, Dialect::Responses);
            out.maybe_text("url", url.as_deref());
            out.maybe_text("title", title.as_deref());
        });
    });
    Ok(Citation {
        dialect: Dialect::Chat,
        raw: Raw::parse(&nested).ok_or_else(not_json)?,
        url,
        title,
    })
}

/// An annotation as a client of the Responses API reads it; `None` for what it has no form for. `text` are the characters
/// that it is about, where the citation itself does not say.
pub fn encode(citation: &Citation, text: (u64, u64)) -> Option<Vec<u8>> {
    let at = Path::Body;
    if citation.dialect == Dialect::Responses {
        return Some(citation.raw.as_bytes().to_vec());
    }
    let mut out = Vec::with_capacity(128);
    if citation.dialect == Dialect::Chat {
        let mut fields = Fields::read(citation.raw.as_bytes(), &at).ok()?;
        let mut inner = fields.object(WEB, &at).ok()??;
        let title = inner.text("title", &at).ok()?.unwrap_or_default();
        let url = inner.text("url", &at).ok()?.unwrap_or_default();
        let start = inner.whole("start_index", &at).ok()?.unwrap_or(text.0);
        let end = inner.whole("end_index", &at).ok()?.unwrap_or(text.1);
        json_write::object(&mut out, |out| web(out, (start, end), &title, &url));
        return Some(out);
    }
    let url = citation.url.as_deref()?;
    let title = citation.title.as_deref().unwrap_or_default();
    json_write::object(&mut out, |out| web(out, text, title, url));
    Some(out)
}

fn web(out: &mut Object<'_>, (start, end): (u64, u64), title: &str, url: &str) {
    out.text("type", WEB);
    out.number("start_index", start);
    out.number("end_index", end);
    out.text("title", title);
    out.text("url", url);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_pages_have_one_form_in_both_protocols() {
        let flat = br#"{"type":"url_citation","start_index":1,"end_index":5,"title":"T\n","url":"https://a"}"#;
        let citation = one(flat, &Path::Body).unwrap();
        assert_eq!(citation.dialect, Dialect::Chat);
        assert_eq!(
            citation.raw.as_str(),
            r#"{"type":"url_citation","url_citation":{"start_index":1,"end_index":5,"url":"https://a","title":"T\n"}}"#
        );
        assert_eq!(encode(&citation, (9, 9)).unwrap(), flat);
        let file = br#"{"type":"file_citation","file_id":"f","filename":"a.txt","index":0}"#;
        let citation = one(file, &Path::Body).unwrap();
        assert_eq!(citation.dialect, Dialect::Responses);
        assert_eq!(encode(&citation, (0, 0)).unwrap(), file);
    }

    #[test]
    fn what_anthropic_cites() {
        let mut citation = Citation {
            dialect: Dialect::Anthropic,
            raw: Raw::parse(b"{}").unwrap(),
            url: Some("https://b".to_owned()),
            title: None,
        };
        let written = encode(&citation, (2, 7)).unwrap();
        assert_eq!(
            written,
            br#"{"type":"url_citation","start_index":2,"end_index":7,"title":"","url":"https://b"}"#
        );
        citation.url = None;
        assert_eq!(encode(&citation, (2, 7)), None);
    }
}
