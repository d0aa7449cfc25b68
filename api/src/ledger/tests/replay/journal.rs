//! The journal of an account through the pure core, transfer by transfer, beside what its clients were told.
//!
//! A transfer names the request that caused it: its task, or its reference. The core decides that request again at the
//! transfer's own instant and must write exactly the transfers that follow, down to their hashes. Whoever changed nothing
//! (refused, or told what was recorded) must have been told something that the core says at a point of the account's history
//! that lies between the question and the answer.

use std::collections::HashMap;

use entity::transfer::TransferKind;
use entity::{AccountId, Credits, Timestamp, account, api_key, grant, hold, transfer};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::super::house::House;
use super::witness::Record;
use crate::ledger::book::Book;
use crate::ledger::chain::{Chain, GENESIS};
use crate::ledger::decide::properties::audit::reloaded;
use crate::ledger::decide::{Context, decide};
use crate::ledger::{Command, Done, Refusal};

/// Replays every account that the records are about; the accounts must have no other history.
pub async fn assert_replays(house: &House, records: &[Record]) {
    let mut by_account: HashMap<AccountId, Vec<&Record>> = HashMap::new();
    for record in records {
        by_account.entry(record.account()).or_default().push(record);
    }
    for (account, records) in by_account {
        let mut replay = Replay::of(house, account, &records).await;
        replay.run();
        replay.assert_ends_like(house).await;
    }
}

/// What in the journal names a request: how its first transfer begins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Cause {
    Hold(entity::TaskId),
    End(entity::TaskId),
    Booking(String),
}

struct Replay<'a> {
    account: AccountId,
    chain: &'a Chain,
    journal: Vec<transfer::Model>,
    /// Grants that the lane opened by itself for what was refunded, with the instant.
    replacements: Vec<(Timestamp, Uuid)>,
    causes: HashMap<Cause, &'a Record>,
    /// Who changed nothing and must have been told something true.
    open: Vec<&'a Record>,
    book: Book,
    /// Of the requests that were replayed so far, the latest question.
    asked: u64,
}

impl<'a> Replay<'a> {
    async fn of(house: &'a House, account: AccountId, records: &[&'a Record]) -> Self {
        let db = house.db.read();
        let journal = transfer::Entity::find().filter(transfer::Column::AccountId.eq(account));
        let journal = journal.order_by_asc(transfer::Column::Seq).all(db).await.unwrap();
        let (changed, open) = records.iter().partition(|record| record.changed_something());
        let replacements = grants(house, account).await.into_iter().filter(is_replacement);
        Replay {
            account,
            chain: &house.chain,
            journal,
            replacements: replacements.map(|grant| (grant.created_at, grant.id.0)).collect(),
            causes: causes(changed),
            open,
            book: empty_book(house, account).await,
            asked: 0,
        }
    }

    fn run(&mut self) {
        let mut replayed = 0;
        while let Some(next) = self.journal.get(replayed).cloned() {
            self.hear_who_could_be_told_now(Some(&next));
            self.step(&next);
            let written = std::mem::take(&mut self.book.writes).transfers;
            let stored = &self.journal[replayed..self.journal.len().min(replayed + written.len())];
            assert_eq!(written, stored, "the core writes something else");
            replayed += written.len();
        }
        self.hear_who_could_be_told_now(None);
        assert!(self.causes.is_empty(), "acknowledged, and it is not in the journal: {:#?}", self.causes);
        assert!(self.open.is_empty(), "could not be told so at any moment: {:#?}", self.open);
    }

    /// Decides again what wrote this transfer, and compares the answers.
    fn step(&mut self, first: &transfer::Model) {
        let Some(cause) = cause(first) else {
            let expired = self.decide(&Command::Expire(self.account), first);
            assert!(
                matches!(expired, Ok(Done::Expired(sum)) if sum >= first.amount),
                "{expired:?}: {first:?}"
            );
            return;
        };
        let record = self.causes.remove(&cause).unwrap_or_else(|| panic!("nobody was told of {first:?}"));
        let in_time = record.asked.at <= first.at && first.at <= record.answered.at;
        assert!(in_time, "not while it was asked for: {first:?} of {record:#?}");
        assert!(record.answered.turn > self.asked, "before what was over already: {record:#?}");
        self.asked = self.asked.max(record.asked.turn);
        assert_eq!(self.decide(&record.command, first), record.answer, "{record:#?}");
    }

    /// Ids that the lane made by itself are found in what they were made for.
    fn decide(&mut self, command: &Command, first: &transfer::Model) -> Result<Done, Refusal> {
        let replacements = self.replacements.iter().filter(|(at, _)| *at == first.at).map(|(_, id)| *id);
        let spare = first.grant_id.map(|id| id.0).or(replacements.min()).unwrap_or_default();
        decide(&mut self.book, command, spare, &Context { now: first.at, chain: self.chain })
    }

    /// Strikes everybody off who could be told their answer here, before the next transfer: nothing that was replayed was
    /// asked for after their answer, and nothing that is still to come was over before their question.
    fn hear_who_could_be_told_now(&mut self, next: Option<&transfer::Model>) {
        let asked = self.asked;
        let over = self.causes.values().map(|record| record.answered.turn).min();
        let (book, chain) = (&self.book, self.chain);
        self.open.retain(|record| {
            let here = record.answered.turn > asked && over.is_none_or(|turn| turn > record.asked.turn);
            !(here && is_told(book, chain, record, next))
        });
    }

    async fn assert_ends_like(&self, house: &House) {
        assert_eq!(self.book.accounts[&self.account], house.row(self.account).await);
        for grant in grants(house, self.account).await {
            assert_eq!(self.book.grants.get(&grant.id), Some(&grant));
        }
        let holds = hold::Entity::find().filter(hold::Column::AccountId.eq(self.account));
        for hold in holds.all(house.db.read()).await.unwrap() {
            assert_eq!(self.book.holds.get(&hold.task_id), Some(&hold));
        }
    }
}

