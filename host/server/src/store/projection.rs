//! Read models: rows for listings, written from the folded broadcast in the transaction of its records. They could be
//! made again from the journals, but for what a tenant says of its videos: title, description, tags, category, cover
//! and user data are written once here and are the tenant's to change from then on.

use std::collections::{BTreeMap, BTreeSet};

use reprise_lifecycle::broadcast::{Broadcast, Compose, Part, PartState, Publishing};
use reprise_lifecycle::id::{JobId, TaskId, VideoId};
use reprise_lifecycle::record::{Record, Subject, WorkResult};
use reprise_lifecycle::video::{Source, Status, Task, Video};
use reprise_lifecycle::work::{PictureKind, Trigger};
use sqlx::{Sqlite, Transaction};

use super::{Result, editing, write_json};

pub(super) async fn write(
    transaction: &mut Transaction<'_, Sqlite>,
    after: &Broadcast,
    records: &[Record],
) -> Result<()> {
    broadcast(transaction, after).await?;
    let at = records.last().map_or(after.started_at, Record::at).0;
    let mut touched: BTreeMap<VideoId, Touched<'_>> = BTreeMap::new();
    for record in records {
        if let Some(row) = video_of(after, record).and_then(|id| after.videos.get(&id)) {
            touched.entry(row.id.clone()).or_default().add(row, record);
        }
    }
    for (id, touched) in touched {
        match after.videos.get(&id) {
            Some(row) if row.removed => forget(transaction, row).await?,
            Some(row) => video(transaction, after, row, &touched, at).await?,
            None => {}
        }
    }
    if let [Record::ProduceOpened { opening, .. }, ..] = records {
        editing::write_words(transaction, &VideoId::of_edit(&after.id), opening).await?;
    }
    Ok(())
}

/// What of one video the records of a commit changed. A video can have a thousand requests; only the rows of those that
/// changed are written again.
#[derive(Default)]
struct Touched<'a> {
    everything: bool,
    tasks: BTreeSet<&'a TaskId>,
    pictures: BTreeSet<&'a JobId>,
    analyses: bool,
}

impl<'a> Touched<'a> {
    fn add(&mut self, video: &'a Video, record: &'a Record) {
        match record {
            Record::TaskOpened { task, .. } => {
                self.tasks.insert(task);
            }
            Record::OutputFinished { job, .. } => self.tasks.extend(video.task_of_job(job).map(|task| &task.id)),
            Record::CoverFinished { job, .. } => {
                let takes = |task: &&Task| task.cover.as_ref().is_some_and(|cover| &cover.job == job);
                self.tasks.extend(video.tasks.iter().filter(takes).map(|task| &task.id));
            }
            Record::PicturesFinished { job, .. } => {
                self.pictures.insert(job);
            }
            Record::AnalysisAsked { .. } | Record::AnalysisFinished { .. } => self.analyses = true,
            _ => self.everything = true,
        }
    }
}

fn video_of(after: &Broadcast, record: &Record) -> Option<VideoId> {
    match record {
        Record::PartClosed { part, .. } => Some(VideoId::of_part(&after.id, *part)),
        Record::Decided { subject: Subject::Video(video), .. }
        | Record::OutputFinished { video, .. }
        | Record::CoverFinished { video, .. } => Some(video.clone()),
        Record::Decided { subject: Subject::Compose, .. } | Record::ComposeLinked { .. } => {
            Some(VideoId::of_compose(&after.id))
        }
        Record::ProduceOpened { .. } => Some(VideoId::of_edit(&after.id)),
        Record::ComposeFinished { .. } if after.production.is_some() => Some(VideoId::of_edit(&after.id)),
        Record::ComposeFinished { .. } => Some(VideoId::of_compose(&after.id)),
        Record::TaskOpened { video, .. }
        | Record::PicturesFinished { video, .. }
        | Record::AnalysisAsked { video, .. }
        | Record::AnalysisFinished { video, .. }
        | Record::Removed { video, .. } => Some(video.clone()),
        Record::Opened { .. }
        | Record::PublisherJoined { .. }
        | Record::PublisherLeft { .. }
        | Record::PartOpened { .. }
        | Record::PartDropped { .. }
        | Record::PicturesAsked { .. }
        | Record::Discarded { .. }
        | Record::Ended { .. } => None,
    }
}

