//! The binary as a child process.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pointsman::types::DatabaseUrl;
use serde_json::Value;
use tempfile::TempDir;

use super::client::Client;
use super::config::Config;
use super::connection::{Connection, Request};
use super::postgres::{self, Schema};
use super::reply::Reply;
use super::secrets::{self, PROMPT, PROVIDER_KEY};
use super::wait::{SOON, eventually, until};

pub const MASTER_KEY: &str = "sk-master-5e0a9c1d3b7f4820PLANTED";

/// What to start.
pub struct Setup {
    config: String,
    env: Vec<(String, String)>,
    workers: usize,
    log: &'static str,
    flags: Vec<String>,
    host: Option<&'static str>,
    data_dir: Option<PathBuf>,
}

/// A running gateway, stopped when it is dropped. Its data live as long as this value, over restarts.
pub struct Gateway {
    setup: Setup,
    folder: TempDir,
    child: Option<Child>,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
    /// Keys that were made in this test.
    planted: Mutex<Vec<String>>,
    /// Where the books are, unless in an SQLite file of the data directory.
    schema: Option<Schema>,
}

/// A virtual key.
#[derive(Clone, Debug)]
pub struct Key {
    pub secret: String,
    /// Its SHA-256 in hex.
    pub hash: String,
    /// What `/key/generate` answered.
    pub answer: Value,
}

// === impl Setup ===

impl Setup {
    pub fn new(config: &Config) -> Self {
        Self::of_text(config.text())
    }

    /// A configuration as it stands in the file.
    pub fn of_text(config: impl Into<String>) -> Self {
        Self {
            config: config.into(),
            env: vec![("LITELLM_MASTER_KEY".into(), MASTER_KEY.into())],
            workers: 2,
            log: "debug",
            flags: Vec::new(),
            host: Some("127.0.0.1"),
            data_dir: None,
        }
    }

    /// Sets an environment variable; the gateway has no others but these.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.retain(|(own, _)| own != name);
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without_env(mut self, name: &str) -> Self {
        self.env.retain(|(own, _)| own != name);
        self
    }

    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// `RUST_LOG`.
    pub fn log(mut self, filter: &'static str) -> Self {
        self.log = filter;
        self
    }

    /// A further argument of the command line.
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// `--host`, or none.
    pub fn host(mut self, host: Option<&'static str>) -> Self {
        self.host = host;
        self
    }

    /// A data directory elsewhere, which the test keeps.
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(path.into());
        self
    }

    /// Whether the configuration says where the books are.
    fn names_a_database(&self) -> bool {
        self.config.contains("database_url")
            || self.env.iter().any(|(name, _)| name.contains("DATABASE"))
    }

    fn speaks_tls(&self) -> bool {
        self.flags.iter().any(|flag| flag.starts_with("--ssl_"))
    }

    pub fn start(self) -> Gateway {
        if postgres::is_wanted() && !self.names_a_database() {
            return self.start_in(Schema::new());
        }
        self.start_with(None)
    }

    /// With its books in a schema of PostgreSQL.
    pub fn start_in(self, schema: Schema) -> Gateway {
        let url = schema.url();
        self.env("DATABASE_URL", &url).start_with(Some(schema))
    }

    fn start_with(self, schema: Option<Schema>) -> Gateway {
        let folder = tempfile::tempdir().expect("a folder for the gateway");
        let mut gateway = Gateway {
            schema,
            setup: self,
            folder,
            child: None,
            address: ([127, 0, 0, 1], 0).into(),
            log: Arc::default(),
            planted: Mutex::default(),
        };
        gateway.start();
        gateway
    }

    /// Starts what is expected to refuse: waits for its end and returns its status and all it said.
    pub fn refuse(self) -> (ExitStatus, String) {
        let folder = tempfile::tempdir().expect("a folder for the gateway");
        let mut child = self.spawn(folder.path());
        let mut said = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            // Reads to the end, which is the end of the process.
            let _ = stderr.read_to_string(&mut said);
        }
        let status = eventually("the refusing gateway ends", SOON, || {
            child.try_wait().expect("a child")
        });
        (status, said)
    }

    fn data_in(&self, folder: &Path) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(|| folder.join("data"))
    }

    fn spawn(&self, folder: &Path) -> Child {
        let config = folder.join("gateway.yaml");
        let data = self.data_in(folder);
        std::fs::create_dir_all(&data).expect("a data folder");
        std::fs::write(&config, &self.config).expect("a config file");
        Command::new(env!("CARGO_BIN_EXE_pointsman"))
            .env_clear()
            .env("RUST_LOG", self.log)
            .env("RUST_BACKTRACE", "1")
            .envs(self.env.iter().cloned())
            .arg("--config")
            .arg(config)
            .args(self.host.iter().flat_map(|host| ["--host", host]))
            .args(&self.flags)
            .args(["--port", "0", "--num_workers"])
            .arg(self.workers.to_string())
            .arg("--data-dir")
            .arg(data)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the gateway's binary")
    }
}

