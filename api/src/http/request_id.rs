//! The name of one request: in its answer, in every log line about it, and in every error.

use poem::Request;
use poem::http::HeaderMap;

use crate::clock::Clock;

pub const HEADER: &str = "x-request-id";

const MAX_CHARS: usize = 64;

/// The caller's own id if it is a sane one, so that their logs and ours can be joined; otherwise a new one.
pub fn of(headers: &HeaderMap, clock: &Clock) -> String {
    let given = headers.get(HEADER).and_then(|value| value.to_str().ok()).filter(|id| is_sane(id));
    given.map_or_else(|| format!("req_{}", clock.new_id().simple()), str::to_owned)
}

/// The id that a request was given, for whoever answers it.
#[derive(Clone, Debug)]
struct Noted(String);

pub fn note(request: &mut Request, id: &str) {
    request.set_data(Noted(id.to_owned()));
}

pub fn noted(request: &Request) -> Option<String> {
    request.data::<Noted>().map(|noted| noted.0.clone())
}

/// It goes into headers, JSON and log lines as it is, hence the small alphabet.
fn is_sane(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=MAX_CHARS).contains(&id.len()) && id.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_header(value: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, value.parse().unwrap());
        of(&headers, &Clock::system())
    }

    #[test]
    fn a_sane_id_of_the_caller_is_kept() {
        let longest = "x".repeat(MAX_CHARS);
        for id in ["a", "req-1_2.3", longest.as_str()] {
            assert_eq!(of_header(id), id);
        }
    }

    #[test]
    fn any_other_id_is_replaced() {
        let too_long = "x".repeat(MAX_CHARS + 1);
        for id in ["", "a b", "a\"b", "a/b", "<script>", too_long.as_str()] {
            assert!(of_header(id).starts_with("req_"), "{id:?}");
        }
        let clock = Clock::system();
        assert_ne!(of(&HeaderMap::new(), &clock), of(&HeaderMap::new(), &clock));
    }
}