async fn broadcast(transaction: &mut Transaction<'_, Sqlite>, after: &Broadcast) -> Result<()> {
    let publishing = match after.publishing {
        Publishing::Live { .. } => "live",
        Publishing::Broken { .. } => "broken",
        Publishing::Over { .. } => "over",
    };
    let (client, published_at) = match &after.publisher {
        Some((client, at)) => (client.as_str(), at.0),
        None => ("", after.started_at.0),
    };
    sqlx::query(
        "INSERT INTO broadcasts (id, tenant, domain, app, stream, play_domain, publishing, settled, client, \
         published_at, started_at, parts, reconnects) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
         ON CONFLICT (id) DO UPDATE SET publishing = ?7, settled = ?8, client = ?9, published_at = ?10, \
         parts = ?12, reconnects = ?13",
    )
    .bind(after.id.as_str())
    .bind(after.tenant.as_str())
    .bind(&after.stream.domain)
    .bind(&after.stream.app)
    .bind(&after.stream.name)
    .bind(&after.play_domain)
    .bind(publishing)
    .bind(after.is_settled())
    .bind(client)
    .bind(published_at)
    .bind(after.started_at.0)
    .bind(after.parts.len() as i64)
    .bind(after.breaks.len() as i64)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The status word of the read model.
pub(super) fn status_word(status: Status) -> &'static str {
    match status {
        Status::Uploading => "uploading",
        Status::Stored => "stored",
        Status::Transcoding => "transcoding",
        Status::Ready => "ready",
        Status::Failed => "failed",
        Status::ProduceFailed => "produce_failed",
    }
}

async fn video(
    transaction: &mut Transaction<'_, Sqlite>,
    after: &Broadcast,
    video: &Video,
    touched: &Touched<'_>,
    at: i64,
) -> Result<()> {
    let (part, start, end) = match video.source {
        Source::Part(index) => {
            let part = after.parts.get(index as usize);
            (Some(i64::from(index)), part.map(|part| part.started_at.0), part.and_then(part_end))
        }
        Source::Compose => (None, Some(after.started_at.0), after.parts.iter().rev().find_map(part_end)),
        Source::Edit => (None, None, None),
    };
    let words = Words::of(after, video);
    let facts = video.facts.as_ref().map(|facts| write_json("part facts", facts)).transpose()?;
    let cover = video
        .task()
        .and_then(|task| task.cover.as_ref())
        .and_then(|cover| cover.result.as_ref())
        .and_then(WorkResult::done)
        .map(|cover| cover.pattern.replace("{SnapshotCount}", &format!("{:05}", cover.cover)));
    sqlx::query(
        "INSERT INTO videos (id, tenant, broadcast, part, domain, app, stream, play_domain, title, description, status, \
         group_id, record_start, record_end, facts, duration_ms, bytes, cover_file, created_at, modified_at, source, \
         project, playable, source_deleted, retain_until, analysis) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, \
         ?23, ?24, ?25, ?26) \
         ON CONFLICT (id) DO UPDATE SET status = ?11, group_id = coalesce(?12, group_id), record_end = ?14, facts = ?15, \
         duration_ms = ?16, bytes = ?17, cover_file = coalesce(?18, cover_file), modified_at = ?20, playable = ?23, \
         source_deleted = ?24, analysis = coalesce(?26, analysis)",
    )
    .bind(video.id.as_str())
    .bind(after.tenant.as_str())
    .bind(after.id.as_str())
    .bind(part)
    .bind(&after.stream.domain)
    .bind(&after.stream.app)
    .bind(&after.stream.name)
    .bind(&after.play_domain)
    .bind(words.title)
    .bind(words.description)
    .bind(status_word(video.status()))
    .bind(video.task().map(|task| task.group.as_str()))
    .bind(start)
    .bind(end)
    .bind(facts)
    .bind(video.facts.as_ref().map_or(0, |facts| facts.duration_ms as i64))
    .bind(video.facts.as_ref().map_or(0, |facts| facts.bytes as i64))
    .bind(cover)
    .bind(video.created_at.0)
    .bind(at)
    .bind(words.source)
    .bind(after.production.as_ref().map(|opening| opening.project.as_str()))
    .bind(video.facts.is_some() && !video.source_removed)
    .bind(video.source_removed)
    .bind(retain_until(after, video))
    .bind(video.media_facts().map(|facts| write_json("media facts", facts)).transpose()?)
    .execute(&mut **transaction)
    .await?;
    for task in video.tasks.iter().filter(|task| touched.everything || touched.tasks.contains(&task.id)) {
        write_task(transaction, after, video, task).await?;
    }
    if touched.everything || touched.analyses {
        super::analyses::write(transaction, after.tenant.as_str(), video).await?;
    }
    let is_touched = |job: &JobId| touched.everything || touched.pictures.contains(job);
    for pictures in video.pictures.iter().filter(|pictures| is_touched(&pictures.job)) {
        if let Some(WorkResult::Done(series)) = &pictures.result {
            for facts in series {
                let row =
                    Series { kind: pictures_word(facts.kind), pattern: &facts.pattern, count: facts.count, cover: 1 };
                write_series(transaction, after, video, &pictures.job, &row, pictures.created_at.0).await?;
            }
        }
    }
    Ok(())
}

