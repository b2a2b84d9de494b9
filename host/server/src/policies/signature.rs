//! Signatures of components: plain ed25519 over the component's bytes, as `openssl pkeyutl -sign -rawin` makes one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::DecodePublicKey;
use ed25519_dalek::{Signature, VerifyingKey};

use crate::store::signing::SigningKey;

/// Longest text of a public key that is looked at; a PEM has about 120 bytes.
const KEY_TEXT_BYTES: usize = 1024;

/// Why a text is no public key that can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// It is none.
    #[error(
        "this is no ed25519 public key: give the PEM that `reprise plugin keygen` or `openssl pkey -pubout` writes, or \
         its 32 bytes in base64"
    )]
    Unreadable,
    /// It is a secret.
    #[error("this is a private key; keep it to yourself, make another one, and give the public key")]
    Private,
    /// Anybody could sign for it.
    #[error("this key is weak: signatures of it prove nothing; make another one")]
    Weak,
}

/// Why a signature is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// It has another form.
    #[error("the signature is not 64 bytes in base64")]
    Unreadable,
    /// The tenant has no such key, or revoked it.
    #[error("this tenant has no signing key `{0}` that is not revoked; see its signing keys")]
    NoKey(String),
    /// It is not by the key, or not of these bytes.
    #[error("the signature does not fit: it is of other bytes, or by another key")]
    Wrong,
}

/// The public key in a text, in base64 of its 32 bytes.
///
/// # Errors
/// [`BadKey`].
pub fn public_key(text: &str) -> Result<String, BadKey> {
    let text = text.trim();
    if text.len() > KEY_TEXT_BYTES {
        return Err(BadKey::Unreadable);
    }
    if text.contains("PRIVATE KEY") {
        return Err(BadKey::Private);
    }
    let key = match text.starts_with("-----") {
        true => VerifyingKey::from_public_key_pem(text).map_err(|_| BadKey::Unreadable)?,
        false => key_of(text).ok_or(BadKey::Unreadable)?,
    };
    // A point has one canonical form; another one would be a second name for the same key.
    if key.to_edwards().compress().as_bytes() != key.as_bytes() {
        return Err(BadKey::Unreadable);
    }
    if key.is_weak() { Err(BadKey::Weak) } else { Ok(STANDARD.encode(key.as_bytes())) }
}

/// The key among these that signed the component.
///
/// # Errors
/// [`BadSignature`].
pub(super) fn signer<'a>(
    keys: &'a [SigningKey],
    name: Option<&str>,
    component: &[u8],
    signature: &str,
) -> Result<&'a SigningKey, BadSignature> {
    let bytes = STANDARD.decode(signature.trim()).map_err(|_| BadSignature::Unreadable)?;
    let signature = Signature::from_slice(&bytes).map_err(|_| BadSignature::Unreadable)?;
    let mut good = keys.iter().filter(|key| key.revoked_at.is_none());
    let fits =
        |key: &&SigningKey| key_of(&key.public_key).is_some_and(|key| key.verify_strict(component, &signature).is_ok());
    match name {
        Some(name) => {
            let key = good.find(|key| key.name == name).ok_or_else(|| BadSignature::NoKey(name.to_owned()))?;
            Some(key).filter(fits)
        }
        None => good.find(fits),
    }
    .ok_or(BadSignature::Wrong)
}

