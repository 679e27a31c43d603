//! Changes of every kind that the audit trail records, which tests make repeatedly.

use reqwest::Method;
use serde_json::{Value, json};

use super::license::{FORM, form};
use super::server::{PASSWORD, account};
use super::{Client, Reply};

/// Settings that allow all of these changes.
pub const SETTINGS: &str = "[ServiceSettings]\nEnableUserAccessTokens = true\n\
                            [TeamSettings]\nEnableOpenServer = true\n";

/// The callers that make changes, and the data for the changes.
pub struct Stage {
    pub admin: Client,
    pub bert: Client,
    /// A signed licence.
    pub license: String,
}

/// The kinds of changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Profile,
    Preferences,
    Status,
    Roles,
    Activity,
    Account,
    Token,
    Team,
    Config,
    Login,
    Logout,
    Revocation,
    Busy,
    Idle,
    License,
    NoLicense,
}

pub const KINDS: [Kind; 16] = [
    Kind::Profile,
    Kind::Preferences,
    Kind::Status,
    Kind::Roles,
    Kind::Activity,
    Kind::Account,
    Kind::Token,
    Kind::Team,
    Kind::Config,
    Kind::Login,
    Kind::Logout,
    Kind::Revocation,
    Kind::Busy,
    Kind::Idle,
    Kind::License,
    Kind::NoLicense,
];

impl Stage {
    /// Makes a change; `name` must be unique. Creates what the change needs.
    pub async fn change(&self, kind: Kind, name: &str) -> reqwest::Result<Reply> {
        let Self { admin, bert, .. } = self;
        let id = &bert.user_id;
        match kind {
            Kind::Profile => put(bert, "/users/me/patch", json!({ "nickname": name })).await,
            Kind::Preferences => {
                let preference = json!({ "user_id": id, "category": "test", "name": "name", "value": name });
                put(bert, "/users/me/preferences", json!([preference])).await
            }
            Kind::Status => {
                let status = json!({ "user_id": id, "status": if name.ends_with('1') { "away" } else { "offline" } });
                put(bert, "/users/me/status", status).await
            }
            Kind::Roles => put(admin, &format!("/users/{id}/roles"), json!({ "roles": "system_user" })).await,
            Kind::Activity => put(admin, &format!("/users/{id}/active"), json!({ "active": true })).await,
            Kind::Account => post(admin, "/users", account(name)).await,
            Kind::Token => post(admin, "/users/me/tokens", json!({ "description": name })).await,
            Kind::Team => post(admin, "/teams", json!({ "name": name, "display_name": name, "type": "O" })).await,
            Kind::Config => put(admin, "/config/patch", json!({ "TeamSettings": { "SiteName": name } })).await,
            Kind::Login => log_in(admin).await,
            Kind::Logout => {
                let opened = self.bert.with_token(&self.opened().await?);
                post(&opened, "/users/logout", json!({})).await
            }
            Kind::Revocation => {
                let session = json!({ "session_id": self.opened().await? });
                post(admin, &format!("/users/{id}/sessions/revoke"), session).await
            }
            Kind::Busy => post(admin, "/server_busy?seconds=1", json!({})).await,
            Kind::Idle => admin.try_send(Method::DELETE, "/server_busy", None, &[]).await,
            Kind::License => {
                let body = form("license", "application/octet-stream", &self.license);
                admin.try_send(Method::POST, "/license", Some(body), &[("Content-Type", FORM)]).await
            }
            Kind::NoLicense => admin.try_send(Method::DELETE, "/license", None, &[]).await,
        }
    }

    /// Opens a session of the user and returns its token.
    async fn opened(&self) -> reqwest::Result<String> {
        let reply = log_in(&self.admin).await?;
        reply.expect(200);
        Ok(reply.header("token"))
    }
}

async fn log_in(client: &Client) -> reqwest::Result<Reply> {
    let nobody = Client::new(&client.base);
    post(&nobody, "/users/login", json!({ "login_id": "bert", "password": PASSWORD })).await
}

async fn post(client: &Client, path: &str, body: Value) -> reqwest::Result<Reply> {
    client.try_send(Method::POST, path, Some(body.to_string()), &[]).await
}

async fn put(client: &Client, path: &str, body: Value) -> reqwest::Result<Reply> {
    client.try_send(Method::PUT, path, Some(body.to_string()), &[]).await
}
