//! Being told to stop, and stopping in time.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// When the process ends, whatever still runs: whoever told us to stop kills us soon after.
const LIMIT: Duration = Duration::from_millis(9_500);
/// How much of that is left for what comes after draining, however long that takes.
const AFTER_DRAINING: Duration = Duration::from_millis(6_500);

/// SIGINT and SIGTERM, heard from the moment that this is made.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    pub fn listen() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    #[cfg(not(unix))]
    pub fn listen() -> std::io::Result<Signals> {
        Ok(Signals {})
    }

    /// Waits to be told to stop; from then on the process ends within ten seconds (more if it drains for longer than three),
    /// and at once when told again.
    pub async fn stop_requested(mut self, draining: Duration) {
        self.next().await;
        tracing::info!("stopping");
        watch_the_time(LIMIT.max(draining + AFTER_DRAINING));
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(1);
        });
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

/// On a thread of its own, so that not even a blocked runtime can hold the process.
fn watch_the_time(limit: Duration) {
    std::thread::spawn(move || {
        let (_never_sends, receiver): (_, Receiver<()>) = channel();
        if let Err(RecvTimeoutError::Timeout) = receiver.recv_timeout(limit) {
            tracing::error!("stopping took too long; what was left undone is taken up at the next start");
            std::process::exit(1);
        }
    });
}
