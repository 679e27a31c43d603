//! The messages on the bus. They hold no secret, and nothing in them is a right: a receiver reads roles, sessions and the
//! configuration from the store.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hub::{Audience, Event};

/// A message for all nodes, its sender included.
#[derive(Debug, Clone)]
pub enum Message {
    /// Another version of the configuration is active.
    Config,
    /// The licence was installed or removed.
    License,
    /// The busy flag was set or cleared.
    Busy,
    /// Roles have other permissions.
    Roles,
    /// Sessions or roles of the users with these ids changed; of all users without ids.
    Users(Vec<String>),
    /// Memberships of the users with these ids changed; of all users without ids.
    Members(Vec<String>),
    /// Caches are to be invalidated.
    Caches,
    /// A session was given a version of the configuration, on which the document that it sends next is based.
    Given {
        /// The id of the session.
        session_id: String,
        /// The id of the version.
        version: String,
    },
    /// A node puts the question with this id, which is in the store.
    Question(String),
    /// Requests that a node has admitted, of which the rate limits of the others should know.
    Admitted(Vec<Admitted>),
    /// The numbers of sockets that users with many have on a node, by user id. Others have few or none there.
    Sockets {
        /// The id of the node.
        node_id: String,
        /// The numbers.
        counts: Vec<(String, usize)>,
    },
    /// An event for WebSocket clients.
    Event(Box<Event>),
    /// Events of a node could not be published. Clients may have missed some of them.
    Lost,
    /// The store is in an earlier state than the sender knew: messages that nodes have read are gone.
    Rewound,
    /// The sender took over the connections with these ids from other nodes.
    Moved(Vec<String>),
}

impl Message {
    /// Returns the kind, as it is stored.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::License => "license",
            Self::Busy => "busy",
            Self::Roles => "roles",
            Self::Users(_) => "users",
            Self::Members(_) => "members",
            Self::Caches => "caches",
            Self::Given { .. } => "given",
            Self::Question(_) => "question",
            // Nodes of earlier versions would send it to all clients.
            Self::Event(event) if !event.audience.node_id.is_empty() => "here",
            Self::Admitted(_) => "admitted",
            Self::Sockets { .. } => "sockets",
            Self::Event(_) => "event",
            Self::Lost => "lost",
            Self::Rewound => "rewound",
            Self::Moved(_) => "moved",
        }
    }

    /// Returns the content, as it is stored.
    pub fn body(&self) -> String {
        match self {
            Self::Users(ids) | Self::Members(ids) | Self::Moved(ids) => ids.join(" "),
            Self::Given { session_id, version } => format!("{session_id} {version}"),
            Self::Question(id) => id.clone(),
            Self::Admitted(all) => all.iter().map(Admitted::text).collect::<Vec<_>>().join(" "),
            Self::Sockets { node_id, counts } => {
                counts.iter().fold(node_id.clone(), |text, (user_id, count)| format!("{text} {user_id}:{count}"))
            }
            Self::Event(event) => serde_json::to_string(&WireEvent::of(event)).unwrap_or_default(),
            Self::Config | Self::License | Self::Busy | Self::Roles | Self::Caches | Self::Lost | Self::Rewound => {
                String::new()
            }
        }
    }

    /// Returns true for a message about facts, which a receiver reads from the store.
    pub fn is_fact(&self) -> bool {
        !matches!(self, Self::Event(_) | Self::Moved(_) | Self::Question(_) | Self::Admitted(_) | Self::Sockets { .. })
    }

    /// Returns true for a message that may be lost without harm. No response waits for it.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Admitted(_) | Self::Sockets { .. })
            || matches!(self, Self::Event(event) if event.is_passing())
    }

    /// Reads a stored message. Returns `None` for one that only a later version understands.
    pub fn parse(kind: &str, body: &str) -> Option<Self> {
        Some(match kind {
            "config" => Self::Config,
            "license" => Self::License,
            "busy" => Self::Busy,
            "roles" => Self::Roles,
            "users" => Self::Users(ids(body)),
            "members" => Self::Members(ids(body)),
            "caches" => Self::Caches,
            "given" => {
                let (session_id, version) = body.split_once(' ')?;
                Self::Given { session_id: session_id.to_owned(), version: version.to_owned() }
            }
            "question" => Self::Question(body.to_owned()),
            "admitted" => Self::Admitted(body.split_whitespace().filter_map(Admitted::read).collect()),
            "sockets" => {
                let mut words = body.split_whitespace();
                let node_id = words.next()?.to_owned();
                let count = |word: &str| {
                    let (user_id, count) = word.split_once(':')?;
                    Some((user_id.to_owned(), count.parse().ok()?))
                };
                Self::Sockets { node_id, counts: words.filter_map(count).collect() }
            }
            "event" | "here" => {
                let event = serde_json::from_str::<WireEvent<'_>>(body).ok()?;
                // Nodes of earlier versions publish such an event in two forms. All clients get the other one here.
                if event.acknowledging == Some(true) {
                    return None;
                }
                Self::Event(Box::new(event.into_event()))
            }
            "lost" => Self::Lost,
            "rewound" => Self::Rewound,
            "moved" => Self::Moved(ids(body)),
            _ => return None,
        })
    }
}

