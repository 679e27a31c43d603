//! The server: everything that touches the outside world.

pub mod cli;
pub mod server;
pub mod settings;
pub mod store;
pub mod version;

mod accounts;
mod answer;
mod audit;
mod configuration;
mod configurations;
mod cookies;
mod error;
mod logging;
mod metrics;
mod outbound;
mod passwords;
mod pipeline;
mod preferences;
mod prepared;
mod request;
mod routes;
mod session;
mod state;
mod status;
mod teams;
