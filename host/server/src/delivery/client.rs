//! One exchange with a receiver, under one time limit from the lookup to the last byte of the answer, to a typed
//! outcome. It dials only addresses that the guard has passed, follows no redirects, reads no proxy settings from
//! the environment, and reads a bounded piece of the answer.
//!
//! A connection serves one attempt. Callbacks are rare beside the media they report, and a pool would have to be
//! kept per tenant and endpoint so that nothing is shared between tenants; the handshake is the price of neither.
//!
//! It knows nothing of schedules, of the store, or of other attempts.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use reprise_lifecycle::delivery::{Outcome, Phase};
use reprise_lifecycle::time::Timestamp;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::address::Guard;
use super::answer::{Answer, BodyEnd};
use super::request::{Callback, RequestError, prepare};
use super::resolve::{Hold, Resolver};
use super::target::{Host, Target};

/// The vendor's limit: no answer within 5 s is a failure.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Of a name's addresses no more are tried than this; each gets its share of the time that is left.
const MAX_ADDRESSES: usize = 4;

/// The head of an answer. More is not read, and the answer counts as malformed.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Headers of an answer, for the same reason.
const MAX_HEAD_FIELDS: usize = 64;

/// What is kept of an error's text: enough to see which certificate or which port, never a page.
const MAX_DETAIL_BYTES: usize = 256;

/// What a client is made of.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Which addresses may be called.
    pub guard: Guard,
    /// The limit over lookup, connection, TLS, request, and answer.
    pub timeout: Duration,
    /// Certificate authorities beside the public ones: the operator's own, or a test's.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

impl ClientConfig {
    /// The vendor's time limit, public certificate authorities, and these private ranges allowed.
    pub fn new(allow_private: Vec<IpNet>) -> Self {
        Self { guard: Guard::new(allow_private), timeout: DEFAULT_TIMEOUT, extra_roots: Vec::new() }
    }
}

/// A client that cannot be made. The operator must act.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// An extra authority that is not a certificate, or TLS that cannot be set up.
    #[error("TLS for callbacks cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// Sends callbacks.
#[derive(Clone)]
pub struct Client {
    guard: Guard,
    resolver: Resolver,
    tls: TlsConnector,
    timeout: Duration,
}

/// How one exchange went.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What counts.
    pub outcome: Outcome,
    /// The address that was connected to, if one was.
    pub peer: Option<SocketAddr>,
    /// The answer, if its head came.
    pub answer: Option<Answer>,
    /// What went wrong, for people; nothing decides by it.
    pub detail: Option<String>,
}

/// What has been seen of an exchange so far. It outlives the time limit, so that what was seen before it stands.
struct Seen {
    phase: Phase,
    peer: Option<SocketAddr>,
    answer: Option<Answer>,
    /// Milliseconds are counted from here, so that a date in `Retry-After` is compared with the answer's time.
    sent: (Timestamp, Instant),
}

struct Failure {
    outcome: Outcome,
    detail: String,
}

impl Failure {
    fn new(outcome: Outcome, detail: impl ToString) -> Self {
        Self { outcome, detail: detail.to_string() }
    }
}

impl Client {
    /// A client with the system's resolver.
    pub fn new(config: ClientConfig) -> Result<Self, ClientError> {
        Self::with_resolver(config, Resolver::System)
    }

    /// A client that resolves names in its own way.
    pub fn with_resolver(config: ClientConfig, resolver: Resolver) -> Result<Self, ClientError> {
        let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for root in config.extra_roots {
            roots.add(root)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { guard: config.guard, resolver, tls: TlsConnector::from(Arc::new(tls)), timeout: config.timeout })
    }

    /// The limit of one exchange.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Makes one attempt that begins `now`. It always ends, within the time limit.
    ///
    /// The status decides as soon as it is there: a body that never ends costs the rest of the time limit and
    /// undoes nothing, since the receiver has said what it wanted to say.
    pub async fn send(&self, callback: &Callback, now: Timestamp, hold: Hold) -> Exchange {
        self.send_made(&callback.url, |target| prepare(callback, target, now), now, hold).await
    }

    /// [`Client::send`] for a request that somebody else makes, once the URL is taken apart.
    pub async fn send_made(
        &self,
        url: &str,
        make: impl FnOnce(&Target) -> Result<Request<Full<Bytes>>, RequestError>,
        now: Timestamp,
        hold: Hold,
    ) -> Exchange {
        let sent = (now, Instant::now());
        let mut seen = Seen { phase: Phase::Resolve, peer: None, answer: None, sent };
        let result = timeout(self.timeout, self.exchange(url, make, hold, &mut seen)).await;
        let Seen { phase, peer, answer, .. } = seen;
        let (failure, detail) = match result {
            Ok(Ok(())) => (Outcome::Closed, None),
            Ok(Err(failure)) => (failure.outcome, Some(bounded(failure.detail))),
            Err(_) => (Outcome::Timeout { phase }, None),
        };
        let outcome = match &answer {
            Some(answer) => Outcome::Status { code: answer.status, retry_after_ms: answer.retry_after_ms },
            None => failure,
        };
        Exchange { outcome, peer, answer, detail }
    }

