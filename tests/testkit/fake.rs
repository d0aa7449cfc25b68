//! A provider that does what the test tells it, step by step, and counts what it is asked.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use reelmeter::provider::{
    Abilities, Callback, ClipSource, Cost, Failure, FailureCode, Found, Heard, Pace, Progress, Provider,
    ProviderError, Reconcile, RemoteClip, Submission, UpstreamId,
};

/// What the fake does when it is asked the next time. Without a step it accepts, and delivers at the first poll.
#[derive(Clone, Debug)]
pub enum Step {
    /// Submit: refuse for good. Poll: refuse to say anything.
    Reject(FailureCode),
    /// Submit or poll: not now.
    Unavailable,
    /// Submit: accept, but lose the answer. Poll: lose the answer.
    LoseAnswer,
    /// The same with an answer that can't be read.
    GarbleAnswer,
    /// Submit: lose the request, and the answer.
    LoseRequest,
    /// Poll: still working.
    Running(u8),
    /// Poll: failed.
    Fail(FailureCode),
    /// Poll: delivered, a clip of so many seconds.
    Deliver(u32),
    /// Poll: delivered something that is no video.
    DeliverGarbage,
    /// Poll: delivered, but the file is not there before [`Fake::bring`].
    DeliverLater,
    /// Find: nobody knows.
    Unsure,
    /// Submit or poll: no answer until [`Fake::go_on`]. What was submitted has arrived meanwhile.
    Wait,
}

/// The test's side of a fake provider.
#[derive(Clone, Debug)]
pub struct Fake {
    name: String,
    folder: PathBuf,
    state: Arc<Mutex<State>>,
    go_on: Arc<tokio::sync::Notify>,
    reconcile: Reconcile,
    pace: Pace,
}

#[derive(Debug, Default)]
struct State {
    submits: VecDeque<Step>,
    polls: VecDeque<Step>,
    finds: VecDeque<Step>,
    later: Option<PathBuf>,
    polled: BTreeSet<String>,
    /// Submit keys that were accepted, with how often each was sent.
    accepted: BTreeMap<String, u32>,
    canceled: HashMap<String, bool>,
    submissions: Vec<Submission>,
}

/// The worker's side.
#[derive(Debug)]
pub struct FakeProvider(Fake);

impl Fake {
    pub fn new(name: &str, folder: PathBuf) -> Self {
        Fake {
            name: name.to_owned(),
            folder,
            state: Arc::default(),
            go_on: Arc::default(),
            reconcile: Reconcile::Keyed,
            pace: Pace::steady(Duration::from_millis(20)),
        }
    }

    /// One whose lost submissions are found in another way; only what callbacks name, if it is by them.
    pub fn found_by(self, reconcile: Reconcile) -> Self {
        Fake { reconcile, ..self }
    }

    /// One that is asked as often as this.
    pub fn asked_every(self, time: Duration) -> Self {
        Fake { pace: Pace::steady(time), ..self }
    }

    pub fn provider(&self) -> Arc<dyn Provider> {
        Arc::new(FakeProvider(self.clone()))
    }

    /// What the next submissions meet with.
    pub fn on_submit(&self, steps: impl IntoIterator<Item = Step>) {
        self.lock().submits.extend(steps);
    }

    /// What the next polls meet with.
    pub fn on_poll(&self, steps: impl IntoIterator<Item = Step>) {
        self.lock().polls.extend(steps);
    }

    /// What the next look-ups of a lost submission meet with.
    pub fn on_find(&self, steps: impl IntoIterator<Item = Step>) {
        self.lock().finds.extend(steps);
    }

    /// Brings the file that was delivered without being there.
    pub fn bring(&self) {
        let path = self.lock().later.take().expect("something was delivered that is not there");
        std::fs::write(path, tiny_mp4(5)).expect("the scratch folder can be written");
    }

    /// Lets a poll that waits answer that the work goes on.
    pub fn go_on(&self) {
        self.go_on.notify_waiters();
    }

    /// How many polls still meet with something that they were told.
    pub fn polls_left(&self) -> usize {
        self.lock().polls.len()
    }

    /// Forgets what the next polls were to meet with: from now on they deliver.
    pub fn deliver_from_now_on(&self) {
        self.lock().polls.clear();
    }

    /// How many submissions were ever asked about.
    pub fn polled(&self) -> usize {
        self.lock().polled.len()
    }

    /// How many look-ups of lost submissions still meet with something that they were told.
    pub fn finds_left(&self) -> usize {
        self.lock().finds.len()
    }

    /// How many submissions ever reached the upstream.
    pub fn accepted(&self) -> usize {
        self.lock().accepted.len()
    }

    pub fn submissions(&self) -> Vec<Submission> {
        self.lock().submissions.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the fake")
    }

    fn deliver(&self, submission: &Submission, bytes: Vec<u8>, seconds: u32) -> Progress {
        let path = self.folder.join(format!("{}-{}.mp4", submission.submit_key, submission.clip));
        std::fs::write(&path, bytes).expect("the scratch folder can be written");
        let clip = RemoteClip {
            index: submission.clip,
            source: ClipSource::File(path),
            millis: Some(u64::from(seconds) * 1_000),
        };
        Progress::Succeeded { clips: vec![clip], cost: Some(Cost::MicroUsd(250_000)) }
    }
}

fn failure(code: FailureCode) -> Failure {
    Failure { message: "The provider failed".into(), ..Failure::new(code, "") }
}

fn unavailable() -> ProviderError {
    ProviderError::refused(FailureCode::Transient, "not now", Some(10))
}

