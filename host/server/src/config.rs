//! The configuration: one typed value, loaded and checked whole before a port is bound or a file is made.
//! Its defaults are the documented file `default.toml`, compiled in.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::store::changes::KeptChanges;
use crate::store::decisions::Retention;

/// The documented defaults.
pub const DEFAULT_TOML: &str = include_str!("default.toml");

/// What is wrong with a configuration; the operator must mend it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not what the documentation says.
    #[error("the configuration {path} is not valid")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: Box<toml::de::Error>,
    },
    /// A value cannot work.
    #[error("configuration key `{key}`: {why}")]
    Value {
        /// Which key.
        key: &'static str,
        /// Why not.
        why: &'static str,
    },
}

/// Everything that can be configured.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The data folder.
    pub data: PathBuf,
    /// The HTTP listener.
    pub http: SocketAddr,
    /// The RTMP listener.
    pub rtmp: SocketAddr,
    /// What URLs begin with; empty for the HTTP address.
    pub public_url: String,
    /// Limits.
    pub limits: Limits,
    /// What becomes of what is removed.
    pub storage: Storage,
    /// ffmpeg.
    pub jobs: Jobs,
    /// Guests.
    pub policies: Policies,
    /// Callbacks.
    pub callbacks: Callbacks,
    /// Logs.
    pub logs: Logs,
}

/// Limits on tenants and strangers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Shortest recording cycle.
    pub min_cycle_seconds: u32,
    /// Shortest break window.
    pub min_break_seconds: u32,
    /// RTMP connections at once.
    pub rtmp_connections: usize,
    /// RTMP connections at once from one address.
    pub rtmp_connections_per_address: usize,
    /// Publishers at once of one tenant.
    pub publishers_per_tenant: usize,
    /// Free disk below which publishers are refused.
    pub disk_reserve_mib: u64,
    /// Free disk below which running recordings are ended.
    pub disk_stop_mib: u64,
}

/// What becomes of what is removed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// How long the files of what was removed stay in the trash.
    pub trash_seconds: u64,
    /// How often expired videos and old files are looked for.
    pub sweep_seconds: u64,
}

/// How ffmpeg is run.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    /// Processes at once; 0 derives it from the cores.
    pub workers: usize,
    /// Parts that are encoded while they are recorded, at once; 0 is none, below 0 derives it from the cores.
    pub following: i32,
    /// The encoder.
    pub ffmpeg: PathBuf,
    /// The prober.
    pub ffprobe: PathBuf,
    /// Whether a missing sandbox layer is fatal.
    pub strict_sandbox: bool,
}

/// How guests are run.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policies {
    /// Calls at once.
    pub concurrent: usize,
    /// Calls at once for one tenant.
    pub concurrent_per_tenant: usize,
    /// Calls of one tenant in a second, on the average.
    pub calls_per_second: u32,
    /// Calls of one tenant that may come at once after a pause.
    pub calls_burst: u32,
    /// Failures in a row after which a version is not asked for a while.
    pub breaker_failures: u32,
    /// How long it is not asked then.
    pub breaker_seconds: u64,
    /// How long it is not asked at most, when it fails again and again.
    pub breaker_max_seconds: u64,
    /// How long a call waits for its turn.
    pub wait_ms: u64,
    /// Processor time of one call.
    pub deadline_ms: u64,
    /// Wall clock of one call.
    pub wall_ms: u64,
    /// Fuel of one call.
    pub fuel: u64,
    /// Whether components that carry a script language's runtime are taken.
    pub scripted: bool,
    /// Policies kept in memory.
    pub loaded: usize,
    /// Their machine code together.
    pub loaded_mib: u32,
    /// Machine code kept on disk.
    pub code_cache_mib: u32,
    /// Days that decisions are kept; 0 is for ever.
    pub decision_days: u32,
    /// Decisions that are kept of one tenant; 0 is no bound.
    pub decisions_per_tenant: u32,
    /// Changes that are kept of one tenant; 0 is no bound.
    pub changes_per_tenant: u32,
    /// Changes that are kept of all tenants together; 0 is no bound.
    pub changes: u32,
    /// Threads of backtests; 0 derives it from the cores.
    pub backtest_threads: usize,
    /// What one tenant may have.
    pub quotas: Quotas,
}

impl Policies {
    /// How long decisions are kept.
    pub fn retention(&self) -> Retention {
        Retention { days: self.decision_days, per_tenant: self.decisions_per_tenant }
    }

    /// How many changes are kept.
    pub fn kept_changes(&self) -> KeptChanges {
        KeptChanges { per_tenant: self.changes_per_tenant, in_all: self.changes }
    }
}

/// What one tenant may have of plugins.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// Plugins.
    pub plugins: u32,
    /// Versions of one plugin.
    pub versions_per_plugin: u32,
    /// Distinct components together.
    pub component_mib: u32,
    /// Uploads and pushes in an hour.
    pub uploads_per_hour: u32,
    /// Signing keys.
    pub signing_keys: u32,
}

