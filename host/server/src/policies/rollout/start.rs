//! Rollouts as people start, change and end them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use reprise_lifecycle::question::StreamKey;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::report::Report;
use super::rules::{Rules, Window};
use super::share::{ALL, Share};
use crate::clock;
use crate::policies::activate::{BAD_PATTERN, is_pattern};
use crate::policies::publishing::Publishing;
use crate::policies::{ActivateError, Policies};
use crate::store::bindings::Bound;
use crate::store::plugins::PluginVersion;
use crate::store::rollouts::{Ending, Rollout, Step};
use crate::store::{self, Store};

/// Tenants of one fleet. All are written in one transaction.
const MOST_TENANTS: usize = 1000;

/// Which version is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// By number.
    Version(i64),
    /// By its component's digest: what several tenants have in common.
    Digest(String),
}

/// A rollout as it is asked for.
#[derive(Clone, Debug)]
pub struct NewRollout {
    /// The plugin.
    pub plugin: String,
    /// The binding; `default` when absent.
    pub binding: Option<String>,
    /// Whether it is a canary; a shadow otherwise.
    pub canary: bool,
    /// The candidate.
    pub which: Which,
    /// Its settings; those of the binding when absent.
    pub settings_revision: Option<i64>,
    /// The streams of a canary.
    pub share: Share,
    /// The rules of a canary.
    pub rules: Rules,
}

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    /// Something that it names is not there.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A field cannot work.
    #[error("{0}")]
    Invalid(String),
    /// It does not go with what is there.
    #[error("{0}")]
    Conflict(String),
    /// The candidate cannot be made ready, or does not accept the settings.
    #[error(transparent)]
    NotReady(#[from] ActivateError),
    /// The catalogue failed, or somebody was first.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl RolloutError {
    /// The same with the tenant that it is about.
    fn of(self, tenant: &str) -> Self {
        match self {
            Self::NotFound(what) => Self::Conflict(format!("{tenant}: there is no such {what}")),
            Self::Conflict(why) => Self::Conflict(format!("{tenant}: {why}")),
            Self::Invalid(why) => Self::Invalid(format!("{tenant}: {why}")),
            Self::NotReady(_) | Self::Store(_) => self,
        }
    }

    /// Whether the same may succeed at another time though nobody changes anything.
    pub(in crate::policies) fn may_pass(&self) -> bool {
        match self {
            Self::NotReady(ActivateError::Busy(_) | ActivateError::NotReady(_)) => true,
            Self::NotReady(ActivateError::Store(error)) | Self::Store(error) => {
                !matches!(error, store::Error::Conflict(_))
            }
            Self::NotFound(_) | Self::Invalid(_) | Self::Conflict(_) | Self::NotReady(_) => false,
        }
    }
}

/// A running canary as every question looks for it.
#[derive(Clone, Debug)]
struct Canary {
    rollout: i64,
    plugin: String,
    binding: String,
    /// What is active beside it: with anything else it is over.
    base: (i64, i64),
    share: Share,
    version: PluginVersion,
    settings_revision: i64,
    settings: String,
}

/// What runs of one tenant.
#[derive(Debug, Default)]
struct Running {
    canaries: Vec<Canary>,
    /// The components of all candidates, those of shadows too.
    digests: Vec<String>,
}

/// The running canaries by tenant, kept for each question's quick look.
#[derive(Debug, Default)]
pub(in crate::policies) struct Canaries {
    by_tenant: RwLock<BTreeMap<String, Arc<Running>>>,
    /// One reads the catalogue and publishes at a time, so that what is published last is what was written last.
    reading: Mutex<()>,
}

impl Canaries {
    /// Who is asked in place of what is bound.
    fn candidate(&self, tenant: &str, bound: &Bound, stream: Option<&StreamKey>) -> Option<Bound> {
        let running = self.running(tenant)?;
        let binding = &bound.binding;
        let canary = running.canaries.iter().find(|canary| {
            canary.plugin == binding.plugin
                && canary.binding == binding.name
                && canary.base == (binding.version, binding.settings_revision)
                && canary.share.covers(tenant, &canary.plugin, &canary.binding, stream)
        })?;
        let mut binding = binding.clone();
        binding.version = canary.version.version;
        binding.settings_revision = canary.settings_revision;
        Some(Bound {
            binding,
            version: canary.version.clone(),
            settings: canary.settings.clone(),
            rollout: Some(canary.rollout),
        })
    }

    /// The components that a tenant's running canaries and shadows try.
    pub(in crate::policies) fn digests(&self, tenant: &str) -> Vec<String> {
        self.running(tenant).map(|running| running.digests.clone()).unwrap_or_default()
    }

