//! Tests of the store test, against real stores and real failures.

mod azure;
mod held;
mod line;
mod local;
mod peers;
mod remedies;
mod s3;
pub(super) mod support;
