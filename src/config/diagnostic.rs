//! What the loader has to say about a file.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use super::yaml::Pos;

/// More than this is cut off: a file this wrong is the wrong file.
const MAX_DIAGNOSTICS: usize = 1_000;

/// How bad it is, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing was lost.
    Note,
    /// Something in the file has no effect: an unknown or not yet supported field, a skipped model entry.
    Warning,
    /// A value cannot be used; the gateway must not start with it.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One remark about one place of a file. Shows as
/// `config.yaml:12:7: error: model_list[0].litellm_params.rpm: expected a whole number ≥ 0, found "ten"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// `model_list[0].litellm_params.rpm`; empty when the remark is about the file as a whole.
    pub path: String,
    /// What was expected and what was found.
    pub message: String,
    /// What would be right, when that is known.
    pub suggestion: Option<String>,
    /// All there is to say is that a known field has no effect in this version.
    pub not_yet: bool,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}: ",
            self.file, self.line, self.column, self.severity
        )?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; {suggestion}"),
            None => Ok(()),
        }
    }
}

/// Where readers leave their remarks. Shared by reference, so that nested readers can all write.
pub(super) struct Sink {
    /// By the number in a [`Pos`].
    files: RefCell<Vec<Arc<str>>>,
    list: RefCell<Vec<(Pos, Diagnostic)>>,
}

impl Sink {
    pub fn new(file: &str) -> Self {
        Self {
            files: RefCell::new(vec![file.into()]),
            list: RefCell::new(Vec::new()),
        }
    }

    /// A sink for something that may be left out as a whole, to be given to [`Self::take_milder`].
    pub fn aside(&self) -> Self {
        Self {
            files: self.files.clone(),
            list: RefCell::default(),
        }
    }

    /// Takes the remarks of another sink over; its errors are warnings here, and begin with `why`.
    pub fn take_milder(&self, aside: Self, why: &str) {
        for (pos, remark) in aside.list.into_inner() {
            let (severity, message) = match remark.severity {
                Severity::Error => (Severity::Warning, format!("{why}{}", remark.message)),
                milder => (milder, remark.message),
            };
            self.add(
                severity,
                pos,
                remark.path,
                message,
                remark.suggestion,
                remark.not_yet,
            );
        }
    }

    /// Another file; its number.
    pub fn add_file(&self, name: &str) -> u16 {
        let mut files = self.files.borrow_mut();
        let number = u16::try_from(files.len()).unwrap_or(u16::MAX);
        files.push(name.into());
        number
    }

    /// The name of the file that a place is in.
    pub fn file(&self, pos: Pos) -> Arc<str> {
        let files = self.files.borrow();
        let name = files.get(usize::from(pos.file));
        name.cloned().unwrap_or_else(|| Arc::from("?"))
    }

    pub fn error(&self, pos: Pos, path: impl Into<String>, message: impl Into<String>) {
        self.push(Severity::Error, pos, path.into(), message.into(), None);
    }

    pub fn warning(&self, pos: Pos, path: impl Into<String>, message: impl Into<String>) {
        self.push(Severity::Warning, pos, path.into(), message.into(), None);
    }

    pub fn note(&self, pos: Pos, path: impl Into<String>, message: impl Into<String>) {
        self.push(Severity::Note, pos, path.into(), message.into(), None);
    }

    /// A known field that has no effect in this version.
    pub fn not_yet(&self, pos: Pos, path: String) {
        self.not_yet_because(pos, path, "not supported yet: it is ignored");
    }

    /// Something known that has no effect in this version, in words of its own.
    pub fn not_yet_because(&self, pos: Pos, path: String, message: &str) {
        self.add(Severity::Warning, pos, path, message.to_owned(), None, true);
    }

    pub fn push(
        &self,
        severity: Severity,
        pos: Pos,
        path: String,
        message: String,
        suggestion: Option<String>,
    ) {
        self.add(severity, pos, path, message, suggestion, false);
    }

    fn add(
        &self,
        severity: Severity,
        pos: Pos,
        path: String,
        message: String,
        suggestion: Option<String>,
        not_yet: bool,
    ) {
        let mut list = self.list.borrow_mut();
        let (severity, path, message, suggestion) = match list.len() {
            0..MAX_DIAGNOSTICS => (severity, path, message, suggestion),
            MAX_DIAGNOSTICS => {
                // An error, because what is left out may be one.
                let text = format!("more than {MAX_DIAGNOSTICS} problems, the rest is not shown");
                (Severity::Error, String::new(), text, None)
            }
            _ => return,
        };
        let diagnostic = Diagnostic {
            severity,
            file: self.file(pos),
            line: pos.line,
            column: pos.column,
            path,
            message,
            suggestion,
            not_yet,
        };
        list.push((pos, diagnostic));
    }

    /// Whether an error was left.
    pub fn has_errors(&self) -> bool {
        let list = self.list.borrow();
        list.iter()
            .any(|(_, diagnostic)| diagnostic.severity == Severity::Error)
    }

    /// Whether further remarks are dropped.
    pub fn is_full(&self) -> bool {
        self.list.borrow().len() > MAX_DIAGNOSTICS
    }

    /// All remarks in the order of the files.
    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        let mut list = self.list.into_inner();
        list.sort_by_key(|(pos, _)| *pos);
        list.into_iter().map(|(_, diagnostic)| diagnostic).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_like_a_compiler() {
        let sink = Sink::new("config.yaml");
        sink.error(
            Pos {
                file: 0,
                line: 12,
                column: 7,
            },
            "model_list[0].litellm_params.rpm",
            "expected a whole number ≥ 0",
        );
        sink.push(
            Severity::Warning,
            Pos {
                line: 2,
                ..Pos::START
            },
            String::new(),
            "unknown".into(),
            Some("did you mean `a`?".into()),
        );
        let shown: Vec<String> = sink
            .into_diagnostics()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            shown,
            [
                "config.yaml:2:1: warning: unknown; did you mean `a`?",
                "config.yaml:12:7: error: model_list[0].litellm_params.rpm: expected a whole number ≥ 0",
            ]
        );
    }

    #[test]
    fn floods_are_cut_off() {
        let sink = Sink::new("f");
        for line in 1..5_000 {
            let pos = Pos { line, ..Pos::START };
            sink.warning(pos, "", "m");
        }
        let list = sink.into_diagnostics();
        assert_eq!(list.len(), MAX_DIAGNOSTICS + 1);
        assert_eq!(
            list.iter()
                .filter(|d| d.severity == Severity::Error)
                .count(),
            1
        );
    }
}
