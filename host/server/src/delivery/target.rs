//! A callback URL taken apart, once, before anything is done with it. The parts that are dialled are the parts
//! that were checked; the configured string itself is only ever signed.

use std::net::IpAddr;

use http::Uri;
use http::uri::PathAndQuery;

/// The longest URL. Receivers' own limits are of this order.
pub const MAX_URL_BYTES: usize = 2_048;

/// Below this only the two ports of the web are called: the others belong to mail, shells and printers.
pub const FIRST_FREE_PORT: u16 = 1_024;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whether the connection is TLS.
    pub tls: bool,
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// What the request line asks for.
    pub path: PathAndQuery,
    /// The value of the `Host` header: the port is left out if it is the scheme's own.
    pub authority: String,
}

/// The host of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name for the resolver.
    Name(String),
    /// An address. The resolver is never asked for it, so it is checked by itself.
    Address(IpAddr),
}

/// A URL that is not called. The tenant must act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Longer than [`MAX_URL_BYTES`].
    #[error("the callback URL is longer than {MAX_URL_BYTES} bytes")]
    TooLong,
    /// Not a URL.
    #[error("the callback URL is not an absolute URL")]
    Syntax,
    /// Neither http nor https.
    #[error("the callback URL is neither http nor https")]
    Scheme,
    /// A user name or a password, which would end up in listings and logs.
    #[error("the callback URL carries user information")]
    UserInfo,
    /// A port below 1024 that is not the web's.
    #[error("port {0} is not called")]
    Port(u16),
}

impl Target {
    /// Takes a URL apart and refuses what is not called.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        if url.len() > MAX_URL_BYTES {
            return Err(TargetError::TooLong);
        }
        let uri: Uri = url.parse().map_err(|_| TargetError::Syntax)?;
        let tls = match uri.scheme_str() {
            Some(scheme) if scheme.eq_ignore_ascii_case("http") => false,
            Some(scheme) if scheme.eq_ignore_ascii_case("https") => true,
            Some(_) => return Err(TargetError::Scheme),
            None => return Err(TargetError::Syntax),
        };
        let authority = uri.authority().ok_or(TargetError::Syntax)?;
        if authority.as_str().contains('@') {
            return Err(TargetError::UserInfo);
        }
        let host = host(authority.host())?;
        let scheme_port = if tls { 443 } else { 80 };
        let port = match authority.port() {
            None if authority.as_str().len() != authority.host().len() => {
                return Err(TargetError::Syntax);
            }
            None => scheme_port,
            Some(port) => port.as_u16(),
        };
        if port != 80 && port != 443 && port < FIRST_FREE_PORT {
            return Err(TargetError::Port(port));
        }
        let name = authority.host();
        let authority = if port == scheme_port { name.to_owned() } else { format!("{name}:{port}") };
        Ok(Self { tls, host, port, path: path(&uri)?, authority })
    }
}

fn host(text: &str) -> Result<Host, TargetError> {
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or(TargetError::Syntax)?;
        return inner.parse().map(|v6| Host::Address(IpAddr::V6(v6))).map_err(|_| TargetError::Syntax);
    }
    if let Ok(v4) = text.parse() {
        return Ok(Host::Address(IpAddr::V4(v4)));
    }
    if text.is_empty() || text.len() > 254 {
        return Err(TargetError::Syntax);
    }
    Ok(Host::Name(text.to_owned()))
}

fn path(uri: &Uri) -> Result<PathAndQuery, TargetError> {
    let text = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let absolute = if text.starts_with('/') { text.to_owned() } else { format!("/{text}") };
    absolute.parse().map_err(|_| TargetError::Syntax)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        // (url, tls, authority, port, path)
        let table = [
            ("http://a.example/x?y=1", false, "a.example", 80, "/x?y=1"),
            ("HTTPS://A.example", true, "A.example", 443, "/"),
            ("https://a.example:443/x#part", true, "a.example", 443, "/x"),
            ("http://a.example:443/", false, "a.example:443", 443, "/"),
            ("http://a.example:8080?q", false, "a.example:8080", 8080, "/?q"),
            ("http://127.0.0.1:1024/", false, "127.0.0.1:1024", 1024, "/"),
            ("http://[::1]:65535/", false, "[::1]:65535", 65535, "/"),
        ];
        for (url, tls, authority, port, path) in table {
            let target = Target::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!((target.tls, target.authority.as_str(), target.port), (tls, authority, port), "{url}");
            assert_eq!(target.path.as_str(), path, "{url}");
        }
    }

    #[test]
    fn literal_addresses_are_seen_as_such() {
        for url in ["http://10.0.0.1/", "http://[fd00::1]/", "http://[::ffff:10.0.0.1]/"] {
            assert!(matches!(Target::parse(url).unwrap().host, Host::Address(_)), "{url}");
        }
        // The resolver may read these as addresses; its answers are checked like any other.
        for url in ["http://0x7f.1/", "http://2130706433/", "http://127.1/", "http://localhost/"] {
            assert!(matches!(Target::parse(url).unwrap().host, Host::Name(_)), "{url}");
        }
    }

    #[test]
    fn what_is_not_called() {
        let long = format!("http://a.example/{}", "x".repeat(MAX_URL_BYTES));
        let table = [
            ("", TargetError::Syntax),
            ("/relative", TargetError::Syntax),
            ("a.example", TargetError::Syntax),
            ("http://", TargetError::Syntax),
            ("http://a b/", TargetError::Syntax),
            ("http://a.example:/", TargetError::Syntax),
            ("http://a.example:99999/", TargetError::Syntax),
            ("http://[fe80::1%25eth0]/", TargetError::Syntax),
            ("http://a.example/\r\nX: y", TargetError::Syntax),
            ("ftp://a.example/", TargetError::Scheme),
            ("file:///etc/passwd", TargetError::Syntax),
            ("gopher://a.example/", TargetError::Scheme),
            ("http://user:pass@a.example/", TargetError::UserInfo),
            ("http://a.example@10.0.0.1/", TargetError::UserInfo),
            ("http://a.example:22/", TargetError::Port(22)),
            ("http://a.example:0/", TargetError::Port(0)),
            ("https://a.example:1023/", TargetError::Port(1023)),
            (long.as_str(), TargetError::TooLong),
        ];
        for (url, error) in table {
            assert_eq!(Target::parse(url), Err(error), "{url}");
        }
    }
}
