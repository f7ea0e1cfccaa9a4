//! One world from its beginning to its end.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use fastrand::Rng;

use super::books::{Books, budgets};
use super::call::{Call, LIMIT, Said, Step};
use super::invariants::{check, check_budgets, check_denial, check_grant, check_rest, probe};
use super::world::{CALM, World};
use crate::policy::strategies::StrategyName;
use crate::router::Nobody;
use crate::router::control::Control;
use crate::router::turn::{Answer, Begin, End, Outcome, Pin, Turn, TurnAnswer};

/// Requests of one world.
const CALLS: usize = 40;
/// What happens within so many milliseconds comes in one turn.
const TICK: u64 = 50;
/// Longer than any cooldown, in milliseconds.
const LONG: u64 = 4_000_000;

/// What happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    pub answered: u64,
    pub failed: u64,
    pub left: u64,
    pub refused: u64,
    pub busy: u64,
    pub cooling: u64,
    pub over_budget: u64,
    pub limited: u64,
    pub cooldowns: u64,
    pub retries: u64,
    pub fallbacks: u64,
    /// Of the configuration.
    pub changes: u64,
}

impl Told {
    pub fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.left += other.left;
        self.refused += other.refused;
        self.busy += other.busy;
        self.cooling += other.cooling;
        self.cooldowns += other.cooldowns;
        self.retries += other.retries;
        self.fallbacks += other.fallbacks;
        self.over_budget += other.over_budget;
        self.limited += other.limited;
        self.changes += other.changes;
    }
}

/// Who asked for a lease in a turn.
struct Asking {
    who: usize,
    answer: Answer,
}

/// See the module.
pub struct Play {
    rng: Rng,
    world: World,
    control: Control,
    calls: Vec<Call>,
    books: Books,
    /// What comes, by time and in the order in which it was planned.
    agenda: BTreeMap<(u64, Reverse<u64>), (usize, Step)>,
    planned: u64,
    told: Told,
    /// What the control thread was asked and has answered, while somebody listens.
    heard: Option<String>,
}

impl Play {
    /// The world of a seed, with a strategy that the seed has chosen.
    pub fn new(seed: u64) -> Self {
        let strategies = StrategyName::ALL;
        Self::by(strategies[seed as usize % strategies.len()], seed)
    }

    /// The world of a seed and a strategy.
    pub fn by(strategy: StrategyName, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let world = World::new(&mut rng, strategy);
        let mut control = Control::new(world.table.clone(), world.keeper.clone());
        control.random = Rng::with_seed(rng.u64(..));
        let mut play = Self {
            world,
            control,
            calls: Vec::new(),
            books: Books::default(),
            agenda: BTreeMap::new(),
            planned: 0,
            told: Told::default(),
            heard: None,
            rng,
        };
        // In bursts, so that slots and limits are met.
        let bursts: Vec<u64> = (0..6).map(|_| play.rng.u64(..CALM + 10_000)).collect();
        for who in 0..CALLS {
            let at = bursts[play.rng.usize(..bursts.len())] + play.rng.u64(..8_000);
            play.calls.push(Call::new(&play.world, at, &mut play.rng));
            play.plan(at, who, Step::Begin);
            if play.rng.u8(..5) == 0 {
                let patience = play.rng.u64(..9_000);
                play.plan(at + patience, who, Step::Leaves);
            }
        }
        play
    }

    fn plan(&mut self, at: u64, who: usize, step: Step) {
        self.planned += 1;
        self.agenda.insert(
            (at.next_multiple_of(TICK), Reverse(self.planned)),
            (who, step),
        );
    }

    /// Plays it. Panics where something does not hold.
    pub fn run(mut self) -> Told {
        let mut now = 0;
        while let Some(then) = self.step() {
            now = then;
        }
        self.rest(now)
    }

    /// Plays what comes next; when that was, or `None`: nothing comes any more.
    fn step(&mut self) -> Option<u64> {
        let now = self.agenda.first_entry()?.key().0;
        let mut steps = Vec::new();
        while let Some(entry) = self
            .agenda
            .first_entry()
            .filter(|entry| entry.key().0 == now)
        {
            steps.push(entry.remove());
        }
        self.turn(steps, now);
        Some(now)
    }