    fn running(&self, tenant: &str) -> Option<Arc<Running>> {
        self.by_tenant.read().unwrap_or_else(PoisonError::into_inner).get(tenant).map(Arc::clone)
    }

    fn set(&self, tenant: &str, running: Running) {
        let mut all = self.by_tenant.write().unwrap_or_else(PoisonError::into_inner);
        if running.digests.is_empty() {
            all.remove(tenant);
        } else {
            all.insert(tenant.to_owned(), Arc::new(running));
        }
    }
}

impl Policies {
    /// Who is asked in place of what is bound, if a canary has this stream in its share.
    pub fn candidate(&self, tenant: &str, bound: &Bound, stream: Option<&StreamKey>) -> Option<Bound> {
        self.canaries.candidate(tenant, bound, stream)
    }

    /// Reads the running canaries of all tenants.
    ///
    /// # Errors
    /// When the catalogue cannot be read.
    pub async fn refresh_rollouts(&self) -> store::Result<()> {
        let mut tenants: Vec<String> = self.store.running_rollouts().await?.into_iter().map(|run| run.tenant).collect();
        tenants.dedup();
        self.refresh_rollouts_of(&tenants).await
    }

    /// Reads the running canaries of these tenants: from then on, new questions go by them.
    ///
    /// # Errors
    /// When the catalogue cannot be read.
    pub async fn refresh_rollouts_of(&self, tenants: &[String]) -> store::Result<()> {
        if tenants.is_empty() {
            return Ok(());
        }
        let _turn = self.canaries.reading.lock().await;
        for tenant in tenants {
            let mut own = Running::default();
            for rollout in self.store.running_rollouts_of(tenant).await? {
                let Some(candidate) = canary(&self.store, &rollout).await? else { continue };
                own.digests.push(candidate.version.digest.clone());
                if rollout.kind == "canary" {
                    own.canaries.push(candidate);
                }
            }
            self.canaries.set(tenant, own);
        }
        Ok(())
    }

    /// Forgets the canaries of a tenant that is no more.
    pub(in crate::policies) async fn forget_rollouts(&self, tenant: &str) {
        let _turn = self.canaries.reading.lock().await;
        self.canaries.set(tenant, Running::default());
    }

    /// Starts a rollout for one tenant, or one for each of several under one fleet id. All or none.
    ///
    /// # Errors
    /// Why not; nothing is started then.
    pub async fn start_rollouts(
        self: &Arc<Self>,
        tenants: &[String],
        new: &NewRollout,
        fleet: bool,
        actor: &str,
    ) -> Result<Vec<Rollout>, RolloutError> {
        check(new)?;
        if tenants.is_empty() || tenants.len() > MOST_TENANTS {
            return Err(RolloutError::Invalid(format!("tenants must be 1 to {MOST_TENANTS}")));
        }
        let fleet = fleet.then(|| Uuid::new_v4().to_string());
        let mut rollouts = Vec::with_capacity(tenants.len());
        for tenant in tenants {
            let planned = self.planned(tenant, new, fleet.clone(), actor).await;
            // One of a thousand names is found by nobody.
            let planned = planned.map_err(|error| if fleet.is_some() { error.of(tenant) } else { error });
            rollouts.push(planned?);
            self.forget_breakers(tenant);
        }
        let publishing = Publishing::of(self, tenants.to_vec());
        let (ids, publishing) = publishing.committed(self.store.start_rollouts(&rollouts).await)?;
        self.refresh_rollouts_of(tenants).await?;
        publishing.done();
        self.follow.notify_one();
        let mut started = Vec::with_capacity(ids.len());
        for (rollout, id) in rollouts.iter().zip(ids) {
            tracing::info!(
                tenant.id = rollout.tenant,
                plugin = rollout.plugin,
                rollout = id,
                kind = rollout.kind,
                version = rollout.version,
                "a rollout began"
            );
            started.extend(self.store.rollout(&rollout.tenant, id).await?);
        }
        Ok(started)
    }

    /// Forgets how versions stand that no question goes to: neither bound nor a running canary. So a candidate that failed
    /// begins anew the next time it is tried.
    fn forget_breakers(&self, tenant: &str) {
        let (policies, running) = (self.of(tenant), self.canaries.running(tenant));
        self.guard.retain(tenant, |plugin, asked| {
            let mut bound = policies.bindings().iter().map(|bound| &bound.binding);
            let canaries = running.as_ref().map(|running| running.canaries.as_slice()).unwrap_or_default();
            bound.any(|binding| binding.plugin == plugin && (binding.version, binding.settings_revision) == asked)
                || canaries.iter().any(|canary| {
                    canary.plugin == plugin && (canary.version.version, canary.settings_revision) == asked
                })
        });
    }

