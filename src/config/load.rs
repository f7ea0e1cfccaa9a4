//! The whole configuration.

use std::path::{Path, PathBuf};

use crate::catalog::OwnModels;
use crate::types::Secret;

use super::auto_mode::{self, AutoMode};
use super::credentials::Credentials;
use super::crosscheck;
use super::default_params::DefaultParams;
use super::diagnostic::{Diagnostic, Severity, Sink};
use super::fields::Place;
use super::general_settings::{self, GeneralSettings};
use super::health_checks::HealthChecks;
use super::include;
use super::litellm_settings::{self, LitellmSettings};
use super::model::{self, ModelEntry};
use super::network::{self, NetworkSettings};
use super::outline::Outline;
use super::price_file;
use super::read::Section;
use super::resolve::resolve;
use super::review::review;
use super::router_settings::{self, RouterSettings};
use super::source::{self, LoadError};
use super::variables;
use super::yaml::Node;

/// A configuration; the default one is that of an empty file.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// In the order written, those of `global_llm_configs` last; entries that cannot be used are missing.
    pub model_list: Vec<ModelEntry>,
    /// Who else is in the group `auto`.
    pub auto_mode: AutoMode,
    pub router_settings: RouterSettings,
    pub litellm_settings: LitellmSettings,
    pub general_settings: GeneralSettings,
    /// How providers are reached.
    pub network: NetworkSettings,
    pub health_checks: HealthChecks,
    /// To be added to the process environment, in the order written. Already taken into account here.
    pub environment_variables: Vec<(String, Secret)>,
}

/// What a file gave.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// In the order of the file.
    pub diagnostics: Vec<Diagnostic>,
    /// The models of the file of prices that the configuration names: to be laid over the catalogue where it is used.
    pub own_models: OwnModels,
    /// Every file that was read, or should have been: as named, so that a link is followed anew each time.
    pub files: Vec<PathBuf>,
    pub outline: Outline,
    /// What entries are filled with.
    pub(super) common: Common,
}

impl Loaded {
    /// Whether the gateway must not start with this.
    pub fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

impl Config {
    /// Reads the file at `path`, what it includes, and the file of prices it names. `added`, a name and a text, is laid over it (the command line).
    /// `env` answers what a variable of the environment holds.
    pub fn load(
        path: &Path,
        added: Option<(&str, &str)>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Loaded, LoadError> {
        let name = path.display().to_string();
        let text = source::read(path)?;
        let source = Self::from_source(&name, &text, Some(path), added, env)?;
        Ok(source.loaded)
    }

    /// Reads the file at `path` likewise, and keeps what it says beside what it means.
    pub fn load_source(
        path: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Source, LoadError> {
        let name = path.display().to_string();
        let text = source::read(path)?;
        Self::from_source(&name, &text, Some(path), None, env)
    }

    /// Reads `text`, which can include no files; `file_name` is what diagnostics call it.
    pub fn from_text(
        file_name: &str,
        text: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Loaded, LoadError> {
        Self::from_text_with((file_name, text), None, env)
    }

    /// Reads a text, and lays another over it.
    pub fn from_text_with(
        (file_name, text): (&str, &str),
        added: Option<(&str, &str)>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Loaded, LoadError> {
        let source = Self::from_source(file_name, text, None, added, env)?;
        Ok(source.loaded)
    }

    fn from_source(
        name: &str,
        text: &str,
        file: Option<&Path>,
        added: Option<(&str, &str)>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Source, LoadError> {
        let sink = Sink::new(name);
        let mut root = source::parse(text, 0, &sink)?;
        let mut files = include::expand(&mut root, file, &sink);
        if let Some((name, text)) = added {
            let number = sink.add_file(name);
            include::lay_over(&mut root, source::parse(text, number, &sink)?);
        }
        resolve(&mut root, "", env, &sink);
        // Before the models, which may be among those of the file.
        let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
        let prices = price_file::read(&root, folder, env, &sink);
        let (config, common) = prices.models.during(|| read(&root, env, &sink));
        let mut diagnostics = sink.into_diagnostics();
        diagnostics.extend(prices.diagnostics);
        files.extend(prices.path);
        files.extend(model::files_of_routes(&root));
        let loaded = Loaded {
            config,
            diagnostics,
            own_models: prices.models,
            files,
            outline: Outline::of_settings(&root),
            common,
        };
        Ok(Source { loaded, root })
    }
}

/// A file with what it says, field by field. Has no `Debug`: there are secrets in it.
pub struct Source {
    pub loaded: Loaded,
    /// After look-ups.
    pub(super) root: Node,
}

/// What entries of `model_list` are filled with.
#[derive(Clone, Default)]
pub(super) struct Common {
    pub credentials: Credentials,
    pub defaults: DefaultParams,
}

impl std::fmt::Debug for Common {
    /// Never a value.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Common(…)")
    }
}

fn read(root: &Node, env: &dyn Fn(&str) -> Option<String>, sink: &Sink) -> (Config, Common) {
    let Some(top) = Section::open(root, "", sink, Severity::Error) else {
        return Default::default();
    };
    review(Place::Top, &top);
    let environment_variables = top
        .value("environment_variables")
        .map(|node| variables::read(node, sink))
        .unwrap_or_default();
    // The file's variables are exported after its own lookups, as in LiteLLM, so they only serve as provider defaults.
    let exported = |name: &str| variables::exported(&environment_variables, name, env);
    let credentials: Credentials = top
        .value("credential_list")
        .map(|node| Credentials::read(node, sink))
        .unwrap_or_default();
    let litellm_settings = top
        .value("litellm_settings")
        .map(|n| litellm_settings::read(n, sink))
        .unwrap_or_default();
    let auto_mode = AutoMode::read(&top);
    let defaults = DefaultParams::read(top.value("router_settings"), sink);
    let mut model_list = top
        .value("model_list")
        .map(|node| model::read(node, &credentials, &defaults, &exported, sink))
        .unwrap_or_default();
    model_list.extend(auto_mode::read_list(
        &top,
        &credentials,
        &defaults,
        &exported,
    ));
    let mut router_settings = top
        .value("router_settings")
        .map(|n| router_settings::read(n, sink))
        .unwrap_or_default()
        .completed(litellm_settings.allowed_fails, env, sink);
    if auto_mode.is_on() {
        router_settings = router_settings
            .for_auto_mode(top.value("router_settings"), litellm_settings.num_retries);
    }
    let config = Config {
        model_list,
        auto_mode,
        router_settings,
        litellm_settings,
        general_settings: general_settings::read(top.value("general_settings"), &exported, sink),
        health_checks: HealthChecks::read(&top, env),
        network: network::read(top.value("litellm_settings"), &exported, sink),
        environment_variables,
    };
    // What the database serves is not known here.
    let is_open = config.general_settings.stored_models.are_on;
    let alias_node = top
        .value("router_settings")
        .and_then(|node| node.get("model_group_alias"))
        .map(|entry| &entry.value);
    if !is_open {
        crosscheck::aliases(
            alias_node,
            &config.router_settings.model_group_alias,
            &config.model_list,
            config.auto_mode,
            sink,
        );
    }
    let aliases = &config.router_settings.model_group_alias;
    let served = crosscheck::Served::new(&config.model_list, aliases, config.auto_mode, is_open);
    for section in ["router_settings", "litellm_settings"] {
        crosscheck::fallbacks(top.value(section), section, &served, sink);
    }
    let common = Common {
        credentials,
        defaults,
    };
    (config, common)
}
