//! The simulator's state: settings the test changes, counters and records the connections write.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::errors::{self, Refusal};
use super::ids::Stamp;
use super::record::{Records, lock};
use super::request::{self, Ask, Kind, RequestHead};
use super::responses::{self, Caller, Shelf};
use super::route::Route;
use super::script::Script;
use super::things::Thing;
use super::{Behaviour, anthropic, chat_check, plan, providers};

/// Answers kept for request bodies that come again and again, as those of a load test do.
const REMEMBERED: usize = 8;
const REMEMBERED_BYTES: usize = 1 << 20;

pub struct Shared {
    settings: Mutex<Settings>,
    gauges: Mutex<HashMap<String, Arc<Gauge>>>,
    pub records: Records,
    shelf: Shelf,
    pub recording: AtomicBool,
    /// Requests, which are numbered.
    pub received: AtomicU64,
    /// Connections, which are numbered.
    pub accepted: AtomicU64,
    pub open: AtomicUsize,
    /// Requests that wait for a release.
    pub held: AtomicUsize,
    pub releases: watch::Sender<u64>,
}

#[derive(Default)]
struct Settings {
    key: Option<String>,
    is_every_provider: bool,
    strict: Option<&'static [&'static str]>,
    by_default: Arc<Behaviour>,
    models: HashMap<String, Rule>,
    remembered: VecDeque<(Kind, Vec<u8>, Arc<Planned>)>,
    /// Changes with the settings: an answer planned before a change is not remembered after it.
    version: u64,
}

#[derive(Default)]
struct Rule {
    /// One a request; then `always`.
    in_turn: VecDeque<Behaviour>,
    always: Arc<Behaviour>,
}

/// Requests of one model.
#[derive(Default)]
pub struct Gauge {
    pub now: AtomicUsize,
    pub peak: AtomicUsize,
    pub total: AtomicU64,
}

/// An answer, and whom it counts for.
pub struct Planned {
    pub script: Script,
    pub model: Option<String>,
    pub gauge: Option<Arc<Gauge>>,
}

/// Counts a request as in flight while it lives.
pub struct InFlight(Option<Arc<Gauge>>);

// === impl Shared ===

impl Shared {
    pub fn new() -> Self {
        Self {
            settings: Mutex::default(),
            gauges: Mutex::default(),
            records: Records::default(),
            shelf: Shelf::default(),
            recording: AtomicBool::new(true),
            received: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            releases: watch::Sender::new(0),
        }
    }

    pub fn behave(&self, model: &str, in_turn: Vec<Behaviour>, always: Behaviour) {
        let rule = Rule {
            in_turn: in_turn.into(),
            always: Arc::new(always),
        };
        self.change(|settings| drop(settings.models.insert(model.to_owned(), rule)));
    }

    pub fn behave_by_default(&self, behaviour: Behaviour) {
        self.change(|settings| settings.by_default = Arc::new(behaviour));
    }

    pub fn expect_key(&self, key: Option<String>) {
        self.change(|settings| settings.key = key);
    }

