//! Clients from other projects against the real program, and the local socket as mmctl uses it.

mod browser;
mod cluster_example;
mod console;
mod examples;
mod javascript;
mod local_socket;
mod mmctl;
mod newcomer;
mod prometheus;
mod python;
mod schemathesis;
