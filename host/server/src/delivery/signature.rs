//! The two signatures a callback carries: the vendor's, which covers URL, time and key, and that of Standard
//! Webhooks, which covers id, time and body. Keys live in types that never show them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;

/// What an endpoint secret begins with when it is shown.
pub const SECRET_PREFIX: &str = "whsec_";

/// Bounds of an endpoint secret in bytes, from Standard Webhooks 1.0.0.
pub const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The vendor's AuthKey of one callback configuration.
#[derive(Clone, Debug)]
pub struct AuthKey(SecretString);

/// The signing secret of one endpoint.
#[derive(Clone, Debug)]
pub struct EndpointSecret(SecretSlice<u8>);

/// Text that is not an endpoint secret. It does not say what the text was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an endpoint secret is `whsec_` and the base64 of 24 to 64 bytes")]
pub struct BadSecret;

impl AuthKey {
    /// Wraps a key.
    pub fn new(key: impl Into<String>) -> Self {
        Self(SecretString::from(key.into()))
    }

    /// `X-VOD-SIGNATURE`: lower-case hex MD5 of the URL as configured, the unix time and the key. The body is not
    /// covered; that is the vendor's rule, and the reason for the second signature.
    pub fn sign(&self, url: &str, unix_seconds: i64) -> String {
        let mut hash = Md5::new();
        hash.update(url.as_bytes());
        hash.update(b"|");
        hash.update(unix_seconds.to_string().as_bytes());
        hash.update(b"|");
        hash.update(self.0.expose_secret().as_bytes());
        hex::encode(hash.finalize())
    }
}

impl EndpointSecret {
    /// Reads the form in which secrets are shown.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        let encoded = text.strip_prefix(SECRET_PREFIX).ok_or(BadSecret)?;
        Self::from_bytes(STANDARD.decode(encoded).map_err(|_| BadSecret)?)
    }

    /// Wraps the bytes themselves.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, BadSecret> {
        if !SECRET_BYTES.contains(&bytes.len()) {
            return Err(BadSecret);
        }
        Ok(Self(SecretSlice::from(bytes)))
    }

    /// The form in which a secret is shown, once, to its owner.
    pub fn reveal(&self) -> SecretString {
        SecretString::from(format!("{SECRET_PREFIX}{}", STANDARD.encode(self.0.expose_secret())))
    }

    fn sign(&self, id: &str, unix_seconds: i64, body: &[u8]) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()).ok()?;
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(unix_seconds.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

/// `webhook-signature`: one signature for each live secret, newest first, so that a receiver may change to a new
/// secret whenever it likes. Nothing if there is no secret.
pub fn webhook_signature(secrets: &[EndpointSecret], id: &str, unix_seconds: i64, body: &[u8]) -> Option<String> {
    let signatures: Vec<String> = secrets.iter().filter_map(|secret| secret.sign(id, unix_seconds, body)).collect();
    (!signatures.is_empty()).then(|| signatures.join(" "))
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use http::HeaderMap;
    use standardwebhooks::Webhook;

    use super::*;

    fn unix_now() -> i64 {
        i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
    }

    #[test]
    fn the_vendors_worked_examples() {
        let table = [
            ("https://media.example.org/hooks/vod", 1_798_761_600, "Abc123Xyz789", "8cb7c0a717c5316de26367c99ed2b6df"),
            ("https://www.example.com/your/callback", 1_519_375_990, "test123", "c72b60894140fa98920f1279219b7ed4"),
        ];
        for (url, at, key, signature) in table {
            assert_eq!(AuthKey::new(key).sign(url, at), signature);
        }
    }

    /// The reference library is the judge: it accepts ours with either secret during a rotation, and refuses
    /// another body, another id, another time and a secret that is gone.
    #[test]
    fn the_reference_library_verifies_across_a_rotation() {
        let secret = |seed: u8| EndpointSecret::from_bytes((0..32).map(|i| i ^ seed).collect()).unwrap();
        let judge = |secret: &EndpointSecret| Webhook::new(secret.reveal().expose_secret()).unwrap();
        let (new, old, gone) = (secret(1), secret(2), secret(3));
        let now = unix_now();
        let long = "x".repeat(20_000);
        for body in ["", "{}", "{\"a\":\"\r\n.\"}", "{\"name\":\"日本\"}", long.as_str()] {
            let signed = webhook_signature(&[new.clone(), old.clone()], "evt_1", now, body.as_bytes()).unwrap();
            let headers = |id: &str, at: i64| {
                let mut headers = HeaderMap::new();
                headers.insert("webhook-id", id.parse().unwrap());
                headers.insert("webhook-timestamp", at.into());
                headers.insert("webhook-signature", signed.parse().unwrap());
                headers
            };
            assert!(judge(&new).verify(body.as_bytes(), &headers("evt_1", now)).is_ok());
            assert!(judge(&old).verify(body.as_bytes(), &headers("evt_1", now)).is_ok());
            assert!(judge(&gone).verify(body.as_bytes(), &headers("evt_1", now)).is_err());
            assert!(judge(&new).verify(b"other", &headers("evt_1", now)).is_err());
            assert!(judge(&new).verify(body.as_bytes(), &headers("evt_2", now)).is_err());
            assert!(judge(&new).verify(body.as_bytes(), &headers("evt_1", now - 1)).is_err());
        }
        assert_eq!(webhook_signature(&[], "evt_1", now, b"{}"), None);
    }

    #[test]
    fn secrets_are_checked_and_never_shown() {
        let bytes = |count: usize| format!("whsec_{}", STANDARD.encode(vec![7; count]));
        assert!(EndpointSecret::parse(&bytes(24)).is_ok());
        assert!(EndpointSecret::parse(&bytes(64)).is_ok());
        for bad in [bytes(23), bytes(65), "whsec_***".into(), STANDARD.encode([7; 32]), String::new()] {
            assert_eq!(EndpointSecret::parse(&bad).err(), Some(BadSecret));
        }
        let shown = format!("{:?} {:?}", AuthKey::new("hunter2"), EndpointSecret::parse(&bytes(24)).unwrap());
        assert!(!shown.contains("hunter2") && !shown.contains("BwcH") && !shown.contains("7, 7"), "{shown}");
    }
}