    async fn planned(
        self: &Arc<Self>,
        tenant: &str,
        new: &NewRollout,
        fleet: Option<String>,
        actor: &str,
    ) -> Result<Rollout, RolloutError> {
        let binding = new.binding.as_deref().unwrap_or("default");
        let bindings = self.store.bindings(tenant).await?.into_iter();
        let mut own = bindings.filter(|bound| bound.binding.plugin == new.plugin);
        let bound = own.find(|bound| bound.binding.name == binding);
        let version = match &new.which {
            Which::Version(number) => self.store.plugin_version(tenant, &new.plugin, Some(*number)).await?,
            Which::Digest(digest) => {
                let mut all = self.store.plugin_versions(tenant).await?.into_iter();
                all.find(|version| version.plugin == new.plugin && &version.digest == digest)
            }
        };
        let version = version.ok_or(RolloutError::NotFound("plugin or version"))?;
        let bound = bound.ok_or_else(|| {
            RolloutError::Conflict(format!(
                "no version of {} is active on the binding {binding} of {tenant}: activate one first, a candidate is \
                 tried beside it",
                new.plugin
            ))
        })?;
        let base = (bound.binding.version, bound.binding.settings_revision);
        let settings = match new.settings_revision {
            Some(revision) => self.store.plugin_settings(tenant, &new.plugin, Some(revision)).await?,
            None => self.store.plugin_settings(tenant, &new.plugin, Some(base.1)).await?,
        };
        let settings = settings.ok_or(RolloutError::NotFound("settings revision"))?;
        if base == (version.version, settings.revision) {
            return Err(RolloutError::Conflict(
                "this version with these settings is the active one; name another version or settings revision"
                    .to_owned(),
            ));
        }
        self.make_ready(tenant, &version, &settings.settings).await?;
        let report = Report { window: new.canary.then(Window::default), ..Report::default() };
        let text = |value: serde_json::Result<String>| value.map_err(|error| RolloutError::Invalid(error.to_string()));
        Ok(Rollout {
            id: 0,
            tenant: tenant.to_owned(),
            plugin: new.plugin.clone(),
            binding: binding.to_owned(),
            kind: if new.canary { "canary" } else { "shadow" }.to_owned(),
            fleet,
            version: version.version,
            settings_revision: settings.revision,
            base_version: base.0,
            base_settings_revision: base.1,
            share_permille: i64::from(if new.canary { new.share.permille } else { ALL }),
            app: new.share.app.clone(),
            stream: new.share.stream.clone(),
            rules: text(serde_json::to_string(&new.rules))?,
            state: "running".to_owned(),
            reason: None,
            cursor: 0,
            report: text(serde_json::to_string(&report))?,
            started_at: clock::now().0,
            started_by: actor.to_owned(),
            ended_at: None,
        })
    }

    /// Changes the share of a running canary.
    ///
    /// # Errors
    /// Why not.
    pub async fn share_rollout(
        self: &Arc<Self>,
        tenant: &str,
        id: i64,
        permille: u16,
        actor: &str,
    ) -> Result<Rollout, RolloutError> {
        if permille > ALL {
            return Err(RolloutError::Invalid("share_permille must be 0 to 1000".to_owned()));
        }
        let rollout = self.store.rollout(tenant, id).await?.ok_or(RolloutError::NotFound("rollout"))?;
        let publishing = Publishing::new(self, tenant);
        if !self.store.share_rollout(&rollout, permille.into(), actor, clock::now().0).await? {
            publishing.done();
            return Err(RolloutError::Conflict("only a running canary has a share that can be changed".to_owned()));
        }
        self.refresh_rollouts_of(&[tenant.to_owned()]).await?;
        publishing.done();
        self.store.rollout(tenant, id).await?.ok_or(RolloutError::NotFound("rollout"))
    }

    /// Ends a running rollout without promoting its candidate.
    ///
    /// # Errors
    /// Why not.
    pub async fn stop_rollout(self: &Arc<Self>, tenant: &str, id: i64, actor: &str) -> Result<Rollout, RolloutError> {
        let rollout = self.store.rollout(tenant, id).await?.ok_or(RolloutError::NotFound("rollout"))?;
        let ending = Ending { state: "stopped", reason: "stopped", actor, at: clock::now().0 };
        if !self.end_rollout(&rollout, ending).await? {
            return Err(RolloutError::Conflict(format!("it does not run any more: {}", rollout.state)));
        }
        self.store.rollout(tenant, id).await?.ok_or(RolloutError::NotFound("rollout"))
    }

