//! What the sandbox remembers about the jobs it accepted: shared between the requests that ask and the thread that draws.
//!
//! Forgetting is always allowed: a job is determined by its submission and can be drawn again.

use super::directive::Directives;
use crate::provider::{ClipSource, Cost, Failure, Progress, RemoteClip};
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::{Duration, Instant};

/// Jobs that are remembered. Beyond it the oldest that need no more drawing are forgotten, together with their files.
const MAX_REMEMBERED: usize = 4_096;

/// How far the drawing of a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Waiting,
    Drawing {
        percent: u8,
    },
    /// Accepted, and nobody will ever work on it.
    Hanging,
    Done,
    Failed(Failure),
    Canceled,
}

impl Stage {
    /// Whether the render thread has, or will have, something to do.
    fn needs_drawing(&self) -> bool {
        matches!(self, Self::Waiting | Self::Drawing { .. })
    }
}

/// The stage of one job, written by the render thread and by cancel.
#[derive(Debug)]
pub(super) struct Ticket(watch::Sender<Stage>);

impl Ticket {
    pub fn new(stage: Stage) -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(stage)))
    }

    pub fn stage(&self) -> Stage {
        self.0.borrow().clone()
    }

    /// Moves on, unless the drawing is over already (a cancel wins over a late success). Returns whether it moved.
    pub fn advance(&self, next: Stage) -> bool {
        self.0.send_if_modified(|stage| {
            let open = stage.needs_drawing();
            if open {
                *stage = next;
            }
            open
        })
    }

    fn cancel(&self) {
        self.0.send_replace(Stage::Canceled);
    }

    /// Waits until the render thread is through with the job.
    #[cfg(test)]
    pub async fn settled(&self) -> Stage {
        let mut watching = self.0.subscribe();
        let stage = watching.wait_for(|stage| !stage.needs_drawing()).await;
        stage.expect("the sender is borrowed from self").clone()
    }
}

/// One accepted job.
#[derive(Debug)]
pub(super) struct Job {
    pub ticket: Arc<Ticket>,
    /// What is there once the drawing is done.
    clips: Vec<RemoteClip>,
    accepted_at: Instant,
    /// How long the outcome is held back.
    slow: Duration,
    /// Polls that still have to fail.
    flaky: u8,
}

impl Job {
    pub fn new(ticket: Arc<Ticket>, clips: Vec<RemoteClip>, directives: &Directives, now: Instant) -> Self {
        Self { ticket, clips, accepted_at: now, slow: directives.slow, flaky: directives.flaky }
    }

    /// Counts one poll. False if this poll has to fail.
    pub fn answers_poll(&mut self) -> bool {
        let answers = self.flaky == 0;
        self.flaky = self.flaky.saturating_sub(1);
        answers
    }

    /// What a poll is told at `now`.
    pub fn progress(&self, now: Instant) -> Progress {
        let held_percent = self.held_percent(now);
        match (self.ticket.stage(), held_percent) {
            (Stage::Canceled, _) => Progress::Canceled,
            (Stage::Waiting, _) => Progress::Queued,
            (Stage::Hanging, _) => Progress::Running { percent: None },
            (Stage::Drawing { percent }, held) => {
                Progress::Running { percent: Some(percent.min(held.unwrap_or(99))) }
            }
            (_, Some(percent)) => Progress::Running { percent: Some(percent) },
            (Stage::Done, None) => {
                Progress::Succeeded { clips: self.clips.clone(), cost: Some(Cost::MicroUsd(0)) }
            }
            (Stage::Failed(failure), None) => Progress::Failed { failure, cost: Some(Cost::MicroUsd(0)) },
        }
    }

    /// Cancels the job unless a poll could already have seen how it ended.
    pub fn cancel(&self, now: Instant) {
        let ended = !self.ticket.stage().needs_drawing() && self.held_percent(now).is_none();
        if !ended || self.ticket.stage() == Stage::Hanging {
            self.ticket.cancel();
        }
    }

    /// How much of the delay has passed, or `None` when the outcome may be told.
    fn held_percent(&self, now: Instant) -> Option<u8> {
        let passed = now.saturating_duration_since(self.accepted_at);
        (passed < self.slow).then(|| (passed.as_millis() * 100 / self.slow.as_millis()).min(99) as u8)
    }

    /// The files that this job leaves behind.
    pub fn files(&self) -> Vec<PathBuf> {
        let file = |clip: &RemoteClip| match &clip.source {
            ClipSource::File(path) => Some(path.clone()),
            ClipSource::Url { .. } | ClipSource::Bytes(_) => None,
        };
        self.clips.iter().filter_map(file).collect()
    }
}

/// All remembered jobs, by upstream id.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    by_id: HashMap<String, Job>,
    /// From the oldest to the newest.
    order: VecDeque<String>,
}

impl Jobs {
    pub fn get(&mut self, id: &str) -> Option<&mut Job> {
        self.by_id.get_mut(id)
    }

    /// Remembers a job. Returns the files of those that had to be forgotten for it.
    pub fn insert(&mut self, id: &str, job: Job) -> Vec<PathBuf> {
        if self.by_id.insert(id.to_owned(), job).is_none() {
            self.order.push_back(id.to_owned());
        }
        let mut files = Vec::new();
        while self.by_id.len() > MAX_REMEMBERED {
            match self.forget_oldest() {
                Some(job) => files.extend(job.files()),
                None => break,
            }
        }
        files
    }

    /// Forgets a finished job, so that it can be accepted again.
    pub fn forget_done(&mut self, id: &str) {
        if self.by_id.get(id).is_some_and(|job| job.ticket.stage() == Stage::Done) {
            self.by_id.remove(id);
            self.order.retain(|other| other != id);
        }
    }

    fn forget_oldest(&mut self) -> Option<Job> {
        let at_rest = |id: &String| self.by_id.get(id).is_none_or(|job| !job.ticket.stage().needs_drawing());
        let position = self.order.iter().position(at_rest)?;
        let id = self.order.remove(position)?;
        self.by_id.remove(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(stage: Stage) -> Job {
        Job::new(Ticket::new(stage), Vec::new(), &Directives::default(), Instant::now())
    }

    #[test]
    fn a_cancel_wins_over_a_late_success() {
        let ticket = Ticket::new(Stage::Drawing { percent: 98 });
        ticket.cancel();
        assert!(!ticket.advance(Stage::Done));
        assert_eq!(ticket.stage(), Stage::Canceled);
    }

    #[test]
    fn a_cancel_after_the_end_changes_nothing() {
        let job = job(Stage::Done);
        job.cancel(Instant::now());
        assert_eq!(job.ticket.stage(), Stage::Done);
    }

    #[test]
    fn beyond_the_limit_the_oldest_job_at_rest_is_forgotten() {
        let mut jobs = Jobs::default();
        jobs.insert("busy", job(Stage::Waiting));
        jobs.insert("oldest", job(Stage::Done));
        for number in 2..=MAX_REMEMBERED {
            jobs.insert(&number.to_string(), job(Stage::Hanging));
        }
        assert_eq!(jobs.by_id.len(), MAX_REMEMBERED);
        assert!(jobs.get("busy").is_some());
        assert!(jobs.get("oldest").is_none());
        assert!(jobs.get("2").is_some());
    }
}
