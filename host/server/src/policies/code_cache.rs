//! Machine code on disk (`plugins/cache/<sha256>`), so that a restart or a tenant who comes back after a while costs no
//! compile. A file is believed only under our own seal, and then mapped, so that its pages belong to the system's file
//! cache and not to us. What it saves is time: without it nothing is lost, and a file that cannot be used goes.
//!
//! Where room is short, what nobody uses goes first. What is bound or tried goes last, of each tenant as much as its share,
//! so that nobody who has very many versions pushes out what others are asked with.
//!
//! A file is written once, under a name of its own, and gets its name by rename; from then on it is only read or
//! removed. That is what makes mapping it safe.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt, PermissionsExt};
use reprise_policy::{Artefact, Engine, Loaded, OpenError, SealKey};

use crate::files::components::is_digest;

/// Only we may read or write machine code.
const FILE_MODE: u32 = 0o600;

/// Begins the name of a file that is being written.
const FRESH: &str = "fresh-";

/// Of what one tenant uses now, the room's eighth goes last: hundreds of its components, or a few that carry a script
/// language's runtime.
const SHARES: u64 = 8;

/// What is known of how components are used, for when room must be made.
#[derive(Clone, Debug, Default)]
pub struct Uses {
    /// The digests that each tenant's bindings and running rollouts are asked with.
    pub in_use: Vec<BTreeSet<String>>,
    /// The digests in memory, and when each was used last: the larger the later.
    pub in_memory: HashMap<String, u64>,
}

/// The sealed code of components, bounded in bytes.
#[derive(Debug)]
pub struct CodeCache {
    dir: Dir,
    seal: SealKey,
    max_bytes: u64,
    /// Held while room is made, so that two threads do not count each other's files.
    sweep: Mutex<()>,
    /// The last time that room was made, what is in use had to go.
    tight: AtomicBool,
}

/// A file with sealed code.
struct Kept {
    digest: String,
    bytes: u64,
    opened: SystemTime,
}

impl CodeCache {
    /// Code below a folder, at most so many bytes; what a crash left half written is removed.
    ///
    /// # Errors
    /// When the folder cannot be listed, or a file in it not removed.
    pub fn new(dir: Dir, seal: SealKey, max_bytes: u64) -> io::Result<Self> {
        let cache = Self { dir, seal, max_bytes, sweep: Mutex::default(), tight: AtomicBool::default() };
        for entry in cache.dir.entries()? {
            let name = entry?.file_name();
            if name.to_str().is_some_and(|name| name.starts_with(FRESH) || name.ends_with(".new")) {
                cache.dir.remove_file(&name)?;
            }
        }
        Ok(cache)
    }

    /// The policy of this digest, if its code is here and can be believed. Its file counts as used now.
    pub fn open(&self, digest: &str, engine: &Engine) -> Option<Loaded> {
        let file = match self.dir.open(digest) {
            Ok(file) => file.into_std(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(digest, %error, "the compiled code of a plugin cannot be read; it is compiled again");
                return None;
            }
        };
        match self.load(&file, digest, engine) {
            Ok(loaded) => {
                // The order of use is all that this is for.
                let _ = file.set_modified(SystemTime::now());
                Some(loaded)
            }
            Err(error) => {
                // After an upgrade this is as it should be; otherwise somebody or the disk changed it.
                tracing::warn!(digest, %error, "the compiled code of a plugin is of no use; it is compiled again");
                let _ = self.dir.remove_file(digest);
                None
            }
        }
    }

    fn load(&self, file: &File, digest: &str, engine: &Engine) -> Result<Loaded, OpenError> {
        match engine.open(file, &self.seal, digest) {
            // Some disks let no code run that is mapped from them; a copy does not ask them.
            Err(OpenError::Load(_)) => Ok(engine.load(&Artefact::open(file, &self.seal, digest, engine)?)?),
            other => other,
        }
    }

