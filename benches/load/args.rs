//! The command line.

/// What this process is to do.
pub enum Command {
    Measure(Args),
    /// Be the `bare` target: the bench starts itself again for that.
    Forward {
        port: u16,
        upstream: String,
    },
    /// Run by `cargo test --all-targets`, which should not take minutes.
    Nothing,
    Refuse(String),
}

pub struct Args {
    /// Short passes and one round: shows that everything works, not how fast.
    pub quick: bool,
    /// Measurements; empty is all.
    only: Vec<String>,
    pub targets: Vec<String>,
    /// The server that the gateway's books are in; none means SQLite.
    pub postgres: Option<String>,
}

pub const MEASUREMENTS: [&str; 9] = [
    "start",
    "memory",
    "requests",
    "bodies",
    "streams",
    "translated",
    "latency",
    "failover",
    "fleet",
];
pub const TARGETS: [&str; 4] = ["nginx", "bare", "pointsman", "pointsman-small"];

// === impl Args ===

impl Args {
    pub fn read() -> Command {
        let mut args = Self {
            quick: false,
            only: Vec::new(),
            targets: TARGETS.map(String::from).to_vec(),
            postgres: None,
        };
        let mut bench = false;
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let read = match word.as_str() {
                "--bench" => {
                    bench = true;
                    Ok(())
                }
                "--quick" => {
                    args.quick = true;
                    Ok(())
                }
                "--only" => list(words.next(), &MEASUREMENTS).map(|list| args.only = list),
                "--targets" => list(words.next(), &TARGETS).map(|list| args.targets = list),
                "--database" => database(words.next()).map(|server| args.postgres = server),
                "--forward" => match (
                    words.next().and_then(|port| port.parse().ok()),
                    words.next(),
                ) {
                    (Some(port), Some(upstream)) => return Command::Forward { port, upstream },
                    _ => Err("--forward needs a port and an upstream address".to_owned()),
                },
                other => Err(format!(
                    "unknown argument {other}; known are --quick, --only, --targets and --database"
                )),
            };
            if let Err(why) = read {
                return Command::Refuse(why);
            }
        }
        if bench {
            Command::Measure(args)
        } else {
            Command::Nothing
        }
    }

    pub fn measures(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// Picks by `--quick`.
    pub fn pick<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }
}

/// `sqlite`, or `postgres`: then the server of `POINTSMAN_TEST_POSTGRES`.
fn database(word: Option<String>) -> Result<Option<String>, String> {
    match word.as_deref() {
        Some("sqlite") => Ok(None),
        Some("postgres") => std::env::var("POINTSMAN_TEST_POSTGRES")
            .map(Some)
            .map_err(|_| "--database postgres needs POINTSMAN_TEST_POSTGRES".to_owned()),
        _ => Err("--database is sqlite or postgres".to_owned()),
    }
}

fn list(word: Option<String>, known: &[&str]) -> Result<Vec<String>, String> {
    let names: Vec<String> = word
        .unwrap_or_default()
        .split(',')
        .map(str::to_owned)
        .collect();
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!(
            "unknown name {name:?}; known are {}",
            known.join(", ")
        )),
        None => Ok(names),
    }
}
