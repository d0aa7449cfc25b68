//! What is under way, as the database has it: jobs, workers, webhooks, callbacks.

use std::collections::HashSet;

use entity::{EndpointId, Timestamp, endpoint};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, FromQueryResult, QueryFilter, QueryResult,
    Statement, Value,
};

use super::age;
use crate::metrics::{Metrics, table};

/// The states of a job, so that one that nobody is in says 0.
const STATES: [&str; 5] = ["queued", "submitting", "running", "reconciling", "storing"];

/// Why a key is not used.
const RESTS: [&str; 2] = ["resting", "out"];

#[derive(Debug)]
pub struct Work {
    providers: Vec<String>,
    jobs: Vec<Jobs>,
    keys: Vec<Keys>,
    workers: i64,
    webhooks: Pending,
    inbox: i64,
}

#[derive(Debug, FromQueryResult)]
struct Jobs {
    provider: String,
    state: String,
    n: i64,
    oldest: Option<Timestamp>,
}

/// Keys of a provider that are not used now.
#[derive(Debug, FromQueryResult)]
struct Keys {
    provider: String,
    state: String,
    n: i64,
}

#[derive(Debug, Default)]
struct Pending {
    n: i64,
    oldest: Option<Timestamp>,
}

#[derive(Debug, FromQueryResult)]
struct Owed {
    endpoint: String,
    n: i64,
    oldest: Option<Timestamp>,
}

// A job that is put off waits for its time, not for a worker; its time is its age's beginning.
const JOBS: &str = "
SELECT provider, state, COUNT(*) AS n, MIN(CASE WHEN owner IS NULL THEN run_at END) AS oldest
FROM job GROUP BY provider, state";

const KEYS: &str = "
SELECT provider, state, COUNT(*) AS n FROM provider_health WHERE rests_until > $1 AND state <> 'ok' GROUP BY provider, state";

const WORKERS: &str = "SELECT COUNT(*) AS n FROM worker WHERE heartbeat_at > $1";
const WEBHOOKS: &str = "
SELECT endpoint, COUNT(*) AS n, MIN(next_at) AS oldest FROM delivery WHERE state = 'pending' GROUP BY endpoint";
const INBOX: &str = "SELECT COUNT(*) AS n FROM inbox WHERE processed_at IS NULL";

impl Work {
    /// `heartbeat`: a worker that beat later lives. Providers that are configured are shown even if they have nothing to do.
    pub async fn read<'a>(
        db: &impl ConnectionTrait,
        (now, heartbeat): (Timestamp, Timestamp),
        providers: impl Iterator<Item = &'a str>,
    ) -> Result<Work, DbErr> {
        let backend = db.get_database_backend();
        let sql = |text: &str| Statement::from_string(backend, text);
        let jobs = Jobs::find_by_statement(sql(JOBS)).all(db).await?;
        let mut providers: Vec<String> = providers.map(str::to_owned).collect();
        providers.extend(jobs.iter().map(|jobs| jobs.provider.clone()));
        providers.sort_unstable();
        providers.dedup();
        let keys = Statement::from_sql_and_values(backend, KEYS, [Value::from(now)]);
        let workers = Statement::from_sql_and_values(backend, WORKERS, [Value::from(heartbeat)]);
        Ok(Work {
            providers,
            jobs,
            keys: Keys::find_by_statement(keys).all(db).await?,
            workers: count(db.query_one_raw(workers).await?)?,
            webhooks: webhooks(db, Owed::find_by_statement(sql(WEBHOOKS)).all(db).await?, now).await?,
            inbox: count(db.query_one_raw(sql(INBOX)).await?)?,
        })
    }

    pub fn show(&self, metrics: &Metrics, now: Timestamp) {
        for provider in &self.providers {
            let of_provider = || self.jobs.iter().filter(|jobs| jobs.provider == *provider);
            for state in STATES {
                let n: i64 = of_provider().filter(|jobs| jobs.state == state).map(|jobs| jobs.n).sum();
                metrics.gauge(&table::JOBS, &[provider, state]).set(n as f64);
            }
            for state in RESTS {
                let of_state =
                    self.keys.iter().filter(|keys| keys.provider == *provider && keys.state == state);
                let n: i64 = of_state.map(|keys| keys.n).sum();
                metrics.gauge(&table::KEYS, &[provider, state]).set(n as f64);
            }
            let oldest = of_provider().filter_map(|jobs| jobs.oldest).min();
            metrics.gauge(&table::OLDEST_JOB, &[provider]).set(age(oldest, now));
        }
        metrics.gauge(&table::WORKERS, &[]).set(self.workers as f64);
        metrics.gauge(&table::WEBHOOKS_PENDING, &[]).set(self.webhooks.n as f64);
        metrics.gauge(&table::OLDEST_WEBHOOK, &[]).set(age(self.webhooks.oldest, now));
        metrics.gauge(&table::INBOX, &[]).set(self.inbox as f64);
    }
}

/// What an endpoint is owed that is sent nothing now (paused, or left alone for a while) is pending, but nobody is late with it.
async fn webhooks(db: &impl ConnectionTrait, owed: Vec<Owed>, now: Timestamp) -> Result<Pending, DbErr> {
    use endpoint::Column as E;
    let ids = owed.iter().filter_map(|owed| owed.endpoint.parse::<EndpointId>().ok());
    let ids: Vec<EndpointId> = ids.collect();
    let rests = E::PausedAt.is_not_null().or(E::SlowUntil.gt(now));
    let resting = match ids.is_empty() {
        true => Vec::new(),
        false => endpoint::Entity::find().filter(E::Id.is_in(ids)).filter(rests).all(db).await?,
    };
    let resting: HashSet<String> = resting.into_iter().map(|endpoint| endpoint.id.to_string()).collect();
    let late = owed.iter().filter(|owed| !resting.contains(&owed.endpoint));
    Ok(Pending { oldest: late.filter_map(|owed| owed.oldest).min(), n: owed.iter().map(|owed| owed.n).sum() })
}

fn count(row: Option<QueryResult>) -> Result<i64, DbErr> {
    row.map_or(Ok(0), |row| row.try_get("", "n"))
}
