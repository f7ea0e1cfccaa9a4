//! What many deployments cost: throughput beside that of a gateway with one, and the memory of each.

use std::time::Duration;

use super::{START, Scene, bounded};
use crate::fresh;
use crate::gateway::Size;
use crate::layout::Layout;
use crate::requests::{self, CONNECTIONS, SMALL_TEXT};
use crate::stats;
use crate::table::Sample;
use crate::target::{Kind, Setup, Target};

const FLEET: &str = "all groups by turns, 64 connections, req/s";
const WEIGHT: [&str; 2] = [
    "memory of a deployment, KiB",
    "memory of a deployment that was called, KiB",
];

/// Those whose throughput is compared.
const COMPARED: [Kind; 2] = [Kind::Fleet(1), Kind::Fleet(1_000)];
/// Those whose memory is; what the first needs is what a gateway needs anyway.
const WEIGHED: [Kind; 3] = [Kind::Fleet(10), Kind::Fleet(1_000), Kind::Fleet(10_000)];

/// Of [`COMPARED`], where there are many.
const GROUPS: usize = 100;
/// Deployments of a group.
const EACH: usize = 10;

/// Requests of each connection before memory is read: all deployments have been called by then, and as many requests were
/// made of one gateway as of another.
const CALLS: usize = 1_000;

/// As many deployments as this in groups of ten.
fn layout(deployments: usize) -> Layout {
    Layout::Fleet {
        groups: groups(deployments),
        each: deployments.min(EACH),
    }
}

fn groups(deployments: usize) -> usize {
    deployments.div_ceil(EACH)
}

/// So many requests to all groups by turns; each connection begins with another one.
fn round(target: &Target, index: usize, deployments: usize, count: usize) -> Vec<Vec<u8>> {
    let group = |number| Layout::group((index + number) % groups(deployments));
    (0..count)
        .map(|number| target.request(index, &group(number), false, SMALL_TEXT))
        .collect()
}

/// So many requests to all groups by turns, each sent once by each connection: a warm-up.
async fn warm(target: &Target, deployments: usize, count: usize) -> Result<(), String> {
    let of = |index| round(target, index, deployments, count);
    let load = requests::closed_loop(target, &of, Duration::ZERO, true);
    let done = requests::timed(target, load).await?.done;
    assert_eq!(done.requests, (CONNECTIONS * count) as u64);
    Ok(())
}

/// Requests a second to all groups by turns.
async fn throughput(
    target: &Target,
    deployments: usize,
    duration: Duration,
) -> Result<Sample, String> {
    let of = |index| round(target, index, deployments, GROUPS);
    let load = requests::closed_loop(target, &of, duration, false);
    Ok(requests::timed(target, load).await?.sample(FLEET, target))
}

/// Resident bytes: at rest after the start, and when all deployments were called.
struct Weight {
    idle: f64,
    called: f64,
}

async fn weight(target: &Target, deployments: usize) -> Result<Weight, String> {
    let idle = target.rss();
    warm(target, deployments, CALLS).await?;
    Ok(Weight {
        idle,
        called: target.rss(),
    })
}

/// What each deployment beyond the first few needs, in KiB.
fn each(target: &Target, deployments: usize, own: &Weight, base: (usize, &Weight)) -> [Sample; 2] {
    let (few, base) = base;
    let sample = |what, own: f64, base: f64| Sample {
        what,
        target: target.name(),
        value: (own - base) / 1024.0 / (deployments - few) as f64,
        cpu: None,
        note: format!(
            "{:.1} MiB; with {few} {:.1} MiB",
            own / 1024.0 / 1024.0,
            base / 1024.0 / 1024.0
        ),
    };
    let [idle, called] = WEIGHT;
    [
        sample(idle, own.idle, base.idle),
        sample(called, own.called, base.called),
    ]
}

// === impl Scene ===

impl Scene<'_> {
    /// Gateways of their own, with few deployments and with many.
    pub(super) async fn fleet(&mut self, setup: &mut Setup) {
        if !self.args.measures("fleet") {
            return;
        }
        self.compare(setup).await;
        self.weigh(setup).await;
    }

    /// Throughput by turns, in an order that turns round each time.
    async fn compare(&mut self, setup: &mut Setup) {
        let mut targets = Vec::new();
        for kind in COMPARED {
            if let Some((target, deployments)) = self.launch_fleet(kind, setup).await {
                let warmed = bounded(warm(&target, deployments, GROUPS)).await;
                self.keep(&target, FLEET, warmed.map(|()| Vec::new()));
                targets.push((target, deployments));
            }
        }
        let duration = self
            .args
            .pick(Duration::from_secs(1), Duration::from_secs(2));
        let mut ratios = (Vec::new(), Vec::new());
        for round in 1..=self.args.pick(1, 10) {
            let mut samples = Vec::new();
            for (target, deployments) in &targets {
                eprintln!("fleet: {} ({round})", target.name());
                match bounded(throughput(target, *deployments, duration)).await {
                    Ok(sample) => samples.push((*deployments, sample)),
                    Err(why) => self.keep(target, FLEET, Err(why)),
                }
            }
            samples.sort_by_key(|(deployments, _)| *deployments);
            if let [(_, one), (_, many)] = samples.as_slice() {
                ratios.0.push(many.value / one.value);
                ratios
                    .1
                    .push(many.cpu.unwrap_or_default() / one.cpu.unwrap_or_default());
            }
            samples
                .into_iter()
                .for_each(|(_, sample)| self.table.add(sample));
            targets.reverse();
        }
        let (rates, costs) = ratios;
        self.table.remarks.push(format!(
            "With many deployments throughput is {:.3} of that with one (rounds: {rates:.2?}), CPU of a request {:.3} \
             (rounds: {costs:.2?}).",
            stats::median(rates.iter().copied()),
            stats::median(costs.iter().copied())
        ));
    }

    async fn weigh(&mut self, setup: &mut Setup) {
        let mut few = None;
        for kind in WEIGHED {
            let Some((target, deployments)) = self.launch_fleet(kind, setup).await else {
                continue;
            };
            let weight = match bounded(weight(&target, deployments)).await {
                Ok(weight) => weight,
                Err(why) => {
                    self.keep(&target, WEIGHT[0], Err(why));
                    continue;
                }
            };
            match &few {
                None => few = Some((deployments, weight)),
                Some((few, base)) => {
                    let base = (*few, base);
                    let samples = each(&target, deployments, &weight, base);
                    self.keep(&target, WEIGHT[0], Ok(samples.into()));
                }
            }
            self.table.add(fresh::start(&target, START));
        }
    }

    async fn launch_fleet(&mut self, kind: Kind, setup: &mut Setup) -> Option<(Target, usize)> {
        let Kind::Fleet(deployments) = kind else {
            return None;
        };
        let size = Size {
            layout: layout(deployments),
            keys: 1,
        };
        if !setup.gateways.contains_key(&kind) && !self.set_up(kind, size, setup).await {
            return None;
        }
        match Target::launch(kind, setup).await {
            Ok(target) => Some((target, deployments)),
            Err(why) => {
                self.skip(kind, &why);
                None
            }
        }
    }
}
