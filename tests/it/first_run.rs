//! A start without a configuration: nothing to set up, a key that is shown once, a model that answers.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;

use tempfile::TempDir;

use crate::harness::{Client, SOON, Value, chat, eventually, json, streamed};

/// The binary in a folder of its own, without a configuration.
struct Bare {
    folder: TempDir,
}

/// It runs.
struct Started {
    child: Child,
    said: String,
    address: std::net::SocketAddr,
}

impl Bare {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("pointsman-data")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
        command
            .env_clear()
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Starts on a free port and waits for the end of what it says to people.
    fn start(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Started {
        let mut command = self.command(&["--port", "0", "--num_workers", "1"]);
        command.args(arguments).envs(variables.iter().copied());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut said = String::new();
        while !said.contains("Many models:") {
            match lines.recv_timeout(SOON) {
                Ok(line) => said += &(line + "\n"),
                Err(_) => {
                    let _ = child.kill();
                    let mut log = String::new();
                    let _ = child.stderr.take().unwrap().read_to_string(&mut log);
                    panic!("no greeting: {said}\n{log}");
                }
            }
        }
        let (_, rest) = said
            .split_once("listens on http://localhost:")
            .expect("an address");
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Started {
            child,
            address: ([127, 0, 0, 1], port.parse().unwrap()).into(),
            said,
        }
    }
}

impl Started {
    fn key(&self) -> String {
        let (_, rest) = self.said.split_once("POINTSMAN_KEY=sk-").expect("a key");
        let key: String = rest.chars().take_while(|c| !c.is_whitespace()).collect();
        format!("sk-{key}")
    }

    fn client(&self, key: &str) -> Client {
        Client {
            address: self.address,
            key: Some(key.to_owned()),
        }
    }

    /// SIGTERM; all it logged.
    fn stop(mut self) -> String {
        // SAFETY: a signal to a child that has not been waited for.
        unsafe {
            libc::kill(
                libc::pid_t::try_from(self.child.id()).unwrap(),
                libc::SIGTERM,
            )
        };
        let mut log = String::new();
        let _ = self.child.stderr.take().unwrap().read_to_string(&mut log);
        let status = eventually("the gateway ends", SOON, || self.child.try_wait().unwrap());
        assert!(status.success(), "{log}");
        log
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .permissions()
        .mode()
        & 0o777
}

/// Whether any file below the folder holds the text.
fn holds(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holds(&path, text);
        }
        memchr::memmem::find(&fs::read(&path).unwrap_or_default(), text.as_bytes()).is_some()
    })
}

#[test]
fn nothing_has_to_be_set_up() {
    let bare = Bare::new();
    let first = bare.start(&[], &[]);
    let key = first.key();
    assert_eq!(first.said.matches(&key).count(), 1, "{}", first.said);
    for part in [
        "curl http://localhost:",
        "from openai import OpenAI",
        "master-key rotate",
        "All routes:",
    ] {
        assert!(first.said.contains(part), "{part} in {}", first.said);
    }
    assert_eq!(mode(&bare.data()), 0o700);
    assert_eq!(mode(&bare.data().join("master-key.sha256")), 0o600);
    assert_eq!(mode(&bare.data().join("salt.key")), 0o600);
    assert!(bare.data().join("pointsman.db").is_file());
    let client = first.client(&key);
    let listed = client.get("/v1/models").with_status(200).json();
    assert_eq!(listed["data"][0]["id"], "demo");
    first.client("sk-wrong").get("/v1/models").with_status(401);
    let answer = client.chat(&chat("demo")).with_status(200).json();
    let said = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(
        said.contains("Pointsman") && !said.ends_with('\n'),
        "{answer}"
    );
    assert_eq!(answer["model"], "demo");
    let stream = client.chat(&streamed("demo", json!({}))).with_status(200);
    assert_eq!(stream.said(), said);
    assert!(stream.is_done());
    // The master key makes keys at once.
    client
        .post("/key/generate", &json!({"models": ["demo"]}))
        .with_status(200);
    // Nobody is asked, and still there is spend to look at.
    eventually("two rows of spend", SOON, || {
        let rows = client.get("/spend/logs").with_status(200).json();
        let spend = |row: &Value| row["spend"].as_f64().unwrap() > 0.0;
        let rows = rows.as_array().unwrap();
        (rows.len() == 2).then(|| assert!(rows.iter().all(spend), "{rows:?}"))
    });
    let log = first.stop();
    assert!(!log.contains("WARN"), "a first start warns: {log}");
    assert!(!log.contains(&key) && !log.contains("panicked"), "{log}");
    assert!(!holds(bare.folder.path(), &key), "the key is on disk");

    // The second start knows the key, and cannot show it.
    let salt = fs::read_to_string(bare.data().join("salt.key")).unwrap();
    let second = bare.start(&[], &[]);
    assert!(
        !second.said.contains("sk-") && second.said.contains("master-key rotate"),
        "{}",
        second.said
    );
    second.client(&key).get("/v1/models").with_status(200);
    second.stop();
    assert_eq!(
        fs::read_to_string(bare.data().join("salt.key")).unwrap(),
        salt
    );
}

