//! The load bench: what the gateway costs, measured against nginx doing nothing but forwarding, in the same run.
//!
//! `cargo bench --bench load -- [--quick] [--only requests,bodies,…] [--targets nginx,bare,pointsman] [--database postgres]`
//!
//! Load generator and simulated provider share one thread on core 0; the target has core 1 to itself, whatever threads it
//! has. Passes are interleaved, one target at a time, because the speed of a machine wanders; a ratio compares neighbours, and
//! the table shows medians. Only loopback is used.

mod args;
mod bare;
mod client;
mod failover;
mod fresh;
mod gateway;
mod latency;
mod layout;
mod machine;
mod models;
mod nginx;
mod process;
mod requests;
mod scene;
mod stats;
mod streams;
mod table;
mod target;
mod translated;

#[path = "../../tests/simulator/mod.rs"]
mod simulator;

use std::process::ExitCode;

use args::{Args, Command};
use scene::Scene;

/// The gateway's allocator, so that the bare target has no other.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let done = match Args::read() {
        Command::Forward { port, upstream } => {
            bare::forward(port, &upstream).map_err(|why| why.to_string())
        }
        Command::Measure(args) => measure(&args),
        Command::Nothing => {
            println!("the load bench runs under `cargo bench --bench load` only");
            Ok(())
        }
        Command::Refuse(why) => Err(why),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("load bench: {why}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<(), String> {
    machine::prepare().map_err(|why| format!("cannot set up this process: {why}"))?;
    println!("{}\n", machine::describe());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| why.to_string())?;
    let table = runtime.block_on(Scene::new(args).run());
    println!("\n{table}");
    Ok(())
}
