//! Analyses of videos, and the library of fingerprints that new ones are compared with.

use reprise_lifecycle::record::WorkResult;
use reprise_lifecycle::video::{Analysis, Video};
use reprise_lifecycle::work::{AnalysisKind, AnalysisResult};
use sqlx::{FromRow, Sqlite, Transaction};

use super::{Result, Store, read_json, write_json};

/// One analysis.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct AnalysisRow {
    /// The job that does it.
    pub job: String,
    /// The video.
    pub video: String,
    /// JSON of what became of it.
    pub result: Option<String>,
    /// When it was asked for.
    pub created_at: i64,
    /// When it ended.
    pub completed_at: Option<i64>,
}

impl AnalysisRow {
    /// What became of it, once it ended.
    ///
    /// # Errors
    /// When the stored text is not what this version wrote.
    pub fn result(&self) -> Result<Option<WorkResult<AnalysisResult>>> {
        self.result.as_deref().map(|result| read_json("analysis", result)).transpose()
    }
}

/// A fingerprint in a tenant's library.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct FingerprintRow {
    /// The job that made it.
    pub job: String,
    /// The video it is of.
    pub video: String,
    /// Its file, relative to the video's folder.
    pub file: String,
}

impl Store {
    /// One analysis of a kind, of a tenant.
    pub async fn analysis(&self, tenant: &str, kind: AnalysisKind, job: &str) -> Result<Option<AnalysisRow>> {
        let one = "SELECT job, video, result, created_at, completed_at FROM analyses \
                   WHERE tenant = ? AND kind = ? AND job = ?";
        Ok(sqlx::query_as(one).bind(tenant).bind(word(kind)).bind(job).fetch_optional(&self.reader).await?)
    }

    /// The analysis behind a video's fingerprint in the library.
    pub async fn fingerprint(&self, tenant: &str, video: &str) -> Result<Option<AnalysisRow>> {
        let newest = "SELECT a.job, a.video, a.result, a.created_at, a.completed_at FROM fingerprints f \
                      JOIN analyses a ON a.job = f.job WHERE f.tenant = ? AND f.video = ? AND NOT f.forgotten \
                      ORDER BY f.created_at DESC LIMIT 1";
        Ok(sqlx::query_as(newest).bind(tenant).bind(video).fetch_optional(&self.reader).await?)
    }

    /// The newest fingerprints of a tenant's other videos.
    pub async fn other_fingerprints(&self, tenant: &str, video: &str, limit: i64) -> Result<Vec<FingerprintRow>> {
        let newest = "SELECT job, video, file FROM fingerprints WHERE tenant = ? AND video <> ? AND NOT forgotten \
                      ORDER BY created_at DESC, job LIMIT ?";
        Ok(sqlx::query_as(newest).bind(tenant).bind(video).bind(limit).fetch_all(&self.reader).await?)
    }

    /// Takes a video's fingerprints out of the library.
    pub async fn forget_fingerprints(&self, tenant: &str, video: &str) -> Result<()> {
        let all = "UPDATE fingerprints SET forgotten = 1 WHERE tenant = ? AND video = ?";
        sqlx::query(all).bind(tenant).bind(video).execute(&self.writer).await?;
        Ok(())
    }

    /// Fingerprints that are in no library any more but still on the disk.
    pub async fn forgotten_fingerprints(&self, limit: i64) -> Result<Vec<FingerprintRow>> {
        let some = "SELECT job, video, file FROM fingerprints WHERE forgotten AND file IS NOT NULL LIMIT ?";
        Ok(sqlx::query_as(some).bind(limit).fetch_all(&self.reader).await?)
    }

    /// A forgotten fingerprint's file is gone.
    pub async fn fingerprint_removed(&self, job: &str) -> Result<()> {
        let one = "UPDATE fingerprints SET file = NULL WHERE job = ? AND forgotten";
        sqlx::query(one).bind(job).execute(&self.writer).await?;
        Ok(())
    }
}

/// Writes a video's analyses, and puts its newest fingerprint into the library in place of older ones.
pub(super) async fn write(transaction: &mut Transaction<'_, Sqlite>, tenant: &str, video: &Video) -> Result<()> {
    for analysis in &video.analyses {
        let (result, at) = analysis.result.as_ref().map(|(result, at)| (result, at.0)).unzip();
        sqlx::query(
            "INSERT INTO analyses (job, tenant, video, kind, result, created_at, completed_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (job) DO UPDATE SET result = ?5, completed_at = ?7",
        )
        .bind(analysis.job.as_str())
        .bind(tenant)
        .bind(video.id.as_str())
        .bind(word(analysis.kind))
        .bind(result.map(|result| write_json("analysis", result)).transpose()?)
        .bind(analysis.created_at.0)
        .bind(at)
        .execute(&mut **transaction)
        .await?;
        if let Some(file) = fingerprint_file(analysis) {
            put_fingerprint(transaction, tenant, video, analysis, file).await?;
        }
    }
    Ok(())
}

fn fingerprint_file(analysis: &Analysis) -> Option<&str> {
    match analysis.result.as_ref()?.0.done()? {
        AnalysisResult::Fingerprint { file, .. } => Some(file),
        AnalysisResult::Facts(_) => None,
    }
}

async fn put_fingerprint(
    transaction: &mut Transaction<'_, Sqlite>,
    tenant: &str,
    video: &Video,
    analysis: &Analysis,
    file: &str,
) -> Result<()> {
    let at = analysis.result.as_ref().map_or(analysis.created_at, |(_, at)| *at);
    let put = sqlx::query(
        "INSERT INTO fingerprints (job, tenant, video, file, created_at) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (job) DO NOTHING",
    )
    .bind(analysis.job.as_str())
    .bind(tenant)
    .bind(video.id.as_str())
    .bind(file)
    .bind(at.0)
    .execute(&mut **transaction)
    .await?;
    if put.rows_affected() > 0 {
        sqlx::query("UPDATE fingerprints SET forgotten = 1 WHERE tenant = ? AND video = ? AND job <> ?")
            .bind(tenant)
            .bind(video.id.as_str())
            .bind(analysis.job.as_str())
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

fn word(kind: AnalysisKind) -> &'static str {
    match kind {
        AnalysisKind::Facts => "facts",
        AnalysisKind::Fingerprint => "fingerprint",
    }
}
