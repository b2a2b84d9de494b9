//! Stands in for the host in native tests.

use std::cell::RefCell;
use std::collections::BTreeMap;

/// The host's bounds, so that a policy which meets one does so in its tests.
const MAX_KEY_BYTES: usize = 128;
const MAX_VALUE_BYTES: usize = 4 << 10;
const MAX_KEYS: usize = 256;
const MAX_BYTES: usize = 64 << 10;
const MAX_WRITES: usize = 32;
const MAX_WRITTEN_BYTES: usize = 16 << 10;

thread_local! {
    static STATE: RefCell<State> = const { RefCell::new(State { texts: BTreeMap::new(), writes: BTreeMap::new(), count: 0, bytes: 0 }) };
}

/// The snapshot with the call's own writes in it, and these writes.
#[derive(Default)]
struct State {
    texts: BTreeMap<String, String>,
    writes: BTreeMap<String, Option<String>>,
    count: usize,
    bytes: usize,
}

/// What the next call sees.
pub(crate) fn give(texts: BTreeMap<String, String>) {
    STATE.set(State { texts, ..State::default() });
}

/// What the last call wrote: the last word on each key.
pub(crate) fn take_writes() -> BTreeMap<String, Option<String>> {
    STATE.take().writes
}

pub(super) fn get(key: &str) -> Option<String> {
    STATE.with_borrow(|state| state.texts.get(key).cloned())
}

pub(super) fn keys(prefix: &str) -> Vec<String> {
    STATE.with_borrow(|state| state.texts.keys().filter(|key| key.starts_with(prefix)).cloned().collect())
}

pub(super) fn set(key: &str, value: &str) -> Result<(), String> {
    STATE.with_borrow_mut(|state| state.write(key, Some(value)))
}

pub(super) fn delete(key: &str) -> Result<(), String> {
    STATE.with_borrow_mut(|state| state.write(key, None))
}

impl State {
    fn write(&mut self, key: &str, value: Option<&str>) -> Result<(), String> {
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Err(format!("a key of {} bytes; it has 1 to {MAX_KEY_BYTES}", key.len()));
        }
        if self.count == MAX_WRITES {
            return Err(format!("a call writes at most {MAX_WRITES} times"));
        }
        if let Some(value) = value.filter(|value| value.len() > MAX_VALUE_BYTES) {
            return Err(format!("a value of {} bytes; it has at most {MAX_VALUE_BYTES}", value.len()));
        }
        let written = self.bytes + key.len() + value.map_or(0, str::len);
        if written > MAX_WRITTEN_BYTES {
            return Err(format!("a call writes at most {MAX_WRITTEN_BYTES} bytes of keys and values"));
        }
        if let Some(value) = value {
            let others = || self.texts.iter().filter(|(other, _)| *other != key);
            if others().count() == MAX_KEYS {
                return Err(format!("a plugin has at most {MAX_KEYS} keys"));
            }
            let bytes: usize = others().map(|(key, value)| key.len() + value.len()).sum();
            if bytes + key.len() + value.len() > MAX_BYTES {
                return Err(format!("a plugin has at most {MAX_BYTES} bytes of keys and values"));
            }
            self.texts.insert(key.to_owned(), value.to_owned());
        } else {
            self.texts.remove(key);
        }
        self.count += 1;
        self.bytes = written;
        self.writes.insert(key.to_owned(), value.map(str::to_owned));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_sees_its_own_writes_and_the_last_word_counts() {
        give(BTreeMap::from([("a/1".to_owned(), "x".to_owned()), ("b".to_owned(), "y".to_owned())]));
        set("a/2", "z").unwrap();
        set("a/2", "w").unwrap();
        delete("b").unwrap();
        delete("not there").unwrap();
        assert_eq!(keys("a/"), ["a/1", "a/2"]);
        assert_eq!((get("a/2"), get("b")), (Some("w".to_owned()), None));
        let writes = take_writes();
        assert_eq!(
            writes.into_iter().map(|(key, value)| (key, value.is_some())).collect::<Vec<_>>(),
            [("a/2".to_owned(), true), ("b".to_owned(), false), ("not there".to_owned(), false)]
        );
    }

    #[test]
    fn bounds_are_named_and_nothing_is_written() {
        let long = |bytes| "k".repeat(bytes);
        give((0..MAX_KEYS).map(|number| (number.to_string(), "v".to_owned())).collect());
        for (key, value, part) in [
            (String::new(), String::new(), "a key of 0 bytes"),
            (long(129), String::new(), "a key of 129 bytes"),
            ("1".to_owned(), long(4097), "a value of 4097 bytes"),
            ("one more".to_owned(), String::new(), "256 keys"),
        ] {
            assert!(set(&key, &value).unwrap_err().contains(part));
        }
        assert!(take_writes().is_empty());

        give((0..15).map(|number| (number.to_string(), long(4096))).collect());
        assert!(set("16", &long(4096)).unwrap_err().contains("65536 bytes"));
        for _ in 0..4 {
            set("0", &long(4095)).unwrap();
        }
        assert!(delete("0").unwrap_err().contains("16384 bytes"));

        give(BTreeMap::new());
        for number in 0..32 {
            set(&number.to_string(), "").unwrap();
        }
        assert!(delete("0").unwrap_err().contains("32 times"));
    }
}
