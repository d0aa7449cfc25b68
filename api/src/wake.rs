//! What processes that share a database say to one another: workers are woken, and listeners are told of news, by
//! rate-limited messages outside every transaction.
//!
//! Only makes sooner what happens anyway: who is not told looks every second. A message that is lost costs that second.

use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::ConnectionManager;
use redis::{AsyncCommands, Client};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::news::{News, Untold};

const JOBS: &str = "reelmeter:jobs";
const NEWS: &str = "reelmeter:news";
/// At most one message in this time, whatever happens.
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
    pub async fn bridge(
        self,
        url: SecretString,
        enqueued: watch::Receiver<u64>,
        news: News,
        stop: CancellationToken,
    ) {
        let client = match Client::open(url.expose_secret()) {
            Ok(client) => client,
            Err(error) => {
                tracing::error!(%error, "REELMETER_REDIS_URL can't be used; processes find each other's work within a second");
                return;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tell(&client, enqueued, news.untold()) => {}
            () = self.listen(&client, &news) => {}
        }
        news.set_linked(false);
    }

    async fn listen(&self, client: &Client, news: &News) {
        loop {
            if let Err(error) = self.listen_once(client, news).await {
                tracing::warn!(%error, "no news from other processes; they are looked for every second");
            }
            news.set_linked(false);
            tokio::time::sleep(RECONNECT).await;
        }
    }

    async fn listen_once(&self, client: &Client, news: &News) -> redis::RedisResult<()> {
        let mut messages = client.get_async_pubsub().await?;
        messages.subscribe(&[JOBS, NEWS]).await?;
        news.set_linked(true);
        let mut messages = messages.into_on_message();
        while let Some(message) = messages.next().await {
            match message.get_channel_name() {
                JOBS => self.elsewhere.send_modify(|n| *n += 1),
                _ => news.hear(&message.get_payload::<String>()?),
            }
        }
        Ok(())
    }
}

async fn tell(client: &Client, mut enqueued: watch::Receiver<u64>, mut untold: Untold) {
    let mut connection = None;
    loop {
        let (channel, message) = tokio::select! {
            Ok(()) = enqueued.changed() => (JOBS, String::new()),
            Some(message) = untold.message() => (NEWS, message),
            else => return,
        };
        if let Err(error) = tell_once(client, &mut connection, channel, message).await {
            tracing::debug!(%error, "other processes could not be told");
        }
        tokio::time::sleep(RATE).await;
    }
}

async fn tell_once(
    client: &Client,
    connection: &mut Option<ConnectionManager>,
    channel: &str,
    message: String,
) -> redis::RedisResult<()> {
    let mut connected = match connection.take() {
        Some(connected) => connected,
        None => ConnectionManager::new(client.clone()).await?,
    };
    let told: redis::RedisResult<()> = connected.publish(channel, message).await;
    *connection = Some(connected);
    told
}
