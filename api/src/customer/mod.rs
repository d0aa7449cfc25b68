//! ROOM 2: who may come in, and what we owe them.
//!
//! Customers with their users and API keys; grants and corrections are asked of the vault from here. Knows no HTTP and no
//! video.

pub mod access;
pub mod caller;
pub mod credits;
pub mod endpoint;
pub mod invite;
pub mod key;
pub mod key_caller;
pub mod key_use;
pub mod keyring;
pub mod mail;
pub mod people;
pub mod person;
pub mod promotion;
pub mod reception;
pub mod reset;
pub mod second_factor;

mod one_time;
