//! What the ledger costs: `cargo bench --bench ledger -- [--database postgres] [--rows N] [--sql TEXT] [flush] [return] [replay]`.
//!
//! `flush`: batches of 1,000 rows over so many keys, all in the database. `return`: a backlog that gathered while the
//! database was locked, until it is booked. `replay`: a journal of a dead process, at the next start, and the memory that takes.
//! `--sql` is said on the connection of `flush` first, to try a setting. PostgreSQL is the server of `POINTSMAN_TEST_POSTGRES`; a schema is made there and dropped.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use actix::Actor;
use diesel::connection::SimpleConnection;
use pointsman::spend::journal::{FOLDER, JournalWriter, Syncer};
use pointsman::spend::{Gauges, Record, SpendLogger, recover};
use pointsman::store::{
    AnyConnection, FlushBatch, FlushItem, KeyRow, NameCache, NewKey, NewTeam, NewUser, Pools,
    Store, TeamRow, UserRow, queries,
};
use pointsman::types::{CallStatus, DatabaseUrl, KeyHash, LedgerId, NanoUsd, SpendRow, Usage};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Keys in the database.
const KEYS: u64 = 10_000;
/// Batches of one figure.
const BATCHES: usize = 50;

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        println!("the ledger bench runs under `cargo bench --bench ledger` only");
        return ExitCode::SUCCESS;
    }
    words.retain(|word| word != "--bench");
    match Plan::read(&words).and_then(|plan| plan.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("ledger bench: {why}");
            ExitCode::FAILURE
        }
    }
}

struct Plan {
    postgres: Option<String>,
    rows: u64,
    sql: String,
    what: Vec<String>,
}

impl Plan {
    fn read(words: &[String]) -> Outcome<Self> {
        let mut plan = Self {
            postgres: None,
            rows: 1_000_000,
            sql: String::new(),
            what: Vec::new(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--database" => match words.next().map(String::as_str) {
                    Some("sqlite") => plan.postgres = None,
                    Some("postgres") => {
                        let url = std::env::var("POINTSMAN_TEST_POSTGRES");
                        plan.postgres =
                            Some(url.map_err(|_| "POINTSMAN_TEST_POSTGRES is not set")?);
                    }
                    _ => return Err("--database is sqlite or postgres".into()),
                },
                "--rows" => plan.rows = words.next().ok_or("--rows needs a number")?.parse()?,
                "--sql" => plan.sql = words.next().ok_or("--sql needs a statement")?.clone(),
                "flush" | "return" | "replay" => plan.what.push(word.clone()),
                other => return Err(format!("unknown argument {other}").into()),
            }
        }
        Ok(plan)
    }

    fn run(&self) -> Outcome<()> {
        for (name, measure) in [
            ("flush", flush as fn(&Place, &Self) -> Outcome<()>),
            ("return", comes_back),
            ("replay", replay),
        ] {
            if self.what.is_empty() || self.what.iter().any(|what| what == name) {
                measure(&Place::new(self.postgres.as_deref())?, self)?;
            }
        }
        Ok(())
    }
}

/// A data directory and a database with keys, gone at the end.
struct Place {
    folder: tempfile::TempDir,
    url: DatabaseUrl,
    schema: Option<(String, String)>,
}

