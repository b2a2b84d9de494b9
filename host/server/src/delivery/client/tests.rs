use std::collections::BTreeMap;
use std::net::IpAddr;

use reprise_lifecycle::id::EventId;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::delivery::answer::{EXCERPT_BYTES, MAX_BODY_BYTES};
use crate::delivery::testkit::{Receiver, Reply};

/// Short where the limit is what is waited for; the others end long before theirs.
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(20);

fn loopback() -> Vec<IpNet> {
    vec!["127.0.0.0/8".parse().unwrap()]
}

fn client(allowed: Vec<IpNet>, limit: Duration) -> Client {
    Client::new(ClientConfig { timeout: limit, ..ClientConfig::new(allowed) }).unwrap()
}

fn client_with_names(limit: Duration, names: &[(&str, &[&str])]) -> Client {
    let table: BTreeMap<String, Vec<IpAddr>> = names
        .iter()
        .map(|(name, ips)| ((*name).to_owned(), ips.iter().map(|ip| ip.parse().unwrap()).collect()))
        .collect();
    let config = ClientConfig { timeout: limit, ..ClientConfig::new(loopback()) };
    Client::with_resolver(config, Resolver::Table(table)).unwrap()
}

fn callback(url: &str) -> Callback {
    Callback {
        event: EventId::new("evt_1"),
        url: url.to_owned(),
        auth: None,
        secrets: vec![],
        headers: vec![],
        body: Bytes::from_static(b"{\"EventType\":\"FileUploadComplete\"}"),
    }
}

async fn send(client: &Client, url: &str) -> Exchange {
    client.send(&callback(url), Timestamp(1_798_761_600_000), Arc::new(())).await
}

fn status(code: u16) -> Outcome {
    Outcome::Status { code, retry_after_ms: None }
}

#[tokio::test]
async fn a_status_is_the_answer() {
    let receiver = Receiver::start(|request| Reply::Status(request.path[1..].parse().unwrap())).await;
    let client = client(loopback(), LONG);
    for code in [200, 201, 204, 302, 400, 410, 429, 500, 503] {
        let exchange = send(&client, &receiver.url(&format!("/{code}"))).await;
        assert_eq!(exchange.outcome, status(code));
        assert_eq!(exchange.answer.unwrap().body_end, BodyEnd::Complete);
        assert_eq!(exchange.peer, Some(receiver.address));
    }
    let first = receiver.received().remove(0);
    assert_eq!(first.body, callback("").body);
    assert_eq!(first.headers["host"], receiver.address.to_string());
    assert_eq!(first.headers["content-length"], callback("").body.len().to_string());
    assert_eq!(first.headers["content-type"], "application/json; charset=utf-8");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Receiver::start(|_| Reply::Status(200)).await;
    let url = elsewhere.url("/stolen");
    let receiver = Receiver::start(move |_| Reply::Answer(302, vec![("location", url.clone())], vec![])).await;
    let exchange = send(&client(loopback(), LONG), &receiver.url("/")).await;
    assert_eq!(exchange.outcome, status(302));
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn retry_after_comes_with_the_status() {
    let receiver = Receiver::start(|_| Reply::Answer(503, vec![("retry-after", "7".into())], b"busy".to_vec())).await;
    let exchange = send(&client(loopback(), LONG), &receiver.url("/")).await;
    assert_eq!(exchange.outcome, Outcome::Status { code: 503, retry_after_ms: Some(7_000) });
    assert_eq!(exchange.answer.unwrap().excerpt(), "busy");
}

#[tokio::test]
async fn a_receiver_that_says_nothing_is_a_timeout() {
    let receiver = Receiver::start(|_| Reply::Stall).await;
    let began = Instant::now();
    let exchange = send(&client(loopback(), SHORT), &receiver.url("/")).await;
    assert_eq!(exchange.outcome, Outcome::Timeout { phase: Phase::Answer });
    assert!(began.elapsed() >= SHORT && began.elapsed() < LONG);
    receiver.wait_until(|_| receiver.in_flight() == 0).await;
}

#[tokio::test]
async fn a_body_that_never_ends_costs_the_time_limit_and_undoes_nothing() {
    let receiver = Receiver::start(|request| Reply::Drip(request.path[1..].parse().unwrap())).await;
    for code in [200, 500] {
        let began = Instant::now();
        let exchange = send(&client(loopback(), SHORT), &receiver.url(&format!("/{code}"))).await;
        assert_eq!(exchange.outcome, status(code));
        assert_eq!(exchange.answer.unwrap().body_end, BodyEnd::Late);
        assert!(began.elapsed() >= SHORT && began.elapsed() < LONG);
    }
}

#[tokio::test]
async fn a_flood_is_cut() {
    let receiver = Receiver::start(|_| Reply::Flood(200)).await;
    let exchange = send(&client(loopback(), LONG), &receiver.url("/")).await;
    let answer = exchange.answer.unwrap();
    assert_eq!((exchange.outcome, answer.body_end), (status(200), BodyEnd::Cut));
    assert!(answer.body_bytes > MAX_BODY_BYTES && answer.body_bytes <= MAX_BODY_BYTES + MAX_HEAD_BYTES);
    assert_eq!(answer.excerpt().len(), EXCERPT_BYTES);
}

#[tokio::test]
async fn a_connection_closed_early_is_seen_as_such() {
    let receiver = Receiver::start(|_| Reply::Close).await;
    let exchange = send(&client(loopback(), LONG), &receiver.url("/")).await;
    assert_eq!(exchange.outcome, Outcome::Closed);
    assert!(exchange.detail.is_some());
}

/// A receiver that writes these bytes to whoever connects, and reads until the other side is gone.
async fn raw(bytes: Vec<u8>) -> (SocketAddr, JoinOnDrop) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(&bytes).await;
            let mut sink = vec![0; 4_096];
            while stream.read(&mut sink).await.is_ok_and(|count| count > 0) {}
        }
    });
    (address, JoinOnDrop(task.abort_handle()))
}

