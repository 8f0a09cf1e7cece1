//! Serving: connections with timeouts and a cap, and a shutdown that lets running transfers end.
//!
//! hyper is used directly because `axum::serve` lets a half-sent header stay open for ever.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1::Connection;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tower::Service;

use crate::app::App;
use crate::network::Peer;
use crate::registry::credential::session;
use crate::registry::file;

/// A header must be complete, and an idle connection used again, within this time.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);

/// Serves until `stop` ends, then waits for running requests as long as the configuration says.
pub async fn serve(app: &App, listener: TcpListener, stop: impl Future<Output = ()>) {
    let service = crate::app(app.clone());
    let free = Arc::new(Semaphore::new(app.config.max_connections));
    let graceful = GracefulShutdown::new();
    let sweeping = tokio::spawn(sweep(app.clone()));
    let mut stop = std::pin::pin!(stop);
    loop {
        let permit = tokio::select! {
            permit = free.clone().acquire_owned() => permit.ok(),
            () = &mut stop => break,
        };
        let connection = tokio::select! {
            connection = listener.accept() => connection,
            () = &mut stop => break,
        };
        match connection {
            Ok((stream, address)) => {
                let stream = guard(stream, app);
                let connection =
                    graceful.watch(connection_of(stream, address.ip(), service.clone()));
                tokio::spawn(async move {
                    // An error here is the client's: cut off, too slow, or not HTTP.
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "connection ended");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of file descriptors, perhaps: let some connections end.
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    sweeping.abort();
    tracing::info!("stopping: waiting for running transfers");
    let patience = Duration::from_secs(app.config.shutdown_seconds);
    if tokio::time::timeout(patience, graceful.shutdown()).await.is_err() {
        tracing::warn!("transfers were cut off");
    }
    app.db.close().await;
}

type Guarded = std::pin::Pin<Box<TimeoutStream<tokio::net::TcpStream>>>;

/// A client that takes nothing for too long is cut off.
fn guard(stream: tokio::net::TcpStream, app: &App) -> Guarded {
    stream.set_nodelay(true).ok();
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(Duration::from_secs(app.config.stall_seconds)));
    Box::pin(stream)
}

/// The connection of a client at `address`, whose requests say so.
fn connection_of(
    stream: Guarded,
    address: IpAddr,
    service: Router,
) -> Connection<
    TokioIo<Guarded>,
    impl HttpService<Incoming, ResBody = Body, Error = Infallible, Future: Send> + Send,
> {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(address));
        service.clone().call(request)
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
}

/// Removes blobs that nothing names and sessions that are over, at the start and then every hour.
async fn sweep(app: App) {
    let mut interval = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        interval.tick().await;
        match file::sweep(&app).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "removed blobs that no file names"),
            Err(error) => tracing::error!(?error, "sweeping failed"),
        }
        if let Err(error) = session::purge(&app).await {
            tracing::error!(?error, "purging sessions failed");
        }
    }
}
