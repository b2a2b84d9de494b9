//! The recorder's task: media in, files and records out, in order.

use std::io::ErrorKind;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::record::{CloseCause, EndCause, LeaveCause};
use reprise_media::part::{self, PartCutter, PartError, PartOptions, PartOutput, ResumeState};
use reprise_media::rtmp::{Media, MediaKind, Metadata};
use reprise_media::timeline::{TimelinePosition, TrackKind};
use tokio::sync::{mpsc, watch};

use super::file::PartFile;
use super::{GrowingPart, Item, Recorders, Synced, facts_of, tracks_of};
use crate::driver::{Joined, OpenPart, Refused};

/// How long a leave that the catalogue could not take waits before it is told again. Until it is recorded nobody can
/// come back to the stream.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// Why a recording cannot go on. The text goes to the publisher, so it holds no path.
#[derive(Debug, thiserror::Error)]
enum Halt {
    #[error(transparent)]
    Media(#[from] PartError),
    #[error("the disk could not take the media ({0})")]
    Disk(ErrorKind),
    #[error("the broadcast is over")]
    Over,
    #[error(transparent)]
    Driver(#[from] Refused),
    #[error("the server is stopping")]
    Stopping,
}

impl Halt {
    fn cause(&self) -> LeaveCause {
        match self {
            Self::Media(_) => LeaveCause::Refused,
            Self::Disk(_) => LeaveCause::Storage,
            Self::Over => LeaveCause::Dropped,
            Self::Driver(_) | Self::Stopping => LeaveCause::ServerStopped,
        }
    }

    /// Whether there was no room.
    fn is_full(&self) -> bool {
        matches!(self, Self::Disk(ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
    }
}

/// A part that is being written.
struct Writing {
    part: OpenPart,
    file: PartFile,
    /// For whoever watches it grow.
    synced: watch::Sender<Synced>,
}

pub(super) struct Task {
    recorders: Recorders,
    joined: Joined,
    failed: Arc<OnceLock<String>>,
    writing: Option<Writing>,
    /// Where the broadcast's synced media ends, once it is known.
    media_ms: Option<u64>,
}

impl Task {
    pub(super) fn new(recorders: Recorders, joined: Joined, failed: Arc<OnceLock<String>>) -> Self {
        Self { recorders, joined, failed, writing: None, media_ms: None }
    }

    /// Records until the publisher leaves, the media cannot be recorded, or the disk refuses.
    pub(super) async fn run(mut self, mut items: mpsc::Receiver<Item>) {
        let mut full = false;
        let cause = match self.record(&mut items).await {
            Ok(cause) => cause,
            Err(halt) => {
                tracing::warn!(broadcast.id = %self.joined.broadcast, reason = %halt, "a recording stopped");
                let _ = self.failed.set(halt.to_string());
                full = halt.is_full();
                halt.cause()
            }
        };
        // Whoever still sends hears at once that nothing is taken any more; what waits is let go with its room.
        items.close();
        while items.recv().await.is_some() {}
        // The file is closed before the leave is recorded: who comes back may write it at once.
        self.writing = None;
        self.tell_gone(cause).await;
        if full {
            // There is no room to go on in: the broadcast is ended, and its part is cut to what is whole.
            self.recorders.disk.note_stopped();
            self.end(EndCause::Storage).await;
        }
    }

    async fn record(&mut self, items: &mut mpsc::Receiver<Item>) -> Result<LeaveCause, Halt> {
        let mut cutter = self.begin().await?;
        self.media_ms = Some(cutter.position().end_ms());
        let cause = loop {
            match items.recv().await {
                Some(Item::Media(media, _permit)) => {
                    let outputs = cutter.push(track(&media), media.timestamp_ms, media.data)?;
                    self.perform(outputs).await?;
                }
                Some(Item::Metadata(metadata)) => {
                    let (video, audio) = promised(&metadata);
                    cutter.expect_tracks(video, audio);
                }
                Some(Item::Finish(cause)) => break cause,
                None => break LeaveCause::Disconnected,
            }
        };
        // A server that stops, or has no room left, closes the part while it can; otherwise it stays open for who comes
        // back.
        let outputs = match cause {
            LeaveCause::ServerStopped | LeaveCause::Storage => cutter.flush()?,
            LeaveCause::Unpublished
            | LeaveCause::Disconnected
            | LeaveCause::Refused
            | LeaveCause::Dropped
            | LeaveCause::RecordingStopped => cutter.pause()?,
        };
        self.perform(outputs).await?;
        self.media_ms = Some(cutter.position().end_ms());
        Ok(cause)
    }

    /// A cutter that goes on where the broadcast stands: in the part left open, or after the last one.
    async fn begin(&mut self) -> Result<PartCutter, Halt> {
        let mut options = PartOptions::new(self.joined.rules.cycle_ms);
        options.start = TimelinePosition { video_end_ms: self.joined.end_ms, ..TimelinePosition::default() };
        let Some(open) = self.joined.open_part.clone() else { return Ok(PartCutter::new(options)) };
        let (files, video) = (Arc::clone(&self.recorders.files), open.video.clone());
        let reopened = blocking(move || PartFile::reopen(&files, &video)).await?;
        let state = reopened.and_then(|(file, scan)| {
            let state = ResumeState::from_scan(&scan, options.start)?;
            Some((file, state))
        });
        match state {
            Some((file, state)) => {
                self.write(open, file);
                Ok(PartCutter::resume(options, state))
            }
            None => {
                // Nothing whole was ever written to it.
                let facts = empty(self.joined.end_ms);
                self.recorders
                    .driver
                    .close_part(&self.joined.broadcast, open.part, facts, CloseCause::CodecChanged)
                    .await?;
                Ok(PartCutter::new(options))
            }
        }
    }

    async fn perform(&mut self, outputs: Vec<PartOutput>) -> Result<(), Halt> {
        for output in outputs {
            match output {
                PartOutput::Open { tracks, init, start_ms, .. } => self.open(&tracks, init, start_ms).await?,
                PartOutput::Fragment { bytes, entry } => {
                    self.append(bytes).await?;
                    self.recorders.watermarks.set(&self.joined.broadcast, entry.end_ms());
                    self.media_ms = self.media_ms.max(Some(entry.end_ms()));
                }
                PartOutput::Close { facts, cause } => self.close(&facts, cause).await?,
                PartOutput::Gap { at_ms, jump } => {
                    tracing::debug!(broadcast.id = %self.joined.broadcast, at_ms, ?jump, "the publisher's clock jumped");
                }
            }
        }
        Ok(())
    }

    async fn open(
        &mut self,
        tracks: &reprise_media::track::Tracks,
        init: bytes::Bytes,
        start_ms: u64,
    ) -> Result<(), Halt> {
        let (video, audio) = tracks_of(tracks);
        let joined = &self.joined;
        let permit = self.recorders.driver.open_part(&joined.broadcast, joined.epoch, video, audio, start_ms).await?;
        let part = permit.ok_or(Halt::Over)?;
        let (files, id): (_, VideoId) = (Arc::clone(&self.recorders.files), part.video.clone());
        let file = blocking(move || PartFile::create(&files, &id, &init)).await?;
        self.write(part, file);
        Ok(())
    }

    /// Writes on this part from now on, and lets it be known.
    fn write(&mut self, part: OpenPart, file: PartFile) {
        let (synced, seen) = watch::channel(Synced { bytes: file.len(), ended: false });
        if let Some(watcher) = &self.recorders.watcher {
            watcher.part_opened(GrowingPart {
                broadcast: self.joined.broadcast.clone(),
                video: part.video.clone(),
                cycle_ms: self.joined.rules.cycle_ms,
                synced: seen,
            });
        }
        self.writing = Some(Writing { part, file, synced });
    }

    async fn append(&mut self, bytes: bytes::Bytes) -> Result<(), Halt> {
        let Some(Writing { part, mut file, synced }) = self.writing.take() else { return Err(Halt::Over) };
        let file = blocking(move || file.append(&bytes).map(|()| file)).await?;
        synced.send_replace(Synced { bytes: file.len(), ended: false });
        self.writing = Some(Writing { part, file, synced });
        Ok(())
    }

    async fn close(&mut self, facts: &part::PartFacts, cause: part::CloseCause) -> Result<(), Halt> {
        let Some(Writing { part, file, synced }) = self.writing.take() else { return Err(Halt::Over) };
        let bytes = file.len();
        blocking(move || file.seal()).await?;
        synced.send_replace(Synced { bytes, ended: true });
        let cause = match cause {
            part::CloseCause::Cycle => CloseCause::Cycle,
            part::CloseCause::CodecChanged => CloseCause::CodecChanged,
            part::CloseCause::Flush => CloseCause::Stopped,
        };
        self.recorders.driver.close_part(&self.joined.broadcast, part.part, facts_of(facts), cause).await?;
        Ok(())
    }

    /// Tells the leave until it is recorded. A catalogue without room takes it when there is room again.
    async fn tell_gone(&self, cause: LeaveCause) {
        let Recorders { driver, .. } = &self.recorders;
        let Joined { broadcast, epoch, .. } = &self.joined;
        let mut told = false;
        while let Err(error) = driver.publisher_gone(broadcast, *epoch, cause, self.media_ms).await {
            if !std::mem::replace(&mut told, true) {
                tracing::error!(broadcast.id = %broadcast, error = %error, "a publisher's leave was not recorded");
            }
            if error != Refused::Unavailable || driver.is_stopping() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(TELL_AGAIN) => {}
                () = driver.stopped() => return,
            }
        }
    }

    async fn end(&self, cause: EndCause) {
        let broadcast = &self.joined.broadcast;
        if let Err(error) = self.recorders.driver.end(broadcast, cause).await {
            tracing::error!(broadcast.id = %broadcast, error = %error, "a broadcast was not ended; its break window runs");
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> Result<T, Halt> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| Halt::Stopping)?;
    done.map_err(|error| {
        tracing::error!(error = %error, "a part's file could not be written");
        Halt::Disk(error.kind())
    })
}

fn track(media: &Media) -> TrackKind {
    match media.kind {
        MediaKind::Audio => TrackKind::Audio,
        MediaKind::Video => TrackKind::Video,
    }
}

/// Whether the metadata promises a picture and sound. Absent values promise nothing either way, because encoders
/// leave them out at will.
fn promised(metadata: &Metadata) -> (Option<bool>, Option<bool>) {
    let has = |name: &str| metadata.values.iter().any(|(key, _)| key == name).then_some(true);
    (has("videocodecid"), has("audiocodecid"))
}

fn empty(first_ms: u64) -> reprise_lifecycle::media::PartFacts {
    reprise_lifecycle::media::PartFacts {
        first_ms,
        duration_ms: 0,
        bytes: 0,
        video_frames: 0,
        audio_frames: 0,
        video: None,
        audio: None,
    }
}
