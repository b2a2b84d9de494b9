//! The log of changes: who changed what decides, and when. It is written in the transaction of the change itself, and
//! bounded by number alone: what was changed long ago may be what decides today.

use serde_json::Value;
use sqlx::{FromRow, QueryBuilder, Sqlite, Transaction};

use super::{Result, Store};

/// A change to be written down.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// `admin`, `key:ACCESS_KEY_ID`, or `reprise` where the server acted by a rule.
    pub actor: &'a str,
    /// What was done, in one word: `push`, `activate`, `roll-back`.
    pub action: &'static str,
    /// The plugin, if the change is about one.
    pub plugin: Option<&'a str>,
    /// What exactly: versions, digests, names; never a secret.
    pub detail: Value,
}

/// A change as it is read back.
#[derive(Clone, Debug, FromRow)]
pub struct ChangeRow {
    /// Its number; later ones are larger.
    pub id: i64,
    /// The tenant.
    pub tenant: String,
    /// When.
    pub at: i64,
    /// By whom.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// The plugin, if it is about one.
    pub plugin: Option<String>,
    /// What exactly, as JSON.
    pub detail: String,
}

/// Writes a change down, with the change itself or not at all.
pub(super) async fn write(transaction: &mut Transaction<'_, Sqlite>, change: &Change<'_>, at: i64) -> Result<()> {
    sqlx::query("INSERT INTO changes (tenant, at, actor, action, plugin, detail) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(change.tenant)
        .bind(at)
        .bind(change.actor)
        .bind(change.action)
        .bind(change.plugin)
        .bind(change.detail.to_string())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Changes that go in one transaction: whoever commits waits for one batch at most.
const BATCH: i64 = 500;

/// Rows that one page looks at: of a plugin that changed long ago there is more to find on the pages after it.
const SCANNED: i64 = 10_000;

/// Which changes; what is not said matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeFilter {
    /// Of this tenant.
    pub tenant: Option<String>,
    /// About this plugin.
    pub plugin: Option<String>,
    /// Of this kind.
    pub action: Option<String>,
    /// By this actor.
    pub actor: Option<String>,
    /// With a number below this one.
    pub before: Option<i64>,
}

/// How many changes are kept; beyond them the oldest go. 0 is no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptChanges {
    /// Of one tenant.
    pub per_tenant: u32,
    /// Of all, those that are gone too.
    pub in_all: u32,
}

impl Store {
    /// How many changes there are of each tenant. It reads an index through, of some tens of megabytes at most.
    pub async fn count_changes(&self) -> Result<Vec<(String, i64)>> {
        let each = "SELECT tenant, count(*) FROM changes GROUP BY tenant ORDER BY tenant";
        Ok(sqlx::query_as(each).fetch_all(&self.searcher).await?)
    }

    /// Removes the oldest changes, of a tenant or of all: one batch, and not more than `most`. Says how many went.
    pub async fn clear_changes(&self, tenant: Option<&str>, most: i64) -> Result<u64> {
        let oldest = match tenant {
            Some(_) => {
                "DELETE FROM changes WHERE id IN (SELECT id FROM changes WHERE tenant = ?1 ORDER BY id LIMIT ?2)"
            }
            None => "DELETE FROM changes WHERE id IN (SELECT id FROM changes WHERE ?1 IS NULL ORDER BY id LIMIT ?2)",
        };
        let done = sqlx::query(oldest).bind(tenant).bind(most.min(BATCH)).execute(&self.writer).await?;
        Ok(done.rows_affected())
    }

    /// Writes a change alone, so many times: tests look at the log.
    #[cfg(test)]
    pub(crate) async fn log_changes(&self, change: &Change<'_>, count: usize, at: i64) {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
        for _ in 0..count {
            write(&mut transaction, change, at).await.unwrap();
        }
        transaction.commit().await.unwrap();
    }

    /// A page of changes, newest first, and where the next one begins.
    pub async fn search_changes(&self, filter: &ChangeFilter, limit: i64) -> Result<(Vec<ChangeRow>, Option<i64>)> {
        let of = |columns: &str| {
            let mut query = QueryBuilder::<Sqlite>::new(format!("SELECT {columns} FROM changes WHERE "));
            match &filter.tenant {
                Some(tenant) => query.push("tenant = ").push_bind(tenant.clone()),
                None => query.push("id > 0"),
            };
            if let Some(before) = filter.before {
                query.push(" AND id < ").push_bind(before);
            }
            query
        };
        let order = " ORDER BY id DESC LIMIT ";
        let mut oldest = of("id");
        oldest.push(order).push_bind(1_i64).push(" OFFSET ").push_bind(SCANNED - 1);
        let oldest: Option<i64> = oldest.build_query_scalar().fetch_optional(&self.searcher).await?;
        let mut query = of("id, tenant, at, actor, action, plugin, detail");
        if let Some(oldest) = oldest {
            query.push(" AND id >= ").push_bind(oldest);
        }
        for (column, value) in [("plugin", &filter.plugin), ("action", &filter.action), ("actor", &filter.actor)] {
            if let Some(value) = value {
                query.push(format_args!(" AND {column} = ")).push_bind(value.clone());
            }
        }
        query.push(order).push_bind(limit);
        let rows: Vec<ChangeRow> = query.build_query_as().fetch_all(&self.searcher).await?;
        let is_full = i64::try_from(rows.len()).is_ok_and(|count| count >= limit);
        let next = if is_full { rows.last().map(|row| row.id) } else { oldest };
        Ok((rows, next))
    }

    /// The newest changes: of one tenant or of all, about one plugin or about anything, with a number below `before`.
    pub async fn changes(
        &self,
        tenant: Option<&str>,
        plugin: Option<&str>,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<ChangeRow>> {
        let (tenant, plugin) = (tenant.map(str::to_owned), plugin.map(str::to_owned));
        let filter = ChangeFilter { tenant, plugin, before, ..ChangeFilter::default() };
        Ok(self.search_changes(&filter, limit).await?.0)
    }
}
