//! Compiled components, and the seal under which one may lie in a file. Machine code runs with all our rights,
//! so a file is believed only if it carries a code that nobody without the key can make.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::engine::Engine;
use crate::error::OpenError;

/// Begins a sealed artefact; the number is that of the form.
const MAGIC: &[u8; 8] = b"rpsart\x00\x01";

/// Bytes of the seal.
const SEAL_BYTES: usize = 32;

/// The machine code of one component. Only [`compile`](crate::compile) and [`Artefact::open`] make one.
#[derive(Clone)]
pub struct Artefact {
    digest: String,
    code: Vec<u8>,
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
        f.debug_struct("Artefact").field("digest", &self.digest).field("code_bytes", &self.code.len()).finish()
    }
}

impl Artefact {
    /// What our own child has compiled from the component with this digest.
    pub(crate) fn from_child(digest: String, code: Vec<u8>) -> Self {
        Self { digest, code }
    }

    /// SHA-256 of the component it was compiled from, lower-case hex.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    pub(crate) fn code(&self) -> &[u8] {
        &self.code
    }

    /// The bytes to keep in a file. The seal covers the code, the component's digest and the engine's
    /// fingerprint, so one file cannot stand in for another.
    pub fn seal(&self, key: &SealKey, engine: &Engine) -> Vec<u8> {
        let seal = mac(key, &self.digest, engine, &self.code).finalize().into_bytes();
        let mut sealed = Vec::with_capacity(MAGIC.len() + SEAL_BYTES + self.code.len());
        sealed.extend_from_slice(MAGIC);
        sealed.extend_from_slice(&seal);
        sealed.extend_from_slice(&self.code);
        sealed
    }

    /// Brings back what [`Artefact::seal`] gave for the component with this digest.
    ///
    /// # Errors
    ///
    /// When it was changed, belongs to another component or build, or was sealed with another key.
    pub fn open(sealed: &[u8], key: &SealKey, digest: &str, engine: &Engine) -> Result<Self, OpenError> {
        let rest = sealed.strip_prefix(MAGIC).ok_or(OpenError::Form)?;
        let (seal, code) = rest.split_at_checked(SEAL_BYTES).ok_or(OpenError::Form)?;
        mac(key, digest, engine, code).verify_slice(seal).map_err(|_| OpenError::Seal)?;
        Ok(Self { digest: digest.to_owned(), code: code.to_vec() })
    }
}

fn mac(key: &SealKey, digest: &str, engine: &Engine, code: &[u8]) -> Hmac<Sha256> {
    // A key as long as a block needs no hashing, so there is no key that the constructor refuses.
    let mut block = [0; 64];
    block[..key.0.len()].copy_from_slice(&key.0);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    for part in [digest.as_bytes(), engine.fingerprint().as_bytes(), code] {
        // The length goes first, so that parts cannot run into each other.
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac
}

/// SHA-256 as lower-case hex.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineOptions;

    #[test]
    fn only_the_very_file_opens() {
        let engine = Engine::new(EngineOptions { max_concurrent_calls: 1 }).unwrap();
        let (key, digest) = (SealKey::new([7; 32]), digest(b"component"));
        let artefact = Artefact::from_child(digest.clone(), b"machine code".to_vec());
        let sealed = artefact.seal(&key, &engine);

        assert_eq!(Artefact::open(&sealed, &key, &digest, &engine).unwrap().code(), b"machine code");
        assert_eq!(Artefact::open(&sealed, &SealKey::new([8; 32]), &digest, &engine).err(), Some(OpenError::Seal));
        assert_eq!(Artefact::open(&sealed, &key, &super::digest(b"other"), &engine).err(), Some(OpenError::Seal));
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(Artefact::open(&changed, &key, &digest, &engine).is_err(), "byte {place}");
        }
        for length in 0..sealed.len() {
            assert!(Artefact::open(&sealed[..length], &key, &digest, &engine).is_err(), "length {length}");
        }
    }

    #[test]
    fn the_key_is_not_printed() {
        assert_eq!(format!("{:?}", SealKey::new([7; 32])), "SealKey(…)");
    }
}
