//! Messages.

use quarterdeck_actors::id::new_id;
use quarterdeck_actors::json::to_json;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::base::user::User;

/// A message, as stored. Times are Unix milliseconds.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) id: String,
    pub(crate) create_at: i64,
    /// Who wrote it.
    pub(crate) user_id: String,
    pub(crate) message: String,
    /// What clients are to make of it.
    pub(crate) props: Map<String, Value>,
}

/// The channel that two people have for themselves.
#[derive(Debug, Clone)]
pub(crate) struct DirectChannel {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Whether it was made just now.
    pub(crate) is_new: bool,
}

impl Post {
    /// A message of a bot.
    pub(crate) fn new(bot: &User, message: &str, now: i64) -> Self {
        let props = Map::from_iter([("from_bot".to_owned(), json!("true"))]);
        Self { id: new_id(), create_at: now, user_id: bot.id.clone(), message: message.to_owned(), props }
    }

    /// The same, which clients show whatever their users are doing. Each needs a mark of its own.
    pub(crate) fn forced(mut self) -> Self {
        self.props.insert("force_notification".to_owned(), json!(new_id()));
        self
    }

    /// The message in a channel as clients read it, as JSON.
    pub(crate) fn text_in(&self, channel_id: &str) -> String {
        let view = PostView {
            id: &self.id,
            create_at: self.create_at,
            update_at: self.create_at,
            edit_at: 0,
            delete_at: 0,
            is_pinned: false,
            user_id: &self.user_id,
            channel_id,
            root_id: "",
            original_id: "",
            message: &self.message,
            kind: "",
            props: &self.props,
            hashtags: "",
            pending_post_id: "",
            reply_count: 0,
            last_reply_at: 0,
            participants: None,
            metadata: Map::new(),
        };
        String::from_utf8(to_json(&view).unwrap_or_default()).unwrap_or_default()
    }
}

/// What the channel of two people is called: their ids, in order.
pub(crate) fn direct_name(one: &str, other: &str) -> String {
    let (first, second) = if one < other { (one, other) } else { (other, one) };
    format!("{first}__{second}")
}

/// A message on the wire, with its keys in the order of the original.
#[derive(Serialize)]
struct PostView<'a> {
    id: &'a str,
    create_at: i64,
    update_at: i64,
    edit_at: i64,
    delete_at: i64,
    is_pinned: bool,
    user_id: &'a str,
    channel_id: &'a str,
    root_id: &'a str,
    original_id: &'a str,
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    props: &'a Map<String, Value>,
    hashtags: &'a str,
    pending_post_id: &'a str,
    reply_count: i64,
    last_reply_at: i64,
    participants: Option<Vec<String>>,
    metadata: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direct_channel_is_called_the_same_from_either_side() {
        assert_eq!(direct_name("b", "a"), "a__b");
        assert_eq!(direct_name("a", "b"), "a__b");
    }
}
