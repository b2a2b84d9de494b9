//! A tenant's receiver: prints each callback as it arrives, with the decision behind it.

use std::collections::BTreeSet;
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

use super::TENANT;
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
    seen: Mutex<BTreeSet<String>>,
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
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).contains(event)
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
    shared.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
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
        "TranscodeComplete" => format!("{}{}", word("Status"), decision(api, word("VideoId")).await),
        _ => word("Status").to_owned(),
    };
    println!("  ← {kind:<27} {}  {detail}", &word("VideoId").chars().take(8).collect::<String>());
}

/// Why the video was transcoded as it was.
async fn decision(api: &Rest, video: &str) -> String {
    let path = format!("/v1/tenants/{TENANT}/decisions?video_id={video}&hook=template-group");
    let Ok(found) = api.call(Method::GET, &path, None).await else { return String::new() };
    let Some(decision) = items(&found).into_iter().next() else { return String::new() };
    let made = &decision["provenance"];
    let digest: String = made["digest"].as_str().unwrap_or_default().chars().take(12).collect();
    format!(
        "; decided by {} version {} ({digest}…): {} in {} µs, fuel {}",
        made["plugin"].as_str().unwrap_or("nobody"),
        made["version"],
        decision["applied"].as_str().unwrap_or_default(),
        made["elapsed_us"],
        made["fuel"],
    )
}
