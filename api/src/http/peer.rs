//! The address that a request comes from: the nearest one that is not a proxy of ours.

use std::net::IpAddr;

use ipnet::IpNet;
use poem::Request;
use poem::http::HeaderMap;

use super::auth::app;
use super::error::ApiError;

const FORWARDED_FOR: &str = "X-Forwarded-For";

/// Who sent the request. Behind proxies that we trust it is what they say; anybody else's header says nothing.
pub fn address(request: &Request) -> Result<IpAddr, ApiError> {
    let trusted = &app(request)?.config.trusted_proxies;
    let direct = request.remote_addr().as_socket_addr().map(|address| address.ip().to_canonical());
    let direct = direct.ok_or_else(|| ApiError::internal(anyhow::anyhow!("the request has no address")))?;
    Ok(nearest(direct, request.headers(), trusted))
}

/// Walks from our end to the first hop that is not ours. What comes before it anybody can have written.
fn nearest(direct: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_ours = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let lines = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let mut nearest = direct;
    for hop in hops.into_iter().rev() {
        if !is_ours(&nearest) {
            break;
        }
        let Ok(address) = hop.parse::<IpAddr>() else { break };
        nearest = address.to_canonical();
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(direct: &str, forwarded: &'static [&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        nearest(direct.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_our_proxies_are_believed() {
        assert_eq!(from("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(from("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(from("10.0.0.1", &["203.0.113.9, 198.51.100.7, 10.2.3.4"]), "198.51.100.7");
        assert_eq!(from("10.0.0.1", &["203.0.113.9", "10.2.3.4"]), "203.0.113.9");
        assert_eq!(from("10.0.0.1", &["not an address"]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &[]), "10.0.0.1");
    }
}
