//! Bindings: a version is made ready before streams use it, and calls under way finish on the one before.
//!
//! What takes long (loading, compiling, starting it once, showing it its settings) happens first and holds nothing up.
//! Then, one at a time for each tenant: the transaction, what is then in the catalogue, and the swap. So the last swap is
//! that of the last transaction, and no call ever waits for either.

use std::sync::Arc;

use super::Policies;
use super::fair::NoTurn;
use super::publishing::Publishing;
use crate::clock;
use crate::store;
use crate::store::bindings::{Binding, BindingPast, Bound, ROLL_BACK};
use crate::store::plugins::PluginVersion;

/// Longest pattern of a binding.
const PATTERN_BYTES: usize = 255;

/// What is said of a pattern that can be none.
pub(super) const BAD_PATTERN: &str = "a pattern has 1 to 255 bytes; `*` stands for any";

/// Longest name of a binding.
const NAME_BYTES: usize = 64;

/// The name of a binding when none is given.
pub(super) const DEFAULT_BINDING: &str = "default";

/// Priorities are small numbers that people choose.
const MAX_PRIORITY: i64 = 1_000_000;

/// How often what was made ready may turn out to be no longer what is meant, because somebody else was faster.
const ATTEMPTS: usize = 3;

/// What a version is bound to. Of a binding that is there already, what is absent stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Activation {
    /// The binding's name; `default` when absent.
    pub name: Option<String>,
    /// Which version; the newest when absent.
    pub version: Option<i64>,
    /// Which settings; those it has, or a new binding of the newest version the plugin's, or those that came with the
    /// version where these are newer.
    pub settings_revision: Option<i64>,
    /// Ingest domain pattern; all of a new binding when absent.
    pub domain: Option<String>,
    /// Application pattern; all of a new binding when absent.
    pub app: Option<String>,
    /// Stream name pattern; all of a new binding when absent.
    pub stream: Option<String>,
    /// The larger is asked first; 0 of a new binding when absent.
    pub priority: Option<i64>,
    /// `fallback` or `reject`; `fallback` of a new binding when absent.
    pub failure_policy: Option<String>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ActivateError {
    /// There is no such plugin, or no such version of it, in words.
    #[error("there is no {0}")]
    NotFound(String),
    /// There is no such thing of a plugin that is there.
    #[error("there is no such {0}")]
    No(&'static str),
    /// A pattern or a word is not what it may be.
    #[error("{0}")]
    Invalid(&'static str),
    /// It does not go with what is there.
    #[error("{0}")]
    Conflict(&'static str),
    /// It could not be made ready to be asked.
    #[error("the version cannot be made ready: {0}")]
    NotReady(String),
    /// It does not accept its settings.
    #[error("version {version} does not accept the settings: {why}")]
    Settings {
        /// Which version.
        version: i64,
        /// Why not.
        why: String,
    },
    /// Too many versions are being made ready, or too much is being changed.
    #[error("it cannot be done now: {0}")]
    Busy(#[from] NoTurn),
    /// The catalogue failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// A binding as it is to be, with what must be ready for it.
struct Plan {
    binding: Binding,
    version: PluginVersion,
    settings: String,
}

impl Policies {
    /// Binds streams to a version: calls under way finish on the old one, the next call gets this one.
    ///
    /// # Errors
    /// Why not; the earlier binding stands then.
    pub async fn activate(
        self: &Arc<Self>,
        tenant: &str,
        plugin: &str,
        activation: Activation,
        actor: &str,
    ) -> Result<Binding, ActivateError> {
        check(&activation)?;
        let name = activation.name.clone().unwrap_or_else(|| DEFAULT_BINDING.to_owned());
        let plan = || self.plan(tenant, plugin, &name, &activation, actor);
        self.bind(tenant, "activate", plan).await
    }

    /// Takes a binding of a plugin away, or all of them. Says how many there were.
    ///
    /// # Errors
    /// When the tenant changes too much at once, or the catalogue failed.
    pub async fn deactivate(
        self: &Arc<Self>,
        tenant: &str,
        plugin: &str,
        name: Option<&str>,
        actor: &str,
    ) -> Result<u64, ActivateError> {
        let _turn = self.turn_to_change(tenant).await?;
        let publishing = Publishing::new(self, tenant);
        let gone = self.store.unbind_plugin(tenant, plugin, name, actor, clock::now().0).await?;
        self.swap(tenant, plugin).await?;
        publishing.done();
        Ok(gone)
    }

    /// Puts a binding back to what it was before, or to when it last had version `to`.
    ///
    /// # Errors
    /// Why not; the binding stands as it is then.
    pub async fn roll_back(
        self: &Arc<Self>,
        tenant: &str,
        plugin: &str,
        name: Option<&str>,
        to: Option<i64>,
        actor: &str,
    ) -> Result<Binding, ActivateError> {
        let name = name.unwrap_or(DEFAULT_BINDING);
        self.bind(tenant, ROLL_BACK, || self.plan_back(tenant, plugin, name, to, actor)).await
    }

    /// Makes ready what is planned, and binds it if it is still what is meant then.
    async fn bind<F>(
        self: &Arc<Self>,
        tenant: &str,
        action: &'static str,
        plan: impl Fn() -> F,
    ) -> Result<Binding, ActivateError>
    where
        F: Future<Output = Result<Plan, ActivateError>>,
    {
        for _ in 0..ATTEMPTS {
            let planned = plan().await?;
            self.make_ready(tenant, &planned.version, &planned.settings).await?;
            let turn = self.turn_to_change(tenant).await?;
            // What was made ready must still be what is meant: another activation may have come between.
            let Plan { binding, version, .. } = plan().await?;
            if is_same(&planned.binding, &binding) {
                let publishing = Publishing::new(self, tenant);
                let bound = self.store.bind_plugin(tenant, &binding, action).await;
                let ((), publishing) = publishing.committed(bound)?;
                self.swap(tenant, &binding.plugin).await?;
                publishing.done();
                drop(turn);
                announce(tenant, &binding, &version.digest);
                return Ok(binding);
            }
        }
        Err(ActivateError::Conflict("others change this binding at the same time; try again"))
    }

    async fn plan(
        &self,
        tenant: &str,
        plugin: &str,
        name: &str,
        activation: &Activation,
        actor: &str,
    ) -> Result<Plan, ActivateError> {
        let version = self.known_version(tenant, plugin, activation.version).await?;
        let was = self.binding(tenant, plugin, name).await?.map(|bound| bound.binding);
        let given = |given: &Option<String>, was: Option<&String>, new: &str| {
            given.clone().or_else(|| was.cloned()).unwrap_or_else(|| new.to_owned())
        };
        let was = was.as_ref();
        let standing = match was {
            Some(was) => was.settings_revision,
            // An older version is bound as it came.
            None if self.known_version(tenant, plugin, None).await?.version != version.version => version.revision,
            None => {
                self.store.standing_settings(tenant, plugin).await?.map_or(version.revision, |(revision, _)| revision)
            }
        };
        let binding = Binding {
            plugin: plugin.to_owned(),
            name: name.to_owned(),
            version: version.version,
            settings_revision: activation.settings_revision.unwrap_or(standing.max(version.revision)),
            // Streams have theirs in lower case, whatever an encoder was told.
            domain: given(&activation.domain.as_deref().map(str::to_ascii_lowercase), was.map(|was| &was.domain), "*"),
            app: given(&activation.app, was.map(|was| &was.app), "*"),
            stream: given(&activation.stream, was.map(|was| &was.stream), "*"),
            priority: activation.priority.or(was.map(|was| was.priority)).unwrap_or(0),
            failure_policy: given(&activation.failure_policy, was.map(|was| &was.failure_policy), "fallback"),
            activated_at: clock::now().0,
            activated_by: actor.to_owned(),
        };
        self.with_settings(tenant, binding, version).await
    }

    async fn plan_back(
        &self,
        tenant: &str,
        plugin: &str,
        name: &str,
        to: Option<i64>,
        actor: &str,
    ) -> Result<Plan, ActivateError> {
        let bound = self.binding(tenant, plugin, name).await?.ok_or(ActivateError::No("binding of this plugin"))?;
        let history = self.store.binding_history(tenant, plugin, name).await?;
        let past = match to {
            Some(to) => history.iter().find(|past| past.version == to),
            None => before(&history, (bound.binding.version, bound.binding.settings_revision)),
        };
        let past = past.ok_or(match to {
            Some(_) => ActivateError::Conflict("this binding never had that version, or it was deleted; activate it"),
            None => ActivateError::Conflict("there is nothing further to go back to; `to` names a version it had"),
        })?;
        let version = self.known_version(tenant, plugin, Some(past.version)).await?;
        let binding = Binding {
            version: past.version,
            settings_revision: past.settings_revision,
            activated_at: clock::now().0,
            activated_by: actor.to_owned(),
            ..bound.binding
        };
        self.with_settings(tenant, binding, version).await
    }

    /// A version that must be there; the newest when no number is given.
    pub(super) async fn known_version(
        &self,
        tenant: &str,
        plugin: &str,
        number: Option<i64>,
    ) -> Result<PluginVersion, ActivateError> {
        if let Some(version) = self.store.plugin_version(tenant, plugin, number).await? {
            return Ok(version);
        }
        Err(ActivateError::NotFound(match number {
            Some(number) if self.store.has_plugin(tenant, plugin).await? => {
                format!("version {number} of plugin `{plugin}`")
            }
            _ => format!("plugin `{plugin}`"),
        }))
    }

    async fn binding(&self, tenant: &str, plugin: &str, name: &str) -> store::Result<Option<Bound>> {
        let bound = self.store.bindings(tenant).await?;
        Ok(bound.into_iter().find(|bound| bound.binding.plugin == plugin && bound.binding.name == name))
    }

    async fn with_settings(
        &self,
        tenant: &str,
        binding: Binding,
        version: PluginVersion,
    ) -> Result<Plan, ActivateError> {
        let signed = version.signed_by.is_some() && !version.revoked;
        if !signed && self.store.tenant(tenant).await?.is_some_and(|tenant| tenant.require_signature) {
            return Err(ActivateError::Conflict("the tenant requires signatures, and this version has no valid one"));
        }
        let revision = binding.settings_revision;
        let kept = self.store.plugin_settings(tenant, &binding.plugin, Some(revision)).await?;
        let settings = match kept {
            Some(kept) => kept.settings,
            None if revision == version.revision => version.settings.clone(),
            None => return Err(ActivateError::No("settings revision")),
        };
        Ok(Plan { binding, version, settings })
    }
}

/// What a binding was before it became what it is now, of a history whose newest entry is first. What a roll-back came to
/// counts as from when it was first: what that roll-back left is not before it.
fn before(history: &[BindingPast], now: (i64, i64)) -> Option<&BindingPast> {
    let is_now = |past: &BindingPast| (past.version, past.settings_revision) == now;
    let mut rest = history;
    while let [newest, older @ ..] = rest {
        if !is_now(newest) {
            return Some(newest);
        }
        let first = older.iter().position(is_now).filter(|_| newest.rolled_back);
        rest = first.map_or(older, |first| older.get(first..).unwrap_or_default());
    }
    None
}

fn check(activation: &Activation) -> Result<(), ActivateError> {
    let patterns = [&activation.domain, &activation.app, &activation.stream];
    if !patterns.into_iter().flatten().all(|pattern| is_pattern(pattern)) {
        return Err(ActivateError::Invalid(BAD_PATTERN));
    }
    if activation.name.as_deref().is_some_and(|name| !is_name(name)) {
        return Err(ActivateError::Invalid("a binding's name is 1 to 64 lower-case letters, digits or hyphens"));
    }
    if activation.priority.is_some_and(|priority| !(-MAX_PRIORITY..=MAX_PRIORITY).contains(&priority)) {
        return Err(ActivateError::Invalid("a priority is -1000000 to 1000000"));
    }
    match activation.failure_policy.as_deref() {
        None | Some("fallback" | "reject") => Ok(()),
        Some(_) => Err(ActivateError::Invalid("the failure policy is `fallback` or `reject`")),
    }
}

/// Whether a text can be a pattern. An empty one would fit no stream at all.
pub(super) fn is_pattern(pattern: &str) -> bool {
    (1..=PATTERN_BYTES).contains(&pattern.len())
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= NAME_BYTES && name.bytes().all(plain)
}

/// Whether what was made ready for one is ready for the other.
fn is_same(a: &Binding, b: &Binding) -> bool {
    (a.version, a.settings_revision) == (b.version, b.settings_revision)
}

fn announce(tenant: &str, binding: &Binding, digest: &str) {
    tracing::info!(
        tenant.id = tenant,
        plugin = binding.plugin,
        binding = binding.name,
        version = binding.version,
        settings_revision = binding.settings_revision,
        digest,
        "a plugin version is active"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::testkit::{World, noon, plugin_version};

    #[test]
    fn a_pattern_has_a_length() {
        for (pattern, is_one) in
            [("*", true), ("a", true), (&*"a".repeat(255), true), ("", false), (&*"a".repeat(256), false)]
        {
            let given = Some(pattern.to_owned());
            for activation in [
                Activation { domain: given.clone(), ..Activation::default() },
                Activation { app: given.clone(), ..Activation::default() },
                Activation { stream: given.clone(), ..Activation::default() },
            ] {
                let checked = check(&activation);
                assert_eq!(checked.is_ok(), is_one, "{activation:?}: {checked:?}");
            }
        }
    }

    #[test]
    fn a_priority_is_a_small_number() {
        for (priority, is_one) in [(0, true), (-MAX_PRIORITY, true), (MAX_PRIORITY + 1, false), (i64::MIN, false)] {
            let checked = check(&Activation { priority: Some(priority), ..Activation::default() });
            assert_eq!(checked.is_ok(), is_one, "{priority}");
        }
    }

    #[tokio::test]
    async fn a_new_binding_has_the_settings_that_stand() {
        let world = World::new().await;
        world.tenant("acme").await;
        world.store.push_plugin("acme", &plugin_version("p", "callback"), noon()).await.unwrap();
        let config = Config::parse("").unwrap().policies;
        let policies = Policies::new(&config, world.store.clone(), Arc::clone(&world.files), [9; 32]).unwrap();
        let planned = async |activation: Activation| {
            policies.plan("acme", "p", "cup", &activation, "admin").await.unwrap().binding
        };
        assert_eq!(planned(Activation::default()).await.settings_revision, 1, "those that came with it");
        world.store.put_plugin_settings("acme", "p", "{\"x\":1}", &[], "admin", 5).await.unwrap();
        assert_eq!(planned(Activation::default()).await.settings_revision, 2, "those that were set before");
        let named = Activation { settings_revision: Some(1), ..Activation::default() };
        assert_eq!(planned(named).await.settings_revision, 1);
        let domain = Some("Push.Acme.Example".to_owned());
        assert_eq!(planned(Activation { domain, ..Activation::default() }).await.domain, "push.acme.example");
    }
}
