//! The order of a run: who is started when, which passes follow each other, what becomes of failures.

mod fleet;

use std::collections::HashMap;
use std::future::Future;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::gateway::{Gateway, Size};
use crate::latency::{self, Latencies};
use crate::layout::{Layout, Upstreams};
use crate::machine::Usage;
use crate::models::SMALL;
use crate::requests::{self, LARGE_TEXT, SMALL_TEXT};
use crate::simulator::Simulator;
use crate::stats;
use crate::table::{Sample, Table};
use crate::target::{Kind, Setup, Target};
use crate::{failover, fresh, models, streams, translated};

const START: &str = "start to first answer, s";
const IDLE: &str = "memory idle, MiB";
const PER_STREAM: &str = "memory of an open stream, KiB";
const AFTER: &str = "memory after the load, MiB";
const REQUESTS: &str = "1 KB answers, 64 connections, req/s";
const BODIES: &str = "200 KB request bodies, 64 connections, req/s";
const FLAT: &str = "64 streams flat out, chunks/s";
const GAPS: [&str; 3] = [
    "256 streams at 20 ms, gap p50, ms",
    "256 streams at 20 ms, gap p99, ms",
    "256 streams at 20 ms, gap p99.9, ms",
];
/// Of the simulator itself, of a target beyond that, and which quantile.
const LATENCY: [(&str, &str, f64); 3] = [
    (
        "1,000 req/s, upstream 50 ms, p50, ms",
        "1,000 req/s, upstream 50 ms, added p50, ms",
        0.5,
    ),
    (
        "1,000 req/s, upstream 50 ms, p95, ms",
        "1,000 req/s, upstream 50 ms, added p95, ms",
        0.95,
    ),
    (
        "1,000 req/s, upstream 50 ms, p99, ms",
        "1,000 req/s, upstream 50 ms, added p99, ms",
        0.99,
    ),
];

const FAILOVER: [&str; 6] = [
    "a failing call, another deployment answers: added p50, ms",
    "a failing call, another deployment answers: added p99, ms",
    "a refused connection, another deployment answers: added p50, ms",
    "a refused connection, another deployment answers: added p99, ms",
    "a failing call, another group answers: added p50, ms",
    "a failing call, another group answers: added p99, ms",
];
const FLAKY: &str = "31 % of upstream calls fail, 64 connections, req/s";

/// No pass takes longer; one that does has failed.
const LIMIT: Duration = Duration::from_secs(150);

pub struct Scene<'a> {
    args: &'a Args,
    table: Table,
}

// === impl Scene ===

impl<'a> Scene<'a> {
    pub fn new(args: &'a Args) -> Self {
        Self {
            args,
            table: Table::default(),
        }
    }

    pub async fn run(mut self) -> String {
        let simulator = Simulator::start_here();
        models::teach(&simulator, self.paced_chunks());
        let (begun, before) = (Instant::now(), Usage::now());
        let prepared = tempfile::tempdir()
            .and_then(|folder| Ok((Upstreams::new(simulator.address())?, folder)));
        match prepared {
            Ok((upstreams, folder)) => {
                let setup = Setup {
                    folder: folder.path().to_owned(),
                    upstreams,
                    gateways: HashMap::new(),
                };
                self.play(setup).await;
            }
            Err(why) => self
                .table
                .remarks
                .push(format!("no folder or no port: {why}")),
        }
        let share = Usage::now().others_since(before) / begun.elapsed().as_secs_f64() * 100.0;
        self.table.remarks.push(format!(
            "Meanwhile other processes used {share:.0} % of one core; above some 10 % neither figures nor ratios can be trusted."
        ));
        self.table.to_string()
    }

