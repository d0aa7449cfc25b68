//! Accepted generate requests a second over HTTP.

use entity::Mode;

use super::{CONNECTIONS, load, measured};
use crate::Options;
use crate::book;
use crate::commit;
use crate::engine::{Engine, Store};
use crate::load::{Outcome, generate};
use crate::pgbench::Baseline;
use crate::shop::Shop;
use crate::target::{Measured, Target};

const CLIENTS: [u32; 4] = [1, 4, 16, 64];
const SPREAD: usize = 10_000;
/// More than any run can spend.
const PLENTY: i64 = 1_000_000_000;

pub async fn measure(options: &Options) -> anyhow::Result<Vec<Measured>> {
    let mut lines = on_postgres(options).await?;
    lines.extend(on_sqlite(options).await?);
    Ok(lines)
}

async fn on_postgres(options: &Options) -> anyhow::Result<Vec<Measured>> {
    let baseline = Baseline::open(options).await?;
    let (mut hot, mut spread) = (Vec::new(), Vec::new());
    for clients in CLIENTS {
        hot.push(baseline.rate(options, clients, true).await?);
        spread.push(baseline.rate(options, clients, false).await?);
    }
    baseline.close().await?;
    let best = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
    let each = |rates: &[f64]| {
        let each = CLIENTS.iter().zip(rates).map(|(clients, rate)| format!("{clients}: {rate:.0}"));
        format!("pgbench by clients: {}", each.collect::<Vec<_>>().join(", "))
    };
    let one = run(options, Engine::Postgres, 1).await?;
    let many = run(options, Engine::Postgres, SPREAD).await?;
    Ok(vec![
        line("accepted/s, one account, PostgreSQL", &one)
            .against("pgbench, one account, 64 clients", *hot.last().unwrap_or(&0.0), "/s")
            .target(Target::Ratio(10.0))
            .note(format!("{}; {}", latency(&one), each(&hot))),
        line("the same", &one).against("pgbench, one account, its best", best(&hot), "/s"),
        line("accepted/s, 10,000 accounts, PostgreSQL", &many)
            .against("pgbench, 10,000 accounts, its best", best(&spread), "/s")
            .target(Target::Ratio(1.5))
            .note(format!("{}; {}", latency(&many), each(&spread))),
    ])
}

async fn on_sqlite(options: &Options) -> anyhow::Result<Vec<Measured>> {
    let mut lines = Vec::new();
    for (accounts, name) in [(1, "one account"), (SPREAD, "10,000 accounts")] {
        let folder = tempfile::tempdir()?;
        let store = Store::create(Engine::Sqlite, &options.postgres, folder.path()).await?;
        let base = commit::one_by_one(&store, accounts as u64, options.seconds()).await?;
        let outcome = run(options, Engine::Sqlite, accounts).await?;
        lines.push(
            line(&format!("accepted/s, {name}, SQLite"), &outcome)
                .against("one transaction a request, one writer", base, "/s")
                .target(Target::Ratio(20.0))
                .note(latency(&outcome)),
        );
    }
    Ok(lines)
}

/// Loads a fresh server and proves that what it acknowledged is in its book.
async fn run(options: &Options, engine: Engine, accounts: usize) -> anyhow::Result<Outcome> {
    let shop = Shop::open(options, engine, (accounts, Mode::Live), PLENTY).await?;
    let server = shop.serve().await?;
    let outcome = load(options, &shop, &server.address, generate(shop.keys(), "accept", false)).await?;
    outcome.only(&[200])?;
    server.stop().await?;
    book::verify(&shop.app, &outcome.tasks, CONNECTIONS).await?;
    shop.close().await?;
    Ok(outcome)
}

fn line(what: &str, outcome: &Outcome) -> Measured {
    measured("accept", what, outcome.rate(200), "/s")
}

fn latency(outcome: &Outcome) -> String {
    format!("p50 {:.0} ms, p99 {:.0} ms", outcome.percentile_ms(50.0), outcome.percentile_ms(99.0))
}
