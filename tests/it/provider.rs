//! What every adapter must do, whatever it speaks: one list of demands, and a folder of recorded answers an adapter.
//!
//! The answers are `tests/fixtures/<adapter>/cases.json`; what it sends for every model that is routed to it is
//! `tests/fixtures/<adapter>/requests.txt`, next to what the vendor documents.

pub mod cases;
mod contract;
mod guide;
mod lies;
pub mod outcome;
mod request;
mod sample;