#[test]
fn the_master_key_can_be_rotated() {
    let bare = Bare::new();
    let first = bare.start(&[], &[]);
    let old = first.key();
    let made = first
        .client(&old)
        .post("/key/generate", &json!({}))
        .with_status(200)
        .json();
    let virtual_key = made["key"].as_str().unwrap();
    let nowhere = bare.run(&["master-key", "rotate", "--data-dir", "nowhere"]);
    let said = String::from_utf8_lossy(&nowhere.stderr);
    assert!(
        !nowhere.status.success() && said.contains("nowhere"),
        "{said}"
    );
    assert!(!bare.folder.path().join("nowhere").exists());
    // While it runs, and again after it.
    let rotated = bare.run(&["master-key", "rotate"]);
    let said = String::from_utf8_lossy(&rotated.stdout).into_owned();
    assert!(
        rotated.status.success() && said.contains("restart"),
        "{said}"
    );
    first.client(&old).get("/v1/models").with_status(200);
    first.stop();
    let rotated = bare.run(&["master-key", "rotate", "--data-dir", "pointsman-data"]);
    let said = String::from_utf8_lossy(&rotated.stdout).into_owned();
    let new = said
        .split_whitespace()
        .find(|word| word.starts_with("sk-"))
        .expect("a key")
        .to_owned();
    assert!(
        rotated.status.success() && !said.contains("restart") && new != old,
        "{said}"
    );
    assert_eq!(mode(&bare.data().join("master-key.sha256")), 0o600);
    let second = bare.start(&[], &[]);
    second.client(&new).get("/v1/models").with_status(200);
    second.client(&old).get("/v1/models").with_status(401);
    second
        .client(virtual_key)
        .get("/v1/models")
        .with_status(200);
    second.stop();
}

#[test]
fn configured_keys_go_before_generated_ones() {
    let bare = Bare::new();
    let variables = [
        ("POINTSMAN_MASTER_KEY", "sk-own-key-of-the-test"),
        ("LITELLM_SALT_KEY", "salty"),
    ];
    let started = bare.start(&[], &variables);
    assert!(!started.said.contains("sk-own"), "{}", started.said);
    started
        .client("sk-own-key-of-the-test")
        .get("/v1/models")
        .with_status(200);
    assert!(!bare.data().join("master-key.sha256").exists());
    assert!(!bare.data().join("salt.key").exists());
    started.stop();
    let weak = bare
        .command(&["--port", "0"])
        .env("LITELLM_MASTER_KEY", "sk-1234")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&weak.stderr);
    assert!(!weak.status.success() && said.contains("sk-1234"), "{said}");
}

/// A key is shown by the start that listens; one that fails leaves none behind that nobody has seen.
#[test]
fn a_start_that_fails_keeps_no_key() {
    let bare = Bare::new();
    let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = bare.run(&["--port", &port]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("in use") && said.contains("--port"),
        "{said}"
    );
    assert!(
        output.stdout.is_empty() && !said.contains("panicked"),
        "{said}"
    );
    assert!(!bare.data().join("master-key.sha256").exists());
}

#[test]
fn a_broken_key_file_is_told() {
    let bare = Bare::new();
    fs::create_dir(bare.data()).unwrap();
    fs::write(bare.data().join("master-key.sha256"), "what is this").unwrap();
    let output = bare.run(&["--port", "0"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("master-key.sha256"),
        "{said}"
    );
}

#[test]
fn models_of_the_command_line() {
    let simulator = crate::simulator::Simulator::start();
    let bare = Bare::new();
    let base = simulator.base_url();
    let arguments = [
        "--model",
        "openai/m",
        "--model",
        "openai/n",
        "--api_base",
        &base,
    ];
    let started = bare.start(&arguments, &[]);
    let client = started.client(&started.key());
    for model in ["openai/m", "m", "n"] {
        client.chat(&chat(model)).with_status(200);
    }
    client.chat(&chat("demo")).with_status(400);
    let listed = client.get("/v1/models").with_status(200).json();
    let names: Vec<_> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].clone())
        .collect();
    assert_eq!(names, ["openai/m", "openai/n"]);
    started.stop();
    let file = bare.folder.path().join("config.yaml");
    fs::write(&file, "model_list: []\n").unwrap();
    let output = bare.run(&["--model", "config.yaml"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("--config"),
        "{said}"
    );
}

#[test]
fn flags_of_litellm() {
    let bare = Bare::new();
    let started = bare.start(
        &[
            "--run_gunicorn",
            "--telemetry",
            "False",
            "--limit_concurrency",
            "5",
        ],
        &[],
    );
    let log = started.stop();
    assert!(log.contains("--limit_concurrency has no effect"), "{log}");
    for arguments in [
        &["--ciphers", "k"][..],
        &["--health"],
        &["--iam_token_db_auth"],
    ] {
        let output = bare.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains(arguments[0]),
            "{said}"
        );
    }
}

/// As LiteLLM: `.env` of the working directory is read, it replaces nothing, and production does without.
#[test]
fn a_dot_env_is_read() {
    let bare = Bare::new();
    let file = bare.folder.path().join(".env");
    let key = "sk-from-the-file-of-the-test";
    fs::write(&file, format!("# comment\nLITELLM_MASTER_KEY=\"{key}\"\n")).unwrap();
    let started = bare.start(&[], &[]);
    started.client(key).get("/v1/models").with_status(200);
    let log = started.stop();
    assert!(
        log.contains("1 variables were read from .env") && !log.contains(key),
        "{log}"
    );
    let started = bare.start(&[], &[("LITELLM_MASTER_KEY", "sk-set-outside-of-it")]);
    started.client(key).get("/v1/models").with_status(401);
    started
        .client("sk-set-outside-of-it")
        .get("/v1/models")
        .with_status(200);
    drop(started);
    let started = bare.start(&[], &[("LITELLM_MODE", "PRODUCTION")]);
    started.client(key).get("/v1/models").with_status(401);
    drop(started);
    fs::write(&file, format!("this is {key} no line\n")).unwrap();
    let started = bare.start(&[], &[]);
    let log = started.stop();
    assert!(
        log.contains(".env is ignored") && !log.contains(key),
        "{log}"
    );
}
