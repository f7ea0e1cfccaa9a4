//! PostgreSQL: servers of the tests' own, on a free port of loopback and as an unprivileged user, and a schema a gateway.
//!
//! `POINTSMAN_TEST_DATABASE=postgres` lets every gateway of the run keep its books there, in the server of
//! `POINTSMAN_TEST_POSTGRES` or, without one, in a server that lives as long as the test process.

use std::io;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use pointsman::store::AnyConnection;
use pointsman::types::DatabaseUrl;
use tempfile::TempDir;

use super::wait::until;

/// A start with recovery on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server, gone when it is dropped.
pub struct Server {
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    child: Option<Child>,
}

/// A schema of one gateway's own, gone when it is dropped.
pub struct Schema {
    server: String,
    name: String,
    /// Further parameters, when the URL is to be spelled as Prisma does.
    prisma: Option<String>,
}

/// Whether gateways keep their books in PostgreSQL.
pub fn is_wanted() -> bool {
    std::env::var("POINTSMAN_TEST_DATABASE").is_ok_and(|database| database == "postgres")
}

/// The newest server's programs; none where PostgreSQL is not installed, or not wanted.
fn programs() -> Option<PathBuf> {
    if std::env::var("POINTSMAN_SKIP_POSTGRES").is_ok_and(|skip| skip == "1") {
        return None;
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let debian = versions
        .flatten()
        .map(|version| version.path().join("bin"))
        .filter(|folder| folder.join("initdb").is_file())
        .max_by_key(|folder| {
            let version = folder.parent().and_then(Path::file_name)?.to_str()?;
            version.parse::<u32>().ok()
        });
    debian.or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|folder| folder.join("initdb").is_file())
    })
}

/// The user that a server runs as, which may not be root; none when this process is an ordinary user's.
fn unprivileged() -> Option<(u32, u32)> {
    // SAFETY: asks for a number.
    if unsafe { libc::geteuid() } != 0 {
        return None;
    }
    let ids = |user: &str| {
        let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
        let line = passwd
            .lines()
            .find(|line| line.split(':').next() == Some(user))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ids("postgres").or_else(|| ids("nobody"))
}

// === impl Server ===

impl Server {
    /// `None` where there is no PostgreSQL: then there is nothing to test.
    pub fn start() -> Option<Self> {
        Self::with(&[], |_| {})
    }

    /// With settings of its own, `name=value`; `prepare` may put files into its data directory before it starts.
    pub fn with(settings: &[&str], prepare: impl FnOnce(&Self)) -> Option<Self> {
        let folder = || tempfile::tempdir().expect("a folder for a server");
        Self::inside(settings, prepare, folder)
    }

    fn inside(
        settings: &[&str],
        prepare: impl FnOnce(&Self),
        folder: impl FnOnce() -> TempDir,
    ) -> Option<Self> {
        let Some(programs) = programs() else {
            eprintln!("PostgreSQL is not installed: a test is left out");
            return None;
        };
        let mut server = Self {
            folder: folder(),
            port: 0,
            settings: settings
                .iter()
                .map(|setting| (*setting).to_owned())
                .collect(),
            child: None,
        };
        if let Some((user, group)) = unprivileged() {
            chown(server.folder.path(), Some(user), Some(group))
                .expect("a folder of the server's own");
        }
        let mut initdb = server.command(&programs.join("initdb"));
        initdb
            .args([
                "-U",
                "pointsman",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
                "-D",
            ])
            .arg(server.data());
        let made = initdb.output().expect("initdb");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        prepare(&server);
        server.start_again();
        Some(server)
    }

    /// Puts a file into the server's data directory, readable by the server alone.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.data().join(name);
        std::fs::write(&path, text).expect("a file of the server");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("its mode");
        if let Some((user, group)) = unprivileged() {
            chown(&path, Some(user), Some(group)).expect("a file of the server's own");
        }
        path
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A program as the server's user, which ends with this thread.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        if let Some((user, group)) = unprivileged() {
            command.uid(user).gid(group);
        }
        // SAFETY: one system call between fork and exec. SIGQUIT ends a server at once.
        unsafe {
            command.pre_exec(
                || match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGQUIT) {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                },
            );
        }
        command
    }

    /// Starts after [`Self::stop`], at the same place.
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "the server runs");
        let programs = programs().expect("PostgreSQL");
        // Another process may take the port in between: then the next one, until the port is known to others.
        let attempts = if self.port == 0 { 5 } else { 1 };
        for _ in 0..attempts {
            let port = match self.port {
                0 => free_port(),
                port => port,
            };
            let log = std::fs::File::create(self.folder.path().join("log")).expect("a log");
            let mut command = self.command(&programs.join("postgres"));
            command.arg("-D").arg(self.data()).args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
                "-c",
                "fsync=off",
                "-c",
                "full_page_writes=off",
                "-c",
                "max_connections=200",
                "-p",
            ]);
            command.arg(port.to_string());
            for setting in &self.settings {
                command.args(["-c", setting]);
            }
            command.stdout(Stdio::null()).stderr(log);
            let mut child = command.spawn().expect("a server");
            let mut ended = false;
            until("PostgreSQL answers", PATIENCE, || {
                ended = child.try_wait().expect("a child").is_some();
                ended || connects(&url_at(port, ""))
            });
            if !ended {
                self.port = port;
                self.child = Some(child);
                return;
            }
        }
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        panic!("PostgreSQL does not start:\n{log}");
    }

    /// Ends it as a crash would: connections break, nothing is said.
    pub fn stop(&mut self) {
        if self.child.is_some() {
            // A frozen process takes no signal but this.
            self.thaw();
        }
        if let Some(mut child) = self.child.take() {
            signal(&child, libc::SIGQUIT);
            child.wait().expect("the server's end");
        }
    }

    /// It keeps its connections and does not answer any more, like a network that swallows everything.
    pub fn freeze(&self) {
        self.signal_all(libc::SIGSTOP);
    }

    pub fn thaw(&self) {
        self.signal_all(libc::SIGCONT);
    }

    /// The postmaster and its children.
    fn signal_all(&self, signal_number: i32) {
        let child = self.child.as_ref().expect("a running server");
        signal(child, signal_number);
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        for pid in std::fs::read_to_string(children)
            .unwrap_or_default()
            .split_whitespace()
        {
            let pid: i32 = pid.parse().expect("a pid");
            // SAFETY: a signal to a process of a server that this test has started.
            unsafe { libc::kill(pid, signal_number) };
        }
    }

    /// Parameters begin with `?`.
    pub fn url(&self, parameters: &str) -> String {
        url_at(self.port, parameters)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn url_at(port: u16, parameters: &str) -> String {
    format!("postgres://pointsman@127.0.0.1:{port}/postgres{parameters}")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its number").port()
}

fn connects(url: &str) -> bool {
    AnyConnection::open(&DatabaseUrl::Postgres(url.into())).is_ok()
}

fn signal(child: &Child, signal: i32) {
    let pid = libc::pid_t::try_from(child.id()).expect("a pid");
    // SAFETY: a signal to a child that has not been waited for, so that the id is still its own.
    unsafe { libc::kill(pid, signal) };
}

/// The server of this run.
fn shared() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        if let Ok(url) = std::env::var("POINTSMAN_TEST_POSTGRES") {
            return url;
        }
        // A thread that never ends keeps it: it ends with this process, and the next run removes its folder.
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres");
            let _ = std::fs::remove_dir_all(&parent);
            std::fs::create_dir_all(&parent).expect("a folder for the server");
            let server = Server::inside(
                &[],
                |_| {},
                || tempfile::tempdir_in(&parent).expect("a folder"),
            );
            let server = server.expect("PostgreSQL, which POINTSMAN_TEST_DATABASE asks for");
            tell.send(server.url("")).expect("somebody waits");
            loop {
                std::thread::park();
            }
        });
        told.recv().expect("a server")
    })
}