/// Wall clock of a closed part's end.
fn part_end(part: &Part) -> Option<i64> {
    match &part.state {
        PartState::Closed { ended_at, .. } => Some(ended_at.0),
        PartState::Open | PartState::Dropped => None,
    }
}

/// How a video is named until its tenant says otherwise.
struct Words<'a> {
    source: &'static str,
    title: &'a str,
    description: String,
}

impl<'a> Words<'a> {
    fn of(after: &'a Broadcast, video: &Video) -> Self {
        let stream = &after.stream;
        let description = format!("{}|{}|{}", stream.name, stream.app, after.play_domain);
        match (video.source, &after.compose, &after.production) {
            (Source::Edit, _, Some(opening)) => {
                Self { source: "edit", title: &opening.title, description: opening.description.clone() }
            }
            (Source::Compose, Compose::Planned(plan, _), _) => {
                Self { source: "compose", title: plan.title.as_deref().unwrap_or(&stream.name), description }
            }
            (Source::Part(_), ..) => Self { source: "part", title: &stream.name, description },
            (Source::Compose, ..) => Self { source: "compose", title: &stream.name, description },
            (Source::Edit, ..) => Self { source: "edit", title: "", description: String::new() },
        }
    }
}

const DAY_MS: i64 = 86_400_000;

/// When a part's video is removed by its record config.
fn retain_until(after: &Broadcast, video: &Video) -> Option<i64> {
    let days = i64::from(after.rules.retention_days);
    let is_part = matches!(video.source, Source::Part(_));
    (days > 0 && is_part).then(|| video.created_at.0.saturating_add(days.saturating_mul(DAY_MS)))
}

/// A removed video is in no listing any more.
async fn forget(transaction: &mut Transaction<'_, Sqlite>, video: &Video) -> Result<()> {
    for table in ["snapshots", "jobs", "tasks"] {
        sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM {table} WHERE video = ?")))
            .bind(video.id.as_str())
            .execute(&mut **transaction)
            .await?;
    }
    sqlx::query("DELETE FROM videos WHERE id = ?").bind(video.id.as_str()).execute(&mut **transaction).await?;
    Ok(())
}

/// A series of pictures as its row tells it.
struct Series<'a> {
    kind: &'static str,
    pattern: &'a str,
    count: u32,
    cover: u32,
}

/// The read model's word for a kind of pictures: the vendor's, since listings select by it.
fn pictures_word(kind: PictureKind) -> &'static str {
    crate::api::events::snapshot_type(kind)
}

