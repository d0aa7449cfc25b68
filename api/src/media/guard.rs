//! The guard for URLs that a customer names: inputs that we fetch and callbacks that we send.
//!
//! Such a URL must never make us talk to our own network. A literal address is judged in the URL, because it never
//! reaches a resolver; a name is judged by the addresses that this very connection would use, so an answer that changes
//! between a check and the connection (DNS rebinding) gains nothing. Redirects are not followed and proxies not used:
//! both would choose an address behind the guard's back.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use reqwest::{
    Client, Method, RequestBuilder,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use url::{Host, Url};

use super::address::is_public;

const PORTS: [u16; 4] = [80, 443, 8080, 8443];

/// Why a URL is refused. The texts are safe to show to the customer and say nothing about our network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the URL must be http or https")]
    Scheme,
    #[error("the URL must not hold a user name or password")]
    Credentials,
    #[error("the URL has no host")]
    Host,
    #[error("the address is not on the public internet")]
    Address,
    #[error("port {0} is not allowed; use 80, 443, 8080 or 8443")]
    Port(u16),
}

/// Hosts that an operator lets customers name although they are private: exactly these ports of exactly these hosts.
///
/// A host stands as in a URL, in lower case, IPv6 in brackets. A listed host is reachable on its listed ports only.
#[derive(Debug, Clone, Default)]
pub struct Allow(Vec<(String, u16)>);

impl Allow {
    pub fn new(listed: &[(&str, u16)]) -> Self {
        Self(listed.iter().map(|(host, port)| (host.to_ascii_lowercase(), *port)).collect())
    }

    /// The same with more places.
    pub fn with<'p>(&self, places: impl Iterator<Item = (&'p str, u16)>) -> Self {
        let more = places.map(|(host, port)| (host.to_ascii_lowercase(), port));
        Self(self.0.iter().cloned().chain(more).collect())
    }

    fn names(&self, host: &str) -> bool {
        self.0.iter().any(|(listed, _)| listed == host)
    }

    fn lists(&self, host: &str, port: u16) -> bool {
        self.0.iter().any(|(listed, at)| listed == host && *at == port)
    }
}

/// Judges what the URL itself says; for a name, the resolver has the last word at connect time.
pub fn check_url(url: &Url, allow: &Allow) -> Result<(), Refused> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refused::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::Credentials);
    }
    let host = url.host().ok_or(Refused::Host)?;
    let port = url.port_or_known_default().ok_or(Refused::Scheme)?;
    check_place(&host, port, allow)
}

fn check_place(host: &Host<&str>, port: u16, allow: &Allow) -> Result<(), Refused> {
    let name = host.to_string();
    if allow.names(&name) {
        return if allow.lists(&name, port) { Ok(()) } else { Err(Refused::Port(port)) };
    }
    let public = match host {
        Host::Domain(_) => true,
        Host::Ipv4(v4) => is_public((*v4).into()),
        Host::Ipv6(v6) => is_public((*v6).into()),
    };
    match public {
        false => Err(Refused::Address),
        true if !PORTS.contains(&port) => Err(Refused::Port(port)),
        true => Ok(()),
    }
}

/// How long a guarded request may take.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// To connect, TLS included.
    pub connect: Duration,
    /// Between two reads.
    pub read: Duration,
    /// For everything, the body included.
    pub total: Duration,
}

/// An HTTP client that opens no connection but to the public internet and to what is allowed.
#[derive(Debug, Clone)]
pub struct GuardedClient {
    client: Client,
    allow: Allow,
    max_bytes: u64,
}

/// The largest file that is fetched unless it is said otherwise, in bytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024 * 1024;

impl GuardedClient {
    /// The process must have installed a rustls provider before.
    pub fn new(timeouts: Timeouts, allow: Allow) -> reqwest::Result<Self> {
        Self::resolving_with(SystemDns, timeouts, allow)
    }

    fn resolving_with(
        dns: impl Resolve + 'static,
        timeouts: Timeouts,
        allow: Allow,
    ) -> reqwest::Result<Self> {
        let client = Client::builder()
            .dns_resolver(PublicOnly { dns: Arc::new(dns), allow: allow.clone() })
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(timeouts.connect)
            .read_timeout(timeouts.read)
            .timeout(timeouts.total)
            .build()?;
        Ok(Self { client, allow, max_bytes: MAX_BYTES })
    }

    /// The same, for files of so many bytes at most.
    pub fn with_max_bytes(self, max_bytes: u64) -> Self {
        Self { max_bytes, ..self }
    }

    /// Whoever keeps an answer reads no more of it.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// The only way to a request, so that no URL passes unjudged.
    pub fn request(&self, method: Method, url: Url) -> Result<RequestBuilder, Refused> {
        check_url(&url, &self.allow)?;
        Ok(self.client.request(method, url))
    }
}

/// Resolves with another resolver and keeps public addresses only.
struct PublicOnly {
    dns: Arc<dyn Resolve>,
    allow: Allow,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        // The port of an allowed name was judged with the URL.
        if self.allow.names(name.as_str()) {
            return self.dns.resolve(name);
        }
        let found = self.dns.resolve(name);
        Box::pin(async move {
            let public: Vec<SocketAddr> = found.await?.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                Err(Refused::Address.into())
            } else {
                Ok(Box::new(public.into_iter()) as Addrs)
            }
        })
    }
}

struct SystemDns;

impl Resolve for SystemDns {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // Port 0 is a blank that the connection fills in from the URL.
            let found: io::Result<Vec<SocketAddr>> =
                tokio::net::lookup_host((name.as_str(), 0)).await.map(Iterator::collect);
            Ok(Box::new(found?.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