    /// Keeps code, and makes room for it; how components are used is asked if there is none.
    pub fn keep(&self, artefact: &Artefact, engine: &Engine, uses: impl FnOnce() -> Uses) {
        if let Err(error) = self.write(artefact, engine).and_then(|()| self.make_room(artefact.digest(), uses)) {
            tracing::warn!(digest = artefact.digest(), %error, "the compiled code of a plugin could not be kept");
        }
    }

    fn write(&self, artefact: &Artefact, engine: &Engine) -> io::Result<()> {
        let fresh = format!("{FRESH}{}", uuid::Uuid::new_v4().simple());
        let written = self.write_as(&fresh, &artefact.seal(&self.seal, engine));
        let placed = written.and_then(|()| self.dir.rename(&fresh, &self.dir, artefact.digest()));
        if placed.is_err() {
            let _ = self.dir.remove_file(&fresh);
        }
        placed
    }

    /// Not synced: what a crash leaves of it has no seal that fits.
    fn write_as(&self, name: &str, sealed: &[u8]) -> io::Result<()> {
        let mut file = self.dir.open_with(name, OpenOptions::new().write(true).create_new(true).mode(FILE_MODE))?;
        // Whatever this process's mask is.
        file.set_permissions(cap_std::fs::Permissions::from_mode(FILE_MODE))?;
        file.write_all(sealed)
    }

    /// Removes files until the rest is within the bound: those that nobody uses now before those that somebody does, and
    /// of either those that were used longest ago. What is in memory was used later than what is not. What was just
    /// written stays.
    fn make_room(&self, newest: &str, uses: impl FnOnce() -> Uses) -> io::Result<()> {
        let _turn = self.sweep.lock().unwrap_or_else(PoisonError::into_inner);
        let mut files = self.files()?;
        let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
        if bytes <= self.max_bytes {
            return Ok(());
        }
        let uses = uses();
        let last = self.last_to_go(&files, &uses);
        files.sort_unstable_by_key(|file| {
            (last.contains(&*file.digest), uses.in_memory.get(&file.digest).copied(), file.opened)
        });
        let mut tight = false;
        for file in files {
            if bytes <= self.max_bytes {
                break;
            }
            if file.digest != newest {
                match self.dir.remove_file(&file.digest) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    Ok(()) | Err(_) => bytes -= file.bytes,
                }
                tight |= last.contains(&*file.digest);
            }
        }
        if tight && !self.tight.load(Ordering::Relaxed) {
            tracing::warn!(
                bytes = self.max_bytes,
                "the compiled code of the plugins that are in use has no room on disk, so that some are compiled again \
                 when they are asked; raise policies.code_cache_mib"
            );
        }
        self.tight.store(tight, Ordering::Relaxed);
        Ok(())
    }

    fn files(&self) -> io::Result<Vec<Kept>> {
        let mut files = Vec::new();
        for entry in self.dir.entries()? {
            let entry = entry?;
            let Ok(digest) = entry.file_name().into_string() else { continue };
            // It may go while we look.
            let Ok(metadata) = entry.metadata() else { continue };
            if is_digest(&digest) {
                let opened = metadata.modified().map_or(SystemTime::UNIX_EPOCH, cap_std::time::SystemTime::into_std);
                files.push(Kept { digest, bytes: metadata.len(), opened });
            }
        }
        Ok(files)
    }

    /// What somebody uses now, of each tenant no more than its share.
    fn last_to_go<'a>(&self, files: &[Kept], uses: &'a Uses) -> HashSet<&'a str> {
        let sizes: HashMap<&str, u64> = files.iter().map(|file| (file.digest.as_str(), file.bytes)).collect();
        let mut last = HashSet::new();
        for digests in &uses.in_use {
            let mut left = self.max_bytes / SHARES;
            for digest in digests {
                let rest = sizes.get(digest.as_str()).and_then(|bytes| left.checked_sub(*bytes));
                if let Some(rest) = rest {
                    left = rest;
                    last.insert(digest.as_str());
                }
            }
        }
        last
    }
}
