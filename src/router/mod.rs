//! The pointsman: which deployment takes a call, decided on one thread for the whole process.
//!
//! `table` is what the configuration says, immutable and shared. `control` is the moving state: groups, assignment counts, the
//! deployments' own states and the gatekeeper, all on the control thread. `actor` are the mailboxes: the Router, which
//! supervises and answers turns, and one Deployment each. `port` is a worker's side: it gathers the admissions and endings of
//! one event-loop turn into a single message. `reload` puts a new table in the place of the present one. No payload passes through here, only indexes and numbers.

mod actor;
pub mod clock;
mod control;
mod deployment;
mod numbers;
mod port;
mod price_list;
mod reload;
mod start;
mod table;
mod trace;
mod turn;
mod wish;

pub use actor::{
    DeploymentReport, DescribeDeployment, Explain, HealthFinding, HealthFindings, Ping, RouterActor,
};
pub use control::Control;
pub use deployment::{DeploymentState, LastError, Reported, StateRules};
pub use port::Port;
pub use price_list::Priced;
pub use reload::{Reload, Tables};
pub use start::{ControlHandle, start};
pub use table::{
    Asker, Astray, AutoRouter, Costs, Deployment, Destination, Difficulty, Earlier, Errand,
    Failover, Gauges, Group, GroupKey, HealthCheck, Kept, Meaning, Mode, RoutingTable, Way,
    budget_name,
};
pub use trace::{Choice, Considered, Nobody, Trace, Verdict};
pub use turn::{
    Answer, Begin, Denied, End, Estimate, Lease, MAX_ATTEMPTS, Next, Outcome, Pin, Queueing,
    Ticket, Turn, TurnAnswer, Unmade, Used,
};
pub use wish::{Explained, Kin, Told, Wish};
