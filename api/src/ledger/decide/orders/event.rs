//! What can happen to a task.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Accept,
    /// The owner, or whoever claims the job now, sends it and has an upstream id; while that is unknown: it resubmits once,
    /// later it finds what it looked for.
    SubmitOk,
    SubmitAmbiguous,
    /// Upstream tells of itself that it delivered, which names our key: also a submission whose id nobody has. The owner, or
    /// whoever claims the job now, stores the clip and settles.
    Callback,
    /// Upstream, asked about an id, says that it delivered.
    PollSuccess,
    /// The same of a failure; it is a cancellation if that was asked for. A poll without a verdict asks nothing of the vault.
    PollFailure,
    Cancel,
    Deadline,
    /// The owner dies and the job is given free; if nobody owned it, somebody claimed it and died before the call.
    Crash,
    /// The job is given free though its owner lives and will speak again.
    LeaseLost,
    /// The one that lost its lease settles. Its word counts until somebody else has claimed the job.
    LateSuccess,
    LateFailure,
    /// Hours pass, and what is over expires.
    GrantExpiry,
}

pub const EVENTS: [Event; 13] = [
    Event::Accept,
    Event::SubmitOk,
    Event::SubmitAmbiguous,
    Event::Callback,
    Event::PollSuccess,
    Event::PollFailure,
    Event::Cancel,
    Event::Deadline,
    Event::Crash,
    Event::LeaseLost,
    Event::LateSuccess,
    Event::LateFailure,
    Event::GrantExpiry,
];
