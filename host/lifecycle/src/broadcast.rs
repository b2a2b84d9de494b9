//! One broadcast: the fold of its journal, the records an input gives, and the work that should be running.
//! The parent match is here; what each input means lives in the file of its subject.

mod composing;
mod excerpt;
mod processing;
mod producing;
mod publishing;
mod recording;
mod removing;
mod submitting;

use std::collections::BTreeMap;

use crate::effect::Effect;
use crate::id::{BroadcastId, EffectId, Epoch, JobId, PartIndex, RecordSeq, TaskId, TenantId, VideoId};
use crate::input::Input;
use crate::media::{AudioTrack, PartFacts, VideoTrack};
use crate::question::{PartSummary, StreamKey};
use crate::record::{EndCause, Opening, Record, RecordRules, Subject};
use crate::time::Timestamp;
use crate::video::{Task, Video};
use crate::work::{ProduceOpening, Request};

pub use self::submitting::{CANCELLED, MAX_REQUESTS};

/// Breaks kept as single entries; a stream that flaps more often has its later breaks added to the last one.
pub const MAX_BREAKS: usize = 10_000;

/// Who is publishing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publishing {
    /// A publisher is connected.
    Live {
        /// Which one.
        epoch: Epoch,
    },
    /// It is gone and may come back.
    Broken {
        /// Since when: the break window runs from here.
        since: Timestamp,
        /// Wall clock of its last media; earlier than `since` where the server died meanwhile.
        from: Timestamp,
        /// Where the broadcast's timeline stood, as far as it is known.
        media_ms: Option<u64>,
    },
    /// Nobody may join any more.
    Over {
        /// Why.
        cause: EndCause,
        /// Since when.
        at: Timestamp,
        /// The record that said so.
        record: RecordSeq,
        /// The publisher that has yet to be sent away.
        lingering: Option<Epoch>,
    },
}

/// A stretch of wall clock without a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Break {
    /// When the publisher's last media came.
    pub from: Timestamp,
    /// When it came back.
    pub to: Timestamp,
    /// Where on the broadcast's timeline, as far as it is known.
    pub media_ms: Option<u64>,
}

/// How far a part is.
#[derive(Clone, Debug, PartialEq)]
pub enum PartState {
    /// It may be written.
    Open,
    /// It is a video.
    Closed {
        /// What it holds.
        facts: PartFacts,
        /// Wall clock of its end.
        ended_at: Timestamp,
    },
    /// Nothing whole was ever written.
    Dropped,
}

/// One part.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The picture it was opened with.
    pub video: Option<VideoTrack>,
    /// The sound it was opened with.
    pub audio: Option<AudioTrack>,
    /// First media time on the broadcast's timeline.
    pub first_ms: u64,
    /// Wall clock of its opening.
    pub started_at: Timestamp,
    /// How far it is.
    pub state: PartState,
}

/// Whether and how the parts are joined.
#[derive(Clone, Debug, PartialEq)]
pub enum Compose {
    /// The broadcast is not over.
    NotYet,
    /// Being decided.
    Deciding,
    /// Decided; the composed video carries on. The plan and the record that made it.
    Planned(crate::question::ComposePlan, RecordSeq),
    /// Nothing is composed.
    Skipped,
}

/// Why an input gives no records. `AlreadyLive` and `Over` are answers for a publisher, `Unfit` is one for the tenant;
/// `Impossible` is a bug somewhere: it is counted and logged, and fatal in tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The stream has a publisher.
    #[error("the stream is already live")]
    AlreadyLive,
    /// The broadcast is over; a new one must be opened.
    #[error("the broadcast is over")]
    Over,
    /// The tenant asked for what this video's state forbids.
    #[error("{0}")]
    Unfit(&'static str),
    /// No correct server sends this.
    #[error("impossible input: {0}")]
    Impossible(&'static str),
}

/// A journal that cannot be folded: a bug, or somebody else wrote to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {seq} does not continue the journal: {why}")]
pub struct Corrupt {
    /// The record.
    pub seq: RecordSeq,
    /// What is wrong with it.
    pub why: &'static str,
}

/// One live session of a stream, with all that comes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Broadcast {
    /// Its id.
    pub id: BroadcastId,
    /// The owner.
    pub tenant: TenantId,
    /// The stream.
    pub stream: StreamKey,
    /// The play domain bound to the ingest domain.
    pub play_domain: String,
    /// Arguments of the push URL without authentication keys.
    pub push_args: Vec<(String, String)>,
    /// The rules in force since it began.
    pub rules: RecordRules,
    /// When it began.
    pub started_at: Timestamp,
    /// The sequence number of the next record.
    pub next_seq: RecordSeq,
    /// Who is publishing.
    pub publishing: Publishing,
    /// The newest publisher's number.
    pub epoch: Epoch,
    /// Where the newest publisher comes from, and since when.
    pub publisher: Option<(String, Timestamp)>,
    /// The gap map.
    pub breaks: Vec<Break>,
    /// All parts in order.
    pub parts: Vec<Part>,
    /// All videos made of them.
    pub videos: BTreeMap<VideoId, Video>,
    /// Whether and how the parts are joined.
    pub compose: Compose,
    /// What is made, where this is the production of an edited video and nobody ever published.
    pub production: Option<ProduceOpening>,
}

