//! Which addresses are on the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is on the public internet: anything else could be this machine, its neighbours, or
/// a cloud's metadata service, none of which a campus's setting may make us talk to.
pub fn is_public_address(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || first == 0 // this network, RFC 1122
        || first >= 240 // reserved, and broadcast
        || (first == 100 && (64..128).contains(&second)) // carrier-grade NAT, RFC 6598
        || (first == 192 && second == 0 && third == 0) // protocol assignments, RFC 6890
        || (first == 198 && (second == 18 || second == 19)); // benchmarks, RFC 2544
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // An IPv4 address in other clothes is as public as itself: NAT64 (RFC 6052), 6to4 (RFC 3056).
    let embedded = match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    };
    if let Some(embedded) = embedded {
        return is_public_v4(embedded);
    }
    // Global unicast is 2000::/3 (RFC 4291), but for documentation and Teredo.
    segments[0] & 0xe000 == 0x2000
        && !(segments[0] == 0x2001 && matches!(segments[1], 0 | 0x0db8))
        && segments[0] != 0x3fff
}

#[cfg(test)]
mod tests {
    use super::is_public_address;

    #[test]
    fn only_the_public_internet_is_public() {
        let private = [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "64:ff9b:1::1",
        ];
        for address in private {
            assert!(!is_public_address(address.parse().unwrap()), "{address}");
        }
        for address in
            ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101"]
        {
            assert!(is_public_address(address.parse().unwrap()), "{address}");
        }
    }
}