/// Whether the core gives this answer here: at the instant of the question, or of what expired while it was open.
fn is_told(book: &Book, chain: &Chain, record: &Record, next: Option<&transfer::Model>) -> bool {
    let expiry = next.filter(|next| next.kind == TransferKind::Expire).map(|next| next.at);
    let instants = [Some(record.asked.at), expiry.filter(|at| *at <= record.answered.at)];
    instants.into_iter().flatten().any(|now| {
        let answer = decide(&mut reloaded(book), &record.command, Uuid::nil(), &Context { now, chain });
        answer == record.answer
    })
}

fn causes(records: Vec<&Record>) -> HashMap<Cause, &Record> {
    let mut causes = HashMap::new();
    for record in records {
        let cause = match (&record.command, record.task(), record.reference()) {
            (_, _, Some(reference)) => Cause::Booking(reference.to_owned()),
            (Command::Accept(_), Some(task), _) => Cause::Hold(task),
            (_, Some(task), _) => Cause::End(task),
            _ => panic!("what could this change? {record:?}"),
        };
        let twice = causes.insert(cause, record);
        assert!(twice.is_none(), "two were told that they did it: {record:#?} and {twice:#?}");
    }
    causes
}

/// Who caused what begins with this transfer; what expires needs nobody.
fn cause(first: &transfer::Model) -> Option<Cause> {
    let task = || first.task_id.expect("the task of a hold");
    match first.kind {
        TransferKind::Hold => Some(Cause::Hold(task())),
        TransferKind::Capture | TransferKind::Release => Some(Cause::End(task())),
        TransferKind::Expire => None,
        _ => Some(Cause::Booking(first.reference.clone().unwrap_or_else(|| panic!("unnamed: {first:?}")))),
    }
}

fn is_replacement(grant: &grant::Model) -> bool {
    grant.source.starts_with("refund:")
}

async fn grants(house: &House, account: AccountId) -> Vec<grant::Model> {
    let grants = grant::Entity::find().filter(grant::Column::AccountId.eq(account));
    grants.all(house.db.read()).await.unwrap()
}

/// The account as it was when nothing had happened, and its keys.
async fn empty_book(house: &House, id: AccountId) -> Book {
    let row = house.row(id).await;
    let new = account::Model {
        credited: Credits::ZERO,
        debited: Credits::ZERO,
        held: Credits::ZERO,
        debt: Credits::ZERO,
        seq: 0,
        event_seq: 0,
        last_at: row.created_at,
        head: GENESIS.to_vec(),
        ..row
    };
    let keys = api_key::Entity::find().filter(api_key::Column::AccountId.eq(id));
    let keys = keys.all(house.db.read()).await.unwrap().into_iter().map(|key| (key.id, key)).collect();
    Book { accounts: [(id, new)].into(), keys, ..Book::default() }
}
