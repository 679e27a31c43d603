//! `quarterdeck import`: a Mattermost moves into either engine, and its people go on as before.

use serde_json::json;

use crate::support::Client;
use crate::support::backdoor::{execute_in, texts_in};
use crate::support::backup::{QUIET, bad, content, good, names, on_sqlite};
use crate::support::database;
use crate::support::mattermost::{ANNAS_SESSION, BERTS_PASSWORD, CARLS_TOKEN, MattermostDatabase, line};
use crate::support::one_time::{code, step};
use crate::support::process::{Process, Workplace};
use crate::support::server::PASSWORD;
use crate::support::trail::{events_in, newest_in};

/// Returns an empty place on each engine.
async fn places() -> [Workplace; 2] {
    let embedded = Workplace::new(QUIET).await;
    on_sqlite(&embedded, "test.db");
    [Workplace::new(QUIET).await, embedded]
}

/// Runs an import, which must succeed. Returns its output.
async fn imported(place: &Workplace, source: &MattermostDatabase, more: &[&str]) -> String {
    let from = source.source();
    good(place.run(&[&["import", "--from", &from], more].concat(), "").await)
}

fn with_token(server: &Process, token: &str) -> Client {
    server.client().with_token(token)
}

#[actix_web::test]
async fn people_go_on_as_before_on_both_engines() {
    let Some(base) = database::only_postgres("a Mattermost is on PostgreSQL") else { return };
    let source = MattermostDatabase::inhabited(&base).await;
    let before = source.everything().await;
    for place in places().await {
        let said = imported(&place, &source, &[]).await;
        assert!(said.contains("schema 167") && said.contains("4 accounts, 2 teams"), "{said}");
        assert_eq!(line(&said, "users"), [4, 4, 0, 0, 0]);
        assert_eq!(line(&said, "configurations"), [2, 2, 0, 0, 0]);
        assert_eq!(line(&said, "configurationfiles"), [1, 1, 0, 0, 0]);
        assert_eq!(line(&said, "systems"), [4, 2, 0, 0, 2]);
        for left in ["posts 2", "oauthapps 1", "pluginkeyvaluestore 1"] {
            let words: Vec<&str> = left.split(' ').collect();
            assert!(said.lines().any(|line| line.split_whitespace().take(2).eq(words.iter().copied())), "{said}");
        }
        assert!(said.contains("1 accounts log in with ldap") && said.contains("1 teams and channels have"), "{said}");
        assert!(said.ends_with("new, 0 changed: stored\n"), "{said}");
        assert_eq!(events_in(&place.path("")).await, ["importDatabase success"]);
        let record = newest_in(&place.path(""), "importDatabase").await;
        assert_eq!(record["parameters"]["new"]["users"], 4);
        good(place.run(&["audit", "verify"], "").await);
        // A second run finds all rows, and leaves even the trail as it is.
        let rows = content(&place).await;
        let again = imported(&place, &source, &[]).await;
        assert_eq!(line(&again, "users"), [4, 0, 4, 0, 0]);
        assert!(again.ends_with("0 new, 0 changed: nothing was changed\n"), "{again}");
        assert_eq!(events_in(&place.path("")).await, ["importDatabase success"]);
        assert_eq!(content(&place).await, rows);
        assert_people_go_on(&place).await;
        good(place.run(&["audit", "verify"], "").await);
    }
    assert_eq!(source.everything().await, before, "the source was written to");
}

/// Starts a server on an imported place, and uses everything that came along.
async fn assert_people_go_on(place: &Workplace) {
    let server = place.serve().await;
    let anna = server.client().log_in("anna").await;
    with_token(&server, ANNAS_SESSION).get("/users/me").await.expect(200);
    let carl = with_token(&server, CARLS_TOKEN).get("/users/me").await.expect(200);
    assert_eq!(carl["username"], "carl");
    let login = |code: String| json!({ "login_id": "bert", "password": BERTS_PASSWORD, "token": code });
    let without = server.client().post("/users/login", login(String::new())).await;
    without.expect_refusal(401, "mfa.validate_token.authenticate.app_error");
    server.client().post("/users/login", login(code(step()))).await.expect(200);
    let role = anna.get("/roles/name/system_user").await.expect(200);
    assert_eq!(role["permissions"], json!(["view_members", "list_public_teams"]));
    let kept =
        texts_in(&place.path(""), "SELECT value FROM preferences WHERE category = 'theme' ORDER BY userid").await;
    assert_eq!(kept, ["dark", "light"]);
    let config = anna.get("/config").await.expect(200);
    assert_eq!(config["TeamSettings"]["SiteName"], "Harbour");
    assert_eq!(config["PluginSettings"]["Plugins"]["com.example.one"], json!({ "a": 1 }));
    let teams = anna.get("/users/me/teams").await.expect(200);
    assert_eq!(teams.as_array().unwrap().len(), 2);
    assert!(server.stop().await.success());
}

