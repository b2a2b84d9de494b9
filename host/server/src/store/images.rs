//! The tenants' images: what editing projects may lay over videos. The files are elsewhere.

use sqlx::FromRow;

use super::{Result, Store};

/// One image.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct ImageRow {
    /// Its id, 32 hex characters.
    pub id: String,
    /// `png` or `jpg`.
    pub format: String,
    /// Pixels.
    pub width: i64,
    /// Pixels.
    pub height: i64,
    /// Size of its file.
    pub bytes: i64,
    /// When it was taken.
    pub created_at: i64,
}

impl Store {
    /// Adds an image whose file is there. Says whether there was room among the `most` that a tenant may have.
    pub async fn add_image(&self, tenant: &str, image: &ImageRow, most: i64) -> Result<bool> {
        let done = sqlx::query(
            "INSERT INTO images (tenant, id, format, width, height, bytes, created_at) \
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE (SELECT count(*) FROM images WHERE tenant = ?1) < ?8",
        )
        .bind(tenant)
        .bind(&image.id)
        .bind(&image.format)
        .bind(image.width)
        .bind(image.height)
        .bind(image.bytes)
        .bind(image.created_at)
        .bind(most)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// One image.
    pub async fn image(&self, tenant: &str, id: &str) -> Result<Option<ImageRow>> {
        let one = "SELECT id, format, width, height, bytes, created_at FROM images WHERE tenant = ? AND id = ?";
        Ok(sqlx::query_as(one).bind(tenant).bind(id).fetch_optional(&self.reader).await?)
    }

    /// A page of a tenant's images, newest first, with the number of all.
    pub async fn images(&self, tenant: &str, offset: i64, limit: i64) -> Result<(i64, Vec<ImageRow>)> {
        let total = sqlx::query_scalar("SELECT count(*) FROM images WHERE tenant = ?")
            .bind(tenant)
            .fetch_one(&self.reader)
            .await?;
        let page = "SELECT id, format, width, height, bytes, created_at FROM images WHERE tenant = ? \
                    ORDER BY created_at DESC, id LIMIT ? OFFSET ?";
        let page = sqlx::query_as(page).bind(tenant).bind(limit).bind(offset).fetch_all(&self.reader).await?;
        Ok((total, page))
    }

    /// Removes an image's row. Says whether it was there.
    pub async fn delete_image(&self, tenant: &str, id: &str) -> Result<bool> {
        let done = sqlx::query("DELETE FROM images WHERE tenant = ? AND id = ?")
            .bind(tenant)
            .bind(id)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }
}
