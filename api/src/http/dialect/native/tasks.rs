//! `GET /api/ai/tasks`: tasks by everything that they can be looked for, page by page.

use std::collections::BTreeSet;
use std::sync::Arc;

use entity::{TaskId, Timestamp};
use poem::Request;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::{Json, Response};
use poem_openapi::{Object, OpenApi};
use uuid::Uuid;

use super::key_id;
use super::rendering::links_end_at;
use super::view::{TaskBody, status_number, task_body};
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Caller, VideosRead};
use crate::http::error::ApiError;
use crate::http::page::{Limit, next_link, read_cursor, twenty, write_cursor};
use crate::http::query::{Moment, Word, Words};
use crate::http::value::Bounded;
use crate::video::list::{Direction, Filter, Place};
use crate::video::state::State;

pub struct Tasks;

/// A page of tasks, newest first.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct TaskPage {
    /// As `GET /api/ai/tasks/{id}` shows each.
    data: Vec<TaskBody>,
    /// Send it as `cursor` for the next page; null on the last one.
    #[oai(nullable)]
    next_cursor: Option<String>,
}

impl Word for State {
    fn all() -> &'static [State] {
        &State::ALL
    }

    fn as_str(self) -> &'static str {
        State::as_str(self)
    }
}

/// Metadata that a task must have, at most.
const METADATA_MAX: usize = 5;
const CURSOR_KIND: &str = "task";

#[OpenApi(tag = "Tag::Videos")]
impl Tasks {
    /// List tasks
    ///
    /// Your tasks in this key's mode, newest first, made by any key; those that fit every filter that is given. Deleted
    /// tasks are not among them.
    ///
    /// Go on with `nextCursor` as `cursor` and the same filters, or follow the header `Link` with `rel="next"`, until
    /// there is none: tasks that arrive meanwhile come before the first page and shift nothing. With a filter by state a page
    /// may be shorter than `limit` and still not the last.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/api/ai/tasks", method = "get", operation_id = "listTasks")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosRead>,
        request: &Request,
        /// States, comma-separated or one by one.
        state: Query<Option<Words<State>>>,
        /// As in a task: 0 pending, 1 completed, 2 failed, canceled or expired.
        status: Query<Option<Bounded<0, 2>>>,
        /// Id or alias of a model.
        model: Query<Option<String>>,
        /// Id of the API key that made it.
        key: Query<Option<String>>,
        /// Made at this time (RFC 3339) or later; a day is its first moment in UTC.
        #[oai(name = "createdAfter")]
        created_after: Query<Option<Moment>>,
        /// Made before this time (RFC 3339); a day is its first moment in UTC.
        #[oai(name = "createdBefore")]
        created_before: Query<Option<Moment>>,
        /// Your own name for the task, `externalTaskId`.
        #[oai(name = "externalId")]
        external_id: Query<Option<String>>,
        /// `name:value`, up to 5 times; the task's metadata must have all of them. The name ends at the first colon. Text,
        /// numbers and flags can be searched for, numbers and flags as JSON writes them; names of more than 64 and values
        /// of more than 256 characters, lists and objects are kept with the task but not searched.
        metadata: Query<Option<Vec<String>>>,
        /// Tasks on a page.
        #[oai(default = "twenty")]
        limit: Query<Limit>,
        /// `nextCursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Response<Json<TaskPage>>, ApiError> {
        let filter = Filter {
            states: states(state.0.map(|words| words.0), status.0.map(|status| status.0)),
            model: model.0,
            key: key.0.as_deref().map(key_id).transpose()?,
            created_from: created_after.0.map(Moment::start),
            created_before: created_before.0.map(Moment::start),
            external_id: external_id.0,
            metadata: pairs(metadata.0.unwrap_or_default())?,
            ..Filter::default()
        };
        let after =
            cursor.0.as_deref().map(|cursor| read_cursor(CURSOR_KIND, cursor, read_place)).transpose()?;
        let page =
            app.video.tasks(caller.account, &filter, after, (limit.0.0 as usize, Direction::Desc)).await?;
        let links_end_at = links_end_at(app.clock.now());
        let data = page.tasks.into_iter().map(|view| task_body(&app, &view, links_end_at)).collect();
        let next_cursor = page.next.map(|place| write_cursor(CURSOR_KIND, &write_place(place)));
        let link = next_cursor.as_deref().map(|cursor| next_link(request, cursor));
        let response = Response::new(Json(TaskPage { data, next_cursor }));
        Ok(match link {
            Some(link) => response.header("Link", link),
            None => response,
        })
    }
}

/// What both parameters allow; `None` when neither is given.
fn states(state: Option<BTreeSet<State>>, status: Option<u32>) -> Option<BTreeSet<State>> {
    let Some(status) = status else { return state };
    let all = || State::ALL.into_iter().collect();
    let fits = |state: &State| u32::from(status_number(*state)) == status;
    Some(state.unwrap_or_else(all).into_iter().filter(fits).collect())
}

fn pairs(given: Vec<String>) -> Result<Vec<(String, String)>, ApiError> {
    if given.len() > METADATA_MAX {
        return Err(ApiError::field("metadata", format!("Must be given at most {METADATA_MAX} times")));
    }
    let pair = |text: String| text.split_once(':').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let pairs = given.into_iter().map(pair).collect::<Option<Vec<_>>>();
    pairs.ok_or_else(|| ApiError::field("metadata", "Must be a name and a value, as in order:42"))
}

fn write_place(place: Place) -> String {
    format!("{}:{}", place.created_at.micros(), place.id.0.simple())
}

fn read_place(text: &str) -> Option<Place> {
    let (micros, id) = text.split_once(':')?;
    let created_at = Timestamp::from_micros(micros.parse().ok()?);
    Some(Place { created_at, id: TaskId(Uuid::try_parse(id).ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_stands_for_its_states_and_both_parameters_must_agree() {
        use State::*;
        let set = |states: &[State]| Some(states.iter().copied().collect::<BTreeSet<State>>());
        assert_eq!(states(None, None), None);
        assert_eq!(states(None, Some(0)), set(&[Queued, Submitting, Running, Reconciling, Storing]));
        assert_eq!(states(None, Some(1)), set(&[Completed]));
        assert_eq!(states(None, Some(2)), set(&[Failed, Canceled, Expired]));
        assert_eq!(states(set(&[Queued, Failed]), Some(2)), set(&[Failed]));
        assert_eq!(states(set(&[Queued]), Some(1)), set(&[]));
    }

    #[test]
    fn metadata_is_named_up_to_the_first_colon() {
        let read = |texts: &[&str]| pairs(texts.iter().map(ToString::to_string).collect());
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read(&["a:b", "c:d:e", "f:"]).unwrap(), [pair("a", "b"), pair("c", "d:e"), pair("f", "")]);
        for wrong in [&["a"][..], &["a:1"; 6]] {
            assert_eq!(read(wrong).unwrap_err().field_errors().unwrap().of("metadata").len(), 1, "{wrong:?}");
        }
    }
}
