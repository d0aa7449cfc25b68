//! A book in which everything has happened, and the tools of somebody who wants to change it unnoticed.
//!
//! Each corruption happens inside a transaction that is audited and rolled back, so that one book serves many.

use std::collections::BTreeSet;

use entity::clip::ClipState;
use entity::grant::GrantClass;
use entity::{AccountId, Credits, Mode, account, attempt, transfer};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait,
    QueryFilter, QueryOrder, Statement,
};
use uuid::Uuid;

use super::{Report, Scope, names, nobody};
use crate::ledger::chain::{Chain, GENESIS};
use crate::ledger::tests::house::{House, credits, on_every_engine};
use crate::ledger::tests::rows::{clip, delivered, failed};
use crate::ledger::{Command, Outcome};

/// Statements, and the names of the invariants that they break. `{a}` is the account in which everything happened, `{b}`
/// another one in test mode, `{nobody}` an id that nothing has. Every chain is sealed again afterwards, as by somebody who
/// has the secret.
pub struct Corruption {
    pub sql: &'static [&'static str],
    pub breaks: &'static [&'static str],
}

/// Two accounts in test mode, `a` and `b`, and a live one in debt.
pub struct Accounts {
    pub a: AccountId,
    pub b: AccountId,
}

/// Grants of each class, a task in each state, a refund, corrections up and down, debt, and credits that expired.
pub async fn lived_in(house: &House) -> Accounts {
    let a = house.account().await;
    house.grant(a, credits(20), GrantClass::Promotional, Some(3_600)).await;
    house.grant(a, credits(200), GrantClass::Paid, None).await;
    let key = house.key(a, None).await;
    let mut asked = house.request(a, credits(12));
    asked.task.key_id = Some(key);
    asked.task.clips = 2;
    let partial = house.accepted(asked).await;
    let clips = vec![clip(partial, 0, ClipState::Delivered), clip(partial, 1, ClipState::Failed)];
    house.settle(a, partial, Outcome::Delivered { capture: credits(7), clips }).await;
    house.refund(a, partial, credits(2)).await.unwrap();
    let whole = house.accept(a, credits(30)).await;
    house.settle(a, whole, delivered(whole, credits(30))).await;
    house.grant(a, credits(15), GrantClass::Promotional, Some(3_600)).await;
    for outcome in [failed(), Outcome::Canceled, Outcome::Expired] {
        let task = house.accept(a, credits(5)).await;
        house.run(task).await;
        house.settle(a, task, outcome).await;
    }
    house.adjust(a, credits(3)).await;
    house.adjust(a, credits(-4)).await;
    house.accept(a, credits(6)).await;
    house.clock.advance(7_200);
    house.grant(a, credits(1), GrantClass::Compensation, None).await;
    let mut asked = house.request(a, credits(9));
    asked.task.key_id = Some(key);
    let running = house.accepted(asked).await;
    house.run(running).await;
    let b = house.funded(credits(50)).await;
    in_debt(house).await;
    Accounts { a, b }
}

async fn in_debt(house: &House) {
    let live = house.account_in(Mode::Live).await;
    house.grant(live, credits(5), GrantClass::Paid, None).await;
    house.adjust(live, credits(-8)).await;
    house.grant(live, credits(1), GrantClass::Promotional, Some(3_600)).await;
    house.done(Command::Expire(live)).await;
    assert_eq!(house.balance(live).await, (Credits::ZERO, Credits::ZERO, credits(2)));
}

/// Applies each corruption to the same book, on every engine, and compares what is reported.
pub async fn corrupt(corruptions: &[Corruption]) {
    on_every_engine(async |house| {
        let accounts = lived_in(house).await;
        for corruption in corruptions {
            let forge = async |tx: &DatabaseTransaction| {
                for sql in corruption.sql {
                    run(tx, &accounts, sql).await;
                }
                reseal(tx, &house.chain).await;
            };
            let report = audited_after(house, forge).await;
            let expected: BTreeSet<_> = corruption.breaks.iter().copied().collect();
            assert_eq!(names(&report), expected, "{:?}\n{:#?}", corruption.sql, report.violations);
        }
    })
    .await;
}

/// What an audit finds after a change that is then undone.
pub async fn audited_after(house: &House, change: impl AsyncFnOnce(&DatabaseTransaction)) -> Report {
    let tx = house.db.begin().await.unwrap();
    unguarded(&tx, change).await;
    let report = super::super::audit(&tx, &house.chain, Scope::Everything).await.unwrap();
    tx.rollback().await.unwrap();
    report
}

/// Makes a change while append-only tables are not guarded. PostgreSQL fires no trigger in a session that says it is a
/// replica; SQLite can't switch one off, so they go and come back.
pub async fn unguarded(tx: &DatabaseTransaction, change: impl AsyncFnOnce(&DatabaseTransaction)) {
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared("SET LOCAL session_replication_role = replica").await.unwrap();
        return change(tx).await;
    }
    let sql = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'";
    let triggers = tx.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.unwrap();
    for trigger in &triggers {
        let name: String = trigger.try_get("", "name").unwrap();
        tx.execute_unprepared(&format!("DROP TRIGGER {name}")).await.unwrap();
    }
    change(tx).await;
    for trigger in &triggers {
        let sql: String = trigger.try_get("", "sql").unwrap();
        tx.execute_unprepared(&sql).await.unwrap();
    }
}

async fn run(tx: &DatabaseTransaction, accounts: &Accounts, sql: &str) {
    let literal = |id: Uuid| match tx.get_database_backend() {
        DbBackend::Postgres => format!("'{id}'::uuid"),
        _ => format!("x'{}'", id.simple()),
    };
    let ids = [("{a}", accounts.a.0), ("{b}", accounts.b.0), ("{nobody}", nobody())];
    let sql = ids.iter().fold(sql.to_owned(), |sql, (name, id)| sql.replace(name, &literal(*id)));
    let done = tx.execute_unprepared(&sql).await.unwrap();
    let counted = ["UPDATE", "DELETE", "INSERT"].iter().any(|verb| sql.starts_with(verb));
    assert!(!counted || done.rows_affected() > 0, "changes nothing: {sql}");
}

/// Seals every journal again, as somebody could who has the secret.
async fn reseal(tx: &DatabaseTransaction, chain: &Chain) {
    let accounts = account::Entity::find().all(tx).await.unwrap();
    for owner in accounts {
        let mut head = GENESIS.to_vec();
        let journal = transfer::Entity::find().filter(transfer::Column::AccountId.eq(owner.id));
        for transfer in journal.order_by_asc(transfer::Column::Seq).all(tx).await.unwrap() {
            head = chain.seal(&head, &transfer).to_vec();
            let hash = ActiveValue::Set(head.clone());
            let sealed = transfer::ActiveModel { hash, ..transfer.into() };
            sealed.update(tx).await.unwrap();
        }
        account::ActiveModel { head: ActiveValue::Set(head), ..owner.into() }.update(tx).await.unwrap();
    }
}

/// A second attempt at the first clip of the running task, under way at the same time.
pub async fn submit_twice(tx: &DatabaseTransaction) {
    let running =
        attempt::Entity::find().filter(attempt::Column::State.eq("accepted")).one(tx).await.unwrap();
    let running = running.unwrap();
    let second = attempt::Model { n: 2, submit_key: "second".into(), upstream_id: None, ..running };
    attempt::ActiveModel::from(second).reset_all().insert(tx).await.unwrap();
}
