//! Versions made ready to be asked: what an activation, a roll-back or other settings need before anything is changed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reprise_policy::{Assets, Class, CompileLimits, Loaded, NoAssets, schema};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::activate::ActivateError;
use super::turn::{NotLoaded, class_named};
use super::{Policies, assets};
use crate::store::plugins::PluginVersion;

/// Pairs of a version and settings that are known to go together. A component and a text never change, so what was found
/// out once holds; beyond this number, some mebibytes of them, it is found out again.
const KNOWN: usize = 32_768;

/// How long it may take to make a version ready, beside what compilers take: the turns of others, and its own calls.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Which components accepted which settings since the server was started. When there are too many, whoever has the most
/// forgets its oldest: a tenant that gives its plugins other settings all the time forgets nobody else's.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    pairs: Mutex<Pairs>,
}

#[derive(Debug, Default)]
struct Pairs {
    all: HashSet<[u8; 32]>,
    /// The same by tenant, the oldest first. A tenant without any is not here.
    by_tenant: HashMap<String, VecDeque<[u8; 32]>>,
}

impl Accepted {
    fn has(&self, pair: &[u8; 32]) -> bool {
        lock(&self.pairs).all.contains(pair)
    }

    /// Remembers a pair of this tenant.
    fn add(&self, tenant: &str, pair: [u8; 32]) {
        let mut pairs = lock(&self.pairs);
        if pairs.all.insert(pair) {
            pairs.by_tenant.entry(tenant.to_owned()).or_default().push_back(pair);
        }
        if pairs.all.len() > KNOWN {
            pairs.forget_one();
        }
    }
}

impl Pairs {
    fn forget_one(&mut self) {
        let Some((tenant, own)) = self.by_tenant.iter_mut().max_by_key(|(_, own)| own.len()) else { return };
        if let Some(oldest) = own.pop_front() {
            self.all.remove(&oldest);
        }
        if own.is_empty() {
            let tenant = tenant.clone();
            self.by_tenant.remove(&tenant);
        }
    }
}

fn lock(pairs: &Mutex<Pairs>) -> MutexGuard<'_, Pairs> {
    // Every change is whole or was not begun, so a panic elsewhere does not spoil it.
    pairs.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a version of this class may take to be made ready: another's compile and its own come before it, where its
/// code is not on the disk.
fn ready_within(class: Class) -> Duration {
    CompileLimits::of(class).wall * 2 + READY_WITHIN
}

impl Policies {
    /// Makes a tenant's version ready to be asked with these settings: its code is in memory, it was started once, its
    /// schema allows them, and it has no objection itself.
    pub(super) async fn make_ready(
        self: &Arc<Self>,
        tenant: &str,
        version: &PluginVersion,
        settings: &str,
    ) -> Result<(), ActivateError> {
        // What is ready waits for nobody: a roll-back is in a hurry.
        if self.accepted.has(&pair(tenant, &version.digest, settings))
            && self.loaded.get(&version.digest, tenant).is_some()
        {
            return Ok(());
        }
        let stopping = || ActivateError::NotReady("the server is stopping".to_owned());
        let deadline = Instant::now() + ready_within(class_named(&version.class));
        // First the code, as for a call, so that what has to be compiled again holds up no other version's checks.
        match self.loaded_for(tenant, &version.digest, &version.class, deadline).await {
            Ok(_) => {}
            Err(NotLoaded::NoTurn(why)) => return Err(why.into()),
            Err(NotLoaded::Failed(why)) => return Err(ActivateError::NotReady(why)),
        }
        let turn = self.turns.readying.named(&version.class).acquire(tenant, deadline).await?;
        let (policies, tenant) = (Arc::clone(self), tenant.to_owned());
        let (version, settings) = (version.clone(), settings.to_owned());
        let ready = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            policies.check(&tenant, &version, &settings)
        });
        ready.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// The files that a component came with, if it can read them.
    pub(super) fn assets_of(&self, loaded: &Loaded) -> Arc<dyn Assets> {
        match loaded.uses_assets() {
            true => assets::of(self.files.plugins(), loaded.digest()),
            false => NoAssets::shared(),
        }
    }

    fn check(&self, tenant: &str, version: &PluginVersion, settings: &str) -> Result<(), ActivateError> {
        let (loaded, _) = self.ready(tenant, &version.digest).map_err(ActivateError::NotReady)?;
        let pair = pair(tenant, &version.digest, settings);
        if self.accepted.has(&pair) {
            return Ok(());
        }
        let limits = self.defaults.of(&loaded);
        let refused = |why: String| ActivateError::Settings { version: version.version, why };
        self.evaluator.trial(&loaded, limits).map_err(|error| ActivateError::NotReady(error.to_string()))?;
        if let Some(schema) = &version.schema {
            let checked = schema::check(schema, settings, &self.compiler, &CompileLimits::settings());
            checked.map_err(|error| refused(error.to_string()))?;
        }
        let checked = self.evaluator.check_settings(&loaded, settings, &self.assets_of(&loaded), limits);
        checked.map_err(|error| refused(error.to_string()))?;
        self.accepted.add(tenant, pair);
        Ok(())
    }
}

/// A tenant's component with settings, as one value: a digest has one length and a name no zero, so that no two look
/// alike.
fn pair(tenant: &str, digest: &str, settings: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [tenant, "\0", digest, settings] {
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_settings_accepted_all_the_time_forgets_its_own() {
        let accepted = Accepted::default();
        let of = |tenant: &str, number: usize| pair(tenant, "d1", &number.to_string());
        accepted.add("beta", of("beta", 0));
        accepted.add("beta", of("beta", 0));
        for number in 0..KNOWN + 9 {
            accepted.add("acme", of("acme", number));
        }
        assert!(accepted.has(&of("beta", 0)), "it was there first, and stays");
        // One has to go for beta's, and nine for those beyond the bound.
        assert_eq!((0..20).find(|number| accepted.has(&of("acme", *number))), Some(10), "the oldest of its own go");
        assert!(accepted.has(&of("acme", KNOWN + 8)));
        let pairs = lock(&accepted.pairs);
        assert_eq!((pairs.all.len(), pairs.by_tenant["beta"].len()), (KNOWN, 1));
        assert_eq!(pairs.by_tenant["acme"].len(), KNOWN - 1);
    }

    #[test]
    fn a_version_waits_longer_than_the_compilers_before_it_take() {
        for class in [Class::Standard, Class::Scripted] {
            assert!(ready_within(class) > CompileLimits::of(class).wall * 2, "{class:?}");
        }
    }
}
