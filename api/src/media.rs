//! Bytes: where clips and uploads lie, which part of one is sent, who may fetch it, and what a file is.
//!
//! Everything here works on keys, URLs and bytes. It must never know about HTTP handlers, SQL, credits or providers;
//! those rooms call it, it calls none of them.
//!
//! The invariants it keeps: memory stays flat whatever the size of a clip, a key is either absent or complete, and no
//! connection is opened to a private address that nobody allowed by name.

pub mod address;
pub mod flow;
pub mod guard;
pub mod link;
pub mod picture;
pub mod probe;
pub mod range;
pub mod scrap;
pub mod sniff;
pub mod store;

pub use address::is_public;
pub use flow::{Stored, digest_file, spool};
pub use guard::{Allow, GuardedClient, Refused, Timeouts, check_url};
pub use link::{ClipRef, KeyError, LinkError, LinkKey, LinkSigner, Proof, Variant};
pub use picture::{NoPicture, Pictures, clip_of, picture_key};
pub use probe::{NotAVideo, Probe, probe, probe_file};
pub use range::{Asked, Plan, Representation, any_tag_matches, plan};
pub use scrap::{Given, Scrap};
pub use sniff::{Sniffed, Unknown};
pub use store::{Meta, Store, StoreError, clip_key, is_unfinished, upload_key};
