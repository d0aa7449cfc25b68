//! A task as the server tells it, and following it to its end.

use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::{ETAG, IF_NONE_MATCH, RETRY_AFTER};
use serde_json::Value;

use crate::client::{Client, segment};
use crate::failure::{Exit, Failure};
use crate::output::{harmless, plain};

/// The longest that one request waits for news.
const WAIT_S: u64 = 25;
/// Between two looks when the server doesn't wait with us and doesn't say how long to.
const PAUSE_S: u64 = 2;

/// The native dialect's task.
#[derive(Clone, Debug)]
pub struct Task(pub Value);

impl Task {
    pub async fn read(client: &Client, id: &str) -> Result<Task, Failure> {
        client.get(&path(id), &[]).await.map(Task)
    }

    pub fn id(&self) -> &str {
        self.0["taskId"].as_str().unwrap_or_default()
    }

    pub fn state(&self) -> &str {
        self.0["state"].as_str().unwrap_or("unknown")
    }

    pub fn is_completed(&self) -> bool {
        self.state() == "completed"
    }

    pub fn has_ended(&self) -> bool {
        matches!(self.state(), "completed" | "failed" | "canceled" | "expired")
    }

    pub fn percent(&self) -> u64 {
        self.0["progress"].as_u64().unwrap_or(0)
    }

    /// Held while it is under way, then charged.
    pub fn credits(&self) -> String {
        plain(&self.0["creditsUsed"])
    }

    /// Numbers of the clips that can be fetched.
    pub fn delivered(&self) -> Vec<u64> {
        let clips = self.0["clips"].as_array().into_iter().flatten();
        clips.filter(|clip| clip["state"] == "delivered").filter_map(|clip| clip["index"].as_u64()).collect()
    }

    /// Links to the clips that there are; they work for an hour without a key.
    pub fn urls(&self) -> Vec<&str> {
        self.0["clips"].as_array().into_iter().flatten().filter_map(|clip| clip["url"].as_str()).collect()
    }

    /// Why a task that has ended has no video.
    pub fn failure(&self) -> Option<Failure> {
        if !self.has_ended() || self.is_completed() {
            return None;
        }
        let code = self.0["errorCode"].as_str().unwrap_or_default();
        let exit = if code.contains("moderation") { Exit::Moderation } else { Exit::TaskFailed };
        let why =
            self.0["errorMessage"].as_str().map(|why| format!(": {}", harmless(why))).unwrap_or_default();
        let charged = match self.0["creditsUsed"].as_f64() {
            Some(credits) if credits > 0.0 => {
                format!("{} credits were charged for what was delivered.", self.credits())
            }
            _ => "Its credits were given back.".to_owned(),
        };
        Some(Failure::new(exit, format!("the task {}{why}", self.state())).hint(charged))
    }
}

fn path(id: &str) -> String {
    format!("/api/ai/tasks/{}", segment(id))
}

/// Follows a task until it has ended and tells of each change; `None` when the time is over first. The task goes on either way.
pub async fn follow(
    client: &Client,
    id: &str,
    timeout: Option<Duration>,
    mut tell: impl FnMut(&Task),
) -> Result<Option<Task>, Failure> {
    let begun = Instant::now();
    let mut etag: Option<String> = None;
    loop {
        let left = timeout.map(|timeout| timeout.saturating_sub(begun.elapsed()));
        let wait = left.map_or(WAIT_S, |left| left.as_secs().min(WAIT_S));
        let look = || {
            let request =
                client.request(Method::GET, &path(id)).header("Prefer", format!("wait={}", wait.max(1)));
            match &etag {
                Some(etag) => request.header(IF_NONE_MATCH, etag),
                None => request,
            }
        };
        // Without an ETag the answer comes only at the end: the first look asks for no wait.
        let answer = match etag {
            None => client.read(&path(id), &[]).await,
            Some(_) => client.repeated(look).await,
        };
        let answer = answer.map_err(|failure| goes_on(failure, id))?;
        let is_news = !answer.body.is_null();
        if is_news {
            let task = Task(answer.body);
            tell(&task);
            if task.has_ended() {
                return Ok(Some(task));
            }
        }
        let header = |name| {
            answer.headers.get(name).and_then(|value: &reqwest::header::HeaderValue| value.to_str().ok())
        };
        let has_waited = answer.headers.contains_key("preference-applied");
        let is_first = etag.is_none();
        etag = header(ETAG).map(str::to_owned).or(etag);
        if left.is_some_and(|left| left <= Duration::from_secs(1)) && !is_first {
            return Ok(None);
        }
        let may_wait_next = is_first && etag.is_some();
        if !has_waited && !may_wait_next {
            let pause = header(RETRY_AFTER).and_then(|seconds| seconds.parse().ok()).unwrap_or(PAUSE_S);
            let pause = Duration::from_secs(pause);
            tokio::time::sleep(left.map_or(pause, |left| pause.min(left))).await;
        }
    }
}

fn goes_on(failure: Failure, id: &str) -> Failure {
    if failure.is_retryable {
        failure.hint(format!("The task goes on: `reel video watch {id}`."))
    } else {
        failure
    }
}
