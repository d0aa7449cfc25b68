//! Browser sign-in: the cookie and its token, the sessions behind it, protection against requests of other sites, password
//! hashes and one-time codes.
//!
//! Small enough to read whole. It knows no HTTP framework, no customers and no clock: time is an argument, in microseconds
//! since 1970. A token exists in the clear only in the browser and on its way there; what is stored is its SHA-256. Nothing
//! here can print a token or a password.

mod cookie;
pub mod csrf;
mod password;
mod store;
mod token;
pub mod totp;

pub use cookie::Cookies;
pub use password::{PasswordError, check_password, hash_password, verify_nobody, verify_password};
pub use store::{IDLE_SECONDS, LIFETIME_SECONDS, NewSession, Session, SessionStore, StoreError};
pub use token::Token;
