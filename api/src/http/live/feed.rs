//! A stream of what happens: stored events with their numbers as ids, and between them, without an id, how far live tasks are.
//!
//! The number of the last event that was read is all there is to a stream's place: whoever comes back with it goes on there.
//! Progress is only of now; who missed some misses nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use entity::{AccountId, TaskId, event};
use futures_util::stream;
use poem::Request;
use serde_json::json;

use super::pulse::{Pulse, Turn};
use super::signed;
use super::sse::{BEAT, EventStream, opening, sent};
use super::standing::Standing;
use crate::app::App;
use crate::customer::caller::{BILLING_READ, Identity};
use crate::http::error::ApiError;
use crate::video::event::{Step, ends_task, is_about_credits, message, told};
use crate::video::read::ReadError;

/// Events that are read at once.
const PAGE: usize = 100;

/// What is followed, and from where.
#[derive(Debug)]
pub struct Follow {
    pub account: AccountId,
    /// Only this task, until it has ended.
    pub task: Option<TaskId>,
    /// The number of the last event that the client has.
    pub after: Option<i64>,
    pub telling: Telling,
}

/// In which form a stream tells of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// As they were written, with the progress of live tasks in between.
    Events,
    /// As webhooks, those that there is one of.
    Webhooks,
}

/// A stream that was not sent yet.
#[derive(Debug)]
pub struct Feed {
    app: Arc<App>,
    standing: Standing,
    pulse: Pulse,
    account: AccountId,
    task: Option<TaskId>,
    telling: Telling,
    /// What is sent before anything else.
    opening: Option<String>,
    /// The number of the last event that was read.
    cursor: i64,
    /// How far each live task was when it was last told.
    steps: HashMap<TaskId, Step>,
    /// Whether there may be more events to read at once.
    is_behind: bool,
    is_over: bool,
}

impl Feed {
    /// Takes one of the account's places and finds where to begin: after the event that the client has, if it can be; at a
    /// task's first event; or now.
    pub async fn open(app: &Arc<App>, request: &Request, follow: Follow) -> Result<Feed, ApiError> {
        let Follow { account, task, after, telling } = follow;
        let listener = app.news.listen(account).ok_or(ApiError::TooManyStreams)?;
        let kept = app.video.kept_events(account).await?;
        let oldest = kept.oldest.unwrap_or(kept.newest + 1);
        let (cursor, opening) = match after {
            Some(n) if n > kept.newest || n + 1 < oldest => {
                (oldest - 1, opening(None) + &gap(app, n, kept.oldest))
            }
            Some(n) => (n, opening(None)),
            None if task.is_some() => (0, opening(None)),
            None => (kept.newest, opening(Some(kept.newest))),
        };
        Ok(Feed {
            app: app.clone(),
            standing: Standing::of(request, account),
            pulse: Pulse::new(listener, app.stopping.clone()),
            account,
            task,
            telling,
            opening: Some(opening),
            cursor,
            steps: HashMap::new(),
            is_behind: true,
            is_over: false,
        })
    }

    /// Whether there is anything to read right now.
    pub async fn is_empty(&self) -> Result<bool, ApiError> {
        let next = self.app.video.events_after(self.account, self.cursor, self.task, 1).await?;
        Ok(next.is_empty())
    }

    /// As it is sent.
    pub fn stream(self) -> EventStream {
        EventStream::new(stream::unfold(self, async |mut feed| feed.next().await.map(|text| (text, feed))))
    }

    /// What is sent next; `None` ends the stream.
    async fn next(&mut self) -> Option<String> {
        if let Some(opening) = self.opening.take() {
            return Some(opening);
        }
        loop {
            let text = match self.turn().await {
                Turn::Stop => return None,
                Turn::Beat => self.standing.renewed().await.map(|_| BEAT.to_owned())?,
                Turn::Look => match self.look().await {
                    Ok(text) => text?,
                    Err(error) => {
                        tracing::warn!(%error, "a stream is ended: its events could not be read");
                        return None;
                    }
                },
            };
            if !text.is_empty() {
                return Some(text);
            }
        }
    }

    async fn turn(&mut self) -> Turn {
        if self.is_over || self.pulse.is_stopping() {
            Turn::Stop
        } else if self.is_behind {
            Turn::Look
        } else {
            self.pulse.next().await
        }
    }

    /// Reads what is new and words it; `None` when the caller may not be told any more.
    async fn look(&mut self) -> Result<Option<String>, ReadError> {
        // Before the events: a task that is live now has not ended in an event that is read later, unless that is among them.
        let steps = match self.telling {
            Telling::Events => self.app.video.steps(self.account, self.task).await?,
            Telling::Webhooks => Vec::new(),
        };
        let page = PAGE as u64;
        let events = self.app.video.events_after(self.account, self.cursor, self.task, page).await?;
        self.is_behind = events.len() == PAGE;
        let steps = if self.is_behind { Vec::new() } else { self.fresh(steps, &events) };
        if events.is_empty() && steps.is_empty() {
            return Ok(Some(String::new()));
        }
        let Some(identity) = self.standing.renewed().await else { return Ok(None) };
        self.is_over = self.task.is_some() && events.iter().any(|event| ends_task(&event.r#type));
        self.cursor = events.last().map_or(self.cursor, |event| event.n);
        let events = events.iter().filter(|event| may_hear(&identity, event));
        if self.telling == Telling::Webhooks {
            return Ok(Some(signed::told(&self.app, self.account, events.collect()).await?));
        }
        Ok(Some(events.map(stored).chain(steps.into_iter().map(|step| self.progress(step))).collect()))
    }

    /// The steps that were not told yet, of tasks whose end is not among the events. Remembers what there is now.
    fn fresh(&mut self, steps: Vec<Step>, events: &[event::Model]) -> Vec<Step> {
        let ended: HashSet<TaskId> = events
            .iter()
            .filter(|event| ends_task(&event.r#type))
            .filter_map(|event| event.task_id)
            .collect();
        let live: Vec<Step> = steps.into_iter().filter(|step| !ended.contains(&step.task)).collect();
        let told = std::mem::take(&mut self.steps);
        self.steps = live.iter().map(|step| (step.task, *step)).collect();
        let before = |task: TaskId| told.get(&task).copied().unwrap_or(Step::first(task));
        live.into_iter().filter(|step| *step != before(step.task)).collect()
    }

    fn progress(&self, step: Step) -> String {
        let kind = "video.progress";
        let data = json!({ "taskId": step.task, "state": step.state.as_str(), "progress": step.progress });
        sent(None, kind, &message(kind, self.app.clock.now(), Some(step.task), data))
    }
}

fn may_hear(identity: &Identity, event: &event::Model) -> bool {
    !is_about_credits(&event.r#type) || identity.may(BILLING_READ)
}

fn stored(event: &event::Model) -> String {
    sent(Some(event.n), &event.r#type, &told(event))
}

/// Says that events between the one the client has and the next one are missing, or that we know of no such event.
fn gap(app: &App, after: i64, oldest: Option<i64>) -> String {
    let data = json!({ "lastEventId": after, "oldestKept": oldest });
    sent(None, "gap", &message("gap", app.clock.now(), None, data))
}
