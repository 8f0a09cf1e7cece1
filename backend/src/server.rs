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
use tokio::time::MissedTickBehavior;
use tokio_io_timeout::TimeoutStream;
use tower::Service;

use crate::app::App;
use crate::error::{Error, Result};
use crate::network::Peer;
use crate::peers::Peers;
use crate::registry::catalog::blob::lease::Lease;
use crate::registry::catalog::blob::scrub;
use crate::registry::catalog::blob::sweep::{Sweep, newest_ms};
use crate::registry::catalog::{mlmodel, model, upload};
use crate::registry::lifecycle::trash::removal;
use crate::registry::people::session;

/// A header must be complete, and an idle connection used again, within this time.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);
/// All objects are listed once a day.
const SWEEPS_OF_A_DAY: u64 = 24;
const SCRUB_INTERVAL: Duration = Duration::from_secs(600);
/// How long what goes on beside the answers may take when the server stops.
const BESIDE: Duration = Duration::from_secs(5);

/// Serves until `stop` ends, or somebody else has the lease, then waits for running requests as long as the configuration
/// says.
pub async fn serve(
    app: &App,
    listener: TcpListener,
    lease: Option<Lease>,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let service = crate::app(app.clone());
    let free = Arc::new(Semaphore::new(app.config.max_connections));
    let peers = Peers::default();
    // Every connection holds a receiver until it ends.
    let stopping = watch::Sender::new(());
    let newest = newest_ms(&app.db.patient()).await;
    let sweeping = tokio::spawn(sweep(app.clone(), newest));
    let scrubbing = tokio::spawn(scrub(app.clone()));
    let lost = Arc::new(watch::Sender::new(false));
    let lease = lease.map(Arc::new);
    // Also while running transfers end.
    let keeping = lease.clone().map(|lease| {
        let lost = lost.clone();
        tokio::spawn(async move {
            lease.keep().await;
            lost.send_replace(true);
        })
    });
    let mut losing = lost.subscribe();
    let mut stop = pin!(async move {
        tokio::select! {
            () = stop => {}
            _ = losing.wait_for(|lost| *lost) => {}
        }
    });
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
                let stream = guard(stream, app);
                let connection = run(stream, address.ip(), service.clone(), stopping.subscribe());
                tokio::spawn(async move {
                    connection.await;
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
    sweeping.abort();
    scrubbing.abort();
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
    if let Some(keeping) = keeping {
        keeping.abort();
    }
    if let Some(lease) = &lease
        && let Err(error) = lease.give_back().await
    {
        error.log();
    }
    app.db.close().await;
    match *lost.borrow() {
        true => Err(Error::Conflict("Another server has this --storage now.".into())),
        false => Ok(()),
    }
}

type Guarded = Pin<Box<TimeoutStream<tokio::net::TcpStream>>>;

/// A client that takes nothing for too long is cut off.
fn guard(stream: tokio::net::TcpStream, app: &App) -> Guarded {
    stream.set_nodelay(true).ok();
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

/// Removes blobs that nothing has named for long, and uploads and sessions that are over, and reads what was never
/// read, at the start and then every hour.
///
/// `newest_ms` is of before the first request. Where that could not be read, nothing says whether the database is an
/// older one, and objects are not listed.
async fn sweep(app: App, newest_ms: Result<i64>) {
    let mut has_listed = false;
    let mut interval = tokio::time::interval(SWEEP_INTERVAL);
    for number in 0_u64.. {
        interval.tick().await;
        app.db.lay_ballast(&app.config.data.database_url(), app.config.keep_free);
        let sweep = Sweep::of(&app);
        let (sweep, lists) = match &newest_ms {
            Ok(newest) if !has_listed => (sweep.first(*newest), true),
            Ok(_) if number % SWEEPS_OF_A_DAY == 0 => (sweep, true),
            _ => (sweep.without_listing(), false),
        };
        let swept = sweep.run().await;
        has_listed |= lists && swept.is_ok();
        match swept {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "removed objects that were unused for long"),
            Err(error) => tracing::error!(?error, "sweeping failed"),
        }
        if let Err(error) = app.store.sweep_parts().await {
            tracing::error!(?error, "removing parts of uploads failed");
        }
        if let Err(error) = mlmodel::sql::index_all(&app).await {
            tracing::error!(?error, "reading MLmodel files failed");
        }
        if let Err(error) = model::facet::read_cards(&app).await {
            tracing::error!(?error, "reading model cards failed");
        }
        if let Err(error) = upload::rules::sweep(&app).await {
            tracing::error!(?error, "sweeping unfinished uploads failed");
        }
        if let Err(error) = removal::finish(&app).await {
            tracing::error!(?error, "removing what was deleted for good failed");
        }
        if let Err(error) = session::rules::purge(&app).await {
            tracing::error!(?error, "purging sessions failed");
        }
    }
}

/// Reads all files again and again, slowly, with a pause where there is nothing to read.
async fn scrub(app: App) {
    let mut interval = tokio::time::interval(SCRUB_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval.tick().await;
    loop {
        interval.tick().await;
        loop {
            match scrub::scrub(&app).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(?error, "reading files to prove them failed");
                    break;
                }
            }
        }
    }
}
