//! Backtests and audits: what was asked for, how far it is, and which decisions differ. The recorded decisions are read
//! here as well, in pages by number, so that a set of them is exact and can be had again. A page and the states that its
//! calls saw are of one moment, so decisions that are kept no longer can go at any time: who reads has all of one, or
//! does not see it.

use std::collections::BTreeMap;

use reprise_policy::StateSnapshot;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::rollouts::DifferenceRow;
use super::{Error, Result, Store, state, write_json};

/// Backtests of a tenant that are kept; older ones go, with their differences.
const KEPT: i64 = 50;

/// A backtest or an audit.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Backtest {
    /// Its number.
    pub id: i64,
    /// The tenant.
    pub tenant: String,
    /// `backtest` or `audit`.
    pub kind: String,
    /// The plugin; empty for an audit of all.
    pub plugin: String,
    /// The candidate; absent in an audit.
    pub version: Option<i64>,
    /// The settings it is asked with; absent in an audit, and where they were given with the request.
    pub settings_revision: Option<i64>,
    /// Which decisions: the filter's JSON.
    pub filter: String,
    /// `running`, `done`, `failed`, `stopped`.
    pub state: String,
    /// Why it ended without being done.
    pub reason: Option<String>,
    /// The report's JSON.
    pub report: String,
    /// When.
    pub started_at: i64,
    /// By whom.
    pub started_by: String,
    /// When it ended.
    pub ended_at: Option<i64>,
}

/// Which recorded decisions are asked again. Both ends of each range belong to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recorded {
    /// Made at or after this time, in milliseconds.
    pub from: Option<i64>,
    /// Made at or before this time.
    pub to: Option<i64>,
    /// At this hook.
    pub hook: Option<String>,
    /// Of this stream.
    pub stream: Option<String>,
    /// From this decision on.
    pub first: Option<i64>,
    /// Up to this decision. It is always there once a backtest has begun, so that its set never grows.
    pub last: Option<i64>,
}

/// A recorded decision as it is asked again.
#[derive(Clone, Debug, FromRow)]
pub struct RecordedDecision {
    /// Its number.
    pub id: i64,
    /// The question's JSON.
    pub question: String,
    /// The decision's JSON.
    pub decision: String,
    /// When it was made.
    pub at: i64,
}

/// The state of its plugin that a recorded call saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PastState {
    /// As it was; empty for a call that can see none.
    Kept(StateSnapshot),
    /// It went with the plugin. What has the plugin's name now began without any.
    Deleted,
}

#[derive(FromRow)]
struct PastRow {
    #[sqlx(flatten)]
    decision: RecordedDecision,
    plugin: String,
    state_revision: i64,
    state_deleted: bool,
}

const COLUMNS: &str = "id, tenant, kind, plugin, version, settings_revision, filter, state, reason, report, \
                       started_at, started_by, ended_at";

/// How many run, of a tenant and in all. The index has those alone: the writer waits for this.
const RUNNING: &str = "SELECT coalesce(sum(tenant = ?), 0), count(*) FROM backtests INDEXED BY backtests_running \
                       WHERE state = 'running'";

/// Decisions that somebody gave a verdict in.
const RECORDED: &str = "tenant = ?1 AND plugin IS NOT NULL AND (?2 = '' OR plugin = ?2) AND (?3 IS NULL OR at >= ?3) \
                        AND (?4 IS NULL OR at <= ?4) AND (?5 IS NULL OR hook = ?5) AND (?6 IS NULL OR stream = ?6) \
                        AND (?7 IS NULL OR id >= ?7) AND (?8 IS NULL OR id <= ?8)";

