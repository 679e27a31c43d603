//! A server of its own for each test, and a client to talk to it.

pub mod backdoor;
pub mod client;
pub mod cluster;
pub mod config_place;
pub mod configuration;
pub mod database;
pub mod home;
pub mod license;
pub mod notices;
pub mod one_time;
pub mod packet;
pub mod peers;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod release;
pub mod server;
pub mod slow;
pub mod smtp;
pub mod socket;
pub mod sql;
pub mod stand;
pub mod stores;
pub mod swarm;
pub mod teams;
pub mod tls_postgres;
pub mod trail;
pub mod wall_clock;
pub mod web_peer;
pub mod websocket;

pub use client::{Client, Reply};
pub use configuration::LocalServer;
pub use home::{Home, Process};
pub use proxy::Proxy;
pub use server::TestServer;
pub use socket::Socket;
