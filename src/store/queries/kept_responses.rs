//! Conversations behind response ids: writing turns down, reading one with all that it follows, forgetting.

use diesel::prelude::*;
use diesel::sql_types::Binary;

use super::super::dialect::{self, kept_chain_rows};
use super::super::rows::KeptTurn;
use super::super::schema::kept_responses;
use super::super::{AnyConnection, StoreError};
use crate::types::LedgerId;
use crate::vault::Vault;

/// Turns of one conversation at most.
pub const MOST_TURNS: i32 = 1_000;
/// Bytes of one conversation at most, as JSON.
pub const MOST_CONVERSATION_BYTES: usize = 64 * 1024 * 1024;
/// Rows that one statement removes at most, so that no lock is held for long.
const AT_ONCE: i64 = 500;

/// Writes turns down, in one transaction. One that is there already stays as it is: a batch may be sent again.
pub fn keep_turns<'a>(
    conn: &mut AnyConnection,
    vault: &Vault,
    turns: impl IntoIterator<Item = &'a KeptTurn>,
) -> Result<(), StoreError> {
    // Before the transaction: nobody waits for a lock while this compresses and encrypts.
    let rows = turns.into_iter().map(|turn| turn.sealed(vault));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    dialect::write_transaction(conn, |conn| {
        for row in &rows {
            dialect::insert_kept(conn, row)?;
        }
        Ok(())
    })
}

/// The turn with this id and all that it follows, newest first. The last one has a `previous` of its own when that one is gone,
/// sealed otherwise, or beyond [`MOST_TURNS`] and [`MOST_CONVERSATION_BYTES`]. Empty: there is no such turn.
pub fn kept_chain(
    conn: &mut AnyConnection,
    vault: &Vault,
    id: LedgerId,
) -> Result<Vec<KeptTurn>, StoreError> {
    let rows = kept_chain_rows(conn, id.as_bytes(), MOST_TURNS, MOST_CONVERSATION_BYTES)?;
    let mut room = MOST_CONVERSATION_BYTES;
    let mut turns = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(turn) = row.opened(vault, room) else {
            break;
        };
        room = room.saturating_sub(turn.size());
        turns.push(turn);
    }
    Ok(turns)
}

/// Removes a turn; false when there is none. What follows it has lost its beginning then.
pub fn forget_turn(conn: &mut AnyConnection, id: LedgerId) -> Result<bool, StoreError> {
    let gone = diesel::delete(kept_responses::table.find(id.as_bytes().as_slice()));
    Ok(gone.execute(conn)? > 0)
}

/// Removes turns whose time is over and that no other one follows, some hundred at once; answers how many. Of a conversation
/// the last one goes first.
pub fn forget_expired(conn: &mut AnyConnection, now_ms: i64) -> Result<usize, StoreError> {
    #[derive(QueryableByName)]
    struct Old {
        #[diesel(sql_type = Binary)]
        response_id: Vec<u8>,
    }
    let old = diesel::sql_query(format!(
        "SELECT old.response_id FROM kept_responses old WHERE old.expires_at <= {now_ms} AND NOT EXISTS \
         (SELECT 1 FROM kept_responses later WHERE later.previous_id = old.response_id) LIMIT {AT_ONCE}"
    ));
    let old: Vec<Old> = match conn {
        AnyConnection::Sqlite(conn) => old.load(conn)?,
        AnyConnection::Postgres(conn) => old.load(conn)?,
    };
    if old.is_empty() {
        return Ok(0);
    }
    let ids: Vec<&[u8]> = old.iter().map(|old| old.response_id.as_slice()).collect();
    let gone = kept_responses::table.filter(kept_responses::response_id.eq_any(&ids));
    Ok(diesel::delete(gone).execute(conn)?)
}
