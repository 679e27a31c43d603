//! A database of Mattermost works without changes.

use serde_json::json;

use crate::support::server::{PASSWORD, account};
use crate::support::{Home, database};

const TABLES: &str = include_str!("mattermost.sql");

#[actix_web::test]
async fn the_tables_and_rows_of_mattermost_are_used_as_they_are() {
    let Some(base) = database::only_postgres("only PostgreSQL can hold a database of Mattermost") else { return };
    let schema = database::fresh_schema(&base).await;
    let rows = rows_of_mattermost();
    database::execute(&base, &format!("SET search_path TO {schema}; {TABLES}; {rows}")).await;
    let before = columns(&base, &schema).await;

    let home = Home::on_database(&database::settings_in(&base, &schema), "");
    let server = home.start().await;
    let anna = server.client().log_in("anna").await;
    let me = anna.get("/users/me").await.expect(200);
    assert_eq!((&me["id"], &me["nickname"]), (&json!("a".repeat(26)), &json!("Ännchen")));
    server.client().post("/users", account("bert")).await.expect_refusal(403, "api.user.create_user.no_open_server");
    anna.post("/notifications/test", json!({})).await.expect_ok();
    anna.post("/users/logout", json!({})).await.expect_ok();
    assert!(server.stop().await.success());

    // Tables that were not there may be added, such as that of the configuration's files.
    let is_of_a_known_table = |column: &String| {
        let table = column.split(' ').next().unwrap();
        before.iter().any(|known| known.split(' ').next().unwrap() == table)
    };
    let after: Vec<String> = columns(&base, &schema).await.into_iter().filter(is_of_a_known_table).collect();
    assert_eq!(after, before, "a table of Mattermost was changed");
    let kept = database::texts(&base, &format!("SELECT message FROM {schema}.drafts")).await;
    assert_eq!(kept, ["not ours"]);
    let authors =
        format!("SELECT username FROM {schema}.posts p JOIN {schema}.users u ON u.id = p.userid ORDER BY p.createat");
    assert_eq!(database::texts(&base, &authors).await, ["anna", "system-bot"]);
}

/// Returns every column of every table of Mattermost, with its type.
async fn columns(base: &str, schema: &str) -> Vec<String> {
    let sql = format!(
        "SELECT concat_ws(' ', table_name, column_name, udt_name, character_maximum_length, is_nullable, column_default) \
         FROM information_schema.columns WHERE table_schema = '{schema}' AND table_name NOT LIKE 'qd\\_%' \
         ORDER BY table_name, ordinal_position"
    );
    database::texts(base, &sql).await
}

/// Returns an administrator from before version 11, whose hash is bcrypt, a team, and a foreign table.
fn rows_of_mattermost() -> String {
    let (user, team) = ("a".repeat(26), "b".repeat(26));
    let hash = bcrypt::hash(PASSWORD, 4).unwrap();
    format!(
        "INSERT INTO users (id, createat, updateat, deleteat, username, password, authdata, authservice, email, \
             emailverified, nickname, firstname, lastname, roles, allowmarketing, props, notifyprops, \
             lastpasswordupdate, lastpictureupdate, failedattempts, locale, mfaactive, mfasecret, position, timezone) \
         VALUES ('{user}', 1, 1, 0, 'anna', '{hash}', NULL, '', 'anna@chat.example', true, 'Ännchen', '', '', \
             'system_admin system_user', false, '{{}}', '{{\"email\": \"true\"}}', 1, 0, 0, 'en', false, '', '', \
             '{{\"useAutomaticTimezone\": \"true\"}}');
         INSERT INTO teams (id, createat, updateat, deleteat, displayname, name, type) \
         VALUES ('{team}', 1, 1, 0, 'Crew', 'crew', 'O');
         INSERT INTO posts (id, createat, userid, channelid, message) VALUES ('{user}', 1, '{user}', '{team}', 'theirs');
         CREATE TABLE drafts (id varchar(26) PRIMARY KEY, message varchar(65535));
         INSERT INTO drafts VALUES ('{team}', 'not ours');"
    )
}
