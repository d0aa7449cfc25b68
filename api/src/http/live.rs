//! Answers that last: waits for a task, and streams of events.
//!
//! Whoever waits takes one of the account's places for it, and reads the database when there are news; nothing is pushed
//! that was not read. Every one of them ends when the process is told to stop. A stream asks before it sends anything
//! whether its caller still may ([`standing`]): a key that was revoked hears nothing more.

pub mod feed;
pub mod place;
pub mod prefer;
pub mod pulse;
pub mod signed;
pub mod sse;
pub mod standing;
pub mod wait;

pub use feed::Feed;
pub use prefer::Prefer;
pub use wait::Waiter;
