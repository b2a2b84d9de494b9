//! One turn of the driver: step each input, commit everything, then answer.

use std::collections::BTreeMap;

use reprise_lifecycle::broadcast::{Broadcast, PartState, Publishing, Rejected};
use reprise_lifecycle::event::{Told, events};
use reprise_lifecycle::id::{BroadcastId, EffectId, EventId, RecordSeq, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::record::{Opening, Record, Subject};
use reprise_lifecycle::time::Timestamp;
use reprise_lifecycle::work::{ProduceOpening, Removal};
use tokio::sync::oneshot;

use super::handle::{Joined, Message, OpenPart, Produced, PublishRefused, Refused, Taken};
use super::{Driver, fresh_id, turn_time};
use crate::api::events::{EventContext, MEDIA_BASE_CHANGED, body, media_base_removed};
use crate::api::notices;
use crate::store::decisions::LoggedDecision;
use crate::store::deliveries::OutboxEvent;
use crate::store::journal::Append;
use crate::store::live_notices::NewNotice;

/// What a turn does to one broadcast.
#[derive(Default)]
struct Change {
    first_seq: RecordSeq,
    records: Vec<Record>,
    events: Vec<OutboxEvent>,
    notices: Vec<NewNotice>,
    decisions: Vec<LoggedDecision>,
}

/// Who waits for the commit.
enum Waiting {
    Publisher(oneshot::Sender<Result<Joined, PublishRefused>>, Box<Joined>),
    Teller(oneshot::Sender<Result<Taken, Refused>>, Taken),
    Editor(oneshot::Sender<Result<Produced, Refused>>, Produced),
}

#[derive(Default)]
struct Turn {
    changes: BTreeMap<BroadcastId, Change>,
    waiting: Vec<Waiting>,
    /// Work that ended: what runs for its broadcast must be looked at though no record was made.
    ended: Vec<(BroadcastId, EffectId)>,
    /// Settled broadcasts that were folded again for an input. They do not stay in memory if nothing came of it.
    brought_back: Vec<BroadcastId>,
}

impl Driver {
    pub(super) async fn turn(&mut self, messages: Vec<Message>) {
        let now = turn_time();
        let mut turn = Turn::default();
        for message in messages {
            self.take(&mut turn, message, now).await;
        }
        for (broadcast, effect) in &turn.ended {
            self.running.ended(broadcast, *effect);
        }
        let mut touched: Vec<BroadcastId> = turn.changes.keys().cloned().collect();
        touched.extend(turn.ended.iter().map(|(broadcast, _)| broadcast.clone()));
        touched.append(&mut turn.brought_back);
        touched.sort();
        touched.dedup();
        if let Err(error) = self.commit(&mut turn).await {
            tracing::error!(error = %error, inputs = turn.waiting.len(), "a commit failed; its broadcasts are folded again");
            for waiting in turn.waiting {
                waiting.fail();
            }
            self.failed_at = Some(tokio::time::Instant::now());
            self.reload(&touched).await;
            return;
        }
        self.failed_at = None;
        for waiting in turn.waiting {
            waiting.succeed();
        }
        if !turn.changes.is_empty() {
            for listener in &self.context.committed {
                listener.notify_one();
            }
        }
        self.reconcile(&touched);
    }

    async fn commit(&self, turn: &mut Turn) -> crate::store::Result<()> {
        let mut appends = Vec::with_capacity(turn.changes.len());
        for (id, change) in &mut turn.changes {
            let Some(after) = self.live.get(id) else { continue };
            if change.records.is_empty() {
                continue;
            }
            self.tell_removed(after, change).await?;
            appends.push(Append {
                after,
                first_seq: change.first_seq,
                records: &change.records,
                events: std::mem::take(&mut change.events),
                notices: std::mem::take(&mut change.notices),
                decisions: std::mem::take(&mut change.decisions),
                shape: self.context.shapes.shapes(after.tenant.as_str(), &after.stream),
            });
        }
        if appends.is_empty() { Ok(()) } else { self.context.store.append(&appends).await }
    }

    /// What was said of videos that these records remove. The catalogue alone knows it, and not for long.
    async fn tell_removed(&self, after: &Broadcast, change: &mut Change) -> crate::store::Result<()> {
        for (seq, record) in (change.first_seq..).zip(&change.records) {
            let Record::Removed { video, what: Removal::Video, at } = record else { continue };
            let Some(row) = self.context.store.video(after.tenant.as_str(), video.as_str()).await? else { continue };
            change.events.push(OutboxEvent {
                id: EventId::derived(&after.id, seq, "media-base-removed", 0).as_str().to_owned(),
                seq,
                video: video.clone(),
                kind: MEDIA_BASE_CHANGED,
                at: at.0,
                body: media_base_removed(&row, *at).to_string(),
                callback: None,
            });
        }
        Ok(())
    }

    async fn take(&mut self, turn: &mut Turn, message: Message, now: Timestamp) {
        match message {
            Message::Publish { opening, client, reply } => match self.publish(turn, *opening, client, now) {
                Ok(joined) => turn.waiting.push(Waiting::Publisher(reply, Box::new(joined))),
                Err(refused) => drop(reply.send(Err(refused))),
            },
            Message::Input { broadcast, input, question, reply } => {
                let taken = match self.bring_back(turn, &broadcast, &input).await {
                    Ok(()) => self.input(turn, &broadcast, &input, question, now),
                    Err(error) => {
                        tracing::error!(broadcast.id = %broadcast, error = %error, "a journal cannot be read");
                        Err(Refused::Unavailable)
                    }
                };
                let Some(reply) = reply else { return };
                match taken {
                    Ok(taken) => turn.waiting.push(Waiting::Teller(reply, taken)),
                    Err(refused) => drop(reply.send(Err(refused))),
                }
            }
            Message::Produce { id, opening, reply } => match self.produce(turn, id, *opening, now) {
                Some(produced) => turn.waiting.push(Waiting::Editor(reply, produced)),
                None => drop(reply.send(Err(Refused::Unavailable))),
            },
            Message::WorkEnded { broadcast, effect } => turn.ended.push((broadcast, effect)),
            Message::Current { stream, reply } => {
                drop(reply.send(self.current(&stream).map(|broadcast| broadcast.id.clone())));
            }
            Message::Breaks { broadcast, reply } => {
                let breaks = self.live.get(&broadcast).map(|broadcast| broadcast.breaks.clone());
                drop(reply.send(breaks));
            }
        }
    }

    /// A settled broadcast is not in memory; an input for it folds its journal again.
    async fn bring_back(&mut self, turn: &mut Turn, id: &BroadcastId, input: &Input) -> crate::store::Result<()> {
        if self.live.contains_key(id) || matches!(input, Input::Tick) {
            return Ok(());
        }
        turn.brought_back.push(id.clone());
        self.fold(id).await
    }

    fn publish(
        &mut self,
        turn: &mut Turn,
        opening: Opening,
        client: String,
        now: Timestamp,
    ) -> Result<Joined, PublishRefused> {
        let current = self.current(&opening.stream).map(|broadcast| broadcast.id.clone());
        if let Some(id) = current {
            // The break window may have ended a moment ago; the core must hear so before it is asked.
            let _ = self.input(turn, &id, &Input::Tick, None, now);
        }
        if self.publishers_of(&opening) >= self.context.publishers_per_tenant {
            return Err(PublishRefused::TooMany);
        }
        let current = self.current(&opening.stream).map(|broadcast| broadcast.id.clone());
        let id = match current {
            Some(id) => {
                self.join(turn, &id, client, now)?;
                id
            }
            None => self.open(turn, opening, client, now)?,
        };
        self.live.get(&id).and_then(joined).ok_or(PublishRefused::Unavailable)
    }

    fn publishers_of(&self, opening: &Opening) -> usize {
        let live = |broadcast: &&Broadcast| {
            broadcast.tenant == opening.tenant && matches!(broadcast.publishing, Publishing::Live { .. })
        };
        self.live.values().filter(live).count()
    }

    fn join(
        &mut self,
        turn: &mut Turn,
        id: &BroadcastId,
        client: String,
        now: Timestamp,
    ) -> Result<(), PublishRefused> {
        let Some(broadcast) = self.live.get(id) else { return Err(PublishRefused::Unavailable) };
        match broadcast.step(&Input::PublishAsked { client }, now) {
            Ok(records) => {
                self.fold_in(turn, id, records, None);
                Ok(())
            }
            Err(Rejected::AlreadyLive) => Err(PublishRefused::AlreadyLive),
            Err(Rejected::Over | Rejected::Unfit(_) | Rejected::Impossible(_)) => Err(PublishRefused::Unavailable),
        }
    }

    fn open(
        &mut self,
        turn: &mut Turn,
        opening: Opening,
        client: String,
        now: Timestamp,
    ) -> Result<BroadcastId, PublishRefused> {
        let id = fresh_id().ok_or(PublishRefused::Unavailable)?;
        self.begin(turn, id, Broadcast::open(opening, client, now)).ok_or(PublishRefused::Unavailable)
    }

    fn produce(
        &mut self,
        turn: &mut Turn,
        id: BroadcastId,
        opening: ProduceOpening,
        now: Timestamp,
    ) -> Option<Produced> {
        let broadcast = self.begin(turn, id, Broadcast::produce(opening, now))?;
        Some(Produced { video: VideoId::of_edit(&broadcast), broadcast })
    }

    /// Begins a journal with these records.
    fn begin(&mut self, turn: &mut Turn, id: BroadcastId, records: Vec<Record>) -> Option<BroadcastId> {
        let broadcast = Broadcast::fold(id.clone(), &records).ok().flatten()?;
        let notices = records.iter().filter_map(|record| notices::of_record(&broadcast, record)).collect();
        self.live.insert(id.clone(), broadcast);
        turn.changes.insert(id.clone(), Change { records, notices, ..Change::default() });
        Some(id)
    }

    fn input(
        &mut self,
        turn: &mut Turn,
        id: &BroadcastId,
        input: &Input,
        question: Option<String>,
        now: Timestamp,
    ) -> Result<Taken, Refused> {
        let Some(broadcast) = self.live.get(id) else { return Ok(Taken { opened: None }) };
        match broadcast.step(input, now) {
            Ok(records) => {
                let opened = records.iter().find_map(|record| match record {
                    Record::PartOpened { part, .. } => {
                        Some(OpenPart { part: *part, video: VideoId::of_part(id, *part) })
                    }
                    _ => None,
                });
                self.fold_in(turn, id, records, question);
                Ok(Taken { opened })
            }
            Err(Rejected::Unfit(why)) => Err(Refused::Unfit(why)),
            Err(rejected) => {
                tracing::error!(broadcast.id = %id, ?input, error = %rejected, "an impossible input");
                Err(Refused::Impossible)
            }
        }
    }

    /// Folds records that `step` gave and notes what is to be written with them.
    fn fold_in(&mut self, turn: &mut Turn, id: &BroadcastId, records: Vec<Record>, question: Option<String>) {
        let Some(broadcast) = self.live.get_mut(id) else { return };
        let urls = &self.context.urls;
        for record in records {
            let seq = broadcast.next_seq;
            if let Err(corrupt) = broadcast.apply(&record) {
                // A law of the core is broken. Nothing of this may be committed.
                tracing::error!(broadcast.id = %id, error = %corrupt, "the core refused its own record");
                continue;
            }
            let change =
                turn.changes.entry(id.clone()).or_insert_with(|| Change { first_seq: seq, ..Change::default() });
            for event in events(broadcast, seq, &record) {
                let context = EventContext { stream: &broadcast.stream, play_domain: &broadcast.play_domain, urls };
                let (kind, body) = body(&event, context);
                change.events.push(OutboxEvent {
                    id: event.id.as_str().to_owned(),
                    seq,
                    video: event.video,
                    kind,
                    at: event.at.0,
                    body: body.to_string(),
                    callback: callback_of(broadcast, &event.told),
                });
            }
            change.notices.extend(notices::of_record(broadcast, &record));
            if let Record::Decided { subject, decision, at, .. } = &record {
                let video = match subject {
                    Subject::Video(video) => Some(video.clone()),
                    Subject::Compose => None,
                };
                let question = question.clone().unwrap_or_else(|| "null".to_owned());
                change.decisions.push(LoggedDecision { question, decision: decision.clone(), video, at: at.0 });
            }
            change.records.push(record);
        }
    }
}

fn joined(broadcast: &Broadcast) -> Option<Joined> {
    let Publishing::Live { epoch } = broadcast.publishing else { return None };
    let end_ms = broadcast.parts.iter().rev().find_map(|part| match &part.state {
        PartState::Closed { facts, .. } => Some(facts.first_ms + facts.duration_ms),
        PartState::Open | PartState::Dropped => None,
    });
    Some(Joined {
        broadcast: broadcast.id.clone(),
        epoch,
        rules: broadcast.rules.clone(),
        open_part: broadcast.open_part().map(|part| OpenPart { part, video: VideoId::of_part(&broadcast.id, part) }),
        end_ms: end_ms.unwrap_or(0),
    })
}

/// Where the events of work that was asked for go, if the request named a receiver of its own.
fn callback_of(broadcast: &Broadcast, told: &Told) -> Option<String> {
    let request = match told {
        Told::PicturesTaken { request, .. } | Told::AnalysisDone { request, .. } => Some(request),
        Told::StreamTranscoded(report) => broadcast.request_of_job(&report.job),
        Told::CoverTaken { job, .. } => broadcast.request_of_job(job),
        Told::TaskComplete { task: Some(task), .. } => broadcast.request_of_task(task),
        Told::ProduceFinished { .. } | Told::SourceComplete { .. } => {
            broadcast.production.as_ref().map(|opening| &opening.request)
        }
        Told::PartRecorded { .. }
        | Told::ComposeStarted
        | Told::ComposeRefused(_)
        | Told::Analysed(_)
        | Told::TaskComplete { task: None, .. }
        | Told::ComposeFailed(_)
        | Told::Removed { .. }
        | Told::RecordingStopped => None,
    };
    request.and_then(|request| request.callback.clone())
}

impl Waiting {
    fn succeed(self) {
        match self {
            Self::Publisher(reply, joined) => drop(reply.send(Ok(*joined))),
            Self::Teller(reply, taken) => drop(reply.send(Ok(taken))),
            Self::Editor(reply, produced) => drop(reply.send(Ok(produced))),
        }
    }

    fn fail(self) {
        match self {
            Self::Publisher(reply, _) => drop(reply.send(Err(PublishRefused::Unavailable))),
            Self::Teller(reply, _) => drop(reply.send(Err(Refused::Unavailable))),
            Self::Editor(reply, _) => drop(reply.send(Err(Refused::Unavailable))),
        }
    }
}
