//! A server of its own for each test, and a client to talk to it.

pub mod client;
pub mod database;
pub mod server;
pub mod sql;

pub use client::{Client, Reply};
pub use server::TestServer;
