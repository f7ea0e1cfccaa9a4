//! The `pointsman` command.

use std::process::ExitCode;

use pointsman::cli::{self, Cli, Command, DotEnv, Ledger, MasterKey};
use pointsman::console::{self, ConsoleError};
use pointsman::launch::launch;
use pointsman::run;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A burst of streams leaves much freed memory behind; it goes back to the system soon (measured: 58 KiB an open stream with
/// jemalloc's ten seconds, some 40 with this, at the same throughput). Not at once: that costs a fifth of the throughput.
#[unsafe(export_name = "_rjem_malloc_conf")]
static MALLOC_CONF: &[u8; 36] = b"dirty_decay_ms:50,muzzy_decay_ms:0\0\0";

fn main() -> ExitCode {
    let dot_env = cli::adopt();
    let cli = Cli::read();
    let env = |name: &str| std::env::var(name).ok();
    env_logger::Builder::from_env(
        env_logger::Env::default().default_filter_or(cli.serve.log_filter(&env)),
    )
    .init();
    match dot_env {
        DotEnv::Absent => {}
        DotEnv::Read(count) => log::info!("{count} variables were read from .env"),
        DotEnv::Broken(why) => log::warn!(".env is ignored: {why}"),
    }
    let ended = match &cli.command {
        Some(Command::Check(check)) => return run::check(&check.files, &env),
        Some(Command::Plan(plan)) => {
            return run::plan(&plan.old, &plan.new, plan.detailed_exitcode, &env);
        }
        Some(Command::Ledger(Ledger::Verify(verify))) => return run::verify_ledger(verify, &env),
        Some(Command::Explain(wanted)) => return told(console::explain(wanted, &env)),
        Some(Command::Chaos(wanted)) => return told(console::chaos(wanted, &env)),
        Some(Command::Launch(wanted)) => {
            let Err(error) = launch(wanted, &env);
            eprintln!("pointsman: {error}");
            return ExitCode::FAILURE;
        }
        Some(Command::MasterKey(MasterKey::Rotate(place))) => {
            run::rotate_master_key(&place.data_dir)
        }
        None => match &cli.serve.config {
            Some(file) if cli.serve.validate_config => {
                return run::check(std::slice::from_ref(file), &env);
            }
            _ => run::run(&cli.serve, &cli.without_effect),
        },
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pointsman: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what a running gateway has told.
fn told(told: Result<String, ConsoleError>) -> ExitCode {
    match told {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("pointsman: {error}");
            ExitCode::FAILURE
        }
    }
}
