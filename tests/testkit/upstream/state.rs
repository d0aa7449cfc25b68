//! What the upstream knows and was told: the jobs that it has taken, and the lies that wait for their calls.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{Call, Lie};
use crate::fake::tiny_mp4;
use crate::wire::{Answer, Ending, Request};

#[derive(Debug, Default)]
pub struct State {
    pub lies: HashMap<Call, VecDeque<Lie>>,
    /// What is done when the others are used up.
    pub habits: HashMap<Call, Lie>,
    /// Files by name that are no job's clip.
    pub files: HashMap<String, (Answer, Ending)>,
    pub jobs: Vec<Job>,
    pub keys: Vec<String>,
    /// What each submission that reached it was to be made from.
    pub media: Vec<Value>,
    pub calls: Vec<Call>,
    pub takes_keys_again: bool,
    pub went_on: u32,
}

#[derive(Clone, Debug)]
pub struct Job {
    id: String,
    key: String,
    seconds: u32,
    canceled: bool,
}

impl State {
    pub fn calls(&self, call: Call) -> usize {
        self.calls.iter().filter(|made| **made == call).count()
    }

    /// Does what was asked, unless it was told not to, and knows the true answer.
    pub fn hear(
        &mut self,
        request: &Request,
        address: SocketAddr,
    ) -> (Option<(Answer, Ending)>, Option<Lie>) {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let mut parts = path.trim_start_matches('/').split('/');
        let (place, id) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let call = match (request.method.as_str(), place, id) {
            ("POST", "jobs", "") => Call::Submit,
            ("GET", "jobs", "") => Call::Find,
            ("GET", "jobs", _) => Call::Poll,
            ("DELETE", "jobs", _) => Call::Cancel,
            _ => Call::Fetch,
        };
        self.calls.push(call);
        if call == Call::Submit {
            self.keys.push(request.body["key"].as_str().unwrap_or_default().to_owned());
            self.media.push(request.body["media"].clone());
        }
        let lie = self.lies.entry(call).or_default().pop_front().or_else(|| self.habits.get(&call).cloned());
        if let Some(Lie::LoseRequest | Lie::Refuse(_)) = lie {
            return (Some((missing(), Ending::Whole)), lie);
        }
        let truth = match call {
            Call::Submit => self.take(&request.body),
            Call::Find => self.find(query.strip_prefix("key=").unwrap_or_default()),
            Call::Poll => self.job(id).map_or_else(missing, |job| job.report(address)),
            Call::Cancel => self.cancel(id),
            Call::Fetch if place == "files" => {
                return (self.files.get(id).cloned(), lie);
            }
            Call::Fetch => self.job(id).map_or_else(missing, |job| Answer::video(tiny_mp4(job.seconds))),
        };
        (Some((truth, Ending::Whole)), lie)
    }

    fn job(&mut self, id: &str) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.id == id)
    }

    fn take(&mut self, body: &Value) -> Answer {
        let key = body["key"].as_str().unwrap_or_default().to_owned();
        if !self.takes_keys_again && self.jobs.iter().any(|job| job.key == key) {
            return Answer::json(409, &json!({ "error": { "code": "duplicate_key" } }));
        }
        let id = format!("job-{}", self.jobs.len() + 1);
        let seconds = body["seconds"].as_u64().and_then(|seconds| u32::try_from(seconds).ok());
        self.jobs.push(Job { id: id.clone(), key, seconds: seconds.unwrap_or(0), canceled: false });
        Answer::json(200, &json!({ "id": id }))
    }

    fn find(&self, key: &str) -> Answer {
        let found = self.jobs.iter().filter(|job| job.key == key);
        let found: Vec<Value> = found.map(|job| json!({ "id": job.id, "key": job.key })).collect();
        Answer::json(200, &json!({ "jobs": found }))
    }

    fn cancel(&mut self, id: &str) -> Answer {
        let Some(job) = self.job(id) else { return missing() };
        job.canceled = true;
        Answer::json(200, &json!({ "id": id }))
    }
}

impl Job {
    fn report(&self, address: SocketAddr) -> Answer {
        let url = format!("http://{address}/clips/{}", self.id);
        let (id, seconds) = (&self.id, self.seconds);
        let report = match self.canceled {
            true => json!({ "id": id, "status": "canceled" }),
            false => json!({
                "id": id, "status": "succeeded", "progress": 100, "cost_micro_usd": 250_000,
                "clips": [{ "url": url, "seconds": seconds }],
            }),
        };
        Answer::json(200, &report)
    }
}

fn missing() -> Answer {
    Answer::json(404, &json!({ "error": { "code": "not_found" } }))
}
