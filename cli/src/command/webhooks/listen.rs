//! `reel webhooks listen`.

mod forward;

use std::future::ready;
use std::time::Duration;

use clap::Args;
use eventsource_stream::{Event, Eventsource};
use futures_util::{StreamExt, stream};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use url::Url;

use super::super::Context;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::{self, cell, harmless};
use forward::{Forward, target};

const STREAM: &str = "/api/webhooks/stream";
const SECRET: &str = "/api/webhooks/secret";
const EVENTS: &str = "text/event-stream";
const LAST_EVENT_ID: &str = "Last-Event-ID";
/// Before a stream that was cut is opened again, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

const AFTER_HELP: &str = "\
Examples:
  reel webhooks listen --forward-to http://localhost:3000/hooks
  reel webhooks listen --forward-to localhost:3000/hooks --events 'video.*,credits.low' --json
  reel webhooks listen --print-secret

Each event is sent once, with the headers and the body that an endpoint would be sent; what your server answers is printed
and changes nothing. It is signed with the account's own secret, which --print-secret shows to a key with the scope
keys:manage. When the connection is cut it goes on where it was. Ctrl-C ends it.";

#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ListenArgs {
    /// Your server's address, such as http://localhost:3000/hooks
    #[arg(long, value_name = "URL", value_parser = target, required_unless_present = "print_secret")]
    forward_to: Option<Url>,
    /// Only these, such as video.*,credits.low
    #[arg(long, value_delimiter = ',', value_name = "EVENT,…")]
    events: Vec<String>,
    /// Go on after this event, by the id that --json prints, instead of now
    #[arg(long, value_name = "ID")]
    last_event_id: Option<u64>,
    /// Print the secret that the events are signed with, and do nothing else
    #[arg(long)]
    print_secret: bool,
}

