//! The gateway with everything on: virtual keys with limits and budgets on key, team and user, far from reached; spend in
//! SQLite or PostgreSQL; many deployments.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use pointsman::store::AnyConnection;
use pointsman::types::DatabaseUrl;

use crate::layout::{INPUT_PRICE, Layout, OUTPUT_PRICE, Upstreams};
use crate::models::{self, COMPLETION_TOKENS, PROMPT_TOKENS};
use crate::process::Process;
use crate::target;

const MASTER_KEY: &str = "sk-bench-master";
const USER: &str = "bench-user";
const TEAM: &str = "bench-team";
/// Never reached.
const PLENTY: u64 = 1_000_000_000_000;

/// Time in which a batch is surely written, and time after which none ever will be.
const BATCH: Duration = Duration::from_millis(1200);
const PATIENCE: Duration = Duration::from_secs(60);

/// How much a gateway has to know.
#[derive(Clone, Copy)]
pub struct Size {
    pub layout: Layout,
    pub keys: usize,
}

/// The gateway's files, with its keys in the database.
pub struct Gateway {
    folder: PathBuf,
    database: Database,
    layout: Layout,
    pub keys: Vec<String>,
}

/// Watches how many rows the database holds.
pub struct Ledger(DatabaseUrl);

/// Where the books are.
struct Database {
    url: String,
    /// Server and schema, which goes with this value.
    schema: Option<(String, String)>,
}

// === impl Gateway ===

impl Gateway {
    /// Writes the configuration into a folder of its own, and starts the gateway once to make a user, a team and the keys.
    pub async fn prepare(
        folder: PathBuf,
        upstreams: &Upstreams,
        size: Size,
        postgres: Option<&str>,
    ) -> Result<Self, String> {
        std::fs::create_dir_all(&folder).map_err(|why| why.to_string())?;
        let mut gateway = Self {
            database: Database::new(&folder, postgres)?,
            layout: size.layout,
            folder,
            keys: Vec::new(),
        };
        std::fs::write(
            gateway.folder.join("pointsman.yaml"),
            gateway.configuration(upstreams),
        )
        .map_err(|why| why.to_string())?;
        let port = target::free_port()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut process = gateway.start(port)?;
        let alive = models::get(address, MASTER_KEY, "/health/liveliness");
        target::wait_for_answer(address, &alive, Some(&mut process)).await?;
        drop(process);
        gateway.keys = provision(&gateway.database.address()?, size.keys)?;
        Ok(gateway)
    }

    pub fn start(&self, port: u16) -> Result<Process, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
        command
            .arg("--config")
            .arg(self.folder.join("pointsman.yaml"))
            .args(["--host", "127.0.0.1", "--num_workers", "1", "--port"])
            .arg(port.to_string())
            .arg("--data-dir")
            .arg(self.folder.join("data"));
        command
            .env("LITELLM_MASTER_KEY", MASTER_KEY)
            .current_dir(&self.folder);
        Process::start(&mut command, self.folder.join("pointsman.log"))
            .map_err(|why| why.to_string())
    }

    pub fn ledger(&self) -> Result<Ledger, String> {
        self.database.address().map(Ledger)
    }

    fn configuration(&self, upstreams: &Upstreams) -> String {
        format!(
            "{}general_settings:\n  master_key: os.environ/LITELLM_MASTER_KEY\n  database_url: {}\n",
            self.layout.text(upstreams),
            self.database.url
        )
    }
}

