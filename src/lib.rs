//! The server: everything that touches the outside world.
//!
//! A room is a folder with a face, `room.rs`: the modules and names that other rooms may use. Imports between rooms run
//! downward only, in the order below; `tests/tidy/rooms.rs` holds that.

#[path = "cli/room.rs"]
pub mod cli;

#[path = "server/room.rs"]
pub mod server;

#[path = "web/room.rs"]
mod web;

#[path = "domain/room.rs"]
mod domain;

#[path = "telemetry/room.rs"]
mod telemetry;

#[path = "store/room.rs"]
pub mod store;

#[path = "files/room.rs"]
mod files;

#[path = "outbound/room.rs"]
mod outbound;

#[path = "settings/room.rs"]
pub mod settings;

#[path = "base/room.rs"]
mod base;
