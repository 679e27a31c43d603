//! Posts: the messages in channels.

use quarterdeck_actors::id::new_id;
use quarterdeck_actors::json::to_json;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::base::user::User;

/// A post, as stored. Times are Unix milliseconds.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) id: String,
    pub(crate) create_at: i64,
    /// The id of the author.
    pub(crate) user_id: String,
    pub(crate) message: String,
    /// Properties that tell clients how to show the post.
    pub(crate) props: Map<String, Value>,
}

/// The direct channel of two users.
#[derive(Debug, Clone)]
pub(crate) struct DirectChannel {
    pub(crate) id: String,
    pub(crate) name: String,
    /// True if the channel was created just now.
    pub(crate) is_new: bool,
}

impl Post {
    /// Returns a new post of a bot.
    pub(crate) fn new(bot: &User, message: &str, now: i64) -> Self {
        let props = Map::from_iter([("from_bot".to_owned(), json!("true"))]);
        Self { id: new_id(), create_at: now, user_id: bot.id.clone(), message: message.to_owned(), props }
    }

    /// Returns the post with a property that makes clients notify in any status. The property has a unique value.
    pub(crate) fn forced(mut self) -> Self {
        self.props.insert("force_notification".to_owned(), json!(new_id()));
        self
    }

    /// Returns the post in a channel as the JSON text that clients read.
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
            file_ids: [],
            pending_post_id: "",
            reply_count: 0,
            last_reply_at: 0,
            participants: None,
            metadata: Map::new(),
        };
        String::from_utf8(to_json(&view).unwrap_or_default()).unwrap_or_default()
    }
}

/// Returns the name of the direct channel of two users: their ids in order.
pub(crate) fn direct_name(one: &str, other: &str) -> String {
    let (first, second) = if one < other { (one, other) } else { (other, one) };
    format!("{first}__{second}")
}

/// A post on the wire, with its keys in the order of Mattermost.
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
    /// The ids of attached files. Posts of bots have none.
    file_ids: [&'a str; 0],
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
