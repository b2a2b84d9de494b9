//! The state machine: which frames are recorded, and where parts begin and end.

use bytes::Bytes;

use super::live::Live;
use super::open::{OpenPart, Placed, ResumeState};
use super::probe::{Hints, Probe};
use super::{CloseCause, Frame, MAX_SAMPLE_BYTES, PartError, PartOptions, PartOutput};
use crate::flv::{AudioPacket, VideoPacket, parse_audio, parse_video};
use crate::timeline::{SessionClock, TimelinePosition, TrackKind};
use crate::track::{AudioConfig, Tracks, VideoConfig};

/// Turns a publisher's messages into parts.
///
/// Work per message does not depend on how much was recorded before.
#[derive(Debug)]
pub struct PartCutter {
    options: PartOptions,
    session: Session,
    part: Option<OpenPart>,
    /// Where the tracks ended when the last part closed.
    ends: TimelinePosition,
    /// Frames not recorded since the last part closed.
    dropped: u64,
}

/// What belongs to one connected publisher.
#[derive(Debug)]
struct Session {
    clock: SessionClock,
    tracks: Tracks,
    hints: Hints,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// Until the tracks are known.
    Probing(Probe),
    /// From the first recorded frame on.
    Live(Live),
}

impl Session {
    fn new() -> Self {
        Self {
            clock: SessionClock::new(),
            tracks: Tracks::default(),
            hints: Hints::default(),
            phase: Phase::Probing(Probe::default()),
        }
    }
}

impl PartCutter {
    /// A cutter without an open part.
    pub fn new(options: PartOptions) -> Self {
        Self { ends: options.start, options, session: Session::new(), part: None, dropped: 0 }
    }

    /// A cutter that goes on with an open part.
    pub fn resume(options: PartOptions, state: ResumeState) -> Self {
        let ends = state.facts.ends;
        Self { ends, part: Some(OpenPart::resume(state)), ..Self::new(options) }
    }

    /// What the publisher's metadata promises: whether there will be video and audio. A track that is not promised is
    /// not waited for.
    pub fn expect_tracks(&mut self, video: Option<bool>, audio: Option<bool>) {
        self.session.hints = Hints { video, audio };
    }

    /// Takes an audio or video message: its 32-bit timestamp and its body, in the form of an FLV tag body.
    ///
    /// Bodies that are malformed are counted as dropped and skipped. After an error the publisher should be refused; the
    /// cutter itself stays usable.
    pub fn push(&mut self, track: TrackKind, timestamp_ms: u32, body: Bytes) -> Result<Vec<PartOutput>, PartError> {
        let mut outputs = Vec::new();
        match track {
            TrackKind::Video => self.video(timestamp_ms, body, &mut outputs)?,
            TrackKind::Audio => self.audio(timestamp_ms, body, &mut outputs)?,
        }
        Ok(outputs)
    }

    /// The publisher is gone and may come back: hands out what is pending and keeps the part open. The next message is
    /// taken for the first of a new publisher.
    pub fn pause(&mut self) -> Result<Vec<PartOutput>, PartError> {
        let mut outputs = Vec::new();
        self.end_session(&mut outputs)?;
        Ok(outputs)
    }

    /// The recording ends: hands out what is pending and closes the part.
    pub fn flush(&mut self) -> Result<Vec<PartOutput>, PartError> {
        let mut outputs = Vec::new();
        self.end_session(&mut outputs)?;
        self.close(None, CloseCause::Flush, &mut outputs)?;
        Ok(outputs)
    }

    /// What [`PartCutter::resume`] needs, if a part is open and nothing is pending, as after [`PartCutter::pause`].
    pub fn resume_state(&self) -> Option<ResumeState> {
        let part = self.part.as_ref()?;
        matches!(self.session.phase, Phase::Probing(_)).then(|| part.state())
    }

    /// Where the broadcast's finished fragments end.
    pub fn position(&self) -> TimelinePosition {
        self.part.as_ref().map_or(self.ends, OpenPart::ends)
    }

