//! What one call is made of: the question, and everything that a guest may see beside it. All of it is kept with the
//! decision or part of the component, so that the same call has the same answer for ever.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use reprise_lifecycle::decision::StateWrite;
use reprise_lifecycle::question::Question;
use serde::{Deserialize, Serialize};

use crate::limits::CallLimits;

/// One question and everything that a guest may see beside it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// What is asked.
    pub question: &'a Question,
    /// The settings, empty if there are none.
    pub settings: &'a str,
    /// The plugin's state before the call.
    pub state: &'a StateSnapshot,
    /// The files that the policy was built with.
    pub assets: &'a Arc<dyn Assets>,
    /// What the call may use up.
    pub limits: &'a CallLimits,
}

/// A plugin's state at one moment: texts by key. Cheap to clone, so that many calls can see the same one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct StateSnapshot(Arc<BTreeMap<String, String>>);

impl StateSnapshot {
    /// The value of a key, if it has one.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Keys and values, in order of the keys' bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The state after these writes.
    #[must_use]
    pub fn after(&self, writes: &[StateWrite]) -> Self {
        let mut state = (*self.0).clone();
        for write in writes {
            match &write.value {
                Some(value) => state.insert(write.key.clone(), value.clone()),
                None => state.remove(&write.key),
            };
        }
        Self(Arc::new(state))
    }
}

impl From<BTreeMap<String, String>> for StateSnapshot {
    fn from(state: BTreeMap<String, String>) -> Self {
        Self(Arc::new(state))
    }
}

impl From<StateSnapshot> for BTreeMap<String, String> {
    fn from(state: StateSnapshot) -> Self {
        Arc::unwrap_or_clone(state.0)
    }
}

impl FromIterator<(String, String)> for StateSnapshot {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(entries: I) -> Self {
        Self(Arc::new(entries.into_iter().collect()))
    }
}

/// The files that a policy was built with. They belong to the component, so the same digest has the same files.
pub trait Assets: Send + Sync + fmt::Debug {
    /// A file's bytes. The path is a guest's: whoever reads a file by it confines the read to the policy's own folder.
    fn read(&self, path: &str) -> Option<Vec<u8>>;

    /// All paths, relative and separated by `/`.
    fn paths(&self) -> Vec<String>;
}

/// No files at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAssets;

impl NoAssets {
    /// As a call takes them.
    pub fn shared() -> Arc<dyn Assets> {
        Arc::new(Self)
    }
}

impl Assets for NoAssets {
    fn read(&self, _path: &str) -> Option<Vec<u8>> {
        None
    }

    fn paths(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Files in memory: for those who have the whole component there anyway.
impl Assets for BTreeMap<String, Vec<u8>> {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.get(path).cloned()
    }

    fn paths(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}
