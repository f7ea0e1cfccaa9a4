//! By what auto routers know the session of a request.

use std::hash::{DefaultHasher, Hash, Hasher};

use actix_web::http::header::HeaderMap;

use super::super::asked::Asked;
use crate::auth::Caller;
use crate::protocol::user_text::UserText;
use crate::router::AutoRouter;

/// Longest session id of Claude Code that is believed, in bytes.
const LONGEST: usize = 256;

/// A conversation with a router.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    pub hash: u64,
    /// Its client named it; otherwise it is known by how it began.
    pub is_named: bool,
}

impl Session {
    pub fn of(
        router: &AutoRouter,
        caller: &Caller,
        asked: &Asked,
        said: &UserText,
    ) -> Option<Self> {
        let mut hasher = DefaultHasher::new();
        router.name.hash(&mut hasher);
        caller.principal().key_hash.hash(&mut hasher);
        match &asked.session {
            Some(session) => session.hash(&mut hasher),
            None if said.first.is_empty() => return None,
            None => said.first.hash(&mut hasher),
        }
        Some(Self {
            hash: hasher.finish(),
            is_named: asked.session.is_some(),
        })
    }

    /// A number from 0 to 1 that is the same for as long as its user's last text is this one.
    pub fn chance_of(self, text: &str) -> f64 {
        let mut hasher = DefaultHasher::new();
        self.hash.hash(&mut hasher);
        text.hash(&mut hasher);
        hasher.finish() as f64 / u64::MAX as f64
    }

    /// A number from 0 to 1 that is the same all through the session.
    pub fn chance(self) -> f64 {
        self.hash as f64 / u64::MAX as f64
    }
}

/// What Claude Code says of where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct ClaudeCode {
    /// Of this caller's session, whatever router serves it.
    pub session: u64,
    /// An agent of the session asks, not the session's own conversation.
    pub is_agent: bool,
}

impl ClaudeCode {
    pub fn of(caller: &Caller, headers: &HeaderMap) -> Option<Self> {
        let session = headers.get("x-claude-code-session-id")?.as_bytes();
        if session.is_empty() || session.len() > LONGEST {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        "claude code".hash(&mut hasher);
        caller.principal().key_hash.hash(&mut hasher);
        session.hash(&mut hasher);
        let agent = headers.get("x-claude-code-agent-id");
        Some(Self {
            session: hasher.finish(),
            is_agent: agent.is_some_and(|agent| !agent.is_empty()),
        })
    }
}
