//! A client that joins a hub: its request, its first event, and its connection.

use std::sync::Arc;

use serde_json::json;

use super::connection::Connection;
use super::event::Event;
use super::guard::ConnectionGuard;
use super::limits::JoinOutcome;
use super::memberships::Memberships;
use super::pending_joins::PendingJoin;
use crate::session::Session;

/// A client's request for a connection.
#[derive(Debug)]
pub struct Joining {
    /// The join in progress, begun before the session and the memberships were read.
    pub pending_join: PendingJoin,
    /// The client's session.
    pub session: Arc<Session>,
    /// The user's teams and channels.
    pub memberships: Memberships,
    /// The id of the connection to resume, and the number of the next event that the client expects.
    pub resume: Option<(String, i64)>,
    /// True if the client acknowledges posts.
    pub acknowledges: bool,
    /// The contents of the first event of a new connection.
    pub greeting: Greeting,
}

/// The contents of the event `hello`.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// The server's version and build, and the fingerprint of the client configuration.
    pub server_version: String,
    /// The machine's name; left out when it is not known.
    pub server_hostname: Option<String>,
}

/// The result of a join.
#[derive(Debug)]
pub struct Joined {
    /// The socket's ownership of the connection.
    pub guard: ConnectionGuard,
    /// The way in which the client was connected: with a new connection or a resumed one.
    pub outcome: JoinOutcome,
}

impl Greeting {
    /// Returns the event `hello`, which contains the id of the connection.
    pub(super) fn event(&self, connection: &Connection) -> Event {
        let mut data = json!({ "connection_id": &*connection.id, "server_version": self.server_version });
        if let (Some(hostname), Some(members)) = (&self.server_hostname, data.as_object_mut()) {
            members.insert("server_hostname".to_owned(), hostname.as_str().into());
        }
        Event::new("hello", data).for_user(&*connection.user_id)
    }
}
