//! The server from outside: the request pipeline byte by byte where it matters, the program as an operator runs it.

mod apply;
mod chosen_database;
mod command_line;
mod command_line_audit;
mod command_line_config;
mod command_line_license;
mod command_line_migrate;
mod command_line_storage;
mod command_line_support_packet;
mod database_tls;
mod first_account;
mod health;
mod limits;
mod log;
mod mail;
mod metrics;
mod outbound;
mod pipeline;
mod private_files;
mod rate;
mod signals;
mod storage;
mod support_packet;
mod tls;
mod websocket;
mod websocket_life;
