//! The program, or the database under it, is killed at any moment under load, again and again.
//!
//! Then: what was acknowledged is there once and under the id that was told, what was refused is not, and what was not
//! answered is there whole or not at all. `tests/crash` runs more cycles and prints what became of the requests.

mod load;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tests::{Cluster, Engine, TestDatabase};

use self::load::{Load, Told};
use super::site::Site;

/// How many times the program or the database dies.
const CYCLES: &str = "REELMETER_TEST_CRASH_CYCLES";
/// What the customer has: now and then more is asked for.
const CREDITS: u32 = 60;

fn cycles(short: u32) -> u32 {
    std::env::var(CYCLES).ok().map_or(short, |cycles| cycles.parse().expect("a number"))
}

/// The moments of death come from a seed, so that a run can be had again.
fn moments() -> StdRng {
    let seed = rand::random();
    eprintln!("seed {seed}");
    StdRng::seed_from_u64(seed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_on_sqlite_that_is_killed_loses_and_doubles_nothing() {
    let site = Site::with(Engine::Sqlite, CREDITS).await;
    kill_the_program(site, cycles(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_on_postgres_that_is_killed_loses_and_doubles_nothing() {
    let site = Site::with(Engine::Postgres, CREDITS).await;
    kill_the_program(site, cycles(3)).await;
}

async fn kill_the_program(site: Site, cycles: u32) {
    let (mut moments, mut told) = (moments(), Told::default());
    for cycle in 0..cycles {
        let server = site.serve(None).await;
        told.ask_again(&site, &server).await;
        let load = Load::start(&site, &server, cycle, told);
        load.acknowledged(moments.random_range(10..120)).await;
        server.kill().await;
        told = load.stop().await;
    }
    let server = site.serve(None).await;
    told.ask_again(&site, &server).await;
    server.stop("-TERM").await;
    told.assert_kept(&site).await;
    eprintln!("{cycles} cycles: {told}");
    site.close().await;
}

/// The program stays: it has to find its way back by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_is_killed_loses_and_doubles_nothing() {
    let mut cluster = Cluster::start().await;
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::on(&cluster.url()).await;
    let site = Site::over(folder, database, CREDITS).await;
    let server = site.serve(None).await;
    let (mut moments, mut told) = (moments(), Told::default());
    let cycles = cycles(2);
    for cycle in 0..cycles {
        let load = Load::start(&site, &server, cycle, told);
        load.acknowledged(moments.random_range(10..120)).await;
        cluster.restart_after_kill().await;
        // It works again before the load ends.
        load.acknowledged(10).await;
        told = load.stop().await;
    }
    told.ask_again(&site, &server).await;
    server.stop("-TERM").await;
    told.assert_kept(&site).await;
    eprintln!("{cycles} cycles: {told}");
    site.close().await;
    cluster.stop().await;
}
