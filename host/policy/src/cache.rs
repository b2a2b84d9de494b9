//! Loaded policies by digest: two tenants with one component share it, a bounded number stays ready, and what many
//! threads need at once is loaded once. Each is charged to one of those who use it, so that nobody who asks very many
//! takes the room of all others. Who these are is not known here; an owner is a name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use reprise_lifecycle::decision::CodeSource;

use crate::component::Loaded;

/// One owner may have the room's eighth, by number or by bytes, before its own makes room first: some 128 policies, or one
/// that carries a script language's runtime, and it takes eight who ask without measure to fill the room.
const SHARES: u128 = 8;

/// Loaded policies, bounded in number and in bytes of machine code. While there is room everybody may have it. When it is
/// short, whoever loads makes it with its own, if it has more than its share; else those who have more make it; else all.
/// Of what may go, the one that was used longest ago goes. What is evicted lives on for as long as somebody holds it, and
/// can be loaded again from its artefact at any time.
#[derive(Debug)]
pub struct LoadedPolicies {
    room: Room,
    entries: Mutex<Entries>,
    loading: Mutex<HashMap<String, Arc<Loading>>>,
}

/// A policy that one thread loads while others wait for it.
type Loading = OnceLock<Result<Arc<Loaded>, String>>;

/// How much there may be.
#[derive(Clone, Copy, Debug)]
struct Room {
    policies: usize,
    code_bytes: usize,
}

/// What is here. It is looked through from end to end when something has to go, which is a thousand entries beside a
/// load of milliseconds.
#[derive(Debug, Default)]
struct Entries {
    /// Counts uses; an entry's mark is the count at its last use.
    uses: u64,
    by_digest: HashMap<String, Entry>,
    /// All together.
    all: Held,
    /// By owner; nobody has none.
    held: HashMap<String, Held>,
}

#[derive(Debug)]
struct Entry {
    loaded: Arc<Loaded>,
    used: u64,
    /// Whom it is charged to: of those who used it, one that has little.
    owner: String,
}

/// What somebody has.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    policies: usize,
    code_bytes: usize,
}

impl LoadedPolicies {
    /// Room for so many policies, and for so many bytes of machine code, whichever is less; at least one policy of
    /// whatever size.
    pub fn new(max_policies: usize, max_code_bytes: usize) -> Self {
        let room = Room { policies: max_policies.max(1), code_bytes: max_code_bytes };
        Self { room, entries: Mutex::default(), loading: Mutex::default() }
    }

    /// The policy with this digest, if it is here, for an owner to use.
    pub fn get(&self, digest: &str, owner: &str) -> Option<Arc<Loaded>> {
        lock(&self.entries).use_by(digest, owner, &self.room)
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
        owner: &str,
        load: impl FnOnce() -> Result<(Loaded, CodeSource), String>,
    ) -> Result<(Arc<Loaded>, CodeSource), String> {
        if let Some(loaded) = self.get(digest, owner) {
            return Ok((loaded, CodeSource::Memory));
        }
        let loading = Arc::clone(lock(&self.loading).entry(digest.to_owned()).or_default());
        // Whoever waited was given what is in memory by then.
        let mut source = CodeSource::Memory;
        let outcome = loading.get_or_init(|| {
            // It may have come while this thread was on its way here.
            if let Some(loaded) = self.get(digest, owner) {
                return Ok(loaded);
            }
            let (loaded, from) = load()?;
            source = from;
            Ok(self.insert(loaded, owner))
        });
        // The next thread that does not find it tries anew.
        let mut all = lock(&self.loading);
        if all.get(digest).is_some_and(|current| Arc::ptr_eq(current, &loading)) {
            all.remove(digest);
        }
        outcome.clone().map(|loaded| (loaded, source))
    }

    /// Keeps a policy, charged to an owner. If another thread was faster its policy stays, and is what comes back.
    pub fn insert(&self, loaded: Loaded, owner: &str) -> Arc<Loaded> {
        let mut entries = lock(&self.entries);
        if let Some(present) = entries.use_by(loaded.digest(), owner, &self.room) {
            return present;
        }
        entries.make_room(owner, loaded.code_bytes(), &self.room);
        entries.add(Arc::new(loaded), owner)
    }

    /// Which are here, and when each was used last: the larger the later.
    pub fn uses(&self) -> HashMap<String, u64> {
        let entries = lock(&self.entries);
        entries.by_digest.iter().map(|(digest, entry)| (digest.clone(), entry.used)).collect()
    }

