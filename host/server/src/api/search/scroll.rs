//! The token with which a client goes on where an answer ended: where that was, when it was given out, and for which
//! query, in the vendor's 32 characters.
//!
//! It is no secret and needs no key: a made-up token shows its maker another stretch of the maker's own videos. The
//! digest keeps a token from being used, by mistake, with another query.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reprise_lifecycle::time::Timestamp;
use sha2::{Digest, Sha256};

use crate::store::search::Place;

/// How long a client may take from one page to the next.
const LIFE_S: i64 = 600;

/// The farthest that scrolling goes: the vendor's two million.
pub(crate) const MAX_POSITION: i64 = 2_000_000;

/// Bytes of the token's fields: the sort key (six of its eight bytes: milliseconds until the year 10000 and beyond),
/// the row, the position, the second it was made in, the digest. Together 24, which are 32 characters.
const KEY: usize = 6;
const ROW: usize = 5;
const POSITION: usize = 3;
const MADE: usize = 4;
const DIGEST: usize = 6;

/// What a token is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) filter: &'a str,
    pub(crate) order: &'a str,
}

/// Where an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) place: Place,
    /// How many matches lie before and at this place.
    pub(crate) position: i64,
}

/// Too old, of another query, or no token at all: the client begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenError;

impl Token {
    /// `None` when the place is farther than scrolling goes.
    pub(crate) fn write(&self, query: Query<'_>, now: Timestamp) -> Option<String> {
        let mut bytes = Vec::with_capacity(KEY + ROW + POSITION + MADE + DIGEST);
        for (value, width) in
            [(self.place.key, KEY), (self.place.row, ROW), (self.position, POSITION), (now.0.div_euclid(1000), MADE)]
        {
            let whole = u64::try_from(value).ok()?.to_be_bytes();
            let (over, kept) = whole.split_at(whole.len() - width);
            if over.iter().any(|byte| *byte != 0) {
                return None;
            }
            bytes.extend_from_slice(kept);
        }
        if self.position > MAX_POSITION {
            return None;
        }
        let digest = query.digest(&bytes);
        bytes.extend_from_slice(&digest[..DIGEST]);
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    pub(crate) fn read(text: &str, query: Query<'_>, now: Timestamp) -> Result<Self, TokenError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError)?;
        if bytes.len() != KEY + ROW + POSITION + MADE + DIGEST {
            return Err(TokenError);
        }
        let (fields, digest) = bytes.split_at(KEY + ROW + POSITION + MADE);
        if query.digest(fields)[..DIGEST] != *digest {
            return Err(TokenError);
        }
        let mut rest = fields;
        let mut next = |width: usize| {
            let (field, after) = rest.split_at(width);
            rest = after;
            field.iter().fold(0_i64, |value, byte| value << 8 | i64::from(*byte))
        };
        let (key, row, position, made_s) = (next(KEY), next(ROW), next(POSITION), next(MADE));
        let age_s = now.0.div_euclid(1000) - made_s;
        if !(0..=LIFE_S).contains(&age_s) {
            return Err(TokenError);
        }
        Ok(Self { place: Place { key, row }, position })
    }
}

impl Query<'_> {
    fn digest(&self, fields: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [self.tenant.as_bytes(), self.filter.as_bytes(), self.order.as_bytes(), fields] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_798_761_600_000);
    const QUERY: Query<'static> = Query { tenant: "acme", filter: "Title = 'a'", order: "CreationTime:Desc" };

    #[test]
    fn a_token_says_where_an_answer_ended() {
        let token = Token { place: Place { key: NOW.0, row: 1 << 39 }, position: MAX_POSITION };
        let text = token.write(QUERY, NOW).unwrap();
        assert_eq!(text.len(), 32);
        assert_eq!(Token::read(&text, QUERY, NOW), Ok(token));
        assert_eq!(Token::read(&text, QUERY, NOW.plus_ms(LIFE_S * 1000)), Ok(token));
        assert_eq!(Token { position: MAX_POSITION + 1, ..token }.write(QUERY, NOW), None);
        assert_eq!(Token { place: Place { key: NOW.0, row: 1 << 40 }, ..token }.write(QUERY, NOW), None);
    }

    #[test]
    fn a_token_is_for_one_query_and_some_minutes() {
        let token = Token { place: Place { key: 5, row: 6 }, position: 7 };
        let text = token.write(QUERY, NOW).unwrap();
        let expired = Err(TokenError);
        assert_eq!(Token::read(&text, QUERY, NOW.plus_ms(LIFE_S * 1000 + 1000)), expired);
        assert_eq!(Token::read(&text, QUERY, NOW.plus_ms(-1000)), expired);
        for other in [
            Query { tenant: "umbrella", ..QUERY },
            Query { filter: "Title = 'b'", ..QUERY },
            Query { order: "CreationTime:Asc", ..QUERY },
        ] {
            assert_eq!(Token::read(&text, other, NOW), expired, "{other:?}");
        }
        let spoilt = format!("{}A", &text[..31]);
        for bad in ["", "x", &text[..28], &spoilt, "================================"] {
            assert_eq!(Token::read(bad, QUERY, NOW), expired, "{bad}");
        }
    }
}
