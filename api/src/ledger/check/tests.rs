//! A clean book is clean; and whatever is changed in it behind the lane's back is reported, by its name and no other.

mod book;
mod money;
mod walk;
mod work;

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DbBackend};

use super::{Report, Scope, Violation, check};
use crate::ledger::chain::Chain;
use crate::ledger::tests::house::{credits, nobody, on_every_engine};
use crate::secret::Secret;
use book::{Corruption, corrupt, lived_in};

#[tokio::test]
async fn a_book_with_everything_in_it_is_clean_and_read_whole() {
    on_every_engine(async |house| {
        lived_in(house).await;
        let report = check(&house.db, &house.chain, Scope::Everything).await.unwrap();
        assert_eq!((report.accounts, report.transfers, report.violations), (3, 27, Vec::new()));
    })
    .await;
}

#[tokio::test]
async fn a_book_sealed_with_another_secret_is_not_ours() {
    on_every_engine(async |house| {
        house.funded(credits(1)).await;
        let stranger = Chain::new(&Secret::parse(&"6b".repeat(32)).unwrap());
        let report = check(&house.db, &stranger, Scope::Everything).await.unwrap();
        assert_eq!(names(&report), BTreeSet::from(["hash-chain"]));
    })
    .await;
}

#[tokio::test]
async fn a_pass_over_what_changed_leaves_out_older_accounts_and_the_totals() {
    on_every_engine(async |house| {
        let old = house.funded(credits(1)).await;
        house.clock.advance(3_600);
        let since = house.clock.now();
        house.clock.advance(3_600);
        house.funded(credits(1)).await;
        let changed = Scope::Changed { since };
        let report = check(&house.db, &house.chain, changed).await.unwrap();
        assert_eq!((report.accounts, report.transfers), (1, 1));
        let tx = house.db.begin().await.unwrap();
        tx.execute_unprepared("UPDATE book_delta SET amount = amount + 1").await.unwrap();
        tx.execute_unprepared("UPDATE account SET debited = debited + 1, credited = credited + 1")
            .await
            .unwrap();
        let report = super::audit(&tx, &house.chain, changed).await.unwrap();
        let [found] = &report.violations[..] else { panic!("{:#?}", report.violations) };
        assert_eq!(found.invariant, "cached-balance");
        assert_ne!(found.subject, old.to_string());
        let report = super::audit(&tx, &house.chain, Scope::Everything).await.unwrap();
        assert_eq!(names(&report), BTreeSet::from(["cached-balance", "book-deltas"]));
    })
    .await;
}

/// Totals and orphans: what is wrong although each account by itself is right.
#[tokio::test]
async fn what_is_wrong_in_the_whole_is_reported_by_its_name() {
    let corruptions = [
        Corruption {
            sql: &["UPDATE book_delta SET amount = amount + 1 WHERE place = 'revenue' AND mode = 'test'"],
            breaks: &["book-deltas"],
        },
        Corruption { sql: &["DELETE FROM book_delta WHERE place = 'expired'"], breaks: &["book-deltas"] },
        Corruption {
            sql: &[
                "DROP VIEW entry",
                "CREATE VIEW entry AS SELECT mode, CASE debit WHEN 'held' THEN 'available' ELSE debit END AS place,
                    -amount AS amount FROM transfer UNION ALL SELECT mode, credit, amount FROM transfer",
            ],
            breaks: &["places-are-accounts"],
        },
        Corruption {
            sql: &["UPDATE account SET credited = credited + 1 WHERE id = {a}"],
            breaks: &["account-is-grants", "book-zero", "cached-balance", "places-are-accounts"],
        },
        Corruption {
            sql: &["UPDATE attempt SET task_id = {nobody} WHERE task_id = (SELECT id FROM task WHERE state = 'failed')"],
            breaks: &["owner-exists"],
        },
        Corruption {
            sql: &["INSERT INTO key_usage (key_id, win, starts_at, used, open) VALUES ({nobody}, 'lifetime', 0, 1, 0)"],
            breaks: &["owner-exists"],
        },
    ];
    corrupt(&corruptions).await;
}

#[tokio::test]
async fn a_guard_that_is_missing_or_switched_off_is_reported() {
    on_every_engine(async |house| {
        let everywhere = [
            "DROP INDEX transfer_once_a_hold",
            "DROP INDEX attempt_upstream",
            "DROP INDEX transfer_once_a_reference",
        ];
        let here = match house.db.backend() {
            DbBackend::Postgres => POSTGRES_DAMAGE,
            _ => SQLITE_DAMAGE,
        };
        for damage in everywhere.iter().chain(here) {
            let tx = house.db.begin().await.unwrap();
            tx.execute_unprepared(damage).await.unwrap();
            let report = super::audit(&tx, &house.chain, Scope::Everything).await.unwrap();
            assert_eq!(names(&report), BTreeSet::from(["guards"]), "{damage}");
        }
    })
    .await;
}

const POSTGRES_DAMAGE: &[&str] = &[
    "DROP TRIGGER transfer_append_only ON transfer",
    "ALTER TABLE adjustment DISABLE TRIGGER adjustment_append_only",
    "ALTER TABLE price_version ENABLE REPLICA TRIGGER price_version_append_only",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
    "ALTER TABLE account DROP CONSTRAINT account_held_check",
];

const SQLITE_DAMAGE: &[&str] = &[
    "DROP TRIGGER transfer_no_update",
    "DROP TRIGGER adjustment_no_delete",
    "DROP TRIGGER audit_root_no_replace",
    "DROP TRIGGER transfer_no_delete; CREATE TRIGGER transfer_no_delete BEFORE DELETE ON transfer WHEN false
        BEGIN SELECT RAISE(ABORT, 'never'); END",
    "DROP TRIGGER transfer_no_update; CREATE TRIGGER transfer_no_update BEFORE UPDATE ON transfer BEGIN SELECT 1; END",
    "DROP TABLE key_usage; CREATE TABLE key_usage (key_id BLOB, win text, starts_at INTEGER, used INTEGER, open INTEGER, open_tasks INTEGER) STRICT",
];

#[test]
fn a_violation_is_one_line_and_a_hundred_of_a_kind_are_enough() {
    let violation =
        |invariant, n: i32| Violation { invariant, subject: n.to_string(), detail: "wrong".into() };
    let mut report = Report::default();
    for n in 0..150 {
        report.add(violation("time-forward", n));
    }
    report.add(violation("guards", 1));
    assert_eq!(report.violations.len(), 101);
    assert_eq!(report.violations[7].to_string(), "time-forward: 7: wrong");
}

fn names(report: &Report) -> BTreeSet<&'static str> {
    report.violations.iter().map(|violation| violation.invariant).collect()
}
