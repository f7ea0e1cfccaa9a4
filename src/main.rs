//! The `pointsman` command.

use std::process::ExitCode;

use clap::Parser;
use pointsman::cli::Options;
use pointsman::run;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let options = Options::parse();
    env_logger::Builder::from_env(
        env_logger::Env::default().default_filter_or(options.log_filter()),
    )
    .init();
    match run::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pointsman: {error}");
            ExitCode::FAILURE
        }
    }
}
