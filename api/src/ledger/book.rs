//! What one batch knows of the accounts it has locked, and what it is going to write.
//!
//! A book is read after the locks, changed in memory by [`super::decide`], written once and thrown away: no state of an
//! account outlives its batch.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Deref;

use entity::key_usage::UsageWindow;
use entity::transfer::{Place, TransferKind};
use entity::{
    AccountId, Credits, GrantId, KeyId, Mode, TaskId, Timestamp, account, adjustment, api_key, attempt,
    book_delta, clip, delivery, event, grant, hold, hold_allocation, job, key_usage, task, task_metadata,
    task_request, transfer,
};

use serde_json::{Value, json};

use super::Refusal;
use super::chain::Chain;
use super::key_usage::Usage;

/// Everything that a batch may look at, by key.
#[derive(Debug, Default)]
pub struct Book {
    pub accounts: BTreeMap<AccountId, account::Model>,
    /// Live grants of every account of the batch, and those that a settled or refunded hold drew from.
    pub grants: Grants,
    pub tasks: HashMap<TaskId, task::Model>,
    pub jobs: HashMap<TaskId, job::Model>,
    pub holds: HashMap<TaskId, hold::Model>,
    /// In burn order.
    pub allocations: HashMap<TaskId, Vec<hold_allocation::Model>>,
    pub attempts: HashMap<TaskId, Vec<attempt::Model>>,
    pub keys: HashMap<KeyId, api_key::Model>,
    pub usage: Usage,
    pub by_idempotency_key: HashMap<(AccountId, String), TaskId>,
    pub by_quote: HashMap<uuid::Uuid, TaskId>,
    pub references: HashMap<(TransferKind, String), transfer::Model>,
    pub writes: Writes,
}

/// Grants by id; a batch may be of hundreds of accounts, so that each finds its own at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    all: BTreeMap<GrantId, grant::Model>,
    own: HashMap<AccountId, Vec<GrantId>>,
}

impl Grants {
    pub fn insert(&mut self, grant: grant::Model) {
        let (id, account) = (grant.id, grant.account_id);
        if self.all.insert(id, grant).is_none() {
            self.own.entry(account).or_default().push(id);
        }
    }

    pub fn get_mut(&mut self, id: &GrantId) -> Option<&mut grant::Model> {
        self.all.get_mut(id)
    }

    /// The grants of an account.
    pub fn of(&self, account: AccountId) -> impl Iterator<Item = &grant::Model> {
        self.own.get(&account).into_iter().flatten().filter_map(|id| self.all.get(id))
    }
}

impl Deref for Grants {
    type Target = BTreeMap<GrantId, grant::Model>;

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl Extend<grant::Model> for Grants {
    fn extend<T: IntoIterator<Item = grant::Model>>(&mut self, grants: T) {
        grants.into_iter().for_each(|grant| self.insert(grant));
    }
}

/// A usage row's window, as a key that sorts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UsageRow {
    Day(Timestamp),
    Lifetime,
}

impl UsageRow {
    /// A row of this window in which nothing was spent yet.
    pub fn empty(self, key_id: KeyId) -> key_usage::Model {
        let (win, starts_at) = match self {
            UsageRow::Day(start) => (UsageWindow::Day, start),
            UsageRow::Lifetime => (UsageWindow::Lifetime, Timestamp::from_micros(0)),
        };
        key_usage::Model { key_id, win, starts_at, used: Credits::ZERO, open: Credits::ZERO, open_tasks: 0 }
    }
}

/// What the batch changes: new rows, and the ids of rows in the book that were touched.
#[derive(Debug, Default)]
pub struct Writes {
    pub accounts: BTreeSet<AccountId>,
    pub grants: BTreeSet<GrantId>,
    pub new_grants: BTreeSet<GrantId>,
    pub holds: BTreeSet<TaskId>,
    pub new_holds: BTreeSet<TaskId>,
    pub allocations: BTreeSet<TaskId>,
    pub new_allocations: BTreeSet<TaskId>,
    pub tasks: BTreeSet<TaskId>,
    pub new_tasks: BTreeSet<TaskId>,
    pub requests: Vec<task_request::Model>,
    pub metadata: Vec<task_metadata::Model>,
    pub new_jobs: Vec<job::Model>,
    pub canceled_jobs: BTreeSet<TaskId>,
    pub ended_jobs: BTreeSet<TaskId>,
    pub abandoned: Vec<attempt::Model>,
    pub clips: Vec<clip::Model>,
    pub transfers: Vec<transfer::Model>,
    pub usage: BTreeSet<(KeyId, UsageRow)>,
    pub adjustments: Vec<adjustment::Model>,
    pub events: Vec<event::Model>,
    pub deliveries: Vec<delivery::Model>,
}

