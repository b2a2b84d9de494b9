//! What stops a signed request from being used twice, too late, or too often: the clock window, the nonces seen in
//! it, and one token bucket per access key.
//!
//! Times come in as arguments. Only requests whose signature fits reach the memory, so its size is bounded by the
//! keys that exist and by their own rate. Requests that change something are noted in the catalogue as well, by
//! who dispatches them, so that a restart does not open the window again for those.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use reprise_lifecycle::time::Timestamp;
use sha2::{Digest, Sha256};

use super::error::Error;

/// The vendor's clock window, either way.
pub(crate) const SKEW_MS: i64 = 15 * 60 * 1000;

/// A nonce is remembered for the window on both sides: a request dated at its late end was sent at its early end.
pub(crate) const NONCE_LIFE_MS: i64 = 2 * SKEW_MS;

/// UUIDs have 36 characters; some clients add time and process. Longer ones would fill the catalogue.
const MAX_NONCE_BYTES: usize = 128;

/// Access keys remembered at once. Beyond it the one idle longest is forgotten, with its nonces: more keys than
/// this within half an hour is an installation for which one process is too small.
const MAX_KEYS: usize = 4096;

/// How often one access key may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second in the long run.
    pub per_second: u32,
    /// Requests at once.
    pub burst: u32,
}

impl Default for Rate {
    /// The vendor's busiest documented action allows 100 a second; a client that pages through a library stays
    /// below. At this rate the nonces of one key are 180 000 of 24 bytes in the worst half hour.
    fn default() -> Self {
        Self { per_second: 100, burst: 200 }
    }
}

/// The memory of one process.
#[derive(Debug)]
pub(crate) struct Guard {
    rate: Rate,
    keys: Mutex<HashMap<String, Seen>>,
}

#[derive(Debug)]
struct Seen {
    /// Thousandths of a request that may still be made.
    tokens: u64,
    refilled_at: Timestamp,
    nonces: HashSet<Print>,
    /// The same nonces in the order of their coming.
    order: VecDeque<(Timestamp, Print)>,
}

/// Half a SHA-256 of a nonce: of one size, whatever clients invent.
type Print = [u8; 16];

/// Whether a request dated `at` is inside the window.
///
/// # Errors
/// [`Error::TimestampExpired`] when not.
pub(crate) fn check_clock(at: Timestamp, now: Timestamp) -> Result<(), Error> {
    if at.0.abs_diff(now.0) > SKEW_MS.unsigned_abs() {
        return Err(Error::TimestampExpired);
    }
    Ok(())
}

/// Whether a nonce is of a size that is remembered.
///
/// # Errors
/// [`Error::Invalid`] when not.
pub(crate) fn check_nonce(nonce: &str) -> Result<(), Error> {
    if nonce.len() > MAX_NONCE_BYTES {
        return Err(Error::invalid("SignatureNonce", format!("it must be at most {MAX_NONCE_BYTES} bytes")));
    }
    Ok(())
}

impl Guard {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, keys: Mutex::new(HashMap::new()) }
    }

    /// Whether `nonce` was used with this key. Asked before the signature is checked; nothing is remembered.
    pub(crate) fn is_used(&self, key: &str, nonce: &str) -> bool {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(key).is_some_and(|seen| seen.nonces.contains(&print(nonce)))
    }

    /// Takes the request in: counts it against the key's rate and remembers its nonce.
    ///
    /// # Errors
    /// [`Error::Throttled`] or [`Error::NonceUsed`].
    pub(crate) fn admit(&self, key: &str, nonce: &str, now: Timestamp) -> Result<(), Error> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if !keys.contains_key(key) && keys.len() >= MAX_KEYS {
            forget_one(&mut keys);
        }
        let full = u64::from(self.rate.burst) * 1000;
        let seen = keys.entry(key.to_owned()).or_insert_with(|| Seen {
            tokens: full,
            refilled_at: now,
            nonces: HashSet::new(),
            order: VecDeque::new(),
        });
        seen.forget_before(now.plus_ms(-NONCE_LIFE_MS));
        seen.refill(self.rate, now);
        seen.tokens = seen.tokens.checked_sub(1000).ok_or(Error::Throttled)?;
        let print = print(nonce);
        if !seen.nonces.insert(print) {
            return Err(Error::NonceUsed);
        }
        seen.order.push_back((now, print));
        Ok(())
    }
}

