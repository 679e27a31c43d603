//! The whole suite as one binary. `tests/run` starts what it needs and runs it on each engine.

#![expect(unreachable_pub, reason = "one binary: nothing outside it reaches its parts")]
#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "a test that does not run says so")]

mod clients;
mod contract;
mod faults;
mod support;
mod tidy;
mod wire;
