//! One file to one tree.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::diagnostic::{Diagnostic, Severity, Sink};
use super::yaml::{self, Node, Pos, Value};

/// A larger file is refused: 16 MiB.
pub const MAX_FILE_BYTES: u64 = 16 << 20;

/// There is no document to look into.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("{}: cannot be read: {source}", file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    #[error("{file}: is larger than 16 MiB, which is no configuration")]
    TooLarge { file: String },
    #[error("{file}: is not UTF-8 text")]
    NotText { file: String },
    #[error("{file}: is empty; expected at least `model_list:`")]
    Empty { file: String },
    /// Not YAML, or no map at the top.
    #[error("{0}")]
    Invalid(Diagnostic),
}

/// The text of a file.
pub fn read(path: &Path) -> Result<String, LoadError> {
    let unreadable = |source| LoadError::Unreadable {
        file: path.to_owned(),
        source,
    };
    let file = || path.display().to_string();
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large from one that just fits.
    File::open(path)
        .and_then(|f| f.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(LoadError::TooLarge { file: file() });
    }
    String::from_utf8(bytes).map_err(|_| LoadError::NotText { file: file() })
}

/// The map at the top of a text. `number` is the sink's number of the file; keys that stand twice are reported.
pub fn parse(text: &str, number: u16, sink: &Sink) -> Result<Node, LoadError> {
    let file = || sink.file(Pos::first_of(number)).to_string();
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(LoadError::TooLarge { file: file() });
    }
    let invalid = |pos: Pos, message: String| {
        LoadError::Invalid(Diagnostic {
            severity: Severity::Error,
            file: sink.file(pos),
            line: pos.line,
            column: pos.column,
            path: String::new(),
            message,
            suggestion: None,
            not_yet: false,
        })
    };
    let document = yaml::parse_file(text, number)
        .map_err(|e| invalid(e.pos, format!("this is not valid YAML: {}", e.message)))?;
    let root = match document.root {
        None => return Err(LoadError::Empty { file: file() }),
        Some(root) if root.is_null() => return Err(LoadError::Empty { file: file() }),
        Some(root) if matches!(root.value, Value::Map(_)) => root,
        Some(root) => {
            let message =
                "expected sections (`model_list:`, `general_settings:` …), found something else";
            return Err(invalid(root.pos, message.to_owned()));
        }
    };
    for repeated in &document.repeated {
        let key = super::redact::key_in_path(&repeated.key);
        let message = format!(
            "the key stands twice in its map, first in line {}; the last one counts",
            repeated.first_line
        );
        sink.warning(repeated.pos, key, message);
    }
    Ok(root)
}
