//! Waking workers: in this process at once, in the others by one rate-limited message outside every transaction.
//!
//! Only makes sooner what happens anyway: a worker looks for work every second. A message that is lost costs that second.

use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::ConnectionManager;
use redis::{AsyncCommands, Client};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const CHANNEL: &str = "reelmeter:jobs";
/// At most one message in this time, whatever is enqueued.
const RATE: Duration = Duration::from_millis(25);
const RECONNECT: Duration = Duration::from_secs(2);

/// News of jobs that other processes enqueued.
#[derive(Clone, Debug)]
pub struct Wake {
    elsewhere: watch::Sender<u64>,
}

impl Default for Wake {
    fn default() -> Self {
        Wake { elsewhere: watch::Sender::new(0) }
    }
}

impl Wake {
    /// Changes whenever another process says that it enqueued something.
    pub fn elsewhere(&self) -> watch::Receiver<u64> {
        self.elsewhere.subscribe()
    }

    /// Connects this process with the others until it stops. `enqueued` changes with every job of its own.
    pub async fn bridge(self, url: SecretString, enqueued: watch::Receiver<u64>, stop: CancellationToken) {
        let client = match Client::open(url.expose_secret()) {
            Ok(client) => client,
            Err(error) => {
                tracing::error!(%error, "REELMETER_REDIS_URL can't be used; other processes find work within a second");
                return;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tell(&client, enqueued) => {}
            () = self.listen(&client) => {}
        }
    }

    async fn listen(&self, client: &Client) {
        loop {
            if let Err(error) = self.listen_once(client).await {
                tracing::warn!(%error, "no news from other processes; they are looked for every second");
            }
            tokio::time::sleep(RECONNECT).await;
        }
    }

    async fn listen_once(&self, client: &Client) -> redis::RedisResult<()> {
        let mut messages = client.get_async_pubsub().await?;
        messages.subscribe(CHANNEL).await?;
        let mut messages = messages.into_on_message();
        while messages.next().await.is_some() {
            self.elsewhere.send_modify(|n| *n += 1);
        }
        Ok(())
    }
}

async fn tell(client: &Client, mut enqueued: watch::Receiver<u64>) {
    let mut connection = None;
    while enqueued.changed().await.is_ok() {
        if let Err(error) = tell_once(client, &mut connection).await {
            tracing::debug!(%error, "other processes could not be told of new work");
        }
        tokio::time::sleep(RATE).await;
    }
}

async fn tell_once(client: &Client, connection: &mut Option<ConnectionManager>) -> redis::RedisResult<()> {
    let mut connected = match connection.take() {
        Some(connected) => connected,
        None => ConnectionManager::new(client.clone()).await?,
    };
    let told: redis::RedisResult<()> = connected.publish(CHANNEL, "").await;
    *connection = Some(connected);
    told
}
