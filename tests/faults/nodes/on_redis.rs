//! These promises hold as well where events are in Redis.

#[expect(clippy::duplicate_mod, reason = "the same tests on another bus")]
#[path = "busy.rs"]
mod busy;
#[expect(clippy::duplicate_mod, reason = "the same tests on another bus")]
#[path = "events.rs"]
mod events;
#[expect(clippy::duplicate_mod, reason = "the same tests on another bus")]
#[path = "limits.rs"]
mod limits;
#[expect(clippy::duplicate_mod, reason = "the same tests on another bus")]
#[path = "membership.rs"]
mod membership;
#[expect(clippy::duplicate_mod, reason = "the same tests on another bus")]
#[path = "pace.rs"]
mod pace;
#[expect(clippy::duplicate_mod, reason = "the same tests on another bus")]
#[path = "pool.rs"]
mod pool;
#[expect(clippy::duplicate_mod, reason = "the same tests on another bus")]
#[path = "resume.rs"]
mod resume;
#[expect(clippy::duplicate_mod, reason = "the same tests on another bus")]
#[path = "rights.rs"]
mod rights;
#[expect(clippy::duplicate_mod, reason = "the same tests on another bus")]
#[path = "unheard.rs"]
mod unheard;

use std::collections::BTreeMap;

use serde_json::json;

use super::{Bus, Delays, PairOn, ROUNDS};
use crate::support::redis::Redis;
use crate::support::waiting::until;
use crate::support::{Client, TestServer};

type OwnBus = Redis;

type Pair = PairOn<OwnBus>;

impl Bus for Redis {
    fn start() -> Option<Self> {
        Self::start()
    }

    fn settings(&self) -> String {
        Self::settings_at(&self.address())
    }

    async fn until_used(&self, server: &TestServer, client: &Client) {
        let preference = json!([{ "user_id": client.user_id, "category": "c", "name": "n", "value": "v" }]);
        let is_used = async || {
            let reply = client.put("/users/me/preferences", preference.clone()).await;
            reply.status == 200 && !self.entries().is_empty()
        };
        until("events are in Redis", is_used).await;
        let sql = "SELECT (MIN(position) = (SELECT MAX(position) FROM qd_events))::text FROM qd_nodes";
        until("all is applied", async || server.texts(sql).await == ["true"]).await;
    }

    fn entries(&self) -> BTreeMap<String, String> {
        self.entries().into_iter().collect()
    }
}
