//! Measures Reelmeter, side by side with what it is compared to. `tests/bench` builds and runs it.

mod bare;
mod book;
mod commit;
mod engine;
mod journal;
mod load;
mod pgbench;
mod process;
mod report;
mod scenario;
mod server;
mod shop;
mod target;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// As the product has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(about = "Measures Reelmeter against baselines on the same machine")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs scenarios and prints what they measured.
    Run(Options),
    /// The server that is measured: the product, with a provider that does no work.
    #[command(hide = true)]
    Server(server::Arguments),
    /// A bare server that answers the same bytes to everything.
    #[command(hide = true)]
    Bare(bare::Arguments),
}

/// What to measure, and for how long.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Scenarios, by name; all by default.
    #[arg(value_enum)]
    scenarios: Vec<scenario::Name>,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Everything, shortly.
    #[arg(long)]
    quick: bool,
    /// Transfers of the largest journal.
    #[arg(long, default_value_t = 10_000_000)]
    journal: u64,
    /// Tasks in flight at one worker.
    #[arg(long, default_value_t = 50_000)]
    in_flight: usize,
    /// Writes a report in Markdown to this file, whose parts that are not measured now stay.
    #[arg(long)]
    write: Option<PathBuf>,
    /// The product's own program.
    #[arg(long, env = "REELMETER_BENCH_PROGRAM")]
    program: PathBuf,
    /// A PostgreSQL that may be filled with databases.
    #[arg(long, env = "REELMETER_BENCH_POSTGRES_URL")]
    postgres: String,
    /// A Redis, which the servers over PostgreSQL share as in production.
    #[arg(long, env = "REELMETER_BENCH_REDIS_URL")]
    redis: Option<String>,
    #[arg(long, env = "REELMETER_BENCH_PGBENCH")]
    pgbench: PathBuf,
}

impl Options {
    /// Long measurements have a checkpoint inside.
    pub fn seconds(&self) -> u64 {
        if self.quick { self.seconds.min(3) } else { self.seconds }
    }

    pub fn journal(&self) -> u64 {
        if self.quick { self.journal.min(100_000) } else { self.journal }
    }

    pub fn in_flight(&self) -> usize {
        if self.quick { self.in_flight.min(5_000) } else { self.in_flight }
    }
}

fn main() -> anyhow::Result<()> {
    // Refused when somebody has installed one already, which is just as well.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match Cli::parse().command {
        Command::Run(options) => runtime.block_on(scenario::run(options)),
        Command::Server(arguments) => runtime.block_on(server::serve(arguments)),
        Command::Bare(arguments) => runtime.block_on(bare::serve(arguments)),
    }
}
