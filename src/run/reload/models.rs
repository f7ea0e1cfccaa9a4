//! Models of the database: read at times, so that what another instance has changed arrives; and changed when somebody asks.
//! A change is compiled first, then written, then put in force: what fails on the way changes nothing.

use std::sync::Arc;

use actix::{ActorFutureExt, AsyncContext, AtomicResponse, Context, Handler, Message, WrapFuture};

use super::Reloader;
use super::step::{Before, Prepared, together};
use crate::config::Loaded;
use crate::journey::Rejected;
use crate::models::{ChangeError, ChangeModel, ModelChange, Models, StoredModel, added, updated};
use crate::run::configuration::Environment;
use crate::store::{Store, StoreError, ask, messages};
use crate::vault::Vault;

/// More models than this are a mistake.
const MOST: usize = 20_000;
/// A model that others keep changing is tried so often.
const TRIES: usize = 3;

/// At the start: the file with the database's models. When they cannot be read they come with the next look.
pub async fn first(
    file: &Loaded,
    environment: &Environment,
    store: &Store,
    vault: &Vault,
) -> (Loaded, Models) {
    if !file.config.general_settings.stored_models.are_on {
        return (file.clone(), Models::default());
    }
    let rows = ask(&store.admin, messages::ReadModels {}).await;
    let rows = rows.unwrap_or_else(|error| {
        log::error!(
            "the database's models could not be read; they are looked for again soon: {error}"
        );
        Vec::new()
    });
    let none = Models::default();
    let (loaded, models) = together(file, none.open(rows, vault), environment);
    models.tell(&none);
    (loaded, models)
}

/// Reads the rows again.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ReadAgain;

impl Reloader {
    pub(super) fn read_later(&self, context: &mut Context<Self>) {
        let interval = self.file.config.general_settings.stored_models.interval;
        context.notify_later(ReadAgain, interval);
    }
}

impl Handler<ReadAgain> for Reloader {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: ReadAgain, context: &mut Context<Self>) -> Self::Result {
        self.read_later(context);
        let before = self.before();
        let work = async move { read_again(&before).await };
        let done = work.into_actor(self).map(|taken, reloader, _| {
            if let Some(prepared) = taken {
                reloader.take(*prepared, "the database's models");
            }
        });
        AtomicResponse::new(Box::pin(done))
    }
}

/// What is in force now, when the rows have changed.
async fn read_again(before: &Before) -> Option<Box<Prepared>> {
    if !before.stores_models() {
        return None;
    }
    let rows = before.read_rows().await;
    let rows = rows
        .inspect_err(|error| {
            log::error!("the database's models could not be read; those in force stay: {error}")
        })
        .ok()?;
    if before.models.are(&rows) {
        return None;
    }
    let models = before.models.open(rows, &before.vault);
    let taken = match before.with_models(models).await {
        Ok(prepared) => before.put_in_force(prepared).await,
        Err(rejected) => Err(rejected),
    };
    taken
        .inspect_err(|rejected| {
            log::error!("the database's models are not in force: {}", why(rejected))
        })
        .ok()
}

impl Handler<ChangeModel> for Reloader {
    /// No other message is handled before this one is done.
    type Result = AtomicResponse<Self, Result<Arc<StoredModel>, ChangeError>>;

    fn handle(&mut self, asked: ChangeModel, _: &mut Context<Self>) -> Self::Result {
        let before = self.before();
        let work = async move { change(&before, asked).await };
        let done = work.into_actor(self).map(|done, reloader: &mut Self, _| {
            let (model, prepared) = done?;
            reloader.take(*prepared, "a change of a model");
            Ok(model)
        });
        AtomicResponse::new(Box::pin(done))
    }
}

