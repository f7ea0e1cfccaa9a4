//! Another table in the place of the present one, while calls are under way.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::{Control, GroupState};
use crate::policy::cooldown::Rules;
use crate::policy::latency::LatencyRules;
use crate::policy::output_estimate::OutputEstimate;
use crate::policy::selection::Gauge;
use crate::policy::window::Window;
use crate::router::clock;
use crate::router::deployment::{DeploymentState, StateRules};
use crate::router::table::{Group, RoutingTable};

impl Control {
    /// Decides by `table` from the next step on. What has kept its number keeps its state: slots in use, windows, latency,
    /// health, estimates. The state of what is gone is dropped, and reports about it change nothing.
    pub fn replace(&mut self, table: Arc<RoutingTable>) {
        let before = std::mem::replace(&mut self.table, table.clone());
        for (number, state) in (0..).zip(&mut self.fleet) {
            let kept = match (before.deployment(number), table.deployment(number)) {
                (Some(old), Some(new)) => old.id == new.id,
                _ => false,
            };
            if !kept && state.take().is_some() {
                self.gauges[number as usize] = Gauge::default();
                self.generations[number as usize] += 1;
            }
        }
        for (number, state) in (0..).zip(&mut self.groups) {
            let kept = match (before.group(number), table.group(number)) {
                (Some(old), Some(new)) => old.key == new.key,
                _ => false,
            };
            if !kept {
                *state = None;
            }
        }
        self.take_up(&table);
    }

    /// Makes the states that `table` needs and this thread has not, and tells the others what has changed.
    pub(super) fn take_up(&mut self, table: &Arc<RoutingTable>) {
        let places = self.fleet.len().max(table.deployment_places());
        self.fleet.resize_with(places, || None);
        self.gauges.resize(places, Gauge::default());
        self.generations.resize(places, 0);
        // With another one in any group that is meant to be one it is not.
        let mut is_alone = vec![true; places];
        let mut latency = vec![LatencyRules::default(); places];
        for (_, group) in table.groups().filter(|(_, group)| group.key.is_meant()) {
            let members = || group.members.iter().filter(|member| !member.blocked);
            let has_others = members().nth(1).is_some();
            for member in members() {
                let number = member.deployment as usize;
                is_alone[number] &= !has_others;
                latency[number] = group.strategy_args.latency;
            }
        }
        for (number, deployment) in table.deployments() {
            let number = number as usize;
            let rules = StateRules {
                slots: deployment.slots,
                cooldown: Rules {
                    is_alone: is_alone[number],
                    ..deployment.cooldown
                },
                latency: latency[number],
            };
            let published = deployment.gauges.clone();
            let state = self.fleet[number].get_or_insert_with(|| {
                let state = DeploymentState::new(rules, published.clone());
                let state = state.of_generation(self.generations[number]);
                Rc::new(RefCell::new(state))
            });
            let mut state = state.borrow_mut();
            state.reconfigure(rules, published);
            self.gauges[number] = state.gauge();
        }
        let budgets = table.budgets.rules.iter();
        let now = self.wall_at(clock::now());
        self.spends
            .keep(budgets.map(|(of, rule)| (of.name(), *rule)), now);
        let places = self.groups.len().max(table.group_places());
        self.groups.resize_with(places, || None);
        for (number, group) in table.groups() {
            let kept = self.groups[number as usize].take();
            self.groups[number as usize] = Some(group_state(group, kept));
        }
    }
}

