//! Clients that others wrote, against the real binary; and the local socket, as mmctl uses it.

mod javascript;
mod local_socket;
mod mmctl;
mod python;
