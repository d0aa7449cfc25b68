//! The client: many connections on one thread, as cheap as can be, because client, server and database share the machine.
//!
//! Closed loop: each connection sends its next request when it has the answer to the last. Open loop: requests are due at a
//! fixed rate, and a late one's latency counts from when it was due.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures_util::future::join_all;
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Barrier, Semaphore};

/// Writes the n-th request of a connection.
pub type Requests = Arc<dyn Fn(usize, u64, &mut Vec<u8>) + Send + Sync>;

#[derive(Clone)]
pub struct Plan {
    /// `127.0.0.1:PORT`.
    pub address: String,
    pub connections: usize,
    pub until: Until,
    /// Requests a second, over all connections; `None` as fast as answers come.
    pub rate: Option<f64>,
    pub requests: Requests,
}

#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// A second of warming up, which does not count, and this long.
    Seconds(u64),
    /// Requests of each connection, all of which count.
    Requests(u64),
}

#[derive(Debug)]
pub struct Outcome {
    /// From the first to the last answer that counts.
    pub elapsed: Duration,
    /// Answers that count, by status.
    pub statuses: BTreeMap<u16, u64>,
    /// In microseconds.
    pub latency: Histogram<u64>,
    /// Ids of accepted tasks, also of those that don't count.
    pub tasks: Vec<String>,
}

/// Connections that are opened at a time.
const DOORS: usize = 128;
const WARM_UP: Duration = Duration::from_secs(1);

impl Outcome {
    fn new() -> anyhow::Result<Outcome> {
        let latency = Histogram::new_with_bounds(1, 600_000_000, 3)?;
        Ok(Outcome { elapsed: Duration::ZERO, statuses: BTreeMap::new(), latency, tasks: Vec::new() })
    }

    pub fn count(&self, status: u16) -> u64 {
        self.statuses.get(&status).copied().unwrap_or(0)
    }

    /// Answers of this status a second.
    pub fn rate(&self, status: u16) -> f64 {
        self.count(status) as f64 / self.elapsed.as_secs_f64()
    }

    /// Milliseconds that this percent of the answers took at most.
    pub fn percentile_ms(&self, percent: f64) -> f64 {
        self.latency.value_at_quantile(percent / 100.0) as f64 / 1_000.0
    }

    /// Fails if any answer has another status than these.
    pub fn only(&self, allowed: &[u16]) -> anyhow::Result<&Outcome> {
        match self.statuses.iter().find(|(status, _)| !allowed.contains(status)) {
            Some((status, count)) => bail!("{count} answers of status {status}"),
            None => Ok(self),
        }
    }

    fn add(&mut self, other: Outcome) {
        self.latency += other.latency;
        self.tasks.extend(other.tasks);
        self.elapsed = self.elapsed.max(other.elapsed);
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
    }
}

/// Runs a plan on a thread of its own.
pub async fn run(plan: Plan) -> anyhow::Result<Outcome> {
    tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(run_here(plan))
    })
    .await?
}

async fn run_here(plan: Plan) -> anyhow::Result<Outcome> {
    let barrier = Arc::new(Barrier::new(plan.connections));
    let doors = Arc::new(Semaphore::new(DOORS));
    let connections =
        (0..plan.connections).map(|n| connection(n, plan.clone(), barrier.clone(), doors.clone()));
    let mut total = Outcome::new()?;
    for outcome in join_all(connections).await {
        total.add(outcome?);
    }
    Ok(total)
}

/// One connection's requests, once all of them are open.
async fn connection(
    n: usize,
    plan: Plan,
    barrier: Arc<Barrier>,
    doors: Arc<Semaphore>,
) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new()?;
    let (mut request, mut buffer) = (Vec::new(), Vec::with_capacity(8_192));
    let mut stream = open(&plan, &mut buffer, &doors).await?;
    barrier.wait().await;
    let opened = Instant::now();
    let counts_from = match plan.until {
        Until::Seconds(_) => opened + WARM_UP,
        Until::Requests(_) => opened,
    };
    for i in 0.. {
        let is_over = match plan.until {
            Until::Seconds(seconds) => counts_from.elapsed() >= Duration::from_secs(seconds),
            Until::Requests(most) => i >= most,
        };
        if is_over {
            break;
        }
        let due = due(&plan, opened, n, i).await;
        request.clear();
        (plan.requests)(n, i, &mut request);
        stream.write_all(&request).await?;
        let (status, body) = answer(&mut stream, &mut buffer).await?;
        if status == 200
            && let Some(task) = task_id(&buffer[body])
        {
            outcome.tasks.push(task);
        }
        if due >= counts_from {
            *outcome.statuses.entry(status).or_default() += 1;
            outcome.latency.record(u64::try_from(due.elapsed().as_micros())?.max(1))?;
            outcome.elapsed = counts_from.elapsed();
        }
    }
    Ok(outcome)
}

