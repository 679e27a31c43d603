//! `/license`: its permission, its errors, and the licence in force.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::backdoor::texts_in;
use crate::support::license::{Seller, send, upload, upload_as};
use crate::support::server::account;
use crate::support::trail::newest_in;
use crate::support::websocket::WebSocket;
use crate::support::{Client, LocalServer, Reply, TestServer};

const INVALID: &str = "api.license.add_license.invalid.app_error";

#[actix_web::test]
async fn a_licence_comes_into_force_and_goes_and_everybody_is_told_what_they_may_know() {
    let seller = Seller::new().await;
    let server = seller.server("").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let before = admin.get("/users/me").await.header("x-version-id");
    assert_eq!(before.rsplit('.').next(), Some("false"));
    let (mut to_bert, _) = WebSocket::greeted(&bert).await;
    let options = ["--users", "10", "--company", "Example", "--name", "Anna", "--feature", "ldap"];
    let installed = upload(&admin, &seller.license(&options).await).await.expect(201);
    assert_eq!((&installed["features"]["ldap"], &installed["features"]["mfa"]), (&json!(true), &json!(false)));
    assert_eq!((&installed["customer"]["company"], &installed["limits"]), (&json!("Example"), &Value::Null));
    let after = admin.get("/users/me").await.header("x-version-id");
    assert_eq!(after.rsplit('.').next(), Some("true"));
    let whole = shown(&admin).await;
    assert_eq!((whole.as_object().unwrap().len(), &whole["Id"]), (39, &installed["id"]));
    assert_eq!((&whole["Users"], &whole["LDAP"], &whole["MFA"]), (&json!("10"), &json!("true"), &json!("false")));
    for client in [&bert, &server.client()] {
        let sanitized = shown(client).await;
        assert_eq!((sanitized.as_object().unwrap().len(), &sanitized["Company"]), (32, &json!("Example")));
        assert_eq!(sanitized.get("Name"), None);
    }
    assert_eq!(to_bert.event_named("license_changed").await["data"]["license"], shown(&bert).await);
    for _ in 0..2 {
        admin.delete("/license").await.expect_ok();
        assert_eq!(admin.get("/license/client?format=old").await.text(), r#"{"IsLicensed":"false"}"#);
    }
    let gone = to_bert.event_named("license_changed").await;
    assert_eq!(gone["data"]["license"], json!({ "IsLicensed": "false" }));
}

#[actix_web::test]
async fn each_fault_has_its_refusal_and_leaves_the_licence_in_force_as_it_is() {
    let seller = Seller::new().await;
    let server = seller.server("[FileSettings]\nMaxFileSize = 200000\n").await;
    let admin = server.admin().await;
    server.user(&admin, "bert").await;
    let good = seller.license(&["--users", "2"]).await;
    upload(&admin, &good).await.expect(201);
    let in_force = shown(&admin).await;
    let of_other_seller = Seller::new().await.license(&[]).await;
    let middle = good.len() - 100;
    let other = if &good[middle..=middle] == "A" { "B" } else { "A" };
    let changed = format!("{}{other}{}", &good[..middle], &good[middle + 1..]);
    for (broken, reason) in [
        (of_other_seller.as_str(), OTHER_KEY),
        (&changed, OTHER_KEY),
        (&format!("{good}{good}"), OTHER_KEY),
        ("", CUT),
        ("AAAA", CUT),
        (&good[4..], CUT),
        (&good[..good.len() - 4], CUT),
        (&good[..good.len() - 1], CUT),
        (&good[..100], CUT),
        (&"A".repeat(100_000), CUT),
        ("%%%", "not base64"),
        ("<html>no licence</html>", "not base64"),
    ] {
        expect_refusal(&upload(&admin, broken).await, INVALID, reason);
    }
    let signed = [
        (seller.license(&["--starts", "-10", "--days", "5"]).await, 400, "api.license.add_license.expired.app_error"),
        (seller.license(&["--users", "1"]).await, 400, "api.license.add_license.unique_users.app_error"),
        (seller.signed(r#"{"customer":{}}"#).await, 400, INVALID),
        (seller.signed(r#"{"customer":{},"features":{}}"#).await, 400, INVALID),
        (seller.signed(r#"{"customer":{},"features":{"users":"2"}}"#).await, 500, "api.unmarshal_error"),
        (seller.signed(&format!("{{\"limits\":{}", "[".repeat(60_000))).await, 500, "api.unmarshal_error"),
        (seller.signed(&document("short", 0)).await, 400, "model.license_record.is_valid.id.app_error"),
        (seller.signed(&document(&"a".repeat(26), 9_000)).await, 400, "model.license_record.is_valid.bytes.app_error"),
    ];
    for (text, status, id) in signed {
        upload(&admin, &text).await.expect_refusal(status, id);
    }
    let expired = "api.license.add_license.expired.app_error";
    for (options, reason) in
        [(["--starts", "-10", "--days", "5"], "has expired"), (["--starts", "1", "--days", "5"], "has not started yet")]
    {
        expect_refusal(&upload(&admin, &seller.license(&options).await).await, expired, reason);
    }
    for (document, member) in [
        (r#"{"customer":{}}"#, "no features"),
        (r#"{"features":{"users":2}}"#, "no customer"),
        (r#"{"customer":{},"features":{}}"#, "no number of users"),
    ] {
        expect_refusal(&upload(&admin, &seller.signed(document).await).await, INVALID, member);
    }
    upload(&admin, "%%%").await.expect_refusal(400, INVALID);
    admin.audits().await;
    assert_eq!(newest_in(server.folder(), "addLicense").await["errorid"], INVALID);
    let count = upload(&admin, &seller.license(&["--users", "1"]).await).await.text();
    assert!(count.contains("allows 1 accounts, and 2 are in use"), "{count}");
    upload_as(&admin, "file", "text/plain", &good)
        .await
        .expect_refusal(400, "api.license.add_license.no_file.app_error");
    for unreadable in [
        "",
        "random \u{1}\u{2} bytes",
        "--limit\r\nContent-Disposition: form-data; name=\"license\"; filename=\"x\"\r\n\r\nAAAA",
    ] {
        send(&admin, unreadable.to_owned()).await.expect_refusal(400, "api.license.add_license.open.app_error");
    }
    let no_form = admin.send(Method::POST, "/license", Some("{}".to_owned()), &[]).await;
    no_form.expect_refusal(400, "api.license.add_license.open.app_error");
    let too_large = upload(&admin, &"A".repeat(201_000)).await;
    too_large.expect_refusal(413, "api.context.request_body_too_large.app_error");
    assert_eq!(shown(&admin).await, in_force);
}

#[actix_web::test]
async fn a_licence_that_is_uploaded_again_is_stored_as_it_came_last() {
    let seller = Seller::new().await;
    let server = seller.server("").await;
    let admin = server.admin().await;
    for _ in 0..2 {
        for company in ["Before", "After"] {
            let document = json!({
                "id": "a".repeat(26), "expires_at": i64::MAX, "customer": { "company": company }, "features": { "users": 9 },
            });
            let text = seller.signed(&document.to_string()).await;
            upload(&admin, &text).await.expect(201);
            assert_eq!(shown(&admin).await["Company"], company);
            assert_eq!(texts_in(server.folder(), "SELECT bytes FROM licenses").await, [text]);
        }
    }
}

#[actix_web::test]
async fn a_licence_that_starts_within_an_hour_is_taken_because_clocks_differ() {
    let seller = Seller::new().await;
    let server = seller.server("").await;
    let admin = server.admin().await;
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let of = |starts_at: i64| {
        let features = json!({ "users": 9 });
        json!({ "id": "a".repeat(26), "starts_at": starts_at, "expires_at": i64::MAX, "customer": {}, "features": features })
    };
    upload(&admin, &seller.signed(&of(now + 55 * 60_000).to_string()).await).await.expect(201);
    let refused = upload(&admin, &seller.signed(&of(now + 24 * 3_600_000).to_string()).await).await;
    expect_refusal(&refused, "api.license.add_license.expired.app_error", "has not started yet");
}

#[actix_web::test]
async fn a_licence_is_for_accounts_that_are_active_and_from_here_but_for_bots_and_guests_of_one_channel() {
    let seller = Seller::new().await;
    let server = seller.server("").await;
    let admin = server.admin().await;
    let users = "INSERT INTO users (id, username, email, deleteat, roles, remoteid) VALUES ";
    server.execute(&format!("{users} ('bot', 'bot', 'bot@x', 0, 'system_user', '')")).await;
    server.execute("INSERT INTO bots (userid) VALUES ('bot')").await;
    server.execute(&format!("{users} ('away', 'away', 'away@x', 0, 'system_user', 'elsewhere')")).await;
    server.execute(&format!("{users} ('gone', 'gone', 'gone@x', 1, 'system_user', '')")).await;
    server.execute(&format!("{users} ('one', 'one', 'one@x', 0, 'system_guest', NULL)")).await;
    server.execute(&format!("{users} ('two', 'two', 'two@x', 0, 'system_guest', '')")).await;
    for (channel, kind, deleted) in [("a", 'O', 0), ("b", 'P', 0), ("c", 'O', 1), ("d", 'D', 0)] {
        let channels = "INSERT INTO channels (id, type, deleteat, name) VALUES ";
        server.execute(&format!("{channels} ('{channel}', '{kind}', {deleted}, '{channel}')")).await;
    }
    for (channel, user) in [("a", "one"), ("c", "one"), ("d", "one"), ("a", "two"), ("b", "two")] {
        server.execute(&format!("INSERT INTO channelmembers (channelid, userid) VALUES ('{channel}', '{user}')")).await;
    }
    let refused = upload(&admin, &seller.license(&["--users", "1"]).await).await;
    refused.expect_refusal(400, "api.license.add_license.unique_users.app_error");
    assert!(refused.text().contains("allows 1 accounts, and 2 are in use"), "{}", refused.text());
    upload(&admin, &seller.license(&["--users", "2"]).await).await.expect(201);
    server.execute("DROP TABLE channelmembers").await;
    let uncounted = upload(&admin, &seller.license(&["--users", "2"]).await).await;
    uncounted.expect_refusal(400, "api.license.add_license.invalid_count.app_error");
}

#[actix_web::test]
async fn a_licence_lifts_the_limit_of_accounts_and_has_one_of_its_own_where_it_says_so() {
    let seller = Seller::new().await;
    let server = seller.server("").await;
    let admin = server.admin().await;
    let rows: Vec<String> = (1..250).map(|number| format!("('u{number}', 'u{number}', 'u{number}@x', 0)")).collect();
    server.execute(&format!("INSERT INTO users (id, username, email, deleteat) VALUES {}", rows.join(", "))).await;
    let refused = admin.post("/users", account("late")).await;
    refused.expect_refusal(400, "api.user.create_user.user_limits.exceeded");
    let limited = |enforced: bool, extra: i64| {
        json!({
            "id": "a".repeat(26), "expires_at": i64::MAX, "customer": {}, "features": { "users": 250 },
            "is_seat_count_enforced": enforced, "extra_users": extra,
        })
    };
    upload(&admin, &seller.signed(&limited(true, 0).to_string()).await).await.expect(201);
    let refused = admin.post("/users", account("late")).await;
    refused.expect_refusal(400, "api.user.create_user.license_user_limits.exceeded");
    upload(&admin, &seller.signed(&limited(true, 1).to_string()).await).await.expect(201);
    admin.post("/users", account("late")).await.expect(201);
    let refused = admin.post("/users", account("later")).await;
    refused.expect_refusal(400, "api.user.create_user.license_user_limits.exceeded");
    server.execute("UPDATE users SET deleteat = 1 WHERE id = 'u1'").await;
    upload(&admin, &seller.signed(&limited(false, 0).to_string()).await).await.expect(201);
    admin.post("/users", account("later")).await.expect(201);
    admin.post("/users", account("last")).await.expect(201);
}

#[actix_web::test]
async fn a_server_without_a_key_trusts_nobody() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let seller = Seller::new().await;
    for text in [seller.license(&[]).await.as_str(), "", "AAAA", "%%%"] {
        expect_refusal(&upload(&admin, text).await, INVALID, "No key for licences is configured");
    }
}

#[actix_web::test]
async fn only_who_manages_licences_may_and_that_is_decided_before_the_form_is_read() {
    let seller = Seller::new().await;
    let server = seller.server("[ExperimentalSettings]\nRestrictSystemAdmin = true\n").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    for method in [Method::POST, Method::DELETE] {
        let anonymous = server.client().send(method.clone(), "/license", None, &[]).await;
        anonymous.expect_refusal(401, "api.context.session_expired.app_error");
        for client in [&admin, &bert] {
            let refused = client.send(method.clone(), "/license", None, &[]).await;
            refused.expect_refusal(403, "api.context.permissions.app_error");
        }
    }
    server.client().get("/license/load_metric").await.expect_refusal(401, "api.context.session_expired.app_error");
}

#[actix_web::test]
async fn the_load_is_told_in_thousandths_of_the_accounts() {
    let seller = Seller::new().await;
    let server = seller.server("").await;
    let admin = server.admin().await;
    assert_eq!(admin.get("/license/load_metric").await.text(), r#"{"load":0}"#);
    upload(&admin, &seller.license(&["--users", "3"]).await).await.expect(201);
    admin.put("/users/me/status", json!({ "user_id": admin.user_id, "status": "online" })).await.expect(200);
    assert_eq!(admin.get("/license/load_metric").await.expect(200)["load"], 333);
}

#[actix_web::test]
async fn the_local_socket_takes_a_licence_as_well() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    upload(local, "AAAA").await.expect_refusal(400, INVALID);
    local.delete("/license").await.expect_ok();
    assert_eq!(shown(local).await, shown(&admin).await);
}

#[actix_web::test]
async fn the_local_socket_installs_a_good_licence_and_a_second_trial_as_well() {
    let seller = Seller::new().await;
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("local.socket");
    let place = format!("EnableLocalMode = true\nLocalModeSocketLocation = \"{}\"\n", socket.display());
    let server = seller.server(&format!("[ServiceSettings]\n{place}")).await;
    let (admin, local) = (server.admin().await, Client::on_socket(&socket));
    for company in ["First", "Second"] {
        let trial = seller.license(&["--trial", "--days", "30", "--company", company]).await;
        upload(&local, &trial).await.expect(201);
        assert_eq!(shown(&admin).await["Company"], company);
    }
    local.delete("/license").await.expect_ok();
    assert_eq!(shown(&admin).await, json!({ "IsLicensed": "false" }));
}

const CUT: &str = "a part of its text is missing";
const OTHER_KEY: &str = "signed with another key";

/// Fails unless the licence is refused with this id and a message that gives this reason.
#[track_caller]
fn expect_refusal(reply: &Reply, id: &str, reason: &str) {
    reply.expect_refusal(400, id);
    assert!(reply.json()["message"].as_str().unwrap().contains(reason), "{reason}: {}", reply.text());
}

async fn shown(client: &Client) -> Value {
    client.get("/license/client?format=old").await.expect(200)
}

fn document(id: &str, padding: usize) -> String {
    let customer = json!({ "company": "x".repeat(padding) });
    json!({ "id": id, "expires_at": i64::MAX, "customer": customer, "features": { "users": 9 } }).to_string()
}
