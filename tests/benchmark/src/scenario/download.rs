//! Fetching a finished clip.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::measured;
use crate::Options;
use crate::process::{Process, product};
use crate::target::Measured;

/// Clients that fetch at once.
const CLIENTS: usize = 8;
/// A second's work is enough to see.
const AT_MOST_SECONDS: u64 = 15;

pub async fn measure(options: &Options) -> anyhow::Result<Vec<Measured>> {
    let folder = tempfile::tempdir()?;
    let server = Process::start(product(&options.program, folder.path())).await?;
    let demo = std::fs::read_to_string(folder.path().join("data/demo.env"))?;
    let key = demo.lines().find_map(|line| line.strip_prefix("REEL_API_KEY=")).context("the demo's key")?;
    let base = format!("http://{}", server.address);
    let client = reqwest::Client::new();
    let url = format!("{base}/api/ai/tasks/{}/content", finished_task(&client, &base, key).await?);
    let size = client.get(&url).bearer_auth(key).send().await?.bytes().await?.len();
    let seconds = options.seconds().min(AT_MOST_SECONDS);
    let begun = Instant::now();
    let mut total = 0;
    for fetched in
        futures_util::future::join_all((0..CLIENTS).map(|_| fetch_for(&client, &url, key, seconds))).await
    {
        total += fetched?;
    }
    let rate = total as f64 / 1e6 / begun.elapsed().as_secs_f64();
    let read = read_rate(folder.path(), size)?;
    server.stop().await?;
    Ok(vec![
        measured("download", format!("clips fetched, {CLIENTS} clients"), rate, "MB/s")
            .against("reading the file", read, "MB/s")
            .note(format!("a clip of {:.1} MB; the client is on the same cores", size as f64 / 1e6)),
    ])
}

async fn fetch_for(client: &reqwest::Client, url: &str, key: &str, seconds: u64) -> anyhow::Result<usize> {
    let (begun, mut fetched) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(seconds) {
        let answer = client.get(url).bearer_auth(key).send().await?.error_for_status()?;
        fetched += answer.bytes().await?.len();
    }
    Ok(fetched)
}

/// A clip that the sandbox renders.
async fn finished_task(client: &reqwest::Client, base: &str, key: &str) -> anyhow::Result<String> {
    let body = json!({
        "model": "kling-3.0/video", "inputMode": "text_to_video", "prompt": "waves on a beach", "duration": 5,
        "resolution": "720p",
    });
    let url = format!("{base}/api/ai/video/generate");
    let accepted: Value = client
        .post(url)
        .bearer_auth(key)
        .header("prefer", "wait=60")
        .json(&body)
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    if accepted["status"] != 1 {
        bail!("the clip was not rendered in time: {accepted}");
    }
    Ok(accepted["taskId"].as_str().context("a task id")?.to_owned())
}

/// How fast the stored clip can be read at all, in MB/s.
fn read_rate(folder: &std::path::Path, size: usize) -> anyhow::Result<f64> {
    let file = find_clip(&folder.join("data"), size)?.context("the stored clip")?;
    let (begun, mut read) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(1) {
        read += std::fs::read(&file)?.len();
    }
    Ok(read as f64 / 1e6 / begun.elapsed().as_secs_f64())
}

fn find_clip(folder: &std::path::Path, size: usize) -> anyhow::Result<Option<std::path::PathBuf>> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let found = if path.is_dir() {
            find_clip(&path, size)?
        } else {
            (path.metadata()?.len() == size as u64).then_some(path)
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
