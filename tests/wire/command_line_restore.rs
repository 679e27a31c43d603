//! `quarterdeck restore`: only into an empty place, on both engines.

use serde_json::Value;

use crate::support::Client;
use crate::support::backup::{QUIET, bad, bring, content, good, inhabit, inhabited, on_sqlite};
use crate::support::database;
use crate::support::process::{Process, Workplace};
use crate::support::trail::{events_in, newest_in};

/// Returns a client of this server with the session of another client.
fn resumed(server: &Process, before: &Client) -> Client {
    server.client().with_token(before.token.as_ref().unwrap())
}

#[actix_web::test]
async fn a_restored_place_has_everything_but_the_sessions() {
    let (place, server, admin) = inhabited(QUIET).await;
    good(place.run(&["backup", "one.qdbackup"], "").await);
    let before = content(&place).await;
    assert!(server.stop().await.success());
    let other = Workplace::new(QUIET).await;
    bring(&place, &other, "one.qdbackup");
    let said = good(other.run(&["restore", "one.qdbackup"], "").await);
    assert!(said.contains("accounts (2 now)") && said.contains("sessions: all "), "{said}");
    assert!(said.contains("revoked later are valid again") && said.contains("config.toml"), "{said}");
    assert_eq!(content(&other).await, before);
    assert_eq!(before[0].len(), 2);
    let server = other.serve().await;
    resumed(&server, &admin).get("/users/me").await.expect_refusal(401, "api.context.session_expired.app_error");
    let admin = server.client().log_in("admin").await;
    let config = admin.get("/config").await.expect(200);
    assert_eq!(config["TeamSettings"]["SiteName"], "Ünïted");
    assert!(server.stop().await.success());
    // The trail continues: with the old key it is verified from its first row.
    let events = events_in(&other.path("")).await;
    assert!(events.contains(&"changeAuditKey success".to_owned()), "{events:?}");
    let told = newest_in(&other.path(""), "restoreBackup").await;
    assert_eq!(told["parameters"]["sessions_kept"], Value::from(false));
    let key = place.path("audit.key").display().to_string();
    good(other.run(&["audit", "verify", "--key-file", &key], "").await);
}

#[actix_web::test]
async fn sessions_keys_settings_and_files_come_along_where_that_is_asked_for() {
    let (place, server, admin) = inhabited(QUIET).await;
    std::fs::create_dir_all(place.path("files/brand")).unwrap();
    std::fs::write(place.path("files/brand/image.png"), vec![7; 70_000]).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", place.path("files/link")).unwrap();
    let said = good(place.run(&["backup", "one.qdbackup", "--with-keys", "--with-files"], "").await);
    assert!(said.contains("files left out: 1"), "{said}");
    assert!(server.stop().await.success());
    let other = Workplace::new(QUIET).await;
    bring(&place, &other, "one.qdbackup");
    let restore = ["restore", "one.qdbackup", "--keep-sessions", "--files", "files", "--settings", "old"];
    good(other.run(&restore, "").await);
    let server = other.serve().await;
    resumed(&server, &admin).get("/users/me").await.expect(200);
    assert!(server.stop().await.success());
    good(other.run(&["audit", "verify"], "").await);
    let same = |name: &str| std::fs::read(place.path(name)).unwrap() == std::fs::read(other.path(name)).unwrap();
    assert!(same("audit.key") && same("files/brand/image.png"));
    assert!(!other.path("files/link").exists());
    let old = std::fs::read(other.path("old/config.toml")).unwrap();
    assert_eq!(old, std::fs::read(place.path("config.toml")).unwrap());
}

