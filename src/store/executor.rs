//! The actor that runs queries, on threads of its own.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Addr, Handler, Message, SyncContext};

use super::breaker::Breaker;
use super::connection::Connector;
use super::{AnyConnection, NameCache, StoreError};
use crate::steps;

/// One thread of a `SyncArbiter`. It owns nothing but its cache of names: connections come from the arbiter's pool.
pub struct DbExecutor {
    pool: r2d2::Pool<Connector>,
    breaker: Arc<Breaker>,
    names: NameCache,
}

impl DbExecutor {
    pub(super) fn new(pool: r2d2::Pool<Connector>, breaker: Arc<Breaker>) -> Self {
        Self {
            pool,
            breaker,
            names: NameCache::default(),
        }
    }
}

impl DbExecutor {
    fn connection(&self) -> Result<r2d2::PooledConnection<Connector>, StoreError> {
        if self.breaker.is_open(Instant::now()) {
            let text = "it was away a moment ago, and is asked again soon";
            return Err(StoreError::Unavailable(text.to_owned()));
        }
        match self.pool.get() {
            Ok(connection) => {
                self.breaker.found_there();
                Ok(connection)
            }
            Err(error) => {
                self.breaker.found_away(Instant::now());
                Err(StoreError::Unavailable(error.to_string()))
            }
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
            let mut conn = self.connection()?;
            steps::point("store.query");
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
