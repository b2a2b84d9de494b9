//! The files that the policy was built with: what lay in the project's `assets` folder. They are part of the component,
//! so a version of a policy always has the same ones.
//!
//! In native tests they are what [`Table::with_assets`](crate::testing::Table::with_assets) gives.

#[cfg(target_arch = "wasm32")]
use crate::bindings::host_assets as host;

/// A file's bytes by its path below `assets`, as in `rules/cup.json`.
///
/// ```
/// # fn teams() -> Result<Vec<String>, reprise_plugin::Error> {
/// let list = reprise_plugin::assets::read("teams.txt").ok_or("assets/teams.txt is missing")?;
/// # Ok(String::from_utf8_lossy(&list).lines().map(str::to_owned).collect())
/// # }
/// # assert_eq!(teams().unwrap_err().message(), "assets/teams.txt is missing");
/// ```
pub fn read(path: &str) -> Option<Vec<u8>> {
    host::read(path)
}

/// All paths, in order of their bytes.
pub fn paths() -> Vec<String> {
    host::paths()
}

/// Stands in for the host in native tests.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod host {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    thread_local! {
        static FILES: RefCell<BTreeMap<String, Vec<u8>>> = const { RefCell::new(BTreeMap::new()) };
    }

    pub(crate) fn give(files: BTreeMap<String, Vec<u8>>) {
        FILES.set(files);
    }

    pub(super) fn read(path: &str) -> Option<Vec<u8>> {
        FILES.with_borrow(|files| files.get(path).cloned())
    }

    pub(super) fn paths() -> Vec<String> {
        FILES.with_borrow(|files| files.keys().cloned().collect())
    }
}
