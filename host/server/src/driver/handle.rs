//! The driver's face: what ingest, recorders, policies and jobs may tell it, and what they get to hear.

use reprise_lifecycle::broadcast::Break;
use reprise_lifecycle::decision::Decision;
use reprise_lifecycle::id::{BroadcastId, EffectId, Epoch, PartIndex, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::media::{AudioTrack, PartFacts, VideoTrack};
use reprise_lifecycle::question::StreamKey;
use reprise_lifecycle::record::{CloseCause, EndCause, LeaveCause, Opening, RecordRules, Resolution};
use reprise_lifecycle::work::ProduceOpening;
use tokio::sync::{mpsc, oneshot};

/// A publisher's place in a broadcast, committed.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// Which publisher of it this is.
    pub epoch: Epoch,
    /// The rules in force since the broadcast began.
    pub rules: RecordRules,
    /// The part that the publisher before it left open.
    pub open_part: Option<OpenPart>,
    /// Where the broadcast's timeline ends, as far as closed parts tell.
    pub end_ms: u64,
}

/// A part that may be written on.
#[derive(Clone, Debug)]
pub struct OpenPart {
    /// Which part.
    pub part: PartIndex,
    /// The video it becomes.
    pub video: VideoId,
}

/// Why a publisher is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishRefused {
    /// The stream has a publisher.
    #[error("the stream is already live")]
    AlreadyLive,
    /// The tenant has as many publishers as it may.
    #[error("the tenant has as many publishers as it may have")]
    TooMany,
    /// The catalogue could not take the record, or the server is stopping.
    #[error("the server cannot record a new broadcast now")]
    Unavailable,
}

/// Why an input was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The tenant asked for what the video's state forbids.
    #[error("{0}")]
    Unfit(&'static str),
    /// The core said that no correct server sends this.
    #[error("the broadcast cannot take this")]
    Impossible,
    /// The catalogue could not take the record, or the server is stopping; it may be told again.
    #[error("the catalogue cannot take a record now")]
    Unavailable,
}

/// A production's place, committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Produced {
    /// Its journal.
    pub broadcast: BroadcastId,
    /// The video it makes.
    pub video: VideoId,
}

/// What became of an input.
#[derive(Debug)]
pub(super) struct Taken {
    /// The part that the input opened.
    pub(super) opened: Option<OpenPart>,
}

pub(super) enum Message {
    Produce {
        id: BroadcastId,
        opening: Box<ProduceOpening>,
        reply: oneshot::Sender<Result<Produced, Refused>>,
    },
    Publish {
        opening: Box<Opening>,
        client: String,
        reply: oneshot::Sender<Result<Joined, PublishRefused>>,
    },
    Input {
        broadcast: BroadcastId,
        input: Box<Input>,
        /// The question behind a verdict, for the decision log.
        question: Option<String>,
        reply: Option<oneshot::Sender<Result<Taken, Refused>>>,
    },
    /// Work on an effect ended, with or without having told what came of it.
    WorkEnded {
        broadcast: BroadcastId,
        effect: EffectId,
    },
    /// The broadcast that a publisher of this stream would join.
    Current {
        stream: StreamKey,
        reply: oneshot::Sender<Option<BroadcastId>>,
    },
    /// The gap map and such, straight from memory.
    Breaks {
        broadcast: BroadcastId,
        reply: oneshot::Sender<Option<Vec<Break>>>,
    },
}

/// Talks to the driver. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    inbox: mpsc::Sender<Message>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("driver::Handle")
    }
}

impl Handle {
    pub(super) fn new(inbox: mpsc::Sender<Message>) -> Self {
        Self { inbox }
    }

    /// Asks for a publisher's place: in the broadcast it left within the break window, or in a new one.
    ///
    /// # Errors
    /// Why it is refused.
    pub async fn publish(&self, opening: Opening, client: String) -> Result<Joined, PublishRefused> {
        let (reply, answer) = oneshot::channel();
        let message = Message::Publish { opening: Box::new(opening), client, reply };
        self.inbox.send(message).await.map_err(|_| PublishRefused::Unavailable)?;
        answer.await.unwrap_or(Err(PublishRefused::Unavailable))
    }

    /// Asks for a part to write. `None`: the publisher's time is over, nothing may be written.
    ///
    /// # Errors
    /// When the record could not be committed.
    pub async fn open_part(
        &self,
        broadcast: &BroadcastId,
        epoch: Epoch,
        video: Option<VideoTrack>,
        audio: Option<AudioTrack>,
        first_ms: u64,
    ) -> Result<Option<OpenPart>, Refused> {
        let taken = self.input(broadcast, Input::PartOpening { epoch, video, audio, first_ms }).await?;
        Ok(taken.opened)
    }

