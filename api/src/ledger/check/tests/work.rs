//! Corruptions between tasks, their holds, jobs, attempts and clips.

use std::collections::BTreeSet;

use super::book::{Corruption, audited_after, corrupt, lived_in, submit_twice};
use super::{names, on_every_engine};

#[tokio::test]
async fn what_is_wrong_in_a_task_is_reported_by_its_name() {
    let corruptions = [
        Corruption {
            sql: &["UPDATE task SET credits = credits + 1 WHERE state = 'failed'"],
            breaks: &["hold-and-task"],
        },
        Corruption {
            sql: &["DELETE FROM task WHERE id = (SELECT task_id FROM job WHERE state = 'queued')"],
            breaks: &["hold-and-task", "live-has-job"],
        },
        Corruption {
            sql: &[
                "UPDATE task SET state = 'failed', terminal_at = 1
                WHERE id = (SELECT task_id FROM job WHERE state = 'queued')",
                "DELETE FROM job WHERE state = 'queued'",
            ],
            breaks: &["settled-when-terminal"],
        },
        Corruption {
            sql: &[
                "UPDATE task SET state = 'expired' WHERE state = 'completed' AND clips = 1",
                "UPDATE clip SET state = 'failed', storage_key = NULL
                WHERE task_id IN (SELECT id FROM task WHERE clips = 1)",
            ],
            breaks: &["charged-for-nothing"],
        },
        Corruption { sql: &["DELETE FROM clip WHERE state = 'failed'"], breaks: &["clips-complete"] },
        Corruption {
            sql: &["UPDATE clip SET state = 'failed', storage_key = NULL"],
            breaks: &["clips-complete"],
        },
    ];
    corrupt(&corruptions).await;
}

#[tokio::test]
async fn what_is_wrong_in_a_job_is_reported_by_its_name() {
    let corruptions = [
        Corruption { sql: &["DELETE FROM job WHERE state = 'queued'"], breaks: &["live-has-job"] },
        Corruption {
            sql: &["UPDATE attempt SET state = 'unknown' WHERE state = 'accepted'"],
            breaks: &["running-is-accepted"],
        },
        Corruption { sql: &["UPDATE job SET account_id = {b}"], breaks: &["one-account"] },
    ];
    corrupt(&corruptions).await;
}

#[tokio::test]
async fn what_mixes_modes_or_accounts_is_reported_by_its_name() {
    let corruptions = [
        Corruption { sql: &["UPDATE task SET mode = 'live' WHERE state = 'failed'"], breaks: &["one-mode"] },
        Corruption { sql: &["UPDATE job SET mode = 'live'"], breaks: &["one-mode"] },
        Corruption { sql: &["UPDATE api_key SET mode = 'live'"], breaks: &["one-mode"] },
        Corruption {
            sql: &["UPDATE attempt SET mode = 'live', provider = 'kling' WHERE state = 'accepted'"],
            breaks: &["one-mode"],
        },
        Corruption {
            sql: &["UPDATE transfer SET mode = 'live' WHERE account_id = {b}"],
            breaks: &["one-mode", "places-are-accounts", "book-deltas", "book-zero"],
        },
        Corruption {
            sql: &["UPDATE task SET account_id = {b} WHERE state = 'failed'"],
            breaks: &["one-account"],
        },
        Corruption {
            sql: &["UPDATE hold_allocation SET grant_id = {nobody}
                WHERE task_id IN (SELECT id FROM task WHERE state = 'failed')"],
            breaks: &["one-account"],
        },
    ];
    corrupt(&corruptions).await;
}

#[tokio::test]
async fn two_live_submissions_of_one_clip_are_reported() {
    on_every_engine(async |house| {
        lived_in(house).await;
        let report = audited_after(house, submit_twice).await;
        assert_eq!(names(&report), BTreeSet::from(["one-live-submission"]));
    })
    .await;
}
