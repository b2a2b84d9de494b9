//! Shadows and canaries: what runs, how far the decision log was followed, and what was found. The cursor, the report and
//! the differences move together, so each decision is counted exactly once whatever happens in between.

use serde_json::json;
use sqlx::{FromRow, Sqlite, Transaction};

use super::bindings::{self, Binding};
use super::changes::{self, Change};
use super::{Error, Result, Store};

/// A rollout.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Rollout {
    /// Its number.
    pub id: i64,
    /// The tenant.
    pub tenant: String,
    /// The plugin.
    pub plugin: String,
    /// The binding whose streams it is about.
    pub binding: String,
    /// `shadow` or `canary`.
    pub kind: String,
    /// What was started for several tenants at once has one of these.
    pub fleet: Option<String>,
    /// The candidate.
    pub version: i64,
    /// The settings it is asked with.
    pub settings_revision: i64,
    /// The version that was active when it began. With another one it is over.
    pub base_version: i64,
    /// The settings that were active when it began.
    pub base_settings_revision: i64,
    /// How many of a thousand streams.
    pub share_permille: i64,
    /// Application, a pattern with `*`.
    pub app: String,
    /// Stream name, a pattern with `*`.
    pub stream: String,
    /// The rules' JSON.
    pub rules: String,
    /// `running`, `promoted`, `rolled_back`, `stopped`.
    pub state: String,
    /// Why it ended.
    pub reason: Option<String>,
    /// The newest decision that was looked at.
    pub cursor: i64,
    /// The report's JSON.
    pub report: String,
    /// When.
    pub started_at: i64,
    /// By whom.
    pub started_by: String,
    /// When it ended.
    pub ended_at: Option<i64>,
}

/// How a rollout ends.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    /// `promoted`, `rolled_back` or `stopped`.
    pub state: &'static str,
    /// Why, in words.
    pub reason: &'a str,
    /// Who did it.
    pub actor: &'a str,
    /// When.
    pub at: i64,
}

/// A step along the decision log.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where it began.
    pub from: i64,
    /// The last decision that was looked at.
    pub to: i64,
    /// The report's JSON, this step included.
    pub report: String,
    /// Decisions that differ, with what differs as JSON.
    pub differences: Vec<(i64, String)>,
}

/// Which rollouts to list; `None` matches all.
#[derive(Clone, Debug, Default)]
pub struct RolloutFilter {
    /// Of this plugin.
    pub plugin: Option<String>,
    /// Started together under this id.
    pub fleet: Option<String>,
    /// Only running ones.
    pub running: bool,
    /// With a number below this one.
    pub before: Option<i64>,
}

/// One difference.
#[derive(Clone, Debug, FromRow)]
pub struct DifferenceRow {
    /// The decision.
    pub decision: i64,
    /// What differs, as JSON.
    pub difference: String,
    /// The decision's hook, stream and video; absent once the decision is no longer kept.
    pub hook: Option<String>,
    /// The application.
    pub app: Option<String>,
    /// The stream's name.
    pub stream: Option<String>,
    /// The video, if it is about one.
    pub video: Option<String>,
    /// When it was made.
    pub at: Option<i64>,
}

/// All running rollouts of one kind.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct RunningRollouts {
    /// `shadow` or `canary`.
    pub kind: String,
    /// How many.
    pub count: i64,
    /// When the oldest decision was made that one of them has still to look at.
    pub oldest_ahead: Option<i64>,
}

/// Running rollouts of one tenant: each asks recorded questions again, and others' wait for their turn.
const MAX_RUNNING: i64 = 8;

/// Rollouts of one tenant that are kept with their differences.
const KEPT: i64 = 50;

const COLUMNS: &str = "id, tenant, plugin, binding, kind, fleet, version, settings_revision, base_version, \
                       base_settings_revision, share_permille, app, stream, rules, state, reason, cursor, report, \
                       started_at, started_by, ended_at";

