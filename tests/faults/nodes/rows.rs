//! The rows of the bus: they end, and none of them holds a secret.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Pair, REASON};
use crate::support::one_time::{SECRET, code_of, step};
use crate::support::server::PASSWORD;
use crate::support::smtp::MailServer;
use crate::support::waiting::{until, until_within};
use crate::support::websocket::WebSocket;
use crate::support::{TestServer, database};

/// The time within which servers delete what is over: a minute, on a busy machine.
const DELETED_WITHIN: Duration = Duration::from_mins(3);

#[actix_web::test]
async fn rows_that_are_over_are_deleted_and_others_stay() {
    let Some(pair) = Pair::start().await else { return };
    let (_socket, connection) = WebSocket::greeted(&pair.admin).await;
    let count =
        async |sql: &str| pair.one.texts(&format!("SELECT COUNT(*) FROM {sql}")).await[0].parse::<u64>().unwrap();
    let live = format!("qd_sockets WHERE id = '{connection}'");
    until("the connection has its row", async || count(&live).await == 1).await;
    // Messages of more than ten minutes, a connection of a dead server, and the last batch of one that left a day ago.
    pair.execute(
        "UPDATE qd_events SET at = at - 601000; \
         INSERT INTO qd_sockets (id, node, userid, sessionid, rule, timeline, earlierposition, earliermark, earliernumber, \
         position, mark, number, at) VALUES ('over', 'gone', 'u', 's', 1, 0, 0, 0, 0, 0, 0, 0, qd_now() - 601000); \
         INSERT INTO qd_batches VALUES ('gone', 7, qd_now() - 86401000), ('lately', 7, qd_now()); \
         INSERT INTO qd_questions VALUES ('over', 'gone', 'k', '', 1, '{}', qd_now() - 1000); \
         INSERT INTO qd_answers VALUES ('over', 'gone', 0, 'part', 'body'); \
         INSERT INTO qd_presence VALUES ('gone', 'u')",
    )
    .await;
    let newest = pair.one.texts("SELECT MAX(position)::text FROM qd_events").await.swap_remove(0);
    for over in [
        format!("qd_events WHERE position < {newest}"),
        "qd_sockets WHERE id = 'over'".to_owned(),
        "qd_batches WHERE node = 'gone'".to_owned(),
        "qd_questions WHERE id = 'over'".to_owned(),
        "qd_answers WHERE question = 'over'".to_owned(),
        "qd_presence WHERE nodeid = 'gone'".to_owned(),
        "qd_outbox".to_owned(),
    ] {
        until_within(DELETED_WITHIN, &format!("no row of {over} is left"), async || count(&over).await == 0).await;
    }
    let newest = format!("qd_events WHERE position = {newest}");
    for (what, kept) in [("the last message", newest), ("a late batch", "qd_batches WHERE node = 'lately'".to_owned())]
    {
        assert_eq!(count(&kept).await, 1, "{what}");
    }
    assert_eq!(count(&live).await, 1, "the connection of a living server");
    assert!(count("qd_batches").await <= 3, "one of each server, and the late one");
}

