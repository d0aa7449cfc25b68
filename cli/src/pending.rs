//! Orders that are under way, one file each, so that none is paid twice: after a crash or an interruption the same order is
//! sent again under the same idempotency key, and the server answers with the task that there is.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ulid::Ulid;

use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::moment::now;
use crate::settings::{state_folder, write_private};

/// An order and where its clip goes. Holds no API key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    pub idempotency_key: String,
    pub host: String,
    /// Where the order is posted.
    pub path: String,
    pub body: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<PathBuf>,
    /// Once the server has said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    pub started_at: DateTime<Utc>,
}

impl Pending {
    /// An order that is not sent yet. `key` is the caller's own name for it; without one it gets a new one.
    pub fn new(client: &Client, path: &str, body: Value, key: Option<String>) -> Pending {
        Pending {
            idempotency_key: key.unwrap_or_else(|| format!("reel-{}", Ulid::generate())),
            host: client.host().to_owned(),
            path: path.to_owned(),
            body,
            out: None,
            task_id: None,
            started_at: now(),
        }
    }

    /// Stores the order, sends it and notes the task. What the server refuses for certain is forgotten.
    pub async fn place(&mut self, client: &Client) -> Result<Value, Failure> {
        self.store()?;
        match client.order(&self.path, &self.body, &self.idempotency_key).await {
            Ok(answer) => {
                let id = ["taskId", "task_id", "id"].iter().find_map(|name| answer[*name].as_str());
                self.task_id = id.map(str::to_owned);
                self.store()?;
                Ok(answer)
            }
            Err(failure) if failure.is_retryable || failure.code.is_none() => {
                Err(failure.hint("It is not known whether the order was taken. `reel video resume` finds out, without paying twice."))
            }
            Err(failure) => {
                self.forget()?;
                Err(failure)
            }
        }
    }

    /// The task's id; only before the order was placed there is none.
    pub fn task(&self) -> &str {
        self.task_id.as_deref().unwrap_or_default()
    }

    pub fn store(&self) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(self).map_err(Failure::local("could not note the order"))?;
        write_private(&self.file()?, &text)
    }

    /// It needs no going on with any more.
    pub fn forget(&self) -> Result<(), Failure> {
        match std::fs::remove_file(self.file()?) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure::local("could not forget the order")(error))
            }
            _ => Ok(()),
        }
    }

    /// A key may hold what no file name can.
    fn file(&self) -> Result<PathBuf, Failure> {
        let name = hex::encode(self.idempotency_key.as_bytes());
        // The longest key would make a name that is too long.
        let name = if name.len() > 200 { format!("{}-{}", &name[..160], name.len()) } else { name };
        Ok(folder()?.join(format!("{name}.json")))
    }

    /// Every order that was not brought to its end, oldest first.
    pub fn all() -> Result<Vec<Pending>, Failure> {
        let entries = match std::fs::read_dir(folder()?) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Failure::local("could not look for orders")(error)),
        };
        let mut found = Vec::new();
        for entry in
            entries.flatten().filter(|entry| entry.path().extension().is_some_and(|end| end == "json"))
        {
            let text = std::fs::read(entry.path()).map_err(Failure::local("could not read an order"))?;
            let pending: Pending = serde_json::from_slice(&text).map_err(|error| {
                Failure::new(Exit::Other, format!("{} can't be read: {error}", entry.path().display()))
            })?;
            found.push(pending);
        }
        found.sort_by_key(|pending| pending.started_at);
        Ok(found)
    }
}

fn folder() -> Result<PathBuf, Failure> {
    Ok(state_folder()?.join("pending"))
}
