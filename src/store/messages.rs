//! What a `DbExecutor` may be asked. Every answer is a `Result<_, StoreError>`.

use std::sync::Arc;

use actix::Message;

use super::executor::Query;
use super::names::NameCache;
use super::queries::{
    self, DaySpend, Deletion, DueReset, FindingQuery, KeyPage, KeyQuery, LedgerTotals, LogPage,
    LogQuery, PerDayQuery, ResetBooking, SharedRound, TeamModel, TurnAsked,
};
use super::{
    AnyConnection, DeletedKeyRow, FlushBatch, FlushReport, HealthRow, JournalId, KeptTurn, KeyInfo,
    KeyUpdate, LearntRow, ModelRow, NewKey, NewTeam, NewUser, Rotation, StoreError, WindowRow,
};
use crate::types::{KeyHash, LedgerId, Principal, SpendRow};
use crate::vault::Vault;

/// `Name { fields } => answer, by: |connection, names| query;` defines a message and what answers it.
macro_rules! messages {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($field:ident: $type:ty),* } => $answer:ty, by: |$conn:ident, $names:pat_param| $query:expr;
    )+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name {
            $(pub $field: $type),*
        }

        impl Message for $name {
            type Result = Result<$answer, StoreError>;
        }

        impl Query for $name {
            type Answer = $answer;

            fn run(self, $conn: &mut AnyConnection, $names: &mut NameCache) -> Result<$answer, StoreError> {
                let Self { $($field),* } = self;
                $query
            }
        }
    )+};
}

