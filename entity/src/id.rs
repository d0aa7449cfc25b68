//! The ids: 128 bits, sortable by time of birth, each kind a type of its own so that they can't be mixed up.
//!
//! A task's id has several spellings, one for each dialect, and every route reads every one of them.

use std::fmt;
use std::str::FromStr;

use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use ulid::Ulid;
use uuid::Uuid;

/// A text that is no id of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdError;

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id of this kind")
    }
}

impl std::error::Error for IdError {}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $read:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), Ulid(self.0.as_u128()))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                $read($prefix, text).map($name)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        // Asked for by the ORM of every primary key; an id is never a counter.
        impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }
    };
}

id!(/// A ledger account: one customer's credits in one mode.
    AccountId, "acct", own_spelling);
id!(/// Who pays.
    CustomerId, "cust", own_spelling);
id!(/// A webhook endpoint of a customer's.
    EndpointId, "whe", own_spelling);
id!(/// Credits given.
    GrantId, "grant", own_spelling);
id!(/// An invitation (not its code).
    InviteId, "inv", own_spelling);
id!(/// An API key (not its secret).
    KeyId, "key", own_spelling);
id!(/// A browser's session (not its cookie).
    SessionId, "ses", own_spelling);
id!(/// A file that a customer gave us. Made of its owner and its content, so not sortable by time.
    UploadId, "upl", own_spelling);
id!(/// A person who signs in.
    UserId, "usr", own_spelling);
id!(/// A worker process.
    WorkerId, "wrk", own_spelling);
id!(/// A customer's unit of work. Shown as `tsk_<ULID>`; read in every dialect's spelling: `tsk_<ULID>`, `video_<ulid>`,
    /// `task_<ulid>`, a bare ULID or a UUID, ULIDs in either case.
    TaskId, "tsk", any_spelling);

/// One event of an account, as webhooks name it: `evt_`, the account and the event's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    pub account: AccountId,
    pub n: i64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "evt_{}_{}", self.account.0.simple(), self.n)
    }
}

impl FromStr for EventId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (account, n) = text.strip_prefix("evt_").and_then(|rest| rest.split_once('_')).ok_or(IdError)?;
        let account = AccountId(Uuid::try_parse(account).map_err(|_| IdError)?);
        let is_number = !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit());
        let n = is_number.then(|| n.parse().ok()).flatten().ok_or(IdError)?;
        Ok(EventId { account, n })
    }
}

impl TaskId {
    /// As another dialect spells it: with this prefix, in lower case.
    pub fn spelled(self, prefix: &str) -> String {
        format!("{prefix}_{}", Ulid(self.0.as_u128())).to_ascii_lowercase()
    }
}

fn own_spelling(prefix: &str, text: &str) -> Result<Uuid, IdError> {
    let ulid = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or(IdError)?;
    decode(ulid)
}

fn any_spelling(prefix: &str, text: &str) -> Result<Uuid, IdError> {
    for prefix in [prefix, "video", "task"] {
        if let Ok(id) = own_spelling(prefix, text) {
            return Ok(id);
        }
    }
    if text.len() == 26 { decode(text) } else { Uuid::try_parse(text).map_err(|_| IdError) }
}

fn decode(ulid: &str) -> Result<Uuid, IdError> {
    // 26 characters have room for 130 bits; the library drops the two that are too many.
    if !ulid.starts_with(|first| ('0'..='7').contains(&first)) {
        return Err(IdError);
    }
    let ulid = Ulid::from_string(ulid).map_err(|_| IdError)?;
    Ok(Uuid::from_u128(ulid.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_task_id_reads_back() {
        let id: TaskId = "tsk_01J9XA5M2R9W4QZC4PYJF3N7ND".parse().unwrap();
        let ulid = "01j9xa5m2r9w4qzc4pyjf3n7nd";
        for spelling in [
            format!("video_{ulid}"),
            format!("task_{ulid}"),
            id.spelled("task"),
            ulid.to_owned(),
            id.0.to_string(),
            id.to_string(),
        ] {
            assert_eq!(spelling.parse(), Ok(id), "{spelling}");
        }
    }

    #[test]
    fn an_event_is_named_by_its_account_and_number() {
        let id = EventId { account: AccountId(Uuid::from_u128(7)), n: 42 };
        assert_eq!(id.to_string(), "evt_00000000000000000000000000000007_42");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "evt_", "evt_7_42", "evt_00000000000000000000000000000007_", "42"] {
            assert_eq!(text.parse::<EventId>(), Err(IdError), "{text}");
        }
        assert_eq!("evt_00000000000000000000000000000007_+1".parse::<EventId>(), Err(IdError));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "tsk_",
            "tsk_01J9XA5M2R9W4QZC4PYJF3N7N",
            "key_01J9XA5M2R9W4QZC4PYJF3N7ND",
            "tsk_81J9XA5M2R9W4QZC4PYJF3N7ND",
        ] {
            assert_eq!(text.parse::<TaskId>(), Err(IdError), "{text}");
        }
    }
}
