//! Videos, their tasks, jobs and pictures, as listings read them.

use reprise_lifecycle::media::{MediaFacts, PartFacts};
use reprise_lifecycle::record::{OutputFacts, Template};
use sqlx::{AssertSqlSafe, FromRow};

use super::{Result, Store, read_json};

/// One video.
#[derive(Clone, Debug, FromRow)]
pub struct VideoRow {
    /// Its id.
    pub id: String,
    /// The owner.
    pub tenant: String,
    /// The broadcast it comes from.
    pub broadcast: String,
    /// Which part; none for a composed video.
    pub part: Option<i64>,
    /// Ingest domain.
    pub domain: String,
    /// Application.
    pub app: String,
    /// Stream name.
    pub stream: String,
    /// Play domain.
    pub play_domain: String,
    /// Title.
    pub title: String,
    /// Description.
    pub description: String,
    /// Our word: uploading, stored, transcoding, ready, failed, produce_failed.
    pub status: String,
    /// Its template group, once decided.
    pub group_id: Option<String>,
    /// Wall clock of its first media.
    pub record_start: Option<i64>,
    /// Wall clock of its end.
    pub record_end: Option<i64>,
    /// JSON of [`PartFacts`].
    pub facts: Option<String>,
    /// Length in milliseconds.
    pub duration_ms: i64,
    /// Size of the source.
    pub bytes: i64,
    /// Our word for what it was made from: part, compose, edit.
    pub source: String,
    /// Comma separated.
    pub tags: String,
    /// The category's number.
    pub cate_id: i64,
    /// A picture elsewhere that the tenant chose as the cover.
    pub cover_url: Option<String>,
    /// JSON of the tenant's own.
    pub user_data: Option<String>,
    /// Whether its source was deleted.
    pub source_deleted: bool,
    /// The cover picture, relative to the video's folder.
    pub cover_file: Option<String>,
    /// JSON of [`MediaFacts`], once it was analysed.
    pub analysis: Option<String>,
    /// When it was made.
    pub created_at: i64,
    /// When it last changed.
    pub modified_at: i64,
}

impl VideoRow {
    /// What the source holds.
    ///
    /// # Errors
    /// When the stored text is not what this version wrote.
    pub fn facts(&self) -> Result<Option<PartFacts>> {
        self.facts.as_deref().map(|facts| read_json("part facts", facts)).transpose()
    }

    /// Whether its source is there as one file. A composed video plays before that, from its parts.
    pub fn has_file(&self) -> bool {
        self.facts.is_some() && !self.source_deleted && !matches!(self.status.as_str(), "uploading" | "produce_failed")
    }

    /// What is to be seen and heard in it.
    ///
    /// # Errors
    /// When the stored text is not what this version wrote.
    pub fn analysis(&self) -> Result<Option<MediaFacts>> {
        self.analysis.as_deref().map(|facts| read_json("media facts", facts)).transpose()
    }
}

/// One task.
#[derive(Clone, Debug, FromRow)]
pub struct TaskRow {
    /// Its id.
    pub id: String,
    /// The video.
    pub video: String,
    /// The group.
    pub group_id: String,
    /// `Auto` or `Manual`.
    pub trigger_kind: String,
    /// The vendor's task status.
    pub status: String,
    /// When it was opened.
    pub created_at: i64,
    /// When its last job ended.
    pub completed_at: Option<i64>,
}

/// One job of a task.
#[derive(Clone, Debug, FromRow)]
pub struct JobRow {
    /// Its id.
    pub id: String,
    /// The task.
    pub task: String,
    /// The video.
    pub video: String,
    /// JSON of the frozen [`Template`].
    pub template: String,
    /// The vendor's job status.
    pub status: String,
    /// The task's priority.
    pub priority: i64,
    /// JSON of [`OutputFacts`].
    pub output: Option<String>,
    /// Why it failed, as a code.
    pub error_code: Option<String>,
    /// Why it failed, in words.
    pub error: Option<String>,
    /// When it was asked for.
    pub created_at: i64,
    /// When work on it began.
    pub started_at: Option<i64>,
    /// When it ended.
    pub completed_at: Option<i64>,
}

impl JobRow {
    /// The template it follows.
    ///
    /// # Errors
    /// When the stored text is not what this version wrote.
    pub fn template(&self) -> Result<Template> {
        read_json("template", &self.template)
    }

    /// What it made.
    ///
    /// # Errors
    /// When the stored text is not what this version wrote.
    pub fn output(&self) -> Result<Option<OutputFacts>> {
        self.output.as_deref().map(|output| read_json("output facts", output)).transpose()
    }
}

