//! One backtest: a reader that prepares chunks in order, threads that ask, and a tally that takes the results in order
//! again. What is between reading and tally is bounded, so that a slow chunk holds the reader and not the memory.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use reprise_lifecycle::decision::Decision;
use reprise_lifecycle::question::Question;
use reprise_policy::Evaluation;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::MOST_KEPT;
use super::cut::Cut;
use super::report::{Outcome, Pair, Report, Tally};
use crate::clock;
use crate::policies::compare::{Closeness, Said, compare};
use crate::policies::rollout::again::{Again, Allowance, Request, Subject};
use crate::store::backtests::{PastState, Recorded, RecordedDecision};
use crate::store::plugins::PluginVersion;
use crate::store::{self, Store};

/// Decisions in one chunk. Small enough that threads end at nearly the same time, large enough that handing over is
/// nothing beside asking.
const CHUNK: i64 = 64;

/// Chunks between reading and tally for each thread.
const CHUNKS_PER_THREAD: usize = 3;

/// How often progress is written: each time is a synced commit on the one writer of live recordings.
const PROGRESS: Duration = Duration::from_millis(500);

/// The pause after the end of one could not be written.
const PAUSE: Duration = Duration::from_secs(1);

/// Differences that are written in one transaction.
const DIFFERENCES_AT_ONCE: usize = 500;

/// Versions that are remembered between decisions; most use the same few.
const REMEMBERED: usize = 64;

/// How much nicer these threads are than those of live calls.
const NICE: i32 = 10;

/// A resolved candidate.
pub(super) struct Candidate {
    pub(super) version: i64,
    pub(super) settings_revision: Option<i64>,
    pub(super) subject: Subject,
}

/// One backtest.
pub(super) struct Run {
    pub(super) id: i64,
    pub(super) tenant: String,
    pub(super) plugin: String,
    /// `None` in an audit.
    pub(super) candidate: Option<Arc<Subject>>,
    pub(super) filter: Recorded,
    pub(super) store: Store,
    pub(super) again: Arc<dyn Again>,
    pub(super) threads: usize,
    pub(super) slots: Arc<Semaphore>,
    pub(super) cut: Cut,
    /// Components that were asked already.
    pub(super) warm: Mutex<BTreeSet<String>>,
}

/// A decision with everything that asking again takes.
struct Prepared {
    id: i64,
    question: String,
    decision: Result<Decision, String>,
    subject: Result<Arc<Subject>, String>,
    state: PastState,
}

/// Decisions that one thread asks.
struct Chunk {
    number: u64,
    decisions: Vec<Prepared>,
    /// Given back when the tally has taken it in.
    room: OwnedSemaphorePermit,
}

/// A chunk that was asked.
struct Asked {
    number: u64,
    outcomes: Vec<(i64, Outcome)>,
    cpu_us: u64,
    _room: OwnedSemaphorePermit,
}