#[actix_web::test]
async fn a_dry_run_tells_the_numbers_and_creates_nothing() {
    let Some(base) = database::only_postgres("a Mattermost is on PostgreSQL") else { return };
    let source = MattermostDatabase::inhabited(&base).await;
    for place in places().await {
        let there = names(&place);
        let said = imported(&place, &source, &["--dry-run"]).await;
        assert_eq!(line(&said, "teammembers"), [3, 3, 0, 0, 0]);
        assert!(said.ends_with("a dry run, nothing was changed\n"), "{said}");
        assert_eq!(names(&place), there);
        imported(&place, &source, &[]).await;
        source.execute("UPDATE users SET nickname = 'Other' WHERE username = 'bert'").await;
        let rows = content(&place).await;
        let said = imported(&place, &source, &["--dry-run"]).await;
        assert_eq!(line(&said, "users"), [4, 0, 3, 1, 0]);
        assert_eq!(content(&place).await, rows);
        source.execute("UPDATE users SET nickname = 'Ännchen' WHERE username = 'bert'").await;
    }
}

#[actix_web::test]
async fn sessions_stay_behind_where_that_is_requested() {
    let Some(base) = database::only_postgres("a Mattermost is on PostgreSQL") else { return };
    let source = MattermostDatabase::inhabited(&base).await;
    for place in places().await {
        let said = imported(&place, &source, &["--without-sessions"]).await;
        assert_eq!(line(&said, "sessions"), [1, 0, 0, 0, 1]);
        assert!(said.contains("everyone must log in again"), "{said}");
        let server = place.serve().await;
        let ended = with_token(&server, ANNAS_SESSION).get("/users/me").await;
        ended.expect_refusal(401, "api.context.session_expired.app_error");
        with_token(&server, CARLS_TOKEN).get("/users/me").await.expect(200);
        server.client().post("/users/login", json!({ "login_id": "anna", "password": PASSWORD })).await.expect(200);
        assert!(server.stop().await.success());
    }
}

#[actix_web::test]
async fn a_later_run_takes_over_what_changed_in_the_source_until_a_server_has_used_the_target() {
    let Some(base) = database::only_postgres("a Mattermost is on PostgreSQL") else { return };
    for place in places().await {
        let source = MattermostDatabase::inhabited(&base).await;
        imported(&place, &source, &[]).await;
        source.execute("UPDATE users SET nickname = 'Later' WHERE username = 'anna'").await;
        source.execute("UPDATE configurations SET active = NULL; INSERT INTO configurations VALUES ('later', '{\"TeamSettings\": {}}', 3, TRUE, '')").await;
        let said = imported(&place, &source, &[]).await;
        assert_eq!(line(&said, "users"), [4, 0, 3, 1, 0]);
        assert_eq!(line(&said, "configurations"), [3, 1, 2, 0, 0]);
        let active = texts_in(&place.path(""), "SELECT id FROM configurations WHERE active = TRUE").await;
        assert_eq!(active, ["later"]);
        good(place.run(&["audit", "verify"], "").await);
        let server = place.serve().await;
        let anna = server.client().log_in("anna").await;
        anna.put("/users/me/patch", json!({ "nickname": "Mine" })).await.expect(200);
        assert!(server.stop().await.success());
        let said = imported(&place, &source, &[]).await;
        assert!(said.contains("0 new; ") && said.contains("stay as they are"), "{said}");
        let kept = texts_in(&place.path(""), "SELECT nickname FROM users WHERE username = 'anna'").await;
        assert_eq!(kept, ["Mine"]);
        source.execute("INSERT INTO preferences VALUES (repeat('a', 26), 'new', '', 'x')").await;
        let rows = content(&place).await;
        let from = source.source();
        let refused = bad(place.run(&["import", "--from", &from], "").await);
        assert!(refused.contains("has used the target since the import"), "{refused}");
        assert_eq!(content(&place).await, rows);
    }
}

#[actix_web::test]
async fn roles_that_a_start_made_are_replaced_by_those_of_the_source() {
    let Some(base) = database::only_postgres("a Mattermost is on PostgreSQL") else { return };
    let source = MattermostDatabase::inhabited(&base).await;
    for place in places().await {
        assert!(place.serve().await.stop().await.success());
        let said = imported(&place, &source, &[]).await;
        assert_eq!(line(&said, "roles"), [1, 0, 0, 1, 0]);
        let ids = texts_in(&place.path(""), "SELECT id FROM roles WHERE name = 'system_user'").await;
        assert_eq!(ids, ["a".repeat(26)]);
        execute_in(&place.path(""), "DELETE FROM preferences").await;
    }
}

#[actix_web::test]
async fn a_one_time_code_that_was_used_before_the_import_stays_used() {
    let Some(base) = database::only_postgres("a Mattermost is on PostgreSQL") else { return };
    let source = MattermostDatabase::inhabited(&base).await;
    for place in places().await {
        let used = step();
        source.execute(&format!("UPDATE users SET mfausedtimestamps = '[\"{used}\"]' WHERE username = 'bert'")).await;
        imported(&place, &source, &[]).await;
        let server = place.serve().await;
        let login = |code: String| json!({ "login_id": "bert", "password": BERTS_PASSWORD, "token": code });
        let again = server.client().post("/users/login", login(code(used))).await;
        again.expect_refusal(401, "api.user.check_user_mfa.bad_code.app_error");
        server.client().post("/users/login", login(code(step() + 1))).await.expect(200);
        assert!(server.stop().await.success());
    }
}
