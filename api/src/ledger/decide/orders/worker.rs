//! What workers do to the rows of the task, as its events tell.

use entity::attempt::AttemptState;
use entity::job::JobState;
use entity::{WorkerId, attempt};
use uuid::Uuid;

use super::super::properties::rows;
use super::model::{Answer, State, TASK, delivered, failed, is_accepted};
use crate::ledger::chain::Chain;
use crate::ledger::{Outcome, SettledBy};

/// What a worker believes: that the job is its own under this fence, and which attempt is the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worker {
    pub fence: i64,
    pub attempt: Option<i64>,
}

impl State {
    /// A claim, when nobody owns the job: a new fence, and the intent to submit if there was none.
    fn claim(&mut self) {
        let Some(job) = self.book.jobs.get_mut(&TASK).filter(|job| job.owner.is_none()) else { return };
        job.fence += 1;
        job.owner = Some(WorkerId(Uuid::from_u128(1)));
        let fence = job.fence;
        if job.state == JobState::Queued {
            job.state = JobState::Submitting;
        }
        self.owner = Some(Worker { fence, attempt: self.attempts().last().map(|newest| newest.n) });
        if self.attempts().is_empty() {
            self.new_attempt(AttemptState::Intent);
        }
    }

    /// Whoever has the job, or claims it now, if anything was ever sent: only then is there something to hear of.
    fn listener(&mut self) -> Option<Worker> {
        if !self.attempts().is_empty() {
            self.claim();
        }
        self.owner
    }

    /// The job, if this fence still opens it.
    fn opened(&mut self, fence: i64) -> Option<&mut entity::job::Model> {
        self.book.jobs.get_mut(&TASK).filter(|job| job.fence == fence)
    }

    fn new_attempt(&mut self, state: AttemptState) {
        let attempts = self.book.attempts.entry(TASK).or_default();
        let n = attempts.last().map_or(1, |last| last.n + 1);
        attempts.push(rows::attempt(TASK, n, state, rows::START));
        self.owner = self.owner.map(|owner| Worker { attempt: Some(n), ..owner });
    }

    pub fn submit(&mut self, outcome: AttemptState, job_state: JobState) {
        self.claim();
        let Some(fence) = self.owner.map(|owner| owner.fence) else { return };
        if self.opened(fence).is_none() {
            return;
        }
        let attempts = self.book.attempts.entry(TASK).or_default();
        let tried = attempts.len();
        let mut open: Vec<_> = attempts.iter_mut().filter(|attempt| is_open(attempt)).collect();
        match open.last_mut() {
            None => return,
            Some(newest) if newest.state == AttemptState::Intent => newest.state = outcome,
            Some(_) if tried < 2 => self.new_attempt(outcome),
            Some(_) => open.into_iter().for_each(|found| found.state = outcome),
        }
        self.opened(fence).expect("just seen").state = job_state;
    }

    /// The oldest attempt of these delivered. A worker that has nothing to tell of any more still asks to settle.
    pub fn deliver(&mut self, chain: &Chain, of_these: fn(&attempt::Model) -> bool) -> Answer {
        let owner = self.listener()?;
        if self.opened(owner.fence).is_some() {
            let oldest = self.attempts().iter().find(|attempt| of_these(attempt))?.n;
            self.end_attempt(oldest, AttemptState::Delivered);
        }
        self.settle(chain, owner.word(), delivered())
    }

    /// The newest attempt that can be asked about failed.
    pub fn fail(&mut self, chain: &Chain) -> Answer {
        let owner = self.listener()?;
        let mut outcome = failed();
        if let Some(job) = self.opened(owner.fence) {
            let wanted = job.cancel_at.is_some();
            let newest = self.attempts().iter().rfind(|attempt| is_accepted(attempt))?.n;
            self.end_attempt(newest, if wanted { AttemptState::Canceled } else { AttemptState::Failed });
            outcome = if wanted { Outcome::Canceled } else { outcome };
        }
        self.settle(chain, owner.word(), outcome)
    }

    fn end_attempt(&mut self, n: i64, state: AttemptState) {
        let attempts = self.book.attempts.get_mut(&TASK).into_iter().flatten();
        attempts.filter(|attempt| attempt.n == n).for_each(|attempt| attempt.state = state);
    }

    /// Nobody owns the job any more; its fence moves with the next claim.
    pub fn lose_owner(&mut self) -> Option<Worker> {
        self.claim();
        if let Some(job) = self.book.jobs.get_mut(&TASK) {
            job.owner = None;
        }
        self.owner.take()
    }

    /// What the late one knows of ended like this. It writes so where its fence lets it, and asks to settle in any case.
    pub fn speak_late(&mut self, chain: &Chain, end: AttemptState, outcome: Outcome) -> Answer {
        let late = self.late?;
        if self.hears_the_late_one() {
            let known = late.attempt.filter(|_| self.late_one_lives())?;
            self.end_attempt(known, end);
        }
        self.settle(chain, late.word(), outcome)
    }
}

impl Worker {
    pub fn word(self) -> SettledBy {
        SettledBy::Worker { fence: self.fence, attempt: self.attempt }
    }
}

/// Sent or about to be, and nobody knows what came of it.
fn is_open(attempt: &attempt::Model) -> bool {
    matches!(attempt.state, AttemptState::Intent | AttemptState::Unknown)
}