impl Seen {
    fn refill(&mut self, rate: Rate, now: Timestamp) {
        let gained = now.ms_since(self.refilled_at).saturating_mul(u64::from(rate.per_second));
        self.tokens = self.tokens.saturating_add(gained).min(u64::from(rate.burst) * 1000);
        self.refilled_at = now;
    }

    fn forget_before(&mut self, limit: Timestamp) {
        while let Some((at, print)) = self.order.front().copied() {
            if at >= limit {
                break;
            }
            self.order.pop_front();
            self.nonces.remove(&print);
        }
    }
}

fn forget_one(keys: &mut HashMap<String, Seen>) {
    let idle = keys.iter().min_by_key(|(_, seen)| seen.refilled_at).map(|(key, _)| key.clone());
    if let Some(idle) = idle {
        keys.remove(&idle);
    }
}

fn print(nonce: &str) -> Print {
    let digest: [u8; 32] = Sha256::digest(nonce).into();
    let mut print = Print::default();
    print.copy_from_slice(&digest[..16]);
    print
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_798_761_600_000);

    #[test]
    fn the_clock_window_is_fifteen_minutes_either_way() {
        for (off_ms, inside) in
            [(0, true), (SKEW_MS, true), (-SKEW_MS, true), (SKEW_MS + 1, false), (-SKEW_MS - 1, false)]
        {
            assert_eq!(check_clock(NOW.plus_ms(off_ms), NOW).is_ok(), inside, "{off_ms}");
        }
        assert!(check_clock(Timestamp(i64::MIN), NOW).is_err());
    }

    #[test]
    fn a_nonce_serves_once_per_key_until_it_cannot_be_replayed() {
        let guard = Guard::new(Rate::default());
        assert!(!guard.is_used("a", "n"));
        guard.admit("a", "n", NOW).unwrap();
        assert!(guard.is_used("a", "n"));
        assert!(matches!(guard.admit("a", "n", NOW), Err(Error::NonceUsed)));
        guard.admit("b", "n", NOW).unwrap();
        let later = NOW.plus_ms(NONCE_LIFE_MS);
        assert!(matches!(guard.admit("a", "n", later), Err(Error::NonceUsed)));
        guard.admit("a", "n", later.plus_ms(1)).unwrap();
    }

    #[test]
    fn one_key_cannot_spend_anothers_rate() {
        let guard = Guard::new(Rate { per_second: 2, burst: 3 });
        for i in 0..3 {
            guard.admit("a", &format!("n{i}"), NOW).unwrap();
        }
        assert!(matches!(guard.admit("a", "n3", NOW), Err(Error::Throttled)));
        assert!(!guard.is_used("a", "n3"), "what was refused may be tried again");
        guard.admit("b", "n0", NOW).unwrap();
        assert!(matches!(guard.admit("a", "n3", NOW.plus_ms(499)), Err(Error::Throttled)));
        guard.admit("a", "n3", NOW.plus_ms(500)).unwrap();
        // A clock set back gives nothing and takes nothing.
        assert!(matches!(guard.admit("a", "n4", NOW), Err(Error::Throttled)));
    }

    #[test]
    fn memory_is_bounded_by_keys() {
        let guard = Guard::new(Rate::default());
        for i in 0..=MAX_KEYS {
            guard.admit(&format!("k{i}"), "n", NOW.plus_ms(i as i64)).unwrap();
        }
        assert_eq!(guard.keys.lock().unwrap().len(), MAX_KEYS);
        assert!(!guard.is_used("k0", "n"));
        assert!(guard.is_used("k1", "n"));
    }
}
