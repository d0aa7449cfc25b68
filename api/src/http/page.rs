//! Pages of a list: how long they are, and how the next one is asked for.
//!
//! A cursor says where a page begins and nothing about whose list it is: the owner is part of every query.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use poem::Request;
use url::form_urlencoded::{Serializer, parse};

use super::error::ApiError;
use super::value::Bounded;

/// Rows of a page.
pub type Limit = Bounded<1, 100>;

pub fn twenty() -> Limit {
    Bounded(20)
}

const CURSOR: &str = "cursor";

/// A place in a list that only we can read; `kind` tells lists apart.
pub fn write_cursor(kind: &str, place: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{kind}:{place}"))
}

/// The reverse of [`write_cursor`]; `read` makes sense of the place.
pub fn read_cursor<T>(kind: &str, cursor: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, ApiError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
    let place = std::str::from_utf8(&bytes).ok().and_then(|text| text.strip_prefix(kind)?.strip_prefix(':'));
    let known = || ApiError::field(CURSOR, "Must be the nextCursor of a page");
    place.and_then(read).ok_or_else(known)
}

/// Cuts rows, of which one more was asked for than fit a page, to the page; the last one that stays when that left something
/// over.
pub fn cut<T>(rows: &mut Vec<T>, limit: u32) -> Option<&T> {
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    rows.last().filter(|_| more)
}

/// The header `Link` to the next page: the request as it came, with another cursor.
pub fn next_link(request: &Request, cursor: &str) -> String {
    let uri = request.original_uri();
    format!("<{}?{}>; rel=\"next\"", uri.path(), with_cursor(uri.query().unwrap_or_default(), cursor))
}

fn with_cursor(query: &str, cursor: &str) -> String {
    let others = parse(query.as_bytes()).filter(|(name, _)| name != CURSOR);
    Serializer::new(String::new()).extend_pairs(others).append_pair(CURSOR, cursor).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_anything_else_is_refused() {
        let read = |cursor: &str| read_cursor("task", cursor, |place| place.parse::<u32>().ok());
        assert_eq!(read(&write_cursor("task", "42")).unwrap(), 42);
        for cursor in [
            "",
            "42",
            "!",
            &write_cursor("seq", "42"),
            &write_cursor("task", "x"),
            &write_cursor("task4", "2"),
        ] {
            let error = read(cursor).unwrap_err();
            assert_eq!(error.field_errors().unwrap().of("cursor").len(), 1, "{cursor}");
        }
    }

    #[test]
    fn the_next_page_is_asked_for_with_the_same_filters() {
        assert_eq!(
            with_cursor("state=queued%2Crunning&cursor=old&metadata=a:b%3Ec&metadata=d:e%0d%0a", "new"),
            "state=queued%2Crunning&metadata=a%3Ab%3Ec&metadata=d%3Ae%0D%0A&cursor=new"
        );
        assert_eq!(with_cursor("", "new"), "cursor=new");
    }
}
