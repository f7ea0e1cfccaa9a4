//! One caller's request, from its arrival to its end.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;

use super::world::World;
use crate::limits::{EntityIx, HoldId, Settlement};
use crate::policy::cooldown::Fault;
use crate::policy::retry::{Attempt, Decision, RetryPolicy, decide};
use crate::policy::spends::{BudgetName, BudgetRule};
use crate::policy::upstream_error::Failure;
use crate::router::turn::{Begin, End, Estimate, Lease, MAX_ATTEMPTS, Next, Outcome, Ticket, Used};
use crate::router::wish::{Kin, Wish};
use crate::types::NanoUsd;

/// Milliseconds that one upstream call may take.
pub const LIMIT: u64 = 5_000;

/// What a caller does next.
#[derive(Debug)]
pub enum Step {
    /// Asks for admission.
    Begin,
    /// The upstream call ends so.
    Ends(Option<Failure>),
    /// Asks for another deployment, or another group.
    Next,
    /// The client closes its connection, whatever is under way.
    Leaves,
}

/// See the module.
#[derive(Debug)]
pub struct Call {
    pub scopes: [Option<EntityIx>; 3],
    pub user_budget_binds: bool,
    pub estimate: Estimate,
    is_stream: bool,
    /// Its session and its tag, where it has them.
    wish: Option<Arc<Wish>>,
    /// The budgets that bound its call under way when that was granted.
    pub bound: Vec<(BudgetName, BudgetRule)>,
    pub group: u32,
    /// The group of the attempt before.
    from: u32,
    /// Groups to fall back to, the next one last.
    fallbacks: Vec<u32>,
    pub hold: Option<HoldId>,
    pub held: NanoUsd,
    pub lease: Option<Lease>,
    pub tried: Vec<u32>,
    /// What [`Next`] leaves out.
    leave_out: [u32; MAX_ATTEMPTS],
    /// Retries in this group.
    retries: u32,
    /// Upstream calls in all.
    pub calls: u32,
    arrived: u64,
    /// When the upstream call under way began.
    called: u64,
    pub is_over: bool,
}

/// What a call says to the control thread in one turn.
#[derive(Default)]
pub struct Said {
    pub end: Option<End>,
    /// Ask again so many milliseconds later; 0: in this very turn.
    pub again_after: Option<u64>,
    pub falls_back: bool,
}

impl Call {
    pub fn new(world: &World, now: u64, rng: &mut Rng) -> Self {
        let pick = |rng: &mut Rng, from: usize, to: usize| {
            (rng.u8(..4) > 0).then(|| world.entities[rng.usize(from..to)])
        };
        let groups = world.table.group_places() as u32;
        let group = rng.u32(..groups);
        let mut fallbacks: Vec<u32> = (0..groups)
            .filter(|other| *other != group && rng.bool())
            .collect();
        rng.shuffle(&mut fallbacks);
        let wish = Wish {
            kin: Kin {
                session: (rng.u8(..3) > 0).then(|| rng.u64(..5)),
                ..Kin::default()
            },
            tag_budgets: match rng.u8(..3) {
                0 => world.table.budgets.of_tag("t").into_iter().collect(),
                _ => Box::default(),
            },
            ..Wish::default()
        };
        Self {
            scopes: [pick(rng, 0, 3), pick(rng, 3, 4), pick(rng, 4, 5)],
            user_budget_binds: rng.bool(),
            estimate: Estimate {
                input_tokens: rng.u64(1..2_000),
                max_tokens: Some(rng.u64(1..2_000)),
                choices: 1,
                tier: None,
            },
            is_stream: rng.bool(),
            wish: (!wish.is_empty()).then(|| Arc::new(wish)),
            bound: Vec::new(),
            group,
            from: group,
            fallbacks,
            hold: None,
            held: NanoUsd::ZERO,
            lease: None,
            tried: Vec::new(),
            leave_out: [u32::MAX; MAX_ATTEMPTS],
            retries: 0,
            calls: 0,
            arrived: now,
            called: now,
            is_over: false,
        }
    }

    pub fn begin(&self) -> Begin {
        Begin {
            scopes: self.scopes,
            group: self.group,
            estimate: self.estimate,
            user_budget_binds: self.user_budget_binds,
            is_copy: false,
            is_stream: self.is_stream,
            pin: None,
            costs: None,
            wish: self.wish.clone(),
            queue: None,
        }
    }

    pub fn next(&self) -> Option<Next> {
        Some(Next {
            hold: self.hold?,
            group: self.group,
            from: self.from,
            besides: NanoUsd(0),
            is_hedge: false,
            estimate: self.estimate,
            tried: self.leave_out,
            above: None,
            is_stream: self.is_stream,
            pin: None,
            costs: None,
            wish: self.wish.clone(),
        })
    }

    pub fn tag_budgets(&self) -> &[BudgetName] {
        self.wish.as_ref().map_or(&[], |wish| &wish.tag_budgets)
    }

    /// What [`Self::next`] leaves out.
    pub fn left_out(&self) -> &[u32] {
        &self.leave_out
    }

