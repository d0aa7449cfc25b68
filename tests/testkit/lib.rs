//! What every scenario needs: a whole Reelmeter on a real socket, over a real database, with a clock that can be moved.
//!
//! When a scenario ends the books are checked, so every test is also a test of the ledger.

mod cluster;
mod database;
mod fake;
mod person;
mod proxy;
mod script;
mod server;
mod stream;
mod upstream;
mod wire;

pub use cluster::Cluster;
pub use database::{Engine, TestDatabase};
pub use fake::{Fake, FakeProvider, Step, tiny_mp4};
pub use person::Person;
pub use proxy::{Cut, Proxy};
pub use script::{Exchange, Heard, Script};
pub use server::{Answer, Beside, Customer, TestApp, client, run};
pub use stream::{Event, EventStream};
pub use upstream::{Call, Lie, Upstream};
pub use wire::{Answer as UpstreamAnswer, Ending};

/// Makes a test of each scenario that only PostgreSQL has.
#[macro_export]
macro_rules! on_postgres {
    ($($name:ident),* $(,)?) => {
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::run($crate::Engine::Postgres, super::$name).await;
            })*
        }
    };
}

/// Makes two tests of each scenario, one an engine. A scenario is an `async fn name(app: TestApp) -> TestApp`.
#[macro_export]
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::run($crate::Engine::Sqlite, super::$name).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::run($crate::Engine::Postgres, super::$name).await;
            })*
        }
    };
}