async fn write_series(
    transaction: &mut Transaction<'_, Sqlite>,
    after: &Broadcast,
    video: &Video,
    job: &JobId,
    series: &Series<'_>,
    at: i64,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO snapshots (job, tenant, video, kind, pattern, count, cover, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
    )
    .bind(job.as_str())
    .bind(after.tenant.as_str())
    .bind(video.id.as_str())
    .bind(series.kind)
    .bind(series.pattern)
    .bind(series.count)
    .bind(series.cover)
    .bind(at)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn write_task(
    transaction: &mut Transaction<'_, Sqlite>,
    after: &Broadcast,
    video: &Video,
    task: &Task,
) -> Result<()> {
    if !task.outputs.is_empty() {
        let done = task.outputs_finished();
        let completed = task.outputs.iter().filter_map(|output| output.finished.as_ref()).map(|end| end.at.0).max();
        sqlx::query(
            "INSERT INTO tasks (id, tenant, video, group_id, trigger_kind, status, created_at, completed_at, priority) \
             VALUES (?1, ?2, ?3, ?4, ?8, ?5, ?6, ?7, ?9) \
             ON CONFLICT (id) DO UPDATE SET status = ?5, completed_at = ?7",
        )
        .bind(task.id.as_str())
        .bind(after.tenant.as_str())
        .bind(video.id.as_str())
        .bind(task.group.as_str())
        .bind(task_status(task))
        .bind(task.created_at.0)
        .bind(completed.filter(|_| done))
        .bind(match task.trigger {
            Trigger::Auto => "Auto",
            Trigger::Manual => "Manual",
        })
        .bind(task.request.priority)
        .execute(&mut **transaction)
        .await?;
    }
    for (ordinal, output) in (0_i64..).zip(&task.outputs) {
        let finished = output.finished.as_ref();
        let (status, facts, failure) = match finished.map(|finished| &finished.result) {
            // What was taken away keeps its place in its task, but nothing of it plays.
            Some(WorkResult::Done(_)) if output.removed => ("TranscodeSuccess", None, None),
            None => ("Transcoding", None, None),
            Some(WorkResult::Done(facts)) => ("TranscodeSuccess", Some(write_json("output facts", facts)?), None),
            Some(WorkResult::Failed(failure)) => ("TranscodeFail", None, Some(failure)),
        };
        sqlx::query(
            "INSERT INTO jobs (id, tenant, task, video, ordinal, template, status, output, error_code, error, created_at, \
             started_at, completed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
             ON CONFLICT (id) DO UPDATE SET status = ?7, output = ?8, error_code = ?9, error = ?10, \
             started_at = ?12, completed_at = ?13",
        )
        .bind(output.job.as_str())
        .bind(after.tenant.as_str())
        .bind(task.id.as_str())
        .bind(video.id.as_str())
        .bind(ordinal)
        .bind(write_json("template", &output.template)?)
        .bind(status)
        .bind(facts)
        .bind(failure.map(|failure| failure.code.as_str()))
        .bind(failure.map(|failure| failure.message.as_str()))
        .bind(task.created_at.0)
        .bind(finished.map(|finished| finished.started_at.0))
        .bind(finished.map(|finished| finished.at.0))
        .execute(&mut **transaction)
        .await?;
    }
    if let Some(cover) = &task.cover
        && let Some(WorkResult::Done(facts)) = &cover.result
    {
        let row = Series {
            kind: pictures_word(PictureKind::Cover),
            pattern: &facts.pattern,
            count: facts.count,
            cover: facts.cover,
        };
        write_series(transaction, after, video, &cover.job, &row, task.created_at.0).await?;
    }
    Ok(())
}

/// The vendor's word for how far a task is.
fn task_status(task: &Task) -> &'static str {
    let finished = task.outputs.iter().filter_map(|output| output.finished.as_ref());
    let (mut done, mut failed) = (0, 0);
    for end in finished {
        if end.result.done().is_some() { done += 1 } else { failed += 1 }
    }
    match (done, failed, task.outputs.len() - done - failed) {
        (0, 0, _) => "Processing",
        (_, _, 1..) => "Partial",
        (_, 0, 0) => "CompleteAllSucc",
        (0, _, 0) => "CompleteAllFail",
        (_, _, 0) => "CompletePartialSucc",
    }
}
