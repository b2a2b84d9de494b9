//! Templates of pictures: settings that a tenant keeps under an id.

use sqlx::FromRow;

use super::{Result, Store};

/// One template.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct PictureTemplate {
    /// Its id, 32 hex characters.
    pub id: String,
    /// Its name.
    pub name: String,
    /// JSON of the vendor's members, as they were given.
    pub config: String,
    /// When it was made.
    pub created_at: i64,
    /// When it last changed.
    pub modified_at: i64,
}

impl Store {
    /// Makes or replaces a template.
    pub async fn put_picture_template(&self, tenant: &str, template: &PictureTemplate) -> Result<()> {
        sqlx::query(
            "INSERT INTO picture_templates (tenant, id, name, config, created_at, modified_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (tenant, id) DO UPDATE \
             SET name = ?3, config = ?4, modified_at = ?6",
        )
        .bind(tenant)
        .bind(&template.id)
        .bind(&template.name)
        .bind(&template.config)
        .bind(template.created_at)
        .bind(template.modified_at)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// One template.
    pub async fn picture_template(&self, tenant: &str, id: &str) -> Result<Option<PictureTemplate>> {
        let one = "SELECT id, name, config, created_at, modified_at FROM picture_templates WHERE tenant = ? AND id = ?";
        Ok(sqlx::query_as(one).bind(tenant).bind(id).fetch_optional(&self.reader).await?)
    }

    /// All templates, oldest first.
    pub async fn picture_templates(&self, tenant: &str) -> Result<Vec<PictureTemplate>> {
        let all = "SELECT id, name, config, created_at, modified_at FROM picture_templates \
                   WHERE tenant = ? ORDER BY created_at, id";
        Ok(sqlx::query_as(all).bind(tenant).fetch_all(&self.reader).await?)
    }

    /// Removes a template. Says whether it was there.
    pub async fn delete_picture_template(&self, tenant: &str, id: &str) -> Result<bool> {
        let done = sqlx::query("DELETE FROM picture_templates WHERE tenant = ? AND id = ?")
            .bind(tenant)
            .bind(id)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }
}
