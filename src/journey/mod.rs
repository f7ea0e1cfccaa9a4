//! One request's way: read, admit, call, retry, stream, settle.
//!
//! `inference` is the sentence; the other files are its words. A [`Worker`] is what one thread has for it. A `Charge` owns what a
//! request has reserved and settles it exactly once, also when the client leaves or something panics. This room knows HTTP
//! only as headers and bytes; how an error looks to a client is the door's business.

mod admission;
mod answer_prices;
mod answers;
mod asked;
mod attempt;
mod auto_route;
mod azure_login;
mod background;
mod body_room;
mod buffers;
mod call_line;
mod chaos;
mod charge;
mod concretes;
mod continuity;
mod cost_headers;
mod counting;
mod course;
mod cut;
mod destination;
mod editor;
mod explain;
mod failover;
mod failure;
mod headers;
mod hedge;
mod inference;
mod mirror;
mod mocked;
mod probe;
mod question;
mod queue;
mod reloading;
mod reply;
mod resume;
mod rounds;
mod routes;
mod shortlisting;
mod stored;
mod stream;
mod together;
mod trail;
mod tried;
mod wishes;
mod worker;

pub use asked::Rules as AskingRules;
pub use auto_route::{FlushLearnt, Learned, RouteMemory};
pub use background::Followed;
pub use body_room::{BodyRoom, Share as BodyShare};
pub use buffers::Buffers;
pub use chaos::{Chaos, Disturbance};
pub use continuity::ReferenceError;
pub use counting::{Uncounted, count_tokens, counted};
pub use cut::{Ending, Phase};
pub use explain::{Decision, Explanation, Weighed, explain};
pub use failure::{Failure, NoDeployment, Refused};
pub use headers::Seconds;
pub use inference::infer;
pub use probe::{probe, probe_all};
pub use reloading::{Rejected, ReloadConfig, ReloadStatus};
pub use reply::{Answers, Incoming, Reply};
pub use rounds::HealthChecker;
pub use routes::{InForce, Prepared, Routes, Snapshot};
pub use shortlisting::Unfit;
pub use stored::{Errand, ErrandError, Inquiry, inquire};
pub use stream::EventStream;
pub use worker::{Settings, Shared, Worker};
