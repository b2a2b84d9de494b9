//! The pump of one connection: bytes from the socket into the pure session, its answers back, its media to the gate
//! before the recorder. Deadlines hang on the session's stage. A slow recorder makes the pump stop reading, and TCP
//! tells the encoder.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reprise_lifecycle::record::LeaveCause;
use reprise_media::rtmp::{EndCode, Event, Failure, Output, PublishRequest, Session, SessionConfig, Stage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Ingest;
use super::authorise::{Admitted, Refusal, authorise, check_ban};
use super::gate::{Gate, Mode};
use super::publishers::{Entry, Kick, Ordered, Who};
use crate::clock;
use crate::store::live_publishes::Publish;

/// Bytes read at once. A second of a 4 Mbit/s stream is 500 KB; larger reads cost memory for each connection.
const READ_BYTES: usize = 32 * 1024;

/// A stranger that connects and says nothing must not hold a connection.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);

/// From the handshake to a publish; also between two publishes.
const PUBLISH_WITHIN: Duration = Duration::from_secs(10);

/// Silence after which the encoder is asked whether it is still there.
const PING_AFTER: Duration = Duration::from_secs(10);

/// Silence after which it is taken for gone. Encoders pause for 12 s and more when their source does.
const SILENT_FOR: Duration = Duration::from_secs(30);

/// How long a publisher must have been there before its tenant's receiver is told; the vendor's.
const ANNOUNCED_AFTER: Duration = Duration::from_secs(2);

/// How long a peer that was let go may go on sending before its connection is cut.
const LINGER: Duration = Duration::from_secs(1);

/// A peer that does not read must not hold a task.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the peer closed the connection")]
    Closed,
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    #[error("the peer broke the protocol: {0}")]
    Protocol(String),
    #[error("nothing came within {0:?}")]
    Deadline(Duration),
    #[error("the publisher was refused")]
    Refused,
    #[error(transparent)]
    Kicked(Kick),
    #[error("the server is stopping")]
    Stopping,
    #[error("the recording cannot go on: {0}")]
    Recording(String),
}

impl End {
    fn cause(&self) -> LeaveCause {
        match self {
            Self::Closed | Self::Io(_) => LeaveCause::Disconnected,
            Self::Protocol(_) | Self::Deadline(_) | Self::Refused => LeaveCause::Refused,
            Self::Kicked(Kick::Storage) => LeaveCause::Storage,
            Self::Kicked(Kick::Once | Kick::Forbidden | Kick::Over) => LeaveCause::Dropped,
            Self::Stopping => LeaveCause::ServerStopped,
            Self::Recording(_) => LeaveCause::Storage,
        }
    }
}

/// What an event leads to. The answer to a publish can bring more events, which come after it.
enum Next {
    Nothing,
    Accepted(Result<Output, Failure>),
    Refused(Result<Output, Failure>),
}

/// What ends the wait for the next bytes.
enum Woken {
    Read(usize),
    Silence,
    Kicked(Kick),
    Ordered(Ordered),
    /// Whether to record.
    Answered(bool),
    /// The publisher has been there long enough to be told of.
    Lives,
}

/// An accepted publish.
struct Publishing {
    gate: Gate,
    entry: Entry,
    publish: Publish,
    /// When its tenant's receiver is told; nothing once that is done.
    announce_at: Option<Instant>,
}

struct Pump {
    socket: TcpStream,
    peer: SocketAddr,
    ingest: Ingest,
    session: Session,
    stop: CancellationToken,
    publishing: Option<Publishing>,
    /// When the stage that has a deadline began.
    since: Instant,
    pinged: bool,
}

/// Serves one connection until it ends.
pub(super) async fn run(socket: TcpStream, peer: SocketAddr, ingest: Ingest, stop: CancellationToken) {
    let mut nonce = [0; 32];
    if getrandom::fill(&mut nonce).is_err() {
        return;
    }
    // Answers are small and waited for.
    let _ = socket.set_nodelay(true);
    let session = Session::new(SessionConfig { limits: Default::default(), handshake_nonce: nonce });
    let since = Instant::now();
    let mut pump = Pump { socket, peer, ingest, session, stop, publishing: None, since, pinged: false };
    let end = pump.serve().await;
    let cause = end.cause();
    let publishing = pump.publishing.is_some();
    pump.say_goodbye(&end).await;
    let Pump { socket, publishing: left, ingest, .. } = pump;
    // An encoder that writes without reading must not wait for a leave that takes long, on a full disk for instance.
    tokio::join!(leave(left, &ingest, cause), linger(socket));
    if publishing || matches!(end, End::Protocol(_)) {
        tracing::info!(peer = %peer, reason = %end, "a connection ended");
    } else {
        tracing::debug!(peer = %peer, reason = %end, "a connection ended");
    }
}

