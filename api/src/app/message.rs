//! What a webhook says: an event, with its task in the words of the dialect that the task was made in.
//!
//! Composed when it is sent, from the task as it is then: links in it work for whoever gets it, also after days of trying.

use entity::event;
use serde_json::{Value, json};

use super::App;
use crate::video::event::body;
use crate::video::read::TaskView;

/// A task as its dialect tells of it.
#[derive(Clone, Debug)]
pub struct Wording {
    /// The answer to a poll.
    pub data: Value,
    /// The whole body that the address of a request is sent, where the dialect has one of its own.
    pub callback: Option<Value>,
}

/// Words a task. The front door knows how; the clockwork, which sends it, does not know the front door.
pub type Wordings = fn(&App, &TaskView) -> Wording;

/// For whom a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The address that a request named.
    Callback,
    Endpoint,
}

/// The body of an event's webhook, with the task that it is about as that is now; `None` when that was deleted.
pub fn compose(app: &App, event: &event::Model, task: Option<&TaskView>, reader: Reader) -> Option<String> {
    if event.task_id.is_none() {
        return Some(envelope(event, body(event)));
    }
    let Wording { data, callback } = (app.wording)(app, task?);
    let own = callback.filter(|_| reader == Reader::Callback);
    Some(own.map_or_else(|| envelope(event, data), |own| own.to_string()))
}

fn envelope(event: &event::Model, data: Value) -> String {
    json!({ "type": event.r#type, "timestamp": event.at, "data": data }).to_string()
}