messages! {
    /// The caller whose key has this hash: one joined read. To `Store::auth`.
    LoadPrincipal { key_hash: KeyHash, now_ms: i64 } => Option<Principal>,
        by: |conn, _| queries::load_principal(conn, key_hash, now_ms);

    /// Fails with `AliasTaken`, `KeyExists` or `TeamMissing`. To `Store::admin`, as all that follow but the last three.
    InsertKey { key: NewKey } => (), by: |conn, _| queries::insert_key(conn, &key);

    /// The key as it is then. Fails with `AliasTaken` or `TeamMissing`.
    ChangeKey { key_hash: KeyHash, update: KeyUpdate } => Option<KeyInfo>,
        by: |conn, _| queries::update_key(conn, key_hash, &update);

    /// The key under its new hash. Fails with `KeyExists`, `AliasTaken` or `TeamMissing`.
    RotateKey { old: KeyHash, new: KeyHash, rotation: Rotation, update: KeyUpdate } => Option<KeyInfo>,
        by: |conn, _| queries::rotate_key(conn, old, new, &rotation, &update);

    /// Those that there were.
    DeleteKeys { keys: Vec<KeyHash>, deletion: Deletion } => Vec<KeyInfo>,
        by: |conn, _| queries::delete_keys(conn, &keys, &deletion);

    /// Alias and hash of those that there are.
    FindAliases { aliases: Vec<String> } => Vec<(String, KeyHash)>,
        by: |conn, _| queries::keys_by_alias(conn, &aliases);

    /// One page of the keys.
    ListKeys { query: KeyQuery } => KeyPage, by: |conn, _| queries::key_page(conn, &query);

    /// One page of the archive, and how many rows there are.
    ListDeletedKeys { query: KeyQuery } => (Vec<DeletedKeyRow>, i64),
        by: |conn, _| queries::deleted_key_page(conn, &query);

    /// One page of the aliases in use, and how many there are.
    ListAliases { query: KeyQuery } => (Vec<String>, i64), by: |conn, _| queries::key_aliases(conn, &query);

    /// Budgets whose time has come.
    DueResets { now_ms: i64 } => Vec<DueReset>, by: |conn, _| queries::due_resets(conn, now_ms);

    /// Once, however often it is sent.
    BookReset { reset: ResetBooking } => (), by: |conn, _| queries::book_reset(conn, &reset);

    /// At start alone: how many budgets began anew.
    ResetOverdue { now_ms: i64 } => usize, by: |conn, _| queries::reset_overdue(conn, now_ms);

    /// Everything about a key.
    ReadKey { key_hash: KeyHash } => Option<KeyInfo>, by: |conn, _| queries::key_info(conn, key_hash);

    /// Inserts or changes; spend of a row that exists stays.
    UpsertUser { user: NewUser } => (), by: |conn, _| queries::upsert_user(conn, &user);

    /// Inserts or changes; spend of a row that exists stays.
    UpsertTeam { team: NewTeam } => (), by: |conn, _| queries::upsert_team(conn, &team);

    /// All deployments that the database keeps, oldest first.
    ReadModels {} => Vec<ModelRow>, by: |conn, _| queries::read_models(conn);

    /// Fails with `ModelExists` or `TeamMissing`.
    InsertModel { row: ModelRow, team: Option<TeamModel> } => (),
        by: |conn, _| queries::insert_model(conn, &row, team.as_ref());

    /// Whether the row was as it was known: changed at `known`, and not since. Fails with `TeamMissing`.
    ChangeModel { row: ModelRow, known: i64, team: Option<TeamModel> } => bool,
        by: |conn, _| queries::change_model(conn, &row, known, team.as_ref());

    /// Whether there was one.
    DeleteModel { model_id: String } => bool, by: |conn, _| queries::delete_model(conn, &model_id);

    /// Rows of the spend log, newest first, at most 10,000.
    SpendLogs { query: LogQuery } => Vec<SpendRow>, by: |conn, _| queries::spend_logs(conn, &query);

    /// One page of the spend log and how many rows there are in all, as far as they are counted.
    SpendLogsPage { page: LogPage } => (Vec<SpendRow>, usize),
        by: |conn, _| queries::spend_logs_page(conn, &page);

    /// Spend by day, oldest first.
    SpendPerDay { query: PerDayQuery } => Vec<DaySpend>, by: |conn, _| queries::spend_per_day(conn, &query);

    /// Whether the books agree. Reads the whole ledger.
    ReadTotals {} => LedgerTotals, by: |conn, _| queries::ledger_totals(conn);

    /// Writes turns of conversations down, sealed; once, however often it is sent.
    KeepTurns { vault: Arc<Vault>, turns: Vec<Arc<KeptTurn>> } => (),
        by: |conn, _| queries::keep_turns(conn, &vault, turns.iter().map(Arc::as_ref));

    /// A turn and all that it follows, newest first. To `Store::auth`: a request waits for it.
    ReadTurns { vault: Arc<Vault>, id: LedgerId } => Vec<KeptTurn>,
        by: |conn, _| queries::kept_chain(conn, &vault, id);

    /// Whether there was one.
    ForgetTurn { id: LedgerId } => bool, by: |conn, _| queries::forget_turn(conn, id);

    /// How many went; some may be left.
    ForgetExpired { now_ms: i64 } => usize, by: |conn, _| queries::forget_expired(conn, now_ms);

    /// Writes findings of health checks down.
    KeepFindings { rows: Vec<HealthRow> } => (), by: |conn, _| queries::keep_findings(conn, &rows);

    /// The last finding of each deployment since then.
    LatestFindings { since_ms: i64 } => Vec<HealthRow>, by: |conn, _| queries::latest_findings(conn, since_ms);

    /// Former findings, and how many there are.
    FindingPage { query: FindingQuery } => (Vec<HealthRow>, i64), by: |conn, _| queries::finding_page(conn, &query);

    /// Whether it is this instance that checks.
    TakeTurn { asked: TurnAsked } => bool, by: |conn, _| queries::take_turn(conn, &asked);

    /// Its round is complete.
    EndTurn { holder: String, began_at: i64 } => (), by: |conn, _| queries::end_turn(conn, &holder, began_at);

    /// Whose turn it is.
    ReadSharedRound {} => Option<SharedRound>, by: |conn, _| queries::shared_round(conn);

    /// Adds to what adaptive routers have learnt.
    AddLearnt { rows: Vec<LearntRow> } => (), by: |conn, _| queries::add_learnt(conn, &rows);

    /// All of it.
    ReadLearnt {} => Vec<LearntRow>, by: |conn, _| queries::read_learnt(conn);

    /// Whether the database answers.
    Ping {} => (), by: |conn, _| queries::ping(conn);

    /// Books a batch, exactly once however often it is sent. To `Store::ledger`, as the last three.
    FlushSpend { batch: Arc<FlushBatch> } => FlushReport,
        by: |conn, names| queries::flush_spend(conn, names, &batch);

    /// The stored `seq` of each journal that has one.
    ReadCheckpoints { journals: Vec<JournalId> } => Vec<(JournalId, u64)>,
        by: |conn, _| queries::read_checkpoints(conn, &journals);

    /// What was spent in budgets of providers, deployments and tags whose windows are not over. At start alone.
    ReadWindows { now_ms: i64 } => Vec<WindowRow>, by: |conn, _| queries::lasting_windows(conn, now_ms);

    /// Drops the checkpoints of journals whose files are gone.
    ForgetCheckpoints { journals: Vec<JournalId> } => (),
        by: |conn, _| queries::forget_checkpoints(conn, &journals);
}
