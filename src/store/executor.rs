//! The actor that runs queries, on threads of its own.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use actix::{Actor, Addr, Handler, Message, SyncContext};

use super::connection::Connector;
use super::{AnyConnection, NameCache, StoreError};

/// One thread of a `SyncArbiter`. It owns nothing but its cache of names: connections come from the arbiter's pool.
pub struct DbExecutor {
    pool: r2d2::Pool<Connector>,
    names: NameCache,
}

impl DbExecutor {
    pub(super) fn new(pool: r2d2::Pool<Connector>) -> Self {
        Self {
            pool,
            names: NameCache::default(),
        }
    }
}

impl Actor for DbExecutor {
    type Context = SyncContext<Self>;
}

/// A message that a `DbExecutor` answers.
pub trait Query: Message<Result = Result<Self::Answer, StoreError>> + Send + 'static {
    type Answer: Send + 'static;

    fn run(
        self,
        conn: &mut AnyConnection,
        names: &mut NameCache,
    ) -> Result<Self::Answer, StoreError>;
}

impl<Q: Query> Handler<Q> for DbExecutor {
    type Result = Result<Q::Answer, StoreError>;

    /// A panic would end the thread without a word and leave later messages unanswered: it costs this query alone.
    /// Unwinding drops the connection, which the pool then closes.
    fn handle(&mut self, query: Q, _: &mut SyncContext<Self>) -> Self::Result {
        let run = || {
            let mut conn = self
                .pool
                .get()
                .map_err(|error| StoreError::Unavailable(error.to_string()))?;
            query.run(&mut conn, &mut self.names)
        };
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            let text = message_of(panic.as_ref());
            log::error!("a query panicked: {text}");
            Err(StoreError::Panicked(text.to_owned()))
        })
    }
}

fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}

/// Sends a query and waits for its answer; an executor that is gone counts as a database that is away.
pub async fn ask<Q: Query>(executor: &Addr<DbExecutor>, query: Q) -> Result<Q::Answer, StoreError> {
    match executor.send(query).await {
        Ok(answer) => answer,
        Err(error) => Err(StoreError::Unavailable(format!(
            "the database thread does not answer: {error}"
        ))),
    }
}
