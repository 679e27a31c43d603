//! Load tests of the WebSocket: memory of idle connections, one event for many, all coming back at once.
//!
//! The sockets are ours, not a library's: they share the cores with what is measured, so each must cost next to nothing.

pub(crate) mod bare;
mod crowd;
mod door;
mod event;
pub(crate) mod fanout;
mod frame;
pub(crate) mod idle;
mod place;
mod publisher;
pub(crate) mod storm;
mod tally;
