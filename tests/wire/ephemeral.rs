//! `quarterdeck serve --ephemeral`: the line that it prints, its accounts, and what it replaces.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::Client;
use crate::support::ephemeral::{Ephemeral, Ground};
use crate::support::websocket::WebSocket;

#[actix_web::test]
async fn one_line_says_how_to_use_the_server_and_nothing_is_left_of_it() {
    let ground = Ground::new();
    let server = ground.start(&[]).await;
    let made = ground.made();
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let me = server.admin().get("/users/me").await.expect(200);
    for member in ["id", "username", "email"] {
        assert_eq!(me[member], server.facts["admin"][member]);
    }
    assert_eq!(me["roles"], "system_admin system_user");
    let login = json!({ "login_id": me["email"], "password": server.facts["admin"]["password"] });
    server.client().post("/users/login", login).await.expect(200);
    let local = Client::on_socket(Path::new(&server.text("/socket")));
    local.get("/config").await.expect(200);
    let at = server.text("/url").replace("http://", "ws://");
    assert_eq!(server.text("/websocket"), format!("{at}/api/v4/websocket"));
    assert!(at.starts_with("ws://127.0.0.1:"), "{at}");
    drop(WebSocket::greeted(&server.admin()).await);
    assert_eq!(server.facts["users"], json!([]));
    assert_eq!(Some(server.facts["pid"].as_u64().unwrap()), server.child.id().map(u64::from));
    server.stop().await;
    assert_eq!((ground.made(), ground.errors()), (Vec::new(), String::new()));
}

#[actix_web::test]
async fn all_accounts_have_one_password_which_the_rules_in_force_allow() {
    let ground = Ground::new();
    let mut command = ground.serve(&["--users", "3"]);
    command.env("MM_PASSWORDSETTINGS_MINIMUMLENGTH", "64").env("MM_PASSWORDSETTINGS_SYMBOL", "true");
    command.env("MM_TEAMSETTINGS_RESTRICTCREATIONTODOMAINS", "@chat.example, example.org");
    let server = ground.run(&mut command).await;
    let users = server.facts["users"].as_array().unwrap();
    let names: Vec<&Value> = users.iter().map(|user| &user["username"]).collect();
    assert_eq!(names, ["user-1", "user-2", "user-3"]);
    let password = &server.facts["password"];
    assert!(password.as_str().unwrap().len() >= 64 && *password == server.facts["admin"]["password"]);
    // The first login renews the hash.
    for name in ["user-1", "user-3", "user-1"] {
        let login = json!({ "login_id": name, "password": password });
        let user = server.client().post("/users/login", login).await.expect(200);
        assert_eq!((&user["roles"], &user["email"]), (&json!("system_user"), &json!(format!("{name}@chat.example"))));
        assert_eq!(user["email_verified"], true);
    }
    let stats = server.admin().get("/users/stats").await.expect(200);
    assert_eq!(stats["total_users_count"], 4);
    server.stop().await;
}

#[actix_web::test]
async fn many_accounts_are_made_at_once() {
    let ground = Ground::new();
    let server = ground.start(&["--users", "1200"]).await;
    assert_eq!(server.facts["users"].as_array().unwrap().len(), 1200);
    let last = server.text("/users/1199/id");
    let found = server.admin().get(&format!("/users/{last}")).await.expect(200);
    assert_eq!(found["username"], "user-1200");
    assert_eq!(server.admin().get("/users/stats").await.expect(200)["total_users_count"], 1201);
    let by_name = server.admin().post("/users/search", json!({ "term": "ser-1199" })).await.expect(200);
    assert_eq!(by_name[0]["username"], "user-1199");
    server.stop().await;
}

