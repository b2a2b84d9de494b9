//! Decisions as they are made, for as long as somebody listens: server-sent events, each with its decision's number as
//! its id, so that who comes back with the last one misses nothing and hears nothing twice.
//!
//! A tail reads the log by number, woken by commits; the commits know nothing of it. What is read waits for its reader
//! in a few places, and a reader that leaves it there for long is cut off. So is one whose access key was switched off or
//! whose tenant was removed.

mod follow;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::follow::{Ended, Follow, Log, Out, Pace, Step};
use super::Listing;
use super::view::view;
use crate::http::Cut;
use crate::rest::Shared;
use crate::rest::auth::{Actor, Scope};
use crate::rest::error::{Error, ErrorBody};
use crate::rest::extract::Params;
use crate::store::Store;
use crate::store::decisions::{DecisionFilter, Page};

/// Tails of one tenant at once, and of all: each holds a connection and a page of decisions, some mebibytes at worst.
const PER_TENANT: usize = 8;
const IN_ALL: usize = 32;

/// Decisions read at once.
const PAGE: i64 = 20;

/// Events that wait for their reader, beside those in the connection's buffers.
const WAITING: usize = 4;

/// How long events may wait for their reader.
const STALLED: Duration = Duration::from_secs(20);

/// How often it is asked whether who listens still may. What was taken away is heard for no longer than this.
const ASKED_AGAIN: Duration = Duration::from_secs(2);

/// How long a client waits before it comes back, in milliseconds.
const RETRY_MS: u32 = 2000;

/// Who listens.
#[derive(Clone, Debug)]
pub struct Tails {
    listening: Arc<Mutex<BTreeMap<String, usize>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    stalled: Duration,
    asked_again: Duration,
}

/// One tail's place, given back when it ends.
struct Place {
    listening: Arc<Mutex<BTreeMap<String, usize>>>,
    tenant: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = listening.get_mut(&self.tenant) {
            *count -= 1;
        }
        listening.retain(|_, count| *count > 0);
    }
}

impl Tails {
    /// Nobody yet. All tails end with `stop`.
    pub fn new(stop: CancellationToken) -> Self {
        let (stalled, asked_again) = (STALLED, ASKED_AGAIN);
        Self { listening: Arc::default(), tasks: TaskTracker::new(), stop, stalled, asked_again }
    }

    /// Waits another time for slow readers.
    #[cfg(test)]
    pub(in crate::rest) fn stalled_after(self, stalled: Duration) -> Self {
        Self { stalled, ..self }
    }

    /// Asks at other times whether who listens still may.
    #[cfg(test)]
    pub(in crate::rest) fn asked_again_after(self, asked_again: Duration) -> Self {
        Self { asked_again, ..self }
    }

