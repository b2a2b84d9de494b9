//! Editing projects and their materials.

use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::work::ProduceOpening;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, Sqlite, Transaction};

use super::{Result, Store, read_json};

/// One project.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Project {
    /// Its id, 32 hex characters.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Where its cover is; empty for none.
    pub cover_url: String,
    /// A word of the tenant's own.
    pub division: String,
    /// The timeline as it was sent; empty for none, and in listings, which do not read it.
    pub timeline: String,
    /// Length of the timeline, as far as its materials were known.
    pub duration_ms: i64,
    /// When it was made.
    pub created_at: i64,
    /// When it last changed.
    pub modified_at: i64,
    /// Our word for how far it is, from the newest video made of it: draft, producing, produced, failed.
    pub status: String,
}

/// Which projects to list; `None` matches all.
#[derive(Clone, Debug, Default)]
pub struct ProjectFilter {
    /// A part of the title.
    pub title: Option<String>,
    /// Our status words, comma separated.
    pub statuses: Option<String>,
    /// Made at or after.
    pub from: Option<i64>,
    /// Made at or before.
    pub to: Option<i64>,
    /// Oldest first.
    pub ascending: bool,
}

/// What a production says of its video beside title and description; the form in which its journal keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow, Serialize, Deserialize)]
pub struct VideoWords {
    /// Comma list.
    #[serde(default)]
    pub tags: String,
    /// Its category.
    #[serde(default)]
    pub cate_id: i64,
    /// Where its cover is.
    #[serde(default)]
    pub cover_url: Option<String>,
}

/// Projects with their status. One whose videos are all deleted is a draft again.
macro_rules! projects {
    ($what:literal, $order:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM (SELECT p.id, p.title, p.description, p.cover_url, p.division, '' AS timeline, p.duration_ms, \
             p.created_at, p.modified_at, CASE \
             WHEN v.status IS NULL THEN 'draft' \
             WHEN v.status = 'uploading' THEN 'producing' \
             WHEN v.status = 'produce_failed' THEN 'failed' \
             ELSE 'produced' END AS status \
             FROM editing_projects p LEFT JOIN videos v ON v.id = (SELECT id FROM videos \
             WHERE tenant = p.tenant AND project = p.id ORDER BY created_at DESC, id LIMIT 1) \
             WHERE p.tenant = ?1) \
             WHERE (?2 IS NULL OR id = ?2) AND (?3 IS NULL OR instr(lower(title), lower(?3)) > 0) \
             AND (?4 IS NULL OR instr(',' || ?4 || ',', ',' || status || ',') > 0) \
             AND (?5 IS NULL OR created_at >= ?5) AND (?6 IS NULL OR created_at <= ?6) ",
            $order
        )
    };
}