#[async_trait]
impl Provider for FakeProvider {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            slots: 10_000,
            rate: None,
            pace: self.0.pace,
            can_cancel: true,
            reconcile: self.0.reconcile,
            needs_files: false,
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        let step = {
            let mut state = self.0.lock();
            state.submissions.push(submission.clone());
            let step = state.submits.pop_front();
            match step {
                Some(Step::Reject(code)) => return Err(ProviderError::Rejected(failure(code))),
                Some(Step::Unavailable) => {
                    return Err(unavailable());
                }
                Some(Step::LoseRequest) => return Err(ProviderError::Unknown("lost".into())),
                _ => {}
            }
            *state.accepted.entry(submission.submit_key.clone()).or_default() += 1;
            step
        };
        match step {
            Some(Step::LoseAnswer) => return Err(ProviderError::Unknown("lost".into())),
            Some(Step::GarbleAnswer) => return Err(ProviderError::Broken("garbled".into())),
            Some(Step::Wait) => self.0.go_on.notified().await,
            _ => {}
        }
        Ok(UpstreamId(format!("up-{}", submission.submit_key)))
    }

    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError> {
        let step = {
            let mut state = self.0.lock();
            state.polled.insert(id.0.clone());
            if state.canceled.contains_key(&id.0) {
                return Ok(Progress::Canceled);
            }
            state.polls.pop_front()
        };
        match step {
            Some(Step::Wait) => {
                self.0.go_on.notified().await;
                Ok(Progress::Running { percent: Some(50) })
            }
            Some(Step::Unavailable) => Err(unavailable()),
            Some(Step::Reject(code)) => Err(ProviderError::Rejected(failure(code))),
            Some(Step::LoseAnswer) => Err(ProviderError::Unknown("lost".into())),
            Some(Step::GarbleAnswer) => Err(ProviderError::Broken("garbled".into())),
            Some(Step::Running(percent)) => Ok(Progress::Running { percent: Some(percent) }),
            Some(Step::Fail(code)) => Ok(Progress::Failed { failure: failure(code), cost: None }),
            Some(Step::DeliverLater) => {
                let delivered = self.0.deliver(submission, tiny_mp4(5), 5);
                if let Progress::Succeeded { clips, .. } = &delivered
                    && let ClipSource::File(path) = &clips[0].source
                {
                    std::fs::remove_file(path).expect("it was just written");
                    self.0.lock().later = Some(path.clone());
                }
                Ok(delivered)
            }
            Some(Step::DeliverGarbage) => Ok(self.0.deliver(submission, b"<html>502</html>".to_vec(), 5)),
            Some(Step::Deliver(seconds)) => Ok(self.0.deliver(submission, tiny_mp4(seconds), seconds)),
            _ => Ok(self.0.deliver(submission, tiny_mp4(submission.duration_s), submission.duration_s)),
        }
    }

    async fn cancel(&self, id: &UpstreamId, _: &Submission) -> Result<(), ProviderError> {
        self.0.lock().canceled.insert(id.0.clone(), true);
        Ok(())
    }

    async fn find(&self, submission: &Submission, heard: &[UpstreamId]) -> Result<Found, ProviderError> {
        let mut state = self.0.lock();
        if let Some(Step::Unsure) = state.finds.pop_front() {
            return Ok(Found::Unsure);
        }
        let id = UpstreamId(format!("up-{}", submission.submit_key));
        match self.0.reconcile {
            Reconcile::Opaque => return Ok(Found::Unsure),
            Reconcile::Callback if !heard.contains(&id) => return Ok(Found::Unsure),
            _ => {}
        }
        match state.accepted.contains_key(&submission.submit_key) {
            true => Ok(Found::Accepted(id)),
            false => Ok(Found::Absent),
        }
    }

    /// A callback of this upstream is signed by a word, and names an id.
    fn hear(&self, callback: &Callback) -> Heard {
        if callback.headers.get("x-fake-signature").map(String::as_str) != Some("signed") {
            return Heard::Forged;
        }
        let body: serde_json::Value = serde_json::from_str(&callback.body).unwrap_or_default();
        Heard::News(body["id"].as_str().map(|id| UpstreamId(id.to_owned())))
    }
}

/// The boxes of an MP4 that states a length and a size, and nothing else.
pub fn tiny_mp4(seconds: u32) -> Vec<u8> {
    let mvhd = [&[0u8; 12][..], &1_000u32.to_be_bytes(), &(seconds * 1_000).to_be_bytes(), &[0; 80]].concat();
    let tkhd = [
        &[0u8, 0, 0, 3][..],
        &[0; 8],
        &1u32.to_be_bytes(),
        &[0; 4],
        &(seconds * 1_000).to_be_bytes(),
        &[0; 52],
        &(1_280u32 << 16).to_be_bytes(),
        &(720u32 << 16).to_be_bytes(),
    ]
    .concat();
    let mdhd = [&[0u8; 12][..], &1_000u32.to_be_bytes(), &(seconds * 1_000).to_be_bytes(), &[0; 4]].concat();
    let hdlr = [&[0u8; 8][..], b"vide", &[0; 13]].concat();
    let mdia = [boxed(b"mdhd", &mdhd), boxed(b"hdlr", &hdlr)].concat();
    let trak = [boxed(b"tkhd", &tkhd), boxed(b"mdia", &mdia)].concat();
    let moov = [boxed(b"mvhd", &mvhd), boxed(b"trak", &trak)].concat();
    let ftyp = boxed(b"ftyp", b"isom\0\0\x02\0isomiso2avc1mp41");
    [ftyp, boxed(b"moov", &moov), boxed(b"mdat", &[7; 4_096])].concat()
}

fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len() + 8).expect("small boxes");
    [&size.to_be_bytes()[..], kind, content].concat()
}
