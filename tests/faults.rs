//! What breaks, and what then still works: an actor, the process, the database, a server beside it.

mod actors;
mod attach;
mod database_late;
mod database_lost;
mod killed;
mod two_servers;
