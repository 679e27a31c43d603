//! What goes wrong outside the server: it is killed, its database goes away, others share its database.

mod attach;
mod database_late;
mod database_lost;
mod killed;
mod two_servers;