    pub fn be_strict(&self, more: &'static [&'static str]) {
        self.change(|settings| settings.strict = Some(more));
    }

    pub fn be_every_provider(&self) {
        self.change(|settings| settings.is_every_provider = true);
    }

    fn change(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = lock(&self.settings);
        change(&mut settings);
        settings.remembered.clear();
        settings.version += 1;
    }

    pub fn gauge(&self, model: &str) -> Arc<Gauge> {
        let mut gauges = lock(&self.gauges);
        match gauges.get(model) {
            Some(gauge) => Arc::clone(gauge),
            None => Arc::clone(gauges.entry(model.to_owned()).or_default()),
        }
    }

    /// Decides the answer to a request.
    pub fn answer(&self, head: &RequestHead, body: &[u8], stamp: &Stamp) -> Arc<Planned> {
        let route = Route::of(path_of(head));
        self.decide(route, head, body, stamp)
            .unwrap_or_else(|refusal| {
                let model = serde_json::from_slice::<Named>(body)
                    .ok()
                    .and_then(|named| named.model);
                let gauge = model.as_deref().map(|model| self.gauge(model));
                let is_anthropics = route.is_some_and(Route::is_anthropics);
                Arc::new(Planned {
                    script: plan::plain(refusal.status, refusal.body, stamp, is_anthropics),
                    model,
                    gauge,
                })
            })
    }

    fn decide(
        &self,
        route: Option<Route<'_>>,
        head: &RequestHead,
        body: &[u8],
        stamp: &Stamp,
    ) -> Result<Arc<Planned>, Refusal> {
        let path = path_of(head);
        let route = route.ok_or_else(|| errors::no_such_route(&head.method, path))?;
        if !route.allows(&head.method) {
            return Err(errors::wrong_method(&head.method, path));
        }
        let (remembered, version) = {
            let settings = lock(&self.settings);
            if settings.is_every_provider {
                providers::check(head, body)?;
            }
            if settings.key.is_some() && settings.key.as_deref() != head.key() {
                return Err(if route.is_anthropics() {
                    anthropic::wrong_key(head.key())
                } else {
                    errors::wrong_key(head.authorization.as_deref())
                });
            }
            if route.is_anthropics() {
                anthropic::check_headers(head)?;
            }
            let known = settings
                .remembered
                .iter()
                .find(|(asked, known, _)| route == Route::Ask(*asked) && known == body);
            (
                known.map(|(_, _, planned)| Arc::clone(planned)),
                settings.version,
            )
        };
        if let Some(planned) = remembered {
            return Ok(planned);
        }
        if let Route::Ask(kind) = route {
            return self.plan(kind, head, body, stamp, version);
        }
        if let Route::Thing(thing) = route {
            return self.make(thing, head, body, stamp);
        }
        let text = self.look_up(route, head, body, stamp)?;
        let is_anthropics = route.is_anthropics() || head.anthropic_version.is_some();
        Ok(Arc::new(Planned {
            script: plan::plain(200, text, stamp, is_anthropics),
            model: None,
            gauge: None,
        }))
    }

    /// A thing is made, unless the model's behaviour is an error.
    fn make(
        &self,
        thing: Thing,
        head: &RequestHead,
        body: &[u8],
        stamp: &Stamp,
    ) -> Result<Arc<Planned>, Refusal> {
        let model = thing.model(&head.path, body);
        let ask = Ask {
            model: model.clone().unwrap_or_default(),
            ..Ask::default()
        };
        let (behaviour, _) = self.behaviour(&ask);
        let script = match behaviour.status {
            Some(400..) => plan::answer(&ask, &behaviour, stamp),
            _ => match (thing, &head.socket_key) {
                (Thing::Realtime, Some(key)) => plan::socket(key),
                _ => plan::plain(200, thing.answer(&head.path, body)?, stamp, false),
            },
        };
        Ok(Arc::new(Planned {
            script,
            gauge: model.as_deref().map(|model| self.gauge(model)),
            model,
        }))
    }

    /// What is answered at once, without a behaviour.
    fn look_up(
        &self,
        route: Route<'_>,
        head: &RequestHead,
        body: &[u8],
        stamp: &Stamp,
    ) -> Result<String, Refusal> {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let tokens = request::prompt_tokens(&asked).max(1);
        Ok(match route {
            Route::Models | Route::Ask(_) | Route::Thing(_) => {
                self.models(head.anthropic_version.is_some())
            }
            Route::CountTokens => {
                anthropic::check(&asked, true)?;
                json!({"input_tokens": tokens}).to_string()
            }
            Route::InputTokens => {
                responses::check(&asked, &self.caller(head))?;
                json!({"object": "response.input_tokens", "input_tokens": tokens}).to_string()
            }
            Route::Compact => {
                let history = responses::check(&asked, &self.caller(head))?;
                responses::compacted(&history, head.key().unwrap_or_default(), stamp, tokens)
            }
            Route::Stored(id, what) => self.shelf.ask(&head.method, id, what)?,
        })
    }

    fn caller<'a>(&'a self, head: &'a RequestHead) -> Caller<'a> {
        Caller {
            account: head.key().unwrap_or_default(),
            shelf: &self.shelf,
        }
    }

    fn plan(
        &self,
        kind: Kind,
        head: &RequestHead,
        body: &[u8],
        stamp: &Stamp,
        version: u64,
    ) -> Result<Arc<Planned>, Refusal> {
        let (ask, simulate) = request::ask(kind, body, &self.caller(head))?;
        let strict = lock(&self.settings).strict;
        if let Some(more) = strict.filter(|_| kind == Kind::Chat) {
            chat_check::check(body, more)?;
        }
        let (behaviour, lasting) = match simulate {
            Some(text) => {
                let behaviour = serde_json::from_str(text)
                    .map_err(|why| errors::wrong_behaviour(&why.to_string()))?;
                (Arc::new(behaviour), true)
            }
            None => self.behaviour(&ask),
        };
        let behaviour = match behaviour.turns.is_empty() {
            true => behaviour,
            false => Arc::new(behaviour.at_turn(request::turn(&ask, body)).clone()),
        };
        let script = plan::answer(&ask, &behaviour, stamp).repeatable(stamp);
        let keeps = kind == Kind::Responses && ask.body["store"] != false;
        if keeps && behaviour.status.is_none_or(|status| status < 400) {
            let (id, kept) = responses::kept(&ask, &behaviour, stamp);
            self.shelf.keep(id, kept);
        }
        let gauge = Some(self.gauge(&ask.model));
        // Nor is what one account alone can read told to another.
        let lasting = lasting && !ask.encrypts;
        let planned = Arc::new(Planned {
            script,
            model: Some(ask.model),
            gauge,
        });
        // A split may go through an id, which then cannot be renewed.
        if lasting && !keeps && behaviour.split.is_none() && body.len() <= REMEMBERED_BYTES {
            let mut settings = lock(&self.settings);
            if settings.version == version {
                settings.remembered.truncate(REMEMBERED - 1);
                settings
                    .remembered
                    .push_front((kind, body.to_vec(), Arc::clone(&planned)));
            }
        }
        Ok(planned)
    }

    /// The model's behaviour, and whether it is also that of its next request.
    fn behaviour(&self, ask: &Ask) -> (Arc<Behaviour>, bool) {
        let mut settings = lock(&self.settings);
        match settings.models.get_mut(&ask.model) {
            Some(rule) => match rule.in_turn.pop_front() {
                Some(behaviour) => (Arc::new(behaviour), false),
                None => (Arc::clone(&rule.always), true),
            },
            None => (Arc::clone(&settings.by_default), true),
        }
    }

    /// `GET /models`: the models that have a behaviour, in OpenAI's shape or in Anthropic's.
    fn models(&self, is_anthropics: bool) -> String {
        let settings = lock(&self.settings);
        let mut names: Vec<&String> = settings.models.keys().collect();
        names.sort();
        if is_anthropics {
            return anthropic::models(&names);
        }
        let data: Vec<_> = names
            .into_iter()
            .map(|id| json!({"id": id, "object": "model", "created": 1_686_935_002, "owned_by": "openai"}))
            .collect();
        json!({"object": "list", "data": data}).to_string()
    }
}

#[derive(Deserialize)]
struct Named {
    model: Option<String>,
}

/// Without the query.
fn path_of(head: &RequestHead) -> &str {
    let path = head.path.split('?').next().unwrap_or_default();
    path.strip_suffix('/').unwrap_or(path)
}

// === impl InFlight ===

impl InFlight {
    pub fn new(gauge: Option<Arc<Gauge>>) -> Self {
        if let Some(gauge) = &gauge {
            gauge.total.fetch_add(1, Ordering::Relaxed);
            let now = gauge.now.fetch_add(1, Ordering::Relaxed) + 1;
            gauge.peak.fetch_max(now, Ordering::Relaxed);
        }
        Self(gauge)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(gauge) = &self.0 {
            gauge.now.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
