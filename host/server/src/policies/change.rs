//! Changes of settings and limits, and the swap that every change ends in.

use std::sync::Arc;

use reprise_lifecycle::question::{Hook, StreamKey};
use tokio::sync::MutexGuard;

use super::activate::ActivateError;
use super::fair::{NoTurn, OwnTurn};
use super::publishing::Publishing;
use super::tenant::TenantPolicies;
use super::{EffectiveLimits, Policies, limits};
use crate::clock;
use crate::store;
use crate::store::bindings::Bound;
use crate::store::limits::PolicyLimits;
use crate::store::settings::SettingsMoved;

/// Settings are a text that a guest parses within its fuel; real ones have a few hundred bytes.
pub const SETTINGS_BYTES: usize = 64 << 10;

/// What is set for a tenant or a plugin, and what applies.
#[derive(Clone, Debug)]
pub struct ShownLimits {
    /// What the operator set.
    pub set: PolicyLimits,
    /// What applies to compiled policies.
    pub effective: EffectiveLimits,
    /// What applies to those that carry a script language's runtime.
    pub scripted: EffectiveLimits,
}

/// A turn to change what decides; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Changing<'a> {
    _turn: MutexGuard<'a, ()>,
    _own: OwnTurn,
}

impl Policies {
    /// Gives a plugin other settings: a new revision, to which all its bindings move at once.
    ///
    /// # Errors
    /// Why not; everything stands as it was then.
    pub async fn put_settings(
        self: &Arc<Self>,
        tenant: &str,
        plugin: &str,
        settings: &str,
        actor: &str,
    ) -> Result<SettingsMoved, ActivateError> {
        if settings.len() > SETTINGS_BYTES {
            return Err(ActivateError::Invalid("settings have at most 64 KiB"));
        }
        if serde_json::from_str::<serde::de::IgnoredAny>(settings).is_err() {
            return Err(ActivateError::Invalid("settings must be JSON"));
        }
        let newest = self.known_version(tenant, plugin, None).await?;
        let bound = self.store.bindings(tenant).await?.into_iter().filter(|bound| bound.binding.plugin == plugin);
        let mut versions: Vec<_> = bound.map(|bound| bound.version).collect();
        if versions.is_empty() {
            versions.push(newest);
        }
        versions.sort_by_key(|version| version.version);
        versions.dedup_by_key(|version| version.version);
        for version in &versions {
            self.make_ready(tenant, version, settings).await?;
        }
        let checked: Vec<i64> = versions.iter().map(|version| version.version).collect();
        let _turn = self.turn_to_change(tenant).await?;
        let at = clock::now().0;
        let publishing = Publishing::new(self, tenant);
        let moved = self.store.put_plugin_settings(tenant, plugin, settings, &checked, actor, at).await;
        let (moved, publishing) = publishing.committed(moved)?;
        self.swap(tenant, plugin).await?;
        publishing.done();
        tracing::info!(tenant.id = tenant, plugin, settings_revision = moved.revision, "a plugin has other settings");
        Ok(moved)
    }

    /// Sets the limits of a tenant, or of one of its plugins.
    ///
    /// # Errors
    /// When a value is out of bounds, or the catalogue failed.
    pub async fn put_limits(
        self: &Arc<Self>,
        tenant: &str,
        plugin: Option<&str>,
        limits: &PolicyLimits,
        actor: &str,
    ) -> Result<Result<(), String>, store::Error> {
        if let Err(why) = limits::check(limits) {
            return Ok(Err(why));
        }
        let _turn = self.changing(tenant).await;
        let publishing = Publishing::new(self, tenant);
        self.store.put_policy_limits(tenant, plugin, limits, actor, clock::now().0).await?;
        self.refresh_tenant(tenant).await?;
        publishing.done();
        Ok(Ok(()))
    }

    /// What is set for a tenant or one of its plugins, and what applies.
    pub fn limits(&self, tenant: &str, plugin: Option<&str>) -> ShownLimits {
        let policies = self.of(tenant);
        let (own, of_plugin) = policies.limits(plugin.unwrap_or_default());
        let effective = |base| limits::effective(&self.defaults, base, own, of_plugin);
        ShownLimits {
            set: if plugin.is_some() { of_plugin.cloned().unwrap_or_default() } else { own.clone() },
            effective: effective(&self.defaults.standard),
            scripted: effective(&self.defaults.scripted),
        }
    }

    /// What decides for a tenant, now.
    pub fn of(&self, tenant: &str) -> Arc<TenantPolicies> {
        self.snapshots().get(tenant).map_or_else(|| Arc::clone(&self.nothing), Arc::clone)
    }

    /// What is asked first for a stream at a hook, if anything.
    pub fn bound(&self, tenant: &str, hook: Hook, stream: Option<&StreamKey>) -> Option<Arc<Bound>> {
        self.of(tenant).covering(hook, stream).next().map(Arc::clone)
    }

    /// Removes a tenant that owns nothing any more, and what decided for it: a later one of its name begins with nothing.
    /// Says whether it existed.
    ///
    /// # Errors
    /// When it still owns something, or the catalogue failed.
    pub async fn remove_tenant(self: &Arc<Self>, tenant: &str) -> store::Result<bool> {
        let turn = self.changing(tenant).await;
        let publishing = Publishing::new(self, tenant);
        let (existed, publishing) = publishing.committed(self.store.delete_tenant(tenant).await)?;
        if existed {
            self.guard.forget(tenant);
            self.snapshots_mut().remove(tenant);
            drop(turn);
            self.forget_rollouts(tenant).await;
        }
        publishing.done();
        Ok(existed)
    }

    /// The turn of a tenant's request to change what decides for it. However many there are, one of them stands where others
    /// do.
    ///
    /// # Errors
    /// When too many of the tenant wait already.
    pub(super) async fn turn_to_change(&self, tenant: &str) -> Result<Changing<'_>, NoTurn> {
        let own = self.turns.changing.acquire(tenant).await?;
        Ok(Changing { _turn: self.changing(tenant).await, _own: own })
    }

    /// The turn to change what decides for a tenant: one at a time, so that what is published last is what was written
    /// last. Tenants share a few turns, which are held for one transaction each.
    pub(super) async fn changing(&self, tenant: &str) -> MutexGuard<'_, ()> {
        self.changes[self.queue_of(tenant)].lock().await
    }

    /// In which of the queues for changes a tenant's stand.
    pub(super) fn queue_of(&self, tenant: &str) -> usize {
        use std::hash::BuildHasher;
        let hash = self.changes_by.hash_one(tenant) as usize;
        hash % self.changes.len()
    }

    /// Publishes what the catalogue now says, and gives a plugin's versions a fresh start.
    pub(super) async fn swap(&self, tenant: &str, plugin: &str) -> store::Result<()> {
        self.refresh_tenant(tenant).await?;
        self.guard.close(tenant, plugin);
        self.meters.swapped();
        Ok(())
    }

    /// Reads what decides for a tenant and publishes it. Whoever calls it has the turn of [`Policies::changing`].
    pub(super) async fn refresh_tenant(&self, tenant: &str) -> store::Result<()> {
        let policies = TenantPolicies::new(self.store.bindings(tenant).await?, self.store.policy_limits(tenant).await?);
        if policies.is_empty() {
            self.snapshots_mut().remove(tenant);
        } else {
            self.snapshots_mut().insert(tenant.to_owned(), Arc::new(policies));
        }
        Ok(())
    }
}