    /// Makes a rollout's candidate the active version of its binding and ends the rollout, in one transaction.
    ///
    /// # Errors
    /// Why not; the candidate stays one then.
    pub async fn promote_rollout(
        self: &Arc<Self>,
        tenant: &str,
        id: i64,
        reason: &str,
        actor: &str,
    ) -> Result<Rollout, RolloutError> {
        let rollout = self.store.rollout(tenant, id).await?.ok_or(RolloutError::NotFound("rollout"))?;
        if rollout.state != "running" {
            return Err(RolloutError::Conflict(format!("it does not run any more: {}", rollout.state)));
        }
        let version = self.store.plugin_version(tenant, &rollout.plugin, Some(rollout.version)).await?;
        let version = version.ok_or(RolloutError::NotFound("version"))?;
        let settings = self.store.plugin_settings(tenant, &rollout.plugin, Some(rollout.settings_revision)).await?;
        let settings = settings.ok_or(RolloutError::NotFound("settings revision"))?;
        self.make_ready(tenant, &version, &settings.settings).await?;
        let ending = Ending { state: "promoted", reason, actor, at: clock::now().0 };
        let turn = self.turn_to_change(tenant).await.map_err(ActivateError::from)?;
        let publishing = Publishing::new(self, tenant);
        let promoted = self.store.promote_rollout(&rollout, ending).await;
        let (promoted, publishing) = publishing.committed(promoted)?;
        if !promoted {
            publishing.done();
            return Err(RolloutError::Conflict(
                "the binding or the rollout was changed in the meantime; look at both again".to_owned(),
            ));
        }
        // The binding first: its streams get the candidate as the active version before it stops being one, and none
        // sees the old version again.
        self.swap(tenant, &rollout.plugin).await?;
        drop(turn);
        self.refresh_rollouts_of(&[tenant.to_owned()]).await?;
        publishing.done();
        self.meters.rollout_ended(&rollout.kind, ending.state);
        tracing::info!(
            tenant.id = tenant,
            plugin = rollout.plugin,
            rollout = id,
            version = rollout.version,
            "a rollout was promoted"
        );
        self.store.rollout(tenant, id).await?.ok_or(RolloutError::NotFound("rollout"))
    }

    /// Ends a rollout in the catalogue and in memory. Says whether it ran.
    async fn end_rollout(self: &Arc<Self>, rollout: &Rollout, ending: Ending<'_>) -> store::Result<bool> {
        Ok(!self.end_rollout_at(rollout, None, ending).await?.is_empty())
    }

    /// The same with the last step along the log. Gives the tenants it was about: all of a fleet.
    pub(in crate::policies) async fn end_rollout_at(
        self: &Arc<Self>,
        rollout: &Rollout,
        step: Option<&Step>,
        ending: Ending<'_>,
    ) -> store::Result<Vec<String>> {
        let publishing = Publishing::new(self, &rollout.tenant);
        let touched = self.store.end_rollout(rollout, step, ending).await?;
        // A fleet is of one kind.
        touched.iter().for_each(|_| self.meters.rollout_ended(&rollout.kind, ending.state));
        let others = touched.iter().filter(|tenant| **tenant != rollout.tenant).cloned().collect();
        let others = Publishing::of(self, others);
        self.refresh_rollouts_of(&touched).await?;
        touched.iter().for_each(|tenant| self.forget_breakers(tenant));
        publishing.done();
        others.done();
        Ok(touched)
    }
}

async fn canary(store: &Store, rollout: &Rollout) -> store::Result<Option<Canary>> {
    let version = store.plugin_version(&rollout.tenant, &rollout.plugin, Some(rollout.version)).await?;
    let settings = store.plugin_settings(&rollout.tenant, &rollout.plugin, Some(rollout.settings_revision)).await?;
    // Without them there is nobody to ask; the follower ends such a rollout.
    let (Some(version), Some(settings)) = (version, settings) else { return Ok(None) };
    Ok(Some(Canary {
        rollout: rollout.id,
        plugin: rollout.plugin.clone(),
        binding: rollout.binding.clone(),
        base: (rollout.base_version, rollout.base_settings_revision),
        share: Share {
            permille: u16::try_from(rollout.share_permille).unwrap_or(0),
            app: rollout.app.clone(),
            stream: rollout.stream.clone(),
        },
        version,
        settings_revision: settings.revision,
        settings: settings.settings,
    }))
}

fn check(new: &NewRollout) -> Result<(), RolloutError> {
    new.rules.check().map_err(|why| RolloutError::Invalid(format!("rules: {why}")))?;
    if new.share.permille > ALL {
        return Err(RolloutError::Invalid("share_permille must be 0 to 1000".to_owned()));
    }
    if !is_pattern(&new.share.app) || !is_pattern(&new.share.stream) {
        return Err(RolloutError::Invalid(BAD_PATTERN.to_owned()));
    }
    Ok(())
}
