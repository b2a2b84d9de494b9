//! Plugins and their immutable versions.

mod remove;
#[cfg(test)]
mod tests;

#[cfg(test)]
use reprise_lifecycle::time::Timestamp;
use serde_json::json;
use sqlx::{FromRow, Sqlite, Transaction};

pub use self::remove::Removed;
use super::changes::{self, Change};
use super::components::{self, Component};
use super::quotas::{Quota, Quotas};
use super::settings::forget_past;
use super::{Error, Result, Store};

/// The settings of a plugin that was never given any.
pub const NO_SETTINGS: &str = "{}";

/// One uploaded version.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow)]
pub struct PluginVersion {
    /// The plugin's name.
    pub plugin: String,
    /// Counts from 1; a number is never given twice.
    pub version: i64,
    /// SHA-256 of the component, lower-case hex; the component is a file of that name.
    pub digest: String,
    /// Size of the component.
    pub bytes: i64,
    /// The interface it exports.
    pub interface: String,
    /// The hooks it has, comma separated.
    pub hooks: String,
    /// `standard` or `scripted`.
    pub class: String,
    /// What it uses beside the question: a comma list of `state`, `assets`, `wasi`.
    pub uses: String,
    /// The JSON Schema of its settings, if it carries one.
    pub schema: Option<String>,
    /// The settings given with it: JSON text.
    pub settings: String,
    /// The revision of those settings.
    pub revision: i64,
    /// When.
    pub pushed_at: i64,
    /// By whom.
    pub pushed_by: String,
    /// The name of the key that signed it.
    pub signed_by: Option<String>,
    /// That key's signature over the component's bytes, in base64.
    pub signature: Option<String>,
    /// Whether that key was revoked since.
    pub revoked: bool,
}

/// A version to be added.
#[derive(Clone, Copy, Debug)]
pub struct NewVersion<'a> {
    /// What it is; its number and its settings' revision are found here.
    pub version: &'a PluginVersion,
    /// Whether its settings were given with it. If not they must still be those that stand.
    pub settings_given: bool,
    /// The public key that its signature was verified with.
    pub public_key: Option<&'a str>,
    /// What a tenant may have for which nothing else is set.
    pub quotas: &'a Quotas,
}

/// All columns of [`PluginVersion`] but those that may be long: tens of kilobytes, times all versions of a tenant.
const LIST: &str = "SELECT plugin, version, digest, bytes, interface, hooks, class, uses, NULL AS schema, '' AS settings, \
                    revision, pushed_at, pushed_by, signed_by, signature, EXISTS (SELECT 1 FROM signing_keys k WHERE \
                    k.tenant = v.tenant AND k.name = v.signed_by AND k.revoked_at IS NOT NULL) AS revoked \
                    FROM plugin_versions v";

/// All columns of [`PluginVersion`].
const SELECT: &str = "SELECT plugin, version, digest, bytes, interface, hooks, class, uses, schema, settings, revision, \
                      pushed_at, pushed_by, signed_by, signature, EXISTS (SELECT 1 FROM signing_keys k WHERE \
                      k.tenant = v.tenant AND k.name = v.signed_by AND k.revoked_at IS NOT NULL) AS revoked \
                      FROM plugin_versions v";

/// The settings that stand: those of the default binding, which may have been rolled back to, or else the newest.
const STANDING: &str = "SELECT revision, settings FROM plugin_settings s WHERE tenant = ?1 AND plugin = ?2 \
     ORDER BY revision = (SELECT settings_revision FROM bindings b WHERE b.tenant = ?1 AND b.plugin = ?2 AND \
     b.name = 'default') DESC, revision DESC LIMIT 1";

