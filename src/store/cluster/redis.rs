//! The bus with its events in Redis.

#[expect(dead_code, reason = "the bus on Redis uses it")]
mod connection;
#[cfg_attr(not(test), expect(dead_code, reason = "the bus on Redis uses it"))]
mod contents;
mod protocol;
#[cfg_attr(not(test), expect(dead_code, reason = "the bus on Redis uses it"))]
mod recent;
#[expect(dead_code, reason = "the bus on Redis uses it")]
mod usage;
