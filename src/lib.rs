//! The server: everything that touches the outside world.

pub mod cli;
pub mod server;
pub mod settings;
pub mod store;
pub mod version;

mod accounts;
mod announce;
mod answer;
mod audit;
mod channels;
mod configuration;
mod configurations;
mod cookies;
mod error;
mod files;
mod license;
mod line;
mod logging;
mod mail;
mod metrics;
mod options;
mod outbound;
mod passwords;
mod pipeline;
mod posts;
mod preferences;
mod prepared;
mod push;
mod request;
mod routes;
mod session;
mod socket;
mod state;
mod teams;
mod trust;
mod upload;
