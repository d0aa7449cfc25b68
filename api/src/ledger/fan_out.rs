//! Who is told of what a batch wrote: one delivery for each endpoint of the account that wants to hear of an event, in the
//! commit of the event. A batch that wrote nothing to be told, which is every one that only accepts tasks, asks for no endpoint.

use std::collections::BTreeSet;

use entity::{delivery, endpoint, event};
use sea_orm::{DbErr, Value};

use super::book::Book;
use crate::db::{BulkTransaction, bulk};

/// The types of events that endpoints are told of.
pub const KINDS: [&str; 7] = [
    "video.completed",
    "video.failed",
    "video.canceled",
    "video.expired",
    "credits.low",
    "credits.depleted",
    "credits.recovered",
];

/// What an endpoint is sent to try it out, whatever it wants to hear of.
pub const TEST: &str = "webhook.test";

/// Words that stand for several types.
pub const GROUPS: [&str; 3] = ["*", "video.*", "credits.*"];

/// Whether endpoints can be told of events of this type.
pub fn is_told(kind: &str) -> bool {
    KINDS.contains(&kind)
}

/// Whether one of these types or groups is meant by this type.
pub fn wants<T: AsRef<str>>(wanted: &[T], kind: &str) -> bool {
    wanted.iter().map(AsRef::as_ref).any(|word| match word.strip_suffix('*') {
        Some(start) => kind.starts_with(start),
        None => word == kind,
    })
}

/// Adds to the book what is owed for its events.
pub async fn fan_out(tx: &mut BulkTransaction, book: &mut Book) -> Result<(), DbErr> {
    let told = book.writes.events.iter().filter(|event| is_told(&event.r#type));
    let accounts: BTreeSet<_> = told.map(|event| event.account_id).collect();
    let accounts = accounts.into_iter().map(|id| vec![Value::from(id)]).collect();
    let active = "AND paused_at IS NULL AND disabled_at IS NULL";
    let endpoints =
        bulk::find::<endpoint::Entity>(tx, &[endpoint::Column::AccountId], accounts, active).await?;
    let owed = owed(&book.writes.events, &endpoints);
    book.writes.deliveries.extend(owed);
    Ok(())
}

fn owed(events: &[event::Model], endpoints: &[endpoint::Model]) -> Vec<delivery::Model> {
    let mut owed = Vec::new();
    for endpoint in endpoints {
        let wanted: Vec<String> = serde_json::from_str(&endpoint.events).unwrap_or_default();
        let is_for = |event: &&event::Model| {
            event.account_id == endpoint.account_id && is_told(&event.r#type) && wants(&wanted, &event.r#type)
        };
        let delivery = |event: &event::Model| {
            delivery::Model::to_endpoint(event.account_id, event.n, endpoint.id, event.at)
        };
        owed.extend(events.iter().filter(is_for).map(delivery));
    }
    owed
}

#[cfg(test)]
mod tests {
    use entity::{AccountId, EndpointId, Timestamp};
    use uuid::Uuid;

    use super::*;

    fn event(account: u128, n: i64, kind: &str) -> event::Model {
        event::Model {
            account_id: AccountId(Uuid::from_u128(account)),
            n,
            at: Timestamp::from_seconds(n),
            r#type: kind.into(),
            task_id: None,
            body: "{}".into(),
        }
    }

    fn endpoint(id: u128, account: u128, events: &str) -> endpoint::Model {
        endpoint::Model {
            id: EndpointId(Uuid::from_u128(id)),
            account_id: AccountId(Uuid::from_u128(account)),
            url: "https://example.com".into(),
            description: String::new(),
            events: events.into(),
            secret_n: 0,
            previous_until: None,
            paused_at: None,
            disabled_at: None,
            disabled_reason: None,
            failing_since: None,
            slow_until: None,
            created_at: Timestamp::from_seconds(0),
        }
    }

    #[test]
    fn an_event_is_owed_to_each_endpoint_of_its_account_that_wants_to_hear_of_it() {
        let events = [
            event(1, 1, "video.queued"),
            event(1, 2, "video.completed"),
            event(1, 3, "credits.low"),
            event(2, 1, "video.failed"),
        ];
        let endpoints = [
            endpoint(11, 1, r#"["*"]"#),
            endpoint(12, 1, r#"["video.*"]"#),
            endpoint(13, 1, r#"["video.failed", "credits.low"]"#),
            endpoint(21, 2, r#"["credits.*"]"#),
        ];
        let owed = owed(&events, &endpoints);
        let owed: Vec<_> = owed.iter().map(|row| (row.event_n, row.endpoint.as_str())).collect();
        let id = |n: usize| endpoints[n].id.to_string();
        assert_eq!(owed, [(2, &*id(0)), (3, &*id(0)), (2, &*id(1)), (3, &*id(2))]);
    }

    #[test]
    fn a_group_stands_for_every_type_that_begins_like_it() {
        for (wanted, kind, is_wanted) in [
            ("*", "video.completed", true),
            ("video.*", "video.completed", true),
            ("video.*", "credits.low", false),
            ("video.completed", "video.completed", true),
            ("video.completed", "video.completed.late", false),
        ] {
            assert_eq!(wants(&[wanted], kind), is_wanted, "{wanted} {kind}");
        }
        assert!(!wants::<&str>(&[], "video.completed"));
    }
}
