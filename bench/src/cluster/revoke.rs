//! The time from the response to a revocation on one node until the other ones refuse the caller and close the socket.

use std::time::Duration;

use hdrhistogram::Histogram;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};

use super::nodes::Nodes;
use crate::account::{self, PASSWORD, url};
use crate::load::histogram;
use crate::report::percentiles;
use crate::ws::endpoint::{Socket, SocketEndpoint};
use crate::ws::event::{self, Kind as EventKind};
use crate::ws::frame::{self, Frame};
use crate::ws::place::PATH;

/// The bound that the server promises.
const MAX_DELAY: Duration = Duration::from_secs(1);

/// The time after which a revocation counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(30);

/// The time between two changes of one client of the load.
const LOAD_INTERVAL: Duration = Duration::from_millis(100);

/// The code with which a server closes the sockets of a session that ended.
const SESSION_ENDED: u16 = 1008;

/// The number of the account that loses rights. The load has those from 2 on.
const USER: u64 = 1;

const USER_ROLE: &str = "system_user";
const PERMISSION: &str = "read_audits";

type Failure = Box<dyn std::error::Error>;

/// The ways to remove rights.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Logout,
    Token,
    Deactivation,
    /// Only requests are refused: a socket of a user without the role stays open.
    Demotion,
    /// A role of all users loses a permission. Only requests are refused.
    Permission,
}

/// A deactivation ends all sessions of the user, so it comes last.
const KINDS: [Kind; 5] = [Kind::Logout, Kind::Token, Kind::Demotion, Kind::Permission, Kind::Deactivation];

impl Kind {
    fn title(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Token => "revoked token",
            Self::Deactivation => "deactivation",
            Self::Demotion => "demotion",
            Self::Permission => "permission of a role",
        }
    }

    fn closes_sockets(self) -> bool {
        match self {
            Self::Logout | Self::Token | Self::Deactivation => true,
            Self::Demotion | Self::Permission => false,
        }
    }

    /// Returns the path of a request that is allowed before the revocation only.
    fn path(self) -> &'static str {
        if self.closes_sockets() { "/users/me" } else { "/audits?per_page=1" }
    }
}

/// The delays of one kind, in microseconds.
struct Delays {
    requests: Histogram<u64>,
    sockets: Histogram<u64>,
}

/// Removes rights `count` times in each way, while a client at each node makes changes. Returns false if the others granted
/// them for longer than promised.
#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
pub(super) async fn run(nodes: &Nodes, count: u64) -> Result<bool, Failure> {
    let site = Site::prepare(&nodes.addresses).await?;
    let _load = site.load().await?;
    let mut holds = true;
    println!("revocations on one of {} nodes, each node with 10 changes a second", nodes.addresses.len());
    for kind in KINDS {
        let mut delays = Delays { requests: histogram()?, sockets: histogram()? };
        for number in 0..count {
            site.revoke(kind, number, &mut delays).await?;
        }
        let sockets = if kind.closes_sockets() { percentiles(&delays.sockets) } else { "-".to_owned() };
        println!("{:<21} {count} times  request {}  socket {sockets}", kind.title(), percentiles(&delays.requests));
        let max = delays.requests.max().max(delays.sockets.max());
        holds &= Duration::from_micros(max) < MAX_DELAY;
    }
    println!("{}  all of them within {} ms", if holds { "holds " } else { "BROKEN" }, MAX_DELAY.as_millis());
    Ok(holds)
}

/// The accounts and what revocations name.
struct Site {
    http: Client,
    addresses: Vec<String>,
    admin: String,
    user_id: String,
    /// A session of the user that ends only with a deactivation.
    session: String,
    role_id: String,
    permissions: Vec<Value>,
}

impl Site {
    async fn prepare(addresses: &[String]) -> Result<Self, Failure> {
        let (http, addresses) = (Client::new(), addresses.to_vec());
        let first = addresses.first().ok_or("no node")?;
        let admin = account::first(&http, first).await?;
        let session = account::another(&http, first, &admin, USER).await?;
        let user_id = account::id(&http, first, &session).await?;
        let role = http.get(url(first, &format!("/roles/name/{USER_ROLE}"))).bearer_auth(&admin).send().await?;
        let role: Value = role.error_for_status()?.json().await?;
        let role_id = text(&role, "id")?;
        let permissions = role.get("permissions").and_then(Value::as_array).ok_or("the role has no permissions")?;
        Ok(Self { permissions: permissions.clone(), http, addresses, admin, user_id, session, role_id })
    }