    /// Reports a part whose file is whole, synced and measured; returns when that is recorded.
    ///
    /// # Errors
    /// When the record could not be committed.
    pub async fn close_part(
        &self,
        broadcast: &BroadcastId,
        part: PartIndex,
        facts: PartFacts,
        cause: CloseCause,
    ) -> Result<(), Refused> {
        self.input(broadcast, Input::PartClosed { part, facts, cause }).await.map(drop)
    }

    /// Reports that a publisher is gone, and where the broadcast's timeline stands, if that is known.
    ///
    /// # Errors
    /// When the record could not be committed.
    pub async fn publisher_gone(
        &self,
        broadcast: &BroadcastId,
        epoch: Epoch,
        cause: LeaveCause,
        media_ms: Option<u64>,
    ) -> Result<(), Refused> {
        self.input(broadcast, Input::PublisherGone { epoch, cause, media_ms, last_media_at: None }).await.map(drop)
    }

    /// The broadcast that a publisher of this stream would join: a running one, or one in its break window.
    pub async fn current(&self, stream: &StreamKey) -> Option<BroadcastId> {
        let (reply, answer) = oneshot::channel();
        self.inbox.send(Message::Current { stream: stream.clone(), reply }).await.ok()?;
        answer.await.ok().flatten()
    }

    /// Whether the driver takes nothing any more: what was not recorded until now is found out at the next start.
    pub fn is_stopping(&self) -> bool {
        self.inbox.is_closed()
    }

    /// Returns when the driver takes nothing any more.
    pub async fn stopped(&self) {
        self.inbox.closed().await;
    }

    /// Ends a broadcast.
    ///
    /// # Errors
    /// When the record could not be committed.
    pub async fn end(&self, broadcast: &BroadcastId, cause: EndCause) -> Result<(), Refused> {
        self.input(broadcast, Input::End { cause }).await.map(drop)
    }

    /// Gives the verdict that an `Ask` effect waits for.
    ///
    /// # Errors
    /// When the record could not be committed.
    pub async fn verdict(
        &self,
        broadcast: &BroadcastId,
        effect: EffectId,
        question: String,
        decision: Decision,
        resolution: Resolution,
    ) -> Result<(), Refused> {
        let input = Input::VerdictGiven { effect, decision, resolution };
        self.send(broadcast, input, Some(question)).await.map(drop)
    }

    /// Reports an input of a job.
    ///
    /// # Errors
    /// When the record could not be committed.
    pub async fn job_input(&self, broadcast: &BroadcastId, input: Input) -> Result<(), Refused> {
        self.input(broadcast, input).await.map(drop)
    }

    /// Asks for something on behalf of a tenant: work, or a removal. Returns when it is recorded.
    ///
    /// # Errors
    /// [`Refused::Unfit`] when the video's state forbids it; otherwise when the record could not be committed.
    pub async fn submit(&self, broadcast: &BroadcastId, input: Input) -> Result<(), Refused> {
        self.input(broadcast, input).await.map(drop)
    }

    /// Begins the production of an edited video, with a journal by the name `id`, which must be a [`fresh_id`]: what the
    /// production needs can so be made ready before it is accepted.
    ///
    /// [`fresh_id`]: super::fresh_id
    ///
    /// # Errors
    /// When the record could not be committed.
    pub async fn produce(&self, id: BroadcastId, opening: ProduceOpening) -> Result<Produced, Refused> {
        let (reply, answer) = oneshot::channel();
        let message = Message::Produce { id, opening: Box::new(opening), reply };
        self.inbox.send(message).await.map_err(|_| Refused::Unavailable)?;
        answer.await.unwrap_or(Err(Refused::Unavailable))
    }

    /// The gap map of a broadcast in which something may still happen; `None` for any other.
    pub async fn breaks(&self, broadcast: &BroadcastId) -> Option<Vec<Break>> {
        let (reply, answer) = oneshot::channel();
        self.inbox.send(Message::Breaks { broadcast: broadcast.clone(), reply }).await.ok()?;
        answer.await.ok().flatten()
    }

    pub(super) async fn work_ended(&self, broadcast: BroadcastId, effect: EffectId) {
        // A closed inbox means that the driver is stopping, and then nothing is restarted anyway.
        let _ = self.inbox.send(Message::WorkEnded { broadcast, effect }).await;
    }

    async fn input(&self, broadcast: &BroadcastId, input: Input) -> Result<Taken, Refused> {
        self.send(broadcast, input, None).await
    }

    async fn send(&self, broadcast: &BroadcastId, input: Input, question: Option<String>) -> Result<Taken, Refused> {
        let (reply, answer) = oneshot::channel();
        let message =
            Message::Input { broadcast: broadcast.clone(), input: Box::new(input), question, reply: Some(reply) };
        self.inbox.send(message).await.map_err(|_| Refused::Unavailable)?;
        answer.await.unwrap_or(Err(Refused::Unavailable))
    }
}
