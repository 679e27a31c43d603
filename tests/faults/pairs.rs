//! Every pair of writing routes on one account at the same time: responses and rows are those of one of the two orders.
//! On PostgreSQL, every second round sends the two requests to two servers of one database.

use std::collections::BTreeSet;
use std::iter;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::backdoor::{execute, texts_in};
use crate::support::server::account;
use crate::support::{Client, TestServer, database};

/// The variable with the number of rounds for each pair, because a race shows up only in some runs.
const VARIABLE: &str = "QUARTERDECK_TEST_PAIRS";

const ROUNDS: usize = 3;

/// The id of the token that exists at the start of each round.
const TOKEN_ID: &str = "tokentokentokentokentoken1";

/// The tables with rows of an account, and the column with the account's id.
const TABLES: [(&str, &str); 6] = [
    ("users", "id"),
    ("sessions", "userid"),
    ("useraccesstokens", "userid"),
    ("preferences", "userid"),
    ("teammembers", "userid"),
    ("status", "userid"),
];

/// The rows of an account, without ids and times, which differ from run to run.
const ROWS: [&str; 5] = [
    "username || ' ' || email || ' ' || nickname || ' ' || position || ' ' || firstname || ' ' || roles || ' ' || locale \
     || ' ' || CAST(props AS text) || ' ' || CAST(notifyprops AS text) \
     || CASE WHEN emailverified THEN ' verified' ELSE '' END || CASE WHEN deleteat > 0 THEN ' gone' ELSE '' END \
     || CASE WHEN password IN ('hash1', 'hash2') THEN ' ' || password ELSE '' END \
     || ' ' || failedattempts AS text) FROM users WHERE id = '{id}'",
    "'session ' || roles || ' ' || deviceid || ' ' || CAST(props AS text) AS text) FROM sessions WHERE userid = '{id}'",
    "'token ' || description || CASE WHEN isactive THEN ' on' ELSE ' off' END AS text) FROM useraccesstokens \
     WHERE userid = '{id}'",
    "'preference ' || category || ' ' || name || ' ' || value AS text) FROM preferences WHERE userid = '{id}'",
    "'member ' || CASE WHEN schemeadmin THEN 'admin' ELSE 'user' END AS text) FROM teammembers WHERE userid = '{id}'",
];

/// A writing request: its sender, method, path and body. `{id}` is the account, `{team}` a team.
type Route = (&'static str, Sender, Method, &'static str, Value);

#[derive(Clone, Copy, PartialEq)]
enum Sender {
    Admin,
    Owner,
}

struct Place {
    server: TestServer,
    /// On PostgreSQL, another server on the same database.
    other: Option<TestServer>,
    admin: Client,
    owner: Client,
    id: String,
    team: String,
}

#[actix_web::test]
async fn what_two_writers_leave_is_what_some_order_of_them_leaves() {
    let rounds = std::env::var(VARIABLE).map_or(ROUNDS, |text| text.parse().unwrap());
    let place = Place::start().await;
    let routes = routes();
    for (at, one) in routes.iter().enumerate() {
        for other in &routes[at..] {
            let mut orders = BTreeSet::new();
            for (first, second) in [(one, other), (other, one)] {
                place.reset().await;
                let server = &place.server;
                let (before, after) = (place.send(first, server).await, place.send(second, server).await);
                let answers = if std::ptr::eq(first, one) { [before, after] } else { [after, before] };
                orders.insert(place.outcome(answers).await);
                if std::ptr::eq(one, other) {
                    // Of two equal requests either may be the first.
                    orders.insert(place.outcome([after, before]).await);
                }
            }
            // There are as many rounds with both writers on one server as with one on each of two servers.
            let rounds = if place.other.is_some() { 2 * rounds } else { rounds };
            for round in 0..rounds {
                place.reset().await;
                let beside = place.other.as_ref().filter(|_| round % 2 == 0).unwrap_or(&place.server);
                let (left, right) = tokio::join!(place.send(one, &place.server), place.send(other, beside));
                let outcome = place.outcome([left, right]).await;
                assert!(
                    orders.contains(&outcome),
                    "{} and {} in round {round}: {outcome:#?} is none of {orders:#?}",
                    one.0,
                    other.0
                );
            }
        }
    }
}