    async fn exchange(
        &self,
        url: &str,
        make: impl FnOnce(&Target) -> Result<Request<Full<Bytes>>, RequestError>,
        hold: Hold,
        seen: &mut Seen,
    ) -> Result<(), Failure> {
        let target = Target::parse(url).map_err(|error| Failure::new(Outcome::RefusedUrl, error))?;
        let request = make(&target).map_err(|error| Failure::new(Outcome::Unsendable, error))?;
        let addresses = self.addresses(&target, hold).await?;
        seen.phase = Phase::Connect;
        let stream = self.connect(&addresses, seen).await?;
        if !target.tls {
            return converse(stream, request, seen).await;
        }
        seen.phase = Phase::Tls;
        let name = server_name(&target.host).map_err(|error| Failure::new(Outcome::Tls, error))?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| Failure::new(Outcome::Tls, error))?;
        converse(stream, request, seen).await
    }

    /// The addresses that may be dialled: every answer of the one lookup goes through the guard.
    async fn addresses(&self, target: &Target, hold: Hold) -> Result<Vec<SocketAddr>, Failure> {
        let (found, literal) = match &target.host {
            Host::Address(ip) => (vec![SocketAddr::new(*ip, target.port)], true),
            Host::Name(name) => {
                let found = self.resolver.resolve(name, target.port, hold).await;
                (found.map_err(|error| Failure::new(Outcome::Resolve, error))?, false)
            }
        };
        let mut refused = None;
        let mut passed = Vec::new();
        for address in found {
            match self.guard.check(address.ip()) {
                Ok(()) if passed.len() < MAX_ADDRESSES => passed.push(address),
                Ok(()) => {}
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            _ if !passed.is_empty() => Ok(passed),
            Some(error) => Err(Failure::new(Outcome::RefusedAddress { literal }, error)),
            None => Err(Failure::new(Outcome::Resolve, "the name has no address")),
        }
    }

    /// The first address that accepts. Each may use an equal share of the time that is left, so that one that
    /// swallows packets does not hide the next.
    async fn connect(&self, addresses: &[SocketAddr], seen: &mut Seen) -> Result<TcpStream, Failure> {
        let deadline = seen.sent.1 + self.timeout;
        let mut last = Failure::new(Outcome::Connect, "no address");
        for (index, &address) in addresses.iter().enumerate() {
            let now = Instant::now();
            let others = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
            let share = deadline.saturating_duration_since(now) / others;
            last = match timeout_at(now + share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    seen.peer = Some(address);
                    return self.checked(stream, address);
                }
                Ok(Err(error)) => Failure::new(Outcome::Connect, format!("{address}: {error}")),
                Err(_) => Failure::new(Outcome::Timeout { phase: Phase::Connect }, format!("{address}: no answer")),
            };
        }
        Err(last)
    }

    /// Looks again at who is at the other end, in case something between the check and the call is not as thought.
    fn checked(&self, stream: TcpStream, dialled: SocketAddr) -> Result<TcpStream, Failure> {
        let broken = |error: io::Error| Failure::new(Outcome::Connect, error);
        let peer = stream.peer_addr().map_err(broken)?;
        let refused = Outcome::RefusedAddress { literal: false };
        if peer.ip() != dialled.ip() {
            return Err(Failure::new(refused, format!("dialled {dialled}, reached {peer}")));
        }
        self.guard.check(peer.ip()).map_err(|error| Failure::new(refused, error))?;
        stream.set_nodelay(true).map_err(broken)?;
        Ok(stream)
    }
}

/// Sends the request and reads the answer. The connection is driven here and dropped here: no task is left.
async fn converse<S>(stream: S, request: Request<Full<Bytes>>, seen: &mut Seen) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    seen.phase = Phase::Answer;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD_BYTES).max_headers(MAX_HEAD_FIELDS);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(classify)?;
    let mut connection = pin!(connection);
    let mut talk = pin!(async {
        let mut response = sender.send_request(request).await.map_err(classify)?;
        let now = seen.sent.0.plus_ms(i64::try_from(seen.sent.1.elapsed().as_millis()).unwrap_or(i64::MAX));
        let answer = seen.answer.insert(Answer::begin(response.status().as_u16(), response.headers(), now));
        answer.body_end = loop {
            match response.frame().await {
                None => break BodyEnd::Complete,
                Some(Err(_)) => break BodyEnd::Broken,
                Some(Ok(frame)) => {
                    if frame.data_ref().is_some_and(|piece| !answer.take(piece)) {
                        break BodyEnd::Cut;
                    }
                }
            }
        };
        Ok(())
    });
    let mut connected = true;
    loop {
        tokio::select! {
            biased;
            result = &mut talk => return result,
            // Its error is also the talk's, which knows how far it had come.
            _ = &mut connection, if connected => connected = false,
        }
    }
}

fn classify(error: hyper::Error) -> Failure {
    let outcome = if error.is_parse() { Outcome::Malformed } else { Outcome::Closed };
    Failure::new(outcome, error)
}

fn server_name(host: &Host) -> Result<ServerName<'static>, rustls::pki_types::InvalidDnsNameError> {
    match host {
        Host::Address(ip) => Ok(ServerName::IpAddress((*ip).into())),
        // A name may end in a dot for the resolver; certificates never do.
        Host::Name(name) => ServerName::try_from(name.trim_end_matches('.').to_owned()),
    }
}

fn bounded(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_DETAIL_BYTES));
    text
}

#[cfg(test)]
mod tests;
