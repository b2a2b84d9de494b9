//! The live tail over a real socket.

use std::time::Duration;

use axum::http::Method;
use reprise_lifecycle::decision::{Applied, Decision, Verdict};
use reprise_lifecycle::question::Hook;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use super::{ADMIN, Desk, code, token_of};
use crate::client::Rest;
use crate::testkit::{World, noon};
use crate::{http, listener};

/// The API behind the server's own listener.
struct Served {
    desk: Desk,
    address: std::net::SocketAddr,
    closed: CancellationToken,
}

/// Somebody who reads events.
struct Listener {
    lines: BufReader<TcpStream>,
}

impl Served {
    async fn new() -> Self {
        let desk = Desk::new().await;
        let bound = listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (address, closed) = (bound.address(), CancellationToken::new());
        tokio::spawn(http::run(bound, desk.router.clone(), closed.clone()));
        Self { desk, address, closed }
    }

    /// Requests a tail, on a socket with little room if `room` says so, and gives it with the answer's head unread.
    async fn request(&self, token: &str, query: &str, last: Option<i64>, room: Option<u32>) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(room) = room {
            socket.set_recv_buffer_size(room).unwrap();
        }
        let mut stream = socket.connect(self.address).await.unwrap();
        let last = last.map(|last| format!("last-event-id: {last}\r\n")).unwrap_or_default();
        let request = format!(
            "GET /v1/tenants/acme/decisions/tail{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n{last}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// Listens, with the greeting read: what is committed after it is heard.
    async fn listen(&self, query: &str, last: Option<i64>) -> (Listener, i64) {
        self.listen_with(ADMIN, query, last).await
    }

    async fn listen_with(&self, token: &str, query: &str, last: Option<i64>) -> (Listener, i64) {
        let stream = self.request(token, query, last, None).await;
        let mut listener = Listener { lines: BufReader::new(stream) };
        assert!(listener.line().await.unwrap().contains("200"));
        loop {
            if let Some(id) = listener.line().await.unwrap().strip_prefix("id: ") {
                return (listener, id.parse().unwrap());
            }
        }
    }
}

impl Listener {
    /// The next line; none at the end.
    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = tokio::time::timeout(Duration::from_secs(20), self.lines.read_line(&mut line)).await;
        (read.expect("something is said in time").ok()? > 0).then(|| line.trim_end().to_owned())
    }

    /// Waits for the end, which heartbeats must not put off.
    async fn end(&mut self) {
        let end = async { while self.line().await.is_some() {} };
        tokio::time::timeout(Duration::from_secs(20), end).await.expect("the tail ends in time");
    }

    /// The id of the next decision.
    async fn next(&mut self) -> i64 {
        let mut id = 0;
        loop {
            let line = self.line().await.expect("the tail goes on");
            if let Some(text) = line.strip_prefix("id: ") {
                id = text.parse().unwrap();
            } else if let Some(data) = line.strip_prefix("data: ") {
                let decision: serde_json::Value = serde_json::from_str(data).unwrap();
                assert_eq!(decision["id"], id);
                return id;
            }
        }
    }
}

/// Makes a broadcast with one decision, through the store's own commits.
async fn decide(world: &World, tenant: &str, broadcast: &str) {
    let mut life = world.broadcast(tenant, broadcast).await;
    let video = life.part(0).await;
    life.decide(&video, &[]).await;
}

fn nobody() -> Decision {
    let (hook, question_digest) = (Hook::TemplateGroup, "0".repeat(64));
    Decision { hook, question_digest, verdict: Verdict::NoPolicy, applied: Applied::Default, provenance: None }
}

