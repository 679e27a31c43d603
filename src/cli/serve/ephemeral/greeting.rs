//! The one line on standard output of an ephemeral server.

use std::io::{Error, Result, Write, stdout};
use std::path::PathBuf;

use quarterdeck_actors::secret::Secret;
use serde::Serialize;

use crate::base::user::User;
use crate::domain::accounts::Seeded;
use crate::server::Server;

/// Everything that a test needs to use the server.
#[derive(Serialize)]
pub(super) struct Greeting<'a> {
    url: String,
    websocket: String,
    admin: Admin<'a>,
    token: &'a str,
    /// The password of all accounts.
    password: &'a str,
    users: Vec<Account<'a>>,
    socket: Option<&'a PathBuf>,
    pid: u32,
}

#[derive(Serialize)]
struct Admin<'a> {
    id: &'a str,
    username: &'a str,
    email: &'a str,
    password: &'a str,
}

#[derive(Serialize)]
struct Account<'a> {
    id: &'a str,
    username: &'a str,
}

impl<'a> Greeting<'a> {
    pub(super) fn of(server: &'a Server, seeded: &'a Seeded, password: &'a Secret) -> Result<Self> {
        let address = server.addresses().first().ok_or_else(|| Error::other("the server has no address"))?;
        let is_tls = server.scheme() == "https";
        let websocket = if is_tls { "wss" } else { "ws" };
        let User { id, username, email, .. } = &seeded.admin;
        let password = password.expose();
        let account = |user: &'a User| Account { id: &user.id, username: &user.username };
        Ok(Self {
            url: format!("{}://{address}", server.scheme()),
            websocket: format!("{websocket}://{address}/api/v4/websocket"),
            admin: Admin { id, username, email, password },
            token: seeded.session.token.expose(),
            password,
            users: seeded.users.iter().map(account).collect(),
            socket: server.socket(),
            pid: std::process::id(),
        })
    }

    /// Prints the line. The error is that of a reader who is gone.
    pub(super) fn print(&self) -> Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        let mut output = stdout().lock();
        output.write_all(&line)?;
        output.flush()
    }
}
