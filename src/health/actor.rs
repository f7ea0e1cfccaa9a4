//! The board's mailbox.

use std::sync::Arc;

use actix::{Actor, Context, Handler, Message, MessageResult};

use super::board::{Board, Finding};
use crate::steps;

/// Owns the findings.
#[derive(Default)]
pub struct HealthBoard(Board);

impl Actor for HealthBoard {
    type Context = Context<Self>;
}

/// Puts findings on the board.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Post(pub Vec<Finding>);

impl Handler<Post> for HealthBoard {
    type Result = ();

    fn handle(&mut self, post: Post, _: &mut Self::Context) {
        steps::contained("health.post", || self.0.post(post.0));
    }
}

/// Asks for the last finding of each deployment.
#[derive(Message)]
#[rtype(result = "Vec<Arc<Finding>>")]
pub struct GetLatest;

impl Handler<GetLatest> for HealthBoard {
    type Result = MessageResult<GetLatest>;

    fn handle(&mut self, _: GetLatest, _: &mut Self::Context) -> Self::Result {
        let latest = steps::contained("health.latest", || self.0.latest());
        MessageResult(latest.unwrap_or_default())
    }
}
