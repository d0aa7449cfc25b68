//! What is measured: one file a scenario.

mod accept;
mod burst;
mod download;
mod growth;
mod in_flight;
mod poll;
mod refuse;
mod replay;
mod settle;
mod single;
mod start;

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;

use crate::Options;
use crate::load::{self, Outcome, Plan, Requests, Until};
use crate::process::Process;
use crate::report;
use crate::shop::Shop;
use crate::target::Measured;

/// Connections of a server under load.
pub const CONNECTIONS: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Name {
    /// Accepted requests a second, on one account and on 10,000.
    Accept,
    /// 5,000 requests of one account at once.
    Burst,
    /// Requests that nobody can pay for.
    Refuse,
    /// One request on an idle system.
    Single,
    /// The same request again and again.
    Replay,
    /// Reading a task.
    Poll,
    /// Ending tasks.
    Settle,
    /// Many tasks at one worker.
    InFlight,
    /// Fetching a clip.
    Download,
    /// The cost of a request as the journal grows.
    Growth,
    /// Start, memory, size.
    Start,
}

/// Runs what was asked for, in order, and reports.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let all = || Name::value_variants().to_vec();
    let names = if options.scenarios.is_empty() { all() } else { options.scenarios.clone() };
    let mut measured = Vec::new();
    for name in names {
        eprintln!(
            "benchmark: {}",
            name.to_possible_value().map_or_else(String::new, |v| v.get_name().into())
        );
        let lines = match name {
            Name::Accept => accept::measure(&options).await,
            Name::Burst => burst::measure(&options).await,
            Name::Refuse => refuse::measure(&options).await,
            Name::Single => single::measure(&options).await,
            Name::Replay => replay::measure(&options).await,
            Name::Poll => poll::measure(&options).await,
            Name::Settle => settle::measure(&options).await,
            Name::InFlight => in_flight::measure(&options).await,
            Name::Download => download::measure(&options).await,
            Name::Growth => growth::measure(&options).await,
            Name::Start => start::measure(&options).await,
        }?;
        lines.iter().for_each(|line| eprintln!("  {}", report::line(line)));
        measured.extend(lines);
    }
    println!("{}", report::table(&measured));
    if let Some(path) = &options.write {
        let earlier = std::fs::read_to_string(path).unwrap_or_default();
        std::fs::write(path, report::document(&options, &measured, &earlier).await?)?;
    }
    Ok(())
}

/// Closed-loop load on a server, with a checkpoint in the middle.
async fn load(options: &Options, shop: &Shop, address: &str, requests: Requests) -> anyhow::Result<Outcome> {
    let plan = Plan {
        address: address.to_owned(),
        connections: CONNECTIONS,
        until: Until::Seconds(options.seconds()),
        rate: None,
        requests,
    };
    let middle = async {
        tokio::time::sleep(Duration::from_secs(options.seconds() / 2)).await;
        shop.store.checkpoint().await
    };
    let (outcome, checkpoint) = tokio::join!(load::run(plan), middle);
    checkpoint?;
    outcome
}

/// The same load on a bare server that answers the same bytes.
async fn bare(options: &Options, status: u16, body: &[u8], folder: &Path) -> anyhow::Result<f64> {
    let file = folder.join("body");
    std::fs::write(&file, body)?;
    let body = file.to_string_lossy().into_owned();
    let server = Process::of_ours(["bare", "--status", &status.to_string(), "--body", &body]).await?;
    let plan = Plan {
        address: server.address.clone(),
        connections: CONNECTIONS,
        until: Until::Seconds(options.seconds()),
        rate: None,
        requests: load::get("/", "none"),
    };
    Ok(load::run(plan).await?.rate(status))
}

/// The body of one answer.
async fn sample(address: &str, path: &str, key: &str) -> anyhow::Result<Vec<u8>> {
    let answer =
        reqwest::Client::new().get(format!("http://{address}{path}")).bearer_auth(key).send().await?;
    Ok(answer.bytes().await?.to_vec())
}

fn measured(scenario: &'static str, what: impl Into<String>, value: f64, unit: &'static str) -> Measured {
    Measured::new(scenario, what, value, unit)
}
