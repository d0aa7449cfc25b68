//! The time of a process: where others may share the database, it is the database's.

use std::time::Duration;

use sea_orm::DbErr;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::db::Db;

/// How often the clock is compared: in between it runs by itself, and two timers part by less than a millisecond.
const EVERY: Duration = Duration::from_secs(5);
/// From here on it is worth telling an operator that a machine's clock is wrong, in seconds.
const WRONG_SECONDS: i64 = 2;

/// Makes a clock follow the database's until the process stops. On SQLite the system's clock is the one there is.
pub async fn keep(db: &Db, clock: &Clock, stop: CancellationToken) -> Result<(), DbErr> {
    if !db.is_postgres() {
        return Ok(());
    }
    let before = clock.now().seconds();
    follow(db, clock).await?;
    let ahead = before - clock.now().seconds();
    if ahead.abs() >= WRONG_SECONDS {
        tracing::warn!(ahead_seconds = ahead, "this machine's clock is wrong; the database's counts");
    }
    let (db, clock) = (db.clone(), clock.clone());
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        loop {
            tokio::time::sleep(EVERY).await;
            // Whoever needs the database says that it is away.
            let _later = follow(&db, &clock).await;
        }
    }));
    Ok(())
}

/// Sets a clock by the database's, once.
pub async fn follow(db: &Db, clock: &Clock) -> Result<(), DbErr> {
    if db.is_postgres() {
        clock.follow(db.now(db.read(), &Clock::system()).await?);
    }
    Ok(())
}