/// How callbacks are sent.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callbacks {
    /// Private ranges that are allowed.
    pub allow_private: Vec<ipnet::IpNet>,
    /// One clock over the whole attempt.
    pub timeout_ms: u64,
}

/// How logs look.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logs {
    /// What is logged.
    pub filter: String,
    /// As JSON lines.
    pub json: bool,
}

impl Config {
    /// The defaults, with `file` laid over them when given.
    ///
    /// # Errors
    /// When the file cannot be read, has an unknown key, or holds a value that cannot work.
    pub fn load(file: Option<&Path>) -> Result<Self, Error> {
        let over = match file {
            Some(path) => {
                std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?
            }
            None => String::new(),
        };
        let path = file.map_or_else(|| PathBuf::from("(defaults)"), Path::to_owned);
        Self::parse(&over).map_err(|source| Error::Parse { path, source: Box::new(source) })
    }

    /// The defaults with `over` laid over them.
    ///
    /// # Errors
    /// When `over` is not TOML, or has a key or type that the defaults do not.
    pub fn parse(over: &str) -> Result<Self, toml::de::Error> {
        let mut whole: toml::Table = toml::from_str(DEFAULT_TOML)?;
        let over: toml::Table = toml::from_str(over)?;
        lay(&mut whole, over);
        whole.try_into()
    }

    /// Whether every value can work together.
    ///
    /// # Errors
    /// The first value that cannot.
    pub fn check(&self) -> Result<(), Error> {
        let url = &self.public_url;
        let is_url = url.is_empty() || url.starts_with("http://") || url.starts_with("https://");
        let checks: [(bool, &'static str, &'static str); 8] = [
            (is_url, "public_url", "must begin with http:// or https://"),
            (self.limits.min_cycle_seconds >= 1, "limits.min_cycle_seconds", "must be at least 1"),
            (self.limits.min_break_seconds >= 1, "limits.min_break_seconds", "must be at least 1"),
            (self.limits.rtmp_connections >= 1, "limits.rtmp_connections", "must be at least 1"),
            (self.storage.sweep_seconds >= 1, "storage.sweep_seconds", "must be at least 1"),
            (self.policies.concurrent >= 1, "policies.concurrent", "must be at least 1"),
            (self.policies.deadline_ms >= 1, "policies.deadline_ms", "must be at least 1"),
            (self.callbacks.timeout_ms >= 100, "callbacks.timeout_ms", "must be at least 100"),
        ];
        match checks.into_iter().find(|(holds, _, _)| !holds) {
            Some((_, key, why)) => Err(Error::Value { key, why }),
            None => Ok(()),
        }
    }
}

/// Lays a table over another, key by key and section by section.
fn lay(whole: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (whole.get_mut(&key), value) {
            (Some(toml::Value::Table(section)), toml::Value::Table(entries)) => lay(section, entries),
            (_, value) => {
                whole.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_defaults_are_the_defaults() {
        let config = Config::parse("").unwrap();
        assert_eq!(config.limits.min_cycle_seconds, 300);
        assert_eq!(config.http.to_string(), "127.0.0.1:8080");
        config.check().unwrap();
    }

    #[test]
    fn a_file_lies_over_the_defaults_key_by_key() {
        let config = Config::parse("[limits]\nmin_cycle_seconds = 2\n").unwrap();
        assert_eq!((config.limits.min_cycle_seconds, config.limits.min_break_seconds), (2, 15));
        let quotas = Config::parse("[policies.quotas]\nplugins = 3\n").unwrap().policies.quotas;
        assert_eq!((quotas.plugins, quotas.signing_keys), (3, 8));
    }

    #[test]
    fn an_unknown_key_or_a_wrong_type_is_refused_by_name() {
        let unknown = Config::parse("[limits]\nmin_cycle = 2\n").unwrap_err().to_string();
        assert!(unknown.contains("min_cycle"), "{unknown}");
        assert!(Config::parse("[callbacks]\nallow_private = [\"home\"]\n").is_err());
        assert!(Config::parse("http = \"nowhere\"\n").is_err());
    }

    #[test]
    fn an_error_and_its_cause_are_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("reprise.toml");
        let told = || format!("{:#}", anyhow::Error::from(Config::load(Some(&file)).unwrap_err()));
        let missing = told();
        assert_eq!(missing.matches("No such file").count(), 1, "{missing}");
        for (text, cause) in [("[limits]\nmin_cycle = 2\n", "unknown field"), ("http = \n", "TOML parse error")] {
            std::fs::write(&file, text).unwrap();
            let wrong = told();
            assert!(wrong.contains("reprise.toml is not valid: "), "{wrong}");
            assert_eq!(wrong.matches(cause).count(), 1, "{wrong}");
        }
    }

    #[test]
    fn a_value_that_cannot_work_is_named() {
        let config = Config::parse("public_url = \"ftp://x\"\n").unwrap();
        assert!(config.check().unwrap_err().to_string().contains("public_url"));
    }
}
