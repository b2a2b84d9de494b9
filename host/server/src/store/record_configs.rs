//! Record configs: which streams are recorded, for how long a part, and what becomes of it.

use sqlx::FromRow;

use super::{Result, Store};

/// One rule. The key is (domain, app, stream); an empty stream is every stream of the app.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct RecordConfig {
    /// Play domain.
    pub domain: String,
    /// Application.
    pub app: String,
    /// Stream name; empty for all.
    pub stream: String,
    /// Template group of each part.
    pub group_id: String,
    /// Recording cycle in seconds.
    pub cycle_s: i64,
    /// Break window in seconds.
    pub delay_s: i64,
    /// Whether the parts are composed.
    pub auto_compose: bool,
    /// Template group of the composed video.
    pub compose_group_id: Option<String>,
    /// The vendor's OnDemand mode.
    pub on_demand: i64,
    /// Vendor fields that are kept and given back: one JSON object.
    pub extra: String,
    /// When it was made.
    pub created_at: i64,
}

impl Store {
    /// Adds a rule. Says whether there was none with its key.
    pub async fn add_record_config(&self, tenant: &str, config: &RecordConfig) -> Result<bool> {
        let done = sqlx::query(
            "INSERT INTO record_configs (tenant, domain, app, stream, group_id, cycle_s, delay_s, auto_compose, \
             compose_group_id, on_demand, extra, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT DO NOTHING",
        )
        .bind(tenant)
        .bind(&config.domain)
        .bind(&config.app)
        .bind(&config.stream)
        .bind(&config.group_id)
        .bind(config.cycle_s)
        .bind(config.delay_s)
        .bind(config.auto_compose)
        .bind(&config.compose_group_id)
        .bind(config.on_demand)
        .bind(&config.extra)
        .bind(config.created_at)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Replaces a rule. Says whether it was there.
    pub async fn update_record_config(&self, tenant: &str, config: &RecordConfig) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE record_configs SET group_id = ?5, cycle_s = ?6, delay_s = ?7, auto_compose = ?8, \
             compose_group_id = ?9, on_demand = ?10, extra = ?11 \
             WHERE tenant = ?1 AND domain = ?2 AND app = ?3 AND stream = ?4",
        )
        .bind(tenant)
        .bind(&config.domain)
        .bind(&config.app)
        .bind(&config.stream)
        .bind(&config.group_id)
        .bind(config.cycle_s)
        .bind(config.delay_s)
        .bind(config.auto_compose)
        .bind(&config.compose_group_id)
        .bind(config.on_demand)
        .bind(&config.extra)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// One rule by its exact key.
    pub async fn record_config(
        &self,
        tenant: &str,
        domain: &str,
        app: &str,
        stream: &str,
    ) -> Result<Option<RecordConfig>> {
        let one = "SELECT domain, app, stream, group_id, cycle_s, delay_s, auto_compose, compose_group_id, on_demand, \
                   extra, created_at FROM record_configs WHERE tenant = ? AND domain = ? AND app = ? AND stream = ?";
        Ok(sqlx::query_as(one).bind(tenant).bind(domain).bind(app).bind(stream).fetch_optional(&self.reader).await?)
    }

    /// The rule in force for a stream: the stream's own, else the app's.
    pub async fn record_config_for(
        &self,
        tenant: &str,
        domain: &str,
        app: &str,
        stream: &str,
    ) -> Result<Option<RecordConfig>> {
        let best = "SELECT domain, app, stream, group_id, cycle_s, delay_s, auto_compose, compose_group_id, on_demand, \
                    extra, created_at FROM record_configs \
                    WHERE tenant = ? AND domain = ? AND app = ? AND stream IN (?, '') \
                    ORDER BY stream = '' LIMIT 1";
        Ok(sqlx::query_as(best).bind(tenant).bind(domain).bind(app).bind(stream).fetch_optional(&self.reader).await?)
    }

    /// A domain's rules, filtered, one page of them, with the number of all that match.
    pub async fn record_configs(
        &self,
        tenant: &str,
        domain: &str,
        app: Option<&str>,
        stream: Option<&str>,
        offset: i64,
        limit: i64,
    ) -> Result<(i64, Vec<RecordConfig>)> {
        let total = sqlx::query_scalar(
            "SELECT count(*) FROM record_configs WHERE tenant = ?1 AND domain = ?2 \
             AND (?3 IS NULL OR app = ?3) AND (?4 IS NULL OR stream = ?4)",
        )
        .bind(tenant)
        .bind(domain)
        .bind(app)
        .bind(stream)
        .fetch_one(&self.reader)
        .await?;
        let page = sqlx::query_as(
            "SELECT domain, app, stream, group_id, cycle_s, delay_s, auto_compose, compose_group_id, on_demand, \
             extra, created_at FROM record_configs WHERE tenant = ?1 AND domain = ?2 \
             AND (?3 IS NULL OR app = ?3) AND (?4 IS NULL OR stream = ?4) \
             ORDER BY created_at DESC, app, stream LIMIT ?6 OFFSET ?5",
        )
        .bind(tenant)
        .bind(domain)
        .bind(app)
        .bind(stream)
        .bind(offset)
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        Ok((total, page))
    }

    /// Removes a rule. Says whether it was there.
    pub async fn delete_record_config(&self, tenant: &str, domain: &str, app: &str, stream: &str) -> Result<bool> {
        let done = sqlx::query("DELETE FROM record_configs WHERE tenant = ? AND domain = ? AND app = ? AND stream = ?")
            .bind(tenant)
            .bind(domain)
            .bind(app)
            .bind(stream)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }
}
