//! What breaks, and what then still works: an actor, the process, the database, a server beside it.

mod actors;
mod attach;
mod audit_flood;
mod audits;
mod busy_restart;
mod clean_stop;
mod config_disk;
mod config_killed;
mod config_step;
mod config_unreadable;
mod database_file;
mod database_late;
mod database_lost;
mod hostile_bodies;
mod killed;
mod license_hostile;
mod license_restart;
mod logins;
mod outbound_shares;
mod slow_readers;
mod two_servers;
mod upgrade;
mod upgrade_refused;
mod websocket;
mod websocket_hostile;
mod websocket_line;
