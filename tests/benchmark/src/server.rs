//! The server that is measured: the product's own parts, with a provider that accepts everything and never finishes, so that
//! nothing but the service itself takes the cores.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use reelmeter::app::App;
use reelmeter::clock::Clock;
use reelmeter::config::Config;
use reelmeter::http::serve::serve as serve_http;
use reelmeter::ledger::Lane;
use reelmeter::provider::{
    Abilities, Found, Pace, Progress, Provider, ProviderError, Reconcile, Registry, Submission, UpstreamId,
};
use reelmeter::worker::Worker;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::process::{LISTENING, Process};
use crate::shop::Shop;

/// One of the providers that the catalog names: live keys are served by it.
const PROVIDER: &str = "kie";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[arg(long)]
    database: String,
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    redis: Option<String>,
    /// Runs a worker as well.
    #[arg(long)]
    worker: bool,
}

/// The settings of every measurement.
pub fn config(database: &str, data: PathBuf) -> Config {
    Config {
        database_url: Some(SecretString::from(database.to_owned())),
        data_dir: data,
        secret: Some(SecretString::from(format!("k1:{}", "5a".repeat(32)))),
        ..Config::default()
    }
}

/// The product's parts, wired to the idle provider.
pub async fn build(config: Config) -> anyhow::Result<(App, Lane)> {
    let mut providers = Registry::new(config.data_dir.join("scratch"));
    providers.add(Arc::new(Idle));
    App::with_providers(config, Clock::system(), providers).await
}

pub async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let listener = reelmeter::http::serve::listen("127.0.0.1:0".parse()?)?;
    let mut config = config(&arguments.database, arguments.data);
    config.redis_url = arguments.redis.map(SecretString::from);
    config.listen = listener.local_addr()?;
    println!("{LISTENING}{}", config.listen);
    let (app, lane) = build(config).await?;
    let worker = if arguments.worker { Some(Worker::start(app.clone()).await?) } else { None };
    let bridge = CancellationToken::new();
    if let Some(url) = app.config.redis_url.clone() {
        tokio::spawn(app.wake.clone().bridge(url, app.ledger.enqueued(), app.news.clone(), bridge.clone()));
    }
    let endpoint = reelmeter::http::endpoint(app.clone());
    let mut told = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    serve_http(
        listener,
        endpoint,
        app.draining.clone(),
        async move {
            if told.recv().await.is_none() {
                std::future::pending().await
            }
        },
        Duration::from_secs(3),
    )
    .await;
    if let Some(worker) = worker {
        worker.stop().await;
    }
    lane.stop().await;
    bridge.cancel();
    app.db.close().await.context("the database closes")
}

/// Starts the server in a process of its own.
pub async fn start(shop: &Shop, worker: bool) -> anyhow::Result<Process> {
    let data = shop.folder.path().join("data");
    let data = data.to_str().context("a path in UTF-8")?;
    let mut arguments = vec!["server", "--database", &shop.store.url, "--data", data];
    if let Some(redis) = &shop.redis {
        arguments.extend(["--redis", redis]);
    }
    arguments.extend(worker.then_some("--worker"));
    Process::of_ours(arguments).await
}

/// Accepts at once; is asked every 30 seconds, and is never done.
struct Idle;

#[async_trait]
impl Provider for Idle {
    fn name(&self) -> &str {
        PROVIDER
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            slots: 1_000_000,
            rate: None,
            pace: Pace::steady(Duration::from_secs(30)),
            can_cancel: false,
            reconcile: Reconcile::Keyed,
            needs_files: false,
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        Ok(UpstreamId(format!("up-{}", submission.submit_key)))
    }

    async fn poll(&self, _: &UpstreamId, _: &Submission) -> Result<Progress, ProviderError> {
        Ok(Progress::Running { percent: None })
    }

    async fn cancel(&self, _: &UpstreamId, _: &Submission) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn find(&self, _: &Submission, _: &[UpstreamId]) -> Result<Found, ProviderError> {
        Ok(Found::Absent)
    }
}