    /// Plays what comes next, and tells what the control thread was asked, what it answered and what it sees from then on.
    pub fn overheard(&mut self) -> Option<String> {
        self.heard = Some(String::new());
        self.step()?;
        self.heard.take()
    }

    /// From now on chance falls otherwise in decisions, and in nothing else.
    pub fn shift_chance(&mut self) {
        self.control.random.u64(..);
    }

    fn decided(&mut self, turn: &Turn, now: u64) -> TurnAnswer {
        let answer = self.control.turn_at(turn, now);
        if let Some(heard) = &mut self.heard {
            let seen = &self.control.gauges;
            write!(heard, "{now}\n{turn:?}\n{answer:?}\n{seen:?}\n").expect("a text");
        }
        answer
    }

    /// After the last step nothing is left over.
    fn rest(mut self, now: u64) -> Told {
        assert!(
            self.calls.iter().all(|call| call.is_over),
            "somebody waits for ever"
        );
        check_rest(&self.world, &self.control, now);
        self.everybody_works_again(now + LONG);
        self.told
    }

    fn turn(&mut self, steps: Vec<(usize, Step)>, now: u64) {
        if self.rng.u8(..30) == 0
            && let Some(table) = self.world.change(&mut self.rng)
        {
            self.control.replace(table);
            self.told.changes += 1;
        }
        let mut turn = Turn::default();
        let (mut begins, mut nexts, mut later) = (Vec::new(), Vec::new(), Vec::new());
        for (who, step) in steps {
            let call = &mut self.calls[who];
            if call.is_over {
                continue;
            }
            let lease = call.lease;
            let said = match step {
                Step::Begin => {
                    begins.push(who);
                    continue;
                }
                Step::Next => {
                    nexts.push(who);
                    continue;
                }
                Step::Leaves => {
                    self.told.left += 1;
                    Said {
                        end: call.left(),
                        ..Said::default()
                    }
                }
                Step::Ends(failure) => {
                    let said = call.ended(&self.world, failure.as_ref(), now, &mut self.rng);
                    match (failure.is_some(), call.is_over) {
                        (false, _) => self.told.answered += 1,
                        (true, true) => self.told.failed += 1,
                        (true, false) => {}
                    }
                    said
                }
            };
            if let (Some(lease), Some(end)) = (lease, &said.end) {
                let bound = std::mem::take(&mut self.calls[who].bound);
                self.books.ended(who, lease, end.used, &bound, now);
            }
            self.said(who, said, &mut turn, &mut nexts, &mut later);
        }
        // A client may leave in the very turn in which it asked for more.
        begins.retain(|who| !self.calls[*who].is_over);
        nexts.retain(|who| !self.calls[*who].is_over);
        turn.begins = begins.iter().map(|who| self.calls[*who].begin()).collect();
        turn.nexts = nexts
            .iter()
            .filter_map(|who| self.calls[*who].next())
            .collect();
        assert_eq!(
            turn.nexts.len(),
            nexts.len(),
            "somebody goes on without a hold"
        );
        if self.rng.u8(..8) == 0
            && let Some(end) = turn.ends.first().copied()
        {
            // A report that comes twice: its hold is closed by then.
            turn.ends.push(End { lease: None, ..end });
        }
        let failures = self.failures();
        let cooling = self.cooling(now);
        let answer = self.decided(&turn, now);
        self.told.cooldowns += u64::from(self.failures() > failures && self.cooling(now) > cooling);
        let asked = nexts.into_iter().zip(answer.nexts);
        let asked = asked.chain(begins.into_iter().zip(answer.begins));
        let asked: Vec<Asking> = asked.map(|(who, answer)| Asking { who, answer }).collect();
        self.answered(asked, &mut later, now);
        for (who, after, step) in later {
            self.plan(now + after, who, step);
        }
        let open: Vec<&Call> = self.calls.iter().filter(|call| !call.is_over).collect();
        check(&self.world, &self.control, &open, now);
        let unbound = self
            .calls
            .iter()
            .any(|call| !call.user_budget_binds && call.scopes[1].is_some());
        check_budgets(&self.world, unbound);
    }

