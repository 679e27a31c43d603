//! The program as its users run it, against the server that is built beside it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod pin;
mod place;
mod signals;
mod slopes;
mod tls;
