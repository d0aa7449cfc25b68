//! A page of an account's tasks, newest first: which ones, then all that is to say about them, in a fixed number of queries.
//!
//! A page is walked by key (when it was made, and its id), never by number: tasks that arrive meanwhile neither shift
//! anything nor show up twice.

use std::sync::Arc;

use std::collections::BTreeSet;

use entity::job::JobState;
use entity::task::TaskState;
use entity::{AccountId, KeyId, TaskId, Timestamp, job, task, task_metadata};
use sea_orm::sea_query::{Expr, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, Order, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Select,
};

use super::Video;
use super::read::{ReadError, TaskView};
use super::state::State;

/// Which tasks are wanted: those that fit everything that is given.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// `None` is any.
    pub states: Option<BTreeSet<State>>,
    /// Id or alias.
    pub model: Option<String>,
    pub key: Option<KeyId>,
    /// At this instant or later.
    pub created_from: Option<Timestamp>,
    /// Before this instant.
    pub created_before: Option<Timestamp>,
    pub external_id: Option<String>,
    /// The routes that it was made on.
    pub dialect: Option<&'static str>,
    /// Names and values.
    pub metadata: Vec<(String, String)>,
}

/// A task's place in the order of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub created_at: Timestamp,
    pub id: TaskId,
}

/// Whether the newest or the oldest come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    Asc,
    Desc,
}

/// Tasks in order, and where the next page begins.
#[derive(Debug)]
pub struct Page {
    pub tasks: Vec<Arc<TaskView>>,
    pub next: Option<Place>,
}

impl Video {
    /// At most `limit` tasks of an account after a place. A task that leaves the wanted states while it is read is left
    /// out, so a page may be shorter than its limit and still not the last.
    pub async fn tasks(
        &self,
        account: AccountId,
        filter: &Filter,
        after: Option<Place>,
        (limit, direction): (usize, Direction),
    ) -> Result<Page, ReadError> {
        let db = self.db.read();
        let model = filter.model.as_deref().map(|name| self.model_id(name));
        // One more than asked for tells whether there is a next page.
        let places = places(wanted(account, filter, model.as_deref()), direction)
            .apply_if(after, |query, after| query.filter(is_after(after, direction)))
            .limit(limit as u64 + 1)
            .into_tuple::<(Timestamp, TaskId)>();
        let mut places = places.all(db).await?;
        let more = places.len() > limit;
        places.truncate(limit);
        let next =
            places.last().filter(|_| more).map(|(created_at, id)| Place { created_at: *created_at, id: *id });
        let ids: Vec<TaskId> = places.into_iter().map(|(_, id)| id).collect();
        let mut tasks = self.views.page(account, &ids).await?;
        tasks.retain(|view| filter.states.as_ref().is_none_or(|states| states.contains(&view.state)));
        Ok(Page { tasks, next })
    }

    /// Where the n-th newest of the wanted tasks stands, counted from 1: for dialects whose pages have numbers.
    pub async fn nth(&self, account: AccountId, filter: &Filter, n: u64) -> Result<Option<Place>, ReadError> {
        let model = filter.model.as_deref().map(|name| self.model_id(name));
        let place = places(wanted(account, filter, model.as_deref()), Direction::Desc)
            .offset(n.saturating_sub(1))
            .limit(1)
            .into_tuple::<(Timestamp, TaskId)>();
        Ok(place.one(self.db.read()).await?.map(|(created_at, id)| Place { created_at, id }))
    }

    /// Where a task stands among those of its account.
    pub async fn place(&self, account: AccountId, id: TaskId) -> Result<Option<Place>, ReadError> {
        let created_at = task::Entity::find()
            .select_only()
            .column(task::Column::CreatedAt)
            .filter(task::Column::Id.eq(id))
            .filter(task::Column::AccountId.eq(account))
            .filter(task::Column::DeletedAt.is_null())
            .into_tuple::<Timestamp>();
        Ok(created_at.one(self.db.read()).await?.map(|created_at| Place { created_at, id }))
    }

    /// The id of a model by any of its names. One that has left the catalog goes by the name it had.
    pub fn model_id(&self, name: &str) -> String {
        self.catalog.model(name).map_or(name, |model| &model.id).to_owned()
    }
}