#[actix_web::test]
async fn a_place_that_is_not_empty_is_refused_and_stays_as_it_is() {
    let (place, server, _) = inhabited(QUIET).await;
    good(place.run(&["backup", "one.qdbackup"], "").await);
    let before = content(&place).await;
    // The restore is refused while a server runs, and after its end.
    let refused = bad(place.run(&["restore", "one.qdbackup"], "").await);
    assert!(refused.contains("exists already") || refused.contains("the database is not empty"), "{refused}");
    assert!(server.stop().await.success());
    bad(place.run(&["restore", "one.qdbackup"], "").await);
    assert_eq!(content(&place).await, before);
    let other = Workplace::new(QUIET).await;
    bring(&place, &other, "one.qdbackup");
    std::fs::create_dir(other.path("there")).unwrap();
    for option in ["--files", "--settings"] {
        let refused = bad(other.run(&["restore", "one.qdbackup", option, "there"], "").await);
        assert!(refused.contains("there exists already"), "{refused}");
    }
    good(other.run(&["restore", "one.qdbackup"], "").await);
    bad(other.run(&["restore", "one.qdbackup"], "").await);
}

#[actix_web::test]
async fn a_configuration_in_a_file_goes_back_into_a_file() {
    let place = Workplace::new(QUIET).await;
    let config = [("MM_CONFIG", "config.json")];
    let server = place.serve_with(&config, &["serve"]).await;
    let code = crate::support::server::account("admin");
    server.client().post("/users", code).await.expect(201);
    let admin = server.client().log_in("admin").await;
    let patch = crate::support::configuration::nested("TeamSettings.SiteName", "Filed");
    admin.put("/config/patch", patch).await.expect(200);
    good(place.run_with(&config, &["backup", "one.qdbackup"], "").await);
    assert!(server.stop().await.success());
    good(place.run_with(&config, &["backup", "verify", "one.qdbackup"], "").await);
    let other = Workplace::new(QUIET).await;
    bring(&place, &other, "one.qdbackup");
    let refused = bad(other.run(&["restore", "one.qdbackup"], "").await);
    assert!(refused.contains("MM_CONFIG"), "{refused}");
    good(other.run_with(&config, &["restore", "one.qdbackup"], "").await);
    let versions = |place: &Workplace| std::fs::read_dir(place.path("config.json.versions")).unwrap().count();
    assert_eq!(versions(&other), versions(&place));
    let server = other.serve_with(&config, &["serve"]).await;
    let admin = server.client().log_in("admin").await;
    assert_eq!(admin.get("/config").await.expect(200)["TeamSettings"]["SiteName"], "Filed");
}

#[actix_web::test]
async fn an_installation_moves_to_the_other_engine_and_back() {
    let Some(_) = database::only_postgres("both engines are needed") else { return };
    let first = Workplace::new(QUIET).await;
    on_sqlite(&first, "test.db");
    let (server, _) = inhabit(&first).await;
    assert!(server.stop().await.success());
    good(first.run(&["backup", "one.qdbackup", "--with-keys"], "").await);
    let before = content(&first).await;

    let second = Workplace::new(QUIET).await;
    bring(&first, &second, "one.qdbackup");
    good(second.run(&["restore", "one.qdbackup"], "").await);
    let server = second.serve().await;
    server.client().log_in("anna").await;
    assert!(server.stop().await.success());
    good(second.run(&["audit", "verify"], "").await);
    good(second.run(&["backup", "two.qdbackup", "--with-keys"], "").await);
    good(second.run(&["backup", "verify", "two.qdbackup"], "").await);

    let third = Workplace::new(QUIET).await;
    bring(&second, &third, "two.qdbackup");
    good(third.run(&["restore", "two.qdbackup", "--into", "test.db"], "").await);
    on_sqlite(&third, "test.db");
    assert_eq!(content(&third).await, before);
    let server = third.serve().await;
    server.client().log_in("admin").await;
    assert!(server.stop().await.success());
    good(third.run(&["audit", "verify"], "").await);
}

#[actix_web::test]
async fn a_password_on_the_command_line_is_refused() {
    let (place, server, _) = inhabited(QUIET).await;
    good(place.run(&["backup", "one.qdbackup"], "").await);
    assert!(server.stop().await.success());
    let refused = bad(place.run(&["restore", "one.qdbackup", "--into", "postgres://me:canary@h/d"], "").await);
    assert!(refused.contains("--into contains a password") && !refused.contains("canary"), "{refused}");
    // The target is not the database that the settings name.
    good(place.run(&["restore", "one.qdbackup", "--into", "other/new.db"], "").await);
    assert!(place.path("other/new.db").exists() && !place.path("other/new.db-wal").exists());
}
