//! Whether a request that comes with a cookie was meant by the person it belongs to. Pure.
//!
//! Browsers say where a request comes from: in `Sec-Fetch-Site`, older ones in `Origin`. Programs that are no browsers say
//! neither, and then the page's token has to do. A form can be sent from anywhere without asking first, so it always needs
//! the token, too.

use crate::Token;

/// What of a request tells where it comes from. A header that is no text is as good as a foreign one: pass an empty text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    pub method: &'a str,
    pub sec_fetch_site: Option<&'a str>,
    pub origin: Option<&'a str>,
    pub host: Option<&'a str>,
    pub content_type: Option<&'a str>,
    /// `X-CSRF-Token`.
    pub token: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Site {
    Ours,
    Foreign,
    Unknown,
}

const FORMS: [&str; 3] = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];

/// Whether the request may use the cookie whose token this is. `own_origin` is the public address without a path.
pub fn is_allowed(asked: &Asked<'_>, own_origin: &str, token: &Token) -> bool {
    let has_token = || asked.token.is_some_and(|given| token.is_csrf(given));
    if is_safe(asked.method) {
        return true;
    }
    match site(asked, own_origin) {
        Site::Foreign => false,
        Site::Unknown => has_token(),
        Site::Ours => !is_form(asked.content_type) || has_token(),
    }
}

/// Whether a browser says that another site sends this. For requests that bring no cookie but get one.
pub fn is_foreign(asked: &Asked<'_>, own_origin: &str) -> bool {
    !is_safe(asked.method) && site(asked, own_origin) == Site::Foreign
}

fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}

/// Every header that is there has to say that it is us.
fn site(asked: &Asked<'_>, own_origin: &str) -> Site {
    let same_site = asked.sec_fetch_site.map(|site| site == "same-origin");
    let own = asked.origin.map(|origin| is_own(origin, own_origin, asked.host));
    match (same_site, own) {
        (None, None) => Site::Unknown,
        (Some(false), _) | (_, Some(false)) => Site::Foreign,
        _ => Site::Ours,
    }
}

/// The public address, or whatever name the request itself was sent to: a browser can't be made to lie about either.
fn is_own(origin: &str, own_origin: &str, host: Option<&str>) -> bool {
    let name = origin.split_once("://").map(|(_, name)| name);
    let is_host =
        name.zip(host).is_some_and(|(name, host)| !name.is_empty() && name.eq_ignore_ascii_case(host));
    origin.eq_ignore_ascii_case(own_origin) || is_host
}

fn is_form(content_type: Option<&str>) -> bool {
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    FORMS.iter().any(|form| media_type.eq_ignore_ascii_case(form))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "https://api.example.com";
    const JSON: Option<&str> = Some("application/json");
    const FORM: Option<&str> = Some("application/x-www-form-urlencoded; charset=utf-8");

    #[test]
    fn a_request_is_allowed_only_when_it_comes_from_us_or_has_the_token() {
        let token = Token::random();
        let good = token.csrf();
        let (good, bad) = (Some(good.as_str()), Some("bad"));
        let host = Some("127.0.0.1:8080");
        for (sec_fetch_site, origin, content_type, given, is_fine) in [
            // A modern browser.
            (Some("same-origin"), None, JSON, None, true),
            (Some("same-origin"), Some(OURS), JSON, None, true),
            (Some("same-origin"), Some("https://evil.example"), JSON, good, false),
            (Some("same-site"), Some("https://www.example.com"), JSON, good, false),
            (Some("cross-site"), Some(OURS), JSON, good, false),
            (Some("cross-site"), None, JSON, good, false),
            (Some("none"), None, JSON, good, false),
            (Some(""), None, JSON, good, false),
            // An older browser.
            (None, Some(OURS), JSON, None, true),
            (None, Some("HTTPS://API.EXAMPLE.COM"), JSON, None, true),
            (None, Some("http://127.0.0.1:8080"), JSON, None, true),
            (None, Some("http://127.0.0.1:9090"), JSON, good, false),
            (None, Some("https://evil.example"), JSON, good, false),
            (None, Some("https://api.example.com.evil.example"), JSON, good, false),
            (None, Some("null"), JSON, good, false),
            (None, Some(""), JSON, good, false),
            // No browser.
            (None, None, JSON, good, true),
            (None, None, JSON, bad, false),
            (None, None, JSON, None, false),
            (None, None, None, Some(""), false),
            // A form.
            (Some("same-origin"), None, FORM, None, false),
            (Some("same-origin"), Some(OURS), FORM, bad, false),
            (Some("same-origin"), Some(OURS), FORM, good, true),
            (None, Some(OURS), Some("Multipart/Form-Data; boundary=x"), None, false),
            (None, Some(OURS), Some("text/plain"), None, false),
            (None, Some(OURS), Some("text/plain"), good, true),
        ] {
            let asked = Asked { method: "POST", sec_fetch_site, origin, host, content_type, token: given };
            assert_eq!(is_allowed(&asked, OURS, &token), is_fine, "{asked:?}");
        }
    }

    #[test]
    fn reading_needs_nothing_and_every_other_method_does() {
        let token = Token::random();
        for (method, is_fine) in [
            ("GET", true),
            ("HEAD", true),
            ("OPTIONS", true),
            ("POST", false),
            ("DELETE", false),
            ("TRACE", false),
        ] {
            let asked = Asked { method, sec_fetch_site: Some("cross-site"), ..Asked::default() };
            assert_eq!(is_allowed(&asked, OURS, &token), is_fine, "{method}");
            assert_eq!(is_foreign(&asked, OURS), !is_fine, "{method}");
        }
        assert!(!is_foreign(&Asked { method: "POST", ..Asked::default() }, OURS));
    }
}
