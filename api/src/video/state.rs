//! Where a task is, from what is stored of it.

use entity::job::JobState;
use entity::task::TaskState;

/// A task's state as it is told to customers; each dialect has its own words for these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Queued,
    Submitting,
    Running,
    /// What became of a submission is being found out.
    Reconciling,
    Storing,
    Completed,
    Failed,
    Canceled,
    Expired,
}

impl State {
    /// A live task's state is its job's.
    pub fn of(task: TaskState, job: Option<JobState>) -> State {
        match (task, job) {
            (TaskState::Completed, _) => State::Completed,
            (TaskState::Failed, _) => State::Failed,
            (TaskState::Canceled, _) => State::Canceled,
            (TaskState::Expired, _) => State::Expired,
            (TaskState::Live, None | Some(JobState::Queued)) => State::Queued,
            (TaskState::Live, Some(JobState::Submitting)) => State::Submitting,
            (TaskState::Live, Some(JobState::Running)) => State::Running,
            (TaskState::Live, Some(JobState::Reconciling)) => State::Reconciling,
            (TaskState::Live, Some(JobState::Storing)) => State::Storing,
        }
    }

    pub const ALL: [State; 9] = [
        State::Queued,
        State::Submitting,
        State::Running,
        State::Reconciling,
        State::Storing,
        State::Completed,
        State::Failed,
        State::Canceled,
        State::Expired,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            State::Queued => "queued",
            State::Submitting => "submitting",
            State::Running => "running",
            State::Reconciling => "reconciling",
            State::Storing => "storing",
            State::Completed => "completed",
            State::Failed => "failed",
            State::Canceled => "canceled",
            State::Expired => "expired",
        }
    }

    pub fn is_terminal(self) -> bool {
        matches!(self, State::Completed | State::Failed | State::Canceled | State::Expired)
    }
}
