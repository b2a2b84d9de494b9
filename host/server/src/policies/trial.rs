//! Dry runs: one question to a version, under the same limits and in the same queues as any call, and nothing recorded.
//! The breaker is neither asked nor told: an author may look at what fails, and breaks nothing by it.

use std::sync::Arc;

use reprise_lifecycle::decision::CodeSource;
use reprise_lifecycle::question::Question;
use reprise_policy::Evaluation;

use super::Policies;
use super::activate::ActivateError;
use super::binding::has_hook;
use super::guard::Whom;
use crate::clock;
use crate::store::bindings::{Binding, Bound};

/// What is to be tried.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The question.
    pub question: Question,
    /// Which version; the newest when absent.
    pub version: Option<i64>,
    /// Which settings; the newest when absent.
    pub settings_revision: Option<i64>,
}

/// What came of it.
#[derive(Debug)]
pub struct Tried {
    /// Which version was asked.
    pub version: i64,
    /// With which settings.
    pub settings_revision: i64,
    /// What it said, and at what cost.
    pub evaluation: Evaluation,
    /// Where its code came from.
    pub code: Option<CodeSource>,
    /// The state it saw.
    pub state_revision: Option<u64>,
}

impl Policies {
    /// Asks one version one question. What it would write to its state is told and not done.
    ///
    /// # Errors
    /// When there is no such version or revision, or the catalogue failed.
    pub async fn try_out(
        self: &Arc<Self>,
        tenant: &str,
        plugin: &str,
        wanted: &Wanted,
    ) -> Result<Tried, ActivateError> {
        let version = self.known_version(tenant, plugin, wanted.version).await?;
        let hook = wanted.question.hook();
        if !has_hook(&version.hooks, hook) {
            return Err(ActivateError::Conflict("this version has no such hook"));
        }
        let kept = self.store.plugin_settings(tenant, plugin, wanted.settings_revision).await?;
        let (settings_revision, settings) = match kept {
            Some(kept) => (kept.revision, kept.settings),
            None if wanted.settings_revision.is_none_or(|revision| revision == version.revision) => {
                (version.revision, version.settings.clone())
            }
            None => return Err(ActivateError::No("settings revision")),
        };
        let number = version.version;
        let binding = Binding {
            plugin: plugin.to_owned(),
            name: String::new(),
            version: number,
            settings_revision,
            domain: String::new(),
            app: String::new(),
            stream: String::new(),
            priority: 0,
            failure_policy: String::new(),
            activated_at: clock::now().0,
            activated_by: String::new(),
        };
        let bound = Bound { binding, version, settings, rollout: None };
        let policies = self.of(tenant);
        let called = self.call(tenant, &policies, &bound, &wanted.question, false).await;
        Ok(Tried {
            version: number,
            settings_revision,
            evaluation: called.evaluation,
            code: called.code,
            state_revision: called.state_revision,
        })
    }

    /// How a version's breaker stands: failures in a row, and how long it is not asked for yet.
    pub fn breaker(
        &self,
        tenant: &str,
        plugin: &str,
        (version, settings): (i64, i64),
    ) -> (u32, Option<std::time::Duration>) {
        let whom = Whom { tenant, plugin, version, settings, watched: false };
        let health = self.guard.health(whom, std::time::Instant::now());
        (health.failures, health.open_for)
    }
}
