//! Serving: connections with timeouts and a cap, and a shutdown that lets running transfers end.
//!
//! hyper is used directly because `axum::serve` lets a half-sent header stay open for ever.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header::UPGRADE;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tower::Service;

use crate::app::App;
use crate::error::{Error, Result};
use crate::linger::{self, Lent};
use crate::network::Peer;
use crate::peers::Peers;
use crate::registry::catalog::blob::sweep::newest_ms;
use crate::upkeep;

/// A header must be complete, and an idle connection used again, within this time.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long `/readyz` says that the server stops before it does.
const NOTICE: Duration = Duration::from_secs(5);
/// How long what goes on beside the answers may take when the server stops.
const BESIDE: Duration = Duration::from_secs(5);

/// Serves until `stop` ends, then waits for running requests as long as the configuration says. An error where the database
/// is not for this program any more.
pub async fn serve(app: &App, listener: TcpListener, stop: impl Future<Output = ()>) -> Result<()> {
    let service = crate::app(app.clone());
    let free = Arc::new(Semaphore::new(app.config.max_connections));
    let peers = Peers::default();
    // Every connection holds a receiver until it ends.
    let stopping = watch::Sender::new(());
    let newest = newest_ms(&app.db.patient()).await;
    let ending = watch::Sender::new(false);
    let upkeep = tokio::spawn(upkeep::run(app.clone(), newest, ending.subscribe()));
    let mut stop = pin!(until_stopped(app, stop));
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
                let Some(seat) = peers.seat(&app.config, address.ip()) else {
                    metrics::counter!("model_registry_refused_connections_total").increment(1);
                    continue;
                };
                stream.set_nodelay(true).ok();
                let (stream, mut returned) = linger::lend(stream);
                let stream = guard(stream, app);
                let connection = run(stream, address.ip(), service.clone(), stopping.subscribe());
                tokio::spawn(async move {
                    connection.await;
                    if let Ok(stream) = returned.try_recv() {
                        linger::close(stream).await;
                    }
                    drop((permit, seat));
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
    ending.send_replace(true);
    tracing::info!("stopping: waiting for running transfers");
    let patience = Duration::from_secs(app.config.shutdown_seconds);
    stopping.send_replace(());
    let ended = async { tokio::join!(stopping.closed(), app.sockets.close()) };
    if tokio::time::timeout(patience, ended).await.is_err() {
        tracing::warn!("transfers were cut off");
    }
    app.beside.close();
    if tokio::time::timeout(BESIDE, app.beside.wait()).await.is_err() {
        tracing::warn!("lines of the log were not written");
    }
    let ended = upkeep.await;
    app.db.close().await;
    ended.map_err(Error::internal)?
}

/// Ends when the server is to take no more connections. Where others do its work, whoever divides it among them first has
/// time to see that it stops.
async fn until_stopped(app: &App, stop: impl Future<Output = ()>) {
    let mut told = app.stopping.subscribe();
    tokio::select! {
        () = stop => {}
        _ = told.wait_for(|stopping| *stopping) => {}
    }
    app.stopping.send_replace(true);
    if !app.store.is_folder() {
        tracing::info!("stopping: /readyz says so");
        tokio::time::sleep(NOTICE).await;
    }
}

type Guarded = Pin<Box<TimeoutStream<Lent>>>;

/// A client that takes nothing for too long is cut off.
fn guard(stream: Lent, app: &App) -> Guarded {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(Duration::from_secs(app.config.stall_seconds)));
    Box::pin(stream)
}

/// Serves a client at `address`, whose requests say so, to the end of their connection: that is the end of
/// the running request once `stopping` changes. What becomes a socket ends with [`App::sockets`].
async fn run(stream: Guarded, address: IpAddr, service: Router, mut stopping: watch::Receiver<()>) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(address));
        // How the client writes its headers, which is how it looks for them in the answer to the opening of a socket:
        // Python's gql finds `Sec-WebSocket-Protocol` letter by letter only.
        let written = request.headers().contains_key(UPGRADE).then(|| request.extensions().clone());
        let answer = service.clone().call(request);
        async move {
            let mut answer = answer.await?;
            answer.extensions_mut().extend(written.unwrap_or_default());
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .preserve_header_case(true)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    // An error here is the client's: cut off, too slow, or not HTTP.
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}
