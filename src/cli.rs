//! The command line. LiteLLM's spellings of flags and variables work.

use std::path::PathBuf;

use clap::Parser;

/// An LLM gateway: one OpenAI-compatible address in front of many providers, with keys, limits and spend.
#[derive(Debug, Parser)]
#[command(name = "pointsman", version, about, long_about = None, after_help = EXAMPLES)]
pub struct Options {
    /// The configuration file, YAML as LiteLLM's.
    #[arg(short, long, env = "CONFIG_FILE_PATH", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The address to listen on.
    #[arg(long, env = "HOST", default_value = "0.0.0.0")]
    pub host: String,

    /// The port to listen on; 0 takes a free one.
    #[arg(long, env = "PORT", default_value_t = 4000)]
    pub port: u16,

    /// Worker threads; one a core when not given.
    #[arg(
        long = "num_workers",
        alias = "num-workers",
        env = "NUM_WORKERS",
        value_name = "N"
    )]
    pub num_workers: Option<u16>,

    /// Where the embedded database and the journal live; made when missing.
    #[arg(
        long = "data-dir",
        alias = "data_dir",
        env = "POINTSMAN_DATA_DIR",
        default_value = "pointsman-data",
        value_name = "DIR"
    )]
    pub data_dir: PathBuf,

    /// Log what is decided (RUST_LOG gives finer control).
    #[arg(long)]
    pub debug: bool,

    /// Log everything.
    #[arg(long = "detailed_debug", alias = "detailed-debug")]
    pub detailed_debug: bool,
}

const EXAMPLES: &str = "\
Examples:
  export LITELLM_MASTER_KEY=sk-$(head -c 24 /dev/urandom | base64 | tr -d /+=)
  pointsman --config config/quickstart.yaml
  curl localhost:4000/health/readiness
";

impl Options {
    /// The default log filter; `RUST_LOG` beats it.
    pub fn log_filter(&self) -> &'static str {
        match (self.detailed_debug, self.debug) {
            (true, _) => "info,pointsman=trace",
            (_, true) => "info,pointsman=debug",
            _ => "info,actix_server=warn",
        }
    }

    /// Worker threads to start.
    pub fn workers(&self) -> usize {
        match self.num_workers {
            Some(workers) => usize::from(workers.clamp(1, 512)),
            None => std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}
