//! Compiled components, and the seal under which one may lie in a file. Machine code runs with all our rights,
//! so a file is believed only if it carries a code that nobody without the key can make.
//!
//! A sealed file is the machine code, then a trailer: magic, the component's class, the length of the code, and a MAC
//! over all of it and over what the file is for. The code comes first, because it is mapped and not copied.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::class::Class;
use crate::engine::Engine;
use crate::error::OpenError;

/// Begins the trailer of a sealed artefact; the number is that of the form.
const MAGIC: &[u8; 8] = b"rpsart\x00\x02";

/// Magic, class, length of the code, seal.
const TRAILER_BYTES: usize = 8 + 1 + 8 + SEAL_BYTES;

/// Bytes of the seal.
const SEAL_BYTES: usize = 32;

/// Bytes that are read at once while a file is checked.
const CHUNK_BYTES: usize = 256 << 10;

/// Rights of others to write a file. What they can change after it was checked is not believed.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The machine code of one component. Only [`compile`](crate::compile) and [`Artefact::open`] make one.
#[derive(Clone)]
pub struct Artefact {
    digest: String,
    class: Class,
    code: Vec<u8>,
}

/// A file that was found to be ours. [`Engine::open`] makes it and uses it at once.
pub(crate) struct Sealed<'a> {
    file: &'a File,
    class: Class,
}

/// The operator's secret for sealing artefacts.
#[derive(Clone)]
pub struct SealKey([u8; 32]);

impl SealKey {
    /// Wraps 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(…)")
    }
}

impl fmt::Debug for Artefact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Artefact")
            .field("digest", &self.digest)
            .field("class", &self.class)
            .field("code_bytes", &self.code.len())
            .finish()
    }
}

impl Artefact {
    /// What our own child has compiled from the component with this digest.
    pub(crate) fn from_child(digest: String, class: Class, code: Vec<u8>) -> Self {
        Self { digest, class, code }
    }

    /// SHA-256 of the component it was compiled from, lower-case hex.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The class of that component.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Bytes of machine code.
    pub fn code_bytes(&self) -> usize {
        self.code.len()
    }

    pub(crate) fn code(&self) -> &[u8] {
        &self.code
    }

    /// The bytes to keep in a file. The seal covers the code, the component's digest and class and the engine's
    /// fingerprint, so one file cannot stand in for another.
    pub fn seal(&self, key: &SealKey, engine: &Engine) -> Vec<u8> {
        self.seal_for(key, engine.fingerprint())
    }

    fn seal_for(&self, key: &SealKey, fingerprint: &str) -> Vec<u8> {
        let mut mac = begin(key, &self.digest, fingerprint, self.class, self.code.len() as u64);
        mac.update(&self.code);
        let mut sealed = Vec::with_capacity(self.code.len() + TRAILER_BYTES);
        sealed.extend_from_slice(&self.code);
        sealed.extend_from_slice(MAGIC);
        sealed.push(class_byte(self.class));
        sealed.extend_from_slice(&(self.code.len() as u64).to_le_bytes());
        sealed.extend_from_slice(&mac.finalize().into_bytes());
        sealed
    }

    /// Brings back into memory what [`Artefact::seal`] gave for the component with this digest. [`Engine::open`] maps it
    /// instead, which is better wherever the file's disk lets code run.
    ///
    /// # Errors
    ///
    /// When it was changed, belongs to another component or build, or was sealed with another key.
    pub fn open(file: &File, key: &SealKey, digest: &str, engine: &Engine) -> Result<Self, OpenError> {
        let length = file.metadata().map_err(unreadable)?.len();
        let Trailer { class, seal } = Trailer::read(file, length)?;
        // The copy is what is checked, so nothing that happens to the file afterwards matters.
        let mut code = vec![0; usize::try_from(length).map_err(|_| OpenError::Form)? - TRAILER_BYTES];
        file.read_exact_at(&mut code, 0).map_err(unreadable)?;
        let mut mac = begin(key, digest, engine.fingerprint(), class, code.len() as u64);
        mac.update(&code);
        mac.verify_slice(&seal).map_err(|_| OpenError::Seal)?;
        Ok(Self { digest: digest.to_owned(), class, code })
    }
}

impl<'a> Sealed<'a> {
    /// Checks a file from its first byte to its last, without taking it into memory.
    pub(crate) fn check(file: &'a File, key: &SealKey, digest: &str, engine: &Engine) -> Result<Self, OpenError> {
        let metadata = file.metadata().map_err(unreadable)?;
        // It will be mapped, and whoever can write to it could change it under us.
        if metadata.mode() & WRITABLE_BY_OTHERS != 0 || metadata.uid() != nix::unistd::geteuid().as_raw() {
            return Err(OpenError::Exposed);
        }
        let Trailer { class, seal } = Trailer::read(file, metadata.len())?;
        let length = metadata.len() - TRAILER_BYTES as u64;
        let mut mac = begin(key, digest, engine.fingerprint(), class, length);
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut at = 0;
        while at < length {
            let wanted = usize::try_from(length - at).unwrap_or(usize::MAX).min(CHUNK_BYTES);
            let bytes = &mut chunk[..wanted];
            file.read_exact_at(bytes, at).map_err(unreadable)?;
            mac.update(bytes);
            at += wanted as u64;
        }
        mac.verify_slice(&seal).map_err(|_| OpenError::Seal)?;
        Ok(Self { file, class })
    }

    pub(crate) fn file(&self) -> &File {
        self.file
    }

    pub(crate) fn class(&self) -> Class {
        self.class
    }
}

struct Trailer {
    class: Class,
    seal: [u8; SEAL_BYTES],
}

impl Trailer {
    /// Reads the end of a file of this length; what it says is not believed yet.
    fn read(file: &File, length: u64) -> Result<Self, OpenError> {
        let code_bytes = length.checked_sub(TRAILER_BYTES as u64).ok_or(OpenError::Form)?;
        let mut trailer = [0; TRAILER_BYTES];
        file.read_exact_at(&mut trailer, code_bytes).map_err(unreadable)?;
        let rest = trailer.strip_prefix(MAGIC).ok_or(OpenError::Form)?;
        let (&class, rest) = rest.split_first().ok_or(OpenError::Form)?;
        let class = Class::ALL.into_iter().find(|known| class_byte(*known) == class).ok_or(OpenError::Form)?;
        let (said, seal) = rest.split_first_chunk().ok_or(OpenError::Form)?;
        if u64::from_le_bytes(*said) != code_bytes {
            return Err(OpenError::Form);
        }
        Ok(Self { class, seal: seal.try_into().map_err(|_| OpenError::Form)? })
    }
}

fn class_byte(class: Class) -> u8 {
    match class {
        Class::Standard => 0,
        Class::Scripted => 1,
    }
}

/// The MAC over everything but the code itself.
fn begin(key: &SealKey, digest: &str, fingerprint: &str, class: Class, code_bytes: u64) -> Hmac<Sha256> {
    // A key as long as a block needs no hashing, so there is no key that the constructor refuses.
    let mut block = [0; 64];
    block[..key.0.len()].copy_from_slice(&key.0);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(MAGIC);
    for part in [digest.as_bytes(), fingerprint.as_bytes(), &[class_byte(class)]] {
        // The length goes first, so that parts cannot run into each other.
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.update(&code_bytes.to_be_bytes());
    mac
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn unreadable(error: std::io::Error) -> OpenError {
    OpenError::Unreadable(error.kind())
}

/// SHA-256 as lower-case hex.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests;
