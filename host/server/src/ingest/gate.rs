//! The gate between one publisher and its recorder: whether media is recorded now, by the rule of the stream and by
//! what the operator orders. A connection stays while the gate is shut; a broadcast exists only behind an open one.

use std::pin::Pin;

use reprise_lifecycle::id::BroadcastId;
use reprise_lifecycle::record::{EndCause, LeaveCause, Opening};
use reprise_media::rtmp::{Media, Metadata, MetadataValue};
use tokio::time::Instant;

use super::Ingest;
use super::ask::Question;
use super::meter::Meter;
use super::publishers::{Entry, Kick, Order, OrderRefused};
use crate::driver::PublishRefused;
use crate::recorder::Recorder;

/// Media kept while somebody decides whether it is recorded. Beyond it the connection is not read, and TCP tells the
/// encoder to wait.
const HELD_BYTES: usize = 16 << 20;

/// Messages kept meanwhile, against floods of tiny ones.
const HELD_MESSAGES: usize = 4096;

/// How a stream's rule begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Everything is recorded.
    Record,
    /// Somebody is asked.
    Ask,
    /// Nothing is recorded until an order comes.
    Wait,
}

/// Why a recording does not begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoStart {
    #[error("{0}")]
    Driver(PublishRefused),
    #[error("{0}")]
    Disk(crate::disk::Refused),
    #[error("{0}")]
    Recorder(String),
}

/// What metadata takes while it is held: short names and numbers take more in memory than they took on the wire.
fn held_bytes(metadata: &Metadata) -> usize {
    let text = |value: &MetadataValue| match value {
        MetadataValue::Text(text) => text.len(),
        MetadataValue::Number(_) | MetadataValue::Boolean(_) => 0,
    };
    metadata.values.iter().map(|pair| size_of_val(pair) + pair.0.len() + text(&pair.1)).sum()
}

type Answer = Pin<Box<dyn Future<Output = bool> + Send>>;

enum Kept {
    Media(Media),
    Metadata(Metadata),
}

enum State {
    /// Nothing was recorded in this connection.
    Shut,
    /// The question is put with the first media: what is asked about must be known.
    Unasked,
    Asking {
        answer: Answer,
        kept: Vec<Kept>,
        bytes: usize,
    },
    Open {
        recorder: Recorder,
        broadcast: BroadcastId,
    },
    /// By order. The broadcast's break window runs, unless it was told not to.
    Stopped(Option<BroadcastId>),
}

pub(super) struct Gate {
    ingest: Ingest,
    /// What a broadcast that begins here is born with.
    opening: Opening,
    meter: Meter,
    state: State,
}

impl Gate {
    pub(super) fn new(ingest: Ingest, opening: Opening, mode: Mode) -> Self {
        let state = match mode {
            Mode::Record | Mode::Wait => State::Shut,
            Mode::Ask => State::Unasked,
        };
        Self { ingest, opening, meter: Meter::new(Instant::now()), state }
    }

    /// Begins to record. The disk is checked first; a publisher's place comes from the driver.
    pub(super) async fn open(&mut self, entry: &Entry) -> Result<(), NoStart> {
        self.ingest.disk.check().map_err(|refused| {
            tracing::error!(error = %refused, "a recording does not begin");
            NoStart::Disk(refused)
        })?;
        let client = entry.publisher.who.client.to_string();
        let joined = self.ingest.driver.publish(self.opening.clone(), client).await.map_err(NoStart::Driver)?;
        let (broadcast, epoch) = (joined.broadcast.clone(), joined.epoch);
        tracing::info!(
            broadcast.id = %broadcast, epoch, stream.app = self.opening.stream.app,
            stream.name = self.opening.stream.name, "a recording begins"
        );
        entry.publisher.set_recording(Some((broadcast.clone(), epoch)));
        let recorder = self.ingest.recorders.start(joined);
        let kept = match std::mem::replace(&mut self.state, State::Open { recorder, broadcast }) {
            State::Asking { kept, .. } => kept,
            State::Shut | State::Unasked | State::Open { .. } | State::Stopped(_) => self.missed(),
        };
        for kept in kept {
            let given = match kept {
                Kept::Media(media) => self.give(media).await,
                Kept::Metadata(metadata) => self.give_metadata(metadata).await,
            };
            given.map_err(NoStart::Recorder)?;
        }
        Ok(())
    }

    /// What was said before the recording began.
    fn missed(&self) -> Vec<Kept> {
        let (metadata, headers) = self.meter.headers();
        metadata.map(Kept::Metadata).into_iter().chain(headers.into_iter().map(Kept::Media)).collect()
    }

    pub(super) async fn media(&mut self, media: Media, entry: &Entry) -> Result<(), String> {
        if self.meter.media(&media, Instant::now()) {
            entry.publisher.set_seen(self.meter.seen().clone());
        }
        if let State::Unasked = self.state {
            let kept = self.missed_before(&media);
            self.state = State::Asking { answer: self.question(entry), kept, bytes: 0 };
        }
        match &mut self.state {
            State::Asking { kept, bytes, .. } => {
                *bytes += media.data.len();
                kept.push(Kept::Media(media));
                Ok(())
            }
            State::Open { .. } => self.give(media).await,
            State::Shut | State::Unasked | State::Stopped(_) => Ok(()),
        }
    }

    /// The metadata that came before the first media.
    fn missed_before(&self, _first: &Media) -> Vec<Kept> {
        let (metadata, _) = self.meter.headers();
        metadata.map(Kept::Metadata).into_iter().collect()
    }

