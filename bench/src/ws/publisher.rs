//! Makes a server send an event to all sockets of some accounts.

use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use serde_json::json;
use tokio::time::timeout;

use crate::account::url;
use crate::ws::bare;
use crate::ws::endpoint::{Socket, SocketEndpoint};
use crate::ws::event::{self, Kind};
use crate::ws::place::{Account, Place};

/// The approximate length of the event with the preference, in bytes.
const EVENT_BYTES: usize = 300;

/// A publication is complete after this time without a new text.
const QUIET_AFTER: Duration = Duration::from_millis(500);

type Failure = Box<dyn std::error::Error>;

/// Publishes events.
pub(crate) struct Publisher {
    http: Client,
    request: Request,
}

enum Request {
    /// Stores a preference for each account. The server sends it to all sockets of the account.
    Preference { url: String, accounts: Vec<Account>, width: usize },
    /// Gives the bare server the texts to send.
    Texts { url: String, body: Vec<u8> },
}

impl Publisher {
    /// Returns a publisher that stores preferences, and the texts that a socket receives for each.
    pub(crate) async fn of_preferences(http: &Client, place: &Place) -> Result<(Self, Vec<Vec<u8>>), Failure> {
        let mut publisher = Self { http: http.clone(), request: preference(place, 1) };
        let account = place.accounts.first().ok_or("no account")?;
        let short = publisher.sample(&place.endpoint(account, false)).await?;
        let longest = short.iter().map(Vec::len).max().ok_or("no socket received the event of a stored preference")?;
        publisher.request = preference(place, padding(longest));
        let texts = publisher.sample(&place.endpoint(account, false)).await?;
        Ok((publisher, texts))
    }

    /// Returns a publisher that makes the bare server send these texts.
    pub(crate) fn of_texts(http: &Client, address: &str, texts: &[Vec<u8>]) -> Self {
        let url = format!("http://{address}{}", bare::PUBLISH);
        Self { http: http.clone(), request: Request::Texts { url, body: texts.join(&b'\n') } }
    }

    /// Publishes once. Each number makes a different publication.
    pub(crate) async fn publish(&self, number: u64) -> Result<(), Failure> {
        for request in self.requests(number) {
            request.send().await?.error_for_status()?.bytes().await?;
        }
        Ok(())
    }

    fn requests(&self, number: u64) -> Vec<RequestBuilder> {
        match &self.request {
            Request::Preference { url, accounts, width } => {
                let value = format!("{number:0>width$}");
                accounts.iter().map(|account| self.preference(url, account, &value)).collect()
            }
            Request::Texts { url, body } => vec![self.http.post(url).body(body.clone())],
        }
    }

    fn preference(&self, url: &str, account: &Account, value: &str) -> RequestBuilder {
        let Account { token, user_id } = account;
        let preference = json!({ "user_id": user_id, "category": "bench", "name": "value", "value": value });
        self.http.put(url).bearer_auth(token).json(&[preference])
    }

    /// Returns the texts that one socket receives for one publication.
    async fn sample(&self, endpoint: &SocketEndpoint) -> Result<Vec<Vec<u8>>, Failure> {
        let mut socket = endpoint.open("").await?;
        let mut texts = Vec::new();
        while !texts.iter().any(|text: &Vec<u8>| event::kind(text) == Kind::Hello) {
            socket.fill().await?;
            take_texts(&mut socket, &mut texts).await?;
        }
        self.publish(1).await?;
        while let Ok(filled) = timeout(QUIET_AFTER, socket.fill()).await {
            filled?;
            take_texts(&mut socket, &mut texts).await?;
        }
        texts.retain(|text| event::kind(text) == Kind::Published);
        Ok(texts)
    }
}

fn preference(place: &Place, width: usize) -> Request {
    let url = url(&place.address, "/users/me/preferences");
    Request::Preference { url, accounts: place.accounts.clone(), width }
}

/// Moves the complete texts out of the buffer. A line end at the end is removed, because the bare server takes one text
/// for each line.
async fn take_texts(socket: &mut Socket, texts: &mut Vec<Vec<u8>>) -> std::io::Result<()> {
    socket.take_texts(|text| texts.push(text.trim_ascii_end().to_vec())).await
}

/// Returns the width of the value, given the length of the event with a value of one character.
fn padding(length: usize) -> usize {
    EVENT_BYTES.saturating_sub(length) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_event_is_filled_up_and_a_long_one_is_left_as_it_is() {
        assert_eq!((padding(290), padding(300), padding(310)), (11, 1, 1));
    }

    #[test]
    fn each_publication_stores_a_value_of_its_own_of_the_same_width_for_each_account() {
        let accounts = ["anna", "bert"].map(|id| Account { token: "t".into(), user_id: id.into() }).to_vec();
        let request = Request::Preference { url: "http://x/".into(), accounts, width: 4 };
        let publisher = Publisher { http: Client::new(), request };
        let body = |request: RequestBuilder| {
            String::from_utf8(request.build().unwrap().body().unwrap().as_bytes().unwrap().to_vec()).unwrap()
        };
        let bodies: Vec<String> = publisher.requests(123).into_iter().map(body).collect();
        assert!(bodies[0].contains(r#""user_id":"anna""#) && bodies[1].contains(r#""user_id":"bert""#), "{bodies:?}");
        assert!(bodies.iter().all(|body| body.contains(r#""value":"0123""#)), "{bodies:?}");
    }
}
