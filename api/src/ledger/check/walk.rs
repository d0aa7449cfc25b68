//! The walk along the journal: every account's transfers in order, each balance worked out again from nothing.
//!
//! An account and a page of its transfers are in memory at a time, however long the journal is.

use std::collections::BTreeSet;

use entity::transfer::{self, Place};
use entity::{AccountId, Credits, Timestamp, account};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{Report, Scope, Violation};
use crate::ledger::book::available;
use crate::ledger::chain::{Chain, GENESIS};

const ACCOUNTS_A_PAGE: u64 = 200;
const TRANSFERS_A_PAGE: u64 = 2_000;

/// Walks every account in scope.
pub async fn check(
    db: &DatabaseTransaction,
    chain: &Chain,
    scope: Scope,
    report: &mut Report,
) -> Result<(), DbErr> {
    let mut after = None;
    loop {
        let accounts = accounts(db, scope, after).await?;
        for account in &accounts {
            walk(db, chain, account, report).await?;
        }
        match accounts.last() {
            Some(last) => after = Some(last.id),
            None => return Ok(()),
        }
    }
}

async fn accounts(
    db: &DatabaseTransaction,
    scope: Scope,
    after: Option<AccountId>,
) -> Result<Vec<account::Model>, DbErr> {
    use account::Column as A;
    let mut query = account::Entity::find().filter(A::LastAt.gte(scope.since()));
    if let Some(after) = after {
        query = query.filter(A::Id.gt(after));
    }
    query.order_by_asc(A::Id).limit(ACCOUNTS_A_PAGE).all(db).await
}

async fn walk(
    db: &DatabaseTransaction,
    chain: &Chain,
    account: &account::Model,
    report: &mut Report,
) -> Result<(), DbErr> {
    let mut walk = Walk::new(account.id, chain);
    let mut after = i64::MIN;
    loop {
        let page = transfers(db, account.id, after).await?;
        for transfer in &page {
            walk.step(transfer, report);
        }
        report.transfers += page.len() as u64;
        match page.last() {
            Some(last) => after = last.seq,
            None => break,
        }
    }
    walk.arrive(account, report);
    report.accounts += 1;
    Ok(())
}

async fn transfers(
    db: &DatabaseTransaction,
    account: AccountId,
    after: i64,
) -> Result<Vec<transfer::Model>, DbErr> {
    use transfer::Column as T;
    let query = transfer::Entity::find().filter(T::AccountId.eq(account)).filter(T::Seq.gt(after));
    query.order_by_asc(T::Seq).limit(TRANSFERS_A_PAGE).all(db).await
}

/// Where the walk along one account's journal stands: what its transfers add up to so far.
///
/// Sums are wider than what is stored, so that no amount in a broken book can overflow them.
struct Walk<'a> {
    account: AccountId,
    chain: &'a Chain,
    seq: i64,
    at: Timestamp,
    head: Vec<u8>,
    sums: Sums,
    /// A wrong step makes the following ones wrong too; only the first one is news.
    reported: BTreeSet<&'static str>,
}

/// Thousandths of a credit at each of the customer's places, and what came in and went out over the account's life.
#[derive(Clone, Copy, Default)]
struct Sums {
    available: i128,
    held: i128,
    debt: i128,
    credited: i128,
    debited: i128,
}

impl<'a> Walk<'a> {
    fn new(account: AccountId, chain: &'a Chain) -> Self {
        let at = Timestamp::from_micros(i64::MIN);
        let (head, sums, reported) = (GENESIS.to_vec(), Sums::default(), BTreeSet::new());
        Walk { account, chain, seq: 0, at, head, sums, reported }
    }

    fn step(&mut self, transfer: &transfer::Model, report: &mut Report) {
        self.number(transfer, report);
        self.time(transfer, report);
        self.balances(transfer, report);
        if !self.chain.holds(&self.head, transfer) {
            let detail = format!("transfer {} is not what was written after its predecessor", transfer.seq);
            self.complain("hash-chain", detail, report);
        }
        self.head.clone_from(&transfer.hash);
    }

