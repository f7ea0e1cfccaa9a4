//! The whole file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::types::Secret;

use super::diagnostic::{Diagnostic, Severity, Sink};
use super::fields::Place;
use super::general_settings::{self, GeneralSettings};
use super::litellm_settings::{self, LitellmSettings};
use super::model::{self, ModelEntry};
use super::read::Section;
use super::resolve::resolve;
use super::review::review;
use super::router_settings::{self, RouterSettings};
use super::variables;
use super::yaml::{self, Node, Pos, Value};

/// A larger file is refused: 16 MiB.
pub const MAX_FILE_BYTES: u64 = 16 << 20;

/// A configuration; the default one is that of an empty file.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// In the order written; entries that cannot be used are missing.
    pub model_list: Vec<ModelEntry>,
    pub router_settings: RouterSettings,
    pub litellm_settings: LitellmSettings,
    pub general_settings: GeneralSettings,
    /// To be added to the process environment, in the order written. Already taken into account here.
    pub environment_variables: Vec<(String, Secret)>,
}

/// What a file gave.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// In the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Whether the gateway must not start with this.
    pub fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

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

impl Config {
    /// Reads the file at `path`. `env` answers what a variable of the environment holds.
    pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, LoadError> {
        let unreadable = |source| LoadError::Unreadable {
            file: path.to_owned(),
            source,
        };
        let file = path.display().to_string();
        let mut bytes = Vec::new();
        // One byte more than allowed tells a file that is too large from one that just fits.
        File::open(path)
            .and_then(|f| f.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
            .map_err(unreadable)?;
        match String::from_utf8(bytes) {
            Ok(text) => Self::from_text(&file, &text, env),
            Err(error) if error.as_bytes().len() as u64 > MAX_FILE_BYTES => {
                Err(LoadError::TooLarge { file })
            }
            Err(_) => Err(LoadError::NotText { file }),
        }
    }

    /// Reads `text`; `file_name` is what diagnostics call it.
    pub fn from_text(
        file_name: &str,
        text: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Loaded, LoadError> {
        let file = || file_name.to_owned();
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(LoadError::TooLarge { file: file() });
        }
        let invalid = |Pos { line, column }: Pos, message: String| {
            let (severity, path, file) = (Severity::Error, String::new(), file_name.into());
            LoadError::Invalid(Diagnostic {
                severity,
                file,
                line,
                column,
                path,
                message,
                suggestion: None,
            })
        };
        let document = yaml::parse(text)
            .map_err(|e| invalid(e.pos, format!("this is not valid YAML: {}", e.message)))?;
        let mut root = match document.root {
            None => return Err(LoadError::Empty { file: file() }),
            Some(root) if root.is_null() => return Err(LoadError::Empty { file: file() }),
            Some(root) if matches!(root.value, Value::Map(_)) => root,
            Some(root) => {
                let message = "expected sections (`model_list:`, `general_settings:` …), found something else";
                return Err(invalid(root.pos, message.to_owned()));
            }
        };
        let sink = Sink::new(file_name);
        for repeated in &document.repeated {
            let key = super::redact::key_in_path(&repeated.key);
            let message = format!(
                "the key stands twice in its map, first in line {}; the last one counts",
                repeated.first_line
            );
            sink.warning(repeated.pos, key, message);
        }
        resolve(&mut root, "", env, &sink);
        let config = read(&root, env, &sink);
        Ok(Loaded {
            config,
            diagnostics: sink.into_diagnostics(),
        })
    }
}

fn read(root: &Node, env: &dyn Fn(&str) -> Option<String>, sink: &Sink) -> Config {
    let Some(top) = Section::open(root, "", sink, Severity::Error) else {
        return Config::default();
    };
    review(Place::Top, &top);
    let environment_variables = top
        .value("environment_variables")
        .map(|node| variables::read(node, sink))
        .unwrap_or_default();
    // The file's variables are exported after its own lookups, as in LiteLLM, so they only serve as provider defaults.
    let exported = |name: &str| {
        let own = environment_variables
            .iter()
            .rev()
            .find(|(own, _)| own == name);
        own.map(|(_, value)| value.expose().to_owned())
            .or_else(|| env(name))
    };
    Config {
        model_list: top
            .value("model_list")
            .map(|node| model::read(node, &exported, sink))
            .unwrap_or_default(),
        router_settings: top
            .value("router_settings")
            .map(|n| router_settings::read(n, sink))
            .unwrap_or_default(),
        litellm_settings: top
            .value("litellm_settings")
            .map(|n| litellm_settings::read(n, sink))
            .unwrap_or_default(),
        general_settings: general_settings::read(top.value("general_settings"), &exported, sink),
        environment_variables,
    }
}