fn key_of(base64: &str) -> Option<VerifyingKey> {
    let bytes: [u8; 32] = STANDARD.decode(base64).ok()?.try_into().ok()?;
    VerifyingKey::from_bytes(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::pkcs8::DecodePrivateKey;
    use ed25519_dalek::{Signer, SigningKey as Secret};

    use super::*;

    /// Made by `openssl genpkey -algorithm ed25519`, with `openssl pkey -pubout`.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
                           MC4CAQAwBQYDK2VwBCIEINALzHgeJKD78NXlG+/W4S7XDprdtDK4SYWvYyYPvUck\n\
                           -----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
                          MCowBQYDK2VwAyEAh+XfGLkqQ5X8CV0ZYhToIGmjmeJm5jTqWuaNvRIv6Lk=\n\
                          -----END PUBLIC KEY-----\n";
    /// Made by `openssl pkeyutl -sign -rawin` over [`COMPONENT`].
    const BY_OPENSSL: &str = "1FrQrbMuYJ39Vmh/WKAjRIHpHJNs6qMAtFp3qrVQoPdMQfwcma4uPbm/P4Z3M7LKF/m0Fj4uWEkLSHgdbNMiDg==";
    const COMPONENT: &[u8] = b"the bytes of a component";

    fn key(name: &str, public_key: String) -> SigningKey {
        SigningKey {
            name: name.to_owned(),
            public_key,
            created_at: 0,
            created_by: "admin".to_owned(),
            revoked_at: None,
        }
    }

    #[test]
    fn openssl_signs_what_is_verified_here() {
        let public = public_key(PUBLIC).unwrap();
        assert_eq!(public_key(&public), Ok(public.clone()), "base64 is another form of the same key");
        let keys = [key("ci", public)];
        for name in [Some("ci"), None] {
            assert_eq!(signer(&keys, name, COMPONENT, BY_OPENSSL).unwrap().name, "ci");
        }
        let secret = Secret::from_pkcs8_pem(PRIVATE).unwrap();
        assert_eq!(STANDARD.encode(secret.sign(COMPONENT).to_bytes()), BY_OPENSSL, "the same the other way round");
    }

    #[test]
    fn a_signature_is_of_these_bytes_and_by_this_key() {
        let (public, other) = (public_key(PUBLIC).unwrap(), Secret::from_bytes(&[7; 32]));
        let other = key("other", STANDARD.encode(other.verifying_key().as_bytes()));
        let revoked = SigningKey { revoked_at: Some(1), ..key("old", public.clone()) };
        let keys = [key("ci", public.clone()), other.clone()];
        let check = |keys: &[SigningKey], name: Option<&str>, component: &[u8], signature: &str| {
            signer(keys, name, component, signature).map(|key| key.name.clone())
        };
        assert_eq!(check(&keys, Some("ci"), COMPONENT, BY_OPENSSL).as_deref(), Ok("ci"));
        let (unreadable, no_key) = (BadSignature::Unreadable, |name: &str| BadSignature::NoKey(name.to_owned()));
        for (name, component, signature, expected) in [
            (Some("ci"), b"the bytes of a different one".as_slice(), BY_OPENSSL, BadSignature::Wrong),
            (None, b"", BY_OPENSSL, BadSignature::Wrong),
            (Some("other"), COMPONENT, BY_OPENSSL, BadSignature::Wrong),
            (Some("nobody"), COMPONENT, BY_OPENSSL, no_key("nobody")),
            (Some("ci"), COMPONENT, &BY_OPENSSL[..84], unreadable.clone()),
            (Some("ci"), COMPONENT, "***", unreadable),
        ] {
            assert_eq!(check(&keys, name, component, signature), Err(expected), "{name:?} {signature}");
        }
        let revoked = [revoked];
        assert_eq!(check(&revoked, Some("old"), COMPONENT, BY_OPENSSL), Err(no_key("old")));
        assert_eq!(check(&revoked, None, COMPONENT, BY_OPENSSL), Err(BadSignature::Wrong));
        // The signature with the group's order added to its second half verifies for lax verifiers.
        let mut bytes = STANDARD.decode(BY_OPENSSL).unwrap();
        let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
        let mut carry = 0_u16;
        for (byte, add) in bytes[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        let malleable = signer(&keys, Some("ci"), COMPONENT, &STANDARD.encode(bytes));
        assert!(malleable.is_err(), "{malleable:?}");
    }

    #[test]
    fn a_key_that_proves_nothing_is_refused() {
        let mut one = [0; 32];
        one[0] = 1;
        let order_8 = hex::decode("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a").unwrap();
        let p_plus_1 = hex::decode("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f").unwrap();
        for (text, expected) in [
            (STANDARD.encode([0; 32]), BadKey::Weak),
            (STANDARD.encode(one), BadKey::Weak),
            (STANDARD.encode(order_8), BadKey::Weak),
            (STANDARD.encode(p_plus_1), BadKey::Unreadable),
            (STANDARD.encode([7; 31]), BadKey::Unreadable),
            (String::new(), BadKey::Unreadable),
            ("x".repeat(2000), BadKey::Unreadable),
            (PRIVATE.to_owned(), BadKey::Private),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----".to_owned(), BadKey::Unreadable),
        ] {
            assert_eq!(public_key(&text), Err(expected), "{text}");
        }
    }
}
