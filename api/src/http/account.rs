//! What people do with their browsers: registering, signing in and out, their sessions, password and second factor, and
//! getting in while in closed beta.

mod auth;
mod beta;
mod form;
pub mod page;
mod password;
mod second_factor;
mod sessions;
mod view;

pub use auth::Auth;
pub use beta::Beta;
pub use password::Password;
pub use second_factor::SecondFactor;
pub use sessions::Sessions;