#[actix_web::test]
async fn no_data_of_another_server_is_used_and_each_replaced_value_is_named_and_not_shown() {
    let ground = Ground::new();
    let toml = "[SqlSettings]\nDataSource = \"canary.db\"\n[FileSettings]\nDirectory = \"canary/\"\n\
                [LogSettings]\nFileLocation = \"canary\"\n[EmailSettings]\nSMTPServer = \"canary.example\"\n\
                SendPushNotifications = true\n[TeamSettings]\nSiteName = \"Harbour\"\n\
                [Quarterdeck]\nAuditKeyFile = \"canary.key\"\n";
    std::fs::write(ground.path("own.toml"), toml).unwrap();
    std::fs::write(ground.path("config.json"), "{\"TeamSettings\": {\"SiteName\": \"canary\"}}").unwrap();
    let before = entries(&ground);
    let mut command = ground.serve(&["--config", "own.toml"]);
    command.env("MM_CONFIG", "config.json").env("MM_SQLSETTINGS_DATASOURCE", "postgres://me:canary@db.example/chat");
    command.env("MM_SERVICESETTINGS_LOCALMODESOCKETLOCATION", "canary.socket");
    command.env("MM_SERVICESETTINGS_LISTENADDRESS", ":1").env("MM_METRICSSETTINGS_ENABLE", "true");
    let server = ground.run(&mut command).await;
    let errors = ground.errors();
    let mut named: Vec<&str> = errors.lines().collect();
    // The order of variables is that of the environment.
    named[7..].sort_unstable();
    let replaced = [
        "MM_CONFIG of the environment",
        "SqlSettings.DataSource of own.toml:2",
        "FileSettings.Directory of own.toml:4",
        "LogSettings.FileLocation of own.toml:6",
        "EmailSettings.SMTPServer of own.toml:8",
        "EmailSettings.SendPushNotifications of own.toml:9",
        "Quarterdeck.AuditKeyFile of own.toml:13",
        "ServiceSettings.ListenAddress of the environment variable MM_SERVICESETTINGS_LISTENADDRESS",
        "ServiceSettings.LocalModeSocketLocation of the environment variable MM_SERVICESETTINGS_LOCALMODESOCKETLOCATION",
        "SqlSettings.DataSource of the environment variable MM_SQLSETTINGS_DATASOURCE",
    ];
    assert_eq!(named, replaced.map(|value| format!("quarterdeck: serve --ephemeral: {value} has no effect")));
    assert!(!errors.contains("canary"), "{errors}");
    let config = server.admin().get("/config").await.expect(200);
    assert_eq!(config["TeamSettings"]["SiteName"], "Harbour");
    assert_eq!(config["EmailSettings"]["SMTPPort"], "0");
    assert_eq!(config["EmailSettings"]["PushNotificationServer"], "");
    assert_ne!(server.admin().post("/email/test", json!({})).await.status, 200);
    assert_eq!(config["EmailSettings"]["SendPushNotifications"], false);
    assert!(server.text("/url").starts_with("http://127.0.0.1:"));
    let metrics = json!({ "MetricsSettings": { "ListenAddress": "127.0.0.1:1" } });
    server.admin().put("/config/patch", metrics).await.expect(200);
    let config = server.admin().get("/config").await.expect(200);
    assert_eq!(config["MetricsSettings"]["ListenAddress"], "127.0.0.1:0", "a replaced value cannot be changed");
    server.stop().await;
    assert_eq!(entries(&ground), before);
}

#[actix_web::test]
async fn options_of_an_ephemeral_server_are_refused_for_another_one() {
    let ground = Ground::new();
    for arguments in [
        vec!["serve", "--users", "3"],
        vec!["serve", "--until-stdin-ends"],
        vec!["serve", "--ephemeral", "--users", "10001"],
    ] {
        let refused = ground.command(env!("CARGO_BIN_EXE_quarterdeck")).args(&arguments).output().await.unwrap();
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0), "{arguments:?}");
    }
    assert!(ground.made().is_empty());
}

#[actix_web::test]
async fn a_start_that_fails_prints_no_line_and_leaves_nothing() {
    let ground = Ground::new();
    for (variable, value) in [
        ("MM_SERVICESETTINGS_CONNECTIONSECURITY", "TLS"),
        ("MM_TEAMSETTINGS_MAXUSERSPERTEAM", "many"),
        ("MM_PASSWORDSETTINGS_MINIMUMLENGTH", "1"),
    ] {
        let failed = ground.serve(&[]).env(variable, value).output().await.unwrap();
        assert_eq!((failed.status.code(), failed.stdout.len()), (Some(1), 0), "{variable}: {}", ground.errors());
        assert!(ground.made().is_empty(), "{variable}");
    }
}

#[actix_web::test]
async fn twenty_servers_start_at_once_and_share_nothing() {
    let ground = Ground::new();
    let starting = (0..20).map(|_| ground.start(&[]));
    let servers: Vec<Ephemeral> = futures_util::future::join_all(starting).await;
    let mut addresses: Vec<String> = servers.iter().map(|server| server.text("/url")).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!((addresses.len(), ground.made().len()), (20, 20));
    let refused = servers[0].client().with_token(&servers[1].text("/token")).get("/users/me").await;
    assert_eq!(refused.status, 401);
    futures_util::future::join_all(servers.into_iter().map(Ephemeral::stop)).await;
    assert_eq!(ground.made(), Vec::<std::path::PathBuf>::new());
}

#[actix_web::test]
async fn a_long_path_for_temporary_files_leaves_room_for_the_local_socket() {
    let ground = Ground::new();
    let long = ground.path(&"t".repeat(100));
    std::fs::create_dir(&long).unwrap();
    let server = ground.run(ground.serve(&[]).env("TMPDIR", &long)).await;
    let socket = server.text("/socket");
    Client::on_socket(Path::new(&socket)).get("/config").await.expect(200);
    server.stop().await;
    assert!(!Path::new(&socket).parent().unwrap().exists());
}

fn entries(ground: &Ground) -> Vec<String> {
    let found = std::fs::read_dir(ground.path("")).unwrap();
    let names = found.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != "stderr").collect();
    names.sort();
    names
}
