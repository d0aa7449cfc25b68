//! The session's cookie: what it is called, how it is set, cleared and read.

use cookie::{Cookie, SameSite};

use crate::Token;

/// The prefix makes browsers refuse the cookie unless it is Secure, for the whole host and for this host only: no
/// neighbouring subdomain can plant one.
const SECURE_NAME: &str = "__Host-session";
/// Over plain http on loopback browsers keep no Secure cookie.
const LOCAL_NAME: &str = "session";

/// How cookies are written for one public address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookies {
    is_secure: bool,
}

impl Cookies {
    /// Cookies that are sent over https only, unless the program is for this machine alone.
    pub fn new(is_secure: bool) -> Self {
        Cookies { is_secure }
    }

    pub fn name(self) -> &'static str {
        if self.is_secure { SECURE_NAME } else { LOCAL_NAME }
    }

    /// The value of `Set-Cookie` that signs the browser in. A cookie without an end of its own goes with the browser; how
    /// long its session lasts is the store's.
    pub fn set(self, token: &Token) -> String {
        self.with_value(token.expose()).to_string()
    }

    /// The value of `Set-Cookie` that makes the browser forget it.
    pub fn clear(self) -> String {
        let mut cookie = self.with_value("");
        cookie.make_removal();
        cookie.to_string()
    }

    /// The token in the values of the request's `Cookie` headers. Two different ones are as good as none: one of them
    /// somebody else has planted.
    pub fn read<'a>(self, headers: impl Iterator<Item = &'a str>) -> Option<Token> {
        let cookies = headers.flat_map(Cookie::split_parse).flatten();
        let mut values: Vec<String> = cookies
            .filter(|cookie| cookie.name() == self.name())
            .map(|cookie| cookie.value().to_owned())
            .collect();
        values.dedup();
        match values.as_slice() {
            [value] => Token::parse(value),
            _ => None,
        }
    }

    fn with_value(self, value: &str) -> Cookie<'_> {
        Cookie::build((self.name(), value))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self.is_secure)
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(cookie: &str) -> Vec<&str> {
        cookie.split("; ").skip(1).collect()
    }

    #[test]
    fn a_cookie_is_for_this_host_over_https_and_not_for_scripts() {
        let token = Token::random();
        let cookie = Cookies::new(true).set(&token);
        assert!(cookie.starts_with(&format!("__Host-session={}; ", token.expose())), "{cookie}");
        assert_eq!(parts(&cookie), ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"]);
    }

    #[test]
    fn on_loopback_it_does_without_https() {
        let cookie = Cookies::new(false).set(&Token::random());
        assert!(cookie.starts_with("session="), "{cookie}");
        assert_eq!(parts(&cookie), ["HttpOnly", "SameSite=Lax", "Path=/"]);
    }

    #[test]
    fn a_cleared_cookie_is_empty_and_over() {
        let cookie = Cookies::new(true).clear();
        assert!(cookie.starts_with("__Host-session=; ") && cookie.contains("Max-Age=0"), "{cookie}");
        assert!(cookie.contains("Secure") && cookie.contains("Path=/"), "{cookie}");
    }

    #[test]
    fn only_the_one_cookie_of_the_name_is_read() {
        let (token, other) = (Token::random(), Token::random());
        let (own, planted) = (token.expose(), other.expose());
        let read = |header: &str| Cookies::new(true).read([header].into_iter()).map(|token| token.hash());
        assert_eq!(read(&format!("a=b; __Host-session={own}; c=d")), Some(token.hash()));
        assert_eq!(read(&format!("__Host-session={own}; __Host-session={own}")), Some(token.hash()));
        for header in [
            String::new(),
            "nonsense".to_owned(),
            format!("session={own}"),
            "__Host-session=short".to_owned(),
            format!("__Host-session={own}; __Host-session={planted}"),
        ] {
            assert_eq!(read(&header), None, "{header}");
        }
    }
}