/// Opens a connection that the server has taken: it has answered on it.
async fn open(plan: &Plan, buffer: &mut Vec<u8>, doors: &Semaphore) -> anyhow::Result<TcpStream> {
    let _door = doors.acquire().await?;
    let mut stream = TcpStream::connect(&plan.address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: bench\r\n\r\n").await?;
    answer(&mut stream, buffer).await?;
    Ok(stream)
}

/// When a request is due: now, or at its place in the open loop, for which it waits.
async fn due(plan: &Plan, opened: Instant, connection: usize, i: u64) -> Instant {
    let Some(rate) = plan.rate else { return Instant::now() };
    let place = i as f64 * plan.connections as f64 + connection as f64;
    let due = opened + Duration::from_secs_f64(place / rate);
    tokio::time::sleep_until(due.into()).await;
    due
}

/// Reads one answer: its status, and where its body lies in the buffer.
async fn answer(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> anyhow::Result<(u16, std::ops::Range<usize>)> {
    buffer.clear();
    let head = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server closed a connection");
        }
    };
    let status = std::str::from_utf8(buffer.get(9..12).context("a status line")?)?.parse()?;
    let length = content_length(&buffer[..head]).context("an answer without content-length")?;
    while buffer.len() < head + length {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server closed a connection in the middle of an answer");
        }
    }
    Ok((status, head..head + length))
}

fn content_length(head: &[u8]) -> Option<usize> {
    let line = head
        .split(|byte| *byte == b'\n')
        .find(|line| line.get(..15).is_some_and(|name| name.eq_ignore_ascii_case(b"content-length:")))?;
    std::str::from_utf8(&line[15..]).ok()?.trim().parse().ok()
}

fn task_id(body: &[u8]) -> Option<String> {
    let name = b"\"taskId\":\"";
    let start = find(body, name)? + name.len();
    let end = start + body[start..].iter().position(|byte| *byte == b'"')?;
    String::from_utf8(body[start..end].to_vec()).ok()
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// `GET path` with a key.
pub fn get(path: &str, key: &str) -> Requests {
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n\r\n");
    Arc::new(move |_, _, out| out.extend_from_slice(request.as_bytes()))
}

/// `POST /api/ai/video/generate` by one of several keys in turn. Each request has an idempotency key of its own, or always
/// the same.
pub fn generate(keys: Arc<Vec<String>>, name: &'static str, always_the_same: bool) -> Requests {
    let run = format!("{:x}", rand::random::<u64>());
    Arc::new(move |connection, i, out| {
        // Spread over the accounts, whatever the number of connections.
        let at = (connection as u64).wrapping_mul(7_919).wrapping_add(i.wrapping_mul(104_729));
        let key = &keys[usize::try_from(at % keys.len() as u64).unwrap_or(0)];
        let unique = if always_the_same { 0 } else { i };
        let head = format!(
            "POST /api/ai/video/generate HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
             idempotency-key: {name}-{run}-{connection}-{unique}\r\ncontent-length: {}\r\n\r\n",
            BODY.len()
        );
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(BODY.as_bytes());
    })
}

/// What everybody asks for.
const BODY: &str = r#"{"prompt":"A slow cinematic dolly around a ceramic coffee cup on a kitchen island, morning light, 35mm film, shallow depth of field, steam rising in a sunbeam","model":"wan/2-6-text-to-video","inputMode":"text_to_video","aspectRatio":"16:9","duration":5,"resolution":"720p","externalTaskId":"order-4711","metadata":{"project":"spring","shot":"12b"}}"#;
