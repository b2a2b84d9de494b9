//! The follower: it reads the decision log behind each running rollout's cursor, puts the recorded questions to the other
//! version, and moves cursor, report and differences in one transaction. So every decision counts exactly once, whatever
//! is cut off in between, and no live call waits for a comparison. It also ends what is over: a canary that broke a rule,
//! alone or with its fleet, one that is due to be promoted, and whatever lost the version it was beside.

mod fleet;
mod turn;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use reprise_lifecycle::decision::Decision;
use reprise_policy::StateSnapshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::fleet::Broken;
use self::turn::{Entry, Followed, Turn};
use super::Policies;
use super::rollout::again::{Again, Subject};
use super::rollout::rules::Rules;
use super::turn::NotLoaded;
use crate::clock;
use crate::store::backtests::RecordedDecision;
use crate::store::plugins::PluginVersion;
use crate::store::rollouts::{Ending, Rollout, Step};
use crate::store::{self, Store};

/// Tenants whose rollouts are followed at once. Each asks on one thread; the engine has this many slots for them beside
/// those of live calls.
pub const AT_ONCE: usize = 2;

/// Decisions read at once for one rollout. After each page it is another one's turn.
const PAGE: i64 = 64;

/// How long one tenant's rollouts may take in one look. What is left of them comes first in the next: however many one has,
/// the canaries of others are judged within seconds.
const EACH: Duration = Duration::from_millis(500);

/// How long a look waits for code that is not in memory. What has to be compiled again takes up to minutes: it goes on
/// aside, and a later look finds it.
const LOADED_WITHIN: Duration = Duration::from_millis(250);

/// A look without a wake-up: for promotions, and in case a wake-up was missed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The pause after the catalogue failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Who acts when a rule does.
const ACTOR: &str = "reprise";

/// The follower.
pub struct Follower {
    store: Store,
    policies: Arc<Policies>,
    again: Arc<dyn Again>,
    /// What is known of the running rollouts; the catalogue has it all.
    known: Mutex<BTreeMap<i64, Followed>>,
    /// Of tenants some of whose rollouts wait for the next look: the last that had its turn, and whether those until then
    /// have more to read.
    last: Mutex<BTreeMap<String, (i64, bool)>>,
    each: Duration,
    /// Promotions under way, one of each tenant: making a version ready may take minutes, and the rollouts of others are
    /// followed meanwhile. A promotion is one transaction, so it may be cut off with the follower.
    promotions: Mutex<BTreeMap<String, AbortOnDropHandle<()>>>,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").finish_non_exhaustive()
    }
}

impl Follower {
    /// Follows for these policies, and asks with `again`.
    pub fn new(store: Store, policies: Arc<Policies>, again: Arc<dyn Again>) -> Self {
        Self {
            store,
            policies,
            again,
            known: Mutex::default(),
            last: Mutex::default(),
            each: EACH,
            promotions: Mutex::default(),
        }
    }