    /// How many are here.
    pub fn len(&self) -> usize {
        lock(&self.entries).all.policies
    }

    /// Whether none is here.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of machine code that are here.
    pub fn code_bytes(&self) -> usize {
        lock(&self.entries).all.code_bytes
    }
}

impl Entries {
    fn held_by(&self, owner: &str) -> Held {
        self.held.get(owner).copied().unwrap_or_default()
    }

    fn use_by(&mut self, digest: &str, owner: &str, room: &Room) -> Option<Arc<Loaded>> {
        self.uses += 1;
        let entry = self.by_digest.get_mut(digest)?;
        entry.used = self.uses;
        let loaded = Arc::clone(&entry.loaded);
        if entry.owner != owner {
            let before = entry.owner.clone();
            let bytes = loaded.code_bytes();
            // Who has much never takes one from who has little: it would be the next to make room for the others that
            // the one who has much loads.
            if room.part(self.held_by(owner).with(bytes)) < room.part(self.held_by(&before)) {
                self.release(&before, bytes);
                self.charge(owner, bytes);
                if let Some(entry) = self.by_digest.get_mut(digest) {
                    owner.clone_into(&mut entry.owner);
                }
            }
        }
        Some(loaded)
    }

    fn add(&mut self, loaded: Arc<Loaded>, owner: &str) -> Arc<Loaded> {
        let bytes = loaded.code_bytes();
        self.charge(owner, bytes);
        self.all = self.all.with(bytes);
        let entry = Entry { loaded: Arc::clone(&loaded), used: self.uses, owner: owner.to_owned() };
        self.by_digest.insert(loaded.digest().to_owned(), entry);
        loaded
    }

    /// Makes room for a policy of so many bytes that an owner loads; whatever its size, it finds some in the end.
    fn make_room(&mut self, owner: &str, bytes: usize, room: &Room) {
        while !room.fits(self.all.with(bytes)) {
            let Some(digest) = self.next_to_go(owner, bytes, room) else { return };
            let Some(gone) = self.by_digest.remove(&digest) else { return };
            self.all = self.all.without(gone.loaded.code_bytes());
            self.release(&gone.owner, gone.loaded.code_bytes());
        }
    }

    fn next_to_go(&self, owner: &str, bytes: usize, room: &Room) -> Option<String> {
        let own = self.held_by(owner);
        // No more than twice as many as there are shares can have more than one.
        let over: Vec<&str> = if own.policies > 0 && room.is_more_than_a_share(own.with(bytes)) {
            vec![owner]
        } else {
            let over = self.held.iter().filter(|(_, held)| room.is_more_than_a_share(**held));
            over.map(|(owner, _)| owner.as_str()).collect()
        };
        let may_go = |entry: &Entry| over.is_empty() || over.contains(&entry.owner.as_str());
        let candidates = self.by_digest.iter().filter(|(_, entry)| may_go(entry));
        candidates.min_by_key(|(_, entry)| entry.used).map(|(digest, _)| digest.clone())
    }

    fn charge(&mut self, owner: &str, bytes: usize) {
        match self.held.get_mut(owner) {
            Some(held) => *held = held.with(bytes),
            None => {
                self.held.insert(owner.to_owned(), Held::default().with(bytes));
            }
        }
    }

    fn release(&mut self, owner: &str, bytes: usize) {
        if let Some(held) = self.held.get_mut(owner) {
            *held = held.without(bytes);
            if held.policies == 0 {
                self.held.remove(owner);
            }
        }
    }
}

impl Held {
    fn with(self, bytes: usize) -> Self {
        Self { policies: self.policies + 1, code_bytes: self.code_bytes.saturating_add(bytes) }
    }

    fn without(self, bytes: usize) -> Self {
        Self { policies: self.policies.saturating_sub(1), code_bytes: self.code_bytes.saturating_sub(bytes) }
    }
}

impl Room {
    fn fits(&self, held: Held) -> bool {
        held.policies <= self.policies && held.code_bytes <= self.code_bytes
    }

    /// The larger of the parts that this is of either bound, over a common denominator.
    fn part(&self, held: Held) -> u128 {
        let product = |held: usize, other: usize| (held as u128).saturating_mul(other as u128);
        product(held.policies, self.code_bytes).max(product(held.code_bytes, self.policies))
    }

    fn is_more_than_a_share(&self, held: Held) -> bool {
        let whole = (self.policies as u128).saturating_mul(self.code_bytes as u128);
        self.part(held).saturating_mul(SHARES) > whole
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing in here can be left half done, so a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
