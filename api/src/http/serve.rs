//! Serving on a socket: connections are taken until the process is told to stop, and get some time to finish then.
//!
//! Before that comes a time of draining: everything is served as ever, but each answer closes its connection, so that clients
//! come back on another one, which whoever stands in front leads elsewhere. An idle connection is left alone meanwhile: a
//! request may be on its way on it.
//!
//! Written here because the framework's own server goes on with a request whose client has hung up: whoever waited would keep
//! their place until the wait is over. Here the request is dropped with its connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Version;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Endpoint, Request, Response};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a connection may be there without (the rest of) a request: more than the minute that proxies keep theirs.
const IDLE: Duration = Duration::from_secs(75);
/// Connections that may wait to be taken; systems have limits of their own (`net.core.somaxconn`).
const QUEUE: u32 = 8_192;
/// How long no connection is taken after one could not be: there may be too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes an address. Thousands of callers may come in the same moment, as after a network's outage: who does not fit into the
/// system's queue waits for a second at least.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As others do it: a server that starts again must not wait for the connections of the one before.
    socket.set_reuseaddr(cfg!(unix))?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// Serves until `told` to stop, and then for `grace` at most. Once `draining`, answers close their connections.
pub async fn serve<E>(
    listener: TcpListener,
    endpoint: E,
    draining: CancellationToken,
    told: impl Future<Output = ()>,
    grace: Duration,
) where
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
                // Children: they are asked with every request, and behind one lock connections would wait for each other.
                let (draining, finish) = (draining.child_token(), finish.child_token());
                let stop = Stop { draining, finish, end: end.clone() };
                connections.spawn(connection(socket, from, endpoint.clone(), stop));
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

/// How a connection comes to its end.
struct Stop {
    /// With its next answer.
    draining: CancellationToken,
    /// With the answer that is being made, or at once.
    finish: CancellationToken,
    /// In the middle of that.
    end: CancellationToken,
}

async fn connection<E>(socket: TcpStream, from: SocketAddr, endpoint: Arc<E>, stop: Stop)
where
    E: Endpoint<Output = Response> + 'static,
{
    let Ok(local) = socket.local_addr() else { return };
    // Answers are small and written whole.
    let _slower = socket.set_nodelay(true);
    let Stop { draining, finish, end } = stop;
    let service = service_fn(move |request: hyper::Request<_>| {
        let (local, remote) = (LocalAddr(local.into()), RemoteAddr(from.into()));
        let (endpoint, draining, version) = (endpoint.clone(), draining.clone(), request.version());
        let request = Request::from((request, local, remote, Scheme::HTTP));
        // In one piece on the heap: the connection moves it about, and it is large.
        Box::pin(async move {
            let mut answer: hyper::Response<_> = endpoint.get_response(request).await.into();
            // HTTP/2 has no such header; its connections are ended in order when they are told to finish.
            if draining.is_cancelled() && version <= Version::HTTP_11 {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        })
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(IDLE);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(socket), service));
    tokio::select! {
        // It ended, in one way or another: what is left of its requests goes with it.
        _ = serving.as_mut() => return,
        () = finish.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    let _ended = end.run_until_cancelled(serving).await;
}
