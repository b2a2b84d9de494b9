//! The HTTP listener: every surface merged, with limits on what a connection may hold and on how long a request's
//! head may take. What each path means is its module's business.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::disk::{self, Disk};
use crate::listener::Bound;
use crate::store::Store;
use crate::telemetry::Metrics;

/// Connections at once; each holds at most [`BUFFER_BYTES`] and a response in flight.
const CONNECTIONS: usize = 1024;

/// Room for a request's head: the vendor's SDKs put whole template lists into the request line.
const BUFFER_BYTES: usize = 256 * 1024;

/// How long a request's head may take, so that a slow stranger does not hold a connection.
const HEAD_WITHIN: Duration = Duration::from_secs(15);

/// How long open requests may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// What the operator's endpoints look at.
#[derive(Debug)]
pub struct Health {
    /// Ready means that it can be written.
    pub store: Store,
    /// Ready means that there is more free space than the reserve.
    pub disk: Arc<Disk>,
    /// What `/metrics` tells.
    pub metrics: Metrics,
    /// Set when the server is stopping; not ready any more.
    pub stopping: CancellationToken,
}

/// `/healthz`, `/readyz` and `/metrics`.
pub fn health(health: Arc<Health>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

async fn ready(State(health): State<Arc<Health>>) -> Response {
    let not = |why: &str| (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response();
    if health.stopping.is_cancelled() {
        return not("stopping");
    }
    if health.store.check_writable().await.is_err() {
        return not("the catalogue cannot be written");
    }
    match health.disk.check() {
        Ok(()) => "ready\n".into_response(),
        Err(disk::Refused::BelowReserve) => not("free disk space is below the reserve"),
        Err(disk::Refused::Unknown(_)) => not("the disk cannot be read"),
    }
}

async fn metrics(State(health): State<Arc<Health>>) -> Response {
    match health.metrics.text().await {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Serves until `stop`, then lets open requests end.
pub async fn run(listener: Bound, router: Router, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = TaskTracker::new();
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
        let Some((socket, _)) = listener.accept(&stop).await else { break };
        let (router, stop) = (router.clone(), stop.child_token());
        connections.spawn(async move {
            let _slot = slot;
            serve(socket, router, stop).await;
        });
    }
    connections.close();
    if tokio::time::timeout(GRACE, connections.wait()).await.is_err() {
        tracing::debug!(connections = connections.len(), "requests did not end in time");
    }
}

/// Ends the connection of a request at once: what its reader leaves unread keeps no place.
#[derive(Clone, Debug, Default)]
pub struct Cut(CancellationToken);

impl Cut {
    /// Ends it.
    pub fn cut(&self) {
        self.0.cancel();
    }
}

async fn serve(socket: TcpStream, router: Router, stop: CancellationToken) {
    let _ = socket.set_nodelay(true);
    let cut = Cut::default();
    let router = router.map_request({
        let cut = cut.clone();
        move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(cut.clone());
            request
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(socket), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = cut.0.cancelled() => return,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "an HTTP connection ended early");
    }
}
