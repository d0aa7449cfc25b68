//! The render thread: one thread of low priority that draws one job after the other, behind a bounded queue.
//!
//! It is a thread of its own because a render keeps a core busy for seconds: the runtime's threads serve requests.
//! Nobody waits for it; a full queue is an answer.

use super::clip::Plan;
use super::encode::EncodeError;
use super::job::{Stage, Ticket};
use crate::provider::{Failure, FailureCode};
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Weak};

/// A job for the render thread. It holds its ticket weakly: when the sandbox is gone, drawing stops by itself.
#[derive(Debug)]
pub(super) struct Work {
    ticket: Weak<Ticket>,
    clips: Vec<Plan>,
}

impl Work {
    pub fn new(ticket: &Arc<Ticket>, clips: Vec<Plan>) -> Self {
        Self { ticket: Arc::downgrade(ticket), clips }
    }
}

/// The queue is full, or its thread could not be started.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// The entrance to the render thread.
#[derive(Debug)]
pub(super) struct RenderQueue(SyncSender<Work>);

impl RenderQueue {
    /// Starts the thread. `limit` jobs (at least one) may wait besides the one that is being drawn.
    pub fn start(limit: usize) -> Self {
        let (queue, work) = Self::without_thread(limit);
        let thread = std::thread::Builder::new().name("sandbox-render".to_owned());
        if let Err(error) = thread.spawn(move || draw_all(work)) {
            tracing::error!(%error, "the sandbox can't start its render thread and will refuse every submission");
        }
        queue
    }

    pub fn without_thread(limit: usize) -> (Self, Receiver<Work>) {
        let (sender, receiver) = sync_channel(limit.max(1));
        (Self(sender), receiver)
    }

    /// Hands over a job; never waits.
    pub fn offer(&self, work: Work) -> Result<(), Full> {
        self.0.try_send(work).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => Full,
        })
    }
}

fn draw_all(work: Receiver<Work>) {
    lower_priority();
    for job in work {
        draw(&job);
    }
}

/// Draws one job and records how it ended. A panic costs this job, not the thread.
pub(super) fn draw(work: &Work) {
    let end = match std::panic::catch_unwind(AssertUnwindSafe(|| draw_clips(work))) {
        Ok(Ok(ControlFlow::Continue(()))) => Stage::Done,
        Ok(Ok(ControlFlow::Break(()))) => return,
        Ok(Err(error)) => failed(&error.to_string()),
        Err(_) => failed("panic"),
    };
    if let Some(ticket) = work.ticket.upgrade() {
        ticket.advance(end);
    }
}

fn draw_clips(work: &Work) -> Result<ControlFlow<()>, EncodeError> {
    let total: u32 = work.clips.iter().map(Plan::frames).sum();
    let mut drawn = 0_u32;
    let mut report = || {
        let percent = (u64::from(drawn) * 100 / u64::from(total.max(1))) as u8;
        drawn += 1;
        match work.ticket.upgrade() {
            Some(ticket) if ticket.advance(Stage::Drawing { percent }) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    };
    for clip in &work.clips {
        if let Some(folder) = clip.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        if clip.render(&mut report)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn failed(error: &str) -> Stage {
    tracing::error!(error, "the sandbox failed to render a clip");
    Stage::Failed(Failure {
        code: FailureCode::Internal,
        message: "The sandbox could not render the clip.".to_owned(),
        detail: Some(error.to_owned()),
    })
}

/// Requests come first: on Linux a priority belongs to the thread, so only rendering yields. Elsewhere nothing happens.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), 15) {
        tracing::debug!(%error, "the render thread keeps its priority");
    }
}
