//! ROOM 2: who may come in, and what we owe them.
//!
//! Customers with their users and API keys; grants and corrections are asked of the vault from here. Knows no HTTP and no
//! video.

pub mod credits;
pub mod endpoint;
pub mod key;
pub mod people;