/// The kinds of buckets that a rate limit has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BucketKind {
    /// Requests of a user.
    User,
    /// Requests of an address.
    Address,
    /// Logins of an address.
    Login,
}

/// A bucket of a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bucket {
    /// The kind.
    pub kind: BucketKind,
    /// A keyed hash of the user or the address. All nodes have the same key.
    pub key: u64,
}

/// The number of requests that a node has admitted for a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    /// The bucket.
    pub bucket: Bucket,
    /// The number of requests.
    pub count: u32,
}

impl Admitted {
    fn text(&self) -> String {
        let mark = match self.bucket.kind {
            BucketKind::User => 'u',
            BucketKind::Address => 'a',
            BucketKind::Login => 'l',
        };
        format!("{mark}{:x}:{}", self.bucket.key, self.count)
    }

    fn read(text: &str) -> Option<Self> {
        let (bucket, count) = text.split_once(':')?;
        let (kind, key) = [('u', BucketKind::User), ('a', BucketKind::Address), ('l', BucketKind::Login)]
            .into_iter()
            .find_map(|(mark, kind)| Some((kind, bucket.strip_prefix(mark)?)))?;
        let bucket = Bucket { kind, key: u64::from_str_radix(key, 16).ok()? };
        Some(Self { bucket, count: count.parse().ok()? })
    }
}

fn ids(body: &str) -> Vec<String> {
    body.split_whitespace().map(str::to_owned).collect()
}

/// An event on the bus: with the parts of its audience that clients do not see.
#[derive(Serialize, Deserialize)]
struct WireEvent<'a> {
    event: Cow<'a, str>,
    data: Cow<'a, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    omit_users: Option<BTreeMap<String, bool>>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    user_id: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    channel_id: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    team_id: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    connection_id: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    omit_connection_id: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    also_user_id: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    node_id: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data_to_acknowledge: Option<Cow<'a, Value>>,
    /// The form of an event of an earlier version: for clients that acknowledge posts, or for the others.
    #[serde(default, skip_serializing)]
    acknowledging: Option<bool>,
    #[serde(default)]
    is_sanitized: bool,
    #[serde(default)]
    is_sensitive: bool,
}

impl<'a> WireEvent<'a> {
    fn of(event: &'a Event) -> Self {
        // Named one by one, so that a new member of the audience cannot be forgotten.
        let Event { name, data, data_to_acknowledge, audience } = event;
        let Audience {
            omit_users,
            user_id,
            channel_id,
            team_id,
            connection_id,
            omit_connection_id,
            also_user_id,
            node_id,
            contains_sanitized_data,
            contains_sensitive_data,
        } = audience;
        Self {
            event: Cow::Borrowed(name),
            data: Cow::Borrowed(data),
            omit_users: omit_users.clone(),
            user_id: user_id.into(),
            channel_id: channel_id.into(),
            team_id: team_id.into(),
            connection_id: connection_id.into(),
            omit_connection_id: omit_connection_id.into(),
            also_user_id: also_user_id.into(),
            node_id: node_id.into(),
            data_to_acknowledge: data_to_acknowledge.as_ref().map(Cow::Borrowed),
            acknowledging: None,
            is_sanitized: *contains_sanitized_data,
            is_sensitive: *contains_sensitive_data,
        }
    }

