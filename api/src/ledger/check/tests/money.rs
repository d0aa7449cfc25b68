//! Corruptions between accounts, grants, holds, key usage and the journal.

use std::collections::BTreeSet;

use sea_orm::ConnectionTrait;

use super::book::{Corruption, audited_after, corrupt};
use super::{credits, names, on_every_engine};
use crate::ledger::tests::house::House;

#[tokio::test]
async fn what_is_wrong_in_an_account_is_reported_by_its_name() {
    let corruptions = [
        Corruption {
            sql: &["UPDATE account SET held = held + 1, credited = credited + 1 WHERE id = {a}"],
            breaks: &["held-is-open-holds", "account-is-grants", "cached-balance", "places-are-accounts", "book-zero"],
        },
        // A debt booked in every book but not repaid from what the customer has.
        Corruption {
            sql: &[
                "INSERT INTO transfer (account_id, seq, at, mode, kind, debit, credit, amount, available_after,
                    held_after, debt_after, reference, hash)
                SELECT account_id, 2, at, mode, 'debt', 'debt', 'adjustments', 7, available_after, held_after, 7,
                    'admin:forged', hash
                FROM transfer WHERE account_id = {b}",
                "UPDATE account SET seq = 2, debt = 7 WHERE id = {b}",
                "INSERT INTO adjustment (id, account_id, amount, reason, actor, reference, at)
                VALUES ({nobody}, {b}, -7, 'none', 'nobody', 'admin:forged', 0)",
                "INSERT INTO book_delta (commit_id, mode, place, amount, at)
                VALUES ({nobody}, 'test', 'adjustments', 7, 0)",
            ],
            breaks: &["debt-beside-credit"],
        },
        Corruption { sql: &["UPDATE adjustment SET amount = amount - 1"], breaks: &["adjustment-journal"] },
        Corruption { sql: &["DELETE FROM adjustment WHERE amount > 0"], breaks: &["adjustment-journal"] },
        Corruption {
            sql: &["UPDATE transfer SET debit = 'revenue' WHERE kind = 'grant' AND account_id = {b}"],
            breaks: &["transfer-places", "book-deltas"],
        },
        Corruption {
            sql: &["UPDATE key_usage SET used = used + 1 WHERE win = 'day'"],
            breaks: &["key-usage"],
        },
        Corruption {
            sql: &["UPDATE key_usage SET open = open + 1 WHERE win = 'lifetime'"],
            breaks: &["key-usage"],
        },
        Corruption {
            sql: &["UPDATE key_usage SET open_tasks = open_tasks + 1 WHERE win = 'lifetime'"],
            breaks: &["key-usage"],
        },
        Corruption {
            sql: &["UPDATE key_usage SET open_tasks = open_tasks - 1 WHERE win = 'day' AND open_tasks > 0"],
            breaks: &["key-usage"],
        },
        Corruption { sql: &["DELETE FROM key_usage"], breaks: &["key-usage"] },
    ];
    corrupt(&corruptions).await;
}

#[tokio::test]
async fn what_is_wrong_in_alerts_is_reported_by_its_name() {
    let corruptions = [
        Corruption {
            sql: &["UPDATE account SET alert_low = 1000 WHERE id = {b}"],
            breaks: &["alert-thresholds"],
        },
        Corruption {
            sql: &["UPDATE account SET alert_recover = 1000 WHERE id = {b}"],
            breaks: &["alert-thresholds"],
        },
        Corruption {
            sql: &["UPDATE account SET alert_low = 2000, alert_recover = 1999 WHERE id = {b}"],
            breaks: &["alert-thresholds"],
        },
        Corruption {
            sql: &["UPDATE account SET alert_state = 'low' WHERE id = {b}"],
            breaks: &["alert-thresholds"],
        },
        // 50 credits available, and nobody was told.
        Corruption {
            sql: &["UPDATE account SET alert_low = 50001, alert_recover = 60000 WHERE id = {b}"],
            breaks: &["alert-state"],
        },
        Corruption {
            sql: &[
                "UPDATE account SET alert_low = 1000, alert_recover = 2000, alert_state = 'low' WHERE mode = 'live'",
            ],
            breaks: &["alert-state"],
        },
        Corruption {
            sql: &[
                "UPDATE account SET alert_low = 50000, alert_recover = 60000 WHERE id = {b}",
                "UPDATE account SET alert_low = 60000, alert_recover = 70000, alert_state = 'low' WHERE id = {a}",
                "UPDATE account SET alert_low = 1, alert_recover = 1, alert_state = 'depleted' WHERE mode = 'live'",
            ],
            breaks: &[],
        },
    ];
    corrupt(&corruptions).await;
}

