//! The wire formats that we speak, one module each: requests in, answers out, nothing decided in between.

pub mod native;