/// One movement of credits, before it has a number and a hash.
#[derive(Clone, Debug)]
pub struct Movement {
    pub kind: TransferKind,
    pub debit: Place,
    pub credit: Place,
    pub amount: Credits,
    pub task: Option<TaskId>,
    pub grant: Option<GrantId>,
    pub reference: Option<String>,
}

impl Book {
    pub fn account(&self, id: AccountId) -> Result<&account::Model, Refusal> {
        self.accounts.get(&id).ok_or(Refusal::NoAccount)
    }

    /// The account's instant for this batch: never before anything already in its journal.
    pub fn at(&self, id: AccountId, now: Timestamp) -> Result<Timestamp, Refusal> {
        Ok(now.max(self.account(id)?.last_at))
    }

    /// The one place that posts: moves credits between two places and appends the transfer. Amounts of 0 leave no trace.
    pub fn post(
        &mut self,
        id: AccountId,
        now: Timestamp,
        movement: Movement,
        chain: &Chain,
    ) -> Result<(), Refusal> {
        if movement.amount.is_zero() {
            return Ok(());
        }
        let account = self.accounts.get_mut(&id).ok_or(Refusal::NoAccount)?;
        let mut moved = account.clone();
        shift(&mut moved, movement.debit, movement.credit, movement.amount).ok_or(Refusal::TooLarge)?;
        moved.seq += 1;
        moved.last_at = now.max(account.last_at);
        let mut transfer = transfer_of(&moved, movement);
        let hash = chain.seal(&account.head, &transfer);
        transfer.hash = hash.to_vec();
        moved.head = hash.to_vec();
        *account = moved;
        self.writes.accounts.insert(id);
        if let Some(reference) = &transfer.reference {
            self.references.insert((transfer.kind, reference.clone()), transfer.clone());
        }
        self.writes.transfers.push(transfer);
        Ok(())
    }

    /// Appends to what the customer can follow: streams and webhooks read it in this order. `body` is an object, and is told
    /// with the balance as it is after what happened.
    pub fn tell(
        &mut self,
        id: AccountId,
        now: Timestamp,
        kind: &str,
        task: Option<TaskId>,
        mut body: Value,
    ) -> Result<i64, Refusal> {
        let account = self.accounts.get_mut(&id).ok_or(Refusal::NoAccount)?;
        if let Some(members) = body.as_object_mut() {
            let (available, held, debt) = (available(account), account.held, account.debt);
            let balance = json!({ "available": available, "held": held, "debt": debt });
            members.insert("balance".to_owned(), balance);
        }
        account.event_seq += 1;
        let n = account.event_seq;
        self.writes.accounts.insert(id);
        self.writes.events.push(event::Model {
            account_id: id,
            n,
            at: now,
            r#type: kind.into(),
            task_id: task,
            body: body.to_string(),
        });
        Ok(n)
    }

    /// The accounts that look different after the batch to whoever follows them.
    pub fn changed(&self) -> BTreeSet<AccountId> {
        let wished = self.writes.canceled_jobs.iter().filter_map(|task| self.jobs.get(task));
        let told = self.writes.events.iter().map(|event| event.account_id);
        told.chain(wished.map(|job| job.account_id)).collect()
    }

    /// Ids of the account's grants that hold anything, in burn order: priority, expiry (never last), creation, id.
    pub fn burn_order(&self, id: AccountId) -> Vec<GrantId> {
        let mut live: Vec<&grant::Model> =
            self.grants.of(id).filter(|grant| !grant.remaining.is_zero()).collect();
        live.sort_by_key(|grant| {
            let expiry = expiry(grant).map_or(i64::MAX, Timestamp::micros);
            (grant.priority, expiry, grant.created_at, grant.id)
        });
        live.into_iter().map(|grant| grant.id).collect()
    }

    /// Changes a grant that is in the book and marks it for writing.
    pub fn change_grant(
        &mut self,
        id: GrantId,
        now: Timestamp,
        change: impl FnOnce(&mut grant::Model) -> Option<()>,
    ) -> Result<(), Refusal> {
        let grant = self.grants.get_mut(&id).ok_or(Refusal::Internal)?;
        change(grant).ok_or(Refusal::TooLarge)?;
        let empty = grant.remaining.is_zero() && grant.held.is_zero();
        grant.closed_at = if empty { grant.closed_at.or(Some(now)) } else { None };
        if !self.writes.new_grants.contains(&id) {
            self.writes.grants.insert(id);
        }
        Ok(())
    }

