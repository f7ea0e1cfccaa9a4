//! The gateway with everything on: virtual keys with limits and budgets on key, team and user, far from reached; 200
//! deployments; spend in SQLite.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::models::{self, COMPLETION_TOKENS, PROMPT_TOKENS};
use crate::process::Process;
use crate::target;

const MASTER_KEY: &str = "sk-bench-master";
const USER: &str = "bench-user";
const TEAM: &str = "bench-team";
/// All deployments: ten of the model that throughput is measured with, one of each other model, the rest never asked.
const DEPLOYMENTS: usize = 200;
const SMALL_DEPLOYMENTS: usize = 10;
/// Never reached.
const PLENTY: u64 = 1_000_000_000_000;

/// Dollars a token.
const INPUT_PRICE: f64 = 0.000_001;
const OUTPUT_PRICE: f64 = 0.000_002;

/// Time in which a batch is surely written, and time after which none ever will be.
const BATCH: Duration = Duration::from_millis(1200);
const PATIENCE: Duration = Duration::from_secs(60);

/// The gateway's files, with its keys in the database.
pub struct Gateway {
    folder: PathBuf,
    pub keys: Vec<String>,
}

/// Looks into the spend of the one user that all keys belong to.
pub struct Ledger(SocketAddr);

// === impl Gateway ===

impl Gateway {
    /// Writes the configuration, and starts the gateway once to make a user, a team and `keys` keys.
    pub async fn prepare(folder: &Path, upstream: SocketAddr, keys: usize) -> Result<Self, String> {
        let mut gateway = Self {
            folder: folder.to_owned(),
            keys: Vec::new(),
        };
        std::fs::write(
            folder.join("pointsman.yaml"),
            gateway.configuration(upstream),
        )
        .map_err(|why| why.to_string())?;
        let port = target::free_port()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut process = gateway.start(port)?;
        let alive = models::get(address, MASTER_KEY, "/health/liveliness");
        target::wait_for_answer(address, &alive, Some(&mut process)).await?;
        gateway.keys = provision(address, keys).await?;
        Ok(gateway)
    }

    pub fn start(&self, port: u16) -> Result<Process, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
        command
            .arg("--config")
            .arg(self.folder.join("pointsman.yaml"))
            .arg("--port")
            .arg(port.to_string());
        command
            .env("LITELLM_MASTER_KEY", MASTER_KEY)
            .current_dir(&self.folder);
        Process::start(&mut command, self.folder.join("pointsman.log"))
            .map_err(|why| why.to_string())
    }

    pub fn ledger(&self, port: u16) -> Ledger {
        Ledger(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    fn configuration(&self, upstream: SocketAddr) -> String {
        let small = std::iter::repeat_n(models::SMALL.to_owned(), SMALL_DEPLOYMENTS - 1);
        let named = models::ALL.map(str::to_owned).into_iter().chain(small);
        let others = (0..).map(|number| format!("other-{number}"));
        let deployments: String = named
            .chain(others)
            .take(DEPLOYMENTS)
            .map(|name| {
                format!(
                    "  - model_name: {name}\n    litellm_params:\n      model: openai/{name}\n      api_base: http://{upstream}/v1\n      \
                     api_key: sk-upstream\n      input_cost_per_token: {INPUT_PRICE:.6}\n      output_cost_per_token: {OUTPUT_PRICE:.6}\n"
                )
            })
            .collect();
        format!(
            "model_list:\n{deployments}general_settings:\n  master_key: os.environ/LITELLM_MASTER_KEY\n  database_url: sqlite://{}\n",
            self.folder.join("pointsman.db").display()
        )
    }
}

/// Makes user, team and keys; the keys.
async fn provision(address: SocketAddr, keys: usize) -> Result<Vec<String>, String> {
    let limits = json!({"rpm_limit": PLENTY, "tpm_limit": PLENTY, "max_budget": PLENTY});
    let limited = |more: Value| {
        let mut body = limits.clone();
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        body
    };
    let mut client = Client::connect(address)
        .await
        .map_err(|why| why.to_string())?;
    admin(
        &mut client,
        address,
        "/user/new",
        &limited(json!({"user_id": USER, "auto_create_key": false})),
    )
    .await?;
    admin(
        &mut client,
        address,
        "/team/new",
        &limited(json!({"team_id": TEAM, "team_alias": TEAM})),
    )
    .await?;
    let body = limited(json!({"user_id": USER, "team_id": TEAM}));
    let mut made = Vec::with_capacity(keys);
    for _ in 0..keys {
        let answer = admin(&mut client, address, "/key/generate", &body).await?;
        made.push(
            answer["key"]
                .as_str()
                .ok_or("/key/generate answered without a key")?
                .to_owned(),
        );
    }
    Ok(made)
}

async fn admin(
    client: &mut Client,
    address: SocketAddr,
    path: &str,
    body: &Value,
) -> Result<Value, String> {
    answered(
        path,
        client
            .call(&models::post(address, MASTER_KEY, path, body))
            .await,
    )
}

fn answered(path: &str, answer: io::Result<(u16, Vec<u8>)>) -> Result<Value, String> {
    match answer {
        Ok((200, body)) => {
            serde_json::from_slice(&body).map_err(|why| format!("{path} answered no JSON: {why}"))
        }
        Ok((status, body)) => Err(format!(
            "{path} answered {status}: {}",
            String::from_utf8_lossy(&body)
        )),
        Err(why) => Err(format!("{path}: {why}")),
    }
}

// === impl Ledger ===

impl Ledger {
    /// The user's spend, once nothing more is being written.
    pub async fn at_rest(&self) -> Result<f64, String> {
        let deadline = Instant::now() + PATIENCE;
        let mut before = self.spent().await?;
        loop {
            tokio::time::sleep(BATCH).await;
            let now = self.spent().await?;
            if now == before {
                return Ok(now);
            }
            if Instant::now() > deadline {
                return Err("the ledger does not come to rest".to_owned());
            }
            before = now;
        }
    }

    /// Waits until the spend shows `requests` requests more than `mark`.
    pub async fn reaches(&self, mark: f64, requests: u64) -> Result<(), String> {
        let each = PROMPT_TOKENS as f64 * INPUT_PRICE + COMPLETION_TOKENS as f64 * OUTPUT_PRICE;
        // Half a request less, since sums of floats are not exact.
        let expected = mark + (requests as f64 - 0.5) * each;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let spent = self.spent().await?;
            if spent >= expected {
                return Ok(());
            }
            if Instant::now() > deadline {
                let written = (spent - mark) / each;
                return Err(format!(
                    "the ledger shows {written:.0} of {requests} requests after a minute"
                ));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn spent(&self) -> Result<f64, String> {
        let path = format!("/v2/user/info?user_id={USER}");
        let mut client = Client::connect(self.0)
            .await
            .map_err(|why| why.to_string())?;
        let answer = answered(
            &path,
            client.call(&models::get(self.0, MASTER_KEY, &path)).await,
        )?;
        let spend = answer["spend"]
            .as_f64()
            .or_else(|| answer["user_info"]["spend"].as_f64());
        spend.ok_or_else(|| format!("{path} answered without a spend"))
    }
}
