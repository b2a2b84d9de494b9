//! Which addresses a callback may go to: public unicast, and the ranges the operator names. A tenant chooses the
//! URL, so everything else is a way into the operator's network.
//!
//! The lists are the union of what Svix and smokescreen refuse, after the IANA registries of special-purpose
//! addresses. The standard library's helpers miss several of them. This module resolves nothing and dials nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// An address that is not called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} is not called: {because}")]
pub struct Refused {
    /// The address.
    pub address: IpAddr,
    /// What it is.
    pub because: &'static str,
}

/// The rule, with the operator's ranges.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    allowed: Vec<IpNet>,
    denied: Vec<IpNet>,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(a: u16, b: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), length)
}

const DENIED_V4: &[(Ipv4Net, &str)] = &[
    (v4(0, 0, 0, 0, 8), "this network"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "shared by carriers, and cloud metadata"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    // The host agent of one large cloud answers at a public address, to its own guests only.
    (v4(168, 63, 129, 16, 32), "cloud host agent"),
    (v4(169, 254, 0, 0, 16), "link-local, and cloud metadata"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "protocol assignments"),
    (v4(192, 0, 2, 0, 24), "documentation"),
    (v4(192, 88, 99, 0, 24), "6to4 relay"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "benchmarking"),
    (v4(198, 51, 100, 0, 24), "documentation"),
    (v4(203, 0, 113, 0, 24), "documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved or broadcast"),
];

/// The only part of IPv6 that is handed out as global unicast. Outside it lie loopback, mapped and translated
/// IPv4 (`::ffff:0:0/96`, `64:ff9b::/96`, `64:ff9b:1::/48`), `100::/64`, `5f00::/16`, unique local, link-local
/// and multicast addresses.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 3);

const DENIED_V6: &[(Ipv6Net, &str)] = &[
    // Teredo (2001::/32) carries an IPv4 address; benchmarking and ORCHID lie in the same block.
    (v6(0x2001, 0, 23), "Teredo or protocol assignments"),
    (v6(0x2001, 0x0db8, 32), "documentation"),
    (v6(0x2002, 0, 16), "6to4"),
    (v6(0x3fff, 0, 20), "documentation"),
];

impl Guard {
    /// Public addresses, and these ranges besides (`callbacks.allow_private`).
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed, denied: Vec::new() }
    }

    /// Refuses these ranges too, before anything is allowed: the operator's own public addresses.
    pub fn refusing(mut self, denied: Vec<IpNet>) -> Self {
        self.denied = denied;
        self
    }

    /// Whether a callback may go to this address. IPv4 addresses in IPv6 clothes are refused whatever they hold,
    /// unless a range of the operator names them as they are written.
    pub fn check(&self, address: IpAddr) -> Result<(), Refused> {
        let refuse = |because| Err(Refused { address, because });
        if self.denied.iter().any(|net| net.contains(&address)) {
            return refuse("refused by the operator");
        }
        if self.allowed.iter().any(|net| net.contains(&address)) {
            return Ok(());
        }
        match address {
            IpAddr::V4(v4) => match DENIED_V4.iter().find(|(net, _)| net.contains(&v4)) {
                Some((_, because)) => refuse(because),
                None => Ok(()),
            },
            IpAddr::V6(v6) if !GLOBAL_V6.contains(&v6) => refuse("not global unicast"),
            IpAddr::V6(v6) => match DENIED_V6.iter().find(|(net, _)| net.contains(&v6)) {
                Some((_, because)) => refuse(because),
                None => Ok(()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &[&str] = &[
        // IPv4, first and last of each range.
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.100.100.200",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "168.63.129.16",
        "169.254.0.0",
        "169.254.169.254",
        "169.254.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.0",
        "192.0.0.255",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        // IPv6: unspecified, loopback, mapped (of anything), compatible, translated.
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:8.8.8.8",
        "::8.8.8.8",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        // Discard, segment routing, unique local, link-local, site-local, multicast.
        "100::1",
        "5f00::1",
        "fc00::1",
        "fdff:ffff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        // Inside 2000::/3: Teredo, benchmarking, ORCHID, documentation, 6to4 (of anything).
        "2001::1",
        "2001:0:ffff:ffff::1",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:1ff:ffff::1",
        "2001:db8::1",
        "2001:db8:ffff::1",
        "2002:7f00:1::",
        "2002:808:808::1",
        "3fff::1",
        "3fff:fff::1",
    ];

    const CALLED: &[&str] = &[
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "203.0.114.0",
        "223.255.255.255",
        "2000::1",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2001:db7::1",
        "2003::1",
        "2606:4700::1111",
        "3fff:1000::1",
    ];

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn only_public_addresses_are_called() {
        let guard = Guard::default();
        for text in REFUSED {
            assert!(guard.check(ip(text)).is_err(), "{text} must be refused");
        }
        for text in CALLED {
            assert_eq!(guard.check(ip(text)), Ok(()), "{text}");
        }
    }

    #[test]
    fn the_operator_allows_ranges_and_nothing_beside_them() {
        let guard = Guard::new(nets(&["127.0.0.0/8", "fd00:1::/32"]));
        for text in ["127.0.0.1", "127.9.9.9", "fd00:1::5", "8.8.8.8"] {
            assert_eq!(guard.check(ip(text)), Ok(()), "{text}");
        }
        for text in ["10.0.0.1", "::1", "fd00:2::5", "::ffff:127.0.0.1", "64:ff9b::7f00:1"] {
            assert!(guard.check(ip(text)).is_err(), "{text} must be refused");
        }
    }

    #[test]
    fn what_the_operator_refuses_is_refused_first() {
        let guard = Guard::new(nets(&["10.0.0.0/8"])).refusing(nets(&["10.1.0.0/16", "1.1.1.1/32"]));
        assert_eq!(guard.check(ip("10.2.0.1")), Ok(()));
        assert!(guard.check(ip("10.1.0.1")).is_err());
        let refused = guard.check(ip("1.1.1.1")).unwrap_err();
        assert_eq!(refused.to_string(), "1.1.1.1 is not called: refused by the operator");
    }
}
