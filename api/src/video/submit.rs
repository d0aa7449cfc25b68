//! USE CASE 1, submit: check, price, and one lane command that holds the credits and enqueues the task.
//!
//! A keyed request is looked up before it is refused for anything, so that a retry gets its task even if the quote expired,
//! the price changed or the key's rights shrank meanwhile. The ledger looks in any case, so that a request which gets there
//! needs no look of its own.

use entity::job::JobState;
use entity::task::TaskState;
use entity::{AccountId, Credits, Mode, TaskId, Timestamp, job, task, task_request};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tracing::Instrument;
use tracing::field::Empty;

use super::input::{Files, InputError, TakenIn};
use super::price::{Explanation, PriceBook, PriceError, Quote};
use super::price_version::VersionError;
use super::quote::{LIFETIME_SECONDS, Promise, QuoteError};
use super::read::ReadError;
use super::request::{FieldErrors, GenerateRequest};
use super::rules::{self, Checked};
use super::state::State;
use super::supply::Need;
use super::{Payer, Video, metadata};
use crate::ledger::{Accept, Command, Done, Refusal};

/// A request for a task, as a dialect hands it over.
#[derive(Clone, Debug)]
pub struct Submission {
    pub request: GenerateRequest,
    /// Names the dialect's routes: the same key and content on another route is another request.
    pub dialect: &'static str,
    pub idempotency_key: Option<String>,
    pub quote_id: Option<String>,
    /// The client says that it has sent this before and got no answer: without a key, the same content of a short while ago
    /// is meant.
    pub is_repeated: bool,
    /// What came beside the request's fields.
    pub files: Files,
}

/// Seconds within which a client sends a request again on its own.
const REPEATED_WITHIN_S: i64 = 900;

/// A task that is paid for and queued.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub task: TaskId,
    /// The idempotency key was seen before: this is the task of then.
    pub replayed: bool,
    pub state: State,
    /// What is held, or what was captured if it has ended.
    pub credits_used: Credits,
    pub warnings: Vec<String>,
}

/// A binding price.
#[derive(Clone, Debug)]
pub struct Quoted {
    pub token: String,
    pub credits: Credits,
    pub explanation: Explanation,
    pub expires_at: Timestamp,
    pub warnings: Vec<String>,
}

