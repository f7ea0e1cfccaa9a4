//! Tokens of Microsoft Entra ID for deployments that are called with an application's credentials: kept on each worker, got
//! before they are needed where that is possible, and never twice at the same time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::http::header::HeaderValue;
use bytes::Bytes;
use tokio::sync::watch;

use crate::providers::{Application, Entra, Grant, GrantError, bearer};
use crate::router::Deployment;
use crate::types::{Pieces, Secret};
use crate::upstream::{Client, Endpoint, EndpointError};

/// The token endpoint has this long for a whole answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest answer of it that is read.
const MOST_BYTES: usize = 64 * 1024;
/// When a token could not be renewed while the present one is good, the next try comes no sooner.
const PAUSE: Duration = Duration::from_secs(10);

/// Why there is no token. The texts end a sentence and hold no secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LoginError {
    #[error("{0}")]
    Grant(#[from] GrantError),
    #[error("it could not be reached")]
    Unreached,
    #[error("it did not answer in time")]
    Late,
    #[error("its answer cannot be read")]
    Unread,
}

/// One application's token on one worker.
pub struct Login {
    application: Application,
    client: Client,
    endpoint: Endpoint,
    held: RefCell<Option<Held>>,
    /// The request for the next token, while it is under way.
    asking: RefCell<Option<watch::Receiver<Option<Outcome>>>>,
}

type Outcome = Result<HeaderValue, LoginError>;

struct Held {
    authorization: HeaderValue,
    renew_at: Instant,
    expires_at: Instant,
}

/// The logins of one thread; deployments with equal credentials share theirs.
pub struct Logins<'a> {
    known: Vec<Rc<Login>>,
    client: &'a Client,
}

impl<'a> Logins<'a> {
    /// `known` are in use already, with the tokens they hold.
    pub fn after(known: impl Iterator<Item = Rc<Login>>, client: &'a Client) -> Self {
        let mut all: Vec<Rc<Login>> = Vec::new();
        for login in known {
            if !all.iter().any(|other| Rc::ptr_eq(other, &login)) {
                all.push(login);
            }
        }
        Self { known: all, client }
    }

    /// `None`: the deployment needs no token, or can have none.
    pub fn of(&mut self, deployment: &Deployment) -> Option<Rc<Login>> {
        let Some(Entra::Application(application)) = &deployment.entra else {
            return None;
        };
        let mut known = self.known.iter();
        if let Some(same) = known.find(|known| known.application == *application) {
            return Some(same.clone());
        }
        let login = Login::new(application, self.client).inspect_err(|error| {
            log::error!("deployment {} gets no token: {error}", deployment.id);
        });
        let login = Rc::new(login.ok()?);
        self.known.push(login.clone());
        Some(login)
    }
}

impl Login {
    fn new(application: &Application, client: &Client) -> Result<Self, EndpointError> {
        let form = "application/x-www-form-urlencoded";
        let headers = [("content-type".to_owned(), Secret::new(form))];
        Ok(Self {
            endpoint: client.endpoint(&application.token_url, &headers, None)?,
            application: application.clone(),
            client: client.clone(),
            held: RefCell::default(),
            asking: RefCell::default(),
        })
    }

    /// The `Authorization` of a call that begins now; waited for `limit` at most where there is none yet.
    pub async fn authorization(self: &Rc<Self>, limit: Duration) -> Outcome {
        let now = Instant::now();
        let mut is_due = true;
        let good = self.held.borrow().as_ref().and_then(|held| {
            is_due = held.renew_at <= now;
            (now < held.expires_at).then(|| held.authorization.clone())
        });
        if let Some(authorization) = good {
            if is_due {
                self.ask();
            }
            return Ok(authorization);
        }
        let mut told = self.ask();
        let outcome = tokio::time::timeout(limit, told.wait_for(Option::is_some)).await;
        match outcome {
            Ok(Ok(outcome)) => outcome.clone().unwrap_or(Err(LoginError::Unread)),
            Ok(Err(_)) => Err(LoginError::Unread),
            Err(_) => Err(LoginError::Late),
        }
    }

    /// Asks for a token, unless that is under way. It goes on when the caller leaves.
    fn ask(self: &Rc<Self>) -> watch::Receiver<Option<Outcome>> {
        let mut asking = self.asking.borrow_mut();
        // A sender that is gone without a word has panicked.
        if let Some(told) = asking.as_ref().filter(|told| told.has_changed().is_ok()) {
            return told.clone();
        }
        let (tell, told) = watch::channel(None);
        *asking = Some(told.clone());
        let login = self.clone();
        actix_web::rt::spawn(async move {
            let outcome = login.renew().await;
            login.asking.borrow_mut().take();
            tell.send_replace(Some(outcome));
        });
        told
    }

    async fn renew(&self) -> Outcome {
        let began = Instant::now();
        let outcome = tokio::time::timeout(PATIENCE, self.fetch()).await;
        let grant = outcome.unwrap_or(Err(LoginError::Late));
        let mut held = self.held.borrow_mut();
        match grant.and_then(|grant| Held::new(&grant, began)) {
            Ok(next) => Ok(held.insert(next).authorization.clone()),
            Err(error) => {
                log::warn!("no token from {}: {error}", self.application.token_url);
                if let Some(held) = held.as_mut() {
                    held.renew_at = Instant::now() + PAUSE;
                }
                Err(error)
            }
        }
    }

    async fn fetch(&self) -> Result<Grant, LoginError> {
        let form = Pieces::from(Bytes::from(self.application.form()));
        let called = self.client.call(&self.endpoint, &form, &[], PATIENCE);
        let mut answer = called.await.map_err(|error| {
            log::debug!("{}: {error:?}", self.application.token_url);
            LoginError::Unreached
        })?;
        let status = answer.status().as_u16();
        let body = if answer.unreadable().is_some() {
            return Err(LoginError::Unread);
        } else if answer.status().is_success() {
            let read = answer.body(PATIENCE, MOST_BYTES).await;
            read.map_err(|_| LoginError::Unread)?
        } else {
            answer.beginning(PATIENCE, MOST_BYTES).await
        };
        Ok(Grant::read(status, &body)?)
    }
}

impl Held {
    fn new(grant: &Grant, asked_at: Instant) -> Result<Self, LoginError> {
        let authorization = HeaderValue::from_str(bearer(&grant.token).expose());
        let mut authorization = authorization.map_err(|_| GrantError::Malformed)?;
        authorization.set_sensitive(true);
        Ok(Self {
            authorization,
            renew_at: asked_at + grant.renewed_after(),
            expires_at: asked_at + grant.lifetime,
        })
    }
}
