//! The routes under `/users` that show and change accounts.

mod active;
mod edit;
mod elsewhere;
mod guest_logins;
mod guests;
mod limits;
mod list;
mod login_service;
mod mfa;
mod mfa_required;
mod password;
mod picture;
mod recovery;
mod roles;
mod rules;
mod search;
mod search_work;
mod show;
mod socket;
mod spelling;

use reqwest::Method;
use serde_json::Value;

use crate::support::{Client, TestServer};

/// Returns the names of the users in a list.
fn names(users: &Value) -> Vec<&str> {
    users.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect()
}

/// Starts a server with an administrator and one ordinary account.
async fn server_with_bert(settings: &str) -> (TestServer, Client, Client) {
    let server = TestServer::start_with(settings).await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    (server, admin, bert)
}

#[actix_web::test]
async fn every_route_but_signing_up_wants_a_session() {
    let server = TestServer::start().await;
    let anybody = server.client();
    let routes = [
        (Method::GET, "/users"),
        (Method::GET, "/users/me"),
        (Method::GET, "/users/username/anna"),
        (Method::GET, "/users/email/anna@chat.example"),
        (Method::GET, "/users/known"),
        (Method::GET, "/users/stats"),
        (Method::GET, "/users/stats/filtered"),
        (Method::POST, "/users/ids"),
        (Method::POST, "/users/usernames"),
        (Method::POST, "/users/search"),
        (Method::PUT, "/users/me"),
        (Method::PUT, "/users/me/patch"),
        (Method::PUT, "/users/me/password"),
        (Method::PUT, "/users/me/active"),
        (Method::PUT, "/users/me/roles"),
        (Method::DELETE, "/users/me"),
        (Method::POST, "/users/me/email/verify/member"),
        (Method::POST, "/users/me/reset_failed_attempts"),
        (Method::PUT, "/users/me/mfa"),
        (Method::POST, "/users/me/mfa/generate"),
    ];
    for (method, path) in routes {
        let refusal = anybody.send(method, path, Some("{}".to_owned()), &[]).await;
        refusal.expect_refusal(401, "api.context.session_expired.app_error");
    }
}