impl From<Direction> for Order {
    fn from(direction: Direction) -> Order {
        match direction {
            Direction::Asc => Order::Asc,
            Direction::Desc => Order::Desc,
        }
    }
}

/// When tasks were made, and their ids, in order.
fn places(wanted: Condition, direction: Direction) -> Select<task::Entity> {
    task::Entity::find()
        .select_only()
        .columns([task::Column::CreatedAt, task::Column::Id])
        .filter(wanted)
        .order_by(task::Column::CreatedAt, direction.into())
        .order_by(task::Column::Id, direction.into())
}

fn wanted(account: AccountId, filter: &Filter, model: Option<&str>) -> Condition {
    use task::Column as T;
    let metadata =
        filter.metadata.iter().map(|(name, value)| T::Id.in_subquery(tagged(account, name, value)));
    let conditions = [
        filter.states.as_ref().map(in_states),
        model.map(|model| T::Model.eq(model).into()),
        filter.key.map(|key| T::KeyId.eq(key).into()),
        filter.created_from.map(|from| T::CreatedAt.gte(from).into()),
        filter.created_before.map(|before| T::CreatedAt.lt(before).into()),
        filter.external_id.as_ref().map(|id| T::ExternalId.eq(id).into()),
        filter.dialect.map(|dialect| T::Dialect.eq(dialect).into()),
    ];
    let own = Condition::all().add(T::AccountId.eq(account)).add(T::DeletedAt.is_null());
    let fitting = conditions.into_iter().flatten().fold(own, Condition::add::<Condition>);
    metadata.fold(fitting, Condition::add)
}

fn is_after(place: Place, direction: Direction) -> Expr {
    let key = Expr::tuple([
        Expr::col((task::Entity, task::Column::CreatedAt)),
        Expr::col((task::Entity, task::Column::Id)),
    ]);
    let place = Expr::tuple([Expr::value(place.created_at), Expr::value(place.id)]);
    match direction {
        Direction::Asc => key.gt(place),
        Direction::Desc => key.lt(place),
    }
}

/// The account's tasks whose metadata says this.
fn tagged(account: AccountId, name: &str, value: &str) -> SelectStatement {
    use task_metadata::Column as M;
    task_metadata::Entity::find()
        .select_only()
        .column(M::TaskId)
        .filter(M::AccountId.eq(account))
        .filter(M::Name.eq(name))
        .filter(M::Value.eq(value))
        .into_query()
}

/// A live task's state is its job's; an ended task's is its own.
fn in_states(states: &BTreeSet<State>) -> Condition {
    let ended: Vec<TaskState> = states.iter().filter_map(|state| ended(*state)).collect();
    let live: Vec<JobState> = states.iter().filter_map(|state| live(*state)).collect();
    let own = task::Column::State.is_in(ended);
    let is_live = task::Column::State.eq(TaskState::Live);
    let of_job = match live.len() {
        0 => return Condition::all().add(own),
        LIVE_STATES => is_live,
        _ => is_live.and(Expr::exists(job_in(live))),
    };
    Condition::any().add(own).add(of_job)
}

const LIVE_STATES: usize = 5;

fn job_in(states: Vec<JobState>) -> SelectStatement {
    let own = Expr::col((job::Entity, job::Column::TaskId)).equals((task::Entity, task::Column::Id));
    Query::select()
        .expr(Expr::value(1))
        .from(job::Entity)
        .and_where(own)
        .and_where(job::Column::State.is_in(states))
        .to_owned()
}

fn ended(state: State) -> Option<TaskState> {
    match state {
        State::Completed => Some(TaskState::Completed),
        State::Failed => Some(TaskState::Failed),
        State::Canceled => Some(TaskState::Canceled),
        State::Expired => Some(TaskState::Expired),
        _ => None,
    }
}

fn live(state: State) -> Option<JobState> {
    match state {
        State::Queued => Some(JobState::Queued),
        State::Submitting => Some(JobState::Submitting),
        State::Running => Some(JobState::Running),
        State::Reconciling => Some(JobState::Reconciling),
        State::Storing => Some(JobState::Storing),
        _ => None,
    }
}
