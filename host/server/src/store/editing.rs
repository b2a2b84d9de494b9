//! Editing projects and their materials.

use sqlx::FromRow;

use super::{Result, Store};

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
    /// The timeline as it was sent; empty for none.
    pub timeline: String,
    /// Length of the timeline, as far as its materials were known.
    pub duration_ms: i64,
    /// The video of its newest production.
    pub produced: Option<String>,
    /// When it was made.
    pub created_at: i64,
    /// When it last changed.
    pub modified_at: i64,
    /// Our word for how far it is, from the produced video: draft, producing, produced, failed.
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

/// Projects with their status. A production whose video is gone was finished and its video deleted: what is left is
/// the draft.
macro_rules! with_status {
    ($rest:literal) => {
        concat!(
            "SELECT * FROM (SELECT p.id, p.title, p.description, p.cover_url, p.division, p.timeline, p.duration_ms, \
             p.produced, p.created_at, p.modified_at, CASE \
             WHEN v.status IS NULL THEN 'draft' \
             WHEN v.status = 'uploading' THEN 'producing' \
             WHEN v.status = 'produce_failed' THEN 'failed' \
             ELSE 'produced' END AS status \
             FROM editing_projects p LEFT JOIN videos v ON v.id = p.produced AND v.tenant = p.tenant \
             WHERE p.tenant = ?1) ",
            $rest
        )
    };
}

impl Store {
    /// Adds a project. Says whether there was room among the `most` that a tenant may have.
    pub async fn add_editing_project(&self, tenant: &str, project: &Project, most: i64) -> Result<bool> {
        let done = sqlx::query(
            "INSERT INTO editing_projects (tenant, id, title, description, cover_url, division, timeline, duration_ms, \
             produced, created_at, modified_at) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 \
             WHERE (SELECT count(*) FROM editing_projects WHERE tenant = ?1) < ?12",
        )
        .bind(tenant)
        .bind(&project.id)
        .bind(&project.title)
        .bind(&project.description)
        .bind(&project.cover_url)
        .bind(&project.division)
        .bind(&project.timeline)
        .bind(project.duration_ms)
        .bind(&project.produced)
        .bind(project.created_at)
        .bind(project.modified_at)
        .bind(most)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Replaces what a client may change of a project. Says whether it was there.
    pub async fn update_editing_project(&self, tenant: &str, project: &Project) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE editing_projects SET title = ?3, description = ?4, cover_url = ?5, timeline = ?6, \
             duration_ms = ?7, modified_at = ?8 WHERE tenant = ?1 AND id = ?2",
        )
        .bind(tenant)
        .bind(&project.id)
        .bind(&project.title)
        .bind(&project.description)
        .bind(&project.cover_url)
        .bind(&project.timeline)
        .bind(project.duration_ms)
        .bind(project.modified_at)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Notes the video that a project is being made into.
    pub async fn set_editing_project_produced(&self, tenant: &str, id: &str, video: &str, now: i64) -> Result<()> {
        sqlx::query("UPDATE editing_projects SET produced = ?3, modified_at = ?4 WHERE tenant = ?1 AND id = ?2")
            .bind(tenant)
            .bind(id)
            .bind(video)
            .bind(now)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// One project.
    pub async fn editing_project(&self, tenant: &str, id: &str) -> Result<Option<Project>> {
        let one = with_status!("WHERE id = ?2");
        Ok(sqlx::query_as(one).bind(tenant).bind(id).fetch_optional(&self.reader).await?)
    }

    /// One page of a tenant's projects, with the number of all that match.
    pub async fn editing_projects(
        &self,
        tenant: &str,
        filter: &ProjectFilter,
        offset: i64,
        limit: i64,
    ) -> Result<(i64, Vec<Project>)> {
        let all: Vec<Project> = sqlx::query_as(with_status!(
            "WHERE (?2 IS NULL OR instr(lower(title), lower(?2)) > 0) \
             AND (?3 IS NULL OR instr(',' || ?3 || ',', ',' || status || ',') > 0) \
             AND (?4 IS NULL OR created_at >= ?4) AND (?5 IS NULL OR created_at <= ?5) \
             ORDER BY CASE WHEN ?6 THEN created_at END ASC, CASE WHEN NOT ?6 THEN created_at END DESC, id \
             LIMIT ?8 OFFSET ?7"
        ))
        .bind(tenant)
        .bind(&filter.title)
        .bind(&filter.statuses)
        .bind(filter.from)
        .bind(filter.to)
        .bind(filter.ascending)
        .bind(offset)
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        let total = sqlx::query_scalar(concat!(
            "SELECT count(*) FROM editing_projects p LEFT JOIN videos v ON v.id = p.produced AND v.tenant = p.tenant ",
            "WHERE p.tenant = ?1 AND (?2 IS NULL OR instr(lower(p.title), lower(?2)) > 0) ",
            "AND (?3 IS NULL OR instr(',' || ?3 || ',', ',' || CASE WHEN v.status IS NULL THEN 'draft' ",
            "WHEN v.status = 'uploading' THEN 'producing' WHEN v.status = 'produce_failed' THEN 'failed' ",
            "ELSE 'produced' END || ',') > 0) ",
            "AND (?4 IS NULL OR p.created_at >= ?4) AND (?5 IS NULL OR p.created_at <= ?5)"
        ))
        .bind(tenant)
        .bind(&filter.title)
        .bind(&filter.statuses)
        .bind(filter.from)
        .bind(filter.to)
        .fetch_one(&self.reader)
        .await?;
        Ok((total, all))
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
