//! What names may look like: of tenants and of their domains. Both end up in URLs, in logs and in file listings.

/// Longest tenant name, that of a DNS label and one more.
const TENANT_CHARS: usize = 64;

/// RFC 1035 section 2.3.4.
const DOMAIN_CHARS: usize = 253;
const LABEL_CHARS: usize = 63;

/// Whether a text can be a tenant's name: lower-case letters, digits and hyphens, with a letter or digit at both ends.
pub(super) fn is_tenant_name(name: &str) -> bool {
    name.len() <= TENANT_CHARS && is_label(name)
}

/// A host name in its canonical, lower-case form; `None` if it is none. An address is none: it has no owner.
pub(super) fn domain(text: &str) -> Option<String> {
    let name = text.to_ascii_lowercase();
    let labels = name.split('.').all(|label| label.len() <= LABEL_CHARS && is_label(label));
    let top = name.rsplit('.').next()?;
    let address = top.bytes().all(|b| b.is_ascii_digit());
    (labels && !address && name.len() <= DOMAIN_CHARS).then_some(name)
}

fn is_label(label: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants() {
        let (longest, longer) = ("a".repeat(64), "a".repeat(65));
        for good in ["acme", "a", "0", "acme-2", "a-b-c", &longest] {
            assert!(is_tenant_name(good), "{good}");
        }
        for bad in ["", "-", "-a", "a-", "Acme", "a.b", "a_b", "a/b", "ä", "a b", "..", "%61", &longer] {
            assert!(!is_tenant_name(bad), "{bad}");
        }
    }

    #[test]
    fn domains() {
        assert_eq!(domain("Push.Example.ORG").as_deref(), Some("push.example.org"));
        assert_eq!(domain("localhost").as_deref(), Some("localhost"));
        assert_eq!(domain("a.xn--bcher-kva.example").as_deref(), Some("a.xn--bcher-kva.example"));
        let (label, name) = ("a".repeat(64), format!("{}a", "a.".repeat(127)));
        for bad in
            ["", ".", "a.", ".a", "a..b", "-a.b", "a-.b", "a b", "a/b", "a:1935", "10.0.0.1", "a.1", "a_b", "ä.de"]
        {
            assert_eq!(domain(bad), None, "{bad}");
        }
        assert_eq!((domain(&label), domain(&name)), (None, None));
    }
}
