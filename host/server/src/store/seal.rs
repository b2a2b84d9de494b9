//! Secrets at rest: sealed with XChaCha20-Poly1305 under the data folder's master key. What a secret is for
//! (its tenant and name) is bound in, so that sealed texts cannot be swapped between rows.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};

use super::{Error, Result};

const NONCE_BYTES: usize = 24;

/// The master key, ready for use.
#[derive(Clone)]
pub struct Seal {
    cipher: XChaCha20Poly1305,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// A seal of this key.
    pub fn from_key(key: [u8; 32]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(&key.into()) }
    }

    /// `secret`, sealed for `purpose`.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn seal(&self, purpose: &str, secret: &SecretString) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| Error::Sealed)?;
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: purpose.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| Error::Sealed)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// What was sealed for `purpose`.
    ///
    /// # Errors
    /// When it was sealed under another key or for another purpose, or is damaged.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<SecretString> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(Error::Sealed)?;
        let payload = Payload { msg: text, aad: purpose.as_bytes() };
        let secret = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| Error::Sealed)?;
        String::from_utf8(secret).map(SecretString::from).map_err(|_| Error::Sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_for_its_purpose_and_key() {
        let seal = Seal::from_key([1; 32]);
        let sealed = seal.seal("acme push", &SecretString::from("hush")).unwrap();
        assert_eq!(seal.open("acme push", &sealed).unwrap().expose_secret(), "hush");
        assert!(seal.open("umbrella push", &sealed).is_err());
        assert!(Seal::from_key([2; 32]).open("acme push", &sealed).is_err());
        assert!(seal.open("acme push", &sealed[..10]).is_err());
    }
}