    fn said(
        &mut self,
        who: usize,
        said: Said,
        turn: &mut Turn,
        nexts: &mut Vec<usize>,
        later: &mut Vec<(usize, u64, Step)>,
    ) {
        turn.ends.extend(said.end);
        self.told.fallbacks += u64::from(said.falls_back);
        match said.again_after {
            None => {}
            Some(0) => nexts.push(who),
            Some(after) => later.push((who, after, Step::Next)),
        }
        self.told.retries += u64::from(said.again_after.is_some() && !said.falls_back);
    }

    fn answered(&mut self, asked: Vec<Asking>, later: &mut Vec<(usize, u64, Step)>, now: u64) {
        let mut ends = Vec::new();
        // Slots only fill up in what comes after the endings: a refusal for want of a slot is still true at the end.
        for Asking { who, answer } in asked {
            let call = &mut self.calls[who];
            match answer {
                Ok(ticket) => {
                    check_grant(&self.world, &self.control, call, ticket.lease, now);
                    let table = &self.world.table;
                    self.books.granted(table, who, call, ticket.lease, now);
                    call.bound = budgets(table, ticket.lease.deployment, call);
                    call.granted(&ticket, now);
                    assert!(
                        call.calls as usize <= crate::router::MAX_ATTEMPTS,
                        "too many calls"
                    );
                    let ending =
                        self.world
                            .ending(ticket.lease.deployment, now, LIMIT, &mut self.rng);
                    later.push((who, ending.after.max(1), Step::Ends(ending.failure)));
                }
                Err(denied) => {
                    check_denial(&self.world, &self.control, call, &denied, now);
                    match denied.nobody() {
                        Some(Nobody::Busy { .. }) => self.told.busy += 1,
                        Some(Nobody::Cooling { .. }) => self.told.cooling += 1,
                        Some(Nobody::OverBudget { .. }) => self.told.over_budget += 1,
                        Some(Nobody::Limited { .. }) => self.told.limited += 1,
                        _ => self.told.refused += 1,
                    }
                    let said = call.denied();
                    ends.extend(said.end);
                    self.told.fallbacks += u64::from(said.falls_back);
                    if said.again_after.is_some() {
                        later.push((who, 1, Step::Next));
                    }
                }
            }
        }
        let turn = Turn {
            ends,
            ..Turn::default()
        };
        self.decided(&turn, now);
    }

    fn failures(&self) -> u64 {
        let states = self
            .world
            .table
            .deployments()
            .filter_map(|(number, _)| self.control.deployment(number));
        states.map(|state| state.borrow().failures).sum()
    }

    fn cooling(&self, now: u64) -> usize {
        let states = self
            .world
            .table
            .deployments()
            .filter_map(|(number, _)| self.control.deployment(number));
        states
            .filter(|state| state.borrow().cooling(now).is_some())
            .count()
    }

    /// When all cooldowns and minutes are over, each deployment takes calls, whatever its group's strategy would choose.
    fn everybody_works_again(&mut self, now: u64) {
        let table = self.world.table.clone();
        let mut now = now;
        for (number, group) in table.groups() {
            now += 60_000;
            for member in group.members.iter().filter(|member| !member.blocked) {
                let pin = Pin {
                    deployment: member.deployment,
                    is_strict: true,
                    is_named: true,
                };
                let begin = Begin {
                    pin: Some(pin),
                    ..probe(number)
                };
                let turn = Turn {
                    begins: vec![begin],
                    ..Turn::default()
                };
                let ticket = match self.control.turn_at(&turn, now).begins.remove(0) {
                    Ok(ticket) => ticket,
                    Err(denied) => panic!(
                        "deployment {} has recovered and gets no calls: {denied:?}",
                        member.deployment
                    ),
                };
                assert_eq!(ticket.lease.deployment, member.deployment);
                let end = End {
                    hold: Some(ticket.hold),
                    lease: Some((ticket.lease, Outcome::Neutral)),
                    group: number,
                    ..End::default()
                };
                let turn = Turn {
                    ends: vec![end],
                    ..Turn::default()
                };
                self.control.turn_at(&turn, now);
            }
        }
        check_rest(&self.world, &self.control, now);
    }
}