    /// Works until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let wake = self.policies.to_follow();
        while !stop.is_cancelled() {
            // Registered before the look, so that a commit between the look and the wait is not missed.
            let woken = wake.notified();
            let pause = match self.look().await {
                Ok(true) => continue,
                Ok(false) => LOOK_AGAIN,
                Err(error) => {
                    tracing::error!(error = %error, "rollouts cannot be followed; trying again");
                    tokio::select! {
                        () = tokio::time::sleep(PAUSE) => {}
                        () = stop.cancelled() => {}
                    }
                    continue;
                }
            };
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// One turn for every running rollout, as far as its tenant's time goes; before that, each fleet is judged by what its
    /// members' turns have come to. Says whether there is more to read at once.
    ///
    /// # Errors
    /// When the catalogue failed; what was committed stands.
    pub async fn look(&self) -> store::Result<bool> {
        let mut running = self.store.running_rollouts().await?;
        if running.iter().any(|rollout| rollout.fleet.is_some()) {
            running = self.judge_fleets(running).await?;
        }
        self.known().retain(|id, _| running.iter().any(|rollout| rollout.id == *id));
        let mut tenants: BTreeMap<String, Vec<Rollout>> = BTreeMap::new();
        for rollout in running {
            tenants.entry(rollout.tenant.clone()).or_default().push(rollout);
        }
        lock(&self.last).retain(|tenant, _| tenants.contains_key(tenant));
        let looks = futures_util::stream::iter(tenants).map(|(tenant, own)| self.look_at(tenant, own));
        let mut looks = looks.buffer_unordered(AT_ONCE);
        let (mut more, mut failed) = (false, None);
        while let Some(look) = looks.next().await {
            match look {
                Ok(full) => more |= full,
                // The others have their turn all the same.
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(more), Err)
    }

    /// Rolls back the fleets whose canaries break a rule together. Gives the rollouts that still run.
    async fn judge_fleets(&self, running: Vec<Rollout>) -> store::Result<Vec<Rollout>> {
        let judged = tokio::task::spawn_blocking(move || (fleet::broken(&running), running)).await;
        let Ok((broken, mut running)) = judged else {
            tracing::error!("judging the fleets ended by a panic");
            return self.store.running_rollouts().await;
        };
        for Broken { rollout, step, reason } in broken {
            tracing::warn!(
                fleet = rollout.fleet.as_deref(),
                plugin = rollout.plugin,
                reason,
                "a fleet of canaries is rolled back"
            );
            self.end(&rollout, Some(&step), "rolled_back", &reason).await?;
            running.retain(|other| other.fleet != rollout.fleet);
        }
        Ok(running)
    }

    /// The turns of one tenant's rollouts, canaries first, until its time is up; the next look takes the others.
    async fn look_at(&self, tenant: String, mut own: Vec<Rollout>) -> store::Result<bool> {
        let last = lock(&self.last).remove(&tenant);
        let (last, mut more) = last.map_or((None, false), |(last, more)| (Some(last), more));
        if let Some(at) = own.iter().position(|rollout| Some(rollout.id) == last) {
            own.drain(..=at);
        }
        let began = Instant::now();
        let (mut failed, mut had) = (None, None);
        for rollout in own {
            if let Some(had) = had
                && began.elapsed() >= self.each
            {
                lock(&self.last).insert(tenant, (had, more));
                return failed.map_or(Ok(true), Err);
            }
            had = Some(rollout.id);
            match self.turn(rollout).await {
                Ok(full) => more |= full,
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(more), Err)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<i64, Followed>> {
        lock(&self.known)
    }

    /// One rollout's turn. Says whether there is more to read at once.
    async fn turn(&self, rollout: Rollout) -> store::Result<bool> {
        let known = self.known().remove(&rollout.id).filter(|known| known.cursor == rollout.cursor);
        let followed = match known {
            Some(followed) => followed,
            None => match self.followed(&rollout).await? {
                Ok(followed) => followed,
                Err(why) => return self.end(&rollout, None, "stopped", &why).await.map(|()| false),
            },
        };
        let base = self.store.binding_base(&rollout.tenant, &rollout.plugin, &rollout.binding).await?;
        let rows = self.store.decisions_after(&rollout.tenant, &rollout.plugin, rollout.cursor, PAGE).await?;
        if rows.is_empty() {
            self.settle(&rollout, &followed, base).await?;
            self.known().insert(rollout.id, followed);
            return Ok(false);
        }
        if !self.is_at_hand(&rollout, &followed).await {
            self.known().insert(rollout.id, followed);
            return Ok(false);
        }
        let full = i64::try_from(rows.len()).is_ok_and(|count| count == PAGE);
        let entries = self.entries(&rollout, rows).await?;
        let turn = Turn { rollout: rollout.clone(), followed, entries };
        let again = Arc::clone(&self.again);
        let Ok(taken) = tokio::task::spawn_blocking(move || turn.take(&*again)).await else {
            tracing::error!(rollout = rollout.id, "a turn of a rollout ended by a panic");
            return Ok(false);
        };
        if let Some(breach) = &taken.followed.report.breach {
            tracing::warn!(
                tenant.id = rollout.tenant,
                plugin = rollout.plugin,
                rollout = rollout.id,
                rule = breach.rule,
                measured = breach.measured,
                bound = breach.bound,
                calls = breach.calls,
                "a canary is rolled back"
            );
            let reason = breach.to_string();
            self.end(&rollout, Some(&taken.step), "rolled_back", &reason).await?;
            return Ok(false);
        }
        if self.store.step_rollout(rollout.id, &taken.step).await? {
            // Where calls come all the time no look finds nothing new, so what is due is seen to here as well.
            if !full && !taken.cut_short {
                self.settle(&rollout, &taken.followed, base).await?;
            }
            self.known().insert(rollout.id, taken.followed);
        }
        Ok(full || taken.cut_short)
    }

    /// Whether who is asked again can be asked now. What cannot be loaded is asked, to say why.
    async fn is_at_hand(&self, rollout: &Rollout, followed: &Followed) -> bool {
        let deadline = tokio::time::Instant::now() + LOADED_WITHIN;
        let digest = &followed.asked(rollout).digest;
        let loaded = self.policies.loaded_for(&rollout.tenant, digest, &followed.class, deadline).await;
        !matches!(loaded, Err(NotLoaded::NoTurn(_)))
    }

    /// What is to be done about a rollout that has seen all decisions.
    async fn settle(&self, rollout: &Rollout, followed: &Followed, base: Option<(i64, i64)>) -> store::Result<()> {
        let beside = (rollout.base_version, rollout.base_settings_revision);
        if base != Some(beside) {
            let why = base.map_or_else(
                || "superseded: the binding was taken away".to_owned(),
                |(version, settings)| {
                    format!("superseded: version {version} with settings revision {settings} was activated")
                },
            );
            return self.end(rollout, None, "stopped", &why).await;
        }
        let age_ms = u64::try_from(clock::now().0.saturating_sub(rollout.started_at)).unwrap_or(0);
        let calls = followed.report.candidate.asked();
        if rollout.kind == "canary" && followed.rules.is_due(Duration::from_millis(age_ms), calls) {
            let reason = format!("no rule was broken in {} s and {calls} calls", age_ms / 1000);
            self.promote(rollout, reason);
        }
        Ok(())
    }

    /// Begins to promote what is due, unless the tenant has another promotion under way; a later look comes back to it.
    fn promote(&self, rollout: &Rollout, reason: String) {
        let mut promotions = lock(&self.promotions);
        promotions.retain(|_, promotion| !promotion.is_finished());
        if promotions.contains_key(&rollout.tenant) {
            return;
        }
        let (policies, rollout) = (Arc::clone(&self.policies), rollout.clone());
        let tenant = rollout.tenant.clone();
        let promotion = tokio::spawn(async move {
            let Err(error) = policies.promote_rollout(&rollout.tenant, rollout.id, &reason, ACTOR).await else {
                return;
            };
            if error.may_pass() {
                tracing::warn!(rollout = rollout.id, error = %error, "a canary that is due is not promoted yet");
                return;
            }
            let why = format!("{reason}, but it cannot be promoted: {error}");
            let ending = Ending { state: "stopped", reason: &why, actor: ACTOR, at: clock::now().0 };
            if let Err(error) = policies.end_rollout_at(&rollout, None, ending).await {
                tracing::error!(rollout = rollout.id, error = %error, "a canary that cannot be promoted runs on");
            }
        });
        promotions.insert(tenant, AbortOnDropHandle::new(promotion));
    }

    async fn end(&self, rollout: &Rollout, step: Option<&Step>, state: &'static str, why: &str) -> store::Result<()> {
        let ending = Ending { state, reason: why, actor: ACTOR, at: clock::now().0 };
        self.policies.end_rollout_at(rollout, step, ending).await.map(drop)
    }

    /// What a rollout is followed with; or why it cannot be.
    async fn followed(&self, rollout: &Rollout) -> store::Result<Result<Followed, String>> {
        let candidate = self.subject(rollout, rollout.version, rollout.settings_revision).await?;
        let active = self.subject(rollout, rollout.base_version, rollout.base_settings_revision).await?;
        let (Some((candidate, of_candidate)), Some((active, of_active))) = (candidate, active) else {
            return Ok(Err("one of its versions or settings was deleted".to_owned()));
        };
        let (rules, report) = (serde_json::from_str::<Rules>(&rollout.rules), serde_json::from_str(&rollout.report));
        let (Ok(rules), Ok(report)) = (rules, report) else {
            return Ok(Err("its rules or its report cannot be read".to_owned()));
        };
        let class = if rollout.kind == "canary" { of_active } else { of_candidate };
        Ok(Ok(Followed { cursor: rollout.cursor, candidate, active, class, rules, report }))
    }

    /// One of the two, and its class.
    async fn subject(
        &self,
        rollout: &Rollout,
        version: i64,
        settings: i64,
    ) -> store::Result<Option<(Subject, String)>> {
        let version = self.store.plugin_version(&rollout.tenant, &rollout.plugin, Some(version)).await?;
        let settings = self.store.plugin_settings(&rollout.tenant, &rollout.plugin, Some(settings)).await?;
        Ok(version.zip(settings).map(|(version, settings)| {
            let PluginVersion { digest, hooks, class, .. } = version;
            (Subject { plugin: rollout.plugin.clone(), digest, hooks, settings: settings.settings }, class)
        }))
    }

    /// Decisions with the state that their calls saw.
    async fn entries(&self, rollout: &Rollout, rows: Vec<RecordedDecision>) -> store::Result<Vec<Entry>> {
        let mut states: BTreeMap<u64, StateSnapshot> = BTreeMap::new();
        let mut entries = Vec::with_capacity(rows.len());
        for row in rows {
            let decision = serde_json::from_str::<Decision>(&row.decision).ok();
            let made = decision.as_ref().and_then(|decision| decision.provenance.as_deref());
            let revision = made.and_then(|made| made.state_revision).unwrap_or(0);
            if revision > 0 && !states.contains_key(&revision) {
                let past = self.store.plugin_state_at(&rollout.tenant, &rollout.plugin, revision).await?;
                states.insert(revision, StateSnapshot::from(past.entries));
            }
            let state = states.get(&revision).cloned().unwrap_or_default();
            entries.push(Entry { id: row.id, at: row.at, question: row.question, decision, state });
        }
        Ok(entries)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Held for single look-ups and insertions, which leave nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