#[tokio::test]
async fn a_tail_tells_each_decision_once_and_resumes_where_it_was() {
    let served = Served::new().await;
    let world = &served.desk.world;
    world.tenant("acme").await;
    world.tenant("umbrella").await;
    decide(world, "acme", "early").await;
    let (mut listener, begun) = served.listen("", None).await;
    assert_eq!(begun, 1, "it begins with what comes next");
    decide(world, "umbrella", "theirs").await;
    for broadcast in ["b3", "b4", "b5"] {
        decide(world, "acme", broadcast).await;
    }
    assert_eq!([listener.next().await, listener.next().await], [3, 4], "not another tenant's");
    drop(listener);
    decide(world, "acme", "b6").await;

    let (mut listener, begun) = served.listen("?after=1", Some(4)).await;
    assert_eq!(begun, 4, "the last id is newer than the URL");
    assert_eq!([listener.next().await, listener.next().await], [5, 6], "what came in between is not missed");
    let (mut filtered, _) = served.listen("?stream=cam-b*&after=0&plugin=by-stream", None).await;
    assert_eq!([filtered.next().await, filtered.next().await], [3, 4], "the first is of another stream");

    // A command's client comes back by itself.
    let rest = Rest::new(&format!("http://{}", served.address), ADMIN);
    let mut heard = Vec::new();
    let followed = rest.follow("/v1/tenants/acme/decisions/tail", Some("3".to_owned()), |event| {
        heard.push(event.id);
        anyhow::ensure!(heard.len() < 3, "enough");
        Ok(())
    });
    assert_eq!(followed.await.unwrap_err().to_string(), "enough");
    assert_eq!(heard, ["4", "5", "6"]);

    served.desk.stop.cancel();
    listener.end().await;
    served.closed.cancel();
}

#[tokio::test]
async fn tails_are_bounded_and_what_cannot_be_is_refused() {
    let served = Served::new().await;
    served.desk.world.tenant("acme").await;
    let mut listeners = Vec::new();
    for _ in 0..8 {
        listeners.push(served.listen("", None).await);
    }
    let get = async |query: &str| {
        let path = format!("/v1/tenants/acme/decisions/tail{query}");
        served.desk.as_token(&token_of("acme"), Method::GET, &path, "").await
    };
    let refused = get("").await;
    assert_eq!(
        (refused.status.as_u16(), code(&refused).as_str(), refused.header("retry-after")),
        (429, "too_many", "5")
    );
    for query in ["?before=1", "?limit=5", "?from=2027-01-01T00:00:00Z", "?hook=other", "?version=1"] {
        let refused = get(query).await;
        assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (400, "invalid"), "{query}");
    }
    assert_eq!(served.desk.tails.count(), 8);
    drop(listeners);
    // Their places are free again as soon as the server sees that they left.
    while served.desk.tails.count() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_tail_ends_with_the_key_or_the_tenant_that_it_was_opened_for() {
    let served = Served::new().await;
    let world = &served.desk.world;
    world.tenant("acme").await;
    let (mut own, _) = served.listen_with(&token_of("acme"), "", None).await;
    let (mut admins, _) = served.listen("", None).await;
    world.store.log_decision("acme", "{}", &nobody(), noon().0).await;
    assert_eq!([own.next().await, admins.next().await], [1, 1]);
    world.store.switch_off_key("AKacme").await;
    own.end().await;
    world.store.log_decision("acme", "{}", &nobody(), noon().0).await;
    assert_eq!(admins.next().await, 2, "another's token is as good as before");
    let removed = served.desk.as_token(ADMIN, Method::DELETE, "/v1/tenants/acme", "").await;
    assert_eq!(removed.status, 204, "{removed:?}");
    admins.end().await;
    assert_eq!(served.desk.tails.count(), 0, "their places are free");
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_cut_off_and_holds_up_nobody() {
    let served = Served::new().await;
    let world = &served.desk.world;
    world.tenant("acme").await;
    // Much more than the buffers between two sockets take.
    let question = format!("\"{}\"", "x".repeat(1 << 20));
    for _ in 0..12 {
        world.store.log_decision("acme", &question, &nobody(), noon().0).await;
    }
    let mut slow = served.request(ADMIN, "?after=0", None, Some(4096)).await;
    let mut first = [0; 1];
    slow.read_exact(&mut first).await.unwrap();
    assert_eq!(served.desk.tails.count(), 1);
    let (mut other, _) = served.listen("", None).await;
    decide(world, "acme", "b2").await;
    assert_eq!(other.next().await, 13, "commits and other readers go on");
    while served.desk.tails.count() > 1 {
        tokio::task::yield_now().await;
    }
    let mut rest = Vec::new();
    let end = slow.read_to_end(&mut rest).await;
    assert!(end.is_err() || rest.len() < 12 << 20, "its connection is gone: {} bytes", rest.len());
}