/// Strategies are prepared anew for the group's members; what was learnt stays.
fn group_state(group: &Group, kept: Option<GroupState>) -> GroupState {
    let (used, output, hedging) = match kept {
        Some(kept) => (kept.used, kept.output, kept.hedging),
        None => (None, OutputEstimate::default(), None),
    };
    let is_limited = group.rpm.or(group.tpm).is_some();
    GroupState {
        used: is_limited.then(|| used.unwrap_or_else(Window::default)),
        strategy: group.strategy.prepare(&group.members, &group.strategy_args),
        others: Vec::new(),
        output,
        hedging: group.hedge.map(|_| hedging.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Control;
    use super::*;
    use crate::config::Config;
    use crate::limits::Gatekeeper;
    use crate::policy::cooldown::Fault;
    use crate::router::turn::{Begin, End, Estimate, Lease, Outcome, Turn};
    use crate::router::{Asker, Astray, Earlier, LastError};

    fn config(models: &[(&str, u32)]) -> Config {
        let entries: String = models
            .iter()
            .map(|(name, slots)| {
                format!("  - {{model_name: {name}, litellm_params: {{model: openai/m, api_key: k, api_base: 'http://h/v1', max_parallel_requests: {slots}}}, model_info: {{id: of-{name}}}}}\n")
            })
            .collect();
        let text = format!("model_list:\n{entries}");
        Config::from_text("t.yaml", &text, &|_| None)
            .unwrap()
            .config
    }

    fn begin() -> Begin {
        Begin {
            scopes: [None; 3],
            group: 0,
            estimate: Estimate {
                input_tokens: 1,
                max_tokens: None,
                choices: 1,
                tier: None,
            },
            user_budget_binds: true,
            is_copy: false,
            is_stream: false,
            pin: None,
            costs: None,
            wish: None,
            queue: None,
        }
    }

    fn lease(control: &mut Control, name: &str) -> Option<Lease> {
        let group = control.table().resolve(name, Asker::default()).ok()?.group;
        let begin = Begin { group, ..begin() };
        let turn = Turn {
            begins: vec![begin],
            ..Turn::default()
        };
        let ticket = control.turn(&turn).begins.remove(0).ok()?;
        Some(ticket.lease)
    }

    fn failed(lease: Lease) -> Turn {
        let end = End {
            hold: None,
            lease: Some((lease, Outcome::Failure(Fault::of_status(500)))),
            group: 0,
            ..End::default()
        };
        Turn {
            ends: vec![end],
            ..Turn::default()
        }
    }

    fn last_error(control: &Control, number: u32) -> Option<LastError> {
        control.deployment(number)?.borrow().last_error
    }

    #[test]
    fn what_stays_keeps_its_state_and_what_is_gone_takes_no_reports() {
        let first = Arc::new(RoutingTable::compile(&config(&[("a", 1), ("b", 1)])));
        let keeper = Rc::new(RefCell::new(Gatekeeper::new(60_000, false)));
        let mut control = Control::new(first.clone(), keeper);
        let (a, b) = (
            lease(&mut control, "a").unwrap(),
            lease(&mut control, "b").unwrap(),
        );
        let earlier = |tables: &[&Arc<RoutingTable>]| Earlier {
            tables: tables.iter().map(|table| (*table).clone()).collect(),
            settings_are_kept: true,
        };
        // `a` goes, `b` has more slots, `c` is new and must not take the number that calls of `a` still name.
        let second =
            RoutingTable::compile_after(&config(&[("c", 1), ("b", 2)]), &earlier(&[&first]));
        let second = Arc::new(second);
        control.replace(second.clone());
        let found = control.table().resolve("a", Asker::default());
        assert_eq!(found, Err(Astray::Unknown));
        assert!(lease(&mut control, "b").is_some(), "it has two slots now");
        assert!(
            lease(&mut control, "b").is_none(),
            "and one is in use since before"
        );
        control.turn(&failed(b));
        assert!(last_error(&control, b.deployment).is_some());
        control.turn(&failed(a));
        let c = lease(&mut control, "c").unwrap();
        assert_ne!(c.deployment, a.deployment);
        assert_eq!(last_error(&control, c.deployment), None);
        // Nobody holds the first table any more: its number is given again, with another generation.
        let third = RoutingTable::compile_after(
            &config(&[("c", 1), ("b", 2), ("d", 1)]),
            &earlier(&[&second]),
        );
        control.replace(Arc::new(third));
        let d = lease(&mut control, "d").unwrap();
        assert_eq!(d.deployment, a.deployment);
        assert_ne!(d.generation, a.generation);
        control.turn(&failed(a));
        assert_eq!(last_error(&control, d.deployment), None);
        assert!(lease(&mut control, "d").is_none(), "its slot is in use");
    }

    fn compiled(text: &str, earlier: &[&Arc<RoutingTable>]) -> Arc<RoutingTable> {
        let loaded = Config::from_text("t.yaml", text, &|_| None).unwrap();
        let earlier = Earlier {
            tables: earlier.iter().map(|table| (*table).clone()).collect(),
            settings_are_kept: true,
        };
        Arc::new(RoutingTable::compile_after(&loaded.config, &earlier))
    }

    const A: &str = "  - {model_name: a, litellm_params: {model: openai/gpt-4o, api_key: k, api_base: 'http://h/v1'}, model_info: {id: of-a}}\n";
    const B: &str = "  - {model_name: b, litellm_params: {model: openai/gpt-4o, api_key: k, api_base: 'http://h/v1'}, model_info: {id: of-b}}\n";

    /// What is held in a provider's budget comes back from a deployment that has gone meanwhile, and what its call cost counts.
    #[test]
    fn budgets_outlive_the_deployments_that_spend_them() {
        let budget = |provider: &str, dollars: f64| {
            format!("{provider}: {{budget_limit: {dollars}, time_period: 1d}}, ")
        };
        let text = |entries: &str, budgets: &str| {
            format!(
                "model_list:\n{entries}router_settings: {{provider_budget_config: {{{budgets}}}}}\n"
            )
        };
        let first = compiled(&text(&format!("{A}{B}"), &budget("openai", 1e-6)), &[]);
        let keeper = Rc::new(RefCell::new(Gatekeeper::new(60_000, false)));
        let mut control = Control::new(first.clone(), keeper);
        let a = lease(&mut control, "a").unwrap();
        assert!(lease(&mut control, "b").is_none(), "all of it is held");
        // The deployment goes, and another budget comes before this one.
        let budgets = budget("anthropic", 1.0) + &budget("openai", 1e-6);
        let second = compiled(&text(B, &budgets), &[&first]);
        control.replace(second.clone());
        assert!(lease(&mut control, "b").is_none());
        control.turn(&failed(a));
        let b = lease(&mut control, "b").unwrap();
        let mut end = failed(b);
        end.ends[0].used.cost = crate::types::NanoUsd(1_000);
        control.turn(&end);
        assert!(lease(&mut control, "b").is_none(), "it is spent");
        control.replace(compiled(&text(B, &budget("openai", 1.0)), &[&second]));
        assert!(lease(&mut control, "b").is_some());
    }

    /// Sessions of a deployment that has gone find another one, and stay there.
    #[test]
    fn a_session_moves_once() {
        let text = |entries: &str| {
            format!(
                "model_list:\n{entries}router_settings: {{optional_pre_call_checks: [session_affinity]}}\n"
            )
        };
        let entry = |id: &str| A.replace("of-a", id);
        let first = compiled(&text(&entry("1")), &[]);
        let keeper = Rc::new(RefCell::new(Gatekeeper::new(60_000, false)));
        let mut control = Control::new(first.clone(), keeper);
        let wish = crate::router::Wish {
            kin: crate::router::Kin {
                session: Some(7),
                ..Default::default()
            },
            ..Default::default()
        };
        let wish = Arc::new(wish);
        let goes_to = |control: &mut Control| {
            let group = control.table().resolve("a", Asker::default()).unwrap();
            let begin = Begin {
                group: group.group,
                wish: Some(wish.clone()),
                ..begin()
            };
            let turn = Turn {
                begins: vec![begin],
                ..Turn::default()
            };
            control
                .turn(&turn)
                .begins
                .remove(0)
                .unwrap()
                .lease
                .deployment
        };
        goes_to(&mut control);
        let others: String = ["2", "3", "4", "5"].map(entry).concat();
        control.replace(compiled(&text(&others), &[&first]));
        let home = goes_to(&mut control);
        assert!((0..20).all(|_| goes_to(&mut control) == home));
    }

    #[test]
    fn equal_entries_are_the_same_deployment() {
        let models = [("a", 1), ("b", 1)];
        let first = Arc::new(RoutingTable::compile(&config(&models)));
        let earlier = |settings_are_kept| Earlier {
            tables: vec![first.clone()],
            settings_are_kept,
        };
        for (kept, settings_are_kept) in [(true, true), (false, false)] {
            let table = RoutingTable::compile_after(&config(&models), &earlier(settings_are_kept));
            for (number, deployment) in table.deployments() {
                let old = first.deployment(number).unwrap();
                assert_eq!(Arc::ptr_eq(old, deployment), kept);
                assert!(Arc::ptr_eq(&old.gauges, &deployment.gauges));
            }
        }
    }
}