impl Broadcast {
    /// The records that begin a broadcast with its first publisher.
    pub fn open(opening: Opening, client: String, now: Timestamp) -> Vec<Record> {
        vec![Record::Opened { opening, at: now }, Record::PublisherJoined { epoch: 1, client, at: now }]
    }

    /// The record that begins the production of an edited video.
    pub fn produce(opening: ProduceOpening, now: Timestamp) -> Vec<Record> {
        vec![Record::ProduceOpened { opening, at: now }]
    }

    /// Folds a whole journal. An empty one is no broadcast.
    ///
    /// # Errors
    /// [`Corrupt`] when a record does not continue the ones before it.
    pub fn fold<'a>(id: BroadcastId, records: impl IntoIterator<Item = &'a Record>) -> Result<Option<Self>, Corrupt> {
        let mut records = records.into_iter();
        let Some(first) = records.next() else {
            return Ok(None);
        };
        let mut broadcast = match first {
            Record::Opened { opening, at } => Self::born(id, opening, *at),
            Record::ProduceOpened { opening, at } => producing::born(id, opening, *at),
            _ => return Err(Corrupt { seq: 0, why: "the first record does not open the broadcast" }),
        };
        for record in records {
            broadcast.apply(record)?;
        }
        Ok(Some(broadcast))
    }

    fn born(id: BroadcastId, opening: &Opening, at: Timestamp) -> Self {
        Self {
            id,
            tenant: opening.tenant.clone(),
            stream: opening.stream.clone(),
            play_domain: opening.play_domain.clone(),
            push_args: opening.push_args.clone(),
            rules: opening.rules.clone(),
            started_at: at,
            next_seq: 1,
            publishing: Publishing::Broken { since: at, from: at, media_ms: None },
            epoch: 0,
            publisher: None,
            breaks: Vec::new(),
            parts: Vec::new(),
            videos: BTreeMap::new(),
            compose: Compose::NotYet,
            production: None,
        }
    }

    /// What `input` means now. Changes nothing; a late or repeated input gives no records.
    ///
    /// # Errors
    /// [`Rejected`] when a publisher must be refused, or when no correct server sends this input.
    pub fn step(&self, input: &Input, now: Timestamp) -> Result<Vec<Record>, Rejected> {
        match input {
            Input::PublishAsked { client } => publishing::asked(self, client, now),
            Input::PublisherGone { epoch, cause, media_ms, last_media_at } => {
                Ok(publishing::gone(self, *epoch, *cause, (*media_ms, *last_media_at), now))
            }
            Input::End { cause } => Ok(publishing::end(self, *cause, now)),
            Input::Tick => Ok(publishing::tick(self, now)),
            Input::PartOpening { epoch, video, audio, first_ms } => {
                recording::opening(self, *epoch, video.as_ref(), audio.as_ref(), *first_ms, now)
            }
            Input::PartClosed { part, facts, cause } => recording::closed(self, *part, facts, *cause, now),
            Input::VerdictGiven { effect, decision, resolution } => {
                processing::verdict(self, *effect, decision, resolution, now)
            }
            Input::OutputFinished { video, job, result, started_at } => {
                Ok(processing::output(self, video, job, result, *started_at, now))
            }
            Input::CoverFinished { video, job, result } => Ok(processing::cover(self, video, job, result, now)),
            Input::ComposeLinked { effect, facts } => composing::linked(self, *effect, facts, now),
            Input::ComposeFinished { effect, result } => Ok(composing::finished(self, *effect, result, now)),
            Input::TaskAsked { video, task, plan, request } => submitting::task(self, video, task, plan, request, now),
            Input::TaskCancelled { video, task } => Ok(submitting::cancel(self, video, task, now)),
            Input::PicturesAsked { video, job, plan, request } => {
                submitting::pictures(self, video, job, plan, request, now)
            }
            Input::PicturesFinished { video, job, result } => {
                Ok(submitting::pictures_finished(self, video, job, result, now))
            }
            Input::AnalysisAsked { video, job, kind, request } => {
                submitting::analysis(self, video, job, *kind, request, now)
            }
            Input::AnalysisFinished { video, job, result } => {
                submitting::analysis_finished(self, video, job, result, now)
            }
            Input::Remove { video, what } => removing::asked(self, video, what, now),
            Input::Discarded { effect } => Ok(removing::discarded(self, *effect, now)),
        }
    }

    /// Folds one record in.
    ///
    /// # Errors
    /// [`Corrupt`] when the record does not continue the journal: a row written twice, by a second writer or
    /// for another broadcast. The state is then as before. No record that `step` produced on this state
    /// gives it.
    pub fn apply(&mut self, record: &Record) -> Result<(), Corrupt> {
        let seq = self.next_seq;
        let corrupt = |why| Corrupt { seq, why };
        match record {
            Record::Opened { .. } | Record::ProduceOpened { .. } => return Err(corrupt("opened twice")),
            Record::PublisherJoined { epoch, client, at } => {
                publishing::apply_joined(self, *epoch, client, *at).map_err(corrupt)?
            }
            Record::PublisherLeft { epoch, media_ms, last_media_at, at, .. } => {
                publishing::apply_left(self, *epoch, (*media_ms, *last_media_at), *at).map_err(corrupt)?;
            }
            Record::Ended { cause, at } => publishing::apply_ended(self, *cause, *at, seq).map_err(corrupt)?,
            Record::PartOpened { part, video, audio, first_ms, at } => {
                recording::apply_opened(self, *part, video.as_ref(), audio.as_ref(), *first_ms, *at)
                    .map_err(corrupt)?;
            }
            Record::PartClosed { part, facts, ended_at, at, .. } => {
                recording::apply_closed(self, *part, facts, *ended_at, seq, *at).map_err(corrupt)?;
            }
            Record::PartDropped { part, .. } => recording::apply_dropped(self, *part).map_err(corrupt)?,
            Record::Decided { subject, resolution, at, .. } => match subject {
                Subject::Video(video) => {
                    processing::apply_decided(self, video, resolution, seq, *at).map_err(corrupt)?
                }
                Subject::Compose => composing::apply_decided(self, resolution, seq, *at).map_err(corrupt)?,
            },
            Record::OutputFinished { video, job, result, started_at, at } => {
                processing::apply_output(self, video, job, result, *started_at, *at).map_err(corrupt)?;
            }
            Record::CoverFinished { video, job, result, .. } => {
                processing::apply_cover(self, video, job, result).map_err(corrupt)?;
            }
            Record::ComposeLinked { facts, .. } => composing::apply_linked(self, facts).map_err(corrupt)?,
            Record::ComposeFinished { result, .. } => composing::apply_finished(self, result, seq).map_err(corrupt)?,
            Record::TaskOpened { video, task, plan, request, at } => {
                submitting::apply_task(self, video, (task, seq), plan, request, *at).map_err(corrupt)?;
            }
            Record::PicturesAsked { video, job, plan, request, at } => {
                submitting::apply_pictures(self, video, (job, seq), plan, request, *at).map_err(corrupt)?;
            }
            Record::PicturesFinished { video, job, result, .. } => {
                submitting::apply_pictures_finished(self, video, job, result).map_err(corrupt)?;
            }
            Record::AnalysisAsked { video, job, kind, request, at } => {
                submitting::apply_analysis(self, video, (job, seq), *kind, request, *at).map_err(corrupt)?;
            }
            Record::AnalysisFinished { video, job, result, at } => {
                submitting::apply_analysis_finished(self, video, job, result, *at).map_err(corrupt)?;
            }
            Record::Removed { video, what, .. } => {
                removing::apply_removed(self, video, what, seq).map_err(corrupt)?;
            }
            Record::Discarded { video, record, .. } => {
                removing::apply_discarded(self, video, *record).map_err(corrupt)?;
            }
        }
        self.next_seq += 1;
        composing::after(self);
        Ok(())
    }

    /// The work that should be running now.
    pub fn outstanding(&self) -> BTreeMap<EffectId, Effect> {
        let mut effects = BTreeMap::new();
        if let Publishing::Over { record, lingering, .. } = &self.publishing {
            match lingering {
                Some(epoch) => {
                    effects.insert(EffectId { record: *record, ordinal: 0 }, Effect::DropPublisher { epoch: *epoch });
                }
                None => {
                    if let Some(part) = self.open_part() {
                        effects.insert(EffectId { record: *record, ordinal: 1 }, Effect::ClosePart { part });
                    }
                }
            }
            composing::outstanding(self, *record, &mut effects);
        }
        producing::outstanding(self, &mut effects);
        for video in self.videos.values().filter(|video| !video.removed) {
            processing::outstanding(video, &mut effects);
        }
        removing::outstanding(self, &mut effects);
        effects
    }

    /// When `Tick` has something to say, if nothing else happens.
    pub fn wake_at(&self) -> Option<Timestamp> {
        match self.publishing {
            Publishing::Broken { since, .. } => {
                Some(since.plus_ms(i64::try_from(self.rules.break_ms).unwrap_or(i64::MAX)))
            }
            Publishing::Live { .. } | Publishing::Over { .. } => None,
        }
    }

    /// The part that may be written, if any.
    pub fn open_part(&self) -> Option<PartIndex> {
        let last = self.parts.last()?;
        let index = PartIndex::try_from(self.parts.len() - 1).ok()?;
        (last.state == PartState::Open).then_some(index)
    }

    /// What came with the request behind the job of a rendition or of covers.
    pub fn request_of_job(&self, job: &JobId) -> Option<&Request> {
        let takes = |task: &&Task| task.output(job).is_some() || task.cover.as_ref().is_some_and(|it| &it.job == job);
        self.videos.values().flat_map(|video| &video.tasks).find(takes).map(|task| &task.request)
    }

    /// What came with the request behind a task.
    pub fn request_of_task(&self, task: &TaskId) -> Option<&Request> {
        self.videos.values().find_map(|video| video.task_by_id(task)).map(|task| &task.request)
    }

    /// Whether no publisher may join any more.
    pub fn is_over(&self) -> bool {
        matches!(self.publishing, Publishing::Over { .. })
    }

    /// Whether nothing more happens by itself: over, every part closed, composed or not, every video settled.
    pub fn is_settled(&self) -> bool {
        self.is_over() && self.outstanding().is_empty() && self.videos.values().all(Video::is_settled)
    }

    /// All closed parts as a question tells them.
    pub fn part_summaries(&self) -> Vec<PartSummary> {
        let mut before = self.started_at;
        let mut summaries = Vec::new();
        for (index, part) in (0..).zip(&self.parts) {
            let PartState::Closed { facts, ended_at } = &part.state else {
                continue;
            };
            summaries.push(PartSummary {
                index,
                video_id: VideoId::of_part(&self.id, index),
                started_at: part.started_at,
                ended_at: *ended_at,
                first_ms: facts.first_ms,
                duration_ms: facts.duration_ms,
                bytes: facts.bytes,
                bitrate_kbps: facts.bitrate_kbps(),
                gap_ms: self.gap_ms(before, *ended_at),
                video: facts.video.clone(),
                audio: facts.audio.clone(),
                facts: self.videos.get(&VideoId::of_part(&self.id, index)).and_then(Video::media_facts).cloned(),
            });
            before = *ended_at;
        }
        summaries
    }

    /// The closed parts that a compose may use: those that nobody took away.
    pub fn composable_parts(&self) -> Vec<PartSummary> {
        let there = |part: &PartSummary| {
            self.videos.get(&part.video_id).is_some_and(|video| !video.removed && !video.source_removed)
        };
        self.part_summaries().into_iter().filter(there).collect()
    }

    /// Wall-clock milliseconds without a publisher between two times.
    pub fn gap_ms(&self, from: Timestamp, to: Timestamp) -> u64 {
        self.breaks.iter().map(|gap| gap.to.min(to).ms_since(gap.from.max(from))).sum()
    }
}

#[cfg(test)]
mod tests;
