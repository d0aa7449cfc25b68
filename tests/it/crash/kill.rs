//! The program, the database under it, or both at once are killed at any moment under load, again and again.
//!
//! Then: what was acknowledged is there once and under the id that was told, what was refused is not, whoever was left in
//! doubt asks again and gets the task that is there or one now, every task comes to its end, and the books balance after
//! each death. `tests/crash` runs more cycles and prints what became of the requests.

mod asked;
mod load;
mod report;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tests::{Cluster, Engine, TestDatabase};
use tokio::join;

use self::asked::Told;
use self::load::Load;
use self::report::Report;
use super::site::Site;
use crate::program::Server;

/// How many times the program or the database dies.
const CYCLES: &str = "REELMETER_TEST_CRASH_CYCLES";
/// Of the moments of death, so that a run can be had again.
const SEED: &str = "REELMETER_TEST_CRASH_SEED";
/// What the customer has: now and then more is asked for.
const CREDITS: u32 = 60;

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().ok().unwrap_or_else(|| panic!("{name} must be a number")))
}

/// One kind of death, some times over.
struct Killing {
    site: Site,
    cycles: u32,
    moments: StdRng,
    told: Told,
    report: Report,
}

impl Killing {
    fn of(kind: &'static str, site: Site, short: u32) -> Killing {
        let (cycles, seed) = (setting(CYCLES).unwrap_or(short), setting(SEED).unwrap_or_else(rand::random));
        eprintln!("{kind}: {cycles} cycles, seed {seed}");
        let report = Report { kind, seed, cycles, ..Report::default() };
        Killing { site, cycles, moments: StdRng::seed_from_u64(seed), told: Told::default(), report }
    }

    /// So many more requests are acknowledged before the next death.
    fn moment(&mut self) -> usize {
        self.moments.random_range(10..100)
    }

    async fn load(&mut self, url: &str, cycle: u32) -> Load {
        Load::start(&self.site, url, cycle, std::mem::take(&mut self.told))
    }

    /// Each death is followed by a check of the whole book.
    async fn check(&mut self) {
        self.report.violations += self.site.violations().await;
    }

    /// Starts the program, and asks again for whatever is in doubt.
    async fn start(&mut self) -> Server {
        let server = self.site.serve(None).await;
        self.told.ask_again(&self.site, &server.url()).await;
        server
    }

    async fn end(mut self, server: Server) {
        self.told.ask_again(&self.site, &server.url()).await;
        self.site.all_ended().await;
        server.stop("-TERM").await;
        self.check().await;
        let Killing { site, told, mut report, .. } = self;
        told.compare(&site, &mut report).await;
        report.print();
        report.assert_good();
        site.close().await;
    }
}

async fn kill_the_program(mut killing: Killing) {
    for cycle in 0..killing.cycles {
        let server = killing.start().await;
        let load = killing.load(&server.url(), cycle).await;
        load.acknowledged(killing.moment()).await;
        server.kill().await;
        killing.told = load.stop().await;
        killing.check().await;
    }
    let server = killing.start().await;
    killing.end(server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_on_sqlite_that_is_killed_loses_and_doubles_nothing() {
    let site = Site::with(Engine::Sqlite, CREDITS).await;
    kill_the_program(Killing::of("program on SQLite", site, 4)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_on_postgres_that_is_killed_loses_and_doubles_nothing() {
    let site = Site::with(Engine::Postgres, CREDITS).await;
    kill_the_program(Killing::of("program on PostgreSQL", site, 2)).await;
}

async fn on_a_cluster() -> (Cluster, Site) {
    let cluster = Cluster::start().await;
    let database = TestDatabase::on(&cluster.url()).await;
    let site = Site::over(tempfile::tempdir().unwrap(), database, CREDITS).await;
    (cluster, site)
}

/// The program stays: it has to find its way back by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_is_killed_loses_and_doubles_nothing() {
    let (mut cluster, site) = on_a_cluster().await;
    let mut killing = Killing::of("PostgreSQL", site, 2);
    let server = killing.start().await;
    for cycle in 0..killing.cycles {
        let load = killing.load(&server.url(), cycle).await;
        load.acknowledged(killing.moment()).await;
        cluster.kill().await;
        cluster.start_again().await;
        // It works again before the load ends.
        load.acknowledged(10).await;
        killing.told = load.stop().await;
        killing.told.ask_again(&killing.site, &server.url()).await;
        killing.check().await;
    }
    killing.end(server).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_and_its_postgres_that_are_killed_together_lose_and_double_nothing() {
    let (mut cluster, site) = on_a_cluster().await;
    let mut killing = Killing::of("both together", site, 2);
    for cycle in 0..killing.cycles {
        let server = killing.start().await;
        let load = killing.load(&server.url(), cycle).await;
        load.acknowledged(killing.moment()).await;
        join!(server.kill(), cluster.kill());
        killing.told = load.stop().await;
        cluster.start_again().await;
        killing.check().await;
    }
    let server = killing.start().await;
    killing.end(server).await;
    cluster.stop().await;
}