async fn change(
    before: &Before,
    asked: ChangeModel,
) -> Result<(Arc<StoredModel>, Box<Prepared>), ChangeError> {
    if !before.stores_models() {
        return Err(ChangeError::Off);
    }
    let not_taken = |rejected| ChangeError::NotTaken(why(&rejected));
    for _ in 0..TRIES {
        let rows = before.read_rows().await?;
        let models = before.models.open(rows, &before.vault);
        let step = Step::of(&asked, before, &models)?;
        let prepared = before.with_models(step.applied_to(models)).await;
        let prepared = prepared.map_err(not_taken)?;
        step.check(&prepared.models)?;
        if step.write(&before.store).await? {
            let prepared = before.put_in_force(prepared).await;
            return Ok((step.model, prepared.map_err(not_taken)?));
        }
    }
    Err(ChangeError::Overtaken(asked.change.id().to_owned()))
}

fn why(rejected: &Rejected) -> String {
    rejected.complaints.join("; ")
}

/// A change of one row.
struct Step {
    /// As it will be; of a row that goes as it was.
    model: Arc<StoredModel>,
    write: Write,
}

enum Write {
    Insert,
    /// In the place of the row that was changed then.
    Change(i64),
    Delete,
}

impl Step {
    fn of(
        asked: &ChangeModel,
        before: &Before,
        models: &[Arc<StoredModel>],
    ) -> Result<Self, ChangeError> {
        let ChangeModel { change, by, now_ms } = asked;
        let find = |id: &str| models.iter().find(|model| model.id() == id);
        let is_of_file = |id: &str| {
            let mut list = before.file.config.model_list.iter();
            list.any(|entry| *entry.id == *id)
        };
        Ok(match change {
            ModelChange::Add(new) => {
                let model = added(new.clone(), by.clone(), *now_ms, &before.vault)?;
                if find(model.id()).is_some() || is_of_file(model.id()) {
                    return Err(ChangeError::IdTaken(model.id().to_owned()));
                }
                if models.len() >= MOST {
                    return Err(ChangeError::TooMany(models.len()));
                }
                Self {
                    model: Arc::new(model),
                    write: Write::Insert,
                }
            }
            ModelChange::Update { id, update } => {
                let known = find(id).ok_or_else(|| match is_of_file(id) {
                    true => ChangeError::OfTheFile(id.clone()),
                    false => ChangeError::Unknown(id.clone()),
                })?;
                let model = updated(known, update.clone(), by.clone(), *now_ms, &before.vault)?;
                Self {
                    model: Arc::new(model),
                    write: Write::Change(known.row.updated_at),
                }
            }
            ModelChange::Delete { id } => Self {
                model: find(id)
                    .cloned()
                    .ok_or_else(|| ChangeError::Unknown(id.clone()))?,
                write: Write::Delete,
            },
        })
    }

    /// The models with this change.
    fn applied_to(&self, mut models: Vec<Arc<StoredModel>>) -> Vec<Arc<StoredModel>> {
        match self.write {
            Write::Insert => models.push(self.model.clone()),
            Write::Change(_) => {
                for model in &mut models {
                    if model.id() == self.model.id() {
                        *model = self.model.clone();
                    }
                }
            }
            Write::Delete => models.retain(|model| model.id() != self.model.id()),
        }
        models
    }

    /// A model that cannot be called is not written down.
    fn check(&self, compiled: &Models) -> Result<(), ChangeError> {
        match compiled.problem(self.model.id()) {
            Some(problem) => Err(ChangeError::unusable(problem)),
            None => Ok(()),
        }
    }

    /// False: somebody else was faster.
    async fn write(&self, store: &Store) -> Result<bool, StoreError> {
        let (row, team) = (self.model.row.clone(), self.model.team());
        match self.write {
            Write::Insert => {
                ask(&store.admin, messages::InsertModel { row, team }).await?;
                Ok(true)
            }
            Write::Change(known) => {
                ask(&store.admin, messages::ChangeModel { row, known, team }).await
            }
            Write::Delete => {
                let model_id = row.model_id;
                ask(&store.admin, messages::DeleteModel { model_id }).await
            }
        }
    }
}
