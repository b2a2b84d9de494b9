//! Loaded policies by digest: two tenants with one component share it, and a bounded number stays ready.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::component::Loaded;

/// A bounded number of loaded policies; the one that was used longest ago makes room. What is evicted lives on
/// for as long as somebody holds it, and can be loaded again from its artefact at any time.
#[derive(Debug)]
pub struct LoadedPolicies {
    capacity: usize,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    /// Counts uses; an entry's mark is the count at its last use.
    uses: u64,
    by_digest: HashMap<String, (Arc<Loaded>, u64)>,
}

impl LoadedPolicies {
    /// Room for `capacity` policies, at least one. Each is some hundred kilobytes of machine code.
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), entries: Mutex::default() }
    }

    /// The policy with this digest, if it is here.
    pub fn get(&self, digest: &str) -> Option<Arc<Loaded>> {
        let mut entries = self.lock();
        entries.uses += 1;
        let now = entries.uses;
        let (loaded, used) = entries.by_digest.get_mut(digest)?;
        *used = now;
        Some(Arc::clone(loaded))
    }

    /// Keeps a policy. If another thread was faster its policy stays, and is what comes back.
    pub fn insert(&self, loaded: Loaded) -> Arc<Loaded> {
        let mut entries = self.lock();
        entries.uses += 1;
        let now = entries.uses;
        if let Some((present, used)) = entries.by_digest.get_mut(loaded.digest()) {
            *used = now;
            return Arc::clone(present);
        }
        if entries.by_digest.len() >= self.capacity
            && let Some(oldest) = entries.by_digest.iter().min_by_key(|(_, (_, used))| *used).map(|(d, _)| d.clone())
        {
            entries.by_digest.remove(&oldest);
        }
        let loaded = Arc::new(loaded);
        entries.by_digest.insert(loaded.digest().to_owned(), (Arc::clone(&loaded), now));
        loaded
    }

    /// How many are here.
    pub fn len(&self) -> usize {
        self.lock().by_digest.len()
    }

    /// Whether none is here.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Entries> {
        // Nothing in here can be left half done, so a panic elsewhere does not spoil it.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guests::{Core, engine, load};

    #[test]
    fn the_one_unused_for_longest_makes_room() {
        let engine = engine();
        let [a, b, c] = ["(nop)", "(nop) (nop)", "(nop) (nop) (nop)"]
            .map(|body| load(&engine, &Core::template_group(&format!("{body} (i32.const 0)")).component()));
        let digests = [&a, &b, &c].map(|loaded| loaded.digest().to_owned());
        let cache = LoadedPolicies::new(2);
        cache.insert(a);
        cache.insert(b);
        assert!(cache.get(&digests[0]).is_some());
        cache.insert(c);
        assert_eq!(digests.map(|digest| cache.get(&digest).is_some()), [true, false, true]);
        assert_eq!(cache.len(), 2);
    }
}