impl Run {
    /// Runs, and writes down how it ended.
    pub(super) async fn complete(self, report: Report) {
        let (id, store, cut) = (self.id, self.store.clone(), self.cut.clone());
        // On a task of its own, so that a panic is an end like any other.
        let ended = tokio::spawn(self.run(report)).await;
        let ended =
            ended.unwrap_or_else(|_| Err("a part of it ended by a panic; the server's log says where".to_owned()));
        let (state, reason) = match (ended, cut.failure().cloned()) {
            (Ok(true), _) => ("done", None),
            (_, Some(why)) | (Err(why), _) => ("failed", Some(why)),
            // The server ends, and the next one starts it anew; or in the catalogue it has ended already, or is no more.
            (Ok(false), None) => return,
        };
        if let Some(why) = &reason {
            tracing::error!(backtest = id, error = why, "a backtest failed");
        }
        // Until it is written, it has one of the places of those that run. Left to the next server, it is started anew.
        while let Err(error) = store.end_backtest(id, state, reason.as_deref(), clock::now().0).await {
            tracing::error!(backtest = id, error = %error, "the end of a backtest could not be written; trying again");
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = cut.server_ended() => return,
            }
        }
    }

    /// Says whether it came to the end of the set.
    async fn run(self, mut report: Report) -> Result<bool, String> {
        let started = Instant::now();
        let counted = tokio::select! {
            counted = self.store.count_recorded(&self.tenant, &self.plugin, &self.filter) => counted,
            () = self.cut.cut() => return Ok(false),
        };
        report.total = u64::try_from(counted.map_err(|error| error.to_string())?).unwrap_or(0);
        let run = Arc::new(self);
        let (to_ask, chunks) = mpsc::channel::<Chunk>(run.threads);
        let (to_tally, mut asked) = mpsc::channel::<Asked>(run.threads);
        let threads = tokio::task::spawn_blocking({
            let (run, handle) = (Arc::clone(&run), Handle::current());
            move || run.ask_all(&handle, chunks, &to_tally)
        });
        let room = Arc::new(Semaphore::new(run.threads.saturating_mul(CHUNKS_PER_THREAD)));
        let reader = async {
            if let Err(error) = run.read(to_ask, room).await {
                // So that what was read until then is not taken for the whole.
                run.cut.failed(error.to_string());
            }
        };
        let tally = async {
            let tallied = run.tally(report, &mut asked, started).await;
            // If it ended early, threads that have something for it must not wait.
            asked.close();
            tallied
        };
        let ((), tallied) = tokio::join!(reader, tally);
        threads.await.map_err(|_| "a thread ended by a panic; the server's log says where".to_owned())?;
        tallied.map_err(|error| error.to_string())
    }

    /// Reads the set in order, a chunk at a time.
    async fn read(&self, to_ask: mpsc::Sender<Chunk>, room: Arc<Semaphore>) -> store::Result<()> {
        let (mut after, mut number) = (0, 0);
        let mut subjects = BTreeMap::new();
        while !self.cut.is_short() {
            let rows = self.store.recorded(&self.tenant, &self.plugin, &self.filter, after, CHUNK).await?;
            let Some((last, _)) = rows.last() else { break };
            after = last.id;
            let mut decisions = Vec::with_capacity(rows.len());
            for (row, state) in rows {
                decisions.push(self.prepare(row, state, &mut subjects).await?);
            }
            let Ok(room) = Arc::clone(&room).acquire_owned().await else { break };
            // Nobody takes it any more when the tally has ended, which then says why.
            if to_ask.send(Chunk { number, decisions, room }).await.is_err() {
                break;
            }
            number += 1;
        }
        Ok(())
    }

    async fn prepare(
        &self,
        row: RecordedDecision,
        state: PastState,
        subjects: &mut BTreeMap<(String, String, u32), Result<Arc<Subject>, String>>,
    ) -> store::Result<Prepared> {
        let decision: Result<Decision, String> =
            serde_json::from_str(&row.decision).map_err(|_| "the recorded decision cannot be read".to_owned());
        let made = decision.as_ref().ok().and_then(|decision| decision.provenance.as_deref());
        let mut subject = Err("nobody was asked".to_owned());
        if let Some(made) = made {
            subject = match &self.candidate {
                Some(candidate) => Ok(Arc::clone(candidate)),
                None => {
                    let key = (made.plugin.clone(), made.digest.clone(), made.settings_revision);
                    if !subjects.contains_key(&key) {
                        make_room(subjects);
                        let found = self.subject(&made.plugin, &made.digest, made.settings_revision).await?;
                        subjects.insert(key.clone(), found);
                    }
                    subjects.get(&key).cloned().unwrap_or(subject)
                }
            };
        }
        Ok(Prepared { id: row.id, question: row.question, decision, subject, state })
    }

    /// Who answered then.
    async fn subject(&self, plugin: &str, digest: &str, revision: u32) -> store::Result<Result<Arc<Subject>, String>> {
        let mut versions = self.store.plugin_versions(&self.tenant).await?.into_iter();
        let is_it = |version: &PluginVersion| version.plugin == plugin && version.digest == digest;
        let Some(version) = versions.find(is_it) else {
            return Ok(Err("the version that answered was deleted".to_owned()));
        };
        let settings = self.store.plugin_settings(&self.tenant, plugin, Some(revision.into())).await?;
        let Some(settings) = settings else {
            return Ok(Err("the settings that it answered with were deleted".to_owned()));
        };
        Ok(Ok(Arc::new(Subject {
            plugin: plugin.to_owned(),
            digest: version.digest,
            hooks: version.hooks,
            settings: settings.settings,
        })))
    }

    /// Asks on threads of its own until there is nothing left. Blocks.
    fn ask_all(&self, handle: &Handle, chunks: mpsc::Receiver<Chunk>, to_tally: &mpsc::Sender<Asked>) {
        let chunks = Mutex::new(chunks);
        std::thread::scope(|scope| {
            for _ in 0..self.threads {
                scope.spawn(|| {
                    // Refused or not, the answers are the same.
                    let _ = rustix::process::nice(NICE);
                    while let Some(asked) = self.ask_next(handle, &chunks) {
                        if to_tally.blocking_send(asked).is_err() {
                            break;
                        }
                    }
                });
            }
        });
    }

    fn ask_next(&self, handle: &Handle, chunks: &Mutex<mpsc::Receiver<Chunk>>) -> Option<Asked> {
        let chunk = chunks.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()?;
        let _slot = handle.block_on(self.slots.acquire()).ok()?;
        let before = cpu_us();
        let mut outcomes = Vec::with_capacity(chunk.decisions.len());
        for prepared in chunk.decisions {
            // A chunk cut short is never counted: see `tally`.
            if self.cut.is_short() {
                return None;
            }
            let id = prepared.id;
            let Ok(outcome) = catch_unwind(AssertUnwindSafe(|| self.ask(prepared))) else {
                // The tally would wait for this chunk for ever, and the reader for the tally.
                let why = format!("asking decision {id} again ended by a panic; the server's log says where");
                self.cut.failed(why);
                return None;
            };
            outcomes.push((id, outcome));
        }
        let cpu_us = cpu_us().saturating_sub(before);
        Some(Asked { number: chunk.number, outcomes, cpu_us, _room: chunk.room })
    }

    fn ask(&self, prepared: Prepared) -> Outcome {
        let not_asked = |why: &str| Outcome::NotAsked(why.to_owned());
        let (decision, subject) = match (prepared.decision, prepared.subject) {
            (Ok(decision), Ok(subject)) => (decision, subject),
            (Err(why), _) | (_, Err(why)) => return Outcome::NotAsked(why),
        };
        let PastState::Kept(state) = &prepared.state else {
            return not_asked("its state was deleted with the plugin");
        };
        let (Some(was), Some(made)) = (Said::recorded(&decision), decision.provenance.as_deref()) else {
            return not_asked("nobody was asked");
        };
        if hex::encode(Sha256::digest(&prepared.question)) != decision.question_digest {
            return not_asked("the recorded question is not the one that was asked");
        }
        let Ok(question) = serde_json::from_str::<Question>(&prepared.question) else {
            return not_asked("the recorded question cannot be read");
        };
        if !subject.has_hook_of(&question) {
            return Outcome::NotAsked(format!("the version has no hook {}", question.hook().name()));
        }
        let audit = self.candidate.is_none();
        let request = Request {
            tenant: &self.tenant,
            subject: &subject,
            question: &question,
            state,
            allowance: if audit { Allowance::as_recorded(&was, made) } else { Allowance::Limits },
        };
        let evaluation = self.again(&request);
        let now = Said::evaluated(&evaluation);
        let comparison = compare(&was, &now, if audit { Closeness::Exact } else { Closeness::Meaning });
        let was_elapsed_us = made.elapsed_us;
        Outcome::Asked(Box::new(Pair { was, was_elapsed_us, now, elapsed_us: evaluation.elapsed_us, comparison }))
    }

    /// The first call of a component may have to compile it: that is one thread's work, and the others wait for it.
    fn again(&self, request: &Request<'_>) -> Evaluation {
        let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        if warm.contains(&request.subject.digest) {
            drop(warm);
            return self.again.again(request);
        }
        warm.insert(request.subject.digest.clone());
        self.again.again(request)
    }

    /// Takes the chunks in, in their order. Says whether all of the set was asked.
    async fn tally(&self, report: Report, asked: &mut mpsc::Receiver<Asked>, started: Instant) -> store::Result<bool> {
        let mut tally = Tally::new(report);
        // So that whoever waits sees how many there are.
        if !self.write(&mut tally, started).await? {
            return Ok(false);
        }
        let mut early: BTreeMap<u64, Asked> = BTreeMap::new();
        let (mut next, mut written) = (0, Instant::now());
        while let Some(chunk) = asked.recv().await {
            early.insert(chunk.number, chunk);
            while let Some(chunk) = early.remove(&next) {
                next += 1;
                tally.report.cpu_us += chunk.cpu_us;
                for (decision, outcome) in chunk.outcomes {
                    tally.add(decision, outcome, MOST_KEPT);
                }
                if tally.fresh.len() >= DIFFERENCES_AT_ONCE || written.elapsed() >= PROGRESS {
                    if !self.write(&mut tally, started).await? {
                        return Ok(false);
                    }
                    written = Instant::now();
                }
            }
        }
        let whole = !self.cut.is_short() && early.is_empty();
        if whole {
            // Without those that were kept no longer when it came to them.
            tally.report.total = tally.report.done;
            tally.report.digest = Some(tally.digest());
        }
        Ok(self.write(&mut tally, started).await? && whole)
    }

    async fn write(&self, tally: &mut Tally, started: Instant) -> store::Result<bool> {
        tally.report.wall_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let report = tally.report.text();
        let fresh = std::mem::take(&mut tally.fresh);
        let mut running = true;
        for differences in fresh.chunks(DIFFERENCES_AT_ONCE) {
            running = running && self.store.progress_backtest(self.id, &report, differences).await?;
        }
        if fresh.is_empty() {
            running = self.store.progress_backtest(self.id, &report, &[]).await?;
        }
        Ok(running)
    }
}

/// Forgets everything once too much is remembered.
fn make_room<K: Ord, V>(remembered: &mut BTreeMap<K, V>) {
    if remembered.len() >= REMEMBERED {
        remembered.clear();
    }
}

/// Processor time of this thread.
fn cpu_us() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from);
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