pub async fn run(context: &Context, args: ListenArgs) -> Result<(), Failure> {
    let client = context.client()?;
    let Some(url) = args.forward_to.filter(|_| !args.print_secret) else {
        return print_secret(context, &client).await;
    };
    let last = args.last_event_id.map(|id| id.to_string());
    let forward = Forward::to(url)?;
    let mut listener = Listener { context, client, forward, events: args.events, last, has_begun: false };
    tokio::select! {
        result = listener.listen() => result,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

async fn print_secret(context: &Context, client: &Client) -> Result<(), Failure> {
    let told = client.get(SECRET, &[]).await.map_err(|failure| match failure.exit {
        Exit::Auth => failure.hint("Only a key with the scope keys:manage may read the account's secret."),
        _ => failure,
    })?;
    if context.as_json() { output::json(&told) } else { output::line(&cell(&told["secret"])) }
}

struct Listener<'a> {
    context: &'a Context,
    client: Client,
    forward: Forward,
    /// Names and patterns of what is passed on; everything when empty.
    events: Vec<String>,
    /// The last event that was taken, or before the first one the place at which the stream began.
    last: Option<String>,
    has_begun: bool,
}

impl Listener<'_> {
    /// Ends only with what no other try would change. The first connection must work: then host and key are right.
    async fn listen(&mut self) -> Result<(), Failure> {
        let mut response = self.open().await?;
        loop {
            let was_heard = self.take(response).await?;
            response = self.open_again(was_heard).await?;
        }
    }

    async fn open(&self) -> Result<Response, Failure> {
        let request = self.client.request(Method::GET, STREAM).header(ACCEPT, EVENTS);
        let request = match &self.last {
            Some(last) => request.header(LAST_EVENT_ID, last),
            None => request,
        };
        let response = self.client.send(request).await?;
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if kind.is_some_and(|kind| kind.starts_with(EVENTS)) {
            return Ok(response);
        }
        let told = format!("{} answered something that is no stream of events", self.client.host());
        Err(Failure::new(Exit::Other, told).hint("Is it a Reelmeter host? `reel doctor` looks."))
    }

    async fn open_again(&self, was_heard: bool) -> Result<Response, Failure> {
        let mut pause = if was_heard { FIRST_PAUSE } else { LONGEST_PAUSE / 10 };
        loop {
            tokio::time::sleep(pause).await;
            match self.open().await {
                Ok(response) => return Ok(response),
                Err(failure) if failure.is_retryable => {
                    self.context.say(&format!("{}; trying again", harmless(&failure.message)));
                    let asked = failure.retry_after_s.map(Duration::from_secs).unwrap_or_default();
                    pause = asked.max((pause * 2).min(LONGEST_PAUSE));
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Passes on what comes until the stream ends; whether anything came at all.
    async fn take(&mut self, response: Response) -> Result<bool, Failure> {
        let mut bytes = response.bytes_stream().boxed();
        let mut opening: Vec<u8> = Vec::new();
        // Its id comes without an event, so a reader of events never sees it. Without it a stream that is cut before the first
        // event would go on too late.
        while !opening.windows(2).any(|pair| pair == b"\n\n") {
            let Some(Ok(chunk)) = bytes.next().await else { return Ok(false) };
            opening.extend_from_slice(&chunk);
        }
        self.last = self.last.take().or_else(|| place(&opening));
        self.begin();
        let mut events = stream::once(ready(Ok(opening.into()))).chain(bytes).eventsource();
        while let Some(Ok(event)) = events.next().await {
            self.pass_on(event).await?;
        }
        Ok(true)
    }

    fn begin(&mut self) {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.context.say(&format!("Listening; passing on to {}. Ctrl-C ends it.", self.forward.url));
        }
    }

    async fn pass_on(&mut self, event: Event) -> Result<(), Failure> {
        let kind = harmless(&event.event);
        if kind == "gap" {
            self.context.say("warning: the server no longer has some of the events that came meanwhile");
            return Ok(());
        }
        if is_wanted(&self.events, &kind) {
            let told = self.forward.send(&event.data).await;
            let (status, error) = match &told.outcome {
                Ok(status) => (json!(status), Value::Null),
                Err(why) => (Value::Null, json!(why)),
            };
            self.print(&json!({
                "id": event.id, "type": kind, "event": told.event, "status": status, "error": error,
            }))?;
        }
        if !event.id.is_empty() {
            self.last = Some(event.id);
        }
        Ok(())
    }

    fn print(&self, told: &Value) -> Result<(), Failure> {
        if self.context.as_json() {
            return output::json_line(told);
        }
        let outcome = if told["status"].is_null() { &told["error"] } else { &told["status"] };
        output::line(&format!("{}  {}  {}", cell(&told["type"]), cell(&told["event"]), cell(outcome)))
    }
}

/// The id in the first block of a stream.
fn place(opening: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(opening);
    let block = text.split("\n\n").next()?;
    block.lines().find_map(|line| line.strip_prefix("id:")).map(|id| id.trim().to_owned())
}

/// `video.completed` by its name, by `video.*` and by `*`.
fn is_wanted(events: &[String], kind: &str) -> bool {
    let is_it = |wanted: &String| match wanted.trim().strip_suffix('*') {
        Some(begin) => kind.starts_with(begin),
        None => wanted.trim() == kind,
    };
    events.is_empty() || events.iter().any(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_stream_is_in_its_first_block() {
        assert_eq!(place(b"retry: 2000\nid: 41\n: hello\n\n").as_deref(), Some("41"));
        assert_eq!(place(b"retry: 2000\n: hello\n\nid: 7\nevent: x\ndata: {}\n\n"), None);
    }

    #[test]
    fn events_are_wanted_by_name_and_by_pattern() {
        let events = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        for (wanted, is) in [
            ("video.completed", true),
            ("video.*", true),
            ("*", true),
            ("credits.*, video.*", true),
            ("video", false),
        ] {
            assert_eq!(is_wanted(&events(wanted), "video.completed"), is, "{wanted}");
        }
        assert!(is_wanted(&[], "video.completed"));
    }
}
