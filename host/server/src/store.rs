//! The catalogue: the only truth about what exists. SQL lives below this module and nowhere else, and nothing
//! outside knows which database it is. Every read and write that belongs to a tenant takes the tenant.
//!
//! SQLite with one writing connection (a second writer would only wait) and a few reading ones; WAL with
//! `synchronous=FULL`, because with NORMAL acknowledged commits vanish at a power cut.

pub mod analyses;
pub mod backtests;
pub mod bindings;
pub mod changes;
pub mod components;
pub mod decisions;
pub mod deliveries;
pub mod editing;
pub mod images;
pub mod journal;
pub mod limits;
pub mod live_bans;
pub mod live_notices;
pub mod live_notify;
pub mod live_publishes;
pub mod message_callbacks;
pub mod outbox;
pub mod picture_templates;
pub mod playback;
pub mod plugins;
mod projection;
mod questions;
mod queue;
pub mod quotas;
pub mod record_configs;
pub mod record_settings;
pub mod rollouts;
pub mod seal;
pub mod search;
pub mod sessions;
pub mod settings;
pub mod signing;
pub mod state;
mod sweep;
pub mod template_groups;
pub mod tenants;
pub mod video_info;
pub mod videos;

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqlitePool};

use self::seal::Seal;

/// The oldest SQLite whose WAL can be trusted; older ones can lose a commit when the log is reset.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// Readers beside the one writer; more would only wait for the two or three cores below them.
const READERS: u32 = 4;

/// Readers for searches alone. A search reads all of a tenant's videos, as often as the tenant likes: on the readers of
/// everybody it would keep viewers and publishers waiting.
const SEARCHERS: u32 = 2;

/// How long a statement waits for a lock before it fails; only a backup tool can hold one that long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What can go wrong with the catalogue. The operator must act on each, except `Conflict` and `Quota`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused.
    #[error("the catalogue failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the catalogue's schema could not be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The bundled SQLite is not the one that was tested.
    #[error("this build carries SQLite {0}, which is too old to be trusted with the journal")]
    OldSqlite(String),
    /// Somebody else wrote first.
    #[error("another writer was first: {0}")]
    Conflict(&'static str),
    /// Others have all there is; it passes.
    #[error("{0}")]
    Busy(&'static str),
    /// The tenant has as much as it may.
    #[error(transparent)]
    Quota(#[from] quotas::OverQuota),
    /// A stored text is not what this version wrote.
    #[error("a stored {what} cannot be read: {source}")]
    Unreadable {
        /// What it should have been.
        what: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
    /// A sealed secret does not open with this data folder's key.
    #[error("a stored secret does not open: is `master-key` the one this catalogue was made with?")]
    Sealed,
}

/// The result of every call below.
pub type Result<T> = std::result::Result<T, Error>;

/// The catalogue.
#[derive(Clone)]
pub struct Store {
    reader: SqlitePool,
    searcher: SqlitePool,
    writer: SqlitePool,
    seal: Seal,
    /// Rung after commits with decisions in them.
    decided: tokio::sync::watch::Sender<()>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens (or makes) the catalogue in `file` and brings its schema up to date.
    ///
    /// # Errors
    /// When the file cannot be opened, the schema cannot be migrated, or SQLite is too old.
    pub async fn open(file: &Path, seal: Seal) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        // A connection to a file in this machine does not die while nobody uses it, and it is looked at when it comes
        // back: to ask it before each statement whether it lives would be one more thread woken for every read.
        let pool = |connections| SqlitePoolOptions::new().max_connections(connections).test_before_acquire(false);
        let writer = pool(1)
            // A full disk makes SQLite end a transaction by itself. The connection's books then never come right
            // again, so it gives way to a fresh one.
            .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
            .connect_with(options.clone())
            .await?;
        let reader = pool(READERS).connect_with(options.clone()).await?;
        let searcher = pool(SEARCHERS).connect_with(options).await?;
        check_version(&writer).await?;
        sqlx::migrate!("./migrations").run(&writer).await?;
        Ok(Self { reader, searcher, writer, seal, decided: tokio::sync::watch::Sender::default() })
    }

    /// Writes the log back and closes every connection.
    pub async fn close(&self) {
        self.searcher.close().await;
        self.reader.close().await;
        self.writer.close().await;
    }

    /// Whether the catalogue can be written: an empty write transaction.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn check_writable(&self) -> Result<()> {
        let transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        transaction.rollback().await?;
        Ok(())
    }
}

async fn check_version(pool: &SqlitePool) -> Result<()> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(pool).await?;
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    if (next(), next(), next()) < OLDEST_SQLITE {
        return Err(Error::OldSqlite(version));
    }
    Ok(())
}

/// A stored JSON text as the type it was written from.
fn read_json<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|source| Error::Unreadable { what, source })
}

/// A value as JSON text.
fn write_json<T: serde::Serialize>(what: &'static str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|source| Error::Unreadable { what, source })
}