struct JoinOnDrop(tokio::task::AbortHandle);

impl Drop for JoinOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_noted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let receiver = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4_096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 500 Oh\r\ncontent-length: 100\r\n\r\nten bytes.").await.unwrap();
        stream.shutdown().await.unwrap();
        while stream.read(&mut request).await.is_ok_and(|count| count > 0) {}
    };
    let client = client(loopback(), LONG);
    let (exchange, ()) = tokio::join!(send(&client, &url), receiver);
    let answer = exchange.answer.unwrap();
    assert_eq!((exchange.outcome, answer.body_end), (status(500), BodyEnd::Broken));
    assert_eq!(answer.excerpt(), "ten bytes.");
}

#[tokio::test]
async fn what_is_not_http_is_malformed() {
    let endless_head = [b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'y'; 64 * 1024]].concat();
    let many_fields = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(100)).into_bytes();
    for bytes in [b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec(), b"HTTP/1.1 OK\r\n\r\n".to_vec(), endless_head, many_fields] {
        let (address, _task) = raw(bytes.clone()).await;
        let exchange = send(&client(loopback(), LONG), &format!("http://{address}/")).await;
        assert_eq!(
            exchange.outcome,
            Outcome::Malformed,
            "{:?}",
            String::from_utf8_lossy(&bytes[..20.min(bytes.len())])
        );
    }
}

#[tokio::test]
async fn interim_answers_without_end_are_a_timeout() {
    let (address, _task) = raw(b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1_000)).await;
    let exchange = send(&client(loopback(), SHORT), &format!("http://{address}/")).await;
    assert_eq!(exchange.outcome, Outcome::Timeout { phase: Phase::Answer });
}

#[tokio::test]
async fn nobody_listening_is_a_failed_connection() {
    // Bound and not listening: the port is nobody else's, and connections to it are refused.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/", socket.local_addr().unwrap());
    let exchange = send(&client(loopback(), LONG), &url).await;
    assert_eq!((exchange.outcome, exchange.peer), (Outcome::Connect, None));
}

/// A listener whose queue is full: the kernel drops further connection requests, as a dead host would.
async fn swallowing(address: SocketAddr) -> (tokio::net::TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(address).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut filling = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        filling.push(stream.unwrap());
        assert!(filling.len() < 100, "the queue never fills");
    }
    (listener, filling)
}

#[tokio::test]
async fn a_host_that_swallows_packets_is_a_timeout() {
    let (listener, _filling) = swallowing("127.0.0.1:0".parse().unwrap()).await;
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let exchange = send(&client(loopback(), SHORT), &url).await;
    assert_eq!(exchange.outcome, Outcome::Timeout { phase: Phase::Connect });
}

#[tokio::test]
async fn the_next_address_is_tried_while_there_is_time() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let port = receiver.address.port();
    let (_listener, _filling) = swallowing(SocketAddr::new("127.0.0.2".parse().unwrap(), port)).await;
    let client = client_with_names(Duration::from_secs(2), &[("two.test", &["127.0.0.2", "127.0.0.1"])]);
    let exchange = send(&client, &format!("http://two.test:{port}/")).await;
    assert_eq!((exchange.outcome, exchange.peer), (status(200), Some(receiver.address)));
}