impl Store {
    /// Starts rollouts, all or none. Each begins behind the newest decision. Gives their numbers.
    pub async fn start_rollouts(&self, new: &[Rollout]) -> Result<Vec<i64>> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let mut ids = Vec::with_capacity(new.len());
        for rollout in new {
            // Of a shadow too: what a tenant's streams ask is for the code that it trusts.
            bindings::check_signed(&mut transaction, &rollout.tenant, &rollout.plugin, rollout.version).await?;
            make_room(&mut transaction, &rollout.tenant).await?;
            let id: i64 = sqlx::query_scalar(
                "INSERT INTO rollouts (tenant, plugin, binding, kind, fleet, version, settings_revision, base_version, \
                 base_settings_revision, share_permille, app, stream, rules, state, cursor, report, started_at, \
                 started_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', \
                 (SELECT coalesce(max(id), 0) FROM decisions), ?, ?, ?) RETURNING id",
            )
            .bind(&rollout.tenant)
            .bind(&rollout.plugin)
            .bind(&rollout.binding)
            .bind(&rollout.kind)
            .bind(&rollout.fleet)
            .bind(rollout.version)
            .bind(rollout.settings_revision)
            .bind(rollout.base_version)
            .bind(rollout.base_settings_revision)
            .bind(rollout.share_permille)
            .bind(&rollout.app)
            .bind(&rollout.stream)
            .bind(&rollout.rules)
            .bind(&rollout.report)
            .bind(rollout.started_at)
            .bind(&rollout.started_by)
            .fetch_one(&mut *transaction)
            .await
            .map_err(taken)?;
            let action = if rollout.kind == "canary" { "canary" } else { "shadow" };
            let change = Change {
                tenant: &rollout.tenant,
                actor: &rollout.started_by,
                action,
                plugin: Some(&rollout.plugin),
                detail: json!({
                    "rollout": id, "binding": rollout.binding, "version": rollout.version,
                    "settings_revision": rollout.settings_revision, "beside_version": rollout.base_version,
                    "share_permille": rollout.share_permille, "app": rollout.app, "stream": rollout.stream,
                    "fleet": rollout.fleet,
                }),
            };
            changes::write(&mut transaction, &change, rollout.started_at).await?;
            ids.push(id);
        }
        transaction.commit().await?;
        Ok(ids)
    }

    /// A tenant's rollout.
    pub async fn rollout(&self, tenant: &str, id: i64) -> Result<Option<Rollout>> {
        let one = format!("SELECT {COLUMNS} FROM rollouts WHERE tenant = ? AND id = ?");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(one)).bind(tenant).bind(id).fetch_optional(&self.reader).await?)
    }

    /// Rollouts of a tenant or of all, newest first.
    pub async fn rollouts(&self, tenant: Option<&str>, filter: &RolloutFilter, limit: i64) -> Result<Vec<Rollout>> {
        let page = format!(
            "SELECT {COLUMNS} FROM rollouts WHERE (?1 IS NULL OR tenant = ?1) AND (?2 IS NULL OR plugin = ?2) \
             AND (?3 IS NULL OR fleet = ?3) AND (NOT ?4 OR state = 'running') AND (?5 IS NULL OR id < ?5) \
             ORDER BY id DESC LIMIT ?6"
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(page))
            .bind(tenant)
            .bind(&filter.plugin)
            .bind(&filter.fleet)
            .bind(filter.running)
            .bind(filter.before)
            .bind(limit)
            .fetch_all(&self.reader)
            .await?;
        Ok(rows)
    }

    /// All that run, of all tenants, canaries first: they have streams to protect.
    pub async fn running_rollouts(&self) -> Result<Vec<Rollout>> {
        let all = format!("SELECT {COLUMNS} FROM rollouts WHERE state = 'running' ORDER BY kind, id");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(all)).fetch_all(&self.reader).await?)
    }

    /// Those of one tenant, canaries first.
    pub async fn running_rollouts_of(&self, tenant: &str) -> Result<Vec<Rollout>> {
        let own = format!("SELECT {COLUMNS} FROM rollouts WHERE tenant = ? AND state = 'running' ORDER BY kind, id");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(own)).bind(tenant).fetch_all(&self.reader).await?)
    }

    /// How many run, of all tenants, and how far behind the decision log they are. It takes one look into an index for each.
    pub async fn count_running_rollouts(&self) -> Result<Vec<RunningRollouts>> {
        let count = "SELECT kind, count(*) AS count, min((SELECT d.at FROM decisions d INDEXED BY decisions_by_plugin \
                     WHERE d.tenant = r.tenant AND d.plugin = r.plugin AND d.id > r.cursor ORDER BY d.id LIMIT 1)) \
                     AS oldest_ahead FROM rollouts r WHERE state = 'running' GROUP BY kind";
        Ok(sqlx::query_as(count).fetch_all(&self.reader).await?)
    }

    /// Moves a running rollout's cursor, if it is still where this step began. Says whether it was.
    pub async fn step_rollout(&self, id: i64, step: &Step) -> Result<bool> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let moved = write_step(&mut transaction, id, step).await?;
        if moved {
            transaction.commit().await?;
        }
        Ok(moved)
    }

    /// Ends a running rollout, with its last step if there is one. A roll-back ends all that were started together with
    /// it. Gives the tenants it touched; none if it did not run, or not from where the step began.
    pub async fn end_rollout(&self, rollout: &Rollout, step: Option<&Step>, ending: Ending<'_>) -> Result<Vec<String>> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        if let Some(step) = step
            && !write_step(&mut transaction, rollout.id, step).await?
        {
            return Ok(Vec::new());
        }
        let ended = end(&mut transaction, rollout, ending).await?;
        if !ended.is_empty() {
            transaction.commit().await?;
        }
        Ok(ended)
    }

    /// Changes the share of a running canary. Says whether it runs.
    pub async fn share_rollout(&self, rollout: &Rollout, permille: i64, actor: &str, at: i64) -> Result<bool> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let change_one =
            "UPDATE rollouts SET share_permille = ? WHERE id = ? AND state = 'running' AND kind = 'canary'";
        let done = sqlx::query(change_one).bind(permille).bind(rollout.id).execute(&mut *transaction).await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let change = Change {
            tenant: &rollout.tenant,
            actor,
            action: "share",
            plugin: Some(&rollout.plugin),
            detail: json!({"rollout": rollout.id, "from_permille": rollout.share_permille, "to_permille": permille}),
        };
        changes::write(&mut transaction, &change, at).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The version and the settings that a binding has now.
    pub async fn binding_base(&self, tenant: &str, plugin: &str, name: &str) -> Result<Option<(i64, i64)>> {
        let one = "SELECT version, settings_revision FROM bindings WHERE tenant = ? AND plugin = ? AND name = ?";
        Ok(sqlx::query_as(one).bind(tenant).bind(plugin).bind(name).fetch_optional(&self.reader).await?)
    }

    /// Makes the candidate of a running rollout the active version of its binding, and ends the rollout, in one go. Says
    /// whether it did: not if the rollout has ended, or the binding is no longer what the candidate was beside.
    pub async fn promote_rollout(&self, rollout: &Rollout, ending: Ending<'_>) -> Result<bool> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let binding = bindings::one(&mut transaction, &rollout.tenant, &rollout.plugin, &rollout.binding).await?;
        let base = (rollout.base_version, rollout.base_settings_revision);
        let Some(was) = binding.filter(|was| (was.version, was.settings_revision) == base) else { return Ok(false) };
        if end(&mut transaction, rollout, ending).await?.is_empty() {
            return Ok(false);
        }
        let promoted = Binding {
            version: rollout.version,
            settings_revision: rollout.settings_revision,
            activated_at: ending.at,
            activated_by: ending.actor.to_owned(),
            ..was
        };
        bindings::bind(&mut transaction, &rollout.tenant, &promoted, "activate").await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Differences that a rollout found, in order of the decisions, behind `after`.
    pub async fn rollout_differences(&self, id: i64, after: i64, limit: i64) -> Result<Vec<DifferenceRow>> {
        let page = "SELECT f.decision, f.difference, d.hook, d.app, d.stream, d.video, d.at FROM rollout_differences f \
                    LEFT JOIN decisions d ON d.id = f.decision WHERE f.rollout = ? AND f.decision > ? \
                    ORDER BY f.decision LIMIT ?";
        Ok(sqlx::query_as(page).bind(id).bind(after).bind(limit).fetch_all(&self.reader).await?)
    }
}

