//! The auditor: reads the whole book and says what is wrong with it.
//!
//! It never writes, and it takes no word of the code that does: balances are worked out again from the two legs of every
//! transfer, sums again from their parts. One pass sees one snapshot, so a book that is being written meanwhile is judged as
//! it stood at one instant. An empty report is the promise that the ledger makes after every commit.

mod guards;
mod money;
mod rule;
mod totals;
mod walk;
mod work;

#[cfg(test)]
mod tests;

use std::fmt;

use entity::Timestamp;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseTransaction, DbErr, IsolationLevel, TransactionOptions,
    TransactionTrait,
};

use super::chain::Chain;
use crate::db::Db;

/// How many violations of one invariant are reported; a book that is wrong everywhere needs no longer list.
const MOST_OF_ONE_KIND: usize = 100;

/// How much of the book is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every account, then the totals.
    Everything,
    /// Only accounts with a transfer at or after `since`, and no totals, which need the whole journal.
    Changed { since: Timestamp },
}

/// What a pass read and what it found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub accounts: u64,
    pub transfers: u64,
    /// At most a hundred of one invariant.
    pub violations: Vec<Violation>,
}

/// Something that must never be. Amounts in `detail` are thousandths of a credit, instants microseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant's name: short, and the same for ever.
    pub invariant: &'static str,
    /// Whose: an account's, task's, grant's or key's id, a mode and place of the book, or a guard's name.
    pub subject: String,
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.invariant, self.subject, self.detail)
    }
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    fn add(&mut self, violation: Violation) {
        let known = self.violations.iter().filter(|known| known.invariant == violation.invariant).count();
        if known < MOST_OF_ONE_KIND {
            self.violations.push(violation);
        }
    }
}

/// Checks every invariant of the ledger. An error means that the book could not be read, not that it is wrong.
pub async fn check(db: &Db, chain: &Chain, scope: Scope) -> Result<Report, DbErr> {
    let snapshot = begin(db).await?;
    let report = audit(&snapshot, chain, scope).await?;
    snapshot.commit().await?;
    Ok(report)
}

async fn audit(snapshot: &DatabaseTransaction, chain: &Chain, scope: Scope) -> Result<Report, DbErr> {
    let mut report = Report::default();
    guards::check(snapshot, &mut report).await?;
    walk::check(snapshot, chain, scope, &mut report).await?;
    let totals = if scope == Scope::Everything { totals::RULES } else { &[] };
    for rule in money::RULES.iter().chain(work::RULES).chain(totals) {
        rule.check(snapshot, scope, &mut report).await?;
    }
    Ok(report)
}

/// A transaction that reads one snapshot and can't write. A reader of SQLite's WAL has that by nature.
async fn begin(db: &Db) -> Result<DatabaseTransaction, DbErr> {
    if !db.is_postgres() {
        return db.read().begin().await;
    }
    let options = TransactionOptions {
        isolation_level: Some(IsolationLevel::RepeatableRead),
        access_mode: Some(AccessMode::ReadOnly),
        ..TransactionOptions::default()
    };
    let snapshot = db.read().begin_with_options(options).await?;
    // A large book takes longer than a request may.
    snapshot.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
    Ok(snapshot)
}

impl Scope {
    /// The oldest last transfer of an account that is looked at.
    fn since(self) -> Timestamp {
        match self {
            Scope::Everything => Timestamp::from_micros(i64::MIN),
            Scope::Changed { since } => since,
        }
    }
}