/// Writes what a production says of its video into the video's row.
pub(super) async fn write_words(
    transaction: &mut Transaction<'_, Sqlite>,
    video: &VideoId,
    opening: &ProduceOpening,
) -> Result<()> {
    let words: VideoWords = read_json("production's metadata", &opening.metadata)?;
    sqlx::query("UPDATE videos SET tags = ?2, cate_id = ?3, cover_url = ?4 WHERE id = ?1")
        .bind(video.as_str())
        .bind(&words.tags)
        .bind(words.cate_id)
        .bind(&words.cover_url)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Writes a project's timeline in place of the one it had.
async fn write_timeline(transaction: &mut Transaction<'_, Sqlite>, tenant: &str, project: &Project) -> Result<()> {
    let write = if project.timeline.is_empty() {
        "DELETE FROM editing_timelines WHERE tenant = ?1 AND project = ?2"
    } else {
        "INSERT INTO editing_timelines (tenant, project, timeline) VALUES (?1, ?2, ?3) \
         ON CONFLICT (tenant, project) DO UPDATE SET timeline = ?3"
    };
    let write = sqlx::query(write).bind(tenant).bind(&project.id).bind(&project.timeline);
    write.execute(&mut **transaction).await?;
    Ok(())
}

impl Store {
    /// Adds a project. Says whether there was room among the `most` that a tenant may have.
    pub async fn add_editing_project(&self, tenant: &str, project: &Project, most: i64) -> Result<bool> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let done = sqlx::query(
            "INSERT INTO editing_projects (tenant, id, title, description, cover_url, division, duration_ms, \
             created_at, modified_at) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 \
             WHERE (SELECT count(*) FROM editing_projects WHERE tenant = ?1) < ?10",
        )
        .bind(tenant)
        .bind(&project.id)
        .bind(&project.title)
        .bind(&project.description)
        .bind(&project.cover_url)
        .bind(&project.division)
        .bind(project.duration_ms)
        .bind(project.created_at)
        .bind(project.modified_at)
        .bind(most)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        write_timeline(&mut transaction, tenant, project).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Replaces what a client may change of a project. Says whether it was there.
    pub async fn update_editing_project(&self, tenant: &str, project: &Project) -> Result<bool> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let done = sqlx::query(
            "UPDATE editing_projects SET title = ?3, description = ?4, cover_url = ?5, duration_ms = ?6, \
             modified_at = ?7 WHERE tenant = ?1 AND id = ?2",
        )
        .bind(tenant)
        .bind(&project.id)
        .bind(&project.title)
        .bind(&project.description)
        .bind(&project.cover_url)
        .bind(project.duration_ms)
        .bind(project.modified_at)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        write_timeline(&mut transaction, tenant, project).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// One project.
    pub async fn editing_project(&self, tenant: &str, id: &str) -> Result<Option<Project>> {
        let one = sqlx::query_as(projects!("*", "LIMIT 1"));
        let none = None::<&str>;
        let one = one.bind(tenant).bind(id).bind(none).bind(none).bind(None::<i64>).bind(None::<i64>);
        let Some(project): Option<Project> = one.fetch_optional(&self.reader).await? else { return Ok(None) };
        let timeline = "SELECT timeline FROM editing_timelines WHERE tenant = ? AND project = ?";
        let timeline: Option<String> =
            sqlx::query_scalar(timeline).bind(tenant).bind(id).fetch_optional(&self.reader).await?;
        Ok(Some(Project { timeline: timeline.unwrap_or_default(), ..project }))
    }

    /// What was said of a video beside its title and description.
    pub async fn editing_video_words(&self, tenant: &str, video: &str) -> Result<Option<VideoWords>> {
        let one = "SELECT tags, cate_id, cover_url FROM videos WHERE tenant = ? AND id = ?";
        Ok(sqlx::query_as(one).bind(tenant).bind(video).fetch_optional(&self.reader).await?)
    }

    /// How many productions of a tenant are under way or wait for their turn.
    pub async fn open_productions(&self, tenant: &str) -> Result<i64> {
        let open = "SELECT count(*) FROM videos WHERE tenant = ? AND project IS NOT NULL AND status = 'uploading'";
        Ok(sqlx::query_scalar(open).bind(tenant).fetch_one(&self.reader).await?)
    }

    /// One page of a tenant's projects, with the number of all that match.
    pub async fn editing_projects(
        &self,
        tenant: &str,
        filter: &ProjectFilter,
        offset: i64,
        limit: i64,
    ) -> Result<(i64, Vec<Project>)> {
        let total = sqlx::query_scalar(projects!("count(*)", ""))
            .bind(tenant)
            .bind(None::<&str>)
            .bind(&filter.title)
            .bind(&filter.statuses)
            .bind(filter.from)
            .bind(filter.to)
            .fetch_one(&self.reader)
            .await?;
        let page = sqlx::query_as(projects!(
            "*",
            "ORDER BY CASE WHEN ?7 THEN created_at END ASC, CASE WHEN NOT ?7 THEN created_at END DESC, id \
             LIMIT ?9 OFFSET ?8"
        ))
        .bind(tenant)
        .bind(None::<&str>)
        .bind(&filter.title)
        .bind(&filter.statuses)
        .bind(filter.from)
        .bind(filter.to)
        .bind(filter.ascending)
        .bind(offset)
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        Ok((total, page))
    }

    /// Removes projects with their lists of materials. What was produced of them stays. Gives those that were there.
    pub async fn delete_editing_projects(&self, tenant: &str, ids: &[&str]) -> Result<Vec<String>> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let mut gone = Vec::new();
        for id in ids {
            let done = sqlx::query("DELETE FROM editing_projects WHERE tenant = ? AND id = ?")
                .bind(tenant)
                .bind(id)
                .execute(&mut *transaction)
                .await?;
            if done.rows_affected() > 0 {
                gone.push((*id).to_owned());
            }
        }
        transaction.commit().await?;
        Ok(gone)
    }

    /// Adds materials to a project's list, or with `replace` makes them the whole list. One that is on it already stays
    /// where it is. Says whether the list has at most `most` then; otherwise nothing is changed.
    pub async fn put_editing_materials(
        &self,
        tenant: &str,
        project: &str,
        materials: &[&str],
        replace: bool,
        most: i64,
    ) -> Result<bool> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        if replace {
            sqlx::query("DELETE FROM editing_materials WHERE tenant = ? AND project = ?")
                .bind(tenant)
                .bind(project)
                .execute(&mut *transaction)
                .await?;
        }
        for material in materials {
            sqlx::query(
                "INSERT INTO editing_materials (tenant, project, material, position) VALUES (?1, ?2, ?3, \
                 (SELECT coalesce(max(position), 0) + 1 FROM editing_materials WHERE tenant = ?1 AND project = ?2)) \
                 ON CONFLICT DO NOTHING",
            )
            .bind(tenant)
            .bind(project)
            .bind(material)
            .execute(&mut *transaction)
            .await?;
        }
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM editing_materials WHERE tenant = ? AND project = ?")
            .bind(tenant)
            .bind(project)
            .fetch_one(&mut *transaction)
            .await?;
        if count > most {
            transaction.rollback().await?;
            return Ok(false);
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// The materials on a project's list, in the order in which they were put there.
    pub async fn editing_materials(&self, tenant: &str, project: &str) -> Result<Vec<String>> {
        let all = "SELECT material FROM editing_materials WHERE tenant = ? AND project = ? ORDER BY position";
        Ok(sqlx::query_scalar(all).bind(tenant).bind(project).fetch_all(&self.reader).await?)
    }
}