/// Ends a rollout, and with a roll-back all of its fleet, in somebody's transaction. Gives the tenants.
pub(super) async fn end(
    transaction: &mut Transaction<'_, Sqlite>,
    rollout: &Rollout,
    ending: Ending<'_>,
) -> Result<Vec<String>> {
    let fleet = rollout.fleet.as_deref().filter(|_| ending.state == "rolled_back");
    let still_running: Vec<(i64, String, String, i64)> = sqlx::query_as(
        "SELECT id, tenant, plugin, version FROM rollouts INDEXED BY rollouts_running WHERE state = 'running' AND \
         (id = ?1 OR (fleet = ?2 AND EXISTS (SELECT 1 FROM rollouts own WHERE own.id = ?1 AND own.state = 'running'))) \
         ORDER BY id",
    )
    .bind(rollout.id)
    .bind(fleet)
    .fetch_all(&mut **transaction)
    .await?;
    for (id, tenant, plugin, version) in &still_running {
        let other = format!("rollout {} of the same fleet: {}", rollout.id, ending.reason);
        let reason = if *id == rollout.id { ending.reason } else { &other };
        let end_one = "UPDATE rollouts SET state = ?, reason = ?, ended_at = ? WHERE id = ? AND state = 'running'";
        sqlx::query(end_one)
            .bind(ending.state)
            .bind(reason)
            .bind(ending.at)
            .bind(id)
            .execute(&mut **transaction)
            .await?;
        let action = match ending.state {
            "promoted" => "promote",
            "rolled_back" => "roll-back-rollout",
            _ => "stop-rollout",
        };
        let detail = json!({"rollout": id, "version": version, "reason": reason});
        let change = Change { tenant, actor: ending.actor, action, plugin: Some(plugin), detail };
        changes::write(transaction, &change, ending.at).await?;
    }
    Ok(still_running.into_iter().map(|(_, tenant, ..)| tenant).collect())
}

