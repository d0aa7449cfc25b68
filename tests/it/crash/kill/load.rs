//! Customers that ask all the time, and what they were told.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use entity::task;
use futures_util::future::join_all;
use reqwest::Client;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::crash::site::Site;
use crate::program::{PATIENCE, Server};

/// Requests that are under way at once.
const CLIENTS: u32 = 12;
/// Requests without an answer that are asked again after a crash; the others stay as they are.
const ASKED_AGAIN: usize = 10;

/// What was said of each idempotency key.
#[derive(Debug, Default)]
pub struct Told {
    /// The task's id.
    acknowledged: HashMap<String, String>,
    refused: HashSet<String>,
    unanswered: HashSet<String>,
    lost: usize,
    there: usize,
}

/// Clients that ask until they are stopped, or nobody answers any more.
pub struct Load {
    told: Arc<Mutex<Told>>,
    count: watch::Sender<usize>,
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

#[derive(Clone)]
struct Caller {
    client: Client,
    url: String,
    key: String,
}

impl Load {
    pub fn start(site: &Site, server: &Server, cycle: u32, told: Told) -> Load {
        let (told, count) = (Arc::new(Mutex::new(told)), watch::Sender::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let caller = Caller::of(site, server);
        let clients = (0..CLIENTS).map(|client| {
            let (caller, told, count, stop) = (caller.clone(), told.clone(), count.clone(), stop.clone());
            tokio::spawn(async move {
                for n in 0.. {
                    let key = format!("{cycle}-{client}-{n}");
                    if stop.load(Ordering::Relaxed) || !caller.ask(&key, &told, &count).await {
                        return;
                    }
                }
            })
        });
        let clients = clients.collect();
        Load { told, count, stop, clients }
    }

    /// Waits for so many more acknowledgements.
    pub async fn acknowledged(&self, more: usize) {
        let mut count = self.count.subscribe();
        let wanted = *count.borrow() + more;
        let waiting = count.wait_for(|count| *count >= wanted);
        tokio::time::timeout(PATIENCE, waiting).await.expect("requests are acknowledged").unwrap();
    }

    pub async fn stop(self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        join_all(self.clients).await.into_iter().for_each(|client| client.unwrap());
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

impl Caller {
    fn of(site: &Site, server: &Server) -> Caller {
        Caller { client: tests::client(), url: server.url(), key: site.key.clone() }
    }

    /// Asks once, and notes what was said. False when nobody answered.
    async fn ask(&self, key: &str, told: &Mutex<Told>, count: &watch::Sender<usize>) -> bool {
        told.lock().unwrap().unanswered.insert(key.to_owned());
        let Ok((status, body)) = self.send(key).await else { return false };
        let mut told = told.lock().unwrap();
        match status {
            200 => {
                told.unanswered.remove(key);
                let id = body["taskId"].as_str().unwrap().to_owned();
                let before = told.acknowledged.insert(key.to_owned(), id.clone());
                assert!(before.is_none_or(|before| before == id), "{key} was told two tasks");
                count.send_modify(|count| *count += 1);
            }
            402 => {
                told.unanswered.remove(key);
                told.refused.insert(key.to_owned());
            }
            // The database is away: this one may have been committed.
            503 => {}
            other => panic!("{other}: {body}"),
        }
        true
    }

    async fn send(&self, key: &str) -> reqwest::Result<(u16, Value)> {
        // What one asks for depends on the key alone, as it must.
        let duration = if key.ends_with('7') { 12 } else { 2 };
        let body = json!({
            "model": "doubao-seedance-1-0-lite-t2v-250428", "inputMode": "text_to_video", "prompt": "[sandbox:fail]",
            "duration": duration, "resolution": "480p", "aspectRatio": "16:9",
        });
        let request = self.client.post(format!("{}/api/ai/video/generate", self.url)).bearer_auth(&self.key);
        let answer = request.header("idempotency-key", key).json(&body).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }
}

impl Told {
    /// Some that were not answered ask again: they get their task, or one now.
    pub async fn ask_again(&mut self, site: &Site, server: &Server) {
        let caller = Caller::of(site, server);
        let keys: Vec<String> = self.unanswered.iter().take(ASKED_AGAIN).cloned().collect();
        let (told, count) = (Mutex::new(std::mem::take(self)), watch::Sender::new(0));
        for key in keys {
            assert!(caller.ask(&key, &told, &count).await, "the server answers");
        }
        *self = told.into_inner().unwrap();
    }

    /// Compares what was told with what is stored.
    pub async fn assert_kept(&mut self, site: &Site) {
        let db = site.db().await;
        let tasks = task::Entity::find().all(db.read()).await.unwrap();
        db.close().await.unwrap();
        let mut stored = HashMap::new();
        for task in tasks {
            let key = task.idempotency_key.expect("every request has a key");
            let doubled = stored.insert(key, task.id.to_string());
            assert_eq!(doubled, None, "a key has two tasks");
        }
        self.lost = self.acknowledged.iter().filter(|(key, id)| stored.get(*key) != Some(*id)).count();
        assert_eq!(self.lost, 0, "acknowledged tasks are lost");
        let refused = self.refused.iter().filter(|key| stored.contains_key(*key)).count();
        assert_eq!(refused, 0, "refused requests were accepted");
        self.there = self.unanswered.iter().filter(|key| stored.contains_key(*key)).count();
        let known = self.acknowledged.len() + self.there;
        assert_eq!(stored.len(), known, "tasks are there that nobody asked for");
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told { acknowledged, refused, unanswered, lost, there } = self;
        write!(
            f,
            "{} acknowledged ({lost} lost), {} refused, {} unanswered of which {there} are there",
            acknowledged.len(),
            refused.len(),
            unanswered.len()
        )
    }
}
