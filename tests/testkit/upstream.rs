//! An upstream on a real socket that lies: it does what the test tells it, and without a word it is honest.
//!
//! `POST /jobs` takes a job under a key, `GET /jobs/ID` tells how it is, `GET /jobs?key=KEY` finds it again, `DELETE /jobs/ID`
//! stops it, and `GET /clips/ID` is what it made.

mod courier;
mod state;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reelmeter::app::App;
use reelmeter::media::{Allow, GuardedClient, Timeouts};
use reelmeter::worker::Worker;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use courier::Courier;

use crate::server::TestApp;
use crate::wire::{Answer, Connection, Ending};
use state::State;

/// How long a test waits for something that is certain to happen before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest clip that a worker of [`Upstream::worker`] fetches, in bytes.
const LARGEST_CLIP: u64 = 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    Submit,
    Poll,
    Find,
    Cancel,
    Fetch,
}

/// How a call is served that is not served honestly.
#[derive(Clone, Debug)]
pub enum Lie {
    /// It is not done, and nobody answers.
    LoseRequest,
    /// It is not done, and this is said.
    Refuse(Answer),
    /// It is done, but this is said.
    Say(Answer),
    /// It is done, and some members of the true answer are changed.
    Change(Value),
    /// It is done, and the true answer ends like this.
    End(Ending),
    /// It is done and truly answered, and this follows in the same breath.
    Twice(Answer),
    /// It is done and truly answered, once the test says so with [`Upstream::go_on`].
    Wait,
}

#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    state: Arc<watch::Sender<State>>,
    serving: JoinHandle<()>,
}

impl Upstream {
    pub async fn start() -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(watch::Sender::new(State::default()));
        let serving = tokio::spawn(serve(listener, address, state.clone()));
        Upstream { address, state, serving }
    }

    /// A worker whose provider this is, in the place of the fake. It waits for an answer as long as a test for anything.
    pub async fn worker(&self, app: &TestApp) -> Worker {
        self.hasty_worker(app, PATIENCE).await
    }

    /// The same with less patience for answers and for the next part of a clip.
    pub async fn hasty_worker(&self, app: &TestApp, patience: Duration) -> Worker {
        let mut providers = app.app.providers.clone();
        providers.add(Arc::new(Courier::new("kie", &self.url(""), patience)));
        let timeouts = Timeouts { connect: PATIENCE, read: patience, total: PATIENCE };
        let allow = Allow::new(&[("127.0.0.1", self.address.port())]);
        let fetcher = GuardedClient::new(timeouts, allow).expect("a client").with_max_bytes(LARGEST_CLIP);
        let clip_fetcher = fetcher.clone();
        Worker::start(App { providers, fetcher, clip_fetcher, ..app.app.clone() })
            .await
            .expect("a worker starts")
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What the next calls of a kind meet with.
    pub fn on(&self, call: Call, lies: impl IntoIterator<Item = Lie>) {
        self.state.send_modify(|state| state.lies.entry(call).or_default().extend(lies));
    }

    /// What every call of a kind meets with from now on, after what was told before.
    pub fn always(&self, call: Call, lie: Lie) {
        self.state.send_modify(|state| drop(state.habits.insert(call, lie)));
    }

    /// Puts a file under `/files/NAME`.
    pub fn file(&self, name: &str, answer: Answer, ending: Ending) {
        self.state.send_modify(|state| drop(state.files.insert(name.to_owned(), (answer, ending))));
    }

    /// From now on a key that was used before makes another job.
    pub fn take_keys_again(&self) {
        self.state.send_modify(|state| state.takes_keys_again = true);
    }

    /// Lets the answers come that wait.
    pub fn go_on(&self) {
        self.state.send_modify(|state| state.went_on += 1);
    }

    /// How many jobs it has taken.
    pub fn jobs(&self) -> usize {
        self.state.borrow().jobs.len()
    }

    /// The key of every submission that reached it, in order.
    pub fn keys(&self) -> Vec<String> {
        self.state.borrow().keys.clone()
    }

    /// What each submission that reached it was to be made from, in order.
    pub fn media(&self) -> Vec<Value> {
        self.state.borrow().media.clone()
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How often it was asked for something.
    pub fn calls(&self, call: Call) -> usize {
        self.state.borrow().calls(call)
    }

    /// Waits until it was asked so often.
    pub async fn called(&self, call: Call, times: usize) {
        let mut changes = self.state.subscribe();
        let waiting = changes.wait_for(|state| state.calls(call) >= times);
        let called = tokio::time::timeout(PATIENCE, waiting).await;
        called.unwrap_or_else(|_| panic!("{call:?} was not called {times} times")).expect("it serves");
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, address: SocketAddr, state: Arc<watch::Sender<State>>) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let state = state.clone();
        tokio::spawn(async move {
            // An error is a client that has gone.
            let _gone = converse(stream, address, &state).await;
        });
    }
}

async fn converse(
    stream: TcpStream,
    address: SocketAddr,
    state: &watch::Sender<State>,
) -> std::io::Result<()> {
    let mut connection = Connection::new(stream);
    while let Some(request) = connection.read().await? {
        let (mut told, mut lie) = (None, None);
        let before = state.borrow().went_on;
        state.send_modify(|state| (told, lie) = state.hear(&request, address));
        let Some((truth, ending)) = told else { return Ok(()) };
        let goes_on = match lie {
            None => connection.write(&truth, ending).await?,
            Some(Lie::LoseRequest) => false,
            Some(Lie::Refuse(answer) | Lie::Say(answer)) => connection.write(&answer, Ending::Whole).await?,
            Some(Lie::Change(members)) => connection.write(&truth.changed(&members), Ending::Whole).await?,
            Some(Lie::End(ending)) => connection.write(&truth, ending).await?,
            Some(Lie::Twice(second)) => {
                connection.write(&truth, Ending::Whole).await?
                    && connection.write(&second, Ending::Whole).await?
            }
            Some(Lie::Wait) => {
                let mut changes = state.subscribe();
                changes.wait_for(|state| state.went_on > before).await.expect("it serves");
                connection.write(&truth, Ending::Whole).await?
            }
        };
        if !goes_on {
            return Ok(());
        }
    }
    Ok(())
}
