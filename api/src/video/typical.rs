//! How long tasks take from the request to the clip, measured over the newest of everybody's: for showing only.

use std::collections::HashMap;
use std::sync::Arc;

use entity::task::{self, TaskState};
use entity::{Mode, Timestamp};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, Order, QueryOrder, QuerySelect};

use crate::db::Db;
use crate::db::fresh::Fresh;

/// How many of the newest tasks are looked at, whatever became of them.
const TASKS: u64 = 5_000;
/// Fewer completed ones than this say nothing.
const SAMPLES_MIN: usize = 5;
const FRESH_SECONDS: i64 = 60;

/// Milliseconds that half, and nine of ten, tasks took at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Typical {
    pub p50_ms: i64,
    pub p90_ms: i64,
    pub samples: usize,
}

/// By model and mode.
pub type Measured = HashMap<(String, &'static str), Typical>;

#[derive(Clone, Debug)]
pub struct TypicalTimes(Fresh<Measured>);

impl TypicalTimes {
    pub fn new(db: Db) -> Self {
        TypicalTimes(Fresh::new(FRESH_SECONDS, move || read(db.clone())))
    }

    /// What was measured at most a minute ago.
    pub async fn of(&self, now: Timestamp) -> Result<Arc<Measured>, DbErr> {
        self.0.get(now).await
    }
}

async fn read(db: Db) -> Result<Measured, DbErr> {
    Ok(measure(newest(db.read()).await?))
}

type Sample = (String, Mode, TaskState, Timestamp, Option<Timestamp>);

async fn newest(db: &impl ConnectionTrait) -> Result<Vec<Sample>, DbErr> {
    use task::Column as T;
    task::Entity::find()
        .select_only()
        .columns([T::Model, T::Mode, T::State, T::CreatedAt, T::TerminalAt])
        .order_by(T::Id, Order::Desc)
        .limit(TASKS)
        .into_tuple()
        .all(db)
        .await
}

fn measure(samples: Vec<Sample>) -> Measured {
    let mut times: HashMap<(String, &'static str), Vec<i64>> = HashMap::new();
    for (model, mode, state, created_at, ended_at) in samples {
        if let (TaskState::Completed, Some(ended_at)) = (state, ended_at) {
            times.entry((model, mode.as_str())).or_default().push(ended_at.millis() - created_at.millis());
        }
    }
    let enough = times.into_iter().filter(|(_, times)| times.len() >= SAMPLES_MIN);
    enough.map(|(key, times)| (key, typical(times))).collect()
}

/// By nearest rank; never called without a time.
fn typical(mut times: Vec<i64>) -> Typical {
    times.sort_unstable();
    let rank = |percent: usize| {
        let n = (times.len() * percent).div_ceil(100).max(1);
        times.get(n - 1).copied().unwrap_or_default()
    };
    Typical { p50_ms: rank(50), p90_ms: rank(90), samples: times.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(model: &str, mode: Mode, state: TaskState, millis: i64) -> Sample {
        let start = Timestamp::from_seconds(1_000);
        (model.to_owned(), mode, state, start, Some(start.plus_millis(millis)))
    }

    #[test]
    fn half_and_nine_tenths_are_told_apart_by_model_and_mode_and_few_tasks_say_nothing() {
        let mut samples: Vec<Sample> =
            (1..=10).map(|n| sample("a", Mode::Live, TaskState::Completed, n * 1_000)).collect();
        samples.extend((1..=4).map(|n| sample("a", Mode::Test, TaskState::Completed, n)));
        samples.extend((1..=9).map(|n| sample("b", Mode::Live, TaskState::Failed, n)));
        let measured = measure(samples);
        let expected = Typical { p50_ms: 5_000, p90_ms: 9_000, samples: 10 };
        assert_eq!(measured, HashMap::from([(("a".to_owned(), "live"), expected)]));
        assert_eq!(typical(vec![7]), Typical { p50_ms: 7, p90_ms: 7, samples: 1 });
    }
}