impl Store {
    /// Adds a version with the next number and gives it as it is kept. The same component with the same settings as the
    /// newest version is that version, unless this one brings a signature that the other lacks.
    ///
    /// # Errors
    /// [`Error::Quota`]; [`Error::Conflict`] when it must be signed and is not, when its key was revoked, or when the
    /// settings it was checked with are not the newest any more.
    pub async fn add_version(&self, tenant: &str, new: NewVersion<'_>) -> Result<PluginVersion> {
        let version = new.version;
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        check_signature(&mut transaction, tenant, &new).await?;
        let (last_version, last_revision) = plugin(&mut transaction, tenant, &new).await?;
        let standing: Option<(i64, String)> =
            sqlx::query_as(STANDING).bind(tenant).bind(&version.plugin).fetch_optional(&mut *transaction).await?;
        let revision = match standing {
            Some((revision, settings)) if settings == version.settings => Some(revision),
            Some(_) if !new.settings_given => {
                return Err(Error::Conflict("the plugin's settings were changed during the push; push again"));
            }
            _ => None,
        };
        let newest = newest_version(&mut transaction, tenant, &version.plugin).await?;
        // With other settings it is another version: what it is activated with is what its push said.
        if let Some(newest) = newest.filter(|newest| Some(newest.revision) == revision) {
            let as_signed = version.signed_by.is_none() || version.signed_by == newest.signed_by;
            if newest.digest == version.digest && as_signed {
                return Ok(newest);
            }
        }
        let used = sqlx::query_scalar("SELECT count(*) FROM plugin_versions WHERE tenant = ? AND plugin = ?")
            .bind(tenant)
            .bind(&version.plugin)
            .fetch_one(&mut *transaction)
            .await?;
        new.quotas.of(&mut transaction, tenant).await?.check(Quota::VersionsPerPlugin, used, 1)?;
        let component = Component {
            digest: version.digest.clone(),
            bytes: version.bytes,
            uploaded_at: version.pushed_at,
            uploaded_by: version.pushed_by.clone(),
        };
        components::own(&mut transaction, tenant, &component, new.quotas).await?;
        let revision = match revision {
            Some(revision) => revision,
            None => add_settings(&mut transaction, tenant, version, last_revision + 1).await?,
        };
        let added = PluginVersion { version: last_version + 1, revision, revoked: false, ..version.clone() };
        insert(&mut transaction, tenant, &added).await?;
        transaction.commit().await?;
        Ok(added)
    }

    /// A tenant's plugins by name, those without a version too.
    pub async fn plugin_names(&self, tenant: &str) -> Result<Vec<String>> {
        let all = "SELECT name FROM plugins WHERE tenant = ? ORDER BY name";
        Ok(sqlx::query_scalar(all).bind(tenant).fetch_all(&self.reader).await?)
    }

    /// All versions of a tenant's plugins, by name, newest first; without settings and schemas.
    pub async fn plugin_versions(&self, tenant: &str) -> Result<Vec<PluginVersion>> {
        let all = sqlx::AssertSqlSafe(format!("{LIST} WHERE tenant = ? ORDER BY plugin, version DESC"));
        Ok(sqlx::query_as(all).bind(tenant).fetch_all(&self.reader).await?)
    }

    /// One version; the newest when no number is given.
    pub async fn plugin_version(
        &self,
        tenant: &str,
        plugin: &str,
        version: Option<i64>,
    ) -> Result<Option<PluginVersion>> {
        let one = sqlx::AssertSqlSafe(format!(
            "{SELECT} WHERE tenant = ?1 AND plugin = ?2 AND (?3 IS NULL OR version = ?3) ORDER BY version DESC LIMIT 1"
        ));
        Ok(sqlx::query_as(one).bind(tenant).bind(plugin).bind(version).fetch_optional(&self.reader).await?)
    }

    /// The settings that stand, if the plugin has some: a version gets them that comes without any.
    pub async fn standing_settings(&self, tenant: &str, plugin: &str) -> Result<Option<(i64, String)>> {
        Ok(sqlx::query_as(STANDING).bind(tenant).bind(plugin).fetch_optional(&self.reader).await?)
    }
}

/// The switch and the key as they are now: both may have changed since the signature was verified.
async fn check_signature(transaction: &mut Transaction<'_, Sqlite>, tenant: &str, new: &NewVersion<'_>) -> Result<()> {
    let required = "SELECT require_signature FROM tenants WHERE name = ?";
    let required: bool = sqlx::query_scalar(required).bind(tenant).fetch_one(&mut **transaction).await?;
    let Some(name) = &new.version.signed_by else {
        return if required { Err(Error::Conflict(UNSIGNED)) } else { Ok(()) };
    };
    let good = "SELECT EXISTS (SELECT 1 FROM signing_keys WHERE tenant = ? AND name = ? AND public_key = ? \
                AND revoked_at IS NULL)";
    let good: bool = sqlx::query_scalar(good)
        .bind(tenant)
        .bind(name)
        .bind(new.public_key.unwrap_or_default())
        .fetch_one(&mut **transaction)
        .await?;
    if good { Ok(()) } else { Err(Error::Conflict("the key that signed this was revoked; sign with another one")) }
}

/// What an unsigned push is told.
pub const UNSIGNED: &str = "this tenant takes signed components only: sign it (`reprise plugin sign`) with one of the \
                            tenant's keys and push it with the signature";