    /// What the batch moved on our own accounts, one row a mode and place.
    pub fn deltas(&self, commit_id: uuid::Uuid, at: Timestamp) -> Vec<book_delta::Model> {
        let mut sums: BTreeMap<(Mode, &'static str), (Place, i64)> = BTreeMap::new();
        for transfer in &self.writes.transfers {
            let amount = transfer.amount.thousandths();
            for (place, signed) in [(transfer.debit, -amount), (transfer.credit, amount)] {
                if is_ours(place) {
                    sums.entry((transfer.mode, place_name(place))).or_insert((place, 0)).1 += signed;
                }
            }
        }
        let row = |((mode, _), (place, amount))| book_delta::Model {
            commit_id,
            mode,
            place,
            amount: Credits::from_thousandths(amount),
            at,
        };
        sums.into_iter().filter(|(_, (_, amount))| *amount != 0).map(row).collect()
    }
}

/// When a grant really ends: its grace, once it has one, else its expiry. `None` is never.
pub fn expiry(grant: &grant::Model) -> Option<Timestamp> {
    grant.grace_until.or(grant.expires_at)
}

/// Whether nothing of a grant may be spent any more.
pub fn is_over(grant: &grant::Model, now: Timestamp) -> bool {
    expiry(grant).is_some_and(|end| end <= now)
}

/// What can be spent: posted minus held.
pub fn available(account: &account::Model) -> Credits {
    let thousandths =
        account.credited.thousandths() - account.debited.thousandths() - account.held.thousandths();
    Credits::from_thousandths(thousandths)
}

/// What can be spent of an account by an instant: what is over of its grants no more, even if that is not written yet.
pub fn spendable<'a>(
    account: &account::Model,
    grants: impl IntoIterator<Item = &'a grant::Model>,
    now: Timestamp,
) -> Credits {
    let over = grants.into_iter().filter(|grant| is_over(grant, now)).map(|grant| grant.remaining);
    over.fold(available(account), |rest, part| taken(rest, part).unwrap_or(Credits::ZERO))
}

/// Our own accounts are sums over the journal; the other three places are the customer's.
pub fn is_ours(place: Place) -> bool {
    !matches!(place, Place::Available | Place::Held | Place::Debt)
}

pub fn place_name(place: Place) -> &'static str {
    match place {
        Place::Available => "available",
        Place::Held => "held",
        Place::Debt => "debt",
        Place::Purchases => "purchases",
        Place::Promotions => "promotions",
        Place::Revenue => "revenue",
        Place::Expired => "expired",
        Place::Adjustments => "adjustments",
    }
}

pub fn usage_row(usage: &key_usage::Model) -> UsageRow {
    match usage.win {
        UsageWindow::Day => UsageRow::Day(usage.starts_at),
        UsageWindow::Lifetime => UsageRow::Lifetime,
    }
}

/// Moves an amount from one place to another on the account's counters; `None` when a counter would leave its range or
/// no such movement exists.
fn shift(account: &mut account::Model, debit: Place, credit: Place, amount: Credits) -> Option<()> {
    let add = |counter: &mut Credits| counter.checked_add(amount).map(|sum| *counter = sum);
    let take = |counter: &mut Credits| taken(*counter, amount).map(|rest| *counter = rest);
    match (debit, credit) {
        (Place::Available, Place::Held) => add(&mut account.held)?,
        (Place::Held, Place::Available) => take(&mut account.held)?,
        (Place::Held, _) => {
            take(&mut account.held)?;
            add(&mut account.debited)?;
        }
        (Place::Available, Place::Debt) => {
            add(&mut account.debited)?;
            take(&mut account.debt)?;
        }
        (Place::Available, _) => add(&mut account.debited)?,
        (Place::Debt, _) => add(&mut account.debt)?,
        (_, Place::Available) => add(&mut account.credited)?,
        _ => return None,
    }
    (!available(account).is_negative()).then_some(())
}

/// `from - amount`, unless that is below zero.
pub fn taken(from: Credits, amount: Credits) -> Option<Credits> {
    from.checked_sub(amount).filter(|rest| !rest.is_negative())
}

fn transfer_of(account: &account::Model, movement: Movement) -> transfer::Model {
    transfer::Model {
        account_id: account.id,
        seq: account.seq,
        at: account.last_at,
        mode: account.mode,
        kind: movement.kind,
        debit: movement.debit,
        credit: movement.credit,
        amount: movement.amount,
        available_after: available(account),
        held_after: account.held,
        debt_after: account.debt,
        task_id: movement.task,
        grant_id: movement.grant,
        reference: movement.reference,
        hash: Vec::new(),
    }
}
