//! Backtests: recorded questions put again, to a candidate or (an audit) each to the version that answered it. They run
//! in the background on threads of their own, with lower priority and beside the slots of live calls, so that no live
//! call waits for them.
//!
//! The set is fixed when one begins, by a last decision; the decisions are read in order, asked in parallel and counted
//! in order, so that two runs over the same set give the same report to the digest. So one that the server's end cuts
//! off is started anew by the next server, from its row alone. Decisions that are kept no longer leave the set as they go.

mod cut;
pub mod report;
mod run;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::cut::Cut;
use self::report::Report;
use self::run::{Candidate, Run};
use super::rollout::again::{Again, Subject};
use crate::clock;
use crate::store::backtests::{Backtest, Recorded};
use crate::store::{self, Store};

/// Backtests of one tenant at once, and of all: they share the same threads, so more would only each take longer.
const AT_ONCE_OF_TENANT: i64 = 1;
const AT_ONCE: i64 = 2;

/// How long one may take: the places are few, and one over slow scripts has work for days.
const WITHIN: Duration = Duration::from_secs(6 * 3600);

/// Differences that are kept of one backtest; the rest is counted. Nobody reads more, and the digest has all of them.
pub const MOST_KEPT: u64 = 100_000;

/// How often one is started anew after the server ended. What it asks may be what ends the server.
const MOST_RESTARTS: u64 = 3;

/// The candidate of a backtest as it is asked for.
#[derive(Clone, Debug, Default)]
pub struct NewBacktest {
    /// The plugin; absent only in an audit of all.
    pub plugin: Option<String>,
    /// The candidate's version; `None` makes it an audit.
    pub candidate: Option<NewCandidate>,
    /// Which decisions.
    pub filter: Recorded,
}

/// Who is asked in place of who answered.
#[derive(Clone, Debug, Default)]
pub struct NewCandidate {
    /// The version; the newest when absent.
    pub version: Option<i64>,
    /// The settings' revision; the newest when absent.
    pub settings_revision: Option<i64>,
    /// Settings that are no revision, in place of one.
    pub settings: Option<String>,
}

/// Why a backtest does not begin.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// There is no such plugin, version or settings revision.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The catalogue failed, or there is no room.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// All backtests of this server.
#[derive(Clone)]
pub struct Backtests {
    store: Store,
    again: Arc<dyn Again>,
    threads: usize,
    /// Threads that may ask at once, of all backtests.
    slots: Arc<Semaphore>,
    running: Arc<Mutex<BTreeMap<i64, Cut>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    within: Duration,
}

impl std::fmt::Debug for Backtests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backtests").field("threads", &self.threads).finish_non_exhaustive()
    }
}

/// Threads for backtests by the configuration; 0 means half of the cores, at least one.
pub fn threads(configured: usize) -> usize {
    match configured {
        0 => std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2).max(1),
        threads => threads,
    }
}

impl Backtests {
    /// Nothing running yet. `stop` cuts off what runs, for the next server to start anew.
    pub fn new(store: Store, again: Arc<dyn Again>, threads: usize, stop: CancellationToken) -> Self {
        Self {
            store,
            again,
            threads: threads.max(1),
            slots: Arc::new(Semaphore::new(threads.max(1))),
            running: Arc::default(),
            tasks: TaskTracker::new(),
            stop,
            within: WITHIN,
        }
    }

    /// Starts anew what was running when the server ended before, or says in the catalogue why that cannot be.
    ///
    /// # Errors
    /// When the catalogue cannot be read or written.
    pub async fn recover(&self) -> store::Result<()> {
        for row in self.store.running_backtests().await? {
            let restarted = self.restart(&row).await?;
            match restarted {
                Ok(()) => tracing::info!(tenant.id = row.tenant, backtest = row.id, "a backtest was started anew"),
                Err(why) => {
                    tracing::warn!(tenant.id = row.tenant, backtest = row.id, why, "a backtest was cut off for good");
                    self.store.end_backtest(row.id, "failed", Some(&why), clock::now().0).await?;
                }
            }
        }
        Ok(())
    }

    async fn restart(&self, row: &Backtest) -> store::Result<Result<(), String>> {
        let before = serde_json::from_str::<Report>(&row.report).unwrap_or_default();
        if before.restarts >= MOST_RESTARTS {
            let ended = before.restarts + 1;
            let why = format!("the server ended {ended} times while it ran; start it again over fewer decisions");
            return Ok(Err(why));
        }
        let Ok(filter) = serde_json::from_str::<Recorded>(&row.filter) else {
            return Ok(Err("the server restarted, and cannot read the filter; start it again".to_owned()));
        };
        let candidate = match (row.version, row.settings_revision) {
            (None, _) => None,
            (Some(_), None) => {
                let why = "the server restarted, and settings that are no revision are not kept; start it again";
                return Ok(Err(why.to_owned()));
            }
            (version, settings_revision) => {
                let named = NewCandidate { version, settings_revision, settings: None };
                match self.candidate(&row.tenant, &row.plugin, named).await {
                    Ok(candidate) => Some(candidate),
                    Err(BacktestError::NotFound(what)) => {
                        return Ok(Err(format!("the server restarted, and its {what} was deleted")));
                    }
                    Err(BacktestError::Store(error)) => return Err(error),
                }
            }
        };
        let report = Report { restarts: before.restarts + 1, ..self.report() };
        self.store.restart_backtest(row.id, &report.text()).await?;
        self.spawn(row, candidate, filter, report);
        Ok(Ok(()))
    }