impl Pump {
    async fn serve(&mut self) -> End {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            if let Err(end) = self.turn(&mut buffer).await {
                return end;
            }
        }
    }

    async fn turn(&mut self, buffer: &mut [u8]) -> Result<(), End> {
        match self.wait(buffer).await? {
            Woken::Read(0) => Err(End::Closed),
            Woken::Read(read) => {
                self.pinged = false;
                let output = self.session.receive(&buffer[..read]);
                self.take(output).await
            }
            Woken::Silence => self.silence().await,
            Woken::Kicked(why) => Err(End::Kicked(why)),
            Woken::Ordered(Ordered { order, reply }) => {
                let Some(publishing) = &mut self.publishing else { return Ok(()) };
                let done = publishing.gate.order(order, &publishing.entry).await;
                // Who ordered may have stopped waiting.
                let _ = reply.send(done);
                Ok(())
            }
            Woken::Answered(record) => {
                let Some(publishing) = &mut self.publishing else { return Ok(()) };
                publishing.gate.answered(record, &publishing.entry).await.map_err(End::Recording)
            }
            Woken::Lives => {
                if let Some(publishing) = &mut self.publishing {
                    publishing.announce(&self.ingest);
                }
                Ok(())
            }
        }
    }

    /// Waits for bytes or for whatever else concerns this connection.
    async fn wait(&mut self, buffer: &mut [u8]) -> Result<Woken, End> {
        let (deadline, _) = self.deadline();
        let has_room = self.publishing.as_ref().is_none_or(|publishing| publishing.gate.has_room());
        tokio::select! {
            read = self.socket.read(buffer), if has_room => Ok(Woken::Read(read?)),
            () = tokio::time::sleep_until(deadline) => Ok(Woken::Silence),
            woken = woken(self.publishing.as_mut()) => Ok(woken),
            () = self.stop.cancelled() => Err(End::Stopping),
        }
    }

    fn deadline(&self) -> (Instant, Duration) {
        match self.session.stage() {
            Stage::Handshaking => (self.since + HANDSHAKE_WITHIN, HANDSHAKE_WITHIN),
            Stage::Connecting | Stage::PublishPending | Stage::Idle => (self.since + PUBLISH_WITHIN, PUBLISH_WITHIN),
            Stage::Publishing if self.pinged => (Instant::now() + (SILENT_FOR - PING_AFTER), SILENT_FOR),
            Stage::Publishing => (Instant::now() + PING_AFTER, SILENT_FOR),
        }
    }

    async fn silence(&mut self) -> Result<(), End> {
        let (_, limit) = self.deadline();
        if self.session.stage() != Stage::Publishing || self.pinged {
            return Err(End::Deadline(limit));
        }
        self.pinged = true;
        let ping = self.session.ping(0);
        self.write(&ping).await
    }

    /// Acts on events before it writes: an encoder that leaves without reading the last answer has still sent its
    /// media.
    async fn take(&mut self, output: Result<Output, Failure>) -> Result<(), End> {
        let mut next = Some(output);
        let mut refused = false;
        while let Some(output) = next.take() {
            let (output, error) = match output {
                Ok(output) => (output, None),
                Err(failure) => (failure.output, Some(failure.error)),
            };
            for event in output.events {
                match self.event(event).await? {
                    Next::Nothing => {}
                    Next::Accepted(answered) => next = Some(answered),
                    Next::Refused(answered) => {
                        next = Some(answered);
                        refused = true;
                    }
                }
            }
            self.write(&output.send).await?;
            if let Some(error) = error {
                return Err(End::Protocol(error.to_string()));
            }
        }
        if refused { Err(End::Refused) } else { Ok(()) }
    }

    async fn event(&mut self, event: Event) -> Result<Next, End> {
        match event {
            Event::Connected(_) => self.since = Instant::now(),
            Event::PublishRequested(request) => return Ok(self.publish(&request).await),
            Event::Media(media) => {
                if let Some(Publishing { gate, entry, .. }) = &mut self.publishing {
                    gate.media(media, entry).await.map_err(End::Recording)?;
                }
            }
            Event::Metadata(metadata) => {
                if let Some(Publishing { gate, .. }) = &mut self.publishing {
                    gate.metadata(metadata).await.map_err(End::Recording)?;
                }
            }
            Event::Unpublished => {
                leave(self.publishing.take(), &self.ingest, LeaveCause::Unpublished).await;
                self.since = Instant::now();
            }
        }
        Ok(Next::Nothing)
    }

    async fn publish(&mut self, request: &PublishRequest) -> Next {
        let server = self.socket.local_addr().map_or(self.peer.ip(), |address| address.ip());
        match accept(&self.ingest, request, (self.peer.ip(), server)).await {
            Ok(publishing) => {
                tracing::info!(
                    stream.app = request.app, stream.name = request.stream, peer = %self.peer,
                    "a publisher is accepted"
                );
                self.publishing = Some(publishing);
                Next::Accepted(self.session.accept_publish())
            }
            Err(refusal) => {
                tracing::info!(
                    stream.app = request.app, stream.name = request.stream, peer = %self.peer,
                    reason = refusal.description, "a publisher was refused"
                );
                Next::Refused(self.session.refuse_publish(refusal.code, &refusal.description))
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), End> {
        if bytes.is_empty() {
            return Ok(());
        }
        match tokio::time::timeout(WRITE_WITHIN, self.socket.write_all(bytes)).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(End::Deadline(WRITE_WITHIN)),
        }
    }

    /// Tells an encoder that is still there why it is let go.
    async fn say_goodbye(&mut self, end: &End) {
        if self.publishing.is_some() && !matches!(end, End::Closed | End::Io(_)) {
            let goodbye = self.session.end_publish(EndCode::Failed, &end.to_string());
            let _ = self.write(&goodbye).await;
        }
        let _ = self.socket.shutdown().await;
    }
}

