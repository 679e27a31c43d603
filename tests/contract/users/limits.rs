//! The limit for active accounts, for each change after which one account more counts.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::license::{Seller, upload};
use crate::support::server::{PASSWORD, account};
use crate::support::{Client, TestServer};

const OF_SERVER: &str = "api.user.create_user.user_limits.exceeded";
const OF_LICENSE: &str = "api.user.create_user.license_user_limits.exceeded";

/// A change, the state of the account before it as SQL, and if it needs room without and with a licence.
struct Change {
    name: &'static str,
    request: (Method, &'static str, Value),
    before: &'static str,
    needs: (bool, bool),
}

const ACTIVE: &str = "UPDATE users SET deleteat = 0, roles = 'system_user' WHERE id = 'ID'; \
                      DELETE FROM bots WHERE userid = 'ID'; DELETE FROM channelmembers WHERE userid = 'ID'";
const INACTIVE: &str = "UPDATE users SET deleteat = 5, roles = 'system_user' WHERE id = 'ID'";
const BOT: &str = "UPDATE users SET deleteat = 0, roles = 'system_user' WHERE id = 'ID'; \
                   INSERT INTO bots (userid, description, ownerid, createat, updateat, deleteat) \
                   VALUES ('ID', '', 'ID', 1, 1, 0)";
const INACTIVE_BOT: &str = "UPDATE users SET deleteat = 5 WHERE id = 'ID'; \
                            INSERT INTO bots (userid, description, ownerid, createat, updateat, deleteat) \
                            VALUES ('ID', '', 'ID', 1, 1, 5)";
/// A guest in one channel takes no seat of a licence.
const GUEST: &str = "UPDATE users SET deleteat = 0, roles = 'system_guest' WHERE id = 'ID'; \
                     INSERT INTO channelmembers (channelid, userid) VALUES ('one', 'ID')";
const GUEST_IN_TWO: &str = "UPDATE users SET deleteat = 0, roles = 'system_guest' WHERE id = 'ID'; \
                            INSERT INTO channelmembers (channelid, userid) VALUES ('one', 'ID'), ('two', 'ID')";

fn changes() -> Vec<Change> {
    let of = |name, method, path, body, before, needs| Change { name, request: (method, path, body), before, needs };
    let bot = json!({ "username": "robot" });
    let member = json!({ "roles": "system_user" });
    let person = json!({ "password": PASSWORD });
    let on = json!({ "active": true });
    let none = || json!({});
    vec![
        of("sign-up", Method::POST, "/users", account("late"), ACTIVE, (true, true)),
        of("activation", Method::PUT, "/users/ID/active", on.clone(), INACTIVE, (true, true)),
        of("activation again", Method::PUT, "/users/ID/active", on.clone(), ACTIVE, (false, false)),
        of("a bot becomes a person", Method::POST, "/bots/ID/convert_to_user", person, BOT, (true, true)),
        of("a guest in one channel is promoted", Method::POST, "/users/ID/promote", none(), GUEST, (false, true)),
        of(
            "a guest in two channels is promoted",
            Method::POST,
            "/users/ID/promote",
            none(),
            GUEST_IN_TWO,
            (false, false),
        ),
        of("a guest gets the role of a member", Method::PUT, "/users/ID/roles", member.clone(), GUEST, (false, true)),
        of("a member keeps the role", Method::PUT, "/users/ID/roles", member, ACTIVE, (false, false)),
        of("a bot is made", Method::POST, "/bots", bot, ACTIVE, (false, false)),
        of("a bot is switched on", Method::POST, "/bots/ID/enable", none(), INACTIVE_BOT, (false, false)),
        of("a bot is activated", Method::PUT, "/users/ID/active", on, INACTIVE_BOT, (false, false)),
        of("a person becomes a bot", Method::POST, "/users/ID/convert_to_bot", none(), ACTIVE, (false, false)),
    ]
}

#[actix_web::test]
async fn each_change_after_which_one_account_more_counts_keeps_the_limit() {
    let seller = Seller::new().await;
    let settings =
        seller.settings("[ServiceSettings]\nEnableBotAccountCreation = true\n[GuestAccountsSettings]\nEnable = true\n");
    let server = TestServer::start_with(&settings).await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    server
        .execute(
            "INSERT INTO channels (id, name, teamid, type, deleteat) VALUES ('one', 'one', '', 'O', 0), \
                  ('two', 'two', '', 'O', 0)",
        )
        .await;
    let filler: Vec<String> =
        (1..250).map(|number| format!("('u{number}', 'u{number}', 'u{number}@x', 5, 'r')")).collect();
    let rows = filler.join(", ");
    server.execute(&format!("INSERT INTO users (id, username, email, deleteat, roles) VALUES {rows}")).await;
    for is_licensed in [false, true] {
        if is_licensed {
            server.execute("UPDATE users SET deleteat = 5 WHERE roles = 'r'").await;
            let limited = json!({
                "id": "a".repeat(26), "expires_at": i64::MAX, "customer": {}, "features": { "users": 250 },
                "is_seat_count_enforced": true, "extra_users": 0,
            });
            upload(&admin, &seller.signed(&limited.to_string()).await).await.expect(201);
        }
        for change in changes() {
            let needs_room = if is_licensed { change.needs.1 } else { change.needs.0 };
            let refusal = needs_room.then_some(if is_licensed { OF_LICENSE } else { OF_SERVER });
            check((&server, &admin), &bert.user_id, &change, refusal).await;
        }
    }
}

/// Makes the change in a full site, and where it is refused once more with one free place.
async fn check((server, admin): (&TestServer, &Client), id: &str, change: &Change, refusal: Option<&str>) {
    let prepare = async |free: i64| {
        server.execute("UPDATE users SET deleteat = 5 WHERE roles = 'r' OR username IN ('late', 'robot')").await;
        server.execute("UPDATE users SET username = id, email = id WHERE username IN ('late', 'robot')").await;
        for sql in [ACTIVE, change.before].iter().flat_map(|texts| texts.split(';')) {
            server.execute(&sql.replace("ID", id)).await;
        }
        let limits = admin.get("/limits/server").await.expect(200);
        let left = 250 - free - limits["activeUserCount"].as_i64().unwrap();
        assert!((1..250).contains(&left), "{}: {limits}", change.name);
        let filled = format!(
            "UPDATE users SET deleteat = 0 WHERE id IN (SELECT u.id FROM users u WHERE u.roles = 'r' LIMIT {left})"
        );
        server.execute(&filled).await;
    };
    let (method, path, body) = &change.request;
    let send = async || admin.send(method.clone(), &path.replace("ID", id), Some(body.to_string()), &[]).await;
    prepare(0).await;
    let reply = send().await;
    match refusal {
        Some(refusal) => {
            assert_eq!((reply.status, &reply.json()["id"]), (400, &json!(refusal)), "{}", change.name);
            prepare(1).await;
            let reply = send().await;
            assert!(reply.status < 300, "{}: {}", change.name, reply.text());
        }
        None => assert!(reply.status < 300, "{}: {}", change.name, reply.text()),
    }
}