    /// How many listen.
    #[cfg(test)]
    pub(in crate::rest) fn count(&self) -> usize {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    fn enter(&self, tenant: &str) -> Result<Place, Error> {
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        if listening.get(tenant).is_some_and(|own| *own >= PER_TENANT) {
            return Err(Error::Crowded(format!("this tenant has {PER_TENANT} tails open; end one first")));
        }
        if listening.values().sum::<usize>() >= IN_ALL {
            return Err(Error::Busy(format!("others have all {IN_ALL} tails of this server open; try again later")));
        }
        *listening.entry(tenant.to_owned()).or_default() += 1;
        Ok(Place { listening: Arc::clone(&self.listening), tenant: tenant.to_owned() })
    }
}

/// Tells decisions as they are made, as server-sent events.
///
/// Each event's id is the decision's number and its data a decision as in the list. It begins with the next decision, or
/// after the one that `Last-Event-ID` or `after` names; the filters are those of the list. A comment is sent every 15
/// seconds. A reader that does not take its events is cut off after 20 seconds and can come back with its last id. One
/// whose access key is no longer good, or whose tenant is removed, is cut off within a few seconds.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/decisions/tail",
    tag = "decisions",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("Last-Event-ID" = Option<i64>, Header, description = "The last decision that was heard."),
        Listing,
    ),
    responses(
        (status = 200, description = "Events without end.", content_type = "text/event-stream", body = String),
        (status = "default", description = "Why not.", body = ErrorBody),
    ),
)]
pub(in crate::rest) async fn tail(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    actor: Actor,
    cut: Option<Extension<Cut>>,
    headers: HeaderMap,
    Params(listing): Params<Listing>,
) -> Result<Response, Error> {
    if listing.before.is_some() || listing.limit.is_some() || listing.from.is_some() || listing.to.is_some() {
        return Err(Error::Invalid("before, limit, from and to mean nothing here; after does".to_owned()));
    }
    let filter = listing.filter()?;
    let store = shared.store.clone();
    // Heard from before the look, so that no commit falls between the two.
    let rings = store.decided();
    let after = match (last_event_id(&headers)?, listing.after) {
        (Some(last), _) => last,
        (None, Some(after)) => after,
        (None, None) => store.newest_decision(&tenant.name).await?,
    };
    let place = shared.tails.enter(&tenant.name)?;
    let (sender, events) = mpsc::channel(WAITING);
    let out = Out { sender, stalled: shared.tails.stalled };
    let hello = Bytes::from(format!("retry: {RETRY_MS}\nid: {after}\n\n"));
    let follow = Follow { after, rings, pace: Pace::default(), stop: shared.tails.stop.clone() };
    let every = shared.tails.asked_again;
    shared.tails.tasks.spawn(async move {
        let log = Matching { store: store.clone(), tenant: place.tenant.clone(), filter };
        let telling = async {
            match out.send(hello).await {
                Ok(()) => follow.run(&log, &out).await,
                Err(ended) => ended,
            }
        };
        // Beside the telling and not in it: a reader that takes its time there must not be asked later for it.
        let ended = tokio::select! {
            ended = telling => ended,
            ended = no_longer_allowed(&store, &actor, &place.tenant, every) => ended,
        };
        let why = match ended {
            Ended::Stalled => Some("its reader is too slow"),
            Ended::Forbidden => Some("its reader may no longer listen"),
            Ended::Failed(error) => {
                tracing::error!(error = %error, "a tail of decisions ended early");
                None
            }
            Ended::Stopped | Ended::Gone => None,
        };
        if let (Some(why), Some(Extension(cut))) = (why, cut) {
            tracing::info!(tenant.id = place.tenant, why, "the connection of a tail of decisions is cut");
            cut.cut();
        }
        drop(place);
    });
    let body = futures_util::stream::unfold(events, async |mut events| {
        let event: Bytes = events.recv().await?;
        Some((Ok::<_, Infallible>(event), events))
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, [("x-accel-buffering", "no")], Body::from_stream(body)).into_response())
}

/// Waits until who listens may do so no more, and says so.
async fn no_longer_allowed(store: &Store, actor: &Actor, tenant: &str, every: Duration) -> Ended {
    loop {
        tokio::time::sleep(every).await;
        match actor.may_still(store, tenant).await {
            Ok(true) => {}
            Ok(false) => return Ended::Forbidden,
            Err(error) => return Ended::Failed(error.into()),
        }
    }
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, Error> {
    let Some(id) = headers.get("last-event-id") else { return Ok(None) };
    let id = id.to_str().ok().and_then(|id| id.parse().ok());
    id.map(Some).ok_or_else(|| Error::Invalid("Last-Event-ID must be a decision's number".to_owned()))
}

/// A tenant's decisions that match.
struct Matching {
    store: Store,
    tenant: String,
    filter: DecisionFilter,
}

impl Log for Matching {
    async fn look(&self, after: i64) -> Result<Step, Error> {
        // What is newer than this when it is read is found by the next look; what is not needs no second look.
        let newest = self.store.newest_decision(&self.tenant).await?;
        if newest <= after {
            return Ok(Step { events: Vec::new(), upto: after, is_all: true });
        }
        let found = self.store.search_decisions(&self.tenant, &self.filter, Page::After(after), PAGE).await?;
        let last = found.rows.last().map_or(after, |row| row.id);
        let upto = found.next.unwrap_or_else(|| newest.max(last));
        let mut events = Vec::with_capacity(found.rows.len());
        for row in found.rows {
            let id = row.id;
            let text = serde_json::to_string(&view(row)?).map_err(|error| Error::Internal(error.to_string()))?;
            events.push((id, text));
        }
        Ok(Step { events, upto, is_all: found.next.is_none() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_all_the_tails_is_told_apart() {
        let tails = Tails::new(CancellationToken::new());
        let enter = |tenant: &str| tails.enter(tenant);
        let mut places: Vec<_> =
            (0..IN_ALL).map(|number| enter(&format!("t{}", number / PER_TENANT)).unwrap()).collect();
        assert!(matches!(enter("t0"), Err(Error::Crowded(_))), "its own doing comes first");
        assert!(matches!(enter("other"), Err(Error::Busy(_))));
        assert_eq!(tails.listening.lock().unwrap().len(), IN_ALL / PER_TENANT, "who is refused is not remembered");
        places.pop();
        enter("other").unwrap();
    }
}