/// A series of pictures.
#[derive(Clone, Debug, FromRow)]
pub struct SnapshotRow {
    /// The job that took them.
    pub job: String,
    /// `CoverSnapshot` and its siblings.
    pub kind: String,
    /// File name pattern relative to the video's folder, with `{SnapshotCount}`.
    pub pattern: String,
    /// How many.
    pub count: i64,
    /// The index of the cover.
    pub cover: i64,
    /// When they were asked for.
    pub created_at: i64,
}

/// Which videos to list; `None` matches all.
#[derive(Clone, Debug, Default)]
pub struct VideoFilter {
    /// Our status words, comma separated.
    pub statuses: Option<String>,
    /// Made at or after.
    pub from: Option<i64>,
    /// Made at or before.
    pub to: Option<i64>,
    /// Play domain.
    pub play_domain: Option<String>,
    /// Application.
    pub app: Option<String>,
    /// Stream name.
    pub stream: Option<String>,
    /// Broadcast.
    pub broadcast: Option<String>,
    /// Recording began at or after.
    pub recorded_from: Option<i64>,
    /// Recording began at or before.
    pub recorded_to: Option<i64>,
    /// Oldest first instead of newest first.
    pub ascending: bool,
}

/// One broadcast as listings show it.
#[derive(Clone, Debug, FromRow)]
pub struct BroadcastRow {
    /// Its id.
    pub id: String,
    /// The owner.
    pub tenant: String,
    /// Ingest domain.
    pub domain: String,
    /// Application.
    pub app: String,
    /// Stream name.
    pub stream: String,
    /// Play domain.
    pub play_domain: String,
    /// live, broken, over.
    pub publishing: String,
    /// Whether nothing more happens by itself.
    pub settled: bool,
    /// Where the newest publisher comes from.
    pub client: String,
    /// When the newest publisher joined.
    pub published_at: i64,
    /// When the broadcast began.
    pub started_at: i64,
    /// How many parts it has.
    pub parts: i64,
    /// How often the publisher came back.
    pub reconnects: i64,
}

/// Selects jobs with what their task says of all of them.
fn jobs(which: &'static str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "SELECT jobs.*, coalesce((SELECT priority FROM tasks WHERE tasks.id = jobs.task), 6) AS priority FROM jobs {which}"
    ))
}

impl Store {
    /// One video of a tenant.
    pub async fn video(&self, tenant: &str, id: &str) -> Result<Option<VideoRow>> {
        let one = "SELECT * FROM videos WHERE tenant = ? AND id = ?";
        Ok(sqlx::query_as(one).bind(tenant).bind(id).fetch_optional(&self.reader).await?)
    }

    /// The video a playback URL names; the URL carries no tenant, its signature is checked with the owner's key.
    pub async fn video_for_playback(&self, id: &str) -> Result<Option<VideoRow>> {
        Ok(sqlx::query_as("SELECT * FROM videos WHERE id = ?").bind(id).fetch_optional(&self.reader).await?)
    }

    /// One page of a tenant's videos, with the number of all that match.
    pub async fn videos(
        &self,
        tenant: &str,
        filter: &VideoFilter,
        offset: i64,
        limit: i64,
    ) -> Result<(i64, Vec<VideoRow>)> {
        let total = sqlx::query_scalar(
            "SELECT count(*) FROM videos WHERE tenant = ?1 \
             AND (?2 IS NULL OR instr(',' || ?2 || ',', ',' || status || ',') > 0) \
             AND (?3 IS NULL OR created_at >= ?3) AND (?4 IS NULL OR created_at <= ?4) \
             AND (?5 IS NULL OR play_domain = ?5) AND (?6 IS NULL OR app = ?6) AND (?7 IS NULL OR stream = ?7) \
             AND (?8 IS NULL OR broadcast = ?8) \
             AND (?9 IS NULL OR record_start >= ?9) AND (?10 IS NULL OR record_start <= ?10)",
        )
        .bind(tenant)
        .bind(&filter.statuses)
        .bind(filter.from)
        .bind(filter.to)
        .bind(&filter.play_domain)
        .bind(&filter.app)
        .bind(&filter.stream)
        .bind(&filter.broadcast)
        .bind(filter.recorded_from)
        .bind(filter.recorded_to)
        .fetch_one(&self.reader)
        .await?;
        let page = sqlx::query_as(
            "SELECT * FROM videos WHERE tenant = ?1 \
             AND (?2 IS NULL OR instr(',' || ?2 || ',', ',' || status || ',') > 0) \
             AND (?3 IS NULL OR created_at >= ?3) AND (?4 IS NULL OR created_at <= ?4) \
             AND (?5 IS NULL OR play_domain = ?5) AND (?6 IS NULL OR app = ?6) AND (?7 IS NULL OR stream = ?7) \
             AND (?8 IS NULL OR broadcast = ?8) \
             AND (?9 IS NULL OR record_start >= ?9) AND (?10 IS NULL OR record_start <= ?10) \
             ORDER BY CASE WHEN ?11 THEN created_at END ASC, CASE WHEN NOT ?11 THEN created_at END DESC, part \
             LIMIT ?13 OFFSET ?12",
        )
        .bind(tenant)
        .bind(&filter.statuses)
        .bind(filter.from)
        .bind(filter.to)
        .bind(&filter.play_domain)
        .bind(&filter.app)
        .bind(&filter.stream)
        .bind(&filter.broadcast)
        .bind(filter.recorded_from)
        .bind(filter.recorded_to)
        .bind(filter.ascending)
        .bind(offset)
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        Ok((total, page))
    }

