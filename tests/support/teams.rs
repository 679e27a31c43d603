//! Teams to test with.

use serde_json::{Value, json};

use super::Client;

/// The body that founds an open team that anybody may join.
pub fn open_team(name: &str) -> Value {
    json!({ "name": name, "display_name": format!("Team {name}"), "type": "O", "allow_open_invite": true })
}

/// The body that founds a team by invitation.
pub fn closed_team(name: &str) -> Value {
    json!({ "name": name, "display_name": format!("Team {name}"), "type": "I" })
}

/// The body that takes `user` into a team.
pub fn newcomer(team_id: &str, user: &Client) -> Value {
    json!({ "team_id": team_id, "user_id": user.user_id })
}

impl Client {
    /// Founds a team and gives its id.
    pub async fn found(&self, team: Value) -> String {
        self.post("/teams", team).await.expect(201)["id"].as_str().unwrap().to_owned()
    }
}
