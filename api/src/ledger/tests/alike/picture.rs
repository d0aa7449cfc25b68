//! A whole book as rows that can be compared: without hashes, with instants by the hour, and with grants by their number
//! instead of their id, which the lane makes at random for those that it opens by itself.

use std::collections::BTreeMap;

use entity::{
    AccountId, GrantId, KeyId, TaskId, Timestamp, account, adjustment, attempt, clip, event, grant, hold,
    hold_allocation, job, key_usage, task, transfer,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::db::Db;
use crate::ledger::decide::properties::World;

#[derive(Debug, PartialEq)]
pub struct Picture {
    accounts: Vec<account::Model>,
    grants: Vec<grant::Model>,
    tasks: Vec<task::Model>,
    jobs: Vec<job::Model>,
    attempts: Vec<attempt::Model>,
    clips: Vec<clip::Model>,
    holds: Vec<hold::Model>,
    allocations: Vec<hold_allocation::Model>,
    transfers: Vec<transfer::Model>,
    events: Vec<event::Model>,
    adjustments: Vec<adjustment::Model>,
    usage: Vec<key_usage::Model>,
}

impl Picture {
    pub fn of_model(world: &World) -> Picture {
        let (book, written) = (&world.book, &world.written);
        let picture = Picture {
            accounts: book.accounts.values().cloned().collect(),
            grants: book.grants.values().cloned().collect(),
            tasks: book.tasks.values().cloned().collect(),
            jobs: book.jobs.values().cloned().collect(),
            attempts: book.attempts.values().flatten().cloned().collect(),
            clips: written.clips.clone(),
            holds: book.holds.values().cloned().collect(),
            allocations: book.allocations.values().flatten().cloned().collect(),
            transfers: written.transfers.clone(),
            events: written.events.clone(),
            adjustments: written.adjustments.clone(),
            usage: book.usage.values().cloned().collect(),
        };
        picture.plain()
    }

    /// What the database has of the accounts, tasks and keys of a world.
    pub async fn of_database(db: &Db, world: &World) -> Picture {
        let accounts: Vec<AccountId> = world.book.accounts.keys().copied().collect();
        let tasks: Vec<TaskId> = world.book.tasks.keys().copied().collect();
        let keys: Vec<KeyId> = world.book.keys.keys().copied().collect();
        macro_rules! rows {
            ($table:ident, $column:ident, $wanted:ident) => {
                $table::Entity::find()
                    .filter($table::Column::$column.is_in($wanted.iter().copied()))
                    .all(db.read())
                    .await
                    .unwrap()
            };
        }
        let picture = Picture {
            accounts: rows!(account, Id, accounts),
            grants: rows!(grant, AccountId, accounts),
            tasks: rows!(task, AccountId, accounts),
            jobs: rows!(job, AccountId, accounts),
            attempts: rows!(attempt, TaskId, tasks),
            clips: rows!(clip, TaskId, tasks),
            holds: rows!(hold, AccountId, accounts),
            allocations: rows!(hold_allocation, TaskId, tasks),
            transfers: rows!(transfer, AccountId, accounts),
            events: rows!(event, AccountId, accounts),
            adjustments: rows!(adjustment, AccountId, accounts),
            usage: rows!(key_usage, KeyId, keys),
        };
        picture.plain()
    }

    fn plain(mut self) -> Picture {
        self.number_grants();
        self.forget_what_differs();
        self.accounts.sort_by_key(|account| account.id);
        self.grants.sort_by_key(|grant| grant.id);
        self.tasks.sort_by_key(|task| task.id);
        self.jobs.sort_by_key(|job| job.task_id);
        self.attempts.sort_by_key(|attempt| (attempt.task_id, attempt.n));
        self.clips.sort_by_key(|clip| (clip.task_id, clip.idx));
        self.holds.sort_by_key(|hold| hold.task_id);
        self.allocations.sort_by_key(|part| (part.task_id, part.n));
        self.transfers.sort_by_key(|transfer| (transfer.account_id, transfer.seq));
        self.events.sort_by_key(|event| (event.account_id, event.n));
        self.adjustments.sort_by_key(|adjustment| adjustment.id);
        self.usage.sort_by_key(|usage| (usage.key_id, usage.starts_at));
        self
    }

    /// In the order in which they were opened.
    fn number_grants(&mut self) {
        self.grants.sort_by_key(|grant| (grant.created_at, grant.id));
        let number: BTreeMap<GrantId, GrantId> =
            (1..).zip(&self.grants).map(|(n, grant)| (grant.id, GrantId(Uuid::from_u128(n)))).collect();
        for grant in &mut self.grants {
            let origin = grant.source.strip_prefix("refund:").map(|id| number[&id.parse().unwrap()]);
            grant.source = origin.map_or_else(|| grant.source.clone(), |origin| format!("refund:{origin}"));
            grant.id = number[&grant.id];
        }
        self.allocations.iter_mut().for_each(|part| part.grant_id = number[&part.grant_id]);
        self.transfers
            .iter_mut()
            .for_each(|transfer| transfer.grant_id = transfer.grant_id.map(|id| number[&id]));
    }

    fn forget_what_differs(&mut self) {
        for account in &mut self.accounts {
            account.head = Vec::new();
            account.last_at = hour(account.last_at);
        }
        for grant in &mut self.grants {
            grant.created_at = hour(grant.created_at);
            grant.expires_at = grant.expires_at.map(hour);
            grant.grace_until = grant.grace_until.map(hour);
            grant.closed_at = grant.closed_at.map(hour);
        }
        for task in &mut self.tasks {
            task.created_at = hour(task.created_at);
            task.terminal_at = task.terminal_at.map(hour);
        }
        for job in &mut self.jobs {
            (job.created_at, job.run_at) = (hour(job.created_at), hour(job.run_at));
            (job.deadline_at, job.cancel_at) = (hour(job.deadline_at), job.cancel_at.map(hour));
        }
        for hold in &mut self.holds {
            (hold.accepted_at, hold.settled_at) = (hour(hold.accepted_at), hold.settled_at.map(hour));
        }
        for transfer in &mut self.transfers {
            (transfer.at, transfer.hash) = (hour(transfer.at), Vec::new());
        }
        self.attempts.iter_mut().for_each(|attempt| attempt.ended_at = attempt.ended_at.map(hour));
        self.events.iter_mut().for_each(|event| event.at = hour(event.at));
        self.adjustments.iter_mut().for_each(|adjustment| adjustment.at = hour(adjustment.at));
    }
}

fn hour(at: Timestamp) -> Timestamp {
    Timestamp::from_seconds(at.seconds().div_euclid(3_600) * 3_600)
}
