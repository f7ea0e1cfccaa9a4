//! What can be wrong with a ledger, in words and for programs.

use serde::Serialize;

use crate::types::NanoUsd;

/// Something that must not be. Amounts are nano-dollars.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    #[error(
        "{entity} {id}: charged {}, its calls cost {} (off by {})",
        usd(*.booked), usd(*.logged), usd(booked - logged)
    )]
    Entity {
        entity: &'static str,
        id: String,
        booked: i64,
        logged: i64,
    },
    #[error(
        "day {day}: its sums hold {} of {counted} calls, the spend log {} of {rows} (off by {} and {} calls)",
        usd(*.summed), usd(*.logged), usd(summed - logged), counted - rows
    )]
    Day {
        day: String,
        summed: i64,
        logged: i64,
        counted: i64,
        rows: i64,
    },
    #[error("{count} keys, users or teams of the spend log have lost their names in spend_names")]
    Nameless { count: i64 },
    #[error(
        "journal {journal}, segment {segment}: {bytes} bytes from byte {offset} on are no records; what they held is lost"
    )]
    Damaged {
        journal: String,
        segment: u32,
        offset: u64,
        bytes: u64,
    },
    #[error(
        "{file} was set aside at a start because a part of it is no record; what that part held was never booked"
    )]
    SetAside { file: String },
    #[error("journal {journal}: segment {segment} is missing between others")]
    SegmentMissing { journal: String, segment: u32 },
    #[error("journal {journal}: record {found} follows record {after}")]
    RecordsMissing {
        journal: String,
        after: u64,
        found: u64,
    },
    #[error(
        "journal {journal}: the database says that records up to {checkpoint} are booked, the last one is {last}"
    )]
    CheckpointAhead {
        journal: String,
        checkpoint: u64,
        last: u64,
    },
    #[error(
        "journal {journal}: {count} settled calls count as booked and are not in the database; the first is {first}"
    )]
    Lost {
        journal: String,
        count: usize,
        first: String,
    },
    #[error(
        "journal {journal}: {count} settled calls are to be booked and are in the database already; the first is {first}"
    )]
    Twice {
        journal: String,
        count: usize,
        first: String,
    },
}

/// Nano-dollars for people.
pub fn usd(nanos: i64) -> String {
    format!("${}", NanoUsd(nanos))
}