    /// Starts a client at each node that changes a preference again and again.
    async fn load(&self) -> Result<JoinSet<()>, Failure> {
        let mut clients = JoinSet::new();
        for (number, address) in (USER + 1..).zip(self.addresses.clone()) {
            let token = account::another(&self.http, &address, &self.admin, number).await?;
            let user_id = account::id(&self.http, &address, &token).await?;
            let preference = json!([{ "user_id": user_id, "category": "bench", "name": "load", "value": "x" }]);
            let request = self.http.put(url(&address, "/users/me/preferences")).bearer_auth(&token).json(&preference);
            let request = request.build()?;
            let http = self.http.clone();
            clients.spawn(async move {
                let mut turns = interval(LOAD_INTERVAL);
                while let Some(request) = request.try_clone() {
                    turns.tick().await;
                    // A response that fails is no part of the measurement.
                    drop(http.execute(request).await);
                }
            });
        }
        Ok(clients)
    }

    /// Removes rights on one node and measures how long the others grant them. The node changes with the number.
    async fn revoke(&self, kind: Kind, number: u64, delays: &mut Delays) -> Result<(), Failure> {
        let here = usize::try_from(number)? % self.addresses.len();
        let address = self.addresses.get(here).ok_or("no node")?;
        let (token, token_id) = self.granted(kind, address, number).await?;
        let others = self.addresses.iter().enumerate().filter(|(node, _)| *node != here).map(|(_, address)| address);
        let mut watches = JoinSet::new();
        for other in others {
            self.allowed(other, kind, &token).await?;
            let request = self.http.get(url(other, kind.path())).bearer_auth(&token).build()?;
            watches.spawn(watched(false, refused(self.http.clone(), request)));
            if kind.closes_sockets() {
                let endpoint = SocketEndpoint::at(other, PATH, &token, true);
                let socket = greeted(&endpoint).await?;
                watches.spawn(watched(true, closed(socket)));
            }
        }
        self.remove(kind, address, &token, &token_id).await?;
        let acknowledged = Instant::now();
        while let Some(watched) = watches.join_next().await {
            let (is_socket, at) = watched??;
            let delay = u64::try_from(at.saturating_duration_since(acknowledged).as_micros())?;
            let delays = if is_socket { &mut delays.sockets } else { &mut delays.requests };
            delays.saturating_record(delay);
        }
        Ok(())
    }

    /// Gives the rights. Returns the token with them, and the id of an access token.
    async fn granted(&self, kind: Kind, address: &str, number: u64) -> Result<(String, String), Failure> {
        match kind {
            Kind::Logout => Ok((self.log_in(address).await?, String::new())),
            Kind::Deactivation => {
                self.put(address, &format!("/users/{}/active", self.user_id), json!({ "active": true })).await?;
                Ok((self.log_in(address).await?, String::new()))
            }
            Kind::Token => {
                let path = format!("/users/{}/tokens", self.user_id);
                let body = json!({ "description": format!("bench {number}") });
                let made = self.http.post(url(address, &path)).bearer_auth(&self.admin).json(&body).send().await?;
                let made: Value = made.error_for_status()?.json().await?;
                Ok((text(&made, "token")?, text(&made, "id")?))
            }
            Kind::Demotion => {
                self.give_roles(address, "system_user system_admin").await?;
                Ok((self.session.clone(), String::new()))
            }
            Kind::Permission => {
                let more = [self.permissions.as_slice(), &[json!(PERMISSION)]].concat();
                self.give_permissions(address, &more).await?;
                Ok((self.session.clone(), String::new()))
            }
        }
    }

    async fn remove(&self, kind: Kind, address: &str, token: &str, token_id: &str) -> Result<(), Failure> {
        match kind {
            Kind::Logout => self.post(address, "/users/logout", token, json!({})).await,
            Kind::Token => {
                self.post(address, "/users/tokens/revoke", &self.admin, json!({ "token_id": token_id })).await
            }
            Kind::Deactivation => {
                self.put(address, &format!("/users/{}/active", self.user_id), json!({ "active": false })).await
            }
            Kind::Demotion => self.give_roles(address, USER_ROLE).await,
            Kind::Permission => self.give_permissions(address, &self.permissions).await,
        }
    }

