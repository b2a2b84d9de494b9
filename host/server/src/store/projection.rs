//! Read models: rows for listings, written from the folded broadcast in the transaction of its records. They
//! hold nothing that the journals do not, and could be made again from them.

use reprise_lifecycle::broadcast::{Broadcast, PartState, Publishing};
use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::record::{Record, Subject, WorkResult};
use reprise_lifecycle::video::{Source, Status, Task, Video};
use sqlx::{Sqlite, Transaction};

use super::{Result, write_json};

pub(super) async fn write(
    transaction: &mut Transaction<'_, Sqlite>,
    after: &Broadcast,
    records: &[Record],
) -> Result<()> {
    broadcast(transaction, after).await?;
    let at = records.last().map_or(after.started_at, Record::at).0;
    let mut touched: Vec<VideoId> = records.iter().filter_map(|record| video_of(after, record)).collect();
    touched.sort();
    touched.dedup();
    for id in touched {
        if let Some(row) = after.videos.get(&id) {
            video(transaction, after, row, at).await?;
        }
    }
    Ok(())
}

fn video_of(after: &Broadcast, record: &Record) -> Option<VideoId> {
    match record {
        Record::PartClosed { part, .. } => Some(VideoId::of_part(&after.id, *part)),
        Record::Decided { subject: Subject::Video(video), .. }
        | Record::OutputFinished { video, .. }
        | Record::CoverFinished { video, .. } => Some(video.clone()),
        Record::Decided { subject: Subject::Compose, .. } | Record::ComposeFinished { .. } => {
            Some(VideoId::of_compose(&after.id))
        }
        Record::Opened { .. }
        | Record::PublisherJoined { .. }
        | Record::PublisherLeft { .. }
        | Record::PartOpened { .. }
        | Record::PartDropped { .. }
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

async fn video(transaction: &mut Transaction<'_, Sqlite>, after: &Broadcast, video: &Video, at: i64) -> Result<()> {
    let (part, start, end) = match video.source {
        Source::Part(index) => {
            let part = after.parts.get(index as usize);
            let end = part.and_then(|part| match &part.state {
                PartState::Closed { ended_at, .. } => Some(ended_at.0),
                PartState::Open | PartState::Dropped => None,
            });
            (Some(i64::from(index)), part.map(|part| part.started_at.0), end)
        }
        Source::Compose => (None, Some(after.started_at.0), None),
    };
    let facts = video.facts.as_ref().map(|facts| write_json("part facts", facts)).transpose()?;
    let cover = video
        .task()
        .and_then(|task| task.cover.as_ref())
        .and_then(|cover| cover.result.as_ref())
        .and_then(WorkResult::done)
        .map(|cover| cover.pattern.replace("{SnapshotCount}", &format!("{:05}", cover.cover)));
    sqlx::query(
        "INSERT INTO videos (id, tenant, broadcast, part, domain, app, stream, play_domain, title, description, status, \
         group_id, record_start, record_end, facts, duration_ms, bytes, cover_file, created_at, modified_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20) \
         ON CONFLICT (id) DO UPDATE SET status = ?11, group_id = ?12, record_end = ?14, facts = ?15, duration_ms = ?16, \
         bytes = ?17, cover_file = coalesce(?18, cover_file), modified_at = ?20",
    )
    .bind(video.id.as_str())
    .bind(after.tenant.as_str())
    .bind(after.id.as_str())
    .bind(part)
    .bind(&after.stream.domain)
    .bind(&after.stream.app)
    .bind(&after.stream.name)
    .bind(&after.play_domain)
    .bind(&after.stream.name)
    .bind(format!("{}|{}|{}", after.stream.name, after.stream.app, after.play_domain))
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
    .execute(&mut **transaction)
    .await?;
    if let Some(task) = video.task() {
        write_task(transaction, after, video, task).await?;
    }
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
            "INSERT INTO tasks (id, tenant, video, group_id, trigger_kind, status, created_at, completed_at) \
             VALUES (?1, ?2, ?3, ?4, 'Auto', ?5, ?6, ?7) \
             ON CONFLICT (id) DO UPDATE SET status = ?5, completed_at = ?7",
        )
        .bind(task.id.as_str())
        .bind(after.tenant.as_str())
        .bind(video.id.as_str())
        .bind(task.group.as_str())
        .bind(task_status(task))
        .bind(task.created_at.0)
        .bind(completed.filter(|_| done))
        .execute(&mut **transaction)
        .await?;
    }
    for (ordinal, output) in (0_i64..).zip(&task.outputs) {
        let finished = output.finished.as_ref();
        let (status, facts, failure) = match finished.map(|finished| &finished.result) {
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
        sqlx::query(
            "INSERT INTO snapshots (job, tenant, video, kind, pattern, count, cover, created_at) \
             VALUES (?1, ?2, ?3, 'CoverSnapshot', ?4, ?5, ?6, ?7) ON CONFLICT (job) DO NOTHING",
        )
        .bind(cover.job.as_str())
        .bind(after.tenant.as_str())
        .bind(video.id.as_str())
        .bind(&facts.pattern)
        .bind(facts.count)
        .bind(facts.cover)
        .bind(task.created_at.0)
        .execute(&mut **transaction)
        .await?;
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
