//! What `/metrics` answers: what this process counted, and what the database says right now.
//!
//! Money, jobs and webhooks are the database's to tell: the numbers are the same whoever is asked, and after a restart. They
//! are read at most every few seconds, in one set-based query each, however many ask. A database that doesn't answer costs
//! those numbers and nothing else.

mod work;

use std::sync::Arc;
use std::time::Duration;

use entity::{Credits, Mode, Timestamp};
use sea_orm::DbErr;
use tokio::sync::Mutex;

use crate::app::App;
use crate::ledger::totals::{OURS, Ours, Totals, totals};
use crate::metrics::{Metrics, seconds, table};
use work::Work;

/// How old the database's numbers may be.
const FRESH_SECONDS: i64 = 5;
/// How long the database may take; less than what Prometheus waits for us.
const PATIENCE: Duration = Duration::from_secs(4);

/// The database's numbers, as they were read last. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Scrape {
    last: Arc<Mutex<Option<(Timestamp, String)>>>,
}

/// Everything, in Prometheus' text format.
pub async fn text(app: &App) -> String {
    let database = app.scrape.database(app).await;
    let metrics = &app.metrics;
    metrics.look_at_process();
    let (urgent, normal) = app.ledger.waiting();
    metrics.gauge(&table::LANE_WAITING, &["urgent"]).set(urgent as f64);
    metrics.gauge(&table::LANE_WAITING, &["normal"]).set(normal as f64);
    for pool in app.db.pools() {
        let idle = f64::from(u32::try_from(pool.idle).unwrap_or(u32::MAX));
        metrics.gauge(&table::POOL_CONNECTIONS, &[pool.name, "idle"]).set(idle);
        metrics
            .gauge(&table::POOL_CONNECTIONS, &[pool.name, "in_use"])
            .set((f64::from(pool.open) - idle).max(0.0));
    }
    metrics.render() + &database
}

impl Scrape {
    /// Whoever comes while it is read waits for what is read.
    async fn database(&self, app: &App) -> String {
        let mut last = self.last.lock().await;
        let now = app.clock.now();
        if let Some((at, text)) = last.as_ref()
            && now < at.plus_seconds(FRESH_SECONDS)
        {
            return text.clone();
        }
        let text = read_in_time(app).await;
        *last = Some((now, text.clone()));
        text
    }
}

/// A set of metrics of its own each time, so that nothing stays that is not there any more.
async fn read_in_time(app: &App) -> String {
    let metrics = Metrics::default();
    let is_up = match tokio::time::timeout(PATIENCE, read(app)).await {
        Ok(Ok((totals, work, now))) => {
            money(&metrics, &totals, now);
            work.show(&metrics, now);
            true
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "metrics without the database's");
            false
        }
        Err(_) => {
            tracing::warn!("metrics without the database's: it did not answer in time");
            false
        }
    };
    metrics.gauge(&table::DATABASE_UP, &[]).set(f64::from(u8::from(is_up)));
    metrics.render()
}

async fn read(app: &App) -> Result<(Totals, Work, Timestamp), DbErr> {
    let db = app.db.read();
    let now = app.db.now(db, &app.clock).await?;
    let heartbeat = now.plus_seconds(-i64::from(app.config.heartbeat_limit_s));
    let work = Work::read(db, (now, heartbeat), app.providers.names()).await?;
    Ok((totals(db).await?, work, now))
}

fn money(metrics: &Metrics, totals: &Totals, now: Timestamp) {
    for mode in [Mode::Live, Mode::Test] {
        let label = [mode.as_str()];
        let ours = totals.accounts.iter().find(|accounts| accounts.mode == mode);
        let sum = |of: fn(&crate::ledger::totals::Accounts) -> Credits| ours.map_or(Credits::ZERO, of);
        metrics.gauge(&table::AVAILABLE, &label).set(credits(sum(|accounts| accounts.available)));
        metrics.gauge(&table::HELD, &label).set(credits(sum(|accounts| accounts.held)));
        metrics.gauge(&table::DEBT, &label).set(credits(sum(|accounts| accounts.debt)));
        let open = totals.open_holds.iter().find(|holds| holds.mode == mode);
        metrics.gauge(&table::OPEN_HOLDS, &label).set(open.map_or(0, |holds| holds.n) as f64);
        metrics.gauge(&table::OLDEST_HOLD, &label).set(age(open.map(|holds| holds.oldest), now));
        for place in OURS {
            let nothing = Ours { mode, place, amount: Credits::ZERO };
            let found = totals.ours.iter().find(|ours| (ours.mode, ours.place) == (mode, place));
            let ours = found.unwrap_or(&nothing);
            metrics.gauge(&table::BOOK, &[mode.as_str(), ours.name()]).set(credits(ours.amount));
        }
    }
    if let Some(at) = totals.audit_root {
        metrics.gauge(&table::AUDIT_ROOT, &[]).set(age(Some(at), now));
    }
}

/// For showing only: Prometheus knows nothing but floats.
fn credits(amount: Credits) -> f64 {
    amount.thousandths() as f64 / 1_000.0
}

/// Seconds since then; 0 for never and for what is still to come.
fn age(then: Option<Timestamp>, now: Timestamp) -> f64 {
    then.map_or(0.0, |then| seconds((now.micros() - then.micros()).max(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_never_below_zero() {
        let at = Timestamp::from_seconds;
        assert_eq!(age(Some(at(10)), at(12)), 2.0);
        assert_eq!(age(Some(at(12)), at(10)), 0.0);
        assert_eq!(age(None, at(10)), 0.0);
    }
}
