//! The state of a Quarterdeck server, held by supervised actors.
//!
//! This package does no HTTP, SQL or file access. It declares small traits for what it needs, and the server implements
//! them.

pub mod analytics;
pub mod announced;
pub mod audit;
pub mod background;
pub mod busy;
pub mod causes;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod data_source;
pub mod draft;
pub mod error;
pub mod health;
pub mod hub;
pub mod id;
pub mod json;
pub mod license;
pub mod locales;
pub mod nearest;
pub mod news;
pub mod notices;
pub mod pause;
pub mod place;
pub mod presence;
pub mod probe;
pub mod redis_address;
pub mod roles;
pub mod schema;
pub mod secret;
pub mod session;
pub mod sessions;
pub mod shared_pool;
pub mod single_read;
pub mod sockets;
pub mod spelling;
pub mod steps;
pub mod storage;
pub mod supervisor;
pub mod task;
pub mod upgrade;
#[cfg(test)]
#[path = "../../tests/support/waiting.rs"]
#[expect(unreachable_pub, reason = "the tests of the whole server have this file as well")]
mod waiting;
