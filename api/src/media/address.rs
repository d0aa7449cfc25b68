//! Which IP addresses belong to the public internet.
//!
//! By the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890 and its updates). IPv4 is a list of what
//! is not public; IPv6 starts from the one block that is (2000::/3) and takes the exceptions out, so a block that the
//! registry adds later outside of it is refused already.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8), // "this network"; many systems take 0.0.0.0 for themselves
    (Ipv4Addr::new(10, 0, 0, 0), 8), // private
    (Ipv4Addr::new(100, 64, 0, 0), 10), // carrier-grade NAT, and a cloud's metadata at 100.100.100.200
    (Ipv4Addr::new(127, 0, 0, 0), 8), // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // a cloud's host agent, on a public-looking address
    (Ipv4Addr::new(169, 254, 0, 0), 16), // link-local, and most clouds' metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12), // private
    (Ipv4Addr::new(192, 0, 0, 0), 24), // protocol assignments, and a cloud's metadata
    (Ipv4Addr::new(192, 0, 2, 0), 24), // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24), // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16), // private
    (Ipv4Addr::new(198, 18, 0, 0), 15), // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24), // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 3), // multicast, reserved, broadcast
];

const PUBLIC_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments: Teredo, benchmarks, ORCHID …
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4: would tunnel to any IPv4 address
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// An IPv6 form of an IPv4 address that reaches that same address: IPv4-mapped, and NAT64 (RFC 6052), which is all that
/// a host without IPv4 ever sees. Judged by the IPv4 address inside.
const EMBEDS_V4: [(Ipv6Addr, u32); 2] =
    [(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96), (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96)];

/// Whether an address is on the public internet. A doubt is a no.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) if EMBEDS_V4.iter().any(|net| in_v6(v6, *net)) => is_public_v4(low_v4(v6)),
        IpAddr::V6(v6) => in_v6(v6, PUBLIC_V6) && !NOT_PUBLIC_V6.iter().any(|net| in_v6(v6, *net)),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !NOT_PUBLIC_V4.iter().any(|net| in_v4(address, *net))
}

fn low_v4(address: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = address.octets();
    Ipv4Addr::new(a, b, c, d)
}

/// The prefix lengths above are never 0, so the shift stays within the type.
fn in_v4(address: Ipv4Addr, (net, bits): (Ipv4Addr, u32)) -> bool {
    (address.to_bits() ^ net.to_bits()) >> (u32::BITS - bits) == 0
}

fn in_v6(address: Ipv6Addr, (net, bits): (Ipv6Addr, u32)) -> bool {
    (address.to_bits() ^ net.to_bits()) >> (u128::BITS - bits) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(address: &str) -> bool {
        is_public(address.parse().unwrap())
    }

    #[test]
    fn no_special_ipv4_block_is_public_from_its_first_address_to_its_last() {
        for (first, last) in [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("168.63.129.16", "168.63.129.16"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "255.255.255.255"),
        ] {
            assert!(!public(first) && !public(last), "{first} to {last}");
            assert!(!public(&format!("::ffff:{first}")), "mapped {first}");
            assert!(!public(&format!("64:ff9b::{last}")), "translated {last}");
        }
    }

    #[test]
    fn the_neighbours_of_the_special_ipv4_blocks_are_public() {
        for address in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "8.8.8.8",
        ] {
            assert!(public(address), "{address}");
            assert!(public(&format!("::ffff:{address}")), "mapped {address}");
            assert!(public(&format!("64:ff9b::{address}")), "translated {address}");
        }
    }

    #[test]
    fn no_special_ipv6_address_is_public() {
        for address in [
            "::",
            "::1",
            "::8.8.8.8",
            "::ffff:0:8.8.8.8",
            "64:ff9b:1::808:808",
            "64:ff9b::1:0:808:808",
            "::1:ffff:808:808",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff:ffff::1",
            "2001:db8::1",
            "2002:808:808::1",
            "3fff::1",
            "3fff:fff:ffff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "ffff::1",
        ] {
            assert!(!public(address), "{address}");
        }
    }

    #[test]
    fn ordinary_ipv6_addresses_are_public() {
        for address in
            ["2001:200::1", "2001:4860:4860::8888", "2003::1", "2606:4700::1111", "2a00::1", "3fff:1000::1"]
        {
            assert!(public(address), "{address}");
        }
    }
}