impl Store {
    /// Begins a backtest and gives its number. Of the tenant's ended ones only the newest are kept.
    ///
    /// # Errors
    /// When as many run as may: [`Error::Conflict`] of the tenant, `most_of_tenant`; [`Error::Busy`] of all, `most`.
    pub async fn begin_backtest(&self, new: &Backtest, most_of_tenant: i64, most: i64) -> Result<i64> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let (own, all): (i64, i64) = sqlx::query_as(RUNNING).bind(&new.tenant).fetch_one(&mut *transaction).await?;
        if own >= most_of_tenant {
            return Err(Error::Conflict("a backtest of this tenant runs already; wait for it or stop it"));
        }
        if all >= most {
            return Err(Error::Busy("others run as many backtests as this server runs at once; try again later"));
        }
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO backtests (tenant, kind, plugin, version, settings_revision, filter, state, report, started_at, \
             started_by) VALUES (?, ?, ?, ?, ?, ?, 'running', ?, ?, ?) RETURNING id",
        )
        .bind(&new.tenant)
        .bind(&new.kind)
        .bind(&new.plugin)
        .bind(new.version)
        .bind(new.settings_revision)
        .bind(&new.filter)
        .bind(&new.report)
        .bind(new.started_at)
        .bind(&new.started_by)
        .fetch_one(&mut *transaction)
        .await?;
        sqlx::query(
            "DELETE FROM backtests WHERE tenant = ?1 AND state <> 'running' AND id <= \
             (SELECT id FROM backtests WHERE tenant = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        )
        .bind(&new.tenant)
        .bind(KEPT)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Writes how far a running backtest is, with the differences found since. Says whether it still runs.
    pub async fn progress_backtest(&self, id: i64, report: &str, differences: &[(i64, String)]) -> Result<bool> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let done = sqlx::query("UPDATE backtests SET report = ? WHERE id = ? AND state = 'running'")
            .bind(report)
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        for (decision, difference) in differences {
            sqlx::query("INSERT INTO backtest_differences (backtest, decision, difference) VALUES (?, ?, ?)")
                .bind(id)
                .bind(decision)
                .bind(difference)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Ends a running backtest as `done`, `failed` or `stopped`. Says whether it ran.
    pub async fn end_backtest(&self, id: i64, state: &str, reason: Option<&str>, at: i64) -> Result<bool> {
        let end = "UPDATE backtests SET state = ?, reason = ?, ended_at = ? WHERE id = ? AND state = 'running'";
        let done = sqlx::query(end).bind(state).bind(reason).bind(at).bind(id).execute(&self.writer).await?;
        Ok(done.rows_affected() > 0)
    }

    /// All that run, of all tenants.
    pub async fn running_backtests(&self) -> Result<Vec<Backtest>> {
        let all = format!("SELECT {COLUMNS} FROM backtests WHERE state = 'running' ORDER BY id");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(all)).fetch_all(&self.reader).await?)
    }

    /// Forgets what a running backtest found so far: it starts anew with this report.
    pub async fn restart_backtest(&self, id: i64, report: &str) -> Result<()> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let forget = "DELETE FROM backtest_differences WHERE backtest = ?";
        sqlx::query(forget).bind(id).execute(&mut *transaction).await?;
        let anew = "UPDATE backtests SET report = ? WHERE id = ? AND state = 'running'";
        sqlx::query(anew).bind(report).bind(id).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// A tenant's backtest.
    pub async fn backtest(&self, tenant: &str, id: i64) -> Result<Option<Backtest>> {
        let one = format!("SELECT {COLUMNS} FROM backtests WHERE tenant = ? AND id = ?");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(one)).bind(tenant).bind(id).fetch_optional(&self.reader).await?)
    }

    /// A tenant's backtests, newest first, below a number.
    pub async fn backtests(&self, tenant: &str, before: Option<i64>, limit: i64) -> Result<Vec<Backtest>> {
        let page = format!(
            "SELECT {COLUMNS} FROM backtests WHERE tenant = ?1 AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3"
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(page)).bind(tenant).bind(before).bind(limit);
        Ok(rows.fetch_all(&self.reader).await?)
    }

    /// Differences that a backtest found, in order of the decisions, behind `after`.
    pub async fn backtest_differences(&self, id: i64, after: i64, limit: i64) -> Result<Vec<DifferenceRow>> {
        let page = "SELECT f.decision, f.difference, d.hook, d.app, d.stream, d.video, d.at FROM backtest_differences f \
                    LEFT JOIN decisions d ON d.id = f.decision WHERE f.backtest = ? AND f.decision > ? \
                    ORDER BY f.decision LIMIT ?";
        Ok(sqlx::query_as(page).bind(id).bind(after).bind(limit).fetch_all(&self.reader).await?)
    }

    /// How many decisions a filter chooses. Counted beside everybody's reads, since it may look at all of a tenant's.
    pub async fn count_recorded(&self, tenant: &str, plugin: &str, filter: &Recorded) -> Result<i64> {
        let count = format!("SELECT count(*) FROM decisions WHERE {RECORDED}");
        let row = sqlx::query_scalar(sqlx::AssertSqlSafe(count))
            .bind(tenant)
            .bind(plugin)
            .bind(filter.from)
            .bind(filter.to)
            .bind(&filter.hook)
            .bind(&filter.stream)
            .bind(filter.first)
            .bind(filter.last);
        Ok(row.fetch_one(&self.searcher).await?)
    }

    /// Decisions that a filter chooses, in order, behind `after`, with the states that their calls saw.
    pub async fn recorded(
        &self,
        tenant: &str,
        plugin: &str,
        filter: &Recorded,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(RecordedDecision, PastState)>> {
        // A deleted plugin's versions have lower numbers than all of a later one of its name.
        let page = format!(
            "SELECT id, question, decision, at, plugin, coalesce(state_revision, 0) AS state_revision, \
             coalesce(state_revision, 0) > 0 AND EXISTS (SELECT 1 FROM deleted_plugins gone WHERE \
             gone.tenant = decisions.tenant AND gone.name = decisions.plugin AND gone.last_version >= decisions.version) \
             AS state_deleted FROM decisions WHERE {RECORDED} AND id > ?9 ORDER BY id LIMIT ?10"
        );
        let mut transaction = self.searcher.begin().await?;
        let rows: Vec<PastRow> = sqlx::query_as(sqlx::AssertSqlSafe(page))
            .bind(tenant)
            .bind(plugin)
            .bind(filter.from)
            .bind(filter.to)
            .bind(&filter.hook)
            .bind(&filter.stream)
            .bind(filter.first)
            .bind(filter.last)
            .bind(after)
            .bind(limit)
            .fetch_all(&mut *transaction)
            .await?;
        // Most of a page saw the same few.
        let mut states: BTreeMap<(String, i64), StateSnapshot> = BTreeMap::new();
        let mut page = Vec::with_capacity(rows.len());
        for row in rows {
            let key = (row.plugin, row.state_revision);
            let state = match states.get(&key) {
                _ if row.state_deleted => PastState::Deleted,
                Some(state) => PastState::Kept(state.clone()),
                None if row.state_revision == 0 => PastState::Kept(StateSnapshot::default()),
                None => {
                    let past = state::read_past(&mut *transaction, tenant, &key.0, row.state_revision).await?;
                    let state = states.entry(key).or_insert_with(|| StateSnapshot::from(past.entries));
                    PastState::Kept(state.clone())
                }
            };
            page.push((row.decision, state));
        }
        transaction.commit().await?;
        Ok(page)
    }

    /// Decisions of a plugin behind `after`, in order: what a rollout follows.
    pub async fn decisions_after(
        &self,
        tenant: &str,
        plugin: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<RecordedDecision>> {
        let page = "SELECT id, question, decision, at FROM decisions WHERE tenant = ? AND plugin = ? AND id > ? \
                    ORDER BY id LIMIT ?";
        Ok(sqlx::query_as(page).bind(tenant).bind(plugin).bind(after).bind(limit).fetch_all(&self.reader).await?)
    }
}

impl Recorded {
    /// As it is kept.
    ///
    /// # Errors
    /// Never in practice: a filter is plain numbers and texts.
    pub fn text(&self) -> Result<String> {
        write_json("filter", self)
    }
}
