//! An upstream on a real socket that says what is written down, and keeps what it was asked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::wire::{Answer, Connection, Ending, Request};

/// A request that is expected, as `METHOD /path?query`, and the answer to it.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub request: String,
    pub answer: Answer,
    pub ending: Ending,
}

/// What was asked.
#[derive(Clone, Debug)]
pub struct Heard {
    /// As `METHOD /path?query`.
    pub request: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// If it is JSON.
    pub body: Value,
    pub bytes: Vec<u8>,
}

impl Heard {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Answers expected requests: those of the script one after the other, the others whenever they come.
#[derive(Debug)]
pub struct Script {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Exchange>,
    always: Vec<Exchange>,
    heard: Vec<Heard>,
}

impl Script {
    pub async fn start() -> Script {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::default();
        let serving = tokio::spawn(serve(listener, Arc::clone(&state)));
        Script { address, state, serving }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What is asked next.
    pub fn expect(&self, exchanges: impl IntoIterator<Item = Exchange>) {
        self.lock().script.extend(exchanges);
    }

    /// What may be asked at any time, as often as somebody likes.
    pub fn always(&self, exchange: Exchange) {
        self.lock().always.push(exchange);
    }

    /// What was asked since the last time.
    pub fn heard(&self) -> Vec<Heard> {
        std::mem::take(&mut self.lock().heard)
    }

    /// The requests that did not come.
    pub fn left(&self) -> Vec<String> {
        self.lock().script.drain(..).map(|exchange| exchange.request).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding the script")
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl State {
    /// The answer to a request that nobody expected is one that no adapter takes for anything else.
    fn hear(&mut self, request: Request) -> (Answer, Ending) {
        let line = format!("{} {}", request.method, request.path);
        let Request { headers, body, bytes, .. } = request;
        self.heard.push(Heard { request: line.clone(), headers, body, bytes });
        let fits = |exchange: &&Exchange| exchange.request == line;
        if self.script.front().is_some_and(|exchange| exchange.request == line) {
            let exchange = self.script.pop_front().expect("there is a first one");
            return (exchange.answer, exchange.ending);
        }
        if let Some(exchange) = self.always.iter().find(fits) {
            return (exchange.answer.clone(), exchange.ending);
        }
        (Answer::page(418, &format!("unexpected: {line}")), Ending::Whole)
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let state = state.clone();
        tokio::spawn(async move {
            // An error is a client that has gone.
            let _gone = converse(stream, &state).await;
        });
    }
}

async fn converse(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut connection = Connection::new(stream);
    while let Some(request) = connection.read().await? {
        let (answer, ending) = state.lock().expect("nobody panics while holding the script").hear(request);
        if !connection.write(&answer, ending).await? {
            break;
        }
    }
    Ok(())
}
