//! A tenant's receiver: prints each callback as it arrives, with the decision behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::stage::TENANT;
use crate::client::Rest;
use crate::client::rest::items;

/// Longest callback that is read.
const BODY_BYTES: usize = 256 * 1024;

/// A running receiver.
pub(super) struct Receiver {
    url: String,
    shared: Arc<Shared>,
}

struct Shared {
    api: Rest,
    /// By event id: the video and the name.
    seen: Mutex<BTreeMap<String, (String, String)>>,
    arrived: Notify,
}

impl Receiver {
    pub(super) async fn start(api: Rest) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}/callbacks", listener.local_addr()?);
        let shared = Arc::new(Shared { api, seen: Mutex::default(), arrived: Notify::new() });
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { url, shared })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Whether the event with this id has arrived.
    pub(super) fn has(&self, event: &str) -> bool {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).contains_key(event)
    }

    /// The names of the events that have arrived, by video.
    pub(super) fn told(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (video, kind) in self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).values() {
            told.entry(video.clone()).or_default().insert(kind.clone());
        }
        told
    }

    /// Returns when something arrives.
    pub(super) async fn something(&self) {
        self.shared.arrived.notified().await;
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((socket, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| take(request, Arc::clone(&shared)));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

async fn take(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Full<Bytes>>, Infallible> {
    let id = request.headers().get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let body = Limited::new(request.into_body(), BODY_BYTES).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let event: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    print(&shared.api, &event).await;
    let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let about = (word("VideoId"), word("EventType"));
    shared.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(id, about);
    shared.arrived.notify_one();
    Ok(Response::new(Full::new(Bytes::new())))
}

async fn print(api: &Rest, event: &Value) {
    let word = |name: &str| event[name].as_str().unwrap_or_default();
    let kind = word("EventType");
    let detail = match kind {
        "AddLiveRecordVideoComplete" => format!("{} to {}", word("RecordStartTime"), word("RecordEndTime")),
        "FileUploadComplete" => format!("{} bytes", event["Size"]),
        "VideoAnalysisComplete" => format!("{}x{}, {} s", event["Width"], event["Height"], event["Duration"]),
        "StreamTranscodeComplete" => {
            format!("{} {}x{} {}", word("Definition"), event["Width"], event["Height"], word("Status"))
        }
        "TranscodeComplete" if event["Extend"].is_string() => format!("{}; asked for by hand", word("Status")),
        "TranscodeComplete" => format!("{}{}", word("Status"), decided(api, "template-group", word("VideoId")).await),
        "SnapshotComplete" => {
            let count = &event["SnapshotInfos"][0]["SnapshotCount"];
            format!("{count} pictures{}", decided(api, "template-group", word("VideoId")).await)
        }
        "LiveRecordVideoComposeStart" => {
            format!("{}{}", word("StreamName"), decided(api, "compose-rules", "").await)
        }
        _ => word("Status").to_owned(),
    };
    println!("  ← {kind:<27} {}  {detail}", &word("VideoId").chars().take(8).collect::<String>());
}

/// Why something came out as it did: the newest decision at a hook, about a video if one is named.
async fn decided(api: &Rest, hook: &str, video: &str) -> String {
    let about = if video.is_empty() { String::new() } else { format!("&video_id={video}") };
    let path = format!("/v1/tenants/{TENANT}/decisions?hook={hook}&limit=1{about}");
    let Ok(found) = api.call(Method::GET, &path, None).await else { return String::new() };
    let Some(decision) = items(&found).into_iter().next() else { return String::new() };
    let made = &decision["provenance"];
    let Some(plugin) = made["plugin"].as_str() else { return "; decided by the record config".to_owned() };
    let digest: String = made["digest"].as_str().unwrap_or_default().chars().take(12).collect();
    format!(
        "; decided by {plugin} version {} ({digest}…): {} in {} µs, fuel {}",
        made["version"],
        decision["applied"].as_str().unwrap_or_default(),
        made["elapsed_us"],
        made["fuel"],
    )
}
