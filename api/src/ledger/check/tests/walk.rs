//! Corruptions of the journal and of what an account says about it.

use std::collections::BTreeSet;

use sea_orm::ConnectionTrait;

use super::book::{Corruption, audited_after, corrupt, lived_in};
use super::{names, on_every_engine};

#[tokio::test]
async fn what_is_wrong_along_a_journal_is_reported_by_its_name() {
    let corruptions = [
        Corruption { sql: &["UPDATE account SET seq = seq + 1 WHERE id = {a}"], breaks: &["seq-gapless"] },
        Corruption {
            sql: &[
                "UPDATE transfer SET seq = seq + 1 WHERE account_id = {b} AND seq = 1",
                "UPDATE account SET seq = seq + 1 WHERE id = {b}",
            ],
            breaks: &["seq-gapless"],
        },
        Corruption {
            sql: &["UPDATE transfer SET at = 5 WHERE account_id = {a} AND seq = 3"],
            breaks: &["time-forward"],
        },
        Corruption { sql: &["UPDATE account SET last_at = 5 WHERE id = {a}"], breaks: &["time-forward"] },
        Corruption {
            sql: &[
                "UPDATE transfer SET available_after = available_after + 1 WHERE account_id = {a} AND seq = 2",
            ],
            breaks: &["running-balance"],
        },
        Corruption {
            sql: &["UPDATE transfer SET held_after = held_after + 1 WHERE account_id = {a} AND seq = 2"],
            breaks: &["running-balance"],
        },
        Corruption {
            sql: &["UPDATE transfer SET debt_after = debt_after + 1 WHERE account_id = {a} AND seq = 2"],
            breaks: &["running-balance"],
        },
        Corruption {
            sql: &["UPDATE account SET credited = credited + 1, debited = debited + 1 WHERE id = {a}"],
            breaks: &["cached-balance"],
        },
        // The first grant and the first hold change places: spent before it was given. The database would refuse to say so
        // in the running balance, so that says something else.
        Corruption {
            sql: &[
                "UPDATE transfer SET seq = 99 WHERE account_id = {a} AND seq = 1",
                "UPDATE transfer SET seq = 1 WHERE account_id = {a} AND seq = 3",
                "UPDATE transfer SET seq = 3 WHERE account_id = {a} AND seq = 99",
                "UPDATE transfer SET at = (SELECT last_at FROM account WHERE id = {a}) WHERE account_id = {a}",
            ],
            breaks: &["never-negative", "running-balance"],
        },
    ];
    corrupt(&corruptions).await;
}

#[tokio::test]
async fn whatever_is_changed_in_a_transfer_breaks_the_chain() {
    let changes = [
        "reference = 'psp:test:forged'",
        "at = at + 1",
        "kind = 'adjust'",
        "debit = 'promotions'",
        "amount = amount + 1",
        "available_after = available_after + 1",
        "grant_id = NULL",
        "hash = (SELECT head FROM account WHERE seq = 1)",
    ];
    on_every_engine(async |house| {
        lived_in(house).await;
        for change in changes {
            let sql = format!(
                "UPDATE transfer SET {change} WHERE kind = 'grant' AND debit = 'purchases' AND seq = 2"
            );
            let report = audited_after(house, async |tx| {
                assert_eq!(tx.execute_unprepared(&sql).await.unwrap().rows_affected(), 1);
            });
            assert!(names(&report.await).contains("hash-chain"), "{change}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_head_that_is_not_the_last_hash_is_reported() {
    on_every_engine(async |house| {
        lived_in(house).await;
        let report = audited_after(house, async |tx| {
            let sql = "UPDATE account SET head = (SELECT head FROM account WHERE seq = 1) WHERE seq > 1";
            tx.execute_unprepared(sql).await.unwrap();
        });
        assert_eq!(names(&report.await), BTreeSet::from(["hash-chain"]));
    })
    .await;
}
