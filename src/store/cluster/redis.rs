//! The bus with its events in Redis.

#[expect(dead_code, reason = "the bus on Redis uses it")]
mod connection;
mod protocol;
