//! The HTTP side of the server: requests, responses, sessions on the wire, the pipeline, routes, the WebSocket and the
//! description of the API.

pub(crate) mod address;
pub(crate) mod answer;
pub(crate) mod audit_events;
pub(crate) mod connections;
pub(crate) mod console_files;
pub(crate) mod cookies;
pub(crate) mod entity_tag;
pub(crate) mod error;
mod frames;
pub(crate) mod line;
pub(crate) mod openapi;
pub(crate) mod origins;
pub(crate) mod path;
pub(crate) mod pipeline;
pub(crate) mod prepared;
pub(crate) mod readings;
pub(crate) mod request;
pub(crate) mod routes;
pub(crate) mod schema;
pub(crate) mod server_figures;
pub(crate) mod socket;
pub(crate) mod state;
pub(crate) mod upload;
pub(crate) mod web_application;