/// Ends the recording of a publisher: what it sent is written and synced before its leave is recorded.
async fn leave(publishing: Option<Publishing>, ingest: &Ingest, cause: LeaveCause) {
    if let Some(Publishing { gate, entry, publish, .. }) = publishing {
        gate.close(cause, &entry).await;
        ingest.chronicle.ended(&publish).await;
    }
}

/// Lets our last word arrive: closing over bytes that were not read would take it back.
async fn linger(mut socket: TcpStream) {
    let mut buffer = vec![0; READ_BYTES];
    let read = async { while socket.read(&mut buffer).await.is_ok_and(|read| read > 0) {} };
    let _ = tokio::time::timeout(LINGER, read).await;
}

/// Accepts a publisher at these two addresses, its own and ours, or says why not.
async fn accept(
    ingest: &Ingest,
    request: &PublishRequest,
    (client, server): (IpAddr, IpAddr),
) -> Result<Publishing, Refusal> {
    let Admitted { tenant, opening, mode, arguments } = authorise(ingest, request).await?;
    let who = Who {
        tenant: tenant.name.clone(),
        play_domain: tenant.play_domain.clone(),
        stream: opening.stream.clone(),
        client,
        server,
        since: clock::now(),
    };
    let publish = publish(&who, arguments)?;
    let entry = ingest.publishers.enter(who, ingest.limits.publishers_per_tenant)?;
    check_ban(ingest, &tenant, &opening.stream).await?;
    let mut gate = Gate::new(ingest.clone(), opening, mode);
    if mode == Mode::Record {
        gate.open(&entry).await?;
    }
    ingest.chronicle.began(&publish).await;
    let announce_at = Some(Instant::now() + ANNOUNCED_AFTER);
    Ok(Publishing { gate, entry, publish, announce_at })
}

impl Publishing {
    fn announce(&mut self, ingest: &Ingest) {
        let picture = self.entry.publisher.seen().video.map(|video| (video.width, video.height));
        let taken = ingest.chronicle.lives(&self.publish, picture);
        self.announce_at = (!taken).then(|| Instant::now() + ANNOUNCED_AFTER);
    }
}

/// What concerns an accepted publish; for ever silent without one.
async fn woken(publishing: Option<&mut Publishing>) -> Woken {
    let Some(Publishing { gate, entry, announce_at, .. }) = publishing else { return std::future::pending().await };
    let Entry { publisher, orders, .. } = entry;
    let announce = async {
        match announce_at {
            Some(at) => tokio::time::sleep_until(*at).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = publisher.dropped.cancelled() => Woken::Kicked(publisher.kicked().unwrap_or(Kick::Once)),
        Some(ordered) = orders.recv() => Woken::Ordered(ordered),
        record = gate.answer() => Woken::Answered(record),
        () = announce => Woken::Lives,
    }
}

fn publish(who: &Who, arguments: String) -> Result<Publish, Refusal> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|_| Refusal::failed("the server cannot take a publisher now"))?;
    Ok(Publish {
        id: hex::encode(bits),
        tenant: who.tenant.clone(),
        domain: who.stream.domain.clone(),
        play_domain: who.play_domain.clone(),
        app: who.stream.app.clone(),
        stream: who.stream.name.clone(),
        client: who.client.to_string(),
        arguments,
        published_at: who.since.0,
        stopped_at: None,
    })
}
