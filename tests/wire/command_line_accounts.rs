//! `quarterdeck user` and `quarterdeck sessions` on accounts that exist: a way in when no administrator can log in.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::backdoor::execute_in;
use crate::support::one_time::ENABLE;
use crate::support::process::Workplace;
use crate::support::server::PASSWORD;
use crate::support::trail::newest_in;
use crate::support::waiting::until;
use crate::support::websocket::WebSocket;
use crate::support::{Client, database};

const QUIET: &str = "[LogSettings]\nEnableConsole = false\nEnableFile = false\n";
const NEW_PASSWORD: &str = "a-new-one-for-today-7";

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn complaint(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Makes a place with these accounts. The first one is an administrator.
async fn with_accounts(names: &[&str]) -> Workplace {
    let place = Workplace::new(QUIET).await;
    for name in names {
        let email = format!("{name}@chat.example");
        let create = ["user", "create", "--email", &email, "--username", name];
        assert!(place.run(&create, &format!("{PASSWORD}\n")).await.status.success());
    }
    place
}

async fn done(place: &Workplace, arguments: &[&str], input: &str) -> String {
    let output = place.run(arguments, input).await;
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    said(&output)
}

async fn refused(place: &Workplace, arguments: &[&str], input: &str) -> String {
    let output = place.run(arguments, input).await;
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    complaint(&output)
}

async fn listed(place: &Workplace, more: &[&str]) -> Vec<Value> {
    let arguments: Vec<&str> = ["user", "list", "--json"].into_iter().chain(more.iter().copied()).collect();
    serde_json::from_str(&done(place, &arguments, "").await).unwrap()
}

async fn login(client: &Client, name: &str, password: &str) -> u16 {
    client.post("/users/login", json!({ "login_id": name, "password": password })).await.status
}

#[actix_web::test]
async fn a_new_password_ends_sessions_and_sockets_of_a_running_server_and_is_recorded() {
    let place = with_accounts(&["anna", "bert"]).await;
    let server = place.serve().await;
    let (anna, bert) = (server.client().log_in("anna").await, server.client().log_in("bert").await);
    let mut socket = WebSocket::of(&anna, "").await;
    // Both sessions are in the cache of the server.
    for client in [&anna, &bert] {
        client.get("/users/me").await.expect(200);
    }
    let reset = ["user", "reset-password", "Anna@Chat.Example"];
    let told = done(&place, &reset, &format!("{NEW_PASSWORD}\n")).await;
    assert!(told.starts_with("anna (") && told.contains("new password"), "{told}");
    until("the session ends", async || anna.get("/users/me").await.status == 401).await;
    socket.end().await;
    bert.get("/users/me").await.expect(200);
    assert_eq!(login(&server.client(), "anna", PASSWORD).await, 401);
    assert_eq!(login(&server.client(), "anna", NEW_PASSWORD).await, 200);
    let record = newest_in(&place.path(""), "resetPassword").await;
    assert_eq!((&record["source"], &record["status"]), (&"cli".into(), &"success".into()));
    assert_eq!(record["parameters"]["username"], "anna");
    assert!(!record.to_string().contains(NEW_PASSWORD));
    assert!(server.stop().await.success());
    assert!(place.run(&["audit", "verify"], "").await.status.success());
}

#[actix_web::test]
async fn a_password_is_checked_and_set_only_where_there_is_one() {
    let place = with_accounts(&["anna", "bert"]).await;
    let told = refused(&place, &["user", "reset-password", "bert"], "abc\n").await;
    assert!(told.contains("model.user.is_valid.pwd_min_length.app_error"), "{told}");
    let argument = place.run(&["user", "reset-password", "bert", "--password", NEW_PASSWORD], "").await;
    assert_eq!(argument.status.code(), Some(2), "a password is no argument");
    execute_in(&place.path(""), "UPDATE users SET authservice = 'saml', authdata = 'b' WHERE username = 'bert'").await;
    let told = refused(&place, &["user", "reset-password", "bert"], &format!("{NEW_PASSWORD}\n")).await;
    assert!(told.contains("signs in with another service"), "{told}");
}

#[actix_web::test]
async fn an_account_without_its_authenticator_needs_no_codes_after_a_reset() {
    let place = with_accounts(&["anna"]).await;
    execute_in(&place.path(""), ENABLE).await;
    let server = place.serve().await;
    assert_eq!(login(&server.client(), "anna", PASSWORD).await, 401);
    assert!(listed(&place, &[]).await[0]["mfa_active"].as_bool().unwrap());
    done(&place, &["user", "reset-mfa", "anna"], "").await;
    assert_eq!(login(&server.client(), "anna", PASSWORD).await, 200);
    let record = newest_in(&place.path(""), "updateUserMfa").await;
    assert_eq!((&record["before"]["mfa_active"], &record["after"]["mfa_active"]), (&true.into(), &false.into()));
    assert!(server.stop().await.success());
}

#[actix_web::test]
async fn a_promoted_account_keeps_its_roles_and_manages_the_system_at_once() {
    let place = with_accounts(&["anna", "bert"]).await;
    execute_in(
        &place.path(""),
        "UPDATE users SET roles = 'system_user system_custom_group_admin' \
                                 WHERE username = 'bert'",
    )
    .await;
    let server = place.serve().await;
    let bert = server.client().log_in("bert").await;
    assert_eq!(bert.get("/audits").await.status, 403);
    for _ in 0..2 {
        let told = done(&place, &["user", "promote", &bert.user_id], "").await;
        assert!(told.ends_with("has the roles: system_user system_custom_group_admin system_admin\n"), "{told}");
    }
    until("the session has the role", async || bert.get("/audits").await.status == 200).await;
    let record = newest_in(&place.path(""), "updateUserRoles").await;
    assert_eq!(record["after"]["roles"], "system_user system_custom_group_admin system_admin");
    assert!(server.stop().await.success());
    execute_in(&place.path(""), "UPDATE users SET roles = 'system_guest' WHERE username = 'bert'").await;
    assert!(refused(&place, &["user", "promote", "bert"], "").await.contains("guest"));
}

#[actix_web::test]
async fn accounts_are_deactivated_and_activated_but_never_the_last_administrator() {
    let place = with_accounts(&["anna", "bert"]).await;
    let server = place.serve().await;
    let bert = server.client().log_in("bert").await;
    bert.get("/users/me").await.expect(200);
    done(&place, &["user", "deactivate", "bert"], "").await;
    until("the session ends", async || bert.get("/users/me").await.status == 401).await;
    assert_eq!(login(&server.client(), "bert", PASSWORD).await, 401);
    done(&place, &["user", "deactivate", "bert"], "").await;
    let told = refused(&place, &["user", "deactivate", "anna"], "").await;
    assert!(told.contains("last active administrator") && told.contains("quarterdeck user promote"), "{told}");
    let record = newest_in(&place.path(""), "updateUserActive").await;
    assert_eq!((&record["status"], &record["parameters"]["username"]), (&"fail".into(), &"anna".into()));
    server.client().log_in("anna").await.get("/users/me").await.expect(200);
    done(&place, &["user", "activate", "bert"], "").await;
    assert_eq!(login(&server.client(), "bert", PASSWORD).await, 200);
    done(&place, &["user", "promote", "bert"], "").await;
    done(&place, &["user", "deactivate", "anna"], "").await;
    let reset = place.run(&["user", "reset-password", "anna"], &format!("{NEW_PASSWORD}\n")).await;
    assert!(reset.status.success() && complaint(&reset).contains("quarterdeck user activate"), "{reset:?}");
    assert!(server.stop().await.success());
}

#[actix_web::test]
async fn sessions_end_for_one_user_or_for_all() {
    let place = with_accounts(&["anna", "bert"]).await;
    let server = place.serve().await;
    let (anna, bert) = (server.client().log_in("anna").await, server.client().log_in("bert").await);
    for client in [&anna, &bert] {
        client.get("/users/me").await.expect(200);
    }
    done(&place, &["sessions", "revoke", "bert"], "").await;
    until("the session ends", async || bert.get("/users/me").await.status == 401).await;
    anna.get("/users/me").await.expect(200);
    done(&place, &["sessions", "revoke", "--all"], "").await;
    until("the session ends", async || anna.get("/users/me").await.status == 401).await;
    assert_eq!(newest_in(&place.path(""), "revokeAllSessionsForUser").await["parameters"]["username"], "bert");
    assert_eq!(newest_in(&place.path(""), "revokeAllSessionsAllUsers").await["source"], "cli");
    for wrong in [&["sessions", "revoke"][..], &["sessions", "revoke", "anna", "--all"][..]] {
        assert_eq!(place.run(wrong, "").await.status.code(), Some(2), "{wrong:?}");
    }
    assert!(server.stop().await.success());
}

#[actix_web::test]
async fn a_list_has_pages_and_no_secrets() {
    let place = with_accounts(&["anna", "bert", "cleo"]).await;
    execute_in(&place.path(""), ENABLE).await;
    execute_in(&place.path(""), "UPDATE users SET email = 'c\u{1b}[2J@chat.example' WHERE username = 'cleo'").await;
    let names = |users: &[Value]| users.iter().map(|user| user["username"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&listed(&place, &["--per-page", "2"]).await), ["anna", "bert"]);
    assert_eq!(names(&listed(&place, &["--per-page", "2", "--page", "1"]).await), ["cleo"]);
    assert_eq!(names(&listed(&place, &["--role", "system_admin"]).await), ["anna"]);
    assert!(listed(&place, &["--page", "4294967295"]).await.is_empty());
    for count in ["0", "201", "-1"] {
        assert_eq!(place.run(&["user", "list", "--per-page", count], "").await.status.code(), Some(2), "{count}");
    }
    let text = done(&place, &["user", "list"], "").await;
    assert!(
        text.contains("anna anna@chat.example [system_admin system_user] active, password, one-time codes"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let all = format!("{text}{:?}", listed(&place, &[]).await);
    for secret in ["GEZDGNBV", "$argon2", "pbkdf2", "password\""] {
        assert!(!all.contains(secret), "{secret}");
    }
}

#[actix_web::test]
async fn unknown_and_ambiguous_accounts_are_told_and_change_nothing() {
    let place = with_accounts(&["anna", "bert"]).await;
    let id = listed(&place, &[]).await[0]["id"].as_str().unwrap().to_owned();
    for command in ["reset-password", "reset-mfa", "promote", "deactivate", "activate"] {
        let told = refused(&place, &["user", command, "nobody"], &format!("{NEW_PASSWORD}\n")).await;
        assert!(told.contains("no account has") && told.contains("nobody"), "{told}");
    }
    assert!(refused(&place, &["sessions", "revoke", "nobody"], "").await.contains("nobody"));
    execute_in(&place.path(""), &format!("UPDATE users SET username = '{id}' WHERE username = 'bert'")).await;
    let told = refused(&place, &["user", "promote", &id], "").await;
    assert!(told.contains("several accounts") && told.contains("bert@chat.example"), "{told}");
    assert_eq!(listed(&place, &["--role", "system_admin"]).await.len(), 1);
    done(&place, &["user", "promote", "bert@chat.example"], "").await;
}

#[actix_web::test]
async fn a_database_that_no_server_uses_is_refused_and_not_made() {
    let Some(()) = database::only_embedded("the file is one of the embedded engine") else { return };
    let place = Workplace::new(QUIET).await;
    for arguments in [
        &["user", "reset-password", "anna"][..],
        &["user", "reset-mfa", "anna"],
        &["user", "promote", "anna"],
        &["user", "deactivate", "anna"],
        &["user", "activate", "anna"],
        &["user", "list"],
        &["sessions", "revoke", "anna"],
        &["sessions", "revoke", "--all"],
        &["sessions", "revoke", "--all", "--new"],
    ] {
        let told = refused(&place, arguments, &format!("{NEW_PASSWORD}\n")).await;
        assert!(told.contains("no server uses it"), "{arguments:?}: {told}");
        assert!(!place.path("test.db").exists(), "{arguments:?}");
    }
    // A default never wins over a database that the configuration names.
    std::fs::write(place.path("config.toml"), include_str!("../../config.toml")).unwrap();
    let named = r#"{"SqlSettings": {"DriverName": "postgres", "DataSource": "postgres://me:canary@127.0.0.1:1/chat"}}"#;
    std::fs::write(place.path("config.json"), named).unwrap();
    let output = place.run_with(&[("MM_CONFIG", "config.json")], &["user", "promote", "anna"], "").await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(complaint(&output).contains("config.json names") && !complaint(&output).contains("canary"), "{output:?}");
}

#[actix_web::test]
async fn a_locked_account_can_log_in_with_its_new_password() {
    let place = with_accounts(&["anna"]).await;
    execute_in(&place.path(""), "UPDATE users SET failedattempts = 10").await;
    let server = place.serve().await;
    assert_eq!(login(&server.client(), "anna", PASSWORD).await, 401);
    done(&place, &["user", "reset-password", "anna"], &format!("{NEW_PASSWORD}\n")).await;
    assert_eq!(login(&server.client(), "anna", NEW_PASSWORD).await, 200);
    assert!(server.stop().await.success());
}
