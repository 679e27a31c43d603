//! A server of its own for each test, and a client to talk to it.

pub mod backdoor;
pub mod client;
pub mod database;
pub mod process;
pub mod raw;
pub mod server;
pub mod sql;
pub mod teams;

pub use client::{Client, Reply};
pub use server::TestServer;