/// The plugin, made if it is new: its last version and its last revision of settings.
async fn plugin(transaction: &mut Transaction<'_, Sqlite>, tenant: &str, new: &NewVersion<'_>) -> Result<(i64, i64)> {
    let name = &new.version.plugin;
    let known = "SELECT p.last_version, (SELECT coalesce(max(revision), 0) FROM plugin_settings s \
                 WHERE s.tenant = p.tenant AND s.plugin = p.name) FROM plugins p WHERE tenant = ? AND name = ?";
    let known: Option<(i64, i64)> =
        sqlx::query_as(known).bind(tenant).bind(name).fetch_optional(&mut **transaction).await?;
    if let Some(known) = known {
        return Ok(known);
    }
    let used = sqlx::query_scalar("SELECT count(*) FROM plugins WHERE tenant = ?")
        .bind(tenant)
        .fetch_one(&mut **transaction)
        .await?;
    new.quotas.of(transaction, tenant).await?.check(Quota::Plugins, used, 1)?;
    let before =
        "SELECT last_version, settings_revision, state_revision FROM deleted_plugins WHERE tenant = ? AND name = ?";
    let before: Option<(i64, i64, i64)> =
        sqlx::query_as(before).bind(tenant).bind(name).fetch_optional(&mut **transaction).await?;
    let (version, revision, state) = before.unwrap_or_default();
    sqlx::query("INSERT INTO plugins (tenant, name, created_at, last_version, state_revision) VALUES (?, ?, ?, ?, ?)")
        .bind(tenant)
        .bind(name)
        .bind(new.version.pushed_at)
        .bind(version)
        .bind(state)
        .execute(&mut **transaction)
        .await?;
    Ok((version, revision))
}

async fn newest_version(
    transaction: &mut Transaction<'_, Sqlite>,
    tenant: &str,
    plugin: &str,
) -> Result<Option<PluginVersion>> {
    let newest = sqlx::AssertSqlSafe(format!("{SELECT} WHERE tenant = ? AND plugin = ? ORDER BY version DESC LIMIT 1"));
    Ok(sqlx::query_as(newest).bind(tenant).bind(plugin).fetch_optional(&mut **transaction).await?)
}

/// Adds the settings that came with a version as the plugin's newest revision, and gives that.
async fn add_settings(
    transaction: &mut Transaction<'_, Sqlite>,
    tenant: &str,
    version: &PluginVersion,
    revision: i64,
) -> Result<i64> {
    let add = "INSERT INTO plugin_settings (tenant, plugin, revision, settings, created_at, created_by) \
               VALUES (?, ?, ?, ?, ?, ?)";
    sqlx::query(add)
        .bind(tenant)
        .bind(&version.plugin)
        .bind(revision)
        .bind(&version.settings)
        .bind(version.pushed_at)
        .bind(&version.pushed_by)
        .execute(&mut **transaction)
        .await?;
    forget_past(transaction, tenant, &version.plugin, revision).await?;
    Ok(revision)
}

async fn insert(transaction: &mut Transaction<'_, Sqlite>, tenant: &str, added: &PluginVersion) -> Result<()> {
    sqlx::query("UPDATE plugins SET last_version = ? WHERE tenant = ? AND name = ?")
        .bind(added.version)
        .bind(tenant)
        .bind(&added.plugin)
        .execute(&mut **transaction)
        .await?;
    let add = "INSERT INTO plugin_versions (tenant, plugin, version, digest, bytes, interface, hooks, class, uses, schema, \
               settings, revision, pushed_at, pushed_by, signed_by, signature) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    sqlx::query(add)
        .bind(tenant)
        .bind(&added.plugin)
        .bind(added.version)
        .bind(&added.digest)
        .bind(added.bytes)
        .bind(&added.interface)
        .bind(&added.hooks)
        .bind(&added.class)
        .bind(&added.uses)
        .bind(&added.schema)
        .bind(&added.settings)
        .bind(added.revision)
        .bind(added.pushed_at)
        .bind(&added.pushed_by)
        .bind(&added.signed_by)
        .bind(&added.signature)
        .execute(&mut **transaction)
        .await?;
    let detail = json!({
        "version": added.version,
        "digest": added.digest,
        "settings_revision": added.revision,
        "signed_by": added.signed_by,
    });
    let change = Change { tenant, actor: &added.pushed_by, action: "push", plugin: Some(&added.plugin), detail };
    changes::write(transaction, &change, added.pushed_at).await
}

#[cfg(test)]
impl Store {
    /// A version with its settings, past all checks of its component: for tests of what comes after a push.
    pub(crate) async fn push_plugin(
        &self,
        tenant: &str,
        version: &PluginVersion,
        now: Timestamp,
    ) -> Result<(i64, i64)> {
        let quotas = crate::config::Config::parse("").unwrap().policies.quotas.into();
        let version = PluginVersion { pushed_at: now.0, pushed_by: "admin".to_owned(), ..version.clone() };
        let new = NewVersion { version: &version, settings_given: true, public_key: None, quotas: &quotas };
        let added = self.add_version(tenant, new).await?;
        Ok((added.version, added.revision))
    }
}
