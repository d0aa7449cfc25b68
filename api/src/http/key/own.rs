//! `GET /api/key`: a key looks at itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use entity::account::AccountStatus;
use entity::{AccountId, Credits, Timestamp};
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::usage;
use super::view::{KeyView, key_view};
use crate::app::App;
use crate::customer::caller::VIDEOS_WRITE;
use crate::customer::keyring;
use crate::db;
use crate::http::Tag;
use crate::http::auth::{Anyone, Caller};
use crate::http::error::ApiError;
use crate::http::limit::Report;
use crate::http::value::{Amount, Shown};
use crate::ledger::key_usage::{Spent, open_tasks, windows};
use crate::ledger::read;

pub struct Own;

const KEY_LIMIT: &str = "key_limit_reached";

/// The key that asks, and what it can do now.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct OwnKey {
    #[oai(flatten)]
    key: KeyView,
    /// What the account can spend now.
    available: Amount,
    /// Requests that are left of `ratePerMinute`, this one taken; null without a limit.
    #[oai(nullable)]
    requests_left: Option<u32>,
    /// Tasks that are left of `maxTasks`; null without a limit.
    #[oai(nullable)]
    tasks_left: Option<i64>,
    /// What would refuse a new task now, whatever it costs; empty when nothing would.
    blocked_by: Vec<Block>,
}

/// Why a new task would be refused.
#[derive(Debug, PartialEq, Eq, Object)]
#[oai(rename = "KeyBlock", rename_all = "camelCase")]
struct Block {
    /// The code of the refusal: `insufficient_scope`, `rate_limited`, `account_frozen`, `concurrency_limit_reached`,
    /// `key_limit_reached` or `insufficient_credits`.
    code: String,
    /// With `key_limit_reached`: `day`, `week`, `month`, `lifetime`. Otherwise empty.
    windows: Vec<String>,
}

/// What decides whether a task could be accepted.
struct Standing {
    may_generate: bool,
    requests_left: Option<u32>,
    is_frozen: bool,
    tasks_left: Option<i64>,
    windows: [Spent; 4],
    available: Credits,
}

#[OpenApi(tag = "Tag::Keys")]
impl Own {
    /// Look at the key itself
    ///
    /// What the key of this request may do, what it has spent, what is left of each limit, and what would refuse a new task
    /// now. Counts as one request of its rate, as every other.
    ///
    /// Scope: none; any API key.
    #[oai(path = "/api/key", method = "get", operation_id = "getOwnKey")]
    async fn own(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<Anyone>,
        report: Data<&Report>,
    ) -> Result<Json<OwnKey>, ApiError> {
        let id = caller.key().ok_or(ApiError::KeyRequired)?;
        let now = app.clock.now();
        let key = keyring::find(app.db.read(), caller.account, id).await?;
        let usage = usage(&app, BTreeSet::from([id]), now).await?;
        let (available, is_frozen) = account(&app, caller.account, now).await?;
        let standing = Standing {
            may_generate: caller.may(VIDEOS_WRITE),
            requests_left: report.limits().requests.map(|(_, taken)| taken.remaining),
            is_frozen,
            tasks_left: key.max_tasks.map(|limit| limit.saturating_sub(open_tasks(&usage, id)).max(0)),
            windows: windows(&usage, &key, now),
            available,
        };
        Ok(Json(OwnKey {
            available: Shown(available),
            requests_left: standing.requests_left,
            tasks_left: standing.tasks_left,
            blocked_by: standing.blocks(),
            key: key_view(key, &usage, now),
        }))
    }
}

/// What the key's account can spend, and whether it is frozen.
async fn account(app: &App, id: AccountId, now: Timestamp) -> Result<(Credits, bool), ApiError> {
    let db = app.db.read();
    let found = async { Ok((read::account(db, id).await?, read::balance(db, id, now).await?)) };
    match found.await.map_err(|error| ApiError::database(db::fault(&error), error))? {
        (Some(account), Some(balance)) => Ok((balance.available, account.status == AccountStatus::Frozen)),
        _ => Err(ApiError::internal(anyhow::anyhow!("{id} is the account of a key but does not exist"))),
    }
}

impl Standing {
    /// In the order in which a task would be refused.
    fn blocks(&self) -> Vec<Block> {
        let is_reached = |spent: &&Spent| spent.remaining() == Some(Credits::ZERO);
        let reached = self.windows.iter().filter(is_reached);
        let windows: Vec<String> = reached.map(|spent| spent.window.as_str().to_owned()).collect();
        let blocks = [
            ("rate_limited", self.requests_left == Some(0)),
            ("insufficient_scope", !self.may_generate),
            ("account_frozen", self.is_frozen),
            ("concurrency_limit_reached", self.tasks_left == Some(0)),
            (KEY_LIMIT, !windows.is_empty()),
            ("insufficient_credits", self.available.is_zero()),
        ];
        let blocking = blocks.into_iter().filter(|(_, blocks)| *blocks).map(|(code, _)| code);
        let windows_of = |code| if code == KEY_LIMIT { windows.clone() } else { Vec::new() };
        blocking.map(|code| Block { code: code.to_owned(), windows: windows_of(code) }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::CapWindow;

    fn spent(window: CapWindow, cap: Option<i64>) -> Spent {
        let credits = |whole| Credits::from_whole(whole).unwrap();
        Spent { window, spent: credits(10), cap: cap.map(credits), resets_at: None }
    }

    fn standing(caps: [Option<i64>; 4]) -> Standing {
        let windows = [CapWindow::Day, CapWindow::Week, CapWindow::Month, CapWindow::Lifetime];
        let [day, week, month, lifetime] = caps;
        let of = |n: usize, cap| spent(windows[n], cap);
        Standing {
            may_generate: true,
            requests_left: None,
            is_frozen: false,
            tasks_left: None,
            windows: [of(0, day), of(1, week), of(2, month), of(3, lifetime)],
            available: Credits::from_thousandths(1),
        }
    }

    #[test]
    fn whatever_would_refuse_a_task_is_named_in_its_order() {
        let free = standing([None, Some(11), None, None]);
        assert_eq!(free.blocks(), []);
        let stuck = Standing {
            may_generate: false,
            requests_left: Some(0),
            is_frozen: true,
            tasks_left: Some(0),
            available: Credits::ZERO,
            ..standing([Some(10), Some(11), Some(5), None])
        };
        let blocks = stuck.blocks();
        let codes: Vec<&str> = blocks.iter().map(|block| block.code.as_str()).collect();
        let order = [
            "rate_limited",
            "insufficient_scope",
            "account_frozen",
            "concurrency_limit_reached",
            "key_limit_reached",
            "insufficient_credits",
        ];
        assert_eq!(codes, order);
        assert_eq!(blocks[4].windows, ["day", "month"]);
        assert!(blocks[3].windows.is_empty());
    }
}
