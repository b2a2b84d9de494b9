//! Uploads of several tenants at once: what one of them holds is never all there is, of places and of the disk.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::Method;
use axum::response::IntoResponse;
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Desk, code, token_of};
use crate::policies::fair::NoTurn;
use crate::policies::{ActivateError, PushError};
use crate::rest::error::Error;
use crate::testkit::{Answered, ask};

const BYTES: &[u8] = b"no component, but bytes with a digest";

/// Uploads whose bodies come when the test lets them.
struct Slow {
    gate: CancellationToken,
    /// A word for each body that is being read.
    reading: mpsc::UnboundedReceiver<()>,
    read: mpsc::UnboundedSender<()>,
}

impl Slow {
    fn new() -> Self {
        let (read, reading) = mpsc::unbounded_channel();
        Self { gate: CancellationToken::new(), reading, read }
    }

    fn body(&self, bytes: impl Into<Bytes>) -> Body {
        let (gate, read, bytes) = (self.gate.clone(), self.read.clone(), bytes.into());
        Body::from_stream(stream::once(async move {
            read.send(()).unwrap();
            gate.cancelled().await;
            Ok::<_, std::io::Error>(bytes)
        }))
    }
}

async fn desk(config: &str) -> Arc<Desk> {
    let desk = Desk::with(config).await;
    for tenant in ["acme", "umbrella"] {
        desk.world.tenant(tenant).await;
    }
    Arc::new(desk)
}

async fn send(desk: &Desk, tenant: &str, method: Method, path: &str, body: Body) -> Answered {
    announce(desk, tenant, method, path, None, body).await
}

/// Like [`send`], with a length announced.
async fn announce(
    desk: &Desk,
    tenant: &str,
    method: Method,
    path: &str,
    length: Option<usize>,
    body: Body,
) -> Answered {
    let (bearer, length) = (format!("Bearer {}", token_of(tenant)), length.map(|length| length.to_string()));
    let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
    headers.extend(length.as_deref().map(|length| ("content-length", length)));
    ask(&desk.router, method, &format!("/v1/tenants/{tenant}/{path}"), &headers, body).await
}

fn component() -> String {
    format!("components/{}", hex::encode(Sha256::digest(BYTES)))
}

fn push() -> String {
    json!({"component_base64": "AGFzbQ=="}).to_string()
}

/// Names of the files in the plugins' folder that are components or are becoming some.
fn kept(desk: &Desk) -> Vec<String> {
    let plugins = desk.world.dir.path().join("plugins");
    let names = [plugins.clone(), plugins.join("uploads")].into_iter().flat_map(|dir| std::fs::read_dir(dir).unwrap());
    let names = names.filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_file());
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn uploads_that_one_tenant_holds_refuse_nobody_elses_and_none_of_another_kind() {
    let kinds = [
        (Method::PUT, component(), Bytes::from(BYTES), 4, [200, 201].as_slice()),
        (Method::POST, "plugins/p1".to_owned(), push().into(), 2, &[422]),
        (Method::PUT, "images".to_owned(), Bytes::from("no picture"), 2, &[400]),
    ];
    for (method, path, bytes, at_once, expected) in &kinds {
        let desk = desk("").await;
        let mut slow = Slow::new();
        let (told, mut answers) = mpsc::unbounded_channel();
        for _ in 0..at_once + 10 {
            let (desk, told, body) = (Arc::clone(&desk), told.clone(), slow.body(bytes.clone()));
            let (method, path) = (method.clone(), path.clone());
            tokio::spawn(async move {
                let answered = send(&desk, "acme", method, &path, body).await;
                told.send((answered.status.as_u16(), code(&answered), answered)).unwrap();
            });
        }
        // As many are read as may be, eight wait, and two are told that it is the tenant's own doing.
        for _ in 0..2 {
            let (status, code, answered) = answers.recv().await.unwrap();
            assert_eq!((status, code.as_str()), (429, "too_many"), "{path}: {answered:?}");
            assert_eq!(answered.header("retry-after"), "5");
        }
        for _ in 0..*at_once {
            slow.reading.recv().await.unwrap();
        }
        for (method, other, bytes, _, expected) in &kinds {
            for tenant in ["umbrella", "acme"].into_iter().filter(|tenant| *tenant == "umbrella" || other != path) {
                let answered = send(&desk, tenant, method.clone(), other, Body::from(bytes.clone())).await;
                assert!(expected.contains(&answered.status.as_u16()), "{tenant} {other} beside {path}: {answered:?}");
            }
        }
        assert!(slow.reading.try_recv().is_err(), "no more than those of acme's are read");
        slow.gate.cancel();
        for _ in 0..at_once + 8 {
            let (status, _, answered) = answers.recv().await.unwrap();
            assert!(expected.contains(&status), "{answered:?}");
        }
    }
}

#[tokio::test]
async fn a_push_with_a_small_body_waits_for_no_large_one() {
    let desk = desk("").await;
    let mut slow = Slow::new();
    for _ in 0..2 {
        let (desk, body) = (Arc::clone(&desk), slow.body(push()));
        tokio::spawn(async move { send(&desk, "acme", Method::POST, "plugins/p1", body).await });
        slow.reading.recv().await.unwrap();
    }
    let named = json!({"digest": "0".repeat(64)}).to_string();
    let length = Some(named.len());
    let pushed = announce(&desk, "acme", Method::POST, "plugins/p1", length, Body::from(named)).await;
    assert_eq!(pushed.status, 404, "it is looked at: {pushed:?}");
}