    fn into_event(self) -> Event {
        let audience = Audience {
            omit_users: self.omit_users,
            user_id: self.user_id.into_owned(),
            channel_id: self.channel_id.into_owned(),
            team_id: self.team_id.into_owned(),
            connection_id: self.connection_id.into_owned(),
            omit_connection_id: self.omit_connection_id.into_owned(),
            also_user_id: self.also_user_id.into_owned(),
            node_id: self.node_id.into_owned(),
            contains_sanitized_data: self.is_sanitized,
            contains_sensitive_data: self.is_sensitive,
        };
        Event {
            name: Cow::Owned(self.event.into_owned()),
            data: self.data.into_owned(),
            data_to_acknowledge: self.data_to_acknowledge.map(Cow::into_owned),
            audience,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_later_version_adds_to_a_message_is_left_out() {
        let event = r#"{"event":"posted","data":{"n":1},"channel_id":"c","later":{"x":[1]},"is_sanitized":true}"#;
        let Some(Message::Event(event)) = Message::parse("event", event) else { panic!() };
        assert_eq!((&*event.name, &*event.audience.channel_id), ("posted", "c"));
        assert!(event.audience.contains_sanitized_data);
        let Some(Message::Admitted(admitted)) = Message::parse("admitted", "u1:2 z9:9 later a2:x") else { panic!() };
        assert_eq!(admitted, [Admitted { bucket: Bucket { kind: BucketKind::User, key: 1 }, count: 2 }]);
        let Some(Message::Sockets { node_id, counts }) = Message::parse("sockets", "n u:7 later v:x") else { panic!() };
        assert_eq!((node_id.as_str(), counts), ("n", vec![("u".to_owned(), 7)]));
    }

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let mut event = Event::new("posted", json!({ "post": "{\"id\":\"p\"}", "n": 1.5 }))
            .for_channel("c")
            .for_team("t")
            .for_user("u")
            .without_user("o")
            .with_acknowledged(json!({ "should_ack": true }))
            .for_node("n")
            .sensitive()
            .sanitized();
        event.audience.connection_id = "one".to_owned();
        event.audience.omit_connection_id = "other".to_owned();
        event.audience.also_user_id = "also".to_owned();
        let plain = Event::new("hello", json!({}));
        for event in [event, plain] {
            let message = Message::Event(Box::new(event.clone()));
            let Some(Message::Event(read)) = Message::parse(message.kind(), &message.body()) else { panic!() };
            let parts = |event: &Event| (event.name.clone(), event.data.clone(), event.data_to_acknowledge.clone());
            assert_eq!((parts(&read), &read.audience), (parts(&event), &event.audience));
        }
        for message in [
            Message::Config,
            Message::License,
            Message::Busy,
            Message::Roles,
            Message::Users(vec!["u".to_owned(), "v".to_owned()]),
            Message::Members(Vec::new()),
            Message::Given { session_id: "s".to_owned(), version: "v".to_owned() },
            Message::Caches,
            Message::Question("q".to_owned()),
            Message::Admitted(vec![
                Admitted { bucket: Bucket { kind: BucketKind::User, key: u64::MAX }, count: u32::MAX },
                Admitted { bucket: Bucket { kind: BucketKind::Address, key: 1 }, count: 0 },
                Admitted { bucket: Bucket { kind: BucketKind::Login, key: 0 }, count: 1 },
            ]),
            Message::Sockets { node_id: "n".to_owned(), counts: vec![("u".to_owned(), 7), ("v".to_owned(), 1)] },
            Message::Sockets { node_id: "n".to_owned(), counts: Vec::new() },
            Message::Lost,
            Message::Rewound,
            Message::Moved(vec!["c".to_owned()]),
        ] {
            let read = Message::parse(message.kind(), &message.body()).unwrap();
            assert_eq!((read.kind(), read.body()), (message.kind(), message.body()));
        }
        assert!(Message::parse("of a later version", "").is_none());
        assert!(Message::parse("event", "{").is_none());
        let earlier = |form: bool| format!(r#"{{"event":"posted","data":{{}},"acknowledging":{form}}}"#);
        assert!(Message::parse("event", &earlier(true)).is_none());
        assert!(Message::parse("event", &earlier(false)).is_some());
    }
}