#[actix_web::test]
async fn no_row_of_the_bus_holds_a_password_a_token_or_a_secret() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let logs = tempfile::tempdir().unwrap();
    std::fs::write(logs.path().join("mattermost.log"), "").unwrap();
    let settings = &format!(
        "[LogSettings]\nFileLocation = \"{}\"\n[ServiceSettings]\nSiteURL = \"https://chat.example\"\nEnableUserAccessTokens = true\n\
         EnableMultifactorAuthentication = true\n\
         [EmailSettings]\nSMTPServer = \"127.0.0.1\"\nSMTPPort = \"{}\"\n",
        logs.path().display(),
        mail.port
    );
    let one = TestServer::start_with(settings).await;
    let admin = one.admin().await;
    let other = one.start_beside(settings).await;
    copy_rows(&one).await;
    let there = admin.at(&other.base);
    let (mut socket, _) = WebSocket::greeted(&there).await;
    let mut secrets: Vec<String> = vec![PASSWORD.to_owned(), admin.token.clone().unwrap()];

    let bert = one.user(&admin, "bert").await;
    secrets.push(bert.token.clone().unwrap());
    let path = format!("/users/{}/tokens", bert.user_id);
    admin
        .put(&format!("/users/{}/roles", bert.user_id), json!({ "roles": "system_user system_user_access_token" }))
        .await
        .expect_ok();
    let token = bert.post(&path, json!({ "description": "of a test" })).await.expect(200);
    secrets.push(token["token"].as_str().unwrap().to_owned());
    other.client().with_token(token["token"].as_str().unwrap()).get("/users/me").await.expect(200);

    let planted = json!({ "EmailSettings": { "SMTPPassword": "planted-for-mail" }, "FileSettings": {
        "AmazonS3SecretAccessKey": "planted-for-files" }, "CacheSettings": { "RedisPassword": "planted-for-redis" } });
    admin.put("/config/patch", planted).await.expect(200);
    let whole = there.get("/config").await.expect(200);
    there.put("/config", whole).await.expect(200);
    secrets.extend(["planted-for-mail", "planted-for-files", "planted-for-redis"].map(str::to_owned));

    let made = bert.post("/users/me/mfa/generate", json!({})).await.expect(200);
    let secret = made["secret"].as_str().unwrap().to_owned();
    let code = code_of(&secret, step());
    bert.put("/users/me/mfa", json!({ "activate": true, "code": code })).await.expect_ok();
    secrets.extend([secret, SECRET.to_owned()]);

    let changed = json!({ "current_password": PASSWORD, "new_password": "another-horse-2" });
    bert.put("/users/me/password", changed).await.expect_ok();
    admin.post("/users/password/reset/send", json!({ "email": "bert@chat.example" })).await.expect_ok();
    until("there is a token", async || !one.texts("SELECT token FROM tokens").await.is_empty()).await;
    secrets.extend(one.texts("SELECT token FROM tokens").await);
    admin
        .put(&format!("/users/{}/password", bert.user_id), json!({ "new_password": "third-horse-3" }))
        .await
        .expect_ok();
    secrets.extend(["another-horse-2", "third-horse-3"].map(str::to_owned));
    secrets.extend(one.texts("SELECT password FROM users").await);

    let mut store = admin.get("/config").await.expect(200);
    store["FileSettings"]["AmazonS3SecretAccessKey"] = json!("planted-and-not-saved");
    admin.post("/file/s3_test", store).await;
    admin.post("/file/s3_test", json!({})).await;
    there.post("/logs/query", json!({})).await.expect(200);
    secrets.push("planted-and-not-saved".to_owned());
    bert.post("/users/logout", json!({})).await;
    let last = json!([{ "user_id": admin.user_id, "category": "c", "name": "n", "value": "the last one" }]);
    admin.put("/users/me/preferences", last).await.expect_ok();
    let is_last =
        |event: &Value| event["data"]["preferences"].as_str().is_some_and(|text| text.contains("the last one"));
    while !is_last(&socket.event_named("preferences_changed").await) {}

    let rows = one.texts("SELECT place || ' ' || row FROM seen").await;
    for place in ["qd_events", "qd_outbox", "qd_questions", "qd_answers"] {
        assert!(rows.iter().any(|row| row.starts_with(place)), "no row of {place} was seen");
    }
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        let found: Vec<&String> = rows.iter().filter(|row| row.contains(secret.as_str())).collect();
        assert!(found.is_empty(), "{secret} is in {found:?}");
    }
    // The id of a session gives no right. One message has it: a session was given a version of the configuration. The row of
    // a connection names its session, and the audit trail and the versions of the configuration name that of the author.
    let named = ["qd_sockets ", "qd_audits", "qd_configversions "];
    for id in one.texts("SELECT id FROM sessions").await {
        let may_name = |row: &str| row.contains("\"given\"") || named.iter().any(|place| row.starts_with(place));
        let found: Vec<&String> = rows.iter().filter(|row| row.contains(&id) && !may_name(row)).collect();
        assert!(found.is_empty(), "{id} is in {found:?}");
    }
}

/// Copies each row that is stored in a table of the program's own, because many of them are deleted at once.
async fn copy_rows(server: &TestServer) {
    server.execute("CREATE TABLE seen (place text NOT NULL, row text NOT NULL)").await;
    server
        .execute(
            "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             INSERT INTO seen VALUES (TG_TABLE_NAME, to_json(NEW)::text); RETURN NULL; END $$",
        )
        .await;
    let own = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename LIKE 'qd\\_%'";
    for table in server.texts(own).await {
        server
            .execute(&format!(
                "CREATE TRIGGER see AFTER INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION see()"
            ))
            .await;
    }
}