/// Puts user, team and keys into the database that the gateway has made; the keys.
fn provision(url: &DatabaseUrl, keys: usize) -> Result<Vec<String>, String> {
    use pointsman::store::{KeyRow, NewKey, NewTeam, NewUser, TeamRow, UserRow, queries};
    use pointsman::types::{KeyHash, NanoUsd};
    let text = |why: pointsman::store::StoreError| why.to_string();
    let mut connection = AnyConnection::open(url).map_err(text)?;
    let (plenty, budget) = (Some(PLENTY as i64), Some(NanoUsd(i64::MAX / 2)));
    let user = UserRow {
        rpm_limit: plenty,
        tpm_limit: plenty,
        max_budget: budget,
        ..UserRow::new(USER, 0)
    };
    let team = TeamRow {
        rpm_limit: plenty,
        tpm_limit: plenty,
        max_budget: budget,
        ..TeamRow::new(TEAM, 0)
    };
    let models = Vec::new();
    queries::upsert_user(
        &mut connection,
        &NewUser {
            row: user,
            models: models.clone(),
        },
    )
    .map_err(text)?;
    queries::upsert_team(
        &mut connection,
        &NewTeam {
            row: team,
            models: models.clone(),
        },
    )
    .map_err(text)?;
    let mut made = Vec::with_capacity(keys);
    for number in 0..keys {
        let key = format!("sk-bench-key-{number:06}");
        let row = KeyRow {
            user_id: Some(USER.to_owned()),
            team_id: Some(TEAM.to_owned()),
            rpm_limit: plenty,
            tpm_limit: plenty,
            max_budget: budget,
            ..KeyRow::new(KeyHash::of(&key), 0)
        };
        let models = models.clone();
        queries::insert_key(&mut connection, &NewKey { row, models }).map_err(text)?;
        made.push(key);
    }
    Ok(made)
}

// === impl Database ===

impl Database {
    fn new(folder: &Path, postgres: Option<&str>) -> Result<Self, String> {
        let Some(server) = postgres else {
            return Ok(Self {
                url: format!("sqlite://{}", folder.join("pointsman.db").display()),
                schema: None,
            });
        };
        let schema = format!("bench_{}", uuid::Uuid::new_v4().simple());
        let separator = if server.contains('?') { '&' } else { '?' };
        let database = Self {
            url: format!("{server}{separator}schema={schema}"),
            schema: Some((server.to_owned(), schema.clone())),
        };
        statement(server, &format!("CREATE SCHEMA {schema}"))?;
        Ok(database)
    }

    fn address(&self) -> Result<DatabaseUrl, String> {
        self.url
            .parse()
            .map_err(|why: pointsman::types::DatabaseUrlError| why.to_string())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some((server, schema)) = &self.schema
            && let Err(why) = statement(server, &format!("DROP SCHEMA {schema} CASCADE"))
        {
            eprintln!("the schema {schema} stays: {why}");
        }
    }
}

fn statement(server: &str, text: &str) -> Result<(), String> {
    let url = server
        .parse()
        .map_err(|why: pointsman::types::DatabaseUrlError| why.to_string())?;
    let mut connection = AnyConnection::open(&url).map_err(|why| why.to_string())?;
    connection
        .batch_execute(text)
        .map_err(|why| why.to_string())
}

// === impl Ledger ===

impl Ledger {
    /// Rows booked since the start, once nothing more is being written.
    pub async fn at_rest(&self) -> Result<f64, String> {
        let deadline = Instant::now() + PATIENCE;
        let mut before = self.booked().await?;
        loop {
            tokio::time::sleep(BATCH).await;
            let now = self.booked().await?;
            if now == before {
                return Ok(now);
            }
            if Instant::now() > deadline {
                return Err("the ledger does not come to rest".to_owned());
            }
            before = now;
        }
    }

    /// Waits until the database holds `requests` rows more than `mark`.
    pub async fn reaches(&self, mark: f64, requests: u64) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let written = self.booked().await? - mark;
            if written >= requests as f64 {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "the ledger shows {written:.0} of {requests} requests after a minute"
                ));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Rows in the database, by what they cost: asking the gateway would be work of the gateway.
    async fn booked(&self) -> Result<f64, String> {
        use pointsman::store::queries;
        let each = PROMPT_TOKENS as f64 * INPUT_PRICE + COMPLETION_TOKENS as f64 * OUTPUT_PRICE;
        let mut connection = AnyConnection::open(&self.0).map_err(|why| why.to_string())?;
        let query = queries::PerDayQuery {
            days: (0, i32::MAX),
            key: None,
            user: None,
        };
        let days =
            queries::spend_per_day(&mut connection, &query).map_err(|why| why.to_string())?;
        let spent: f64 = days.iter().map(|day| day.spend.to_f64()).sum();
        Ok((spent / each).round())
    }
}
