//! What is stored: one file a table, and the newtypes of the columns.
//!
//! An entity's `Model` never crosses the front door: each dialect and page has its own response structs.

pub mod access_request;
pub mod account;
pub mod adjustment;
pub mod api_key;
pub mod attempt;
pub mod audit_root;
pub mod book_delta;
pub mod clip;
pub mod customer;
pub mod delivery;
pub mod endpoint;
pub mod event;
pub mod grant;
pub mod hold;
pub mod hold_allocation;
pub mod inbox;
pub mod invite;
pub mod job;
pub mod key_usage;
pub mod password_reset;
pub mod price_activation;
pub mod price_version;
pub mod promotion;
pub mod provider_health;
pub mod recovery_code;
pub mod redemption;
pub mod task;
pub mod task_input;
pub mod task_metadata;
pub mod task_request;
pub mod transfer;
pub mod upload;
pub mod user;
pub mod webhook_secret;
pub mod worker;

mod credits;
mod id;
mod media_kind;
mod mode;
mod timestamp;

pub use credits::Credits;
pub use id::{
    AccountId, CustomerId, EndpointId, EventId, GrantId, IdError, InviteId, KeyId, SessionId, TaskId,
    UploadId, UserId, WorkerId,
};
pub use media_kind::MediaKind;
pub use mode::Mode;
pub use timestamp::Timestamp;
