//! Reading Server-Sent Events, as a client does.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;

use crate::server::Customer;

/// How long a test waits for something that is certain to happen before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stream that is open until it is dropped.
#[derive(Debug)]
pub struct EventStream {
    pub response: Response,
    unread: String,
    /// The last `id:` that came, with an event or without one.
    pub last_id: Option<i64>,
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub id: Option<i64>,
    pub kind: String,
    pub data: Value,
}

impl EventStream {
    pub async fn open(
        client: &reqwest::Client,
        url: &str,
        customer: &Customer,
        headers: &[(&str, &str)],
    ) -> EventStream {
        let mut request = client.get(url).bearer_auth(&customer.key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("the server answers");
        assert_eq!(response.status().as_u16(), 200, "{url}");
        EventStream { response, unread: String::new(), last_id: None }
    }

    /// The next event; `None` when the stream was ended.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let event = read(&self.block().await?);
            self.last_id = event.id.or(self.last_id);
            if !event.data.is_null() {
                return Some(event);
            }
        }
    }

    /// Everything up to the end of the stream.
    pub async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    /// The lines up to the next empty one.
    pub async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.unread.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.unread = rest;
                return Some(block);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
            let chunk = chunk.expect("something is sent in time").expect("the stream is whole")?;
            self.unread.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }
}

fn read(block: &str) -> Event {
    let mut event = Event { id: None, kind: String::new(), data: Value::Null };
    for line in block.lines() {
        match line.split_once(": ") {
            Some(("id", id)) => event.id = Some(id.parse().expect("a number")),
            Some(("event", kind)) => event.kind = kind.to_owned(),
            Some(("data", data)) => event.data = serde_json::from_str(data).expect("JSON"),
            _ => assert!(line.starts_with(':') || line.starts_with("retry: "), "{line}"),
        }
    }
    event
}
