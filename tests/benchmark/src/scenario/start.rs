//! How long the program takes to start, what it takes while nothing happens, and how large it is.

use std::time::{Duration, Instant};

use super::measured;
use crate::Options;
use crate::process::{Process, product};
use crate::target::{Measured, Target};

pub async fn measure(options: &Options) -> anyhow::Result<Vec<Measured>> {
    let folder = tempfile::tempdir()?;
    // The first start makes the schema, the demonstration and its passwords.
    let first = start(options, folder.path()).await?;
    let (server, first_s) = first;
    server.stop().await?;
    let (server, again_s) = start(options, folder.path()).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let memory = server.memory_mib()?;
    server.stop().await?;
    let size = std::fs::metadata(&options.program)?.len() as f64 / (1 << 20) as f64;
    Ok(vec![
        measured("start", "first start on an empty folder, until ready", first_s * 1_000.0, "ms"),
        measured("start", "start, until ready", again_s * 1_000.0, "ms"),
        measured("start", "memory at rest, everything in one process", memory, "MiB")
            .target(Target::AtMost(60.0)),
        measured("start", "size of the program", size, "MiB"),
    ])
}

/// Starts the program and waits until it says that it is ready; in seconds.
async fn start(options: &Options, folder: &std::path::Path) -> anyhow::Result<(Process, f64)> {
    let begun = Instant::now();
    let server = Process::start(product(&options.program, folder)).await?;
    reqwest::get(format!("http://{}/readyz", server.address)).await?.error_for_status()?;
    Ok((server, begun.elapsed().as_secs_f64()))
}
