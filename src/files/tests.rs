//! Tests of the store test, against real stores and real failures.

mod azure;
mod line;
mod local;
mod peers;
mod s3;
mod support;
