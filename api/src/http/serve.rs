//! Serving on a socket: connections are taken until the process is told to stop, and get some time to finish then.
//!
//! Written here because the framework's own server goes on with a request whose client has hung up: whoever waited would keep
//! their place until the wait is over. Here the request is dropped with its connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Endpoint, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a connection may be there without (the rest of) a request: more than the minute that proxies keep theirs.
const IDLE: Duration = Duration::from_secs(75);
/// How long no connection is taken after one could not be: there may be too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `told` to stop, and then for `grace` at most.
pub async fn serve<E>(listener: TcpListener, endpoint: E, told: impl Future<Output = ()>, grace: Duration)
where
    E: Endpoint<Output = Response> + 'static,
{
    let (endpoint, connections) = (Arc::new(endpoint), TaskTracker::new());
    let (finish, end) = (CancellationToken::new(), CancellationToken::new());
    let mut told = pin!(told);
    loop {
        let accepted = tokio::select! {
            () = &mut told => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, from)) => {
                let connection = connection(socket, from, endpoint.clone(), finish.clone());
                connections.spawn(end.clone().run_until_cancelled_owned(connection));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    finish.cancel();
    connections.close();
    if tokio::time::timeout(grace, connections.wait()).await.is_err() {
        tracing::info!(left = connections.len(), "the connections that are left are cut");
        end.cancel();
        connections.wait().await;
    }
}

async fn connection<E>(socket: TcpStream, from: SocketAddr, endpoint: Arc<E>, finish: CancellationToken)
where
    E: Endpoint<Output = Response> + 'static,
{
    let Ok(local) = socket.local_addr() else { return };
    // Answers are small and written whole.
    let _slower = socket.set_nodelay(true);
    let service = service_fn(move |request| {
        let (local, remote) = (LocalAddr(local.into()), RemoteAddr(from.into()));
        let (endpoint, request) = (endpoint.clone(), Request::from((request, local, remote, Scheme::HTTP)));
        async move { Ok::<hyper::Response<_>, Infallible>(endpoint.get_response(request).await.into()) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(IDLE);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(socket), service));
    tokio::select! {
        // It ended, in one way or another: what is left of its requests goes with it.
        _ = serving.as_mut() => return,
        () = finish.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    let _ended = serving.await;
}
