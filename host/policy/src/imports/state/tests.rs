//! A call's view of the state against a plain map, and each bound by itself.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What a guest may do.
#[derive(Clone, Debug)]
enum Act {
    Get(String),
    Keys(String),
    Set(String, String),
    Delete(String),
}

/// Few keys, so that acts meet; some are no keys at all.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![8 => "[ab]{1,2}", 1 => Just(String::new()), 1 => Just("k".repeat(MAX_STATE_KEY_BYTES + 1))]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![8 => "[xyä]{0,3}", 2 => Just("v".repeat(MAX_STATE_VALUE_BYTES)), 1 => Just("v".repeat(MAX_STATE_VALUE_BYTES + 1))]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        key().prop_map(Act::Get),
        "[ab]{0,2}".prop_map(Act::Keys),
        (key(), value()).prop_map(|(key, value)| Act::Set(key, value)),
        key().prop_map(Act::Delete),
    ]
}

/// The model: a map, and the rules as the contract words them.
#[derive(Clone, Debug)]
struct Model {
    state: BTreeMap<String, String>,
    writes: usize,
    written_bytes: usize,
}

impl Model {
    /// With this write in it.
    fn writing(&self, key: &str, value: &str) -> Self {
        let written_bytes = self.written_bytes + key.len() + value.len();
        Self { writes: self.writes + 1, written_bytes, ..self.clone() }
    }

    fn may_have_written(&self, key: &str) -> bool {
        (1..=MAX_STATE_KEY_BYTES).contains(&key.len())
            && self.writes <= MAX_STATE_WRITES
            && self.written_bytes <= MAX_STATE_WRITTEN_BYTES
    }

    fn bytes(&self) -> usize {
        self.state.iter().map(|(key, value)| key.len() + value.len()).sum()
    }

    fn set(&mut self, key: &str, value: &str) -> bool {
        let mut after = self.writing(key, value);
        after.state.insert(key.to_owned(), value.to_owned());
        let fits = after.state.len() <= MAX_STATE_KEYS && after.bytes() <= MAX_STATE_BYTES;
        let taken = after.may_have_written(key) && value.len() <= MAX_STATE_VALUE_BYTES && fits;
        if taken {
            *self = after;
        }
        taken
    }

    fn delete(&mut self, key: &str) -> bool {
        let mut after = self.writing(key, "");
        after.state.remove(key);
        let taken = after.may_have_written(key);
        if taken {
            *self = after;
        }
        taken
    }
}

/// States from empty to full, within bounds: `filler` keys of some size beside the few that acts meet.
fn snapshot() -> impl Strategy<Value = BTreeMap<String, String>> {
    let few = prop::collection::btree_map("[ab]{1,2}", "[xy]{0,3}", 0..4);
    (few, 0_usize..=252, 0_usize..=252).prop_map(|(mut state, filler, size)| {
        state.extend((0..filler).map(|number| (format!("f{number:03}"), "v".repeat(size))));
        state
    })
}

proptest! {
    #[test]
    fn a_view_is_a_map(before in snapshot(), acts in prop::collection::vec(act(), 0..60)) {
        let snapshot = StateSnapshot::from(before.clone());
        let mut view = StateView::new(snapshot.clone());
        let mut model = Model { state: before, writes: 0, written_bytes: 0 };
        for act in &acts {
            match act {
                Act::Get(key) => prop_assert_eq!(view.get(key), model.state.get(key).map(String::as_str)),
                Act::Keys(prefix) => {
                    let found: Vec<_> = model.state.keys().filter(|key| key.starts_with(prefix)).cloned().collect();
                    prop_assert_eq!(view.keys(prefix), found);
                }
                Act::Set(key, value) => {
                    prop_assert_eq!(view.set(key.clone(), value.clone()).is_ok(), model.set(key, value), "{:?}", act);
                }
                Act::Delete(key) => prop_assert_eq!(view.delete(key.clone()).is_ok(), model.delete(key), "{:?}", act),
            }
        }
        let writes = view.into_writes();
        let mut keys: Vec<_> = writes.iter().map(|write| &write.key).collect();
        keys.sort_unstable();
        keys.dedup();
        prop_assert_eq!(keys.len(), writes.len(), "one entry for each key");
        prop_assert_eq!(snapshot.after(&writes), StateSnapshot::from(model.state));
    }
}

#[test]
fn errors_say_which_bound_is_met() {
    let full_of_keys: StateSnapshot = (0..256).map(|number| (format!("k{number}"), String::new())).collect();
    let full_of_bytes: StateSnapshot = (0..16).map(|number| (format!("k{number:03}"), "v".repeat(4092))).collect();
    let cases = [
        (StateSnapshot::default(), "", "", "a key has 0 bytes; there must be 1 to 128"),
        (StateSnapshot::default(), &*"k".repeat(129), "", "a key has 129 bytes; there must be 1 to 128"),
        (StateSnapshot::default(), "k", &*"v".repeat(4097), "a value has 4097 bytes; there may be 4096"),
        (full_of_keys, "new", "", "has 256 keys already"),
        (full_of_bytes, "new", "", "would have 65539 bytes; there may be 65536"),
    ];
    for (snapshot, key, value, part) in cases {
        let mut view = StateView::new(snapshot);
        let problem = view.set(key.to_owned(), value.to_owned()).unwrap_err();
        assert!(problem.contains(part), "{problem}");
        assert!(view.into_writes().is_empty());
    }
    let mut view = StateView::default();
    (0..MAX_STATE_WRITES).for_each(|_| view.set("k".to_owned(), "v".to_owned()).unwrap());
    assert!(view.delete("k".to_owned()).unwrap_err().contains("written 32 times already"));
    assert_eq!(view.into_writes(), [StateWrite { key: "k".to_owned(), value: Some("v".to_owned()) }]);

    // The bytes of every write count, also of those that a later one takes the place of.
    let mut view = StateView::default();
    (0..4).for_each(|_| view.set("k".to_owned(), "v".repeat(4095)).unwrap());
    for (key, value) in [("k", Some("")), ("gone", None)] {
        let problem = match value {
            Some(value) => view.set(key.to_owned(), value.to_owned()),
            None => view.delete(key.to_owned()),
        };
        let problem = problem.unwrap_err();
        assert!(
            problem.contains(&format!("would have written {} bytes; there may be 16384", 16384 + key.len())),
            "{problem}"
        );
    }
    assert_eq!(view.into_writes().len(), 1);
}

#[test]
fn a_plugin_comes_back_from_beyond_a_bound() {
    // Two calls at the same time, each within bounds, left more than there may be.
    let beyond: StateSnapshot = (0..300).map(|number| (format!("k{number:03}"), "v".repeat(300))).collect();
    let mut view = StateView::new(beyond);
    view.set("k000".to_owned(), "less".to_owned()).unwrap();
    view.delete("k001".to_owned()).unwrap();
    assert!(view.set("k000".to_owned(), "more again".to_owned()).is_err());
    assert!(view.set("new".to_owned(), String::new()).is_err());
}
