//! A test of an endpoint: an event like any other, for that endpoint alone. Moves no credits.

use entity::delivery;
use serde_json::json;

use super::super::book::Book;
use super::super::fan_out::TEST;
use super::super::{Done, Probe, Refusal};
use super::Context;

pub fn probe(book: &mut Book, probe: &Probe, context: &Context) -> Result<Done, Refusal> {
    let Probe { account, endpoint } = *probe;
    let event = book.tell(account, context.now, TEST, None, json!({ "webhookId": endpoint }))?;
    book.writes.deliveries.push(delivery::Model::to_endpoint(account, event, endpoint, context.now));
    Ok(Done::Told { event })
}