    /// Begins a backtest, or an audit, and gives its row. How many decisions it is about is counted as its first act.
    ///
    /// # Errors
    /// Why not.
    pub async fn begin(&self, tenant: &str, mut new: NewBacktest, actor: &str) -> Result<Backtest, BacktestError> {
        let plugin = new.plugin.clone().unwrap_or_default();
        if !plugin.is_empty() {
            let known = self.store.plugin_version(tenant, &plugin, None).await?;
            known.ok_or(BacktestError::NotFound("plugin"))?;
        }
        let candidate = match new.candidate {
            None => None,
            Some(candidate) => Some(self.candidate(tenant, &plugin, candidate).await?),
        };
        let newest = self.store.newest_decision(tenant).await?;
        new.filter.last = Some(new.filter.last.map_or(newest, |last| last.min(newest)));
        let report = self.report();
        let mut row = Backtest {
            id: 0,
            tenant: tenant.to_owned(),
            kind: if candidate.is_some() { "backtest" } else { "audit" }.to_owned(),
            plugin,
            version: candidate.as_ref().map(|candidate| candidate.version),
            settings_revision: candidate.as_ref().and_then(|candidate| candidate.settings_revision),
            filter: new.filter.text()?,
            state: "running".to_owned(),
            reason: None,
            report: report.text(),
            started_at: clock::now().0,
            started_by: actor.to_owned(),
            ended_at: None,
        };
        let (backtests, filter) = (self.clone(), new.filter);
        // On a task of its own: whoever asked may hang up, and what the catalogue has as running must run.
        let begun = self.tasks.spawn(async move {
            row.id = backtests.store.begin_backtest(&row, AT_ONCE_OF_TENANT, AT_ONCE).await?;
            backtests.spawn(&row, candidate, filter, report);
            tracing::info!(tenant.id = row.tenant, backtest = row.id, kind = row.kind, "a backtest began");
            Ok(row)
        });
        begun.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    /// Runs what the catalogue has as running.
    fn spawn(&self, row: &Backtest, candidate: Option<Candidate>, filter: Recorded, report: Report) {
        let cut = Cut::new(&self.stop);
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(row.id, cut.clone());
        let run = Run {
            id: row.id,
            tenant: row.tenant.clone(),
            plugin: row.plugin.clone(),
            candidate: candidate.map(|candidate| Arc::new(candidate.subject)),
            filter,
            store: self.store.clone(),
            again: Arc::clone(&self.again),
            threads: self.threads,
            slots: Arc::clone(&self.slots),
            cut,
            warm: Mutex::default(),
        };
        let (backtests, id, cut) = (self.clone(), row.id, run.cut.clone());
        self.tasks.spawn(async move {
            let mut complete = std::pin::pin!(run.complete(report));
            if tokio::time::timeout(backtests.within, &mut complete).await.is_err() {
                let seconds = backtests.within.as_secs();
                let why =
                    format!("it took longer than the {seconds} s that one may; start it again over fewer decisions");
                cut.failed(why);
                complete.await;
            }
            backtests.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        });
    }

    /// One in which nothing was asked yet.
    fn report(&self) -> Report {
        Report { threads: u64::try_from(self.threads).unwrap_or(u64::MAX), ..Report::default() }
    }

    async fn candidate(&self, tenant: &str, plugin: &str, new: NewCandidate) -> Result<Candidate, BacktestError> {
        let version = self.store.plugin_version(tenant, plugin, new.version).await?;
        let version = version.ok_or(BacktestError::NotFound("version"))?;
        let (settings_revision, settings) = match new.settings {
            Some(settings) => (None, settings),
            None => {
                let revision = self.store.plugin_settings(tenant, plugin, new.settings_revision).await?;
                let revision = revision.ok_or(BacktestError::NotFound("settings revision"))?;
                (Some(revision.revision), revision.settings)
            }
        };
        let subject = Subject { plugin: plugin.to_owned(), digest: version.digest, hooks: version.hooks, settings };
        Ok(Candidate { version: version.version, settings_revision, subject })
    }

    /// Stops a tenant's running backtest. Says whether it ran.
    ///
    /// # Errors
    /// When the catalogue failed.
    pub async fn stop(&self, tenant: &str, id: i64) -> store::Result<bool> {
        if self.store.backtest(tenant, id).await?.is_none() {
            return Ok(false);
        }
        // In the catalogue first: a server that ends in between would start it anew.
        let reason = Some("stopped before its end");
        let ran = self.store.end_backtest(id, "stopped", reason, clock::now().0).await?;
        let cut = self.running.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some(cut) = cut.filter(|_| ran) {
            cut.short();
        }
        Ok(ran)
    }

    /// Waits until everything that runs has ended.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[cfg(test)]
mod tests;