// === impl Gateway ===

impl Gateway {
    pub fn of(config: &Config) -> Self {
        Setup::new(config).start()
    }

    fn start(&mut self) {
        let mut child = self.setup.spawn(self.folder.path());
        let stderr = child.stderr.take().expect("the gateway's log");
        let log = Arc::clone(&self.log);
        lock(&log).clear();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stderr);
            let mut line = Vec::new();
            while lines
                .read_until(b'\n', &mut line)
                .is_ok_and(|read| read > 0)
            {
                lock(&log).push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        self.child = Some(child);
        self.address = eventually("the gateway listens", SOON, || {
            self.must_live();
            let log = self.log();
            let (_, rest) = log.split_once("listening on http")?;
            let (_, rest) = rest.split_once("://")?;
            rest.split(|c: char| c.is_whitespace() || c == '\u{1b}' || c == '/')
                .next()?
                .parse()
                .ok()
                .map(reachable)
        });
        if self
            .setup
            .flags
            .iter()
            .any(|flag| flag.starts_with("--ssl_"))
        {
            // These callers speak no TLS.
            return;
        }
        if self.setup.speaks_tls() {
            // These callers speak no TLS.
            return;
        }
        until("the gateway is ready", SOON, || {
            self.must_live();
            self.anonymous().get("/health/readiness").status == 200
        });
    }

    fn must_live(&mut self) {
        let log = self.log();
        if let Some(child) = &mut self.child
            && let Some(status) = child.try_wait().expect("a child")
        {
            panic!("the gateway ended at its start: {status}\n{log}");
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the process has written to its log since its last start.
    pub fn log(&self) -> String {
        lock(&self.log).clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running gateway").id()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.setup.data_in(self.folder.path())
    }

    /// Where the books are: PostgreSQL when the gateway was started with it, else its SQLite file.
    pub fn database_url(&self) -> DatabaseUrl {
        match &self.schema {
            Some(schema) => DatabaseUrl::Postgres(schema.url().as_str().into()),
            None => DatabaseUrl::Sqlite(self.data_dir().join("pointsman.db")),
        }
    }

    /// Whether the books are in PostgreSQL.
    pub fn is_on_postgres(&self) -> bool {
        self.schema.is_some()
    }

    /// `pointsman ledger verify` on this gateway's books, whether it runs or not: its status and what it printed.
    pub fn verify(&self, arguments: &[&str]) -> (ExitStatus, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
        command
            .env_clear()
            .args(["ledger", "verify", "--data-dir"])
            .arg(self.data_dir());
        if let Some(schema) = &self.schema {
            command.args(["--database-url", &schema.url()]);
        }
        let output = command
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("the binary");
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (output.status, said.into_owned())
    }

    /// Fails unless `pointsman ledger verify` says that all is well; what it says, as JSON.
    #[track_caller]
    pub fn verified(&self) -> Value {
        let (status, said) = self.verify(&["--json"]);
        assert!(status.success(), "{status}: {said}");
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    // --- callers ---

    pub fn anonymous(&self) -> Client {
        Client {
            address: self.address,
            key: None,
        }
    }

    pub fn client(&self, key: &str) -> Client {
        Client {
            address: self.address,
            key: Some(key.to_owned()),
        }
    }

    pub fn master(&self) -> Client {
        self.client(MASTER_KEY)
    }

    /// Makes a key as the master.
    #[track_caller]
    pub fn key(&self, fields: Value) -> Key {
        let answer = self
            .master()
            .post("/key/generate", &fields)
            .with_status(200)
            .json();
        let text = |name: &str| {
            answer[name]
                .as_str()
                .unwrap_or_else(|| panic!("no {name}: {answer}"))
                .to_owned()
        };
        let key = Key {
            secret: text("key"),
            hash: text("token"),
            answer: answer.clone(),
        };
        lock(&self.planted).push(key.secret.clone());
        key
    }

    /// A caller with a new key.
    #[track_caller]
    pub fn caller(&self, fields: Value) -> Client {
        self.client(&self.key(fields).secret)
    }

    /// From now on this text is searched for at the end.
    pub fn plant(&self, secret: &str) {
        lock(&self.planted).push(secret.to_owned());
    }

    #[track_caller]
    pub fn key_info(&self, key: &Key) -> Value {
        let path = format!("/key/info?key={}", key.hash);
        self.master().get(&path).with_status(200).json()["info"].clone()
    }

    /// `/metrics` as text.
    #[track_caller]
    pub fn metrics(&self) -> String {
        self.master()
            .get("/metrics")
            .with_status(200)
            .text()
            .to_owned()
    }

    /// The sum of a metric over its labels; `None` when it is not there.
    #[track_caller]
    pub fn metric(&self, name: &str) -> Option<f64> {
        let text = self.metrics();
        let values = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let (series, value) = line.rsplit_once(' ')?;
                let own = series.split('{').next()?;
                (own == name).then(|| value.parse::<f64>().ok()).flatten()
            });
        values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
    }

    // --- its configuration ---

    /// The file it was started with.
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("gateway.yaml")
    }