    fn number(&mut self, transfer: &transfer::Model, report: &mut Report) {
        let expected = self.seq.saturating_add(1);
        if transfer.seq != expected {
            let detail = format!("transfer {} comes where {expected} should", transfer.seq);
            self.complain("seq-gapless", detail, report);
        }
        self.seq = transfer.seq;
    }

    fn time(&mut self, transfer: &transfer::Model, report: &mut Report) {
        if transfer.at < self.at {
            let (at, before) = (transfer.at.micros(), self.at.micros());
            let detail = format!("transfer {} is of {at}, its predecessor of {before}", transfer.seq);
            self.complain("time-forward", detail, report);
        }
        self.at = transfer.at;
    }

    fn balances(&mut self, transfer: &transfer::Model, report: &mut Report) {
        self.sums.book(transfer);
        let Sums { available, held, debt, .. } = self.sums;
        let found = (available, held, debt);
        if available < 0 || held < 0 || debt < 0 {
            let detail = format!("transfer {} leaves {}", transfer.seq, balances(found));
            self.complain("never-negative", detail, report);
        }
        let stored = (wide(transfer.available_after), wide(transfer.held_after), wide(transfer.debt_after));
        if stored != found {
            let (stored, found) = (balances(stored), balances(found));
            let detail = format!("transfer {} says {stored}; the journal adds up to {found}", transfer.seq);
            self.complain("running-balance", detail, report);
        }
    }

    /// Compares where the journal ends with what the account says.
    fn arrive(&mut self, account: &account::Model, report: &mut Report) {
        let stored = Sums::of(account);
        if stored.listed() != self.sums.listed() {
            let (stored, found) = (stored.describe(), self.sums.describe());
            let detail = format!("the account says {stored}; the journal adds up to {found}");
            self.complain("cached-balance", detail, report);
        }
        if account.seq != self.seq {
            let detail =
                format!("the account is at transfer {}, its journal ends with {}", account.seq, self.seq);
            self.complain("seq-gapless", detail, report);
        }
        if self.seq > 0 && account.last_at < self.at {
            let (stored, found) = (account.last_at.micros(), self.at.micros());
            let detail = format!("the account was last changed at {stored}, its journal ends at {found}");
            self.complain("time-forward", detail, report);
        }
        if account.head != self.head {
            self.complain("hash-chain", "the account's head is not its last transfer's hash".into(), report);
        }
    }

    fn complain(&mut self, invariant: &'static str, detail: String, report: &mut Report) {
        if self.reported.insert(invariant) {
            report.add(Violation { invariant, subject: self.account.to_string(), detail });
        }
    }
}

impl Sums {
    fn of(account: &account::Model) -> Self {
        Sums {
            available: wide(available(account)),
            held: wide(account.held),
            debt: wide(account.debt),
            credited: wide(account.credited),
            debited: wide(account.debited),
        }
    }

    /// Books both legs. Debt is what the customer owes: the negative of what lies at its place.
    fn book(&mut self, transfer: &transfer::Model) {
        let amount = wide(transfer.amount);
        self.leg(transfer.debit, -amount);
        self.leg(transfer.credit, amount);
        if is_own(transfer.credit) && !is_own(transfer.debit) && transfer.debit != Place::Debt {
            self.credited += amount;
        }
        if is_own(transfer.debit) && !is_own(transfer.credit) {
            self.debited += amount;
        }
    }

    fn leg(&mut self, place: Place, amount: i128) {
        match place {
            Place::Available => self.available += amount,
            Place::Held => self.held += amount,
            Place::Debt => self.debt -= amount,
            Place::Purchases | Place::Promotions | Place::Revenue | Place::Expired | Place::Adjustments => {}
        }
    }

    fn listed(self) -> [i128; 5] {
        [self.available, self.held, self.debt, self.credited, self.debited]
    }

    fn describe(self) -> String {
        let balances = balances((self.available, self.held, self.debt));
        format!("{balances}, credited {}, debited {}", self.credited, self.debited)
    }
}

/// Whether credits at this place are the customer's: to spend, or held.
fn is_own(place: Place) -> bool {
    matches!(place, Place::Available | Place::Held)
}

fn balances((available, held, debt): (i128, i128, i128)) -> String {
    format!("available {available}, held {held}, debt {debt}")
}

fn wide(amount: Credits) -> i128 {
    i128::from(amount.thousandths())
}