    async fn give_roles(&self, address: &str, roles: &str) -> Result<(), Failure> {
        self.put(address, &format!("/users/{}/roles", self.user_id), json!({ "roles": roles })).await
    }

    async fn give_permissions(&self, address: &str, permissions: &[Value]) -> Result<(), Failure> {
        self.put(address, &format!("/roles/{}/patch", self.role_id), json!({ "permissions": permissions })).await
    }

    async fn log_in(&self, address: &str) -> Result<String, Failure> {
        account::log_in(&self.http, address, &format!("user{USER}"), PASSWORD).await
    }

    async fn post(&self, address: &str, path: &str, token: &str, body: Value) -> Result<(), Failure> {
        self.http.post(url(address, path)).bearer_auth(token).json(&body).send().await?.error_for_status()?;
        Ok(())
    }

    async fn put(&self, address: &str, path: &str, body: Value) -> Result<(), Failure> {
        self.http.put(url(address, path)).bearer_auth(&self.admin).json(&body).send().await?.error_for_status()?;
        Ok(())
    }

    /// Waits until a node grants the rights. Afterwards it has them in its cache.
    async fn allowed(&self, address: &str, kind: Kind, token: &str) -> Result<(), Failure> {
        let request = self.http.get(url(address, kind.path())).bearer_auth(token).build()?;
        let is_allowed = async {
            while let Some(request) = request.try_clone() {
                if self.http.execute(request).await?.status().is_success() {
                    break;
                }
            }
            Ok::<_, reqwest::Error>(())
        };
        timeout(LOST_AFTER, is_allowed).await.map_err(|_| "a node never granted the rights")??;
        Ok(())
    }
}

fn text(document: &Value, member: &str) -> Result<String, Failure> {
    Ok(document.get(member).and_then(Value::as_str).ok_or("a member is missing")?.to_owned())
}

type Watched = Result<(bool, Instant), String>;

/// Returns the time at which `end` happened.
async fn watched(is_socket: bool, end: impl Future<Output = Result<(), String>>) -> Watched {
    timeout(LOST_AFTER, end).await.map_err(|_| "a revocation was never in force".to_owned())??;
    Ok((is_socket, Instant::now()))
}

/// Repeats a request until it is refused.
async fn refused(http: Client, request: reqwest::Request) -> Result<(), String> {
    while let Some(request) = request.try_clone() {
        let status = http.execute(request).await.map_err(|cause| cause.to_string())?.status();
        if status == 401 || status == 403 {
            break;
        }
    }
    Ok(())
}

/// Opens a socket and reads its greeting.
async fn greeted(endpoint: &SocketEndpoint) -> std::io::Result<Socket> {
    let mut socket = endpoint.open("").await?;
    while !read(&mut socket).await?.is_greeted {
        socket.fill().await?;
    }
    Ok(socket)
}

/// Reads until the server closes a socket because its session ended. Any other end is an error.
async fn closed(mut socket: Socket) -> Result<(), String> {
    loop {
        match read(&mut socket).await.map_err(|cause| cause.to_string())?.close_code {
            Some(SESSION_ENDED) => return Ok(()),
            Some(code) => return Err(format!("a socket was closed with the code {code}")),
            None => socket.fill().await.map_err(|cause| cause.to_string())?,
        }
    }
}

#[derive(Default)]
struct Read {
    is_greeted: bool,
    close_code: Option<u16>,
}

/// Takes the complete frames out of a socket's buffer and answers pings.
async fn read(socket: &mut Socket) -> std::io::Result<Read> {
    let mut read = Read::default();
    let note = |frame: Frame<'_>| {
        match frame {
            Frame::Text(text) => read.is_greeted |= event::kind(text) == EventKind::Hello,
            Frame::Close(payload) => read.close_code = Some(frame::close_code(payload)),
            Frame::Ping(_) | Frame::Other => {}
        }
        Ok(())
    };
    socket.take_frames(note).await?;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_socket_is_told_from_a_refused_request() {
        assert!(watched(true, async { Ok(()) }).await.unwrap().0);
        assert_eq!(watched(false, async { Err("gone".to_owned()) }).await.unwrap_err(), "gone");
    }

    #[test]
    fn a_kind_that_closes_no_socket_is_noticed_by_its_permission() {
        let paths = KINDS.map(|kind| (kind.closes_sockets(), kind.path()));
        assert!(paths.iter().all(|(closes, path)| *closes == (*path == "/users/me")), "{paths:?}");
    }
}