    pub(super) async fn metadata(&mut self, metadata: Metadata) -> Result<(), String> {
        self.meter.metadata(&metadata);
        match &mut self.state {
            State::Asking { kept, bytes, .. } => {
                *bytes += held_bytes(&metadata);
                kept.push(Kept::Metadata(metadata));
                Ok(())
            }
            State::Open { .. } => self.give_metadata(metadata).await,
            State::Shut | State::Unasked | State::Stopped(_) => Ok(()),
        }
    }

    async fn give(&mut self, media: Media) -> Result<(), String> {
        match &self.state {
            State::Open { recorder, .. } => recorder.media(media).await,
            _ => Ok(()),
        }
    }

    async fn give_metadata(&mut self, metadata: Metadata) -> Result<(), String> {
        match &self.state {
            State::Open { recorder, .. } => recorder.metadata(metadata).await,
            _ => Ok(()),
        }
    }

    /// Whether more media has room.
    pub(super) fn has_room(&self) -> bool {
        match &self.state {
            State::Asking { kept, bytes, .. } => *bytes < HELD_BYTES && kept.len() < HELD_MESSAGES,
            _ => true,
        }
    }

    fn question(&self, entry: &Entry) -> Answer {
        let who = &entry.publisher.who;
        let question = Question {
            tenant: who.tenant.clone(),
            play_domain: who.play_domain.clone(),
            stream: who.stream.clone(),
            codec: self.meter.seen().video.as_ref().map(|video| match video.codec {
                "H.265" => "h265",
                _ => "h264",
            }),
            video_kbps: self.meter.video_kbps(),
        };
        Box::pin(self.ingest.asker.clone().ask(question))
    }

    /// The answer to the question, when there is one; waits for ever when nothing was asked. May be dropped and called
    /// again.
    pub(super) async fn answer(&mut self) -> bool {
        match &mut self.state {
            State::Asking { answer, .. } => answer.await,
            State::Shut | State::Unasked | State::Open { .. } | State::Stopped(_) => std::future::pending().await,
        }
    }

    /// Acts on the answer.
    pub(super) async fn answered(&mut self, record: bool, entry: &Entry) -> Result<(), String> {
        if record {
            self.open(entry).await.map_err(|no| no.to_string())
        } else {
            self.state = State::Shut;
            Ok(())
        }
    }

    /// Carries out an order.
    pub(super) async fn order(&mut self, order: Order, entry: &Entry) -> Result<(), OrderRefused> {
        let failed = |why: NoStart| OrderRefused::Failed(why.to_string());
        match order {
            Order::Start(rules) => {
                if let State::Open { .. } = self.state {
                    return Err(OrderRefused::Started);
                }
                self.opening.rules = *rules;
                self.open(entry).await.map_err(failed)
            }
            Order::Stop => match self.shut(LeaveCause::RecordingStopped, entry).await {
                Some(broadcast) => {
                    self.state = State::Stopped(Some(broadcast));
                    Ok(())
                }
                None => Err(OrderRefused::NotNow("the stream is not being recorded")),
            },
            Order::EndBreak => match &mut self.state {
                State::Stopped(waiting @ Some(_)) => {
                    let broadcast = waiting.take();
                    self.end(broadcast.as_ref(), EndCause::Stopped).await
                }
                State::Stopped(None) | State::Shut | State::Unasked | State::Asking { .. } | State::Open { .. } => {
                    Err(OrderRefused::NotNow("the recording was not stopped before"))
                }
            },
            Order::Restart(rules) => {
                let before = match &mut self.state {
                    State::Stopped(waiting) => waiting.take(),
                    State::Open { .. } => self.shut(LeaveCause::RecordingStopped, entry).await,
                    State::Shut | State::Unasked | State::Asking { .. } => {
                        return Err(OrderRefused::NotNow("the recording was not started before"));
                    }
                };
                self.state = State::Stopped(None);
                self.end(before.as_ref(), EndCause::Stopped).await?;
                self.opening.rules = *rules;
                self.open(entry).await.map_err(failed)
            }
        }
    }

    async fn end(&mut self, broadcast: Option<&BroadcastId>, cause: EndCause) -> Result<(), OrderRefused> {
        match broadcast {
            Some(broadcast) => {
                let ended = self.ingest.driver.end(broadcast, cause).await;
                ended.map_err(|error| OrderRefused::Failed(error.to_string()))
            }
            None => Ok(()),
        }
    }

    /// Ends the recording, if there is one: what came is written and synced before the leave is recorded.
    async fn shut(&mut self, cause: LeaveCause, entry: &Entry) -> Option<BroadcastId> {
        match std::mem::replace(&mut self.state, State::Shut) {
            State::Open { recorder, broadcast } => {
                recorder.finish(cause).await;
                entry.publisher.set_recording(None);
                Some(broadcast)
            }
            other => {
                self.state = other;
                None
            }
        }
    }

    /// The publisher is gone. Some reasons to go are also the broadcast's end.
    pub(super) async fn close(mut self, cause: LeaveCause, entry: &Entry) {
        let broadcast = self.shut(cause, entry).await;
        let end = match entry.publisher.kicked() {
            Some(Kick::Forbidden) => EndCause::Forbidden,
            Some(Kick::Storage) => EndCause::Storage,
            Some(Kick::Once | Kick::Over) | None => return,
        };
        if end == EndCause::Storage && broadcast.is_some() {
            self.ingest.disk.note_stopped();
        }
        if let Err(error) = self.end(broadcast.as_ref(), end).await {
            tracing::warn!(error = %error, "a broadcast was not ended; its break window runs");
        }
    }
}