    /// Frames not recorded since the last part closed.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn video(&mut self, timestamp_ms: u32, body: Bytes, outputs: &mut Vec<PartOutput>) -> Result<(), PartError> {
        let track = TrackKind::Video;
        match parse_video(body) {
            Ok(VideoPacket::Header { codec, record }) => {
                let config = VideoConfig::parse(codec, &record);
                let config = config.map_err(|source| PartError::Header { track, source })?;
                if self.session.tracks.video.as_ref() != Some(&config) {
                    self.session.tracks.video = Some(config);
                    self.headers_changed();
                }
                Ok(())
            }
            Ok(VideoPacket::Frame { codec, keyframe, composition_ms, data }) => {
                let known = self.session.tracks.video.as_ref().is_some_and(|video| video.codec == codec);
                let frame = Frame { track, time_ms: 0, composition_ms, keyframe, data };
                self.frame(timestamp_ms, frame, known, outputs)
            }
            Ok(VideoPacket::Unsupported { codec }) => Err(PartError::Unsupported { track, codec }),
            Ok(VideoPacket::End | VideoPacket::Ignored) => Ok(()),
            Err(_) => {
                self.dropped += 1;
                Ok(())
            }
        }
    }

    fn audio(&mut self, timestamp_ms: u32, body: Bytes, outputs: &mut Vec<PartOutput>) -> Result<(), PartError> {
        let track = TrackKind::Audio;
        match parse_audio(body) {
            Ok(AudioPacket::Header { codec, record }) => {
                let config = AudioConfig::parse(codec, &record);
                let config = config.map_err(|source| PartError::Header { track, source })?;
                if self.session.tracks.audio.as_ref() != Some(&config) {
                    self.session.tracks.audio = Some(config);
                    self.headers_changed();
                }
                Ok(())
            }
            Ok(AudioPacket::Frame { codec, data }) => {
                let known = self.session.tracks.audio.as_ref().is_some_and(|audio| audio.codec == codec);
                let frame = Frame { track, time_ms: 0, composition_ms: 0, keyframe: true, data };
                self.frame(timestamp_ms, frame, known, outputs)
            }
            Ok(AudioPacket::Unsupported { codec }) => Err(PartError::Unsupported { track, codec }),
            Ok(AudioPacket::End | AudioPacket::Ignored) => Ok(()),
            Err(_) => {
                self.dropped += 1;
                Ok(())
            }
        }
    }

    /// A header that differs from the one before makes frames from here on belong to another part.
    fn headers_changed(&mut self) {
        if let Phase::Live(live) = &mut self.session.phase
            && let Some(part) = &self.part
        {
            live.admit(part.tracks(), &self.session.tracks);
        }
    }

    fn frame(
        &mut self,
        timestamp_ms: u32,
        mut frame: Frame,
        header_known: bool,
        outputs: &mut Vec<PartOutput>,
    ) -> Result<(), PartError> {
        let reading = self.session.clock.read(frame.track, timestamp_ms);
        frame.time_ms = reading.time_ms;
        if let Some(jump) = reading.jump {
            let at_ms = match &self.session.phase {
                Phase::Live(live) => live.broadcast_ms(frame.time_ms),
                Phase::Probing(_) => self.position().end_ms(),
            };
            if let Some(part) = &mut self.part {
                part.count_gap();
            }
            outputs.push(PartOutput::Gap { at_ms, jump });
        }
        let recordable = header_known && frame.data.len() <= MAX_SAMPLE_BYTES;
        let Session { phase, tracks, hints, .. } = &mut self.session;
        let ready = match phase {
            Phase::Probing(probe) => {
                probe.note_time(frame.time_ms);
                self.dropped += if recordable { probe.push(frame, tracks) } else { 1 };
                probe.is_ready(tracks, *hints)
            }
            Phase::Live(_) if recordable => return self.live(frame, outputs),
            Phase::Live(_) => {
                self.dropped += 1;
                false
            }
        };
        if ready { self.start(outputs) } else { Ok(()) }
    }

    /// The tracks are known: puts the session behind what was recorded so far, opens a part if the open one does not
    /// fit, and records what was held.
    fn start(&mut self, outputs: &mut Vec<PartOutput>) -> Result<(), PartError> {
        let Phase::Probing(probe) = &mut self.session.phase else {
            return Ok(());
        };
        let (frames, dropped) = std::mem::take(probe).take();
        self.dropped += dropped;
        let Some(first_ms) = frames.iter().map(|frame| frame.time_ms).min() else {
            return Ok(());
        };
        let start_ms = self.position().end_ms();
        if self.part.as_ref().is_some_and(|part| !part.tracks().can_carry(&self.session.tracks)) {
            self.close(None, CloseCause::CodecChanged, outputs)?;
        }
        if self.part.is_none() {
            self.open(start_ms, outputs)?;
        }
        let offset_ms = i64::try_from(start_ms).unwrap_or(i64::MAX).saturating_sub(first_ms);
        let live = Live::new(offset_ms, &self.session.tracks);
        self.session.phase = Phase::Live(live);
        for frame in frames {
            self.live(frame, outputs)?;
        }
        Ok(())
    }

    /// Records a frame of a session whose tracks are known.
    fn live(&mut self, frame: Frame, outputs: &mut Vec<PartOutput>) -> Result<(), PartError> {
        let Phase::Live(live) = &mut self.session.phase else {
            return Ok(());
        };
        let Some(part) = &mut self.part else {
            return Ok(());
        };
        let time_ms = live.broadcast_ms(frame.time_ms);
        let has_video = self.session.tracks.video.is_some();
        let cut_point = frame.keyframe && (frame.track == TrackKind::Video || !has_video);
        match live.cut_cause(part.start_ms, self.options.cycle_ms, time_ms, cut_point) {
            Some(cause) => self.cut(frame, time_ms, cause, outputs),
            None if !live.admits(&frame) => {
                self.dropped += 1;
                Ok(())
            }
            None => {
                let placed = live.place(frame, time_ms, part);
                Ok(part.push(placed, &self.options, outputs)?)
            }
        }
    }

    /// Ends the part before this frame and begins the next with it.
    fn cut(
        &mut self,
        frame: Frame,
        time_ms: u64,
        cause: CloseCause,
        outputs: &mut Vec<PartOutput>,
    ) -> Result<(), PartError> {
        let Phase::Live(live) = &mut self.session.phase else {
            return Ok(());
        };
        // The frame's place also says how long the last frame of its track lasts, so it is found in the old part, but
        // only if it follows in the same configuration.
        let placed = match &self.part {
            Some(part) if live.admits(&frame) => Some(live.place(frame.clone(), time_ms, part)),
            _ => None,
        };
        self.close(placed.as_ref(), cause, outputs)?;
        self.open(time_ms, outputs)?;
        let Phase::Live(live) = &mut self.session.phase else {
            return Ok(());
        };
        live.moved_on(cause, &self.session.tracks);
        let Some(part) = &mut self.part else {
            return Ok(());
        };
        let placed = match placed {
            Some(placed) => placed,
            None if live.admits(&frame) => live.place(frame, time_ms, part),
            None => {
                self.dropped += 1;
                return Ok(());
            }
        };
        Ok(part.push(placed, &self.options, outputs)?)
    }

    fn open(&mut self, start_ms: u64, outputs: &mut Vec<PartOutput>) -> Result<(), PartError> {
        let part = OpenPart::open(self.session.tracks.clone(), start_ms, self.ends, outputs)?;
        self.part = Some(part);
        Ok(())
    }

    fn close(
        &mut self,
        next: Option<&Placed>,
        cause: CloseCause,
        outputs: &mut Vec<PartOutput>,
    ) -> Result<(), PartError> {
        if let Some(part) = self.part.take() {
            let dropped = std::mem::take(&mut self.dropped);
            self.ends = part.close(next, dropped, cause, outputs)?;
        }
        Ok(())
    }

    /// Hands out what is pending and forgets the publisher.
    fn end_session(&mut self, outputs: &mut Vec<PartOutput>) -> Result<(), PartError> {
        if let Phase::Probing(probe) = &self.session.phase {
            if probe.can_start(&self.session.tracks) {
                self.start(outputs)?;
            } else {
                self.dropped += probe.len();
            }
        }
        if let Some(part) = &mut self.part {
            part.finish_fragment(None, outputs)?;
        }
        self.session = Session::new();
        Ok(())
    }
}
