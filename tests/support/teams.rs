//! Teams for tests.

use std::path::Path;

use serde_json::{Value, json};

use super::server::account;
use super::{Client, backdoor};

/// Returns the body that creates an open team.
pub fn open_team(name: &str) -> Value {
    json!({ "name": name, "display_name": format!("Team {name}"), "type": "O", "allow_open_invite": true })
}

/// Returns the body that creates a team by invitation.
pub fn closed_team(name: &str) -> Value {
    json!({ "name": name, "display_name": format!("Team {name}"), "type": "I" })
}

/// Returns the body that adds `user` to a team.
pub fn newcomer(team_id: &str, user: &Client) -> Value {
    json!({ "team_id": team_id, "user_id": user.user_id })
}

impl Client {
    /// Creates a team and returns its id.
    pub async fn found(&self, team: Value) -> String {
        self.post("/teams", team).await.expect(201)["id"].as_str().unwrap().to_owned()
    }
}

/// Creates a channel with an administrator, anna, and an ordinary user, bert; `folder` contains the settings.
pub async fn meeting(site: &Client, folder: &Path) -> (String, Client, Client) {
    site.post("/users", account("anna")).await.expect(201);
    let anna = site.log_in("anna").await;
    anna.post("/users", account("bert")).await.expect(201);
    let bert = site.log_in("bert").await;
    let team_id = anna.found(open_team("crew")).await;
    anna.post(&format!("/teams/{team_id}/members"), newcomer(&team_id, &bert)).await.expect(201);
    let sql = format!("SELECT id FROM channels WHERE teamid = '{team_id}' AND name = 'town-square'");
    (backdoor::texts_in(folder, &sql).await.swap_remove(0), anna, bert)
}
