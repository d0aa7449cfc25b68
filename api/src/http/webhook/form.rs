//! Reading what an endpoint is to be. Everything that is wrong is named in one answer, beside its field.

use chrono::DateTime;
use entity::{AccountId, EventId, Timestamp};

use crate::customer::endpoint::log::Edge;
use crate::customer::endpoint::{Change, NewEndpoint};
use crate::http::body::Fields;
use crate::ledger::fan_out::{GROUPS, KINDS};
use crate::video::request::FieldErrors;
use crate::video::rules::callback_address;

const DESCRIPTION_MAX_CHARS: usize = 200;

/// What was read, and a warning about what has no effect.
type Read<T> = Result<(T, Vec<String>), FieldErrors>;

pub fn new_endpoint(mut fields: Fields) -> Read<NewEndpoint> {
    fields.require("url");
    let new = NewEndpoint {
        url: url(&mut fields, "url").unwrap_or_default(),
        description: description(&mut fields, "description").unwrap_or_default(),
        events: events(&mut fields, "events").unwrap_or_else(all),
    };
    Ok((new, fields.finish()?.into_iter().collect()))
}

pub fn change(mut fields: Fields) -> Read<Change> {
    let change = Change {
        url: url(&mut fields, "url"),
        description: fields.change("description", description).map(Option::unwrap_or_default),
        events: fields.change("events", events).map(|events| events.unwrap_or_else(all)),
        paused: fields.flag("paused"),
    };
    Ok((change, fields.finish()?.into_iter().collect()))
}

/// The range of events that are to be sent again.
pub fn range(mut fields: Fields, account: AccountId) -> Read<(Edge, Option<Edge>)> {
    fields.require("from");
    let from = edge(&mut fields, "from", account);
    let to = edge(&mut fields, "to", account);
    let warnings = fields.finish()?.into_iter().collect();
    Ok(((from.unwrap_or(Edge::Number(0)), to), warnings))
}

fn all() -> Vec<String> {
    vec!["*".to_owned()]
}

fn url(fields: &mut Fields, name: &str) -> Option<String> {
    let url = fields.text(name)?;
    if let Err(message) = callback_address(&url) {
        fields.wrong(name, message);
    }
    Some(url)
}

fn description(fields: &mut Fields, name: &str) -> Option<String> {
    let text = fields.text(name).map(|text| text.trim().to_owned());
    let fits =
        |text: &String| text.chars().count() <= DESCRIPTION_MAX_CHARS && !text.contains(char::is_control);
    let allowed = format!("at most {DESCRIPTION_MAX_CHARS} characters on one line");
    fields.checked(name, text, fits, &allowed)
}

fn events(fields: &mut Fields, name: &str) -> Option<Vec<String>> {
    let words = fields.list(name);
    let is_known = |word: &String| KINDS.contains(&word.as_str()) || GROUPS.contains(&word.as_str());
    let fits = |words: &Vec<String>| !words.is_empty() && words.iter().all(is_known);
    let allowed = format!("some of {}, {}", KINDS.join(", "), GROUPS.join(", "));
    fields.checked(name, words, fits, &allowed)
}

fn edge(fields: &mut Fields, name: &str, account: AccountId) -> Option<Edge> {
    let expected = "the id of an event of yours, or an instant such as 2027-01-31T12:00:00Z";
    fields.word(name, expected, |text| match text.parse::<EventId>() {
        Ok(event) => (event.account == account).then_some(Edge::Number(event.n)),
        Err(_) => {
            let instant = DateTime::parse_from_rfc3339(text).ok()?;
            Some(Edge::At(Timestamp::from_micros(instant.timestamp_micros())))
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    fn fields(body: &Value) -> Fields {
        Fields::parse(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn an_endpoint_hears_of_everything_unless_it_says_of_what() {
        let (new, warnings) =
            new_endpoint(fields(&json!({ "url": "https://example.com/hook", "x": 1 }))).unwrap();
        assert_eq!((new.events, new.description.as_str(), warnings.len()), (all(), "", 1));
        let asked = json!({ "url": "https://example.com", "events": ["video.*", "credits.low", "video.*"] });
        let (new, _) = new_endpoint(fields(&asked)).unwrap();
        assert_eq!(new.events, ["video.*", "credits.low"]);
    }

    #[test]
    fn what_is_no_endpoint_is_filed_under_its_field() {
        let url = "https://example.com";
        for (body, field) in [
            (json!({}), "url"),
            (json!({ "url": "http://example.com" }), "url"),
            (json!({ "url": "example.com" }), "url"),
            (json!({ "url": format!("{url}/{}", "x".repeat(2_048)) }), "url"),
            (json!({ "url": url, "events": [] }), "events"),
            (json!({ "url": url, "events": ["video.queued"] }), "events"),
            (json!({ "url": url, "events": "video.*" }), "events"),
            (json!({ "url": url, "description": "two\nlines" }), "description"),
            (json!({ "url": url, "description": "x".repeat(201) }), "description"),
        ] {
            assert_eq!(new_endpoint(fields(&body)).unwrap_err().of(field).len(), 1, "{body}");
        }
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name_and_null_is_the_usual() {
        let (change, _) = change(fields(&json!({ "events": null, "paused": true }))).unwrap();
        assert_eq!((change.url, change.description), (None, None));
        assert_eq!((change.events, change.paused), (Some(all()), Some(true)));
    }

    #[test]
    fn a_range_is_of_one_s_own_events_or_of_times() {
        let (ours, theirs) = (AccountId(Uuid::from_u128(1)), AccountId(Uuid::from_u128(2)));
        let id = |account| EventId { account, n: 7 }.to_string();
        let read = |body: Value| range(fields(&body), ours);
        let at = Edge::At(Timestamp::from_seconds(1_800_000_000));
        assert_eq!(
            read(json!({ "from": id(ours), "to": "2027-01-15T08:00:00Z" })).unwrap().0,
            (Edge::Number(7), Some(at))
        );
        for body in [json!({}), json!({ "from": id(theirs) }), json!({ "from": "yesterday" })] {
            assert_eq!(read(body.clone()).unwrap_err().of("from").len(), 1, "{body}");
        }
    }
}
