use super::*;
use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, TcpListener},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENT: Duration = Duration::from_secs(30);
const TIMEOUTS: Timeouts = Timeouts { connect: PATIENT, read: PATIENT, total: PATIENT };
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn check(url: &str) -> Result<(), Refused> {
    check_url(&url.parse().unwrap(), &Allow::default())
}

/// A name server of our own: every name has these addresses.
struct Answers(Vec<IpAddr>);

impl Resolve for Answers {
    fn resolve(&self, _: Name) -> Resolving {
        let found: Vec<_> = self.0.iter().map(|ip| SocketAddr::new(*ip, 0)).collect();
        Box::pin(async move { Ok(Box::new(found.into_iter()) as Addrs) })
    }
}

fn client(dns: impl Resolve + 'static, allow: Allow) -> GuardedClient {
    // A second installation fails and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    GuardedClient::resolving_with(dns, TIMEOUTS, allow).unwrap()
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A loopback connection is in the backlog before `connect` returns, so an empty backlog proves that there was none.
fn assert_nobody_came(listener: &TcpListener) {
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

async fn answer_once(listener: TcpListener, answer: &'static str) {
    let (mut socket, _) = tokio::net::TcpListener::from_std(listener).unwrap().accept().await.unwrap();
    let mut request = [0; 1024];
    assert!(socket.read(&mut request).await.unwrap() > 0);
    socket.write_all(answer.as_bytes()).await.unwrap();
}

#[test]
fn an_ordinary_public_url_passes() {
    for url in [
        "http://example.com/a?b#c",
        "https://example.com",
        "http://8.8.8.8:8080/",
        "https://[2606:4700::1]:8443/",
    ] {
        assert_eq!(check(url), Ok(()), "{url}");
    }
}

#[test]
fn a_url_is_refused_for_what_it_says() {
    for (url, why) in [
        ("ftp://example.com/", Refused::Scheme),
        ("file:///etc/passwd", Refused::Scheme),
        ("data:text/plain,x", Refused::Scheme),
        ("gopher://127.0.0.1:80/", Refused::Scheme),
        ("http://user@example.com/", Refused::Credentials),
        ("http://:word@example.com/", Refused::Credentials),
        ("http://example.com:22/", Refused::Port(22)),
        ("https://example.com:6379/", Refused::Port(6379)),
    ] {
        assert_eq!(check(url), Err(why), "{url}");
    }
}

#[test]
fn a_literal_private_address_is_refused_in_every_spelling() {
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "10.0.0.1",
        "169.254.169.254",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "１２７.0.0.1",
    ] {
        assert_eq!(check(&format!("http://{host}/")), Err(Refused::Address), "{host}");
    }
}

#[test]
fn an_allowed_host_is_reachable_on_its_listed_ports_only() {
    let allow = Allow::new(&[("127.0.0.1", 9000), ("Hooks.Internal", 9000), ("[::1]", 9000)]);
    for (url, expected) in [
        ("http://127.0.0.1:9000/", Ok(())),
        ("http://hooks.internal:9000/", Ok(())),
        ("http://[::1]:9000/", Ok(())),
        ("http://127.0.0.1/", Err(Refused::Port(80))),
        ("http://hooks.internal/", Err(Refused::Port(80))),
        ("http://127.0.0.2:9000/", Err(Refused::Address)),
        ("http://hooks.internal.example.com:9000/", Err(Refused::Port(9000))),
    ] {
        assert_eq!(check_url(&url.parse().unwrap(), &allow), expected, "{url}");
    }
}

#[tokio::test]
async fn a_literal_loopback_url_is_refused_and_nothing_connects() {
    let (listener, port) = listener();
    let url: Url = format!("http://127.0.0.1:{port}/").parse().unwrap();
    let refused = client(SystemDns, Allow::default()).request(Method::GET, url);
    assert_eq!(refused.err(), Some(Refused::Address));
    assert_nobody_came(&listener);
}

#[tokio::test]
async fn a_name_with_only_private_addresses_fails_without_a_connection() {
    let (listener, port) = listener();
    let guarded = client(Answers(vec![LOOPBACK, "::1".parse().unwrap()]), Allow::default());
    // Past the URL's own check on purpose: the listener's port is not one of the allowed.
    let error = guarded.client.get(format!("http://rebound.example:{port}/")).send().await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
    assert_nobody_came(&listener);
}

#[tokio::test]
async fn the_system_resolver_is_filtered_too() {
    let (listener, port) = listener();
    let guarded = client(SystemDns, Allow::default());
    guarded.client.get(format!("http://localhost:{port}/")).send().await.unwrap_err();
    assert_nobody_came(&listener);
}

#[tokio::test]
async fn of_mixed_answers_only_the_public_ones_are_used() {
    let public: IpAddr = "8.8.8.8".parse().unwrap();
    let filter = PublicOnly { dns: Arc::new(Answers(vec![LOOPBACK, public])), allow: Allow::default() };
    let kept = filter.resolve("example.com".parse().unwrap()).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(kept.map(|address| address.ip()).collect::<Vec<_>>(), [public]);
}

#[tokio::test]
async fn an_allowed_address_is_reached_and_its_redirect_not_followed() {
    let (listener, port) = listener();
    let allow = Allow::new(&[("127.0.0.1", port)]);
    let url: Url = format!("http://127.0.0.1:{port}/").parse().unwrap();
    let answer = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let request = client(SystemDns, allow).request(Method::GET, url).unwrap();
    let (response, ()) = tokio::join!(request.send(), answer_once(listener, answer));
    assert_eq!(response.unwrap().status(), 302);
}

#[tokio::test]
async fn an_allowed_name_may_resolve_to_a_private_address() {
    let (listener, port) = listener();
    let guarded = client(Answers(vec![LOOPBACK]), Allow::new(&[("hooks.internal", port)]));
    let url: Url = format!("http://hooks.internal:{port}/").parse().unwrap();
    let request = guarded.request(Method::POST, url).unwrap();
    let (response, ()) =
        tokio::join!(request.send(), answer_once(listener, "HTTP/1.1 204 No Content\r\n\r\n"));
    assert_eq!(response.unwrap().status(), 204);
}
