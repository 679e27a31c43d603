//! The accounts of a cluster, the requests that publish, and where their events arrive.

use std::sync::Arc;

use clap::ValueEnum;
use reqwest::Client;
use serde_json::{Value, json};

use super::Options;
use super::ledger::Shape;
use super::nodes::Nodes;
use super::number::NUMBER_DIGITS;
use crate::account::{self, url};
use crate::ws::endpoint::SocketEndpoint;
use crate::ws::place::PATH;

/// The number of the account whose sockets receive typing. Those that type have the numbers after it.
const LISTENER: u64 = 1;

type Failure = Box<dyn std::error::Error>;

/// The request that publishes events.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub(super) enum Kind {
    /// `PUT users/me/preferences`: a change that is stored, with two events for the sockets of its account
    Preference,
    /// `POST users/me/typing`: stores nothing, with one event for the sockets of another account
    Typing,
}

impl Kind {
    /// Returns the number of events of a publication.
    pub(super) fn events(self) -> u64 {
        match self {
            Self::Preference => 2,
            Self::Typing => 1,
        }
    }

    pub(super) fn described(self) -> &'static str {
        match self {
            Self::Preference => "a stored preference with 2 events",
            Self::Typing => "a typing user with 1 event",
        }
    }
}

/// A connection's request, which is repeated with other numbers.
#[derive(Debug)]
pub(super) struct Sender {
    /// `host:port` of the node.
    pub(super) address: String,
    /// The index of the node.
    pub(super) node: usize,
    /// The request before and after the number.
    request: (String, String),
}

/// A prepared cluster.
pub(super) struct Site {
    pub(super) shape: Shape,
    pub(super) senders: Vec<Arc<Sender>>,
    /// The index of the node, and the endpoint at it.
    pub(super) endpoints: Vec<(usize, SocketEndpoint)>,
}

impl Site {
    /// Creates the accounts.
    pub(super) async fn prepare(http: &Client, nodes: &Nodes, options: &Options) -> Result<Self, Failure> {
        let Nodes { addresses, .. } = nodes;
        let first = addresses.first().ok_or("no node")?;
        let admin = account::first(http, first).await?;
        let shape = Shape { nodes: u64::try_from(addresses.len())?, sockets: options.sockets };
        let mut site = Self { shape, senders: Vec::new(), endpoints: Vec::new() };
        let places = (0..options.publishers).zip(addresses.iter().enumerate().cycle());
        match options.publication {
            Kind::Preference => {
                for (number, (node, address)) in places {
                    // Each has an account of its own, because changes of one account wait for one another.
                    let token = account::another(http, first, &admin, number).await?;
                    let user_id = account::id(http, first, &token).await?;
                    site.senders.push(Arc::new(Sender::of_preference(address, node, &token, &user_id)));
                    site.listen(addresses, &token);
                }
            }
            Kind::Typing => {
                let (team_id, channel_id, listener) = channel(http, first, &admin).await?;
                for (number, (node, address)) in places {
                    // Each has an account of its own, because a server publishes only some events of a typing user.
                    let token = account::another(http, first, &admin, LISTENER + 1 + number).await?;
                    add_member(http, first, &admin, (&team_id, &token)).await?;
                    site.senders.push(Arc::new(Sender::of_typing(address, node, &token, &channel_id)));
                }
                site.listen(addresses, &listener);
            }
        }
        Ok(site)
    }

    /// Adds the sockets of an account at each node.
    fn listen(&mut self, addresses: &[String], token: &str) {
        for (node, address) in addresses.iter().enumerate() {
            for _ in 0..self.shape.sockets {
                self.endpoints.push((node, SocketEndpoint::at(address, PATH, token, true)));
            }
        }
    }
}

/// Makes a channel with the administrator and another member. Returns the ids of its team and of itself, and the token of
/// the other member.
async fn channel(http: &Client, address: &str, admin: &str) -> Result<(String, String, String), Failure> {
    let team = json!({ "name": "bench", "display_name": "bench", "type": "O" });
    let team = http.post(url(address, "/teams")).bearer_auth(admin).json(&team).send().await?.error_for_status()?;
    let team: Value = team.json().await?;
    let team_id = team.get("id").and_then(Value::as_str).ok_or("the team has no id")?;
    let team_id = team_id.to_owned();
    let listener = account::another(http, address, admin, LISTENER).await?;
    add_member(http, address, admin, (&team_id, &listener)).await?;
    let channels = http.get(url(address, "/channels")).bearer_auth(admin).send().await?.error_for_status()?;
    let channels: Vec<Value> = channels.json().await?;
    let own =
        channels.iter().find(|channel| channel["team_id"] == team_id.as_str()).ok_or("the team has no channel")?;
    let channel_id = own.get("id").and_then(Value::as_str).ok_or("the channel has no id")?.to_owned();
    Ok((team_id, channel_id, listener))
}

/// Adds the account of a token to a team.
async fn add_member(http: &Client, address: &str, admin: &str, (team_id, token): (&str, &str)) -> Result<(), Failure> {
    let member = json!({ "team_id": team_id, "user_id": account::id(http, address, token).await? });
    let members = url(address, &format!("/teams/{team_id}/members"));
    http.post(members).bearer_auth(admin).json(&member).send().await?.error_for_status()?;
    Ok(())
}

impl Sender {
    fn of_preference(address: &str, node: usize, token: &str, user_id: &str) -> Self {
        let start = format!(r#"[{{"user_id":"{user_id}","category":"bench","name":"publication","value":""#);
        Self::of(address, node, token, "PUT /api/v4/users/me/preferences", (&start, r#""}]"#))
    }

    fn of_typing(address: &str, node: usize, token: &str, channel_id: &str) -> Self {
        let start = format!(r#"{{"channel_id":"{channel_id}","parent_id":""#);
        Self::of(address, node, token, "POST /api/v4/users/me/typing", (&start, r#""}"#))
    }

    fn of(address: &str, node: usize, token: &str, line: &str, (start, end): (&str, &str)) -> Self {
        let length = start.len() + NUMBER_DIGITS + end.len();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{start}"
        );
        Self { address: address.to_owned(), node, request: (head, end.to_owned()) }
    }

    /// Returns the request with a number.
    pub(super) fn request(&self, number: u64) -> String {
        let (before, after) = &self.request;
        format!("{before}{number:0>NUMBER_DIGITS$}{after}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::number::number_in;

    const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaaa1";

    #[test]
    fn a_request_carries_its_number_and_its_length() {
        for sender in [Sender::of_preference("host:1", 0, "t", ID), Sender::of_typing("host:1", 0, "t", ID)] {
            let request = sender.request(4_711);
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            assert!(head.ends_with(&format!("\r\nContent-Length: {}", body.len())), "{request}");
            assert_eq!(number_in(body.as_bytes()), Some(4_711));
            assert!(serde_json::from_str::<Value>(body).is_ok(), "{body}");
        }
    }
}
