//! How the schema came to be, for SQLite and PostgreSQL from one source.
//!
//! Never imports `entity`: history must not move when code does.

mod dialect;
mod m0001_people;
mod m0002_prices;
mod m0003_ledger;
mod m0004_work;
mod m0005_guards;
mod m0006_access;
mod m0007_signals;
mod m0008_deletion;
mod m0009_cancel;
mod m0010_replays;
mod m0011_uploads;
mod m0012_webhooks;
mod m0013_health;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

/// Every step, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_people::Migration),
            Box::new(m0002_prices::Migration),
            Box::new(m0003_ledger::Migration),
            Box::new(m0004_work::Migration),
            Box::new(m0005_guards::Migration),
            Box::new(m0006_access::Migration),
            Box::new(m0007_signals::Migration),
            Box::new(m0008_deletion::Migration),
            Box::new(m0009_cancel::Migration),
            Box::new(m0010_replays::Migration),
            Box::new(m0011_uploads::Migration),
            Box::new(m0012_webhooks::Migration),
            Box::new(m0013_health::Migration),
        ]
    }
}

/// The append-only tables that triggers guard on both engines; the checker verifies that each guard exists.
pub const APPEND_ONLY: [&str; 5] = m0005_guards::APPEND_ONLY;
