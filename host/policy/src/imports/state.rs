//! The plugin's state as one call sees it: the snapshot from before it, under its own writes. Nothing here is done to
//! anything; what was written comes out in the end, for whoever records the decision.

use reprise_lifecycle::decision::StateWrite;

use crate::call::StateSnapshot;

/// Bytes of a key.
pub const MAX_STATE_KEY_BYTES: usize = 128;

/// Bytes of a value: a counter, a list of names, a small table.
pub const MAX_STATE_VALUE_BYTES: usize = 4 << 10;

/// Keys of one plugin.
pub const MAX_STATE_KEYS: usize = 256;

/// Bytes of one plugin's keys and values together: every call is given all of it, and every revision is kept for
/// replays.
pub const MAX_STATE_BYTES: usize = 64 << 10;

/// Writes of one call, those of one key counted each: they are kept with the decision.
pub const MAX_STATE_WRITES: usize = 32;

/// Bytes of keys and values that one call writes, those of one key counted each: a tenant may have a million decisions
/// kept, and each carries what was written with it.
pub const MAX_STATE_WRITTEN_BYTES: usize = 16 << 10;

/// What one call sees and writes.
#[derive(Debug, Default)]
pub(crate) struct StateView {
    snapshot: StateSnapshot,
    /// The last word on each key that was written, in order. A few dozen at most, so it is searched from end to end.
    written: Vec<StateWrite>,
    /// How often was written, and how many bytes.
    writes: usize,
    written_bytes: usize,
    /// Keys that are seen, and bytes of keys and values.
    keys: usize,
    bytes: usize,
}

impl StateView {
    pub(crate) fn new(snapshot: StateSnapshot) -> Self {
        let bytes = snapshot.iter().map(|(key, value)| key.len() + value.len()).sum();
        Self { keys: snapshot.len(), bytes, snapshot, ..Self::default() }
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        match self.written.iter().find(|write| write.key == key) {
            Some(write) => write.value.as_deref(),
            None => self.snapshot.get(key),
        }
    }

    /// How many keys there are to look at.
    pub(super) fn entries(&self) -> usize {
        self.snapshot.len() + self.written.len()
    }

    pub(super) fn keys(&self, prefix: &str) -> Vec<String> {
        let is_written = |key: &str| self.written.iter().any(|write| write.key == key);
        let before = self.snapshot.iter().map(|(key, _)| key);
        let before = before.filter(|key| key.starts_with(prefix) && !is_written(key));
        let since = self.written.iter().filter(|write| write.value.is_some()).map(|write| write.key.as_str());
        let mut keys: Vec<String> =
            before.chain(since.filter(|key| key.starts_with(prefix))).map(str::to_owned).collect();
        keys.sort_unstable();
        keys
    }

    pub(super) fn set(&mut self, key: String, value: String) -> Result<(), String> {
        if value.len() > MAX_STATE_VALUE_BYTES {
            return Err(format!("a value has {} bytes; there may be {MAX_STATE_VALUE_BYTES}", value.len()));
        }
        self.check_write(&key, &value)?;
        let (had_keys, had_bytes) = self.share_of(&key);
        let keys = self.keys - had_keys + 1;
        let bytes = self.bytes - had_bytes + key.len() + value.len();
        // What does not grow is always let in: calls at the same time may together have gone past a bound, and a plugin
        // must be able to come back from there.
        if keys > MAX_STATE_KEYS && keys > self.keys {
            return Err(format!("the plugin's state has {MAX_STATE_KEYS} keys already; there may not be more"));
        }
        if bytes > MAX_STATE_BYTES && bytes > self.bytes {
            return Err(format!("the plugin's state would have {bytes} bytes; there may be {MAX_STATE_BYTES}"));
        }
        (self.keys, self.bytes) = (keys, bytes);
        self.write(StateWrite { key, value: Some(value) });
        Ok(())
    }

    pub(super) fn delete(&mut self, key: String) -> Result<(), String> {
        self.check_write(&key, "")?;
        let (had_keys, had_bytes) = self.share_of(&key);
        self.keys -= had_keys;
        self.bytes -= had_bytes;
        // Written down even if the key is not there: another call may be about to set it.
        self.write(StateWrite { key, value: None });
        Ok(())
    }

    /// What was written: one entry for each key, in order of the last word on it.
    pub(crate) fn into_writes(self) -> Vec<StateWrite> {
        self.written
    }

    fn check_write(&self, key: &str, value: &str) -> Result<(), String> {
        if key.is_empty() || key.len() > MAX_STATE_KEY_BYTES {
            return Err(format!("a key has {} bytes; there must be 1 to {MAX_STATE_KEY_BYTES}", key.len()));
        }
        if self.writes >= MAX_STATE_WRITES {
            return Err(format!("this call has written {MAX_STATE_WRITES} times already; it may not write more"));
        }
        let bytes = self.written_bytes + key.len() + value.len();
        if bytes > MAX_STATE_WRITTEN_BYTES {
            return Err(format!("this call would have written {bytes} bytes; there may be {MAX_STATE_WRITTEN_BYTES}"));
        }
        Ok(())
    }

    /// Keys and bytes that a key accounts for: one and its own, or none.
    fn share_of(&self, key: &str) -> (usize, usize) {
        self.get(key).map_or((0, 0), |value| (1, key.len() + value.len()))
    }

    fn write(&mut self, write: StateWrite) {
        self.writes += 1;
        self.written_bytes += write.key.len() + write.value.as_ref().map_or(0, String::len);
        self.written.retain(|earlier| earlier.key != write.key);
        self.written.push(write);
    }
}

#[cfg(test)]
mod tests;
