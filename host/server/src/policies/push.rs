//! Pushes: a component is inspected, compiled in a limited child process, started once and shown its settings before it
//! has a version number. A version that fails any of it never exists.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use reprise_policy::{
    AdmissionLimits, Assets, Class, CompileError, CompileLimits, Inspection, LoadError, Refused, SettingsError,
    inspect, schema,
};
use tokio::time::Instant;

use super::Policies;
use super::fair::NoTurn;
use super::signature::{BadSignature, signer};
use crate::clock;
use crate::store;
use crate::store::plugins::{NO_SETTINGS, NewVersion, PluginVersion, UNSIGNED};
use crate::store::quotas::Quotas;
use crate::store::signing::SigningKey;

/// Longest plugin name.
const NAME_BYTES: usize = 64;

/// How long a push may wait for its turn, beside the longest that another's compile takes: a few tenants' large components,
/// each of which takes a compiler half a minute.
const PUSH_WITHIN: Duration = Duration::from_secs(120);

/// What is pushed.
#[derive(Clone, Debug)]
pub struct Push {
    /// The plugin's name.
    pub plugin: String,
    /// The component.
    pub component: Pushed,
    /// The settings; those of the default binding when absent, or else the plugin's newest.
    pub settings: Option<String>,
    /// The signature.
    pub signature: Option<Signed>,
    /// Who pushes.
    pub actor: String,
}

/// The component of a push.
#[derive(Clone, Debug)]
pub enum Pushed {
    /// Its bytes.
    Bytes(Vec<u8>),
    /// The digest of one that the tenant uploaded.
    Digest(String),
}

/// A signature as it is given.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Base64.
    pub signature: String,
    /// Which of the tenant's keys made it; any of them when absent.
    pub key: Option<String>,
}

