//! What one tenant may have of plugins, and what it is told when that is used up. The numbers are counted in the
//! transaction that would add to them, so that two requests at once cannot both take the last place.

use std::fmt;

use crate::config;

/// How much one tenant may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Plugins.
    pub plugins: i64,
    /// Versions of one plugin.
    pub versions_per_plugin: i64,
    /// Bytes of distinct components.
    pub component_bytes: i64,
    /// Uploads and pushes in an hour.
    pub uploads_per_hour: i64,
    /// Signing keys that are not revoked.
    pub signing_keys: i64,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// [`Quotas::plugins`].
    Plugins,
    /// [`Quotas::versions_per_plugin`].
    VersionsPerPlugin,
    /// [`Quotas::component_bytes`].
    ComponentBytes,
    /// [`Quotas::uploads_per_hour`].
    UploadsPerHour,
    /// [`Quotas::signing_keys`].
    SigningKeys,
}

/// A quota is used up. The tenant must make room, or the operator give more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverQuota {
    /// Which.
    pub quota: Quota,
    /// How much is used.
    pub used: i64,
    /// How much more was asked for.
    pub wanted: i64,
    /// How much there is.
    pub limit: i64,
}

impl From<config::Quotas> for Quotas {
    fn from(config: config::Quotas) -> Self {
        Self {
            plugins: config.plugins.into(),
            versions_per_plugin: config.versions_per_plugin.into(),
            component_bytes: i64::from(config.component_mib) << 20,
            uploads_per_hour: config.uploads_per_hour.into(),
            signing_keys: config.signing_keys.into(),
        }
    }
}

impl Quotas {
    /// Whether there is room for `wanted` more beside what is `used`.
    ///
    /// # Errors
    /// [`OverQuota`] when there is not.
    pub fn check(&self, quota: Quota, used: i64, wanted: i64) -> Result<(), OverQuota> {
        let limit = match quota {
            Quota::Plugins => self.plugins,
            Quota::VersionsPerPlugin => self.versions_per_plugin,
            Quota::ComponentBytes => self.component_bytes,
            Quota::UploadsPerHour => self.uploads_per_hour,
            Quota::SigningKeys => self.signing_keys,
        };
        if used.saturating_add(wanted) > limit { Err(OverQuota { quota, used, wanted, limit }) } else { Ok(()) }
    }
}

impl OverQuota {
    /// Whether it passes by itself.
    pub fn passes(&self) -> bool {
        self.quota == Quota::UploadsPerHour
    }
}

impl fmt::Display for OverQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { quota, used, wanted, limit } = self;
        match quota {
            Quota::Plugins => write!(f, "{used} of {limit} plugins are used; delete one that no stream uses"),
            Quota::VersionsPerPlugin => {
                write!(f, "{used} of {limit} versions of this plugin are used; delete versions that no stream uses")
            }
            Quota::ComponentBytes => write!(
                f,
                "{used} of {limit} bytes of components are used and this one has {wanted}; delete versions that no \
                 stream uses (a component that no version uses goes by itself a day after its upload)"
            ),
            Quota::UploadsPerHour => {
                write!(f, "{used} of {limit} uploads and pushes of the last hour are used; try again later")
            }
            Quota::SigningKeys => write!(f, "{used} of {limit} signing keys are used; remove one"),
        }?;
        f.write_str(", or ask the operator for more")
    }
}

impl std::error::Error for OverQuota {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_place_is_given_and_the_next_one_names_what_is_used_up() {
        let quotas =
            Quotas { plugins: 2, versions_per_plugin: 2, component_bytes: 100, uploads_per_hour: 2, signing_keys: 2 };
        let each = [Quota::Plugins, Quota::VersionsPerPlugin, Quota::UploadsPerHour, Quota::SigningKeys];
        for quota in each {
            assert_eq!(quotas.check(quota, 1, 1), Ok(()));
            let told = quotas.check(quota, 2, 1).unwrap_err().to_string();
            assert!(told.starts_with("2 of 2 ") && told.contains("operator"), "{told}");
        }
        assert_eq!(quotas.check(Quota::ComponentBytes, 60, 40), Ok(()));
        let told = quotas.check(Quota::ComponentBytes, 60, 41).unwrap_err().to_string();
        assert!(told.starts_with("60 of 100 bytes") && told.contains("has 41"), "{told}");
        assert!(quotas.check(Quota::ComponentBytes, 1, i64::MAX).is_err(), "no sum overflows into room");
    }
}
