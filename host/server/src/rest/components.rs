//! Components: uploaded once, by digest, and then named in pushes. What another tenant uploaded is not told.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;

use super::auth::{Actor, Scope};
use super::error::{Error, ErrorBody};
use super::extract::{Id, STILL_WITHIN, announced, piece};
use super::form::when;
use super::{Shared, upload_place};
use crate::clock;
use crate::files::components::{Incoming, is_digest};
use crate::store::components::Component;

/// The largest component that is taken: one with a scripting runtime (32 MiB), its assets (1 MiB) and its schema. What is
/// accepted is decided where components are inspected.
const COMPONENT_BYTES: u64 = 34 << 20;

/// How long an upload may take. The largest one needs a slow line's 120 KiB/s.
const UPLOAD_WITHIN: Duration = Duration::from_secs(300);

/// Pieces between the connection and the disk; each is at most some tens of kilobytes.
const PIECES: usize = 8;

/// A component that the tenant uploaded.
#[derive(Serialize, ToSchema)]
pub(super) struct ComponentView {
    /// SHA-256 of its bytes.
    digest: String,
    bytes: i64,
    /// When it was last uploaded. One that no version uses is forgotten a day later.
    uploaded_at: String,
    /// Who uploaded it first.
    uploaded_by: String,
}

/// Says whether the tenant uploaded a component before, so that it need not be sent again (`HEAD` is enough). What
/// others uploaded is not there.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/components/{digest}",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("digest" = String, Path, description = "SHA-256 of its bytes, lower-case hex."),
    ),
    responses((status = 200, body = ComponentView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(digest): Id<String>,
) -> Result<Json<ComponentView>, Error> {
    let component = shared.store.component(&tenant.name, &digest).await?.ok_or(Error::NotFound("component"))?;
    // One whose file is not there, because a crash or the disk came between, is sent again.
    let files = Arc::clone(&shared.files);
    if !off_thread(move || files.has_component(&digest)).await? {
        return Err(Error::NotFound("component"));
    }
    Ok(Json(component.into()))
}

/// Takes a component's bytes, which must have the digest in the path. Again changes nothing. Push it then: what no
/// version uses is forgotten after a day.
#[utoipa::path(
    put,
    path = "/v1/tenants/{tenant}/components/{digest}",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("digest" = String, Path, description = "SHA-256 of its bytes, lower-case hex."),
    ),
    request_body(content = Vec<u8>, description = "The component.", content_type = "application/wasm"),
    responses(
        (status = 200, description = "It was there already.", body = ComponentView),
        (status = 201, description = "It is new.", body = ComponentView),
        (status = "default", description = "Why not.", body = ErrorBody),
    ),
)]
pub(super) async fn put(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Actor(actor): Actor,
    Id(digest): Id<String>,
    request: Request,
) -> Result<(StatusCode, Json<ComponentView>), Error> {
    if !is_digest(&digest) {
        return Err(Error::Invalid("a component is named by its SHA-256: 64 lower-case hex digits".to_owned()));
    }
    let announced = announced(&request).unwrap_or(0);
    if announced > COMPONENT_BYTES {
        return Err(Error::TooLarge { what: "the component", limit_bytes: COMPONENT_BYTES });
    }
    // The body is read only when there is a place for it, here and on the disk.
    shared.check_disk()?;
    let _place = upload_place(&shared.components, &tenant.name).await?;
    shared.policies.count_upload(&tenant.name).await?;
    let quotas = shared.policies.quotas();
    let announced = i64::try_from(announced).unwrap_or(i64::MAX);
    shared.store.check_component(&tenant.name, &digest, announced, &quotas).await?;
    let incoming = receive(&shared, request.into_body()).await?;
    if incoming.digest() != digest {
        let why = format!("the body's SHA-256 is {}, not what the path says; nothing was kept", incoming.digest());
        return Err(Error::Invalid(why));
    }
    let component = Component {
        digest,
        bytes: i64::try_from(incoming.bytes()).unwrap_or(i64::MAX),
        uploaded_at: clock::now().0,
        uploaded_by: actor,
    };
    // The row first: no file gets its place that no quota counts, however many come at once and whoever hangs up. A row
    // without its file is one that `show` does not tell of and that no push takes; sending it again mends it.
    let is_new = shared.store.add_component(&tenant.name, &component, &quotas).await?;
    let files = Arc::clone(&shared.files);
    off_thread(move || files.place_component(&incoming)).await?;
    let kept = shared.store.component(&tenant.name, &component.digest).await?.unwrap_or(component);
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(kept.into())))
}