    /// Writes another configuration into its file; the next start has it too.
    pub fn change_config(&mut self, config: &Config) {
        self.setup.config = config.text();
        std::fs::write(self.config_file(), config.text()).expect("the config file");
    }

    /// Writes another configuration and has it put in force; what was answered.
    #[track_caller]
    pub fn reload(&mut self, config: &Config) -> Value {
        self.change_config(config);
        let reloaded = self.master().post("/config/reload", &Value::Null);
        reloaded.with_status(200).json()
    }

    // --- life and death ---

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM, without waiting.
    pub fn ask_to_stop(&self) {
        self.signal(libc::SIGTERM);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.pid()).expect("a pid");
        // SAFETY: a signal to a child that has not been waited for, so that the id is still its own.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// Lets files of the process grow to so many bytes only, as a full disk would; `None` lets them grow again.
    pub fn limit_files(&self, bytes: Option<u64>) {
        let pid = libc::pid_t::try_from(self.pid()).expect("a pid");
        let limit = libc::rlimit {
            rlim_cur: bytes.unwrap_or(libc::RLIM_INFINITY),
            rlim_max: libc::RLIM_INFINITY,
        };
        // SAFETY: reads the struct, and tells the old limits to nobody.
        let done = unsafe { libc::prlimit(pid, libc::RLIMIT_FSIZE, &limit, std::ptr::null_mut()) };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    }

    /// The end of a process that was asked to stop.
    pub fn ended(&mut self, limit: Duration) -> ExitStatus {
        let mut child = self.child.take().expect("a running gateway");
        eventually("the gateway ends after SIGTERM", limit, || {
            child.try_wait().expect("a child")
        })
    }

    /// SIGTERM; the process must end well.
    pub fn terminate(&mut self) {
        self.ask_to_stop();
        let status = self.ended(SOON);
        assert!(status.success(), "{status}\n{}", self.log());
        self.search();
    }

    /// Sets an environment variable for the next start.
    pub fn change_env(&mut self, name: &str, value: &str) {
        self.setup.env.retain(|(own, _)| own != name);
        self.setup.env.push((name.to_owned(), value.to_owned()));
    }

    /// Starts again on the same data, after [`Self::kill`] or [`Self::terminate`].
    pub fn start_again(&mut self) {
        self.kill();
        self.start();
    }

    /// Fails when a secret is where it must not be, or when anything panicked.
    #[track_caller]
    fn search(&self) {
        let planted = lock(&self.planted).clone();
        let fixed = [PROVIDER_KEY, MASTER_KEY, PROMPT];
        let secrets = planted.iter().map(String::as_str).chain(fixed);
        let log = self.log();
        let mut found = secrets::search("the log", log.as_bytes(), secrets.clone());
        found.extend(secrets::search_files(&self.data_dir(), &secrets));
        if let Some(schema) = &self.schema {
            let rows = schema.dump();
            found.extend(secrets::search(
                "PostgreSQL",
                rows.as_bytes(),
                secrets.clone(),
            ));
        }
        if let Some(metrics) = self.last_metrics() {
            found.extend(secrets::search("/metrics", &metrics.body, secrets));
        }
        assert!(found.is_empty(), "secrets leaked:\n{}", found.join("\n"));
        assert!(!log.contains("panicked at"), "something panicked:\n{log}");
    }

    fn last_metrics(&self) -> Option<Reply> {
        self.child.as_ref().filter(|_| !self.setup.speaks_tls())?;
        let request = Request::get("/metrics").key(MASTER_KEY);
        Connection::open(self.address).ok()?.ask(&request).ok()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            eprintln!("--- the gateway's last lines ---");
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
            self.kill();
            return;
        }
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.search()));
        self.kill();
        if let Err(panic) = found {
            std::panic::resume_unwind(panic);
        }
    }
}

/// This machine's address for one that stands for all.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        ([127, 0, 0, 1], address.port()).into()
    } else {
        address
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
