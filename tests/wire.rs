//! The program from outside: its command line, its signals, its log, its metrics.

mod command_line;
mod log;
mod metrics;
mod signals;
