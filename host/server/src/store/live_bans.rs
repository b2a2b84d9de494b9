//! Streams that may not be pushed until a time.

use reprise_lifecycle::question::StreamKey;
use reprise_lifecycle::time::Timestamp;

use super::{Result, Store};

/// Bans of one tenant at once; the vendor's limit, and the bound of the table.
pub const MAX_BANS: i64 = 10_000;

/// Every application, where a ban is lifted.
pub const EVERY_APP: &str = "*";

impl Store {
    /// Bans a stream until a time; a later ban of it replaces the earlier. Says whether there was room.
    pub async fn ban_stream(&self, tenant: &str, stream: &StreamKey, until: Timestamp, now: Timestamp) -> Result<bool> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM live_bans WHERE tenant = ? AND until <= ?")
            .bind(tenant)
            .bind(now.0)
            .execute(&mut *transaction)
            .await?;
        let others: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM live_bans WHERE tenant = ? AND NOT (domain = ? AND app = ? AND stream = ?)",
        )
        .bind(tenant)
        .bind(&stream.domain)
        .bind(&stream.app)
        .bind(&stream.name)
        .fetch_one(&mut *transaction)
        .await?;
        if others >= MAX_BANS {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO live_bans (tenant, domain, app, stream, until, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (tenant, domain, app, stream) DO UPDATE SET until = ?5, created_at = ?6",
        )
        .bind(tenant)
        .bind(&stream.domain)
        .bind(&stream.app)
        .bind(&stream.name)
        .bind(until.0)
        .bind(now.0)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Lifts a stream's ban, in one application or in [`EVERY_APP`]. Says whether there was one.
    pub async fn lift_ban(&self, tenant: &str, stream: &StreamKey) -> Result<bool> {
        let done = sqlx::query(
            "DELETE FROM live_bans WHERE tenant = ?1 AND domain = ?2 AND (?3 = '*' OR app = ?3) AND stream = ?4",
        )
        .bind(tenant)
        .bind(&stream.domain)
        .bind(&stream.app)
        .bind(&stream.name)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Until when a stream is banned, if it is.
    pub async fn banned_until(&self, tenant: &str, stream: &StreamKey, now: Timestamp) -> Result<Option<Timestamp>> {
        let until: Option<i64> = sqlx::query_scalar(
            "SELECT until FROM live_bans WHERE tenant = ? AND domain = ? AND app = ? AND stream = ? AND until > ?",
        )
        .bind(tenant)
        .bind(&stream.domain)
        .bind(&stream.app)
        .bind(&stream.name)
        .bind(now.0)
        .fetch_optional(&self.reader)
        .await?;
        Ok(until.map(Timestamp))
    }

    /// A page of a tenant's banned streams as (app, stream), with the number of all.
    pub async fn bans(
        &self,
        tenant: &str,
        domain: &str,
        now: Timestamp,
        offset: i64,
        limit: i64,
    ) -> Result<(i64, Vec<(String, String)>)> {
        let total = sqlx::query_scalar("SELECT count(*) FROM live_bans WHERE tenant = ? AND domain = ? AND until > ?")
            .bind(tenant)
            .bind(domain)
            .bind(now.0)
            .fetch_one(&self.reader)
            .await?;
        let page = sqlx::query_as(
            "SELECT app, stream FROM live_bans WHERE tenant = ? AND domain = ? AND until > ? \
             ORDER BY app, stream LIMIT ? OFFSET ?",
        )
        .bind(tenant)
        .bind(domain)
        .bind(now.0)
        .bind(limit)
        .bind(offset)
        .fetch_all(&self.reader)
        .await?;
        Ok((total, page))
    }
}
