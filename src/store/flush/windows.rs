//! What was spent in budgets of providers, deployments and tags: in the transaction that books the rows, so that a process that
//! begins anew knows to the nano-dollar what the one before it has spent.

use std::collections::BTreeMap;

use diesel::QueryResult;

use super::super::rows::WindowRow;
use super::super::{AnyConnection, dialect};
use crate::policy::duration::Span;
use crate::policy::spends::{SpendWindow, parts};
use crate::types::{NanoUsd, SpendRow};

/// When, in milliseconds since the Unix epoch, how much, and how long a window is that begins with it.
type Spending = (i64, NanoUsd, Span);

/// By a budget's key.
#[derive(Debug, Default)]
pub(super) struct Spendings(BTreeMap<String, Vec<Spending>>);

impl Spendings {
    pub(super) fn add(&mut self, row: &SpendRow) {
        for (lasting, spend) in &row.budgets {
            if let Some((key, length)) = parts(lasting) {
                let spendings = self.0.entry(key.to_owned()).or_default();
                spendings.push((row.ended_at / 1000, *spend, length));
            }
        }
    }

    /// By the rule that the control thread goes by, in the order of time.
    pub(super) fn book(self, conn: &mut AnyConnection) -> QueryResult<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let keys: Vec<&str> = self.0.keys().map(String::as_str).collect();
        let stored = dialect::lock_windows(conn, &keys)?;
        let mut rows = Vec::with_capacity(self.0.len());
        for (budget, mut spendings) in self.0 {
            let mut window = stored
                .get(&budget)
                .map_or_else(SpendWindow::default, |row| {
                    SpendWindow::until(row.ends_at, NanoUsd(row.spent))
                });
            spendings.sort_by_key(|(at, ..)| *at);
            for (at, spend, length) in spendings {
                window.book(spend, length, at);
            }
            if let Some((ends_at, NanoUsd(spent))) = window.begun() {
                rows.push(WindowRow {
                    budget,
                    ends_at,
                    spent,
                });
            }
        }
        dialect::set_windows(conn, &rows)
    }
}