impl Place {
    fn new(postgres: Option<&str>) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join(FOLDER))?;
        let (url, schema) = match postgres {
            None => (DatabaseUrl::Sqlite(folder.path().join("bench.db")), None),
            Some(server) => {
                let schema = format!("bench_{}", uuid::Uuid::new_v4().simple());
                AnyConnection::open(&server.parse()?)?
                    .batch_execute(&format!("CREATE SCHEMA {schema}"))?;
                let url = server
                    .parse::<DatabaseUrl>()?
                    .with_parameter("schema", &schema);
                (url, Some((server.to_owned(), schema)))
            }
        };
        let place = Self {
            folder,
            url,
            schema,
        };
        place.populate()?;
        Ok(place)
    }

    fn name(&self) -> &'static str {
        match self.url {
            DatabaseUrl::Sqlite(_) => "SQLite",
            DatabaseUrl::Postgres(_) => "PostgreSQL",
        }
    }

    fn connect(&self) -> Outcome<AnyConnection> {
        Ok(AnyConnection::open(&self.url)?)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn populate(&self) -> Outcome<()> {
        let mut connection = self.connect()?;
        queries::migrate(&mut connection)?;
        let models = Vec::new();
        let row = UserRow::new("user", 0);
        queries::upsert_user(
            &mut connection,
            &NewUser {
                row,
                models: models.clone(),
            },
        )?;
        let row = TeamRow::new("team", 0);
        queries::upsert_team(
            &mut connection,
            &NewTeam {
                row,
                models: models.clone(),
            },
        )?;
        for number in 0..KEYS {
            let row = KeyRow {
                user_id: Some("user".into()),
                team_id: Some("team".into()),
                key_name: Some("sk-...abcd".into()),
                key_alias: Some(format!("key-{number}")),
                max_budget: Some(NanoUsd(1_000_000_000_000)),
                ..KeyRow::new(key(number), 0)
            };
            queries::insert_key(
                &mut connection,
                &NewKey {
                    row,
                    models: models.clone(),
                },
            )?;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((server, schema)) = &self.schema
            && let Ok(url) = server.parse()
            && let Ok(mut connection) = AnyConnection::open(&url)
        {
            let _ = connection.batch_execute(&format!("DROP SCHEMA {schema} CASCADE"));
        }
    }
}

fn key(number: u64) -> KeyHash {
    KeyHash::of(&format!("sk-{number}"))
}

fn row(number: u64, keys: &[KeyHash]) -> SpendRow {
    let at = 1_700_000_000_000_000 + number as i64;
    SpendRow {
        ledger_id: LedgerId::now(),
        key_hash: keys[number as usize % keys.len()],
        user_id: Some("user".into()),
        team_id: Some("team".into()),
        end_user: None,
        started_at: at,
        ended_at: at + 500_000,
        first_token_at: None,
        call_type: "acompletion".into(),
        status: CallStatus::Success,
        model: "gpt-4o".into(),
        model_group: "gpt-4o".into(),
        model_id: "b20de01f0736ce8945ee1f499f9bf6ef62e04609f1529ef76c7be04175fcefdf".into(),
        provider: "openai".into(),
        api_base: "https://api.openai.com/v1".into(),
        spend: NanoUsd(4_500_000),
        cost: Default::default(),
        usage: Usage {
            input: 1000,
            output: 200,
            ..Usage::default()
        },
        usage_estimated: false,
        request_id: format!("chatcmpl-{number}").into(),
        call_id: "56f617b3-9467-478b-a542-c04a33c1582e".into(),
        retries: 0,
        http_status: 200,
        error_class: None,
        client_ip: Some("127.0.0.1".into()),
        user_agent: None,
        labels: None,
        budgets: Vec::new(),
    }
}

/// So many keys, in an order that has nothing to do with that of their hashes.
fn keys(count: u64) -> Vec<KeyHash> {
    (0..count).map(key).collect()
}

/// CPU and wall time of a batch, a row.
fn flush(place: &Place, plan: &Plan) -> Outcome<()> {
    let mut connection = place.connect()?;
    if !plan.sql.is_empty() {
        connection.batch_execute(&plan.sql)?;
    }
    let mut names = NameCache::default();
    let mut seq = 0;
    for distinct in [1, 200, 1_000, KEYS] {
        let keys = keys(distinct);
        let mut times = Vec::with_capacity(BATCHES);
        let cpu = cpu();
        for _ in 0..BATCHES {
            let item = |number: u64| FlushItem {
                journal: [1; 16],
                seq: number,
                row: row(fastrand::u64(..KEYS * 1_000), &keys),
            };
            let batch = FlushBatch {
                items: (seq + 1..=seq + 1_000).map(item).collect(),
                checkpoints: Vec::new(),
            };
            seq += 1_000;
            let begun = Instant::now();
            queries::flush_spend(&mut connection, &mut names, &batch)?;
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        println!(
            "{}, a batch of 1,000 rows over {distinct} keys: median {:.1} ms; CPU of this process {:.1} µs a row, rows made",
            place.name(),
            times[BATCHES / 2].as_secs_f64() * 1e3,
            (self::cpu() - cpu).as_secs_f64() * 1e6 / (BATCHES as f64 * 1e3),
        );
    }
    Ok(())
}

/// CPU time of this process.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = text
        .split_whitespace()
        .next()
        .and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

/// A tenth of the rows wait behind a lock.
fn comes_back(place: &Place, plan: &Plan) -> Outcome<()> {
    let rows = plan.rows / 10;
    actix_rt::System::new().block_on(async {
        let store = Store::open(&place.url, Pools::default())?;
        let syncer = Syncer::start()?;
        let gauges = Arc::new(Gauges::default());
        let mut lock = place.connect()?;
        lock.batch_execute(match place.url {
            DatabaseUrl::Sqlite(_) => "BEGIN IMMEDIATE",
            DatabaseUrl::Postgres(_) => {
                "BEGIN; LOCK TABLE journal_checkpoints IN ACCESS EXCLUSIVE MODE"
            }
        })?;
        let interval = Duration::from_secs(1);
        let logger = SpendLogger::new(
            store,
            place.path(),
            syncer.clone(),
            gauges.clone(),
            interval,
        )
        .start();
        let mut writer = JournalWriter::new(place.path().join(FOLDER), syncer);
        let keys = keys(1_000);
        for number in 1..=rows {
            writer.settled(None, row(number, &keys));
            if number % 1_000 == 0 {
                writer.write_out()?;
                let (journal, rows, low_water) =
                    (writer.id(), writer.take_settled(), writer.low_water());
                logger
                    .send(Record {
                        journal,
                        rows,
                        low_water,
                    })
                    .await?;
            }
        }
        // The database has been found away by now.
        actix_rt::time::sleep(Duration::from_secs(3)).await;
        lock.batch_execute("ROLLBACK")?;
        let begun = Instant::now();
        while gauges.rows_booked.load(Ordering::Relaxed) < rows {
            if begun.elapsed() > Duration::from_secs(300) {
                return Err("the backlog is not booked after five minutes".into());
            }
            actix_rt::time::sleep(Duration::from_millis(5)).await;
        }
        println!(
            "{}, {rows} rows that waited: booked {:.2} s after the return",
            place.name(),
            begun.elapsed().as_secs_f64()
        );
        Ok(())
    })
}

fn replay(place: &Place, plan: &Plan) -> Outcome<()> {
    let rows = plan.rows;
    let keys = keys(1_000);
    let mut writer = JournalWriter::new(place.path().join(FOLDER), Syncer::start()?);
    for number in 1..=rows {
        writer.settled(None, row(number, &keys));
        if number % 1_000 == 0 {
            writer.write_out()?;
            writer.take_settled();
        }
    }
    writer.write_out()?;
    let bytes = writer.health().bytes.load(Ordering::Relaxed);
    drop(writer);
    // From here on the high-water mark is that of the replay.
    std::fs::write("/proc/self/clear_refs", "5")?;
    let before = memory("VmRSS")?;
    let (booked, took) = actix_rt::System::new().block_on(async {
        let store = Store::open(&place.url, Pools::default())?;
        let begun = Instant::now();
        let booked = recover(&store, place.path()).await?;
        Ok::<_, Box<dyn std::error::Error>>((booked, begun.elapsed()))
    })?;
    if booked != rows {
        return Err(format!("{booked} of {rows} rows were booked").into());
    }
    println!(
        "{}, a journal of {rows} records ({} MiB): booked in {:.1} s, {:.0} rows/s; memory {:.0} MiB before, {:.0} MiB at most",
        place.name(),
        bytes >> 20,
        took.as_secs_f64(),
        rows as f64 / took.as_secs_f64(),
        before,
        memory("VmHWM")?,
    );
    let totals = queries::ledger_totals(&mut place.connect()?)?;
    if totals.agree() {
        Ok(())
    } else {
        Err(format!("the books do not agree: {totals:?}").into())
    }
}

/// A line of `/proc/self/status`, in MiB.
fn memory(name: &str) -> Outcome<f64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text
        .lines()
        .find(|line| line.starts_with(name))
        .ok_or("no such line")?;
    let kib: f64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kib / 1024.0)
}
