//! The decision log: each question, verdict and cost, so that somebody can be told why. Numbers are given in the order
//! of commits, by the one writer: who has read up to a number misses nothing that comes later with a smaller one.

mod retention;
mod search;

use reprise_lifecycle::broadcast::Broadcast;
use reprise_lifecycle::decision::{Decision, Verdict};
use reprise_lifecycle::id::VideoId;
use sqlx::{FromRow, Sqlite, Transaction};
use tokio::sync::watch;

pub use self::retention::Retention;
pub use self::search::{DecisionFilter, Found, Page};
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
    let made = decision.provenance.as_deref();
    sqlx::query(
        "INSERT INTO decisions (tenant, hook, broadcast, video, event, domain, app, stream, plugin, version, digest, \
         settings_revision, rollout, failure, applied, fuel, elapsed_us, state_revision, at, question, decision) \
         VALUES (?1, ?2, ?3, ?4, ?5, coalesce((SELECT domain FROM broadcasts WHERE id = ?3), ''), \
         ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
    )
    .bind(place.tenant)
    .bind(decision.hook.name())
    .bind(place.broadcast)
    .bind(place.video)
    .bind(place.event)
    .bind(place.app)
    .bind(place.stream)
    .bind(made.map(|made| made.plugin.as_str()))
    .bind(made.map(|made| made.version))
    .bind(made.map(|made| made.digest.as_str()))
    .bind(made.map(|made| made.settings_revision))
    .bind(made.and_then(|made| made.rollout))
    .bind(failure)
    .bind(write_json("applied", &decision.applied)?.trim_matches('"').to_owned())
    .bind(made.map(|made| number(made.fuel)))
    .bind(made.map(|made| number(made.elapsed_us)))
    .bind(made.and_then(|made| made.state_revision).map(number))
    .bind(at)
    .bind(question)
    .bind(write_json("decision", decision)?)
    .execute(&mut **transaction)
    .await?;
    if let Some(made) = &decision.provenance {
        super::state::apply(transaction, place.tenant, &made.plugin, Some(made.version), &made.writes, at).await?;
    }
    Ok(())
}

/// A count as the database holds it.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Store {
    /// Rings whenever decisions were committed.
    pub fn decided(&self) -> watch::Receiver<()> {
        self.decided.subscribe()
    }

    /// Writes a decision alone: tests look at the log.
    #[cfg(test)]
    pub(crate) async fn log_decision(&self, tenant: &str, question: &str, decision: &Decision, at: i64) {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let place = Place { tenant, ..Place::default() };
        write_one(&mut transaction, &place, question, decision, at).await.unwrap();
        transaction.commit().await.unwrap();
        self.decided.send_replace(());
    }

    /// One decision of a tenant.
    pub async fn decision(&self, tenant: &str, id: i64) -> Result<Option<DecisionRow>> {
        let one = "SELECT id, hook, broadcast, video, event, app, stream, question, decision, at FROM decisions \
                   WHERE tenant = ? AND id = ?";
        Ok(sqlx::query_as(one).bind(tenant).bind(id).fetch_optional(&self.reader).await?)
    }
}

#[cfg(test)]
mod tests;