#[tokio::test]
async fn what_the_quota_refuses_is_neither_read_nor_kept() {
    let desk = desk("[policies.quotas]\ncomponent_mib = 1\n").await;
    let large = vec![b'x'; (1 << 20) + 1];
    let path = format!("components/{}", hex::encode(Sha256::digest(&large)));
    let mut slow = Slow::new();
    let announced = announce(&desk, "acme", Method::PUT, &path, Some(large.len()), slow.body(large.clone())).await;
    assert_eq!((announced.status.as_u16(), code(&announced)), (409, "quota".to_owned()), "{announced:?}");
    assert!(slow.reading.try_recv().is_err(), "its body is not read");
    let unannounced = send(&desk, "acme", Method::PUT, &path, Body::from(large)).await;
    assert_eq!((unannounced.status.as_u16(), code(&unannounced)), (409, "quota".to_owned()), "{unannounced:?}");
    assert_eq!(kept(&desk), Vec::<String>::new());
    // Of several at once that would each have room, as many are kept as have room together.
    let mut sent = tokio::task::JoinSet::new();
    for byte in b'a'..b'e' {
        let (desk, bytes) = (Arc::clone(&desk), vec![byte; 400 << 10]);
        sent.spawn(async move {
            let path = format!("components/{}", hex::encode(Sha256::digest(&bytes)));
            send(&desk, "acme", Method::PUT, &path, Body::from(bytes)).await.status.as_u16()
        });
    }
    let mut answers = sent.join_all().await;
    answers.sort_unstable();
    assert_eq!(answers, [201, 201, 409, 409]);
    assert_eq!(kept(&desk).len(), 2);
}

#[tokio::test]
async fn a_component_whose_file_is_gone_is_not_there_until_it_is_sent_again() {
    let desk = desk("").await;
    let path = component();
    let shown = async || send(&desk, "acme", Method::GET, &path, Body::empty()).await.status.as_u16();
    for put in [201, 200] {
        assert_eq!(shown().await, 404);
        let answered = send(&desk, "acme", Method::PUT, &path, Body::from(BYTES)).await;
        assert_eq!(answered.status, put, "{answered:?}");
        assert_eq!(shown().await, 200);
        for name in kept(&desk) {
            std::fs::remove_file(desk.world.dir.path().join("plugins").join(name)).unwrap();
        }
    }
}

#[tokio::test]
async fn nothing_is_taken_while_the_disk_is_below_its_reserve() {
    let desk = desk("").await;
    let free = Arc::clone(&desk.free);
    let filling = Body::from_stream(stream::once(async move {
        free.store(0, Ordering::Relaxed);
        Ok::<_, std::io::Error>(Bytes::from(BYTES))
    }));
    let during = send(&desk, "acme", Method::PUT, &component(), filling).await;
    assert_eq!((during.status.as_u16(), code(&during)), (503, "busy".to_owned()), "{during:?}");
    assert_eq!(kept(&desk), Vec::<String>::new());
    let mut slow = Slow::new();
    for (method, path) in [(Method::PUT, component().as_str()), (Method::POST, "plugins/p1"), (Method::PUT, "images")] {
        let answered = send(&desk, "acme", method, path, slow.body(BYTES)).await;
        assert_eq!((answered.status.as_u16(), code(&answered)), (503, "busy".to_owned()), "{path}: {answered:?}");
        assert_eq!(answered.header("retry-after"), "5");
    }
    assert!(slow.reading.try_recv().is_err(), "no body is read");
}

#[tokio::test]
async fn an_upload_counts_before_its_body_is_read() {
    for (method, path, bytes) in
        [(Method::PUT, component(), Bytes::from(BYTES)), (Method::POST, "plugins/p1".to_owned(), push().into())]
    {
        let desk = desk("[policies.quotas]\nuploads_per_hour = 1\n").await;
        let mut slow = Slow::new();
        let held = {
            let (desk, method, path, body) =
                (Arc::clone(&desk), method.clone(), path.clone(), slow.body(bytes.clone()));
            tokio::spawn(async move { send(&desk, "acme", method, &path, body).await })
        };
        slow.reading.recv().await.unwrap();
        let second = send(&desk, "acme", method.clone(), &path, Body::from(bytes)).await;
        assert_eq!((second.status.as_u16(), code(&second)), (429, "quota".to_owned()), "{method} {path}");
        // The client hangs up: the upload stays counted.
        held.abort();
        assert!(held.await.unwrap_err().is_cancelled());
        let third = send(&desk, "acme", Method::PUT, &component(), Body::from(BYTES)).await;
        assert_eq!((third.status.as_u16(), code(&third)), (429, "quota".to_owned()), "{method} {path}");
    }
}

#[test]
fn whose_doing_it_is_that_there_is_no_turn_is_told() {
    let answered = |error: Error| error.into_response().status().as_u16();
    for (why, status) in [(NoTurn::Crowded(9), 429), (NoTurn::Late, 503)] {
        assert_eq!(answered(PushError::Busy(why).into()), status);
        assert_eq!(answered(ActivateError::Busy(why).into()), status);
    }
}