    /// A video's tasks, newest first.
    pub async fn tasks(&self, tenant: &str, video: &str) -> Result<Vec<TaskRow>> {
        let all = "SELECT id, video, group_id, trigger_kind, status, created_at, completed_at FROM tasks \
                   WHERE tenant = ? AND video = ? ORDER BY created_at DESC";
        Ok(sqlx::query_as(all).bind(tenant).bind(video).fetch_all(&self.reader).await?)
    }

    /// One task.
    pub async fn task(&self, tenant: &str, id: &str) -> Result<Option<TaskRow>> {
        let one = "SELECT id, video, group_id, trigger_kind, status, created_at, completed_at FROM tasks \
                   WHERE tenant = ? AND id = ?";
        Ok(sqlx::query_as(one).bind(tenant).bind(id).fetch_optional(&self.reader).await?)
    }

    /// A task's jobs in order.
    pub async fn jobs_of_task(&self, tenant: &str, task: &str) -> Result<Vec<JobRow>> {
        let all = jobs("WHERE tenant = ? AND task = ? ORDER BY ordinal");
        Ok(sqlx::query_as(all).bind(tenant).bind(task).fetch_all(&self.reader).await?)
    }

    /// All jobs of a video, oldest task first.
    pub async fn jobs_of_video(&self, tenant: &str, video: &str) -> Result<Vec<JobRow>> {
        let all = jobs("WHERE tenant = ? AND video = ? ORDER BY created_at, ordinal");
        Ok(sqlx::query_as(all).bind(tenant).bind(video).fetch_all(&self.reader).await?)
    }

    /// One job.
    pub async fn job(&self, tenant: &str, id: &str) -> Result<Option<JobRow>> {
        let one = jobs("WHERE tenant = ? AND id = ?");
        Ok(sqlx::query_as(one).bind(tenant).bind(id).fetch_optional(&self.reader).await?)
    }

    /// The newest series of pictures of a kind.
    pub async fn snapshots(&self, tenant: &str, video: &str, kind: &str) -> Result<Option<SnapshotRow>> {
        let newest = "SELECT job, kind, pattern, count, cover, created_at FROM snapshots \
                      WHERE tenant = ? AND video = ? AND kind = ? ORDER BY created_at DESC, rowid DESC LIMIT 1";
        Ok(sqlx::query_as(newest).bind(tenant).bind(video).bind(kind).fetch_optional(&self.reader).await?)
    }

    /// A tenant's broadcasts, newest first; only those with a connected publisher when `live`.
    pub async fn broadcasts(&self, tenant: &str, live: bool, limit: i64) -> Result<Vec<BroadcastRow>> {
        let all = "SELECT * FROM broadcasts WHERE tenant = ?1 AND (NOT ?2 OR publishing = 'live') \
                   ORDER BY started_at DESC LIMIT ?3";
        Ok(sqlx::query_as(all).bind(tenant).bind(live).bind(limit).fetch_all(&self.reader).await?)
    }

    /// One broadcast of a tenant.
    pub async fn broadcast(&self, tenant: &str, id: &str) -> Result<Option<BroadcastRow>> {
        let one = "SELECT * FROM broadcasts WHERE tenant = ? AND id = ?";
        Ok(sqlx::query_as(one).bind(tenant).bind(id).fetch_optional(&self.reader).await?)
    }
}
