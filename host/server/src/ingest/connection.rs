//! The pump of one connection: bytes from the socket into the pure session, its answers back, its media to the
//! recorder. Deadlines hang on the session's stage. A slow recorder makes the pump stop reading, and TCP tells the
//! encoder.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use reprise_lifecycle::record::LeaveCause;
use reprise_media::rtmp::{EndCode, Event, Failure, Output, PublishRequest, Session, SessionConfig, Stage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Ingest;
use super::authorise::authorise;
use super::publishers::Entry;
use crate::recorder::Recorder;

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
    #[error("the publisher was sent away")]
    Dropped,
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
            Self::Dropped => LeaveCause::Dropped,
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

struct Pump {
    socket: TcpStream,
    peer: SocketAddr,
    ingest: Ingest,
    session: Session,
    stop: CancellationToken,
    publishing: Option<(Recorder, Entry)>,
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
    pump.leave(cause).await;
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
            let read = match self.read(&mut buffer).await {
                Ok(Some(read)) => read,
                Ok(None) => continue,
                Err(end) => return end,
            };
            self.pinged = false;
            let output = self.session.receive(&buffer[..read]);
            if let Err(end) = self.take(output).await {
                return end;
            }
        }
    }

    /// Bytes from the peer; nothing when it was only asked whether it is there.
    async fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, End> {
        let (deadline, limit) = self.deadline();
        let dropped = self.publishing.as_ref().map(|(_, entry)| entry.dropped.clone());
        let dropped = async move {
            match dropped {
                Some(dropped) => dropped.cancelled().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = self.socket.read(buffer) => match read? {
                0 => Err(End::Closed),
                read => Ok(Some(read)),
            },
            () = tokio::time::sleep_until(deadline) => self.deadline_passed(limit).await,
            () = dropped => Err(End::Dropped),
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

    async fn deadline_passed(&mut self, limit: Duration) -> Result<Option<usize>, End> {
        if self.session.stage() != Stage::Publishing || self.pinged {
            return Err(End::Deadline(limit));
        }
        self.pinged = true;
        let ping = self.session.ping(0);
        self.write(&ping).await?;
        Ok(None)
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
                if let Some((recorder, _)) = &self.publishing {
                    recorder.media(media).await.map_err(End::Recording)?;
                }
            }
            Event::Metadata(metadata) => {
                if let Some((recorder, _)) = &self.publishing {
                    recorder.metadata(metadata).await.map_err(End::Recording)?;
                }
            }
            Event::Unpublished => {
                self.leave(LeaveCause::Unpublished).await;
                self.since = Instant::now();
            }
        }
        Ok(Next::Nothing)
    }

    async fn publish(&mut self, request: &PublishRequest) -> Next {
        match authorise(&self.ingest, request, self.peer.ip()).await {
            Ok(joined) => {
                tracing::info!(
                    broadcast.id = %joined.broadcast, epoch = joined.epoch, stream.app = request.app,
                    stream.name = request.stream, peer = %self.peer, "a publisher joined"
                );
                let entry = self.ingest.publishers.enter(&joined.broadcast, joined.epoch);
                let recorder = self.ingest.recorders.start(joined);
                self.publishing = Some((recorder, entry));
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

    /// Ends the recording of this publisher: what it sent is written and synced before its leave is recorded.
    async fn leave(&mut self, cause: LeaveCause) {
        if let Some((recorder, _entry)) = self.publishing.take() {
            recorder.finish(cause).await;
        }
    }
}
