//! Which streams are in a canary's share: by a stable hash, so that a stream is always in or always out, that a growing
//! share only adds streams, and that two plugins do not try themselves on the same ones.

use reprise_lifecycle::question::StreamKey;
use sha2::{Digest, Sha256};

use super::super::binding::matches;

/// The whole: a share of this many has every stream.
pub const ALL: u16 = 1000;

/// The streams that a candidate is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// How many of a thousand streams.
    pub permille: u16,
    /// Application, a pattern with `*`.
    pub app: String,
    /// Stream name, a pattern with `*`.
    pub stream: String,
}

impl Share {
    /// Whether a stream of a binding is in it. What has no stream is in it only if everything is.
    pub fn covers(&self, tenant: &str, plugin: &str, binding: &str, stream: Option<&StreamKey>) -> bool {
        match stream {
            Some(stream) => {
                let fits = matches(&self.app, &stream.app) && matches(&self.stream, &stream.name);
                fits && place(tenant, plugin, binding, stream) < self.permille
            }
            None => self.permille >= ALL && self.app == "*" && self.stream == "*",
        }
    }
}

/// Where a stream stands among a thousand, 0 to 999: for ever the same.
pub fn place(tenant: &str, plugin: &str, binding: &str, stream: &StreamKey) -> u16 {
    let mut hash = Sha256::new();
    for text in [tenant, plugin, binding, &stream.domain, &stream.app, &stream.name] {
        // With its length, so that no two lists of names run together into one.
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    // Of 2^64 numbers a thousand classes are equal to within 1 in 10^16.
    u16::try_from(u64::from_be_bytes(first) % u64::from(ALL)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(app: &str, name: &str) -> StreamKey {
        StreamKey { domain: "push.acme.example".to_owned(), app: app.to_owned(), name: name.to_owned() }
    }

    fn share(permille: u16, app: &str, name: &str) -> Share {
        Share { permille, app: app.to_owned(), stream: name.to_owned() }
    }

    #[test]
    fn a_stream_keeps_its_place_for_ever() {
        // Numbers that were there before: if they change, running canaries ask the other half of their streams.
        for (tenant, plugin, binding, app, name, expected) in GOLDEN {
            assert_eq!(place(tenant, plugin, binding, &stream(app, name)), expected, "{tenant} {plugin} {app}/{name}");
        }
    }

    /// Computed apart from this code, with Python's hashlib.
    const GOLDEN: [(&str, &str, &str, &str, &str, u16); 4] = [
        ("acme", "groups", "default", "live", "cam01", 384),
        ("acme", "groups", "default", "live", "cam02", 497),
        ("acme", "groups", "events", "live", "cam01", 968),
        ("zeta", "groups", "default", "li", "vecam01", 815),
    ];

    #[test]
    fn a_share_is_what_it_says_and_grows_by_adding() {
        let streams: Vec<StreamKey> = (0..10_000).map(|index| stream("live", &format!("cam{index}"))).collect();
        let inside = |permille: u16| -> Vec<bool> {
            let share = share(permille, "*", "*");
            streams.iter().map(|stream| share.covers("acme", "groups", "default", Some(stream))).collect()
        };
        let mut smaller = inside(0);
        assert!(smaller.iter().all(|is| !is));
        for permille in [10, 50, 100, 250, 500, 900, 1000] {
            let larger = inside(permille);
            let count = larger.iter().filter(|is| **is).count() as i64;
            let off = (count - i64::from(permille) * 10).abs();
            assert!(off <= 200, "{count} of 10000 at {permille} permille");
            assert!(smaller.iter().zip(&larger).all(|(was, is)| !was || *is), "{permille} took a stream away");
            smaller = larger;
        }
        assert!(smaller.iter().all(|is| *is));
    }

    #[test]
    fn patterns_narrow_a_share() {
        for (share, stream, expected) in [
            (share(1000, "live", "*"), Some(stream("live", "a")), true),
            (share(1000, "live", "*"), Some(stream("test", "a")), false),
            (share(1000, "*", "cup-*"), Some(stream("live", "cup-1")), true),
            (share(1000, "*", "cup-*"), Some(stream("live", "news")), false),
            (share(0, "*", "*"), Some(stream("live", "a")), false),
            (share(1000, "*", "*"), None, true),
            (share(999, "*", "*"), None, false),
            (share(1000, "live", "*"), None, false),
        ] {
            assert_eq!(share.covers("acme", "p", "default", stream.as_ref()), expected, "{share:?} {stream:?}");
        }
    }
}
