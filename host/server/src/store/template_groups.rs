//! Template groups and their templates.

use reprise_lifecycle::id::{GroupId, TemplateId};
use reprise_lifecycle::question::GroupChoice;
use reprise_lifecycle::record::Template;
use reprise_lifecycle::time::Timestamp;
use sqlx::FromRow;

use super::{Result, Store};

/// A group's header.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct TemplateGroup {
    /// Its id, 32 hex characters.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it is the tenant's default.
    pub is_default: bool,
    /// Whether it may be changed.
    pub locked: bool,
    /// When it was made.
    pub created_at: i64,
    /// When it was last changed.
    pub modified_at: i64,
}

#[derive(FromRow)]
struct TemplateRow {
    id: String,
    name: String,
    definition: String,
    format: String,
    settings: String,
}

impl From<TemplateRow> for Template {
    fn from(row: TemplateRow) -> Self {
        Self {
            id: TemplateId::new(row.id),
            name: row.name,
            definition: row.definition,
            format: row.format,
            settings: row.settings,
        }
    }
}

impl Store {
    /// Makes or replaces a whole group: header and templates, in their order.
    pub async fn put_template_group(&self, tenant: &str, group: &TemplateGroup, templates: &[Template]) -> Result<()> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO template_groups (tenant, id, name, is_default, locked, created_at, modified_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (tenant, id) DO UPDATE \
             SET name = ?3, is_default = ?4, locked = ?5, modified_at = ?7",
        )
        .bind(tenant)
        .bind(&group.id)
        .bind(&group.name)
        .bind(group.is_default)
        .bind(group.locked)
        .bind(group.created_at)
        .bind(group.modified_at)
        .execute(&mut *transaction)
        .await?;
        sqlx::query("DELETE FROM templates WHERE tenant = ? AND group_id = ?")
            .bind(tenant)
            .bind(&group.id)
            .execute(&mut *transaction)
            .await?;
        for (position, template) in (0_i64..).zip(templates) {
            sqlx::query(
                "INSERT INTO templates (tenant, group_id, id, position, name, definition, format, settings) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(tenant)
            .bind(&group.id)
            .bind(template.id.as_str())
            .bind(position)
            .bind(&template.name)
            .bind(&template.definition)
            .bind(&template.format)
            .bind(&template.settings)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// One group's header.
    pub async fn template_group(&self, tenant: &str, id: &str) -> Result<Option<TemplateGroup>> {
        let one = "SELECT id, name, is_default, locked, created_at, modified_at FROM template_groups \
                   WHERE tenant = ? AND id = ?";
        Ok(sqlx::query_as(one).bind(tenant).bind(id).fetch_optional(&self.reader).await?)
    }

    /// All headers, oldest first.
    pub async fn template_groups(&self, tenant: &str) -> Result<Vec<TemplateGroup>> {
        let all = "SELECT id, name, is_default, locked, created_at, modified_at FROM template_groups \
                   WHERE tenant = ? ORDER BY created_at, id";
        Ok(sqlx::query_as(all).bind(tenant).fetch_all(&self.reader).await?)
    }

    /// What a policy may choose from.
    pub async fn group_choices(&self, tenant: &str) -> Result<Vec<GroupChoice>> {
        let groups = self.template_groups(tenant).await?;
        Ok(groups.into_iter().map(|group| GroupChoice { id: group.id, name: group.name }).collect())
    }

    /// A group's templates in their order; empty for an unknown group.
    pub async fn templates(&self, tenant: &str, group: &GroupId) -> Result<Vec<Template>> {
        let rows: Vec<TemplateRow> = sqlx::query_as(
            "SELECT id, name, definition, format, settings FROM templates \
             WHERE tenant = ? AND group_id = ? ORDER BY position",
        )
        .bind(tenant)
        .bind(group.as_str())
        .fetch_all(&self.reader)
        .await?;
        Ok(rows.into_iter().map(Template::from).collect())
    }

    /// Removes a group with its templates. Says whether it was there.
    pub async fn delete_template_group(&self, tenant: &str, id: &str) -> Result<bool> {
        let done = sqlx::query("DELETE FROM template_groups WHERE tenant = ? AND id = ?")
            .bind(tenant)
            .bind(id)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Makes a group the only default one; with the built-in group's id, no group of the tenant's own is.
    pub async fn set_default_template_group(&self, tenant: &str, id: &str, now: Timestamp) -> Result<()> {
        sqlx::query(
            "UPDATE template_groups SET is_default = (id = ?2), \
             modified_at = CASE WHEN is_default <> (id = ?2) THEN ?3 ELSE modified_at END WHERE tenant = ?1",
        )
        .bind(tenant)
        .bind(id)
        .bind(now.0)
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}
