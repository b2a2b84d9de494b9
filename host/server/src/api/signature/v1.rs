//! The older scheme, "RPC signature": HMAC-SHA1 over the method and all parameters of query and form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::{canonical_query, encode};

/// The parameter that carries the signature and is not signed itself.
pub(crate) const SIGNATURE: &str = "Signature";

/// What a client signs: method, path and parameters. `params` are decoded; [`SIGNATURE`] is left out here.
pub(crate) fn string_to_sign<'a>(method: &str, params: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let query = canonical_query(params.filter(|(name, _)| *name != SIGNATURE));
    format!("{method}&%2F&{}", encode(&query))
}

/// Whether `signature` (Base64) fits; compared in constant time.
pub(crate) fn fits(string_to_sign: &str, signature: &str, secret: &str) -> bool {
    let Ok(signature) = STANDARD.decode(signature) else {
        return false;
    };
    // HMAC takes keys of every length, so this never fails; a failure would mean that nothing fits.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(format!("{secret}&").as_bytes()) else {
        return false;
    };
    mac.update(string_to_sign.as_bytes());
    mac.verify_slice(&signature).is_ok()
}

/// The signature itself, for tests that play the client.
#[cfg(test)]
pub(crate) fn sign(string_to_sign: &str, secret: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(format!("{secret}&").as_bytes()).unwrap();
    mac.update(string_to_sign.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example_fits() {
        let params = [
            ("VideoId", "9f3c1a7be0d24c5f8a6b1c9d0e4f5a6b"),
            ("Signature", "not part of it"),
            ("Version", "2017-03-21"),
            ("AccessKeyId", "demo-key-id"),
            ("Action", "GetPlayInfo"),
            ("Format", "JSON"),
            ("Formats", "mp4,m3u8"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", "7c1d2e3f-0001"),
            ("SignatureVersion", "1.0"),
            ("Timestamp", "2027-01-01T00:00:00Z"),
        ];
        let text = string_to_sign("GET", params.into_iter());
        assert_eq!(
            text,
            "GET&%2F&AccessKeyId%3Ddemo-key-id%26Action%3DGetPlayInfo%26Format%3DJSON%26Formats%3Dmp4%252Cm3u8\
             %26SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3D7c1d2e3f-0001%26SignatureVersion%3D1.0\
             %26Timestamp%3D2027-01-01T00%253A00%253A00Z%26Version%3D2017-03-21\
             %26VideoId%3D9f3c1a7be0d24c5f8a6b1c9d0e4f5a6b"
        );
        let signature = "ub5y2lKtqnPDzEgB3iVfyvZukh4=";
        assert_eq!(sign(&text, "demo-secret"), signature);
        assert!(fits(&text, signature, "demo-secret"));
        assert!(!fits(&text, signature, "another-secret"));
        assert!(!fits(&text, "ub5y2lKtqnPDzEgB3iVfyvZukh8=", "demo-secret"));
        assert!(!fits(&text, "no base64 at all", "demo-secret"));
        assert!(!fits(&text, "", "demo-secret"));
    }

    #[test]
    fn names_sort_by_byte_and_reserved_characters_are_encoded() {
        let params = [("b", "*"), ("B", " "), ("a~", "/+"), ("SignatureType", ""), ("c", "中")];
        assert_eq!(
            string_to_sign("POST", params.into_iter()),
            "POST&%2F&B%3D%2520%26SignatureType%3D%26a~%3D%252F%252B%26b%3D%252A%26c%3D%25E4%25B8%25AD"
        );
    }
}
