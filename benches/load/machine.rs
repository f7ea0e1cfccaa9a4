//! This machine: pinning to cores, limits, and what to print about it.

use std::io;
use std::mem;
use std::process::Command;

/// The load generator's and the simulator's core.
pub const HARNESS_CORE: usize = 0;
/// The target's core.
pub const TARGET_CORE: usize = 1;

/// Pins the process, lifts its limit of descriptors, and asks for timers without slack. Before any thread is started.
pub fn prepare() -> io::Result<()> {
    pin(HARNESS_CORE)?;
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: plain calls; the struct is ours and outlives them.
    unsafe {
        check(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit))?;
        limit.rlim_cur = limit.rlim_max;
        check(libc::setrlimit(libc::RLIMIT_NOFILE, &limit))?;
        check(libc::prctl(libc::PR_SET_TIMERSLACK, 1))
    }
}

/// Pins the calling thread, and what it starts from now on, to a core; on a machine with one core there is no choice.
pub fn pin(core: usize) -> io::Result<()> {
    // SAFETY: an all-zero set is an empty one, and the size given is its own.
    unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(core % cores(), &mut set);
        check(libc::sched_setaffinity(0, size_of_val(&set), &set))
    }
}

/// Asks a process that we started to end.
pub fn terminate(pid: u32) {
    // SAFETY: a plain call. A process that has ended already is no error that matters.
    unsafe { libc::kill(pid as libc::pid_t, libc::SIGTERM) };
}

/// Cores, processor, memory, system, and versions of what is compared.
pub fn describe() -> String {
    let line = |file: &str, key: &str| -> String {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.split_once(':'));
        value
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    };
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{} cores, {}, {} of memory, Linux {}, load {} · nginx {} · actix-web 4, awc 3 · pointsman {}",
        cores(),
        line("/proc/cpuinfo", "model name"),
        line("/proc/meminfo", "MemTotal"),
        std::fs::read_to_string("/proc/sys/kernel/osrelease")
            .unwrap_or_default()
            .trim(),
        load.split(' ').next().unwrap_or_default(),
        nginx_version(),
        env!("CARGO_PKG_VERSION"),
    )
}

/// CPU seconds used so far, by everything on this machine and by this process and the children it has waited for.
#[derive(Clone, Copy)]
pub struct Usage {
    all: f64,
    ours: f64,
}

// === impl Usage ===

impl Usage {
    pub fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let mut fields = stat
            .lines()
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .skip(1);
        let all: f64 = fields
            .by_ref()
            .map(|field| field.parse::<f64>().unwrap_or_default())
            .enumerate()
            .map(busy)
            .sum();
        // SAFETY: a plain call.
        let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
        Self {
            all: all / ticks,
            ours: consumed(libc::RUSAGE_SELF) + consumed(libc::RUSAGE_CHILDREN),
        }
    }

    /// CPU seconds that others used since `before`.
    pub fn others_since(self, before: Self) -> f64 {
        (self.all - before.all) - (self.ours - before.ours)
    }
}

/// Of user, nice, system, idle, iowait, irq, softirq and steal, those that are work; what follows them is counted in them.
fn busy((field, ticks): (usize, f64)) -> f64 {
    if matches!(field, 0..=2 | 5..=7) {
        ticks
    } else {
        0.0
    }
}

fn consumed(who: libc::c_int) -> f64 {
    // SAFETY: an all-zero struct is a valid one, ours, and outlives the call.
    let usage = unsafe {
        let mut usage: libc::rusage = mem::zeroed();
        libc::getrusage(who, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// All online cores, also those this process is not pinned to.
fn cores() -> usize {
    // SAFETY: a plain call.
    let count = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    usize::try_from(count).unwrap_or(1).max(1)
}

fn nginx_version() -> String {
    let Ok(output) = Command::new("nginx").arg("-v").output() else {
        return "not installed".to_owned();
    };
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.trim()
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn check(status: libc::c_int) -> io::Result<()> {
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