#[tokio::test]
async fn what_is_wrong_in_a_grant_is_reported_by_its_name() {
    let corruptions = [
        Corruption {
            sql: &[
                r#"UPDATE "grant" SET remaining = remaining - 1, voided = voided + 1 WHERE account_id = {b}"#,
            ],
            breaks: &["account-is-grants"],
        },
        Corruption {
            sql: &[
                r#"UPDATE "grant" SET held = held - 1, remaining = remaining + 1
                WHERE account_id = {a} AND class = 'compensation' AND held = 3000"#,
                r#"UPDATE "grant" SET held = held + 1, remaining = remaining - 1
                WHERE account_id = {a} AND class = 'paid'"#,
            ],
            breaks: &["grant-held"],
        },
        Corruption {
            sql: &[
                r#"UPDATE "grant" SET consumed = consumed + 1, remaining = remaining - 1
                WHERE account_id = {a} AND class = 'paid'"#,
                r#"UPDATE "grant" SET consumed = consumed - 1, remaining = remaining + 1, closed_at = NULL
                WHERE account_id = {a} AND class = 'promotional' AND consumed > 0"#,
            ],
            breaks: &["grant-consumed"],
        },
        Corruption {
            sql: &[
                r#"UPDATE "grant" SET expired = expired + 1, voided = voided - 1 WHERE account_id = {a} AND voided > 0"#,
            ],
            breaks: &["grant-journal"],
        },
        Corruption {
            sql: &[
                r#"UPDATE "grant" SET original = original + 1, voided = voided + 1 WHERE account_id = {b}"#,
            ],
            breaks: &["grant-journal"],
        },
    ];
    corrupt(&corruptions).await;
}

#[tokio::test]
async fn what_is_wrong_in_a_hold_is_reported_by_its_name() {
    let corruptions = [
        Corruption {
            sql: &["UPDATE hold_allocation SET returned = returned - 1 WHERE returned > 0"],
            breaks: &["hold-allocations"],
        },
        Corruption {
            sql: &[
                "UPDATE hold_allocation SET returned = 1 WHERE task_id IN (SELECT task_id FROM hold WHERE state = 'open')",
            ],
            breaks: &["hold-allocations"],
        },
        Corruption {
            sql: &["UPDATE transfer SET task_id = (SELECT task_id FROM job WHERE state = 'queued')
                WHERE kind = 'release' AND task_id = (SELECT id FROM task WHERE state = 'failed')"],
            breaks: &["hold-journal"],
        },
        Corruption {
            sql: &[
                "UPDATE hold SET refunded = refunded + 1 WHERE refunded > 0",
                "UPDATE hold_allocation SET refunded = refunded + 1 WHERE refunded > 0",
                "UPDATE key_usage SET used = used - 1",
            ],
            breaks: &["hold-journal"],
        },
    ];
    corrupt(&corruptions).await;
}

/// These break what the database itself refuses, so its refusal is taken away first.
#[tokio::test]
async fn what_even_the_database_would_refuse_is_reported() {
    let corruptions: [(&str, &str, &[&str]); 3] = [
        ("grant", r#"UPDATE "grant" SET voided = voided + 1"#, &["grant-sums"]),
        ("grant", r#"UPDATE "grant" SET closed_at = 1"#, &["grant-sums"]),
        (
            "hold",
            "UPDATE hold SET released = released + 1",
            &["hold-sums", "hold-allocations", "hold-journal"],
        ),
    ];
    on_every_engine(async |house| {
        let account = house.funded(credits(10)).await;
        let task = house.accept(account, credits(2)).await;
        house.deliver(account, task, credits(1)).await;
        let postgres = house.db.is_postgres();
        for (table, sql, breaks) in corruptions {
            ignore_checks(house, true).await;
            let report = audited_after(house, async |tx| {
                if postgres {
                    tx.execute_unprepared(&drop_checks(table)).await.unwrap();
                }
                tx.execute_unprepared(sql).await.unwrap();
            });
            let missing = postgres.then_some("guards");
            let expected: BTreeSet<_> = breaks.iter().copied().chain(missing).collect();
            assert_eq!(names(&report.await), expected, "{sql}");
            ignore_checks(house, false).await;
        }
    })
    .await;
}

/// SQLite can leave its checks out of account; on PostgreSQL they have to go.
async fn ignore_checks(house: &House, ignore: bool) {
    if !house.db.is_postgres() {
        let pragma = format!("PRAGMA ignore_check_constraints = {ignore}");
        house.db.schema().execute_unprepared(&pragma).await.unwrap();
    }
}

fn drop_checks(table: &str) -> String {
    format!(
        "DO $$ DECLARE name text; BEGIN
            FOR name IN SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = '\"{table}\"'::regclass
            LOOP EXECUTE format('ALTER TABLE \"{table}\" DROP CONSTRAINT %I', name); END LOOP;
        END $$"
    )
}
