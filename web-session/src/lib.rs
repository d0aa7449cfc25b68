//! Browser sign-in: password hashes.
//!
//! Small enough to read whole. Passwords are hashed with argon2id; nothing here can print one.

mod password;

pub use password::{PasswordError, hash_password, verify_password};
