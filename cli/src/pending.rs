//! Orders that are under way, one file each, so that none is paid twice: after a crash or an interruption the same order is
//! sent again under the same idempotency key, and the server answers with the task that there is.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
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
        self.check_alone()?;
        self.store()?;
        match client.order(&self.path, &self.body, &self.idempotency_key).await {
            Ok(answer) => {
                let id = ["taskId", "task_id", "id"].iter().find_map(|name| answer[*name].as_str());
                self.task_id = id.map(str::to_owned);
                self.store()?;
                Ok(answer)
            }
            Err(failure) if failure.is_retryable || failure.code.is_none() => {
                Err(failure.hint(format!(
                    "The order may have been taken, or not. `reel video resume` sends it again under its name, which buys it once; \
                     `reel video resume {} --forget` drops it.",
                    self.idempotency_key
                )))
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

    /// A key may hold what no file name can, and counts only at its host.
    fn file(&self) -> Result<PathBuf, Failure> {
        let name = Sha256::digest(format!("{}\n{}", self.host, self.idempotency_key));
        Ok(folder()?.join(format!("{}.json", hex::encode(name))))
    }

    /// Another order under the same key is refused by the server: the note of the first must not be lost to it.
    fn check_alone(&self) -> Result<(), Failure> {
        let Some(earlier) = read(&self.file()?)? else { return Ok(()) };
        if (&earlier.path, earlier.content()) == (&self.path, self.content()) {
            return Ok(());
        }
        Err(Failure::new(
            Exit::Conflict,
            format!("{:?} is the name of another order, which is not done yet", self.idempotency_key),
        )
        .hint("`reel video resume --list` shows it. Nothing was ordered."))
    }

    /// What is ordered, at whichever price was promised for it.
    fn content(&self) -> Value {
        let mut body = self.body.clone();
        if let Some(fields) = body.as_object_mut() {
            fields.shift_remove("quoteId");
        }
        body
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
            found.extend(read(&entry.path())?);
        }
        found.sort_by_key(|pending| pending.started_at);
        Ok(found)
    }
}

/// `None` where there is no such file, perhaps no more.
fn read(path: &Path) -> Result<Option<Pending>, Failure> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::local("could not read an order")(error)),
    };
    let unreadable = |error| Failure::new(Exit::Other, format!("{} can't be read: {error}", path.display()));
    serde_json::from_slice(&text).map(Some).map_err(unreadable)
}

fn folder() -> Result<PathBuf, Failure> {
    Ok(state_folder()?.join("pending"))
}
