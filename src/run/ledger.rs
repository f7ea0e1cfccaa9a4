//! `pointsman ledger verify`: what there is to say about the books, for people and for programs.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::data_dir::DataDir;
use super::{DATABASE_FILE, RunError};
use crate::cli::Verify;
use crate::config::{Config, Severity};
use crate::spend::{self, Fault, Findings, JournalState, usd};
use crate::store::{AnyConnection, queries};
use crate::types::DatabaseUrl;

/// The books could not be looked at.
const NOT_SEEN: u8 = 2;
/// Faults of one report that people are shown; programs get them all.
const MOST_SHOWN: usize = 50;

/// Looks the books over and prints what was found.
pub fn verify(options: &Verify, env: &dyn Fn(&str) -> Option<String>) -> ExitCode {
    let report = match look(options, env) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("pointsman: {error}");
            return ExitCode::from(NOT_SEEN);
        }
    };
    let text = if options.json {
        serde_json::to_string_pretty(&report).unwrap_or_default()
    } else {
        report.text()
    };
    // Nobody reads on: nothing to do about it.
    let _ = writeln!(std::io::stdout().lock(), "{}", text.trim_end());
    if report.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn look(options: &Verify, env: &dyn Fn(&str) -> Option<String>) -> Result<Report, RunError> {
    let data_dir = &options.place.data_dir;
    if !data_dir.is_dir() {
        return Err(RunError::NoDataDir(data_dir.clone()));
    }
    let wrong = |error| RunError::DataDir {
        path: data_dir.clone(),
        error,
    };
    let url = match database_url(options, env)? {
        Some(url) => url,
        None => {
            DatabaseUrl::Sqlite(std::path::absolute(data_dir.join(DATABASE_FILE)).map_err(wrong)?)
        }
    };
    if let DatabaseUrl::Sqlite(path) = &url
        && !path.is_file()
    {
        return Err(RunError::NoDatabase(path.clone()));
    }
    let is_running = DataDir::is_taken(data_dir).map_err(wrong)?;
    let mut connection = AnyConnection::open(&url)?;
    queries::check_version(&mut connection)?;
    connection.take_your_time()?;
    let findings = spend::verify(&mut connection, data_dir)?;
    Ok(Report::of(url.to_string(), data_dir, is_running, findings))
}

/// The database that is named; none means the embedded one.
fn database_url(
    options: &Verify,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<DatabaseUrl>, RunError> {
    if let Some(text) = &options.database_url {
        let url = text.parse().map_err(RunError::DatabaseUrl)?;
        return Ok(Some(url));
    }
    let loaded = match &options.config {
        Some(path) => Config::load(path, None, env)?,
        // Nothing but what the environment says.
        None => Config::from_text("(the environment)", "{}", env)?,
    };
    let about_it = |path: &str| path.ends_with("database_url");
    let wrong = loaded
        .diagnostics
        .iter()
        .find(|found| found.severity == Severity::Error && about_it(&found.path));
    match wrong {
        Some(wrong) => Err(RunError::Other(wrong.to_string())),
        None => Ok(loaded.config.general_settings.database_url),
    }
}

/// What is printed. Amounts are nano-dollars.
#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    database: String,
    data_dir: PathBuf,
    /// Whether a gateway runs on the data directory.
    running: bool,
    /// Rows of the spend log, and what they cost.
    rows: i64,
    spend: i64,
    /// Rows that the spend log refused, and what of them keys, users, teams and days were charged all the same.
    rejected_rows: i64,
    rejected_spend: i64,
    journals: Vec<JournalState>,
    faults: Vec<Told>,
}

/// A fault, with its sentence.
#[derive(Debug, Serialize)]
struct Told {
    #[serde(flatten)]
    fault: Fault,
    message: String,
}

impl Report {
    fn of(database: String, data_dir: &std::path::Path, running: bool, findings: Findings) -> Self {
        let Findings {
            totals,
            journals,
            faults,
        } = findings;
        let tell = |fault: Fault| Told {
            message: fault.to_string(),
            fault,
        };
        Self {
            ok: faults.is_empty(),
            database,
            data_dir: data_dir.to_owned(),
            running,
            rows: totals.rows,
            spend: totals.logged.0,
            rejected_rows: totals.rejected_rows,
            rejected_spend: totals.rejected.0,
            journals,
            faults: faults.into_iter().map(tell).collect(),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let running = if self.running {
            "a gateway runs on it"
        } else {
            "no gateway runs on it"
        };
        writeln!(out, "database   {}", self.database)?;
        writeln!(out, "data       {}, {running}", self.data_dir.display())?;
        writeln!(out, "spend log  {} calls, {}", self.rows, usd(self.spend))?;
        if self.rejected_rows > 0 {
            writeln!(
                out,
                "rejected   {} calls that the spend log refused, kept in rejected_spend; {} of them charged",
                self.rejected_rows,
                usd(self.rejected_spend)
            )?;
        }
        for journal in &self.journals {
            writeln!(
                out,
                "journal    {}: {} records in {} bytes; to be booked: {} calls, {}; open: {}",
                journal.journal,
                journal.records,
                journal.bytes,
                journal.unbooked,
                usd(journal.unbooked_spend),
                journal.open
            )?;
            if journal.torn > 0 {
                writeln!(
                    out,
                    "           its last {} bytes are half a record, as a death in the middle of a write leaves it",
                    journal.torn
                )?;
            }
        }
        let waiting: u64 = self.journals.iter().map(|journal| journal.unbooked).sum();
        if waiting > 0 {
            let when = if self.running {
                "as soon as the database takes them"
            } else {
                "at the next start"
            };
            writeln!(
                out,
                "           what is to be booked is safe and will be {when}"
            )?;
        }
        for told in self.faults.iter().take(MOST_SHOWN) {
            writeln!(out, "WRONG      {}", told.message)?;
        }
        if self.faults.len() > MOST_SHOWN {
            writeln!(
                out,
                "WRONG      and {} more (--json shows all)",
                self.faults.len() - MOST_SHOWN
            )?;
        }
        match self.faults.len() {
            0 => write!(out, "OK         every sum agrees with every other"),
            1 => write!(
                out,
                "           1 thing is wrong; docs/ledger.md says what to do"
            ),
            count => write!(
                out,
                "           {count} things are wrong; docs/ledger.md says what to do"
            ),
        }
    }
}
