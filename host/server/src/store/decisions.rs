//! The decision log: each question, verdict and cost, so that somebody can be told why.

use reprise_lifecycle::broadcast::Broadcast;
use reprise_lifecycle::decision::{Decision, Verdict};
use reprise_lifecycle::id::VideoId;
use sqlx::{FromRow, Sqlite, Transaction};

use super::{Result, Store, write_json};

/// A decision with the question it answers, for the decision log.
#[derive(Clone, Debug)]
pub struct LoggedDecision {
    /// The question's JSON.
    pub question: String,
    /// The decision.
    pub decision: Decision,
    /// The video it is about, if one.
    pub video: Option<VideoId>,
    /// When it was made.
    pub at: i64,
}

/// One logged decision.
#[derive(Clone, Debug, FromRow)]
pub struct DecisionRow {
    /// Its number; later ones are larger.
    pub id: i64,
    /// The hook's name.
    pub hook: String,
    /// The broadcast, if one.
    pub broadcast: Option<String>,
    /// The video, if one.
    pub video: Option<String>,
    /// The event, at the callback hook.
    pub event: Option<String>,
    /// The stream's application.
    pub app: String,
    /// The stream's name.
    pub stream: String,
    /// The question's JSON.
    pub question: String,
    /// The decision's JSON.
    pub decision: String,
    /// When.
    pub at: i64,
}

/// Which decisions to list; `None` matches all.
#[derive(Clone, Debug, Default)]
pub struct DecisionFilter {
    /// About this video.
    pub video: Option<String>,
    /// At this hook.
    pub hook: Option<String>,
    /// Of this stream.
    pub stream: Option<String>,
    /// By this plugin.
    pub plugin: Option<String>,
    /// Only failed ones.
    pub failed: bool,
    /// With a number below this one.
    pub before: Option<i64>,
}

/// Where a decision belongs.
#[derive(Clone, Debug, Default)]
pub(super) struct Place<'a> {
    pub(super) tenant: &'a str,
    pub(super) broadcast: Option<&'a str>,
    pub(super) video: Option<&'a str>,
    pub(super) event: Option<&'a str>,
    pub(super) app: &'a str,
    pub(super) stream: &'a str,
}

pub(super) async fn write(
    transaction: &mut Transaction<'_, Sqlite>,
    after: &Broadcast,
    decisions: &[LoggedDecision],
) -> Result<()> {
    for logged in decisions {
        let place = Place {
            tenant: after.tenant.as_str(),
            broadcast: Some(after.id.as_str()),
            video: logged.video.as_ref().map(|video| video.as_str()),
            event: None,
            app: &after.stream.app,
            stream: &after.stream.name,
        };
        write_one(transaction, &place, &logged.question, &logged.decision, logged.at).await?;
    }
    Ok(())
}

pub(super) async fn write_one(
    transaction: &mut Transaction<'_, Sqlite>,
    place: &Place<'_>,
    question: &str,
    decision: &Decision,
    at: i64,
) -> Result<()> {
    let failure = match &decision.verdict {
        Verdict::Failed(failure) => Some(write_json("failure kind", &failure.kind)?.trim_matches('"').to_owned()),
        Verdict::NoPolicy | Verdict::Answered(_) => None,
    };
    sqlx::query(
        "INSERT INTO decisions (tenant, hook, broadcast, video, event, app, stream, plugin, digest, failure, applied, \
         question, decision, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(place.tenant)
    .bind(decision.hook.name())
    .bind(place.broadcast)
    .bind(place.video)
    .bind(place.event)
    .bind(place.app)
    .bind(place.stream)
    .bind(decision.provenance.as_ref().map(|provenance| provenance.plugin.as_str()))
    .bind(decision.provenance.as_ref().map(|provenance| provenance.digest.as_str()))
    .bind(failure)
    .bind(write_json("applied", &decision.applied)?.trim_matches('"').to_owned())
    .bind(question)
    .bind(write_json("decision", decision)?)
    .bind(at)
    .execute(&mut **transaction)
    .await?;
    if let Some(made) = &decision.provenance {
        super::state::apply(transaction, place.tenant, &made.plugin, &made.writes, at).await?;
    }
    Ok(())
}

impl Store {
    /// A tenant's decisions, newest first.
    pub async fn decisions(&self, tenant: &str, filter: &DecisionFilter, limit: i64) -> Result<Vec<DecisionRow>> {
        let rows = sqlx::query_as(
            "SELECT id, hook, broadcast, video, event, app, stream, question, decision, at FROM decisions \
             WHERE tenant = ?1 AND (?2 IS NULL OR video = ?2) AND (?3 IS NULL OR hook = ?3) \
             AND (?4 IS NULL OR stream = ?4) AND (?5 IS NULL OR plugin = ?5) \
             AND (NOT ?6 OR failure IS NOT NULL) AND (?7 IS NULL OR id < ?7) ORDER BY id DESC LIMIT ?8",
        )
        .bind(tenant)
        .bind(&filter.video)
        .bind(&filter.hook)
        .bind(&filter.stream)
        .bind(&filter.plugin)
        .bind(filter.failed)
        .bind(filter.before)
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        Ok(rows)
    }
}
