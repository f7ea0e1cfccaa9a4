//! What can go wrong, sorted by what the caller can do about it.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};

/// An answer that did not come. The texts hold no secrets and no prompts.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Lost connection, time-out, lock, full disk: the same call may succeed later.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A constraint or a value that does not fit: the same call will fail again.
    #[error("the database refused the data: {0}")]
    Refused(String),
    /// Our query or our schema is wrong.
    #[error("a query failed: {0}")]
    Bug(String),
    #[error("a query panicked: {0}")]
    Panicked(String),
    #[error("the tables could not be brought to this version: {0}")]
    Migration(String),
    #[error(
        "the database is at version {found}, made by a newer pointsman; this one knows versions up to {known}. \
         Install the newer one again, or restore a backup: nothing is migrated backwards"
    )]
    Newer { found: String, known: String },
    #[error(
        "the database has not been brought to version {0} yet; start the gateway, or run `pointsman --skip_server_startup`"
    )]
    Older(String),
    #[error(
        "Key with alias '{0}' already exists. Unique key aliases across all keys are required."
    )]
    AliasTaken(String),
    #[error("this key already exists")]
    KeyExists,
    #[error("a model with the id '{0}' already exists")]
    ModelExists(String),
    #[error("team '{0}' does not exist")]
    TeamMissing(String),
}

impl StoreError {
    /// Whether other data, or fewer, could have passed: a batch is then worth taking apart.
    pub(super) fn may_lie_in_the_data(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Bug(_))
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(kind, information) => {
                database_error(&kind, information.as_ref())
            }
            DieselError::RollbackErrorOnCommit { commit_error, .. } => Self::from(*commit_error),
            DieselError::BrokenTransactionManager => {
                Self::Unavailable("the connection was lost in a transaction".into())
            }
            DieselError::SerializationError(error) => Self::Refused(error.to_string()),
            error => Self::Bug(error.to_string()),
        }
    }
}

fn database_error(
    kind: &DatabaseErrorKind,
    information: &dyn DatabaseErrorInformation,
) -> StoreError {
    let message = information.message().to_owned();
    match kind {
        DatabaseErrorKind::UniqueViolation
        | DatabaseErrorKind::ForeignKeyViolation
        | DatabaseErrorKind::NotNullViolation
        | DatabaseErrorKind::CheckViolation
        | DatabaseErrorKind::RestrictViolation
        | DatabaseErrorKind::ExclusionViolation => StoreError::Refused(message),
        DatabaseErrorKind::SerializationFailure
        | DatabaseErrorKind::ReadOnlyTransaction
        | DatabaseErrorKind::ClosedConnection
        | DatabaseErrorKind::UnableToSendCommand => StoreError::Unavailable(message),
        _ if PASSING.iter().any(|phrase| message.contains(phrase)) => {
            StoreError::Unavailable(message)
        }
        _ if OF_THE_DATA.iter().any(|phrase| message.contains(phrase)) => {
            StoreError::Refused(message)
        }
        _ => StoreError::Bug(message),
    }
}

/// What SQLite, PostgreSQL and libpq say of a state that passes; diesel hands on no code for these. A PostgreSQL that
/// speaks another language makes them `Bug`: the answer is the same failure, under a less helpful name.
const PASSING: [&str; 16] = [
    "database is locked",
    "database table is locked",
    "database schema has changed",
    "disk I/O error",
    "database or disk is full",
    "unable to open database file",
    "canceling statement due to",
    "deadlock detected",
    "terminating connection",
    "server closed the connection",
    "connection to server",
    "could not receive data",
    "could not send data",
    "the database system is",
    "No space left on device",
    "SSL connection has been closed",
];

const OF_THE_DATA: [&str; 6] = [
    "out of range",
    "integer overflow",
    "invalid byte sequence",
    "value too long",
    "index row size",
    "constraint failed",
];

/// The name of the constraint, or SQLite's message, which names the columns.
pub(super) fn constraint(information: &dyn DatabaseErrorInformation) -> &str {
    information
        .constraint_name()
        .unwrap_or(information.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_what_helps() {
        let of = |kind, message: &str| {
            StoreError::from(DieselError::DatabaseError(
                kind,
                Box::new(message.to_owned()),
            ))
        };
        use DatabaseErrorKind::{ClosedConnection, UniqueViolation, Unknown};
        assert!(matches!(
            of(UniqueViolation, "UNIQUE constraint failed: a.b"),
            StoreError::Refused(_)
        ));
        assert!(matches!(
            of(ClosedConnection, "gone"),
            StoreError::Unavailable(_)
        ));
        assert!(matches!(
            of(Unknown, "database is locked"),
            StoreError::Unavailable(_)
        ));
        assert!(matches!(
            of(Unknown, "canceling statement due to statement timeout"),
            StoreError::Unavailable(_)
        ));
        assert!(matches!(
            of(Unknown, "bigint out of range"),
            StoreError::Refused(_)
        ));
        assert!(matches!(
            of(Unknown, "no such table: keys"),
            StoreError::Bug(_)
        ));
        assert!(matches!(
            StoreError::from(DieselError::NotFound),
            StoreError::Bug(_)
        ));
    }
}