async fn write_step(transaction: &mut Transaction<'_, Sqlite>, id: i64, step: &Step) -> Result<bool> {
    let move_on = "UPDATE rollouts SET cursor = ?, report = ? WHERE id = ? AND cursor = ? AND state = 'running'";
    let moved = sqlx::query(move_on)
        .bind(step.to)
        .bind(&step.report)
        .bind(id)
        .bind(step.from)
        .execute(&mut **transaction)
        .await?;
    if moved.rows_affected() == 0 {
        return Ok(false);
    }
    for (decision, difference) in &step.differences {
        sqlx::query("INSERT INTO rollout_differences (rollout, decision, difference) VALUES (?, ?, ?)")
            .bind(id)
            .bind(decision)
            .bind(difference)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(true)
}

/// One of a kind runs on a binding at a time; the index says so.
fn taken(error: sqlx::Error) -> Error {
    match &error {
        sqlx::Error::Database(refused) if refused.is_unique_violation() => {
            Error::Conflict("a rollout of this kind runs on this binding already; stop or promote it first")
        }
        _ => error.into(),
    }
}

/// Refuses more running rollouts of a tenant than are followed in good time, and removes its oldest ended ones.
async fn make_room(transaction: &mut Transaction<'_, Sqlite>, tenant: &str) -> Result<()> {
    let running = "SELECT count(*) FROM rollouts WHERE tenant = ? AND state = 'running'";
    let running: i64 = sqlx::query_scalar(running).bind(tenant).fetch_one(&mut **transaction).await?;
    if running >= MAX_RUNNING {
        return Err(Error::Conflict("8 rollouts of the tenant run already; stop or promote one first"));
    }
    sqlx::query(
        "DELETE FROM rollouts WHERE tenant = ?1 AND state <> 'running' AND id <= \
         (SELECT id FROM rollouts WHERE tenant = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
    )
    .bind(tenant)
    .bind(KEPT)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

#[cfg(test)]
pub(crate) mod testkit;
