//! Keeping the books short and sealed: the hourly root over all chains, and day sums of what our own accounts moved.

use std::collections::BTreeMap;

use entity::transfer::Place;
use entity::{AccountId, Credits, Mode, Timestamp, account, audit_root, book_delta};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::book::place_name;
use crate::db::Db;

const PAGE: u64 = 500;
/// Rows that one run of the compaction takes up.
const MAX_COMPACTED: u64 = 5_000;
/// How long a commit's own deltas stay, in seconds: whoever adds them up takes many at once.
const TAIL_SECONDS: i64 = 60;

/// Writes a Merkle root over every account's chain head, and says it to the log: whoever rewrites history must rewrite both.
pub async fn write_root(db: &Db, now: Timestamp) -> Result<(), DbErr> {
    let (mut leaves, mut transfers, mut after) = (Vec::new(), 0, None::<AccountId>);
    loop {
        let mut page = account::Entity::find().order_by_asc(account::Column::Id).limit(PAGE);
        if let Some(after) = after {
            page = page.filter(account::Column::Id.gt(after));
        }
        let page = page.all(db.read()).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        transfers += page.iter().map(|account| account.seq).sum::<i64>();
        leaves.extend(page.iter().map(leaf));
    }
    let accounts = leaves.len() as i64;
    let root = merkle_root(leaves);
    let row = audit_root::Model { at: now, accounts, transfers, root: root.to_vec() };
    let tx = db.begin().await?;
    let once = OnConflict::column(audit_root::Column::At).do_nothing().to_owned();
    audit_root::Entity::insert(row.into_active_model()).on_conflict(once).exec_without_returning(&tx).await?;
    tx.commit().await?;
    tracing::info!(accounts, transfers, root = hex::encode(root), "audit root");
    Ok(())
}

fn leaf(account: &account::Model) -> [u8; 32] {
    let hash = Sha256::new_with_prefix([0]);
    let hash = hash.chain_update(account.id.0.as_bytes()).chain_update(account.seq.to_be_bytes());
    hash.chain_update(&account.head).finalize().into()
}

fn merkle_root(mut level: Vec<[u8; 32]>) -> [u8; 32] {
    let parent = |pair: &[[u8; 32]]| {
        pair.iter().fold(Sha256::new_with_prefix([1]), |hash, node| hash.chain_update(node)).finalize().into()
    };
    while level.len() > 1 {
        level = level.chunks(2).map(parent).collect();
    }
    level.first().copied().unwrap_or_default()
}

/// Adds the deltas of what is not brand-new up, one row a day, mode and place, so that a trial balance is days and a short
/// tail. Whoever watches our accounts asks for one every few seconds.
pub async fn compact_deltas(db: &Db, now: Timestamp) -> Result<(), DbErr> {
    let old = book_delta::Entity::find()
        .filter(book_delta::Column::At.lt(now.plus_seconds(-TAIL_SECONDS)))
        .filter(book_delta::Column::CommitId.gt(Uuid::from_u128(u128::from(u64::MAX))));
    // Nothing is written while nothing happens.
    if old.clone().one(db.read()).await?.is_none() {
        return Ok(());
    }
    let tx = db.begin().await?;
    let old = old.order_by_asc(book_delta::Column::CommitId).limit(MAX_COMPACTED).all(&tx).await?;
    let mut commits: Vec<Uuid> = whole_commits(&old).iter().map(|row| row.commit_id).collect();
    commits.dedup();
    // What is added up is what this run deleted: another process may be at the same rows.
    let mut mine = Vec::new();
    for some in commits.chunks(1_000) {
        let those = book_delta::Column::CommitId.is_in(some.iter().copied());
        mine.extend(book_delta::Entity::delete_many().filter(those).exec_with_returning(&tx).await?);
    }
    for ((day, mode, _), (place, amount)) in sums(&mine) {
        add_to_day(&tx, day, mode, place, amount).await?;
    }
    tx.commit().await
}

/// A full page may end in the middle of a commit: that one is for the next run.
fn whole_commits(rows: &[book_delta::Model]) -> &[book_delta::Model] {
    let Some(last) = rows.last().filter(|_| rows.len() as u64 == MAX_COMPACTED) else { return rows };
    let end = rows.partition_point(|row| row.commit_id < last.commit_id);
    &rows[..end]
}

type Sums = BTreeMap<(Timestamp, Mode, &'static str), (Place, i64)>;

fn sums(rows: &[book_delta::Model]) -> Sums {
    let mut sums = Sums::new();
    for row in rows {
        let key = (row.at.day(), row.mode, place_name(row.place));
        sums.entry(key).or_insert((row.place, 0)).1 += row.amount.thousandths();
    }
    sums
}

/// A day's row is named by the day: far below every commit's id, which starts with the time in milliseconds.
async fn add_to_day(
    tx: &DatabaseTransaction,
    day: Timestamp,
    mode: Mode,
    place: Place,
    amount: i64,
) -> Result<(), DbErr> {
    let commit_id = Uuid::from_u128(u128::from(day.seconds().unsigned_abs()));
    let row =
        book_delta::Model { commit_id, mode, place, amount: Credits::from_thousandths(amount), at: day };
    let key = [book_delta::Column::CommitId, book_delta::Column::Mode, book_delta::Column::Place];
    let amount = (book_delta::Entity, book_delta::Column::Amount);
    let sum = Expr::col(amount).add(Expr::cust("excluded.amount"));
    let add = OnConflict::columns(key).value(book_delta::Column::Amount, sum).to_owned();
    book_delta::Entity::insert(row.into_active_model()).on_conflict(add).exec_without_returning(tx).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::house::{credits, on_every_engine};

    #[tokio::test]
    async fn adding_up_what_commits_moved_changes_no_sum_even_if_two_do_it_at_once() {
        on_every_engine(async |house| {
            for paid in [credits(10), credits(4)] {
                let account = house.funded(credits(100)).await;
                let task = house.accept(account, credits(10)).await;
                house.run(task).await;
                house.deliver(account, task, paid).await;
                let tomorrow = house.clock.now().plus_seconds(86_400);
                let compact = || compact_deltas(&house.db, tomorrow);
                let (one, other) = futures_util::join!(compact(), compact());
                one.and(other).unwrap();
            }
            let rows = book_delta::Entity::find().all(house.db.read()).await.unwrap();
            assert!(rows.iter().all(|row| row.at == row.at.day()), "{rows:?}");
        })
        .await;
    }

    #[test]
    fn the_root_depends_on_every_leaf_and_on_their_order() {
        let [a, b, c] = [[1; 32], [2; 32], [3; 32]];
        let roots = [vec![], vec![a], vec![a, b], vec![b, a], vec![a, b, c], vec![a, c, b]].map(merkle_root);
        for (i, root) in roots.iter().enumerate() {
            assert!(!roots[..i].contains(root), "root {i}");
        }
    }
}