    async fn play(&mut self, mut setup: Setup) {
        let mut kinds: Vec<Kind> = self
            .args
            .targets
            .iter()
            .filter_map(|name| Kind::of(name))
            .collect();
        let large = Size {
            layout: Layout::Loads { deployments: 200 },
            keys: self.args.pick(100, 10_000),
        };
        let small = Size {
            layout: Layout::Loads { deployments: 20 },
            keys: 1,
        };
        for (kind, size) in [(Kind::Pointsman, large), (Kind::PointsmanSmall, small)] {
            if !kinds.contains(&kind) {
                continue;
            }
            if !self.set_up(kind, size, &mut setup).await {
                kinds.retain(|other| *other != kind);
            }
        }
        if self.args.measures("start") || self.args.measures("memory") {
            for _ in 0..self.args.pick(1, 3) {
                for kind in kinds.iter().filter(|kind| **kind != Kind::PointsmanSmall) {
                    self.fresh(*kind, &setup).await;
                }
            }
        }
        let mut targets = Vec::new();
        for kind in std::iter::once(Kind::Direct).chain(kinds) {
            match Target::launch(kind, &setup).await {
                Ok(target) => targets.push(target),
                Err(why) => self.skip(kind, &why),
            }
        }
        self.throughput(&targets).await;
        self.translated(&targets).await;
        self.latency(&targets).await;
        self.failover(&targets).await;
        self.fleet(&mut setup).await;
        if self.args.measures("memory") {
            let whole =
                |target: &&Target| !matches!(target.kind, Kind::Direct | Kind::PointsmanSmall);
            for target in targets.iter().filter(whole) {
                self.table.add(fresh::rss(target, AFTER));
            }
        }
    }

    /// Prepares a gateway; whether that went well.
    async fn set_up(&mut self, kind: Kind, size: Size, setup: &mut Setup) -> bool {
        eprintln!("setting up {}", kind.name());
        let folder = setup.folder.join(kind.name());
        let postgres = self.args.postgres.as_deref();
        match Gateway::prepare(folder, &setup.upstreams, size, postgres).await {
            Ok(gateway) => {
                setup.gateways.insert(kind, gateway);
                true
            }
            Err(why) => {
                self.skip(kind, &why);
                false
            }
        }
    }

    /// Passes that need a new process.
    async fn fresh(&mut self, kind: Kind, setup: &Setup) {
        eprintln!("fresh {}", kind.name());
        let target = match Target::launch(kind, setup).await {
            Ok(target) => target,
            Err(why) => return self.skip(kind, &why),
        };
        if self.args.measures("start") {
            self.table.add(fresh::start(&target, START));
        }
        if self.args.measures("memory") {
            self.table.add(fresh::rss(&target, IDLE));
            let count = self.args.pick(200, 1000);
            let sample = bounded(fresh::streams(&target, PER_STREAM, count))
                .await
                .map(|sample| vec![sample]);
            self.keep(&target, PER_STREAM, sample);
        }
    }

    /// Rounds of each kind of load over all targets.
    async fn throughput(&mut self, targets: &[Target]) {
        let duration = self
            .args
            .pick(Duration::from_secs(1), Duration::from_secs(4));
        let chunks = self.paced_chunks();
        for what in [REQUESTS, BODIES, FLAT, GAPS[0]] {
            let asked = match what {
                REQUESTS => "requests",
                BODIES => "bodies",
                _ => "streams",
            };
            if !self.args.measures(asked) {
                continue;
            }
            for round in 1..=self.args.pick(1, 3) {
                for target in targets.iter().filter(|target| match target.kind {
                    Kind::Direct => what == GAPS[0],
                    Kind::PointsmanSmall => what == REQUESTS,
                    _ => true,
                }) {
                    eprintln!("{what}: {} ({round})", target.name());
                    let one = |sample: Result<Sample, String>| sample.map(|sample| vec![sample]);
                    let samples = match what {
                        REQUESTS => one(bounded(requests::measure(
                            target,
                            what,
                            (SMALL, SMALL_TEXT),
                            duration,
                        ))
                        .await),
                        BODIES => one(bounded(requests::measure(
                            target,
                            what,
                            (SMALL, LARGE_TEXT),
                            duration,
                        ))
                        .await),
                        FLAT => one(bounded(streams::flat(target, what, duration)).await),
                        _ => bounded(streams::paced(target, GAPS, chunks)).await,
                    };
                    self.keep(target, what, samples);
                }
            }
        }
    }

