//! Who follows which response: whoever deletes one has its cost seen before.
//!
//! One actor. A response is followed on the thread that began it, and may be deleted from any.

use std::collections::HashMap;

use actix::{Actor, Context, Handler, Message};
use tokio::sync::{mpsc, oneshot};

use crate::types::DeploymentId;

/// Wants a response looked at now; dropped when that has been done, and what it showed settled.
pub type Glance = oneshot::Sender<()>;

/// A response at the upstream of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct At {
    pub deployment: DeploymentId,
    /// The upstream's.
    pub id: String,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Followed(HashMap<At, mpsc::UnboundedSender<Glance>>);

/// A response is followed from now on by who reads these.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Follow(pub At, pub mpsc::UnboundedSender<Glance>);

/// It is followed no more.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Unfollow(pub At);

/// Whom to ask for a look.
#[derive(Debug, Message)]
#[rtype(result = "Option<mpsc::UnboundedSender<Glance>>")]
pub struct WhoFollows(pub At);

impl Actor for Followed {
    type Context = Context<Self>;
}

impl Handler<Follow> for Followed {
    type Result = ();

    fn handle(&mut self, Follow(at, looks): Follow, _: &mut Context<Self>) {
        self.0.insert(at, looks);
    }
}

impl Handler<Unfollow> for Followed {
    type Result = ();

    fn handle(&mut self, Unfollow(at): Unfollow, _: &mut Context<Self>) {
        self.0.remove(&at);
    }
}

impl Handler<WhoFollows> for Followed {
    type Result = Option<mpsc::UnboundedSender<Glance>>;

    fn handle(&mut self, WhoFollows(at): WhoFollows, _: &mut Context<Self>) -> Self::Result {
        self.0.get(&at).cloned()
    }
}
