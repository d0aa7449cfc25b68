//! `reelmeter serve` and `reelmeter worker`: start in order, run until told, stop in order.
//!
//! Start: lock, port, app, schema, prices, first run, banner. Stop: not ready any more, and the worker gives its jobs free;
//! requests are served until whoever leads them here has noticed; then no new ones, finish those that run, lane, database. A
//! crash anywhere is as good as a stop; stopping in order makes the next start quicker, and loses nobody's connection.

mod banner;
mod degraded;
mod price;

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::shutdown::Signals;
use super::{first_run, sqlite};
use crate::app::{self, App};
use crate::clock::Clock;
use crate::config::{Config, Role};
use crate::http;
use crate::ledger::Lane;
use crate::worker::Worker;

/// How long requests that run may take to finish after the process was told to stop.
const HTTP_GRACE: Duration = Duration::from_secs(3);

/// Serves until the process is told to stop.
///
/// A database that was restored from a backup knows less than the world: it is served only when `after_restore` says that
/// this is known. The workers then ask the providers what became of everything that was under way.
pub async fn serve(mut config: Config, after_restore: bool) -> anyhow::Result<()> {
    let lock = sqlite::open(&config)?;
    let listener = match config.role {
        Role::Worker => None,
        Role::All | Role::Api => Some(listen(&mut config)?),
    };
    let metrics = metrics_listener(&mut config).await?;
    let (app, lane) = App::build(config, Clock::system()).await?;
    prepare(&app).await?;
    accept_restored(&app, after_restore).await?;
    // Before the banner: whoever reads it may tell us to stop right away.
    let signals = Signals::listen()?;
    degraded::warn(&app.config);
    if listener.is_some() {
        super::print(&banner::banner(&app).await?);
    }
    let metrics = metrics.map(|listener| serve_metrics(listener, app.clone()));
    let served = run(app, lane, listener, signals).await;
    // Last, so that the stop itself can be watched.
    metrics.into_iter().for_each(|server| server.abort());
    drop(lock);
    served
}

/// The port is taken before anything is written, and the settings learn which one it is (`:0` takes any).
fn listen(config: &mut Config) -> anyhow::Result<TcpListener> {
    let address: SocketAddr = config.listen;
    let hint = || format!("cannot listen on {address} (set REELMETER_LISTEN to another address)");
    let listener = http::serve::listen(address).with_context(hint)?;
    config.listen = listener.local_addr()?;
    Ok(listener)
}

async fn metrics_listener(config: &mut Config) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = config.metrics_listen else { return Ok(None) };
    let hint = || format!("cannot listen on {address} (REELMETER_METRICS_LISTEN)");
    let listener = TcpListener::bind(address).await.with_context(hint)?;
    config.metrics_listen = Some(listener.local_addr()?);
    Ok(Some(listener))
}

fn serve_metrics(listener: TcpListener, app: App) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Some(address) = app.config.metrics_listen {
            tracing::info!(%address, "metrics are served");
        }
        // Until the process ends: a server that finishes its last requests is still looked at.
        let (endpoint, never) = (http::metrics::endpoint(app), CancellationToken::new());
        http::serve::serve(listener, endpoint, never, pending(), Duration::ZERO).await;
    })
}

async fn prepare(app: &App) -> anyhow::Result<()> {
    if app.db.is_postgres() {
        app::require_current_schema(&app.db).await?;
    } else {
        app::migrate(&app.db).await?;
    }
    first_run::refuse_exposed_demo(app).await?;
    price::ensure_active(app).await?;
    first_run::prepare(app).await
}

async fn accept_restored(app: &App, is_known: bool) -> anyhow::Result<()> {
    if !app.db.is_backup().await? {
        return Ok(());
    }
    if !is_known {
        bail!(
            "this database is a restored backup: what happened since then is missing from it; \
             start once with `reelmeter serve --after-restore` to go on from here"
        );
    }
    tracing::warn!("going on from a restored backup");
    Ok(app.db.mark_backup(false).await?)
}

async fn run(app: App, lane: Lane, listener: Option<TcpListener>, signals: Signals) -> anyhow::Result<()> {
    let worker = match app.config.role {
        Role::Api => None,
        Role::All | Role::Worker => Some(Worker::start(app.clone()).await?),
    };
    let bridge = CancellationToken::new();
    if let Some(url) = app.config.redis_url.clone() {
        tokio::spawn(app.wake.clone().bridge(url, app.ledger.enqueued(), app.news.clone(), bridge.clone()));
    }
    let told = async {
        signals.stop_requested(app.config.drain()).await;
        app.draining.cancel();
    };
    tokio::join!(told, serve_http(listener, app.clone()), work(worker, &app.draining));
    lane.stop().await;
    bridge.cancel();
    app.db.close().await?;
    tracing::info!("stopped");
    Ok(())
}

/// Works until the process is told to stop; the jobs are then others' to go on with, however long requests are still served.
async fn work(worker: Option<Worker>, draining: &CancellationToken) {
    if let Some(worker) = worker {
        draining.cancelled().await;
        worker.stop().await;
    }
}

async fn serve_http(listener: Option<TcpListener>, app: App) {
    let Some(listener) = listener else { return };
    let (draining, stopping, drain) = (app.draining.clone(), app.stopping.clone(), app.config.drain());
    let told = async {
        draining.cancelled().await;
        tokio::time::sleep(drain).await;
        stopping.cancel();
    };
    http::serve::serve(listener, http::endpoint(app), draining.clone(), told, HTTP_GRACE).await;
}

/// The description of the API, as JSON or YAML.
pub fn openapi(as_yaml: bool) -> anyhow::Result<String> {
    let document = http::openapi()?;
    if as_yaml { http::description::yaml(&document) } else { http::description::json(&document) }
}
