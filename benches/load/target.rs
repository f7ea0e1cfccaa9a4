//! What is measured: one of the forwarders, running.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::gateway::{Gateway, Ledger};
use crate::layout::Upstreams;
use crate::process::{Cpu, Process};
use crate::{bare, models, nginx};

/// A target that has not answered by then never will.
const STARTUP: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The simulator itself: what the harness alone costs.
    Direct,
    Nginx,
    Bare,
    Pointsman,
    /// The gateway with little to know: what 200 deployments and 10,000 keys cost is the difference.
    PointsmanSmall,
    /// The gateway with so many deployments, in groups of ten.
    Fleet(usize),
}

pub struct Target {
    pub kind: Kind,
    pub address: SocketAddr,
    /// From the start of the process to its first answer.
    pub started_in: Duration,
    process: Option<Process>,
    /// One or more; connections share them out.
    keys: Vec<String>,
    ledger: Option<Ledger>,
}

/// What starting a target takes.
pub struct Setup {
    pub folder: PathBuf,
    pub upstreams: Upstreams,
    pub gateways: HashMap<Kind, Gateway>,
}

// === impl Kind ===

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Bare => "bare",
            Self::Pointsman => "pointsman",
            Self::PointsmanSmall => "pointsman-small",
            Self::Fleet(1) => "1 deployment",
            Self::Fleet(10) => "10 deployments",
            Self::Fleet(1_000) => "1,000 deployments",
            Self::Fleet(10_000) => "10,000 deployments",
            Self::Fleet(_) => "deployments",
        }
    }

    pub fn of(name: &str) -> Option<Self> {
        [
            Self::Nginx,
            Self::Bare,
            Self::Pointsman,
            Self::PointsmanSmall,
        ]
        .into_iter()
        .find(|kind| kind.name() == name)
    }
}

// === impl Target ===

impl Target {
    /// Starts a target and waits for its first answer to a chat completion.
    pub async fn launch(kind: Kind, setup: &Setup) -> Result<Self, String> {
        let port = free_port()?;
        let begun = Instant::now();
        let mut keys = vec!["sk-nobody".to_owned()];
        let mut ledger = None;
        let process = match kind {
            Kind::Direct => None,
            Kind::Nginx => Some(nginx::start(
                &setup.folder,
                port,
                setup.upstreams.simulator,
            )?),
            Kind::Bare => Some(bare::start(&setup.folder, port, setup.upstreams.simulator)?),
            Kind::Pointsman | Kind::PointsmanSmall | Kind::Fleet(_) => {
                let gateway = setup.gateways.get(&kind).ok_or("it was not set up")?;
                keys.clone_from(&gateway.keys);
                ledger = Some(gateway.ledger()?);
                Some(gateway.start(port)?)
            }
        };
        let address = if kind == Kind::Direct {
            setup.upstreams.simulator
        } else {
            SocketAddr::from((Ipv4Addr::LOCALHOST, port))
        };
        let mut target = Self {
            kind,
            address,
            started_in: Duration::ZERO,
            process,
            keys,
            ledger,
        };
        let request = target.request(0, models::SMALL, false, 10);
        wait_for_answer(address, &request, target.process.as_mut()).await?;
        target.started_in = begun.elapsed();
        Ok(target)
    }

    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// The requests that connection `index` of `connections` sends by turns: one with each of its keys.
    pub fn requests(
        &self,
        index: usize,
        connections: usize,
        model: &str,
        text_bytes: usize,
    ) -> Vec<Vec<u8>> {
        // Each connection sends the same large body again and again, to every target: else the harness' own memory would
        // be what is measured.
        let most = if text_bytes > 16 * 1024 {
            1
        } else {
            self.keys.len().max(1)
        };
        (index..self.keys.len().max(index + 1))
            .step_by(connections)
            .take(most)
            .map(|key| self.request(key, model, false, text_bytes))
            .collect()
    }

    /// The same in a protocol.
    pub fn ask(&self, index: usize, ask: models::Ask) -> Vec<u8> {
        ask.request(self.address, self.key(index))
    }

    fn key(&self, index: usize) -> &str {
        self.keys
            .get(index % self.keys.len().max(1))
            .map(String::as_str)
            .unwrap_or_default()
    }

    /// A request with key number `index`, modulo their number.
    pub fn request(&self, index: usize, model: &str, stream: bool, text_bytes: usize) -> Vec<u8> {
        models::request(self.address, self.key(index), model, stream, text_bytes)
    }

    pub fn cpu(&self) -> Cpu {
        self.process.as_ref().map(Process::cpu).unwrap_or_default()
    }

    pub fn rss(&self) -> f64 {
        self.process.as_ref().map(Process::rss).unwrap_or_default()
    }

    /// Where the ledger stands before a pass; 0 for a target without one.
    pub async fn mark(&self) -> Result<f64, String> {
        match &self.ledger {
            Some(ledger) => ledger.at_rest().await,
            None => Ok(0.0),
        }
    }

    /// Returns when everything that `requests` requests since `mark` left behind is in the database.
    pub async fn drained(&self, mark: f64, requests: u64) -> Result<(), String> {
        match &self.ledger {
            Some(ledger) => ledger.reaches(mark, requests).await,
            None => Ok(()),
        }
    }
}

/// Asks until a process answers with 200.
pub async fn wait_for_answer(
    address: SocketAddr,
    request: &[u8],
    mut process: Option<&mut Process>,
) -> Result<(), String> {
    let deadline = Instant::now() + STARTUP;
    loop {
        let answered = match Client::connect(address).await {
            Ok(mut client) => client.exchange(request).await,
            Err(why) => Err(why),
        };
        let Err(why) = answered else { return Ok(()) };
        if let Some(ended) = process.as_mut().and_then(|process| process.ended()) {
            return Err(format!("the process {ended}"));
        }
        if Instant::now() > deadline {
            return Err(format!("no answer within {} s: {why}", STARTUP.as_secs()));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .map_err(|why| format!("no free port: {why}"))?;
    Ok(listener.local_addr().map_err(|why| why.to_string())?.port())
}