    /// A deployment will take it.
    pub fn granted(&mut self, ticket: &Ticket, now: u64) {
        assert!(
            self.hold.is_none_or(|hold| hold == ticket.hold),
            "the hold stays"
        );
        assert!(self.lease.is_none(), "a second lease");
        self.hold = Some(ticket.hold);
        self.held = self.held.max(ticket.held);
        self.lease = Some(ticket.lease);
        self.from = self.group;
        self.called = now;
        self.calls += 1;
    }

    /// No deployment will: another group, or the end.
    pub fn denied(&mut self) -> Said {
        if self.hold.is_none() {
            self.is_over = true;
            return Said::default();
        }
        self.fall_back()
            .unwrap_or_else(|| self.settle(Outcome::Neutral, Used::default()))
    }

    /// The upstream has answered, or failed.
    pub fn ended(
        &mut self,
        world: &World,
        failure: Option<&Failure>,
        now: u64,
        rng: &mut Rng,
    ) -> Said {
        let lease = self.lease.expect("a call under way");
        let is_repeat = self.tried.contains(&lease.deployment);
        if !is_repeat {
            self.tried.push(lease.deployment);
        }
        let Some(failure) = failure else {
            let cost = NanoUsd(rng.i64(..=self.held.0));
            let latency_ms = (now - self.called) as f32;
            let outcome = Outcome::Success {
                latency_ms,
                first_token_ms: self.is_stream.then_some(latency_ms / 4.0),
            };
            let used = Used {
                input: self.estimate.input_tokens,
                output: rng.u64(..2_000),
                cost,
            };
            return self.settle(outcome, used);
        };
        let outcome = Outcome::Failure(Fault {
            class: failure.class,
            status: failure.status,
            retry_after_ms: failure.retry_after.map(|wait| wait.as_millis() as u32),
            is_callers_limit: false,
            is_repeat,
        });
        let decision = self.decide(world, failure, now, rng);
        let after = match decision {
            Decision::Next {
                after,
                exclude_tried,
            } => {
                self.retries += 1;
                self.leave_out(if exclude_tried {
                    self.tried.clone()
                } else {
                    Vec::new()
                });
                after.as_millis() as u64
            }
            Decision::GiveUp => match self.fall_back() {
                Some(said) => {
                    let end = self.report(outcome);
                    return Said {
                        end: Some(end),
                        ..said
                    };
                }
                None => return self.settle(outcome, Used::default()),
            },
        };
        Said {
            end: Some(self.report(outcome)),
            again_after: Some(after),
            falls_back: false,
        }
    }

    fn decide(&self, world: &World, failure: &Failure, now: u64, rng: &mut Rng) -> Decision {
        let group = world.table.group(self.group).expect("its group");
        let untried = group
            .members
            .iter()
            .filter(|member| !self.tried.contains(&member.deployment));
        let most = u64::from(world.num_retries + 1) * LIMIT;
        let attempt = Attempt {
            retries: self.retries,
            calls_left: (MAX_ATTEMPTS as u32).saturating_sub(self.calls),
            untried: untried.count(),
            has_tried_others: false,
            has_fallback: !self.fallbacks.is_empty(),
            time_left: Duration::from_millis(most.saturating_sub(now - self.arrived)),
            jitter: rng.f64(),
        };
        let policy = RetryPolicy {
            num_retries: world.num_retries,
            ..RetryPolicy::default()
        };
        decide(&policy, failure, &attempt)
    }

    /// The next group, with all its retries. `None`: there is none, or too many calls were made.
    fn fall_back(&mut self) -> Option<Said> {
        if self.calls as usize >= MAX_ATTEMPTS {
            return None;
        }
        self.from = self.group;
        self.group = self.fallbacks.pop()?;
        self.retries = 0;
        self.leave_out(self.tried.clone());
        Some(Said {
            end: None,
            again_after: Some(0),
            falls_back: true,
        })
    }

    /// The client has left. What it had asked for may still be under way, and comes back.
    pub fn left(&mut self) -> Option<End> {
        self.is_over = true;
        self.hold?;
        self.settle(Outcome::Neutral, Used::default()).end
    }

    fn leave_out(&mut self, deployments: Vec<u32>) {
        self.leave_out = [u32::MAX; MAX_ATTEMPTS];
        for (place, deployment) in self.leave_out.iter_mut().zip(deployments) {
            *place = deployment;
        }
    }

    fn report(&mut self, outcome: Outcome) -> End {
        End {
            hold: None,
            lease: self.lease.take().map(|lease| (lease, outcome)),
            group: self.from,
            ..End::default()
        }
    }

    fn settle(&mut self, outcome: Outcome, used: Used) -> Said {
        self.is_over = true;
        let tokens = if used.cost > NanoUsd::ZERO {
            self.estimate.input_tokens
        } else {
            0
        };
        let end = End {
            hold: self.hold.take(),
            settlement: Settlement {
                tokens,
                cost: used.cost,
            },
            used,
            ..self.report(outcome)
        };
        Said {
            end: Some(end),
            ..Said::default()
        }
    }
}
