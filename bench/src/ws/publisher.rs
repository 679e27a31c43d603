//! Makes a server send something to all sockets of an account.

use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use serde_json::json;
use tokio::time::timeout;

use crate::account::url;
use crate::ws::bare;
use crate::ws::door::{Door, Socket};
use crate::ws::event::{self, Kind};
use crate::ws::frame::{self, Frame};
use crate::ws::place::Place;

/// The event with the preference is about so long.
const SIZE: usize = 300;

/// Nothing more comes of a publication after so much silence.
const SILENCE: Duration = Duration::from_millis(500);

type Failure = Box<dyn std::error::Error>;

/// Somebody who publishes.
pub(crate) struct Publisher {
    http: Client,
    request: Request,
}

enum Request {
    /// Stores a preference of the account: each of its sockets is told.
    Preference { url: String, token: String, user_id: String, width: usize },
    /// Tells the bare server what to send.
    Texts { url: String, body: Vec<u8> },
}

impl Publisher {
    /// One that stores preferences, and the texts that a socket gets for each.
    pub(crate) async fn of_preferences(http: &Client, place: &Place) -> Result<(Self, Vec<Vec<u8>>), Failure> {
        let mut publisher = Self { http: http.clone(), request: preference(place, 1) };
        let short = publisher.sample(&place.door(false)).await?;
        let longest = short.iter().map(Vec::len).max().ok_or("no socket was told of a stored preference")?;
        publisher.request = preference(place, padding(longest));
        let texts = publisher.sample(&place.door(false)).await?;
        Ok((publisher, texts))
    }

    /// One that makes the bare server send these texts.
    pub(crate) fn of_texts(http: &Client, address: &str, texts: &[Vec<u8>]) -> Self {
        let url = format!("http://{address}{}", bare::PUBLISH);
        Self { http: http.clone(), request: Request::Texts { url, body: texts.join(&b'\n') } }
    }

    /// Publishes once; each number makes another publication.
    pub(crate) async fn publish(&self, number: u64) -> Result<(), Failure> {
        let answer = self.request(number).send().await?.error_for_status()?;
        answer.bytes().await?;
        Ok(())
    }

    fn request(&self, number: u64) -> RequestBuilder {
        match &self.request {
            Request::Preference { url, token, user_id, width } => {
                let value = format!("{number:0>width$}");
                let preference = json!({ "user_id": user_id, "category": "bench", "name": "value", "value": value });
                self.http.put(url).bearer_auth(token).json(&[preference])
            }
            Request::Texts { url, body } => self.http.post(url).body(body.clone()),
        }
    }

    /// What one socket gets for one publication.
    async fn sample(&self, door: &Door) -> Result<Vec<Vec<u8>>, Failure> {
        let mut socket = door.open("").await?;
        let mut texts = Vec::new();
        while !texts.iter().any(|text: &Vec<u8>| event::kind(text) == Kind::Hello) {
            socket.fill().await?;
            texts.extend(texts_in(&mut socket)?);
        }
        self.publish(1).await?;
        while let Ok(filled) = timeout(SILENCE, socket.fill()).await {
            filled?;
            texts.extend(texts_in(&mut socket)?);
        }
        texts.retain(|text| event::kind(text) == Kind::Published);
        Ok(texts)
    }
}

fn preference(place: &Place, width: usize) -> Request {
    let (token, user_id) = (place.token.clone(), place.user_id.clone());
    Request::Preference { url: url(&place.address, "/users/me/preferences"), token, user_id, width }
}

/// The texts that are all there; they leave the buffer. One a line is what the bare server takes.
fn texts_in(socket: &mut Socket) -> std::io::Result<Vec<Vec<u8>>> {
    let (mut texts, mut rest) = (Vec::new(), socket.buffer.as_slice());
    while let Some((frame, behind)) = frame::split_first(rest)? {
        if let Frame::Text(text) = frame {
            texts.push(text.trim_ascii_end().to_vec());
        }
        rest = behind;
    }
    let heard = socket.buffer.len() - rest.len();
    socket.buffer.drain(..heard);
    Ok(texts)
}

/// How wide the value must be, if the event is so long with a value of one character.
fn padding(length: usize) -> usize {
    SIZE.saturating_sub(length) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_event_is_filled_up_and_a_long_one_is_left_as_it_is() {
        assert_eq!((padding(290), padding(300), padding(310)), (11, 1, 1));
    }

    #[test]
    fn each_publication_has_a_value_of_its_own_of_the_same_width() {
        let request = Request::Preference { url: "http://x/".into(), token: "t".into(), user_id: "u".into(), width: 4 };
        let publisher = Publisher { http: Client::new(), request };
        let body = |number| {
            let request = publisher.request(number).build().unwrap();
            String::from_utf8(request.body().unwrap().as_bytes().unwrap().to_vec()).unwrap()
        };
        assert!(body(7).contains(r#""value":"0007""#) && body(123).contains(r#""value":"0123""#), "{}", body(7));
    }
}
