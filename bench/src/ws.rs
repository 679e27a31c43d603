//! Load tests of the WebSocket: memory of idle connections, one event for many sockets, and a reconnect of all sockets.
//!
//! The sockets are our own code, not a library's, because they share the cores with the measured server and must be
//! cheap.

pub(crate) mod bare;
pub(crate) mod crowd;
pub(crate) mod endpoint;
pub(crate) mod event;
pub(crate) mod fanout;
pub(crate) mod frame;
pub(crate) mod idle;
pub(crate) mod place;
mod publisher;
pub(crate) mod storm;
mod tally;
