//! Rounds that instances with one database share: one of them asks, the others take what it finds.
//!
//! Whose turn it is stands in the database with the time until which it is kept. Instances go by clocks of their own there: a
//! second of difference moves a round by a second. While the database is away each instance asks for itself.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Round;
use crate::health::of_row;
use crate::store::messages::{EndTurn, LatestFindings, ReadSharedRound, TakeTurn};
use crate::store::queries::TurnAsked;
use crate::store::{StoreError, ask};

/// How long ago the round that counts now began; `None`: another instance is at it.
pub async fn round(round: &Round, name: &str) -> Option<Duration> {
    match attempt(round, name).await {
        Ok(age) => age,
        Err(error) => {
            log::warn!("health: this instance asks for itself, its database is away: {error}");
            round.ask().await;
            Some(Duration::ZERO)
        }
    }
}

async fn attempt(round: &Round, name: &str) -> Result<Option<Duration>, StoreError> {
    let checks = &round.checks;
    let now = now_ms();
    // What is older counts no more, nor does it where the interval is shorter.
    let most = millis(checks.interval.min(checks.shared_for));
    let asked = |now: i64| TurnAsked {
        holder: name.to_owned(),
        now_ms: now,
        held_until: now + millis(checks.lease),
        young_since: now - most,
    };
    let store = &round.store;
    if !ask(&store.admin, TakeTurn { asked: asked(now) }).await? {
        let shared = ask(&store.admin, ReadSharedRound {}).await?;
        let began = shared.map_or(0, |shared| shared.began_at);
        if began <= now - most {
            return Ok(None);
        }
        let rows = ask(&store.admin, LatestFindings { since_ms: began }).await?;
        let age = Duration::from_millis(u64::try_from(now - began).unwrap_or_default());
        round.take(rows.iter().map(of_row).collect(), age);
        return Ok(Some(age));
    }
    // A round may take longer than the turn is kept without a sign of life. Who is being asked goes on meanwhile, and is not
    // asked again where the database has gone away.
    let stays = async {
        loop {
            tokio::time::sleep(checks.lease / 3).await;
            let asked = TurnAsked {
                young_since: i64::MAX,
                ..asked(now_ms())
            };
            if let Err(error) = ask(&store.admin, TakeTurn { asked }).await {
                log::warn!("health: another instance may begin a round beside this one: {error}");
            }
        }
    };
    tokio::select! {
        () = round.ask() => {}
        () = stays => {}
    }
    let (holder, began_at) = (name.to_owned(), now);
    if let Err(error) = ask(&store.admin, EndTurn { holder, began_at }).await {
        log::warn!("health: other instances do not learn what this one has found: {error}");
    }
    Ok(Some(Duration::ZERO))
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_millis() as i64
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4)
}
