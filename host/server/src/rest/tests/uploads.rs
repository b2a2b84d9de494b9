//! Uploads of several tenants at once: what one of them holds is never all there is.

use std::sync::Arc;

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
    let bearer = format!("Bearer {}", token_of(tenant));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    ask(&desk.router, method, &format!("/v1/tenants/{tenant}/{path}"), &headers, body).await
}

fn component() -> String {
    format!("components/{}", hex::encode(Sha256::digest(BYTES)))
}

fn push() -> String {
    json!({"component_base64": "AGFzbQ=="}).to_string()
}

#[tokio::test]
async fn uploads_that_one_tenant_holds_refuse_nobody_elses() {
    let desk = desk("").await;
    let mut slow = Slow::new();
    let (told, mut answers) = mpsc::unbounded_channel();
    for number in 0..12 {
        let (method, path, body) = match number % 2 {
            0 => (Method::PUT, component(), slow.body(BYTES)),
            _ => (Method::POST, "plugins/p1".to_owned(), slow.body(push())),
        };
        let (desk, told) = (Arc::clone(&desk), told.clone());
        tokio::spawn(async move {
            let answered = send(&desk, "acme", method, &path, body).await;
            told.send((answered.status.as_u16(), code(&answered), answered)).unwrap();
        });
    }
    // Two are read, eight wait, and two are told that it is the tenant's own doing.
    for _ in 0..2 {
        let (status, code, answered) = answers.recv().await.unwrap();
        assert_eq!((status, code.as_str()), (429, "too_many"), "{answered:?}");
        assert_eq!(answered.header("retry-after"), "5");
        slow.reading.recv().await.unwrap();
    }
    let put = send(&desk, "umbrella", Method::PUT, &component(), Body::from(BYTES)).await;
    assert_eq!(put.status, 201, "{put:?}");
    let pushed = send(&desk, "umbrella", Method::POST, "plugins/p1", Body::from(push())).await;
    assert_eq!(pushed.status, 422, "it is looked at: {pushed:?}");
    assert!(slow.reading.try_recv().is_err(), "no more than two of acme's are read");
    slow.gate.cancel();
    for _ in 0..10 {
        let (status, _, answered) = answers.recv().await.unwrap();
        assert!([200, 201, 422].contains(&status), "{answered:?}");
    }
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
