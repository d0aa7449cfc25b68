//! An upstream on a real socket that lies: it does what the test tells it, and without a word it is honest.
//!
//! `POST /jobs` takes a job under a key, `GET /jobs/ID` tells how it is, `GET /jobs?key=KEY` finds it again, `DELETE /jobs/ID`
//! stops it, and `GET /clips/ID` is what it made.

mod courier;
mod wire;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reelmeter::app::App;
use reelmeter::media::{Allow, GuardedClient, Timeouts};
use reelmeter::worker::Worker;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use courier::Courier;
pub use wire::{Answer, Ending};

use crate::fake::tiny_mp4;
use crate::server::TestApp;
use wire::{Connection, Request};

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

#[derive(Debug, Default)]
struct State {
    lies: HashMap<Call, VecDeque<Lie>>,
    /// What is done when the others are used up.
    habits: HashMap<Call, Lie>,
    /// Files by name that are no job's clip.
    files: HashMap<String, (Answer, Ending)>,
    jobs: Vec<Job>,
    keys: Vec<String>,
    calls: Vec<Call>,
    takes_keys_again: bool,
    went_on: u32,
}

#[derive(Clone, Debug)]
struct Job {
    id: String,
    key: String,
    seconds: u32,
    canceled: bool,
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
        Worker::start(App { providers, fetcher, ..app.app.clone() }).await.expect("a worker starts")
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

impl State {
    fn calls(&self, call: Call) -> usize {
        self.calls.iter().filter(|made| **made == call).count()
    }

    /// Does what was asked, unless it was told not to, and knows the true answer.
    fn hear(&mut self, request: &Request, address: SocketAddr) -> (Option<(Answer, Ending)>, Option<Lie>) {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let mut parts = path.trim_start_matches('/').split('/');
        let (place, id) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let call = match (request.method.as_str(), place, id) {
            ("POST", "jobs", "") => Call::Submit,
            ("GET", "jobs", "") => Call::Find,
            ("GET", "jobs", _) => Call::Poll,
            ("DELETE", "jobs", _) => Call::Cancel,
            _ => Call::Fetch,
        };
        self.calls.push(call);
        if call == Call::Submit {
            self.keys.push(request.body["key"].as_str().unwrap_or_default().to_owned());
        }
        let lie = self.lies.entry(call).or_default().pop_front().or_else(|| self.habits.get(&call).cloned());
        if let Some(Lie::LoseRequest | Lie::Refuse(_)) = lie {
            return (Some((missing(), Ending::Whole)), lie);
        }
        let truth = match call {
            Call::Submit => self.take(&request.body),
            Call::Find => self.find(query.strip_prefix("key=").unwrap_or_default()),
            Call::Poll => self.job(id).map_or_else(missing, |job| job.report(address)),
            Call::Cancel => self.cancel(id),
            Call::Fetch if place == "files" => {
                return (self.files.get(id).cloned(), lie);
            }
            Call::Fetch => self.job(id).map_or_else(missing, |job| Answer::video(tiny_mp4(job.seconds))),
        };
        (Some((truth, Ending::Whole)), lie)
    }

    fn job(&mut self, id: &str) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.id == id)
    }

    fn take(&mut self, body: &Value) -> Answer {
        let key = body["key"].as_str().unwrap_or_default().to_owned();
        if !self.takes_keys_again && self.jobs.iter().any(|job| job.key == key) {
            return Answer::json(409, &json!({ "error": { "code": "duplicate_key" } }));
        }
        let id = format!("job-{}", self.jobs.len() + 1);
        let seconds = body["seconds"].as_u64().and_then(|seconds| u32::try_from(seconds).ok());
        self.jobs.push(Job { id: id.clone(), key, seconds: seconds.unwrap_or(0), canceled: false });
        Answer::json(200, &json!({ "id": id }))
    }

    fn find(&self, key: &str) -> Answer {
        let found = self.jobs.iter().filter(|job| job.key == key);
        let found: Vec<Value> = found.map(|job| json!({ "id": job.id, "key": job.key })).collect();
        Answer::json(200, &json!({ "jobs": found }))
    }

    fn cancel(&mut self, id: &str) -> Answer {
        let Some(job) = self.job(id) else { return missing() };
        job.canceled = true;
        Answer::json(200, &json!({ "id": id }))
    }
}

impl Job {
    fn report(&self, address: SocketAddr) -> Answer {
        let url = format!("http://{address}/clips/{}", self.id);
        let (id, seconds) = (&self.id, self.seconds);
        let report = match self.canceled {
            true => json!({ "id": id, "status": "canceled" }),
            false => json!({
                "id": id, "status": "succeeded", "progress": 100, "cost_micro_usd": 250_000,
                "clips": [{ "url": url, "seconds": seconds }],
            }),
        };
        Answer::json(200, &report)
    }
}

fn missing() -> Answer {
    Answer::json(404, &json!({ "error": { "code": "not_found" } }))
}