#[tokio::test]
async fn private_addresses_are_not_dialled_by_any_name() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let port = receiver.address.port();
    let strict = client(vec![], LONG);
    for host in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "169.254.169.254", "10.0.0.1"] {
        let exchange = send(&strict, &format!("http://{host}:{port}/")).await;
        assert_eq!(exchange.outcome, Outcome::RefusedAddress { literal: true }, "{host}");
    }
    assert_eq!(
        send(&strict, &format!("http://localhost:{port}/")).await.outcome,
        Outcome::RefusedAddress { literal: false }
    );
    // Some resolvers take these for addresses and some for names that do not exist.
    for host in ["127.1", "0x7f.1", "2130706433", "0177.0.0.1"] {
        let outcome = send(&strict, &format!("http://{host}:{port}/")).await.outcome;
        let known = [Outcome::RefusedAddress { literal: false }, Outcome::Resolve];
        assert!(known.contains(&outcome), "{host}: {outcome:?}");
    }
    assert!(receiver.received().is_empty());
    assert_eq!(send(&client(loopback(), LONG), &receiver.url("/")).await.outcome, status(200));
}

#[tokio::test]
async fn every_answer_of_a_lookup_is_filtered() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let port = receiver.address.port();
    let client = client_with_names(
        LONG,
        &[
            ("mixed.test", &["10.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "127.0.0.1"]),
            ("private.test", &["10.0.0.1", "fd00::1"]),
            ("empty.test", &[]),
        ],
    );
    let exchange = send(&client, &format!("http://mixed.test:{port}/")).await;
    assert_eq!((exchange.outcome, exchange.peer), (status(200), Some(receiver.address)));
    assert_eq!(receiver.received()[0].headers["host"], format!("mixed.test:{port}"));
    let outcome = |host: &'static str| {
        let client = client.clone();
        async move { send(&client, &format!("http://{host}:{port}/")).await.outcome }
    };
    assert_eq!(outcome("private.test").await, Outcome::RefusedAddress { literal: false });
    assert_eq!(outcome("empty.test").await, Outcome::Resolve);
    assert_eq!(outcome("unknown.test").await, Outcome::Resolve);
}

#[tokio::test]
async fn urls_and_headers_that_are_not_sent() {
    let client = client(loopback(), LONG);
    for url in ["ftp://127.0.0.1/", "http://127.0.0.1:25/", "http://a:b@127.0.0.1:8080/", "nonsense"] {
        assert_eq!(send(&client, url).await.outcome, Outcome::RefusedUrl, "{url}");
    }
    let unsendable = Callback { headers: vec![("Host".into(), "evil".into())], ..callback("http://127.0.0.1:8080/") };
    let exchange = client.send(&unsendable, Timestamp(0), Arc::new(())).await;
    assert_eq!(exchange.outcome, Outcome::Unsendable);
}

/// An authority, and a receiver's TLS with a certificate of that authority for these names.
fn tls(names: &[&str]) -> (CertificateDer<'static>, TlsAcceptor) {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::default();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = ca.self_signed(&ca_key).unwrap().der().clone();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let key = rcgen::KeyPair::generate().unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let certificate = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (root, TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn https_is_verified_against_the_name_of_the_url() {
    let (root, acceptor) = tls(&["receiver.test", "127.0.0.1"]);
    let receiver = Receiver::start_tls(acceptor, |_| Reply::Status(200)).await;
    let port = receiver.address.port();
    let names = BTreeMap::from(
        ["receiver.test", "receiver.test.", "other.test"].map(|name| (name.to_owned(), vec![receiver.address.ip()])),
    );
    let make = |extra_roots| {
        let config = ClientConfig { timeout: LONG, extra_roots, ..ClientConfig::new(loopback()) };
        Client::with_resolver(config, Resolver::Table(names.clone())).unwrap()
    };
    let (trusting, public_only) = (make(vec![root]), make(vec![]));
    for host in ["receiver.test", "receiver.test.", "127.0.0.1"] {
        assert_eq!(send(&trusting, &format!("https://{host}:{port}/")).await.outcome, status(200), "{host}");
    }
    assert_eq!(send(&trusting, &format!("https://other.test:{port}/")).await.outcome, Outcome::Tls);
    assert_eq!(send(&public_only, &format!("https://receiver.test:{port}/")).await.outcome, Outcome::Tls);
    assert_eq!(receiver.received().len(), 3);
}

#[tokio::test]
async fn a_peer_that_does_not_speak_tls() {
    let (silent, _task) = raw(vec![]).await;
    let exchange = send(&client(loopback(), SHORT), &format!("https://{silent}/")).await;
    assert_eq!(exchange.outcome, Outcome::Timeout { phase: Phase::Tls });
    let (plain, _task) = raw(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()).await;
    let exchange = send(&client(loopback(), LONG), &format!("https://{plain}/")).await;
    assert_eq!(exchange.outcome, Outcome::Tls);
}
