//! Loaded policies by digest: two tenants with one component share it, a bounded number stays ready, and what many
//! threads need at once is loaded once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use reprise_lifecycle::decision::CodeSource;

use crate::component::Loaded;

/// Loaded policies, bounded in number and in bytes of machine code; the one that was used longest ago makes room. What
/// is evicted lives on for as long as somebody holds it, and can be loaded again from its artefact at any time.
#[derive(Debug)]
pub struct LoadedPolicies {
    max_policies: usize,
    max_code_bytes: usize,
    entries: Mutex<Entries>,
    loading: Mutex<HashMap<String, Arc<Loading>>>,
}

/// A policy that one thread loads while others wait for it.
type Loading = OnceLock<Result<Arc<Loaded>, String>>;

#[derive(Debug, Default)]
struct Entries {
    /// Counts uses; an entry's mark is the count at its last use.
    uses: u64,
    code_bytes: usize,
    by_digest: HashMap<String, (Arc<Loaded>, u64)>,
}

impl LoadedPolicies {
    /// Room for so many policies, and for so many bytes of machine code, whichever is less; at least one policy of
    /// whatever size.
    pub fn new(max_policies: usize, max_code_bytes: usize) -> Self {
        Self { max_policies: max_policies.max(1), max_code_bytes, entries: Mutex::default(), loading: Mutex::default() }
    }

    /// The policy with this digest, if it is here.
    pub fn get(&self, digest: &str) -> Option<Arc<Loaded>> {
        let mut entries = lock(&self.entries);
        entries.uses += 1;
        let now = entries.uses;
        let (loaded, used) = entries.by_digest.get_mut(digest)?;
        *used = now;
        Some(Arc::clone(loaded))
    }

    /// The policy with this digest: from here, or else from `load`, which is called by one of all the threads that
    /// need it; the others wait for what comes of it.
    ///
    /// # Errors
    ///
    /// Why `load` failed.
    pub fn get_or_load(
        &self,
        digest: &str,
        load: impl FnOnce() -> Result<(Loaded, CodeSource), String>,
    ) -> Result<(Arc<Loaded>, CodeSource), String> {
        if let Some(loaded) = self.get(digest) {
            return Ok((loaded, CodeSource::Memory));
        }
        let loading = Arc::clone(lock(&self.loading).entry(digest.to_owned()).or_default());
        // Whoever waited was given what is in memory by then.
        let mut source = CodeSource::Memory;
        let outcome = loading.get_or_init(|| {
            // It may have come while this thread was on its way here.
            if let Some(loaded) = self.get(digest) {
                return Ok(loaded);
            }
            let (loaded, from) = load()?;
            source = from;
            Ok(self.insert(loaded))
        });
        // The next thread that does not find it tries anew.
        let mut all = lock(&self.loading);
        if all.get(digest).is_some_and(|current| Arc::ptr_eq(current, &loading)) {
            all.remove(digest);
        }
        outcome.clone().map(|loaded| (loaded, source))
    }

    /// Keeps a policy. If another thread was faster its policy stays, and is what comes back.
    pub fn insert(&self, loaded: Loaded) -> Arc<Loaded> {
        let mut entries = lock(&self.entries);
        entries.uses += 1;
        let now = entries.uses;
        if let Some((present, used)) = entries.by_digest.get_mut(loaded.digest()) {
            *used = now;
            return Arc::clone(present);
        }
        let bytes = loaded.code_bytes();
        while entries.by_digest.len() >= self.max_policies
            || entries.code_bytes.saturating_add(bytes) > self.max_code_bytes
        {
            if !entries.evict_oldest() {
                break;
            }
        }
        let loaded = Arc::new(loaded);
        entries.code_bytes += bytes;
        entries.by_digest.insert(loaded.digest().to_owned(), (Arc::clone(&loaded), now));
        loaded
    }

    /// How many are here.
    pub fn len(&self) -> usize {
        lock(&self.entries).by_digest.len()
    }

    /// Whether none is here.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of machine code that are here.
    pub fn code_bytes(&self) -> usize {
        lock(&self.entries).code_bytes
    }
}

impl Entries {
    fn evict_oldest(&mut self) -> bool {
        let oldest = self.by_digest.iter().min_by_key(|(_, (_, used))| *used).map(|(digest, _)| digest.clone());
        let evicted = oldest.and_then(|digest| self.by_digest.remove(&digest));
        if let Some((loaded, _)) = &evicted {
            self.code_bytes -= loaded.code_bytes();
        }
        evicted.is_some()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing in here can be left half done, so a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::guests::{Core, engine, load};

    fn three() -> [Loaded; 3] {
        let engine = engine();
        ["(nop)", "(nop) (nop)", "(nop) (nop) (nop)"]
            .map(|body| load(&engine, &Core::template_group(&format!("{body} (i32.const 0)")).component()))
    }

    #[test]
    fn the_one_unused_for_longest_makes_room() {
        let [a, b, c] = three();
        let digests = [&a, &b, &c].map(|loaded| loaded.digest().to_owned());
        let two = a.code_bytes() + c.code_bytes();
        for cache in [LoadedPolicies::new(2, usize::MAX), LoadedPolicies::new(usize::MAX, two)] {
            let [a, b, c] = three();
            cache.insert(a);
            cache.insert(b);
            assert!(cache.get(&digests[0]).is_some());
            cache.insert(c);
            assert_eq!(digests.clone().map(|digest| cache.get(&digest).is_some()), [true, false, true]);
            assert_eq!((cache.len(), cache.code_bytes()), (2, two));
        }
        // One that is larger than everything that is allowed can be used, alone.
        let tight = LoadedPolicies::new(8, 1);
        tight.insert(a);
        tight.insert(b);
        assert_eq!(tight.len(), 1);
    }

    #[test]
    fn what_many_need_at_once_is_loaded_once() {
        let [a, ..] = three();
        let digest = a.digest().to_owned();
        let (cache, loads, together) = (LoadedPolicies::new(4, usize::MAX), AtomicUsize::new(0), Barrier::new(4));
        let a = Mutex::new(Some(a));
        let sources: Vec<CodeSource> = std::thread::scope(|scope| {
            let run = || {
                together.wait();
                let load = || {
                    loads.fetch_add(1, Ordering::SeqCst);
                    Ok((a.lock().unwrap().take().unwrap(), CodeSource::Compiled))
                };
                cache.get_or_load(&digest, load).unwrap().1
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(loads.into_inner(), 1);
        assert_eq!(sources.iter().filter(|source| **source == CodeSource::Compiled).count(), 1);
        assert_eq!(sources.iter().filter(|source| **source == CodeSource::Memory).count(), 3);
        assert!(lock(&cache.loading).is_empty());
    }

    #[test]
    fn a_failure_is_not_kept() {
        let [a, ..] = three();
        let digest = a.digest().to_owned();
        let cache = LoadedPolicies::new(4, usize::MAX);
        assert_eq!(cache.get_or_load(&digest, || Err("no disk".to_owned())).unwrap_err(), "no disk");
        assert_eq!(cache.get_or_load(&digest, || Ok((a, CodeSource::Disk))).unwrap().1, CodeSource::Disk);
    }
}
