//! A target's process: started on its core, its CPU time and memory read from /proc, ended with its handle.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::machine;

/// Time a target has to end by itself.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct Process {
    child: Child,
    log: PathBuf,
}

/// Nanoseconds of CPU per thread: id and name.
#[derive(Clone, Debug, Default)]
pub struct Cpu(BTreeMap<(u32, String), u64>);

// === impl Process ===

impl Process {
    /// Starts a command on the target's core; what it prints goes to `log`.
    pub fn start(command: &mut Command, log: PathBuf) -> io::Result<Self> {
        let output = File::options().create(true).append(true).open(&log)?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        // A child inherits the affinity of the thread that starts it.
        machine::pin(machine::TARGET_CORE)?;
        let child = command.spawn();
        machine::pin(machine::HARNESS_CORE)?;
        Ok(Self { child: child?, log })
    }

    /// Why it ended, if it did.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(3).collect();
        Some(format!(
            "ended with {status}: {}",
            lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
        ))
    }

    pub fn cpu(&self) -> Cpu {
        let tasks = fs::read_dir(self.proc("task"))
            .into_iter()
            .flatten()
            .flatten();
        Cpu(tasks.filter_map(|task| thread(&task.path())).collect())
    }

    /// Resident memory in bytes.
    pub fn rss(&self) -> f64 {
        let status = fs::read_to_string(self.proc("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: f64 = line
            .and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok())
            .unwrap_or_default();
        kib * 1024.0
    }

    fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.child.id()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        machine::terminate(self.child.id());
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        // It ended, or it has to now; either way there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One thread's id, name and CPU time; `None` when it ended meanwhile.
fn thread(task: &Path) -> Option<((u32, String), u64)> {
    let id = task.file_name()?.to_str()?.parse().ok()?;
    let name = fs::read_to_string(task.join("comm"))
        .ok()?
        .trim()
        .to_owned();
    let schedstat = fs::read_to_string(task.join("schedstat")).ok()?;
    Some(((id, name), schedstat.split(' ').next()?.parse().ok()?))
}

// === impl Cpu ===

impl Cpu {
    /// What was used since `before`.
    pub fn since(&self, before: &Self) -> Self {
        let used = |(thread, now): (&(u32, String), &u64)| {
            (
                thread.clone(),
                now.saturating_sub(before.0.get(thread).copied().unwrap_or_default()),
            )
        };
        Self(self.0.iter().map(used).collect())
    }

    pub fn micros(&self) -> f64 {
        self.0.values().sum::<u64>() as f64 / 1000.0
    }

    /// Microseconds per `unit` by thread name, largest first, those that matter.
    pub fn split(&self, units: f64) -> String {
        let mut names: BTreeMap<&str, f64> = BTreeMap::new();
        for ((_, name), nanos) in &self.0 {
            *names.entry(name).or_default() += *nanos as f64 / 1000.0 / units;
        }
        let mut names: Vec<_> = names
            .into_iter()
            .filter(|(_, micros)| *micros >= 0.05)
            .collect();
        names.sort_by(|a, b| b.1.total_cmp(&a.1));
        names
            .into_iter()
            .map(|(name, micros)| format!("{name} {micros:.1}"))
            .collect::<Vec<_>>()
            .join(", ")
    }
}
