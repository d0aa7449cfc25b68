//! The vault's mind: what each command does to the book. Pure: no clock, no database, no randomness.
//!
//! Commands are decided in the order of their arrival. A refused one changes nothing, so it can't harm its neighbours: each
//! decision looks first and changes after. (Credits whose time is over expire before the command is looked at; that happened
//! anyway.)

mod accept;
mod alert;
mod credit;
mod grants;
#[cfg(test)]
mod orders;
mod probe;
#[cfg(test)]
pub mod properties;
mod settle;

use entity::Timestamp;

use super::book::Book;
use super::chain::Chain;
use super::{Command, Done, Refusal};

/// What decisions need beside the book.
#[derive(Debug)]
pub struct Context<'a> {
    pub now: Timestamp,
    pub chain: &'a Chain,
}

/// Decides one command. `spare` is a new id, for a grant that the command may have to open; where it has to open several (a
/// refund out of several grants that are over), the ids that follow it are used too.
pub fn decide(
    book: &mut Book,
    command: &Command,
    spare: uuid::Uuid,
    context: &Context,
) -> Result<Done, Refusal> {
    let account = command.account();
    let now = book.at(account, context.now)?;
    let context = &Context { now, chain: context.chain };
    let expired = grants::expire_overdue(book, account, context)?;
    if !expired.is_zero() {
        // As if the expiry had come by itself: who is told what must not depend on whether it did.
        alert::watch(book, account, context)?;
    }
    let answer = match command {
        Command::Accept(accept) => accept::accept(book, accept, context),
        Command::Settle(settle) => settle::settle(book, settle, context),
        Command::Cancel(cancel) => settle::cancel(book, cancel, context),
        Command::Grant(grant) => credit::grant(book, grant, context),
        Command::Adjust(adjust) => credit::adjust(book, adjust, spare, context),
        Command::Refund(refund) => credit::refund(book, refund, spare, context),
        Command::Expire(_) => Ok(Done::Expired(expired)),
        Command::Alert(set) => alert::set(book, set),
        Command::Probe(probe) => probe::probe(book, probe, context),
    };
    alert::watch(book, account, context)?;
    answer
}