/// Why a component was not accepted. The last three are for the operator, the one before them passes, the others are for
/// its author.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The name cannot be one.
    #[error("a plugin's name is 1 to 64 lower-case letters, digits or hyphens")]
    Name,
    /// The tenant has no component of this digest.
    #[error("this tenant uploaded no component of this digest; PUT it first")]
    NotUploaded,
    /// The tenant takes signed components only.
    #[error("{UNSIGNED}")]
    Unsigned,
    /// The signature is not good.
    #[error("{0}")]
    Signature(#[from] BadSignature),
    /// It is not a component that we can run.
    #[error("the component is refused: {0}")]
    Refused(#[from] Refused),
    /// It does not compile within the limits.
    #[error("the component does not compile: {0}")]
    Compile(#[from] CompileError),
    /// It cannot be started, or its functions have other types.
    #[error("the component cannot be loaded: {0}")]
    Load(#[from] LoadError),
    /// It does not accept its settings.
    #[error("the settings are not accepted: {0}")]
    Settings(#[from] SettingsError),
    /// Too many are pushed at once.
    #[error("the component cannot be looked at now: {0}")]
    Busy(#[from] NoTurn),
    /// The catalogue failed, or a quota is used up.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The component could not be kept.
    #[error("the component could not be kept: {0}")]
    Files(#[from] io::Error),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

impl Policies {
    /// What a tenant may have of plugins for which nothing else is set.
    pub fn quotas(&self) -> Quotas {
        self.quotas
    }

    /// Counts an upload or a push of a tenant. Whoever takes one does so before its body is read, so that those which are
    /// refused, or never end, count too.
    ///
    /// # Errors
    /// When there were too many in the last hour, or the catalogue failed.
    pub async fn count_upload(&self, tenant: &str) -> store::Result<()> {
        self.store.count_upload(tenant, &self.quotas, clock::now()).await
    }

    /// Accepts a component with its settings as a new version of a tenant's plugin.
    ///
    /// # Errors
    /// Why not; nothing is kept then.
    pub async fn push(self: &Arc<Self>, tenant: &str, push: Push) -> Result<PluginVersion, PushError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if push.plugin.is_empty() || push.plugin.len() > NAME_BYTES || !push.plugin.bytes().all(plain) {
            return Err(PushError::Name);
        }
        let class = self.class_of(tenant, &push.component).await?;
        let deadline = Instant::now() + CompileLimits::of(class).wall + PUSH_WITHIN;
        let turn = self.turns.pushing.of(class).acquire(tenant, deadline).await?;
        // From the disk only now, so that who waits holds none of it.
        let component = Arc::new(self.bytes_of(push.component).await?);
        let signer = self.signer(tenant, push.signature.clone(), &component).await?;
        let standing = self.store.standing_settings(tenant, &push.plugin).await?.map(|(_, settings)| settings);
        let settings_given = push.settings.is_some();
        let settings = push.settings.or(standing).unwrap_or_else(|| NO_SETTINGS.to_owned());

        let (policies, owner) = (Arc::clone(self), tenant.to_owned());
        let (bytes, given) = (Arc::clone(&component), settings.clone());
        let admitted = blocking(move || {
            // Held for as long as the thread is, even if nobody waits for the answer any more.
            let _turn = turn;
            policies.admit(&owner, &bytes, &given)
        });
        let inspection = admitted.await?;

        let uses =
            [(inspection.uses_state, "state"), (inspection.uses_assets, "assets"), (inspection.uses_wasi, "wasi")];
        let uses: Vec<&str> = uses.into_iter().filter_map(|(does, what)| does.then_some(what)).collect();
        let hooks: Vec<&str> = inspection.hooks.iter().map(|hook| hook.name()).collect();
        let version = PluginVersion {
            plugin: push.plugin,
            digest: inspection.digest,
            bytes: i64::try_from(component.len()).unwrap_or(i64::MAX),
            interface: inspection.interface,
            hooks: hooks.join(","),
            class: inspection.class.name().to_owned(),
            settings,
            pushed_at: clock::now().0,
            pushed_by: push.actor,
            signature: signer.as_ref().and(push.signature).map(|signed| signed.signature.trim().to_owned()),
            signed_by: signer.as_ref().map(|key| key.name.clone()),
            uses: uses.join(","),
            schema: inspection.schema,
            ..PluginVersion::default()
        };
        let public_key = signer.as_ref().map(|key| key.public_key.as_str());
        let new = NewVersion { version: &version, settings_given, public_key, quotas: &self.quotas };
        let version = self.store.add_version(tenant, new).await?;
        tracing::info!(
            tenant.id = tenant,
            plugin = version.plugin,
            version = version.version,
            digest = version.digest,
            signed_by = version.signed_by,
            "a plugin version was accepted"
        );
        Ok(version)
    }

    /// In which queue a component waits: that of scripts if it is as large as they are. One that only has large assets
    /// waits there too.
    async fn class_of(&self, tenant: &str, component: &Pushed) -> Result<Class, PushError> {
        let bytes = match component {
            Pushed::Bytes(bytes) => bytes.len(),
            Pushed::Digest(digest) => {
                let uploaded = self.store.component(tenant, digest).await?.ok_or(PushError::NotUploaded)?;
                usize::try_from(uploaded.bytes).unwrap_or(usize::MAX)
            }
        };
        let is_large = bytes > AdmissionLimits::standard().size_bytes;
        Ok(if is_large { Class::Scripted } else { Class::Standard })
    }

    async fn bytes_of(self: &Arc<Self>, component: Pushed) -> Result<Vec<u8>, PushError> {
        let digest = match component {
            Pushed::Bytes(bytes) => return Ok(bytes),
            Pushed::Digest(digest) => digest,
        };
        let files = Arc::clone(&self.files);
        match blocking(move || Ok(files.read_component(&digest))).await? {
            // Its file went or was damaged: the upload that follows mends it.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
                Err(PushError::NotUploaded)
            }
            read => Ok(read?),
        }
    }

    /// The key that signed the component. A signature that is given is verified also where none is needed.
    async fn signer(
        &self,
        tenant: &str,
        signed: Option<Signed>,
        component: &Arc<Vec<u8>>,
    ) -> Result<Option<SigningKey>, PushError> {
        let Some(signed) = signed else {
            let tenant = self.store.tenant(tenant).await?;
            // Asked here so that nothing is compiled in vain; what counts is asked again when the version is added.
            return if tenant.is_some_and(|tenant| tenant.require_signature) {
                Err(PushError::Unsigned)
            } else {
                Ok(None)
            };
        };
        let keys = self.store.signing_keys(tenant).await?;
        let component = Arc::clone(component);
        let verified = move || Ok(signer(&keys, signed.key.as_deref(), &component, &signed.signature)?.clone());
        blocking(verified).await.map(Some)
    }

    /// Everything that a component must pass, then its files.
    fn admit(&self, tenant: &str, component: &[u8], settings: &str) -> Result<Inspection, PushError> {
        let inspection = inspect(component, &self.admission)?;
        let loaded = self.load_fresh(component, &inspection)?;
        let limits = self.defaults.of(&loaded);
        self.evaluator.trial(&loaded, limits)?;
        if let Some(schema) = &inspection.schema {
            schema::check(schema, settings, &self.compiler, &CompileLimits::settings())?;
        }
        // Settings may name an asset, so the check sees what the component carries.
        let carried = inspection.assets.iter();
        let carried = carried.filter_map(|(path, place)| Some((path.clone(), component.get(place.clone())?.to_vec())));
        let carried: BTreeMap<String, Vec<u8>> = carried.collect();
        let assets: Arc<dyn Assets> = Arc::new(carried.clone());
        self.evaluator.check_settings(&loaded, settings, &assets, limits)?;
        self.files.keep_component(&inspection.digest, component)?;
        self.loaded.insert(loaded, tenant);
        let files = carried.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()));
        self.files.unpack_assets(&inspection.digest, &files.collect::<Vec<_>>())?;
        Ok(inspection)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PushError> + Send + 'static,
) -> Result<T, PushError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| PushError::Stopping)?
}