/// Why a request was not accepted, in the order it is decided. Nothing is charged on any of them.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("the task of this idempotency key was deleted")]
    Deleted,
    #[error(transparent)]
    Invalid(#[from] rules::Refused),
    #[error("the API key may not use the model {0}")]
    ModelNotAllowed(String),
    #[error("nobody serves the model {0} right now")]
    ModelUnavailable(String),
    #[error(transparent)]
    Quote(#[from] QuoteError),
    #[error("there is no price for this combination")]
    NoPrice(#[from] PriceError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Prices(#[from] VersionError),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Db(#[from] DbErr),
    #[error("could not be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl SubmitError {
    /// Whether the idempotency key was looked up before this was said.
    fn is_after_a_look(&self) -> bool {
        match self {
            SubmitError::Refused(refusal) => !matches!(refusal, Refusal::TooMany | Refusal::Busy),
            SubmitError::KeyReused | SubmitError::Deleted => true,
            _ => false,
        }
    }
}

/// What was decided about a request before any money is asked for.
struct Priced {
    checked: Checked,
    provider: String,
    quote: Quote,
    quote_id: Option<uuid::Uuid>,
}

impl Video {
    /// Accepts a task: paid for, stored and queued when this returns.
    pub async fn submit(&self, payer: &Payer, submission: Submission) -> Result<Accepted, SubmitError> {
        let span = tracing::debug_span!("submit", mode = payer.mode.as_str(), task = Empty);
        self.accept(payer, submission).instrument(span).await
    }

    async fn accept(&self, payer: &Payer, mut submission: Submission) -> Result<Accepted, SubmitError> {
        let Submission { request, files, .. } = &mut submission;
        let TakenIn { objections, home } = self.take_in(payer.account, request, files, true).await?;
        let hash = submission.request.content_hash(submission.dialect);
        if submission.is_repeated
            && submission.idempotency_key.is_none()
            && let Some(task) = self.lately(payer, &hash).await?
        {
            return self.replayed(payer.account, task).await;
        }
        let held = match objections.is_empty() {
            true => self.hold(payer, &submission, &hash, home).await,
            false => Err(self.refusal(payer.mode, &submission.request, objections).into()),
        };
        let refused = match held {
            Err(refused) if !refused.is_after_a_look() => refused,
            answer => return answer,
        };
        let Some(key) = &submission.idempotency_key else { return Err(refused) };
        match self.replay(payer.account, key, &hash).await? {
            Some(task) => self.replayed(payer.account, task).await,
            None => Err(refused),
        }
    }

    /// Checks and prices the request, and asks the ledger, which looks for its idempotency key first.
    async fn hold(
        &self,
        payer: &Payer,
        submission: &Submission,
        hash: &[u8],
        home: Option<String>,
    ) -> Result<Accepted, SubmitError> {
        let now = self.clock.now();
        let priced = self.price(payer, submission, (hash, home), now).await?;
        let (credits_used, warnings) = (priced.quote.credits, priced.checked.warnings.clone());
        let accept = self.rows(payer, submission, hash.to_vec(), priced, now)?;
        let own = accept.task.id;
        match self.ledger.send(Command::Accept(Box::new(accept))).await {
            Ok(Done::Accepted { task, replayed: true }) if task != own => {
                self.replayed(payer.account, task).await
            }
            // Our own task may be found, too: the answer to its commit was lost.
            Ok(Done::Accepted { task, .. }) => {
                tracing::Span::current().record("task", tracing::field::display(task));
                tracing::debug!(%task, credits = %credits_used, "accepted");
                Ok(Accepted { task, replayed: false, state: State::Queued, credits_used, warnings })
            }
            Ok(_) => Err(SubmitError::Refused(Refusal::Internal)),
            Err(Refusal::KeyReused) => Err(SubmitError::KeyReused),
            Err(refusal) => Err(SubmitError::Refused(refusal)),
        }
    }

    /// The answer to a repeated request: its task as it is now.
    async fn replayed(&self, account: AccountId, id: TaskId) -> Result<Accepted, SubmitError> {
        let view = self.task(account, id).await?.ok_or(SubmitError::Deleted)?;
        let credits_used = view.credits_used();
        let warnings = view.terms.warnings.clone();
        Ok(Accepted { task: id, replayed: true, state: view.state, credits_used, warnings })
    }

    /// Prices a request and binds us to it for a while. Nothing is stored but the files that came with it: who buys what was
    /// quoted may send them again, or name the uploads that they have become.
    pub async fn quote(&self, payer: &Payer, mut submission: Submission) -> Result<Quoted, SubmitError> {
        let Submission { request, files, .. } = &mut submission;
        let TakenIn { objections, home } = self.take_in(payer.account, request, files, false).await?;
        if !objections.is_empty() {
            return Err(self.refusal(payer.mode, request, objections).into());
        }
        let now = self.clock.now();
        let hash = submission.request.content_hash(submission.dialect);
        let unquoted = Submission { quote_id: None, ..submission };
        let priced = self.price(payer, &unquoted, (&hash, home), now).await?;
        let expires_at = now.plus_seconds(LIFETIME_SECONDS);
        let promise = Promise {
            id: self.clock.new_id(),
            account: payer.account.0,
            mode: payer.mode,
            request: hex::encode(hash),
            credits: priced.quote.credits,
            explanation: priced.quote.explanation,
            expires_at: expires_at.micros(),
        };
        let token = self.quotes.sign(&promise)?;
        let Promise { credits, explanation, .. } = promise;
        Ok(Quoted { token, credits, explanation, expires_at, warnings: priced.checked.warnings })
    }

    /// Everything that the rules object to in a request; empty when they allow it. What its media are is not looked at.
    pub fn objections(&self, mode: Mode, request: &GenerateRequest) -> FieldErrors {
        let checked = rules::check(request, &self.catalog, mode, self.clock.now().seconds());
        checked.err().map(|refused| refused.errors().clone()).unwrap_or_default()
    }

    /// The refusal of a request with bad media, which names whatever else is wrong with it.
    fn refusal(&self, mode: Mode, request: &GenerateRequest, media: FieldErrors) -> rules::Refused {
        match rules::check(request, &self.catalog, mode, self.clock.now().seconds()) {
            Ok(_) => rules::Refused::Invalid(media),
            Err(refused) => refused.with(media),
        }
    }

    async fn replay(
        &self,
        account: AccountId,
        key: &str,
        hash: &[u8],
    ) -> Result<Option<TaskId>, SubmitError> {
        let earlier = task::Entity::find()
            .filter(task::Column::AccountId.eq(account))
            .filter(task::Column::IdempotencyKey.eq(key))
            .one(self.db.read())
            .await?;
        match earlier {
            None => Ok(None),
            Some(task) if task.request_hash == hash => Ok(Some(task.id)),
            Some(_) => Err(SubmitError::KeyReused),
        }
    }

    /// The newest task of this key with the same content, if it was made within the time in which clients repeat.
    async fn lately(&self, payer: &Payer, hash: &[u8]) -> Result<Option<TaskId>, SubmitError> {
        let since = self.clock.now().plus_seconds(-REPEATED_WITHIN_S);
        let made = task::Entity::find()
            .select_only()
            .column(task::Column::Id)
            .filter(task::Column::AccountId.eq(payer.account))
            .filter(task::Column::CreatedAt.gte(since))
            .filter(task::Column::RequestHash.eq(hash))
            .filter(task::Column::IdempotencyKey.is_null())
            .filter(task::Column::DeletedAt.is_null())
            .filter(match payer.key {
                Some(key) => task::Column::KeyId.eq(key),
                None => task::Column::KeyId.is_null(),
            })
            .order_by_desc(task::Column::CreatedAt)
            .limit(1);
        Ok(made.into_tuple().one(self.db.read()).await?)
    }

    async fn price(
        &self,
        payer: &Payer,
        submission: &Submission,
        (hash, home): (&[u8], Option<String>),
        now: Timestamp,
    ) -> Result<Priced, SubmitError> {
        let checked = rules::check(&submission.request, &self.catalog, payer.mode, now.seconds())?;
        let model = &checked.model;
        if !payer.may_use(model) {
            return Err(SubmitError::ModelNotAllowed(model.id.clone()));
        }
        let version = self.prices.active(now).await?;
        let pinned = submission.request.provider.as_deref();
        let provider =
            self.provider_for(&checked, (pinned, home.as_deref()), (payer.mode, &version.book), now);
        let provider = provider.await?.ok_or_else(|| SubmitError::ModelUnavailable(model.id.clone()))?;
        if let Some(token) = &submission.quote_id {
            let promise = self.quotes.read(token, (payer.account, payer.mode), hash, now)?;
            let quote = Quote { credits: promise.credits, explanation: promise.explanation };
            return Ok(Priced { checked, provider, quote, quote_id: Some(promise.id) });
        }
        let quote = version.book.quote(version.id, &checked.effective.dimensions(), &payer.group)?;
        Ok(Priced { checked, provider, quote, quote_id: None })
    }

    /// The provider to ask first, or the home of its source if that one can make it. In live mode only the one that the request
    /// names, if it does.
    async fn provider_for(
        &self,
        checked: &Checked,
        (pinned, home): (Option<&str>, Option<&str>),
        (mode, book): (Mode, &PriceBook),
        now: Timestamp,
    ) -> Result<Option<String>, DbErr> {
        let (passthrough, wanted) = (&checked.passthrough, checked.effective.wanted());
        let need = Need { model: &checked.model, mode, passthrough, wanted: Some(&wanted), pinned };
        let dims = checked.effective.dimensions();
        let standing = self.supply.standing(now).await?;
        let routes = self.supply.routes(&self.catalog, &need, Some((book, &dims)), &standing);
        Ok(preferred(routes.iter().map(|route| route.provider), home).map(str::to_owned))
    }

    fn rows(
        &self,
        payer: &Payer,
        submission: &Submission,
        request_hash: Vec<u8>,
        priced: Priced,
        now: Timestamp,
    ) -> Result<Accept, SubmitError> {
        let id = TaskId(self.clock.new_id());
        let Priced { checked, provider, quote, quote_id } = priced;
        let task = task::Model {
            id,
            account_id: payer.account,
            mode: payer.mode,
            key_id: payer.key,
            dialect: submission.dialect.to_owned(),
            idempotency_key: submission.idempotency_key.clone(),
            request_hash,
            model: checked.model.id.clone(),
            clips: i64::from(checked.effective.count),
            credits: quote.credits,
            price_version: quote.explanation.price_version,
            explanation: serde_json::to_string(&quote.explanation)?,
            quote_id,
            external_id: submission.request.external_task_id.clone(),
            state: TaskState::Live,
            error_code: None,
            error_message: None,
            created_at: now,
            terminal_at: None,
            deleted_at: None,
        };
        let request = task_request::Model {
            task_id: id,
            request: submission.request.to_json(),
            effective: serde_json::to_string(&checked.effective)?,
            warnings: serde_json::to_string(&checked.warnings)?,
        };
        let metadata = metadata::rows(id, payer.account, &submission.request.metadata);
        let job = self.job(id, payer, provider, now);
        Ok(Accept { task, request, metadata, job })
    }

    fn job(&self, task_id: TaskId, payer: &Payer, provider: String, now: Timestamp) -> job::Model {
        job::Model {
            task_id,
            account_id: payer.account,
            mode: payer.mode,
            provider,
            route: 0,
            state: JobState::Queued,
            progress: 0,
            run_at: now,
            deadline_at: now.plus_seconds(i64::from(self.deadline_s)),
            cancel_at: None,
            owner: None,
            epoch: None,
            fence: 0,
            created_at: now,
        }
    }
}

/// The home if it is among those that serve, else the first of them.
fn preferred<'n>(serving: impl Iterator<Item = &'n str>, home: Option<&str>) -> Option<&'n str> {
    // False comes first, and of equals the first one stays.
    serving.min_by_key(|name| home != Some(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room<'a, F: Future>(_: impl FnOnce(&'a Video, &'a Payer, Submission) -> F) -> usize {
        size_of::<F>()
    }

    /// Thousands wait for the ledger at once.
    #[test]
    fn a_request_that_waits_takes_little_room() {
        assert!(room(Video::submit) <= 4_096, "{} bytes", room(Video::submit));
    }

    #[test]
    fn a_task_stays_where_its_source_lies_if_that_provider_serves_it() {
        for (serving, home, chosen) in [
            (&["kie", "fal"][..], None, Some("kie")),
            (&["kie", "fal"], Some("fal"), Some("fal")),
            (&["kie", "fal"], Some("kling"), Some("kie")),
            (&[], Some("fal"), None),
        ] {
            assert_eq!(preferred(serving.iter().copied(), home), chosen, "{serving:?} {home:?}");
        }
    }
}