// === impl Schema ===

impl Schema {
    /// In the server of this run.
    pub fn new() -> Self {
        Self::at(shared())
    }

    pub fn at(server: &str) -> Self {
        let schema = Self {
            server: server.to_owned(),
            name: format!("it_{}", uuid::Uuid::new_v4().simple()),
            prisma: None,
        };
        schema.run(&format!("CREATE SCHEMA {}", schema.name));
        schema
    }

    /// With a URL as LiteLLM's users have it: `?schema=…` and what only Prisma knows.
    pub fn spelled_for_prisma(mut self, more: &str) -> Self {
        self.prisma = Some(more.to_owned());
        self
    }

    pub fn url(&self) -> String {
        if let Some(more) = &self.prisma {
            return format!("{}?schema={}{more}", self.server, self.name);
        }
        let separator = if self.server.contains('?') { '&' } else { '?' };
        format!(
            "{}{separator}options=-csearch_path%3D{}",
            self.server, self.name
        )
    }

    fn run(&self, statement: &str) {
        let url = DatabaseUrl::Postgres(self.server.as_str().into());
        let mut connection = AnyConnection::open(&url).expect("the server of the tests");
        connection
            .batch_execute(statement)
            .expect("a statement of the tests");
    }

    /// Everything that is in it, as text, to be searched for secrets.
    pub fn dump(&self) -> String {
        #[derive(QueryableByName)]
        struct Line {
            #[diesel(sql_type = diesel::sql_types::Text)]
            line: String,
        }
        let url = DatabaseUrl::Postgres(self.server.as_str().into());
        let Ok(AnyConnection::Postgres(mut connection)) = AnyConnection::open(&url) else {
            return String::new();
        };
        let mut load = |query: String| -> Vec<String> {
            let lines: Vec<Line> = diesel::sql_query(query)
                .load(&mut connection)
                .unwrap_or_default();
            lines.into_iter().map(|line| line.line).collect()
        };
        let tables = load(format!(
            "SELECT tablename::text AS line FROM pg_tables WHERE schemaname = '{}'",
            self.name
        ));
        let rows = tables.iter().flat_map(|table| {
            load(format!(
                "SELECT t::text AS line FROM {}.{table} t",
                self.name
            ))
        });
        rows.collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let url = DatabaseUrl::Postgres(self.server.as_str().into());
        // A server that a test has stopped takes its schemas along, and a failed test may have left it frozen.
        if std::thread::panicking() {
            return;
        }
        if let Ok(mut connection) = AnyConnection::open(&url) {
            let _ = connection.batch_execute(&format!("DROP SCHEMA {} CASCADE", self.name));
        }
    }
}