    /// Rounds of every pair of protocols.
    async fn translated(&mut self, targets: &[Target]) {
        if !self.args.measures("translated") {
            return;
        }
        let duration = self
            .args
            .pick(Duration::from_secs(1), Duration::from_secs(3));
        let chunks = self.paced_chunks();
        let kinds = [Kind::Nginx, Kind::Pointsman];
        let targets = || targets.iter().filter(|target| kinds.contains(&target.kind));
        for round in 1..=self.args.pick(1, 3) {
            for way in &translated::WAYS {
                for target in targets() {
                    eprintln!("translated: {} ({round})", target.name());
                    let flat = bounded(translated::flat(target, way, duration)).await;
                    self.keep(target, "translated", flat.map(|sample| vec![sample]));
                    let bodies = bounded(translated::bodies(target, way, duration)).await;
                    self.keep(target, "translated", bodies.map(|sample| vec![sample]));
                    if round == 1 {
                        let paced = bounded(translated::paced(target, way, chunks)).await;
                        self.keep(target, "translated", paced);
                    }
                }
            }
        }
    }

    /// Rounds of the open loop; what counts is the difference to the simulator asked directly in the same round.
    async fn latency(&mut self, targets: &[Target]) {
        if !self.args.measures("latency") {
            return;
        }
        let duration = self
            .args
            .pick(Duration::from_secs(2), Duration::from_secs(6));
        for round in 1..=self.args.pick(1, 5) {
            let mut direct: Option<Latencies> = None;
            for target in targets
                .iter()
                .filter(|target| target.kind != Kind::PointsmanSmall)
            {
                eprintln!("latency: {} ({round})", target.name());
                let measured = match bounded(latency::measure(target, duration, round)).await {
                    Ok(measured) => measured,
                    Err(why) => {
                        self.keep(target, "latency", Err(why));
                        continue;
                    }
                };
                for (whole, added, share) in LATENCY {
                    let own = stats::quantile(&measured.sorted, share);
                    let base = direct
                        .as_ref()
                        .map(|direct| stats::quantile(&direct.sorted, share));
                    let (what, value) = base.map_or((whole, own), |base| (added, own - base));
                    let cpu = (base.is_some() && share == 0.5).then_some(measured.cpu);
                    let note = base
                        .map(|_| format!("{own:.2} ms in all"))
                        .unwrap_or_default();
                    self.table.add(Sample {
                        what,
                        target: target.name(),
                        value,
                        cpu,
                        note,
                    });
                }
                if target.kind == Kind::Direct {
                    direct = Some(measured);
                }
            }
        }
    }

    /// Only the gateway knows what to do about a failure; beside it, the same load without one.
    async fn failover(&mut self, targets: &[Target]) {
        if !self.args.measures("failover") {
            return;
        }
        let duration = self
            .args
            .pick(Duration::from_secs(1), Duration::from_secs(4));
        let gateways = [Kind::Pointsman, Kind::PointsmanSmall];
        for round in 1..=self.args.pick(1, 3) {
            for target in targets
                .iter()
                .filter(|target| gateways.contains(&target.kind))
            {
                eprintln!("failover: {} ({round})", target.name());
                let added = bounded(failover::added(target, FAILOVER, duration)).await;
                self.keep(target, "failover", added);
                let mut loads = vec![(FLAKY, models::FLAKY)];
                if !self.args.measures("requests") {
                    loads.push((REQUESTS, SMALL));
                }
                for (what, model) in loads {
                    let load = requests::measure(target, what, (model, SMALL_TEXT), duration);
                    let sample = bounded(load).await;
                    self.keep(target, what, sample.map(|sample| vec![sample]));
                }
            }
        }
    }

    fn paced_chunks(&self) -> usize {
        self.args.pick(50, 250)
    }

    fn keep(&mut self, target: &Target, what: &str, samples: Result<Vec<Sample>, String>) {
        match samples {
            Ok(samples) => samples
                .into_iter()
                .for_each(|sample| self.table.add(sample)),
            Err(why) => self
                .table
                .remarks
                .push(format!("**{}**, {what}: {why}", target.name())),
        }
    }

    fn skip(&mut self, kind: Kind, why: &str) {
        eprintln!("skipping {}: {why}", kind.name());
        self.table
            .remarks
            .push(format!("**{}** was skipped: {why}", kind.name()));
    }
}

async fn bounded<T>(pass: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    match tokio::time::timeout(LIMIT, pass).await {
        Ok(done) => done,
        Err(_) => Err(format!("not done after {} s", LIMIT.as_secs())),
    }
}
