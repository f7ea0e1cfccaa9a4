//! Rows that the spend log refused, kept in the transaction that books their batch: what the sums hold beyond the spend log
//! is accounted for at any moment.

use std::borrow::Cow;

use diesel::prelude::*;

use super::super::AnyConnection;
use super::super::dialect;
use super::super::names::storable;
use super::super::rows::RejectedRow;
use super::encode::bigint;
use super::{FlushBatch, RefusedRow};

/// Writes the refused items of a batch down.
pub(super) fn keep(
    conn: &mut AnyConnection,
    batch: &FlushBatch,
    refused: &[RefusedRow],
) -> QueryResult<()> {
    for RefusedRow {
        index,
        reason,
        booked,
    } in refused
    {
        let Some(item) = batch.items.get(*index) else {
            continue;
        };
        let row = &item.row;
        let id = |id: &'_ Option<std::sync::Arc<str>>| {
            id.as_deref()
                .map(|id| Cow::Owned(storable(id).into_owned()))
        };
        let rejected = RejectedRow {
            journal_id: &item.journal,
            seq: bigint(item.seq),
            ledger_id: row.ledger_id.as_bytes(),
            key_hash: row.key_hash.to_string(),
            user_id: id(&row.user_id),
            team_id: id(&row.team_id),
            started_at: row.started_at,
            spend: row.spend.0,
            money_booked: *booked,
            reason: storable(reason),
            // Escapes keep it free of NUL, which PostgreSQL takes in no text.
            document: serde_json::to_string(row).unwrap_or_default(),
        };
        dialect::insert_rejected(conn, &rejected)?;
    }
    Ok(())
}
