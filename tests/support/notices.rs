//! A source of notices, and a server that shows them.

use serde_json::{Value, json};

use super::backdoor::texts_in;
use super::waiting::until;
use super::web_peer::WebPeer;
use super::{Client, TestServer};

/// A team without members.
pub const NO_TEAM: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaa";

/// A server with its feed, and its administrator.
pub struct Noticed {
    pub feed: WebPeer,
    pub server: TestServer,
    pub admin: Client,
}

impl Noticed {
    /// Starts a server with an empty feed. New users do not get existing notices, so tests create readers before
    /// notices.
    pub async fn start(settings: &str) -> Self {
        let feed = WebPeer::start().await;
        feed.answer(200, "[]");
        let url = feed.url();
        let settings =
            format!("[AnnouncementSettings]\nNoticesURL = \"{url}/feed\"\nNoticesFetchFrequency = 3600\n{settings}");
        let server = TestServer::start_with(&settings).await;
        let admin = server.admin().await;
        Self { feed, server, admin }
    }

    /// Sets the entries of the feed, and makes the server fetch them.
    pub async fn tell(&self, entries: Value) {
        self.feed.answer(200, &entries.to_string());
        self.fetch().await;
    }

    /// Makes the server fetch the feed now, by a change of the fetch interval.
    pub async fn fetch(&self) {
        let before = self.feed.count();
        let interval_s = 3600 + before;
        self.configure("NoticesFetchFrequency", &interval_s.to_string()).await;
        until("the feed is asked for again", async || self.feed.count() > before).await;
    }

    /// Pins a value and puts it in force.
    pub async fn configure(&self, setting: &str, value: &str) {
        let file = self.server.folder().join("config.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let (before, behind) = text.split_once(&format!("{setting} = ")).unwrap();
        let rest = behind.split_once('\n').unwrap().1;
        std::fs::write(&file, format!("{before}{setting} = {value}\n{rest}")).unwrap();
        self.admin.post("/config/reload", json!({})).await.expect_ok();
    }

    /// Returns the first column of a query's result, from the database of the server.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        texts_in(self.server.folder(), sql).await
    }
}

/// Returns an entry for all users.
pub fn entry(id: &str) -> Value {
    json!({ "id": id, "localizedMessages": { "en": { "title": format!("About {id}"), "description": "Read it." } } })
}

/// Returns an entry with these conditions.
pub fn entry_if(id: &str, conditions: Value) -> Value {
    let mut entry = entry(id);
    entry["conditions"] = conditions;
    entry
}

/// Returns the ids of the notices that a user gets in a browser.
pub async fn shown(reader: &Client) -> Vec<String> {
    let path = format!("/system/notices/{NO_TEAM}?client=web&clientVersion=11.6.0");
    let shown = reader.get(&path).await.expect(200);
    shown.as_array().unwrap().iter().map(|notice| notice["id"].as_str().unwrap().to_owned()).collect()
}

/// Waits until a user gets exactly these notices.
pub async fn shows(reader: &Client, ids: &[&str]) {
    until(&format!("{ids:?} are shown"), async || shown(reader).await == ids).await;
}