/// Writes a body to the disk as it comes, off the async threads.
async fn receive(shared: &Arc<Shared>, body: Body) -> Result<Incoming, Error> {
    let (pieces, mut taken) = mpsc::channel::<Bytes>(PIECES);
    let writing = Arc::clone(shared);
    let failed = |error: std::io::Error| Error::Internal(format!("a component could not be written: {error}"));
    // It ends with the channel, also when this request is given up; what it wrote goes with it then.
    let writer = tokio::task::spawn_blocking(move || {
        let mut incoming = writing.files.receive_component().map_err(failed)?;
        while let Some(piece) = taken.blocking_recv() {
            // Many come at once, and together they are larger than what lies between the reserve and a full disk.
            writing.check_disk()?;
            incoming.write(&piece).map_err(failed)?;
        }
        Ok(incoming)
    });
    let sent = send(body, pieces, UPLOAD_WITHIN, STILL_WITHIN).await;
    let written: Result<Incoming, Error> =
        writer.await.unwrap_or_else(|panic| Err(failed(std::io::Error::other(panic))));
    // A disk that refuses closes the channel, so that its own word comes first.
    let incoming = written?;
    sent.map(|()| incoming)
}

/// Hands a body on piece by piece, until it ends, stands still or takes too long.
async fn send(body: Body, pieces: mpsc::Sender<Bytes>, within: Duration, still: Duration) -> Result<(), Error> {
    let (mut body, mut bytes) = (body.into_data_stream(), 0_u64);
    let end = Instant::now() + within;
    while let Some(piece) = piece(&mut body, COMPONENT_BYTES, end, still).await? {
        bytes = bytes.saturating_add(piece.len() as u64);
        if bytes > COMPONENT_BYTES {
            return Err(Error::TooLarge { what: "the component", limit_bytes: COMPONENT_BYTES });
        }
        if timeout_at(end, pieces.send(piece)).await.map_err(|_| Error::Slow)?.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Runs file work on a thread that may block.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| Err(std::io::Error::other(panic))).map_err(|error| Error::Internal(error.to_string()))
}

impl From<Component> for ComponentView {
    fn from(component: Component) -> Self {
        Self {
            digest: component.digest,
            bytes: component.bytes,
            uploaded_at: when(component.uploaded_at),
            uploaded_by: component.uploaded_by,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn a_body_that_trickles_or_stands_still_is_cut_off() {
        let (long, short) = (Duration::from_secs(60), Duration::from_millis(20));
        let trickle = stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
        });
        let still = stream::pending::<Result<Bytes, std::io::Error>>();
        for (name, body, within, stands) in [
            ("trickles", Body::from_stream(trickle), short, long),
            ("stands still", Body::from_stream(still), long, short),
            (
                "is not taken",
                Body::from_stream(stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(b"x")))),
                short,
                long,
            ),
        ] {
            let (pieces, mut taken) = mpsc::channel(PIECES);
            let reader = async move {
                while name != "is not taken" && taken.recv().await.is_some() {}
                taken
            };
            let both = async { tokio::join!(send(body, pieces, within, stands), reader).0 };
            let ended = tokio::time::timeout(Duration::from_secs(10), both).await;
            assert!(matches!(ended, Ok(Err(Error::Slow))), "{name}: {ended:?}");
        }
    }
}