fn routes() -> Vec<Route> {
    use Sender::{Admin, Owner};
    let patch = "/users/{id}/patch";
    let preference = |value: &str| json!([{ "user_id": "{id}", "category": "c", "name": "n", "value": value }]);
    vec![
        ("nickname", Admin, Method::PUT, patch, json!({ "nickname": "nick" })),
        ("position", Owner, Method::PUT, patch, json!({ "position": "here" })),
        ("address", Admin, Method::PUT, patch, json!({ "email": "other@chat.example" })),
        ("properties", Owner, Method::PUT, patch, json!({ "props": { "a": "b" } })),
        ("notifications", Admin, Method::PUT, patch, json!({ "notify_props": { "email": "false" } })),
        (
            "profile",
            Admin,
            Method::PUT,
            "/users/{id}",
            json!({ "id": "{id}", "username": "anna", "email": "anna@chat.example", "first_name": "Anna" }),
        ),
        ("verification", Admin, Method::POST, "/users/{id}/email/verify/member", json!({})),
        ("roles", Admin, Method::PUT, "/users/{id}/roles", json!({ "roles": "system_user system_admin" })),
        ("other roles", Admin, Method::PUT, "/users/{id}/roles", json!({ "roles": "system_user system_post_all" })),
        ("deactivation", Admin, Method::PUT, "/users/{id}/active", json!({ "active": false })),
        ("activation", Admin, Method::PUT, "/users/{id}/active", json!({ "active": true })),
        (
            "password",
            Admin,
            Method::PUT,
            "/users/{id}/password",
            json!({ "new_password": "hash1", "already_hashed": "true" }),
        ),
        (
            "other password",
            Admin,
            Method::PUT,
            "/users/{id}/password",
            json!({ "new_password": "hash2", "already_hashed": "true" }),
        ),
        ("unlocking", Admin, Method::POST, "/users/{id}/reset_failed_attempts", json!({})),
        ("preference", Owner, Method::PUT, "/users/{id}/preferences", preference("one")),
        ("other preference", Admin, Method::PUT, "/users/{id}/preferences", preference("two")),
        ("no preference", Admin, Method::POST, "/users/{id}/preferences/delete", preference("")),
        ("token", Admin, Method::POST, "/users/{id}/tokens", json!({ "description": "new" })),
        ("token off", Admin, Method::POST, "/users/tokens/disable", json!({ "token_id": TOKEN_ID })),
        ("token on", Admin, Method::POST, "/users/tokens/enable", json!({ "token_id": TOKEN_ID })),
        ("no token", Admin, Method::POST, "/users/tokens/revoke", json!({ "token_id": TOKEN_ID })),
        ("team", Admin, Method::POST, "/teams/{team}/members", json!({ "team_id": "{team}", "user_id": "{id}" })),
        ("device", Owner, Method::PUT, "/users/sessions/device", json!({ "device_id": "apple:1" })),
        ("version", Owner, Method::PUT, "/users/sessions/device", json!({ "mobile_version": "1.0.0" })),
        ("no sessions", Admin, Method::POST, "/users/{id}/sessions/revoke/all", json!({})),
        ("no account", Admin, Method::DELETE, "/users/{id}?permanent=true", json!({})),
    ]
}

impl Place {
    async fn start() -> Self {
        let settings = "[ServiceSettings]\nEnableUserAccessTokens = true\nEnableAPIUserDeletion = true\n";
        let server = TestServer::start_with(settings).await;
        let other = if database::base().is_some() { Some(server.start_beside(settings).await) } else { None };
        let admin = server.admin().await;
        let owner = server.user(&admin, "anna").await;
        let team = json!({ "name": "team", "display_name": "Team", "type": "O" });
        let team = admin.post("/teams", team).await.expect(201)["id"].as_str().unwrap().to_owned();
        admin.post("/users", account("other")).await.expect(201);
        let id = owner.user_id.clone();
        // The rows at the start of each round.
        let first = format!(
            "UPDATE users SET failedattempts = 3 WHERE id = '{id}'; \
             INSERT INTO useraccesstokens (id, token, userid, description, isactive) \
             VALUES ('{TOKEN_ID}', 'text', '{id}', 'old', true)"
        );
        execute(&server, &first).await;
        for (table, column) in TABLES {
            let keep = format!("CREATE TABLE kept_{table} AS SELECT * FROM {table} WHERE {column} = '{id}'");
            execute(&server, &keep).await;
        }
        Self { server, other, admin, owner, id, team }
    }

    /// Restores every row of the account.
    async fn reset(&self) {
        let id = &self.id;
        let back = |(table, column): &(&str, &str)| {
            format!("DELETE FROM {table} WHERE {column} = '{id}'; INSERT INTO {table} SELECT * FROM kept_{table};")
        };
        let sql: String = TABLES.iter().map(back).collect();
        execute(&self.server, &format!("BEGIN; {sql} COMMIT")).await;
        for server in iter::once(&self.server).chain(&self.other) {
            self.admin.at(&server.base).post("/caches/invalidate", json!({})).await.expect_ok();
        }
    }

    /// Sends a request to a server and returns its outcome. All refusals count as one, because a deleted account has no
    /// session either.
    async fn send(&self, (_, sender, method, path, body): &Route, server: &TestServer) -> &'static str {
        let filled = |text: &str| text.replace("{id}", &self.id).replace("{team}", &self.team);
        let client = if *sender == Sender::Admin { &self.admin } else { &self.owner };
        let reply =
            client.at(&server.base).send(method.clone(), &filled(path), Some(filled(&body.to_string())), &[]).await;
        match reply.status {
            ..300 => "done",
            300..500 => "refused",
            500.. => "failed",
        }
    }

    /// Returns the outcomes and every row of the account.
    async fn outcome(&self, answers: [&str; 2]) -> Vec<String> {
        let rows = ROWS.map(|rows| format!("SELECT CAST({rows}")).join(" UNION ALL ").replace("{id}", &self.id);
        let mut outcome = texts_in(self.server.folder(), &rows).await;
        outcome.sort();
        outcome.extend(answers.map(str::to_owned));
        outcome
    }
}
