//! How far running jobs are, in percent. It is known where they run and kept in memory only: after a restart a job
//! begins anew, and so does its figure.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reprise_lifecycle::id::JobId;

/// Jobs whose progress is kept: some hundred times what runs at once. One more is run without.
const MOST_JOBS: usize = 4096;

/// A running job is never whole: 100 is said by the record that it is done.
const MOST_PERCENT: u8 = 99;

/// The progress of all running jobs. Cheap to clone; all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<BTreeMap<String, u8>>>);

/// Jobs that run together; they are forgotten when this is dropped.
#[derive(Debug)]
pub struct Tracked {
    progress: Progress,
    jobs: Vec<String>,
}

impl Progress {
    /// Begins to keep the progress of `jobs`, at 0.
    pub fn track<'a>(&self, jobs: impl IntoIterator<Item = &'a JobId>) -> Tracked {
        let mut all = self.lock();
        let mut tracked = Vec::new();
        for job in jobs {
            if all.len() < MOST_JOBS {
                all.insert(job.as_str().to_owned(), 0);
                tracked.push(job.as_str().to_owned());
            }
        }
        drop(all);
        Tracked { progress: self.clone(), jobs: tracked }
    }

    /// Percent of a running job, 0 to 99; `None` for one that does not run.
    pub fn percent(&self, job: &str) -> Option<u8> {
        self.lock().get(job).copied()
    }

    /// Each change is one map operation, so the map is whole even if a thread panicked while it held the lock.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tracked {
    /// Moves all of them forward; they never go back.
    pub fn set(&self, percent: u8) {
        let mut all = self.progress.lock();
        for job in &self.jobs {
            if let Some(known) = all.get_mut(job) {
                *known = percent.min(MOST_PERCENT).max(*known);
            }
        }
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let mut all = self.progress.lock();
        for job in &self.jobs {
            all.remove(job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_lives_as_long_as_the_run_and_only_grows() {
        let progress = Progress::default();
        let (a, b) = (JobId::new("a"), JobId::new("b"));
        let tracked = progress.track([&a, &b]);
        for (told, shown) in [(0, 0), (40, 40), (30, 40), (100, 99)] {
            tracked.set(told);
            assert_eq!((progress.percent("a"), progress.percent("b")), (Some(shown), Some(shown)));
        }
        drop(tracked);
        assert_eq!(progress.percent("a"), None);
    }

    #[test]
    fn the_map_is_bounded() {
        let progress = Progress::default();
        let jobs: Vec<JobId> = (0..MOST_JOBS + 1).map(|number| JobId::new(number.to_string())).collect();
        let tracked = progress.track(&jobs);
        assert_eq!(progress.lock().len(), MOST_JOBS);
        tracked.set(5);
        drop(tracked);
        assert_eq!(progress.lock().len(), 0);
    }
}
