//! A client that joins a hub: its request, the first event that it is sent, and its connection.

use std::sync::Arc;

use serde_json::json;

use super::connection::{Connection, Hold};
use super::entrance::Entering;
use super::event::Event;
use super::limits::Reception;
use super::memberships::Memberships;
use crate::session::Session;

/// A client that asks to be connected.
#[derive(Debug)]
pub struct Joining {
    /// The beginning of the join, made before session and memberships were read.
    pub entering: Entering,
    /// Its session.
    pub session: Arc<Session>,
    /// What its user belongs to.
    pub memberships: Memberships,
    /// The connection that it wants to go on with, and the number of the event that it expects next.
    pub resume: Option<(String, i64)>,
    /// What a new connection is told first.
    pub greeting: Greeting,
}

/// What a new connection is told about the server.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// Version, build, fingerprint of the client configuration.
    pub server_version: String,
    /// The machine's name; left out when it is not known.
    pub server_hostname: Option<String>,
}

/// A client that is connected.
#[derive(Debug)]
pub struct Joined {
    /// Its hold on the connection.
    pub hold: Hold,
    /// How it was received.
    pub reception: Reception,
}

impl Greeting {
    /// The event `hello`, which tells the client the id of its connection.
    pub(super) fn event(&self, connection: &Connection) -> Event {
        let mut data = json!({ "connection_id": &*connection.id, "server_version": self.server_version });
        if let (Some(hostname), Some(members)) = (&self.server_hostname, data.as_object_mut()) {
            members.insert("server_hostname".to_owned(), hostname.as_str().into());
        }
        Event::new("hello", data).for_user(&*connection.user_id)
    }
}
