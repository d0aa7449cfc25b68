//! Customers that ask all the time, until they are stopped or nobody answers any more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::asked::{Asked, Told};
use crate::crash::site::Site;
use crate::program::PATIENCE;

/// Requests that are under way at once.
const CLIENTS: u32 = 12;

pub struct Load {
    caller: Arc<Caller>,
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    pub fn start(site: &Site, url: &str, cycle: u32, told: Told) -> Load {
        let caller = Arc::new(Caller::of(site, url, told));
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..CLIENTS).map(|client| {
            let (caller, stop) = (caller.clone(), stop.clone());
            tokio::spawn(async move {
                for n in 0.. {
                    let asked = Asked { cycle, client, n };
                    if stop.load(Ordering::Relaxed) || !caller.until_answered(asked, &stop).await {
                        return;
                    }
                }
            })
        });
        Load { clients: clients.collect(), caller, stop }
    }

    /// Waits for so many more acknowledgements.
    pub async fn acknowledged(&self, more: usize) {
        let mut count = self.caller.count.subscribe();
        let wanted = *count.borrow() + more;
        let waiting = count.wait_for(|count| *count >= wanted);
        tokio::time::timeout(PATIENCE, waiting).await.expect("requests are acknowledged").unwrap();
    }

    pub async fn stop(self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        join_all(self.clients).await.into_iter().for_each(|client| client.unwrap());
        self.caller.take()
    }
}

/// Asks, and notes what was said.
pub struct Caller {
    client: Client,
    url: String,
    key: String,
    told: Mutex<Told>,
    count: watch::Sender<usize>,
}

/// What one request came to.
enum Said {
    Clear,
    /// The database is away: it may have been done.
    Unclear,
    Nothing,
}

impl Caller {
    pub fn of(site: &Site, url: &str, told: Told) -> Caller {
        let (url, key) = (url.to_owned(), site.key.clone());
        let (told, count) = (Mutex::new(told), watch::Sender::new(0));
        Caller { client: tests::client(), url, key, told, count }
    }

    pub fn take(&self) -> Told {
        std::mem::take(&mut *self.told.lock().unwrap())
    }

    /// Asks under the same key while the answer is unclear, and then cancels if that is wanted. False when nobody answered.
    pub async fn until_answered(&self, asked: Asked, stop: &AtomicBool) -> bool {
        loop {
            match self.ask_and_cancel(asked).await {
                Said::Clear => return true,
                Said::Unclear if stop.load(Ordering::Relaxed) => return false,
                Said::Unclear => tokio::task::yield_now().await,
                Said::Nothing => return false,
            }
        }
    }

    async fn ask_and_cancel(&self, asked: Asked) -> Said {
        let known = self.told.lock().unwrap().task(asked);
        let id = match known {
            Some(id) => id,
            None => match self.ask(asked).await {
                Ok(Some(id)) => id,
                Ok(None) => return Said::Clear,
                Err(said) => return said,
            },
        };
        if asked.is_canceled() { self.cancel(asked, &id).await } else { Said::Clear }
    }

    /// The task's id, or none when it is refused.
    async fn ask(&self, asked: Asked) -> Result<Option<String>, Said> {
        self.told.lock().unwrap().asks(asked);
        let request = self.client.post(format!("{}/api/ai/video/generate", self.url));
        let request = request.header("idempotency-key", asked.to_string()).json(&asked.body());
        let Ok((status, replayed, body)) = self.send(request).await else { return Err(Said::Nothing) };
        match status {
            200 => {
                let id = body["taskId"].as_str().unwrap().to_owned();
                self.told.lock().unwrap().acknowledge(asked, &id, replayed);
                self.count.send_modify(|count| *count += 1);
                Ok(Some(id))
            }
            402 => {
                self.told.lock().unwrap().refuse(asked);
                Ok(None)
            }
            503 => {
                self.told.lock().unwrap().doubt(asked);
                Err(Said::Unclear)
            }
            other => panic!("{other}: {body}"),
        }
    }

    async fn cancel(&self, asked: Asked, id: &str) -> Said {
        let request = self.client.post(format!("{}/api/ai/tasks/{id}/cancel", self.url));
        match self.send(request).await {
            Ok((200 | 202, ..)) => {
                self.told.lock().unwrap().cancel(asked);
                Said::Clear
            }
            Ok((503, ..)) => Said::Unclear,
            Ok((other, _, body)) => panic!("{other}: {body}"),
            Err(_) => Said::Nothing,
        }
    }

    async fn send(&self, request: RequestBuilder) -> reqwest::Result<(u16, bool, Value)> {
        let answer = request.bearer_auth(&self.key).send().await?;
        let replayed = answer.headers().get("idempotent-replayed").is_some_and(|value| value == "true");
        Ok((answer.status().as_u16(), replayed, answer.json().await?))
    }
}

impl Asked {
    /// What one asks for depends on the key alone, as it must.
    fn body(self) -> Value {
        let prompt = if self.is_canceled() { "[sandbox:hang]" } else { "[sandbox:fail]" };
        // 12 s at 1080p in four clips are more than the customer has.
        let (duration, resolution, count) = if self.is_dear() { (12, "1080p", 4) } else { (2, "480p", 1) };
        json!({
            "model": "doubao-seedance-1-0-lite-t2v-250428", "inputMode": "text_to_video", "prompt": prompt,
            "duration": duration, "resolution": resolution, "aspectRatio": "16:9", "count": count,
        })
    }
}
