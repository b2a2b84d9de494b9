//! A small memory of what was worked out before, bounded by entries. It is only ever a shortcut: what is forgotten is
//! worked out again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most recently used values by name.
#[derive(Debug)]
pub(super) struct Cache<V> {
    most: usize,
    state: Mutex<State<V>>,
}

#[derive(Debug)]
struct State<V> {
    tick: u64,
    entries: BTreeMap<String, (u64, V)>,
}

impl<V: Clone> Cache<V> {
    /// Keeps at most `most` values.
    pub(super) fn new(most: usize) -> Self {
        Self { most, state: Mutex::new(State { tick: 0, entries: BTreeMap::new() }) }
    }

    pub(super) fn get(&self, name: &str) -> Option<V> {
        let mut state = self.lock();
        state.tick += 1;
        let tick = state.tick;
        let (used, value) = state.entries.get_mut(name)?;
        *used = tick;
        Some(value.clone())
    }

    /// Remembers a value, in place of the one that was not used for longest if there are too many.
    pub(super) fn put(&self, name: &str, value: V) {
        let mut state = self.lock();
        state.tick += 1;
        let tick = state.tick;
        state.entries.insert(name.to_owned(), (tick, value));
        if state.entries.len() > self.most {
            let oldest = state.entries.iter().min_by_key(|(_, (used, _))| *used).map(|(name, _)| name.clone());
            if let Some(oldest) = oldest {
                state.entries.remove(&oldest);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first() {
        let cache = Cache::new(2);
        cache.put("a", 1);
        cache.put("b", 2);
        assert_eq!(cache.get("a"), Some(1));
        cache.put("c", 3);
        assert_eq!((cache.get("a"), cache.get("b"), cache.get("c")), (Some(1), None, Some(3)));
        cache.put("c", 4);
        assert_eq!((cache.get("a"), cache.get("c")), (Some(1), Some(4)));
    }
}
