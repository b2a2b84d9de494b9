//! Versions made ready to be asked: what an activation, a roll-back or other settings need before anything is changed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reprise_policy::{Assets, CompileLimits, Loaded, NoAssets, schema};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::activate::ActivateError;
use super::{Policies, assets};
use crate::store::plugins::PluginVersion;

/// Pairs of a version and settings that are known to go together. A component and a text never change, so what was found
/// out once holds; beyond this number it is found out again.
const KNOWN: usize = 4096;

/// How long a version may wait for its turn to be made ready: another's that is compiled again takes as long.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Which components accepted which settings since the server was started.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    pairs: Mutex<HashSet<[u8; 32]>>,
}

impl Accepted {
    fn has(&self, pair: &[u8; 32]) -> bool {
        self.pairs.lock().unwrap_or_else(PoisonError::into_inner).contains(pair)
    }

    fn add(&self, pair: [u8; 32]) {
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        if pairs.len() >= KNOWN {
            pairs.clear();
        }
        pairs.insert(pair);
    }
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
        if self.accepted.has(&pair(&version.digest, settings)) && self.loaded.get(&version.digest, tenant).is_some() {
            return Ok(());
        }
        let stopping = || ActivateError::NotReady("the server is stopping".to_owned());
        let queue = self.turns.readying.named(&version.class);
        let turn = queue.acquire(tenant, Instant::now() + READY_WITHIN).await?;
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
        let pair = pair(&version.digest, settings);
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
        self.accepted.add(pair);
        Ok(())
    }
}

/// A component and settings, as one value: the digest has one length, so that no two pairs look alike.
fn pair(digest: &str, settings: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(digest);
    hash.update(settings);
    hash.finalize().into()
}
