//! Telling customers' own servers what happened: one signed webhook an event and address, tried until it is taken.
//!
//! Standard Webhooks 1.0: the receiver checks `webhook-signature` and drops what it has seen by `webhook-id`, which is the
//! same on every try. Only 2xx counts as taken; redirects are not followed; 410 ends it.

mod line;
mod outcome;
mod record;
mod take;

use std::sync::Arc;
use std::time::Duration;

use entity::delivery::DeliveryState;
use entity::{EventId, delivery, event};
use fail::fail_point;
use reqwest::Method;
use reqwest::header::RETRY_AFTER;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use tracing::field::Empty;

use self::line::{Lines, Place};
use self::outcome::{Answer, Lesson, after};
use self::record::record;
use self::take::{Parcel, take};
use super::{Context, pause};
use crate::app::App;
use crate::app::message::{Reader, compose};
use crate::video::read::{ReadError, TaskView};

const LOOK_EVERY: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(20);
/// What is noted of a webhook about a task that is not there any more.
const DELETED: &str = "the task was deleted";

/// Each send goes its own way: an address that hangs keeps no other waiting.
pub async fn run(context: Context, stop: CancellationToken, tasks: TaskTracker) {
    let lines = Lines::default();
    while pause(LOOK_EVERY, &stop).await {
        let parcels = take(&context.app, &lines).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "webhooks could not be looked up");
            Vec::new()
        });
        for parcel in parcels {
            let (context, stop, place) = (context.clone(), stop.clone(), lines.take_place(parcel.line()));
            let span = tracing::debug_span!("delivery", status = Empty);
            tasks.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = deliver(&context, parcel, place).instrument(span) => {}
                }
            });
        }
    }
}

async fn deliver(context: &Context, parcel: Parcel, mut place: Place) {
    let reader =
        if parcel.delivery.endpoint == delivery::CALLBACK { Reader::Callback } else { Reader::Endpoint };
    let task = match task_of(&context.app, &parcel.event).await {
        Ok(task) => task,
        Err(error) => {
            tracing::warn!(%error, "a webhook's task could not be read; it is tried again");
            return;
        }
    };
    let (after, lesson) = match compose(&context.app, &parcel.event, task.as_deref(), reader) {
        Some(body) => sent(context, &parcel, body).await,
        None => (given_up(parcel.delivery.clone()), Lesson::Nothing),
    };
    if lesson != Lesson::Nothing {
        place.ended(lesson == Lesson::Listens);
    }
    context.tally.delivered(after.state);
    let now = context.app.clock.now();
    if let Err(error) = record(&context.app.db, after, lesson, parcel.delivery.tries, now).await {
        tracing::warn!(%error, "the outcome of a webhook could not be written; it is sent again");
    }
}

async fn task_of(app: &App, event: &event::Model) -> Result<Option<Arc<TaskView>>, ReadError> {
    match event.task_id {
        Some(task) => app.video.task(event.account_id, task).await,
        None => Ok(None),
    }
}

async fn sent(context: &Context, parcel: &Parcel, body: String) -> (delivery::Model, Lesson) {
    fail_point!("deliver.call");
    let outcome = send(context, parcel, body).await;
    fail_point!("deliver.reply");
    if let Ok(answer) = &outcome {
        tracing::Span::current().record("status", answer.status);
    }
    after(parcel.delivery.clone(), &outcome, context.app.clock.now(), rand::random())
}

/// The answer, or why there was none.
async fn send(context: &Context, parcel: &Parcel, body: String) -> Result<Answer, String> {
    let Parcel { event, url, secret, .. } = parcel;
    let url = url::Url::parse(url).map_err(|error| error.to_string())?;
    let id = EventId { account: event.account_id, n: event.n }.to_string();
    let now = context.app.clock.now();
    let mut request = context.app.fetcher.request(Method::POST, url).map_err(|error| error.to_string())?;
    for (name, value) in secret.headers(&context.app.webhooks, &id, now, &body) {
        request = request.header(name, value);
    }
    let request = request.header("content-type", "application/json").timeout(TIMEOUT).body(body);
    let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
    let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    Ok(Answer { status: answer.status().as_u16(), retry_after: retry_after.map(str::to_owned) })
}

fn given_up(delivery: delivery::Model) -> delivery::Model {
    delivery::Model { state: DeliveryState::Failed, last_error: Some(DELETED.to_owned()), ..delivery }
}
