//! Each method to create the first administrator over the network, and each refusal.

use futures_util::future::join;
use reqwest::Method;
use serde_json::json;

use crate::support::backdoor::named_in;
use crate::support::process::{Workplace, read};
use crate::support::server::{PASSWORD, account};
use crate::support::{Client, Home, LocalServer, Reply, TestServer, database};

const CODE: &str = "X-Quarterdeck-Setup-Code";
const NEEDS_CODE: &str = "api.user.create_user.first_account_code.app_error";
const TOO_MANY: &str = "api.user.create_user.first_account_attempts.app_error";
const OFFLINE: &str = "api.user.create_user.first_account_offline.app_error";

/// The headers that a proxy on this machine adds.
const FORWARDED: (&str, &str) = ("X-Forwarded-For", "192.0.2.7");

async fn sign_up(client: &Client, name: &str, headers: &[(&str, &str)]) -> Reply {
    client.send(Method::POST, "/users", Some(account(name).to_string()), headers).await
}

#[actix_web::test]
async fn a_start_prints_a_code_that_makes_one_account_over_the_network() {
    let place = Workplace::new("").await;
    let mut server = place.serve().await;
    let code = server.setup_code().await;
    let client = server.client();
    let refused = sign_up(&client, "mallory", &[FORWARDED]).await;
    refused.expect_refusal(403, NEEDS_CODE);
    assert!(refused.text().contains("standard output"), "{}", refused.text());
    sign_up(&client, "mallory", &[FORWARDED, (CODE, "0000-0000")]).await.expect_refusal(403, NEEDS_CODE);
    let made = sign_up(&client, "anna", &[FORWARDED, (CODE, &code)]).await.expect(201);
    assert_eq!(made["roles"], "system_admin system_user");
    // From now on the code is invalid.
    let closed = sign_up(&client, "bert", &[FORWARDED, (CODE, &code)]).await;
    closed.expect_refusal(403, "api.user.create_user.no_open_server");
    let anna = client.log_in("anna").await;
    let people = anna.get("/users").await.expect(200);
    assert!(people.as_array().unwrap().iter().all(|user| user["username"] != "mallory"), "{people}");
    assert!(server.stop().await.success());
    // The code is printed on the terminal only.
    let log = std::fs::read_to_string(place.path("logs/mattermost.log")).unwrap_or_default();
    assert!(!log.contains(&code) && !read(&place.path("stderr")).contains(&code));
}

#[actix_web::test]
async fn each_start_makes_a_new_code_while_nobody_has_an_account() {
    let place = Workplace::new("").await;
    let mut server = place.serve().await;
    let earlier = server.setup_code().await;
    assert!(server.stop().await.success());
    let mut server = place.serve().await;
    let code = server.setup_code().await;
    assert_ne!(code, earlier);
    sign_up(&server.client(), "anna", &[FORWARDED, (CODE, &earlier)]).await.expect_refusal(403, NEEDS_CODE);
    sign_up(&server.client(), "anna", &[FORWARDED, (CODE, &code.to_uppercase())]).await.expect(201);
    assert!(server.stop().await.success());
}

#[actix_web::test]
async fn after_three_wrong_codes_not_even_the_right_one_is_taken_and_this_machine_still_is() {
    let server = TestServer::start().await;
    let code = server.server.setup_code().unwrap().expose().to_owned();
    let client = server.client();
    for _ in 0..3 {
        sign_up(&client, "anna", &[FORWARDED, (CODE, "wrong")]).await.expect_refusal(403, NEEDS_CODE);
    }
    sign_up(&client, "anna", &[FORWARDED, (CODE, &code)]).await.expect_refusal(429, TOO_MANY);
    sign_up(&client, "anna", &[]).await.expect(201);
}

#[actix_web::test]
async fn whatever_is_not_a_program_on_this_machine_needs_the_code() {
    let server = TestServer::start().await;
    let client = server.client();
    for header in [
        FORWARDED,
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "for=192.0.2.7"),
        ("Via", "1.1 proxy"),
        ("CF-Connecting-IP", "192.0.2.7"),
        ("Host", "chat.example"),
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
    ] {
        sign_up(&client, "mallory", &[header]).await.expect_refusal(403, NEEDS_CODE);
    }
    let admin = server.admin().await;
    assert_eq!(admin.get("/users/stats").await.expect(200)["total_users_count"], 1);
}

#[actix_web::test]
async fn a_site_with_an_address_wants_the_code_from_this_machine_too() {
    let server = TestServer::start_with("[ServiceSettings]\nSiteURL = \"https://chat.example\"\n").await;
    sign_up(&server.client(), "mallory", &[]).await.expect_refusal(403, NEEDS_CODE);
    let code = server.server.setup_code().unwrap().expose().to_owned();
    sign_up(&server.client(), "anna", &[(CODE, &code)]).await.expect(201);
}

#[actix_web::test]
async fn a_test_of_clients_makes_no_administrator_for_a_stranger() {
    let server = TestServer::start_with("[ServiceSettings]\nEnableTesting = true\n").await;
    let path = "//manualtest?test=general&username=mallory&teamname=harbour";
    let page = server.client().send(Method::GET, path, None, &[FORWARDED]).await;
    assert_eq!(page.status, 403, "{}", page.text());
    sign_up(&server.client(), "anna", &[]).await.expect(201);
}

#[actix_web::test]
async fn the_local_socket_needs_no_code() {
    let place = LocalServer::start_with("SiteURL = \"https://chat.example\"\n").await;
    let made = place.local.post("/users", account("anna")).await.expect(201);
    assert_eq!(made["roles"], "system_admin system_user");
}

#[actix_web::test]
async fn of_two_first_sign_ups_on_two_servers_one_becomes_administrator_and_the_other_is_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let settings = database::fresh(folder.path()).await;
    let homes = [0; 2].map(|_| Home::on_database(&settings, ""));
    let mut servers = homes.each_ref().map(Home::launch);
    for server in &mut servers {
        server.listens().await;
    }
    let (one, other) = (servers[0].client(), servers[1].client());
    let (first, second) = join(sign_up(&one, "anna", &[]), sign_up(&other, "bert", &[])).await;
    let (made, refused) = if first.status == 201 { (first, second) } else { (second, first) };
    assert_eq!(made.expect(201)["roles"], "system_admin system_user");
    refused.expect_refusal(403, "api.user.create_user.no_open_server");
    let name = made.expect(201)["username"].as_str().unwrap().to_owned();
    let admin = one.log_in(&name).await;
    assert_eq!(admin.get("/users/stats").await.expect(200)["total_users_count"], 1);
    for server in servers {
        assert!(server.stop().await.success());
    }
}

#[actix_web::test]
async fn beside_a_used_configuration_the_first_account_is_made_on_the_command_line_only() {
    let place = Workplace::new("").await;
    let set = place.run(&["config", "set", "TeamSettings.SiteName", "Bridge"], "").await;
    assert!(set.status.success(), "{set:?}");
    expect_offline(&place, "a version of the configuration is stored already").await;
}

#[actix_web::test]
async fn beside_the_tables_of_a_mattermost_the_first_account_is_made_on_the_command_line_only() {
    let Some(()) = database::only_embedded("another test begins with a PostgreSQL of Mattermost") else { return };
    let place = Workplace::new("").await;
    // The start refuses a file without Quarterdeck's tables.
    place.serve().await.stop().await;
    let file = rusqlite::Connection::open(place.path("test.db")).unwrap();
    file.execute_batch("CREATE TABLE db_migrations (version bigint)").unwrap();
    drop(file);
    expect_offline(&place, "the database contains tables of a Mattermost server").await;
}

async fn expect_offline(place: &Workplace, why: &str) {
    let check = place.run(&["check"], "").await;
    let only = format!("first administrator: created with `quarterdeck user create` only, because {why}");
    assert!(String::from_utf8_lossy(&check.stdout).contains(&only), "{check:?}");
    let mut server = place.serve().await;
    let printed = [server.line().await, server.line().await, server.line().await];
    assert_eq!(printed[2], format!("This is the only way to create it, because {why}."));
    for headers in [&[][..], &[FORWARDED][..], &[(CODE, "0000")][..]] {
        sign_up(&server.client(), "mallory", headers).await.expect_refusal(403, OFFLINE);
    }
    let create = ["user", "create", "--email", "anna@chat.example", "--username", "anna"];
    let made = place.run(&create, &format!("{PASSWORD}\n")).await;
    assert!(made.status.success(), "{made:?}");
    let anna = server.client().log_in("anna").await;
    assert!(anna.get("/users/me").await.expect(200)["roles"].as_str().unwrap().contains("system_admin"));
    assert!(server.stop().await.success());
}

#[actix_web::test]
async fn a_named_file_beside_a_new_database_is_as_before() {
    let file = "{\"TeamSettings\": {\"SiteName\": \"theirs\"}}";
    let server = TestServer::start_in("", &|folder| {
        let path = folder.join("config.json");
        std::fs::write(&path, file).unwrap();
        vec![("MM_CONFIG".to_owned(), path.display().to_string())]
    })
    .await;
    let made = sign_up(&server.client(), "anna", &[]).await.expect(201);
    assert_eq!(made["roles"], "system_admin system_user");
}

/// The arguments of the command that the start prints, after the local socket and the line that introduces it.
async fn printed_command(server: &mut crate::support::process::Process) -> String {
    let lines = [server.line().await, server.line().await, server.line().await];
    let (_, arguments) = lines[2].trim().split_once(" user create ").unwrap();
    arguments.to_owned()
}

#[actix_web::test]
async fn the_printed_command_works_over_the_socket_without_any_setting() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("local.socket");
    let settings = format!(
        "[ServiceSettings]\nListenAddress = \"127.0.0.1:0\"\nEnableLocalMode = true\nLocalModeSocketLocation = \"{}\"\n",
        socket.display()
    );
    let place = Workplace::new(&settings).await;
    let mut server = place.serve().await;
    let arguments = printed_command(&mut server).await;
    assert!(arguments.starts_with(&format!("--socket {} ", socket.display())), "{arguments}");
    // Another folder, in which nothing is.
    let elsewhere = Workplace::new("").await;
    std::fs::remove_file(elsewhere.path("config.toml")).unwrap();
    let arguments: Vec<&str> = ["user", "create"].into_iter().chain(arguments.split(' ')).collect();
    let made = elsewhere.run(&arguments, &format!("{PASSWORD}\n")).await;
    assert!(String::from_utf8_lossy(&made.stdout).contains("created you ("), "{made:?}");
    let you = server.client().log_in("you").await;
    assert_eq!(you.get("/users/me").await.expect(200)["roles"], "system_admin system_user");
    let again = elsewhere.run(&arguments, &format!("{PASSWORD}\n")).await;
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    // A second administrator gets the roles as well.
    let more =
        ["--socket", socket.to_str().unwrap(), "--email", "b@chat.example", "--username", "bert", "--system-admin"];
    let more: Vec<&str> = ["user", "create"].into_iter().chain(more).collect();
    assert!(elsewhere.run(&more, &format!("{PASSWORD}\n")).await.status.success());
    assert_eq!(
        server.client().log_in("bert").await.get("/users/me").await.expect(200)["roles"],
        "system_admin system_user"
    );
    assert!(server.stop().await.success());
}

/// The server gets its database, its settings and the file of its configuration from variables and arguments.
#[actix_web::test]
async fn the_printed_command_works_when_a_shell_runs_it_in_the_folder_of_the_server() {
    let place = Workplace::new("").await;
    let (driver, source) = named_in(&place.path(""));
    place.configure("[SqlSettings]\nMaxOpenConns = 4\n");
    std::fs::rename(place.path("config.toml"), place.path("x.toml")).unwrap();
    let variables = [
        ("MM_CONFIG", "own.json"),
        ("MM_SQLSETTINGS_DRIVERNAME", driver.as_str()),
        ("MM_SQLSETTINGS_DATASOURCE", source.as_str()),
    ];
    let [introduction, line] = printed_and_run(&place, &variables, &["serve", "--config", "x.toml"]).await;
    assert!(line.contains("MM_CONFIG=own.json ") && line.ends_with("--config x.toml"), "{line}");
    // The address of a PostgreSQL may contain a password, so it is named and not printed.
    let unprinted = "with the server's MM_SQLSETTINGS_DATASOURCE in the environment";
    assert_eq!(introduction.contains(unprinted), driver == "postgres", "{introduction}");
    assert_eq!(line.contains(&source), driver != "postgres", "{line}");
}

#[actix_web::test]
async fn the_printed_command_works_beside_an_unused_configuration_and_with_custom_defaults() {
    let place = Workplace::new("").await;
    std::fs::write(place.path("config.json"), "{\"TeamSettings\": {}}").unwrap();
    let [_, line] = printed_and_run(&place, &[], &["serve", "--new"]).await;
    assert!(line.ends_with(" --new"), "{line}");

    let place = Workplace::new("").await;
    let (driver, source) = named_in(&place.path(""));
    place.configure("[SqlSettings]\nMaxOpenConns = 4\n");
    let defaults = json!({ "SqlSettings": { "DriverName": driver, "DataSource": source } });
    std::fs::write(place.path("defaults.json"), defaults.to_string()).unwrap();
    let [_, line] = printed_and_run(&place, &[("MM_CUSTOM_DEFAULTS_PATH", "defaults.json")], &["serve"]).await;
    assert!(line.starts_with("MM_CUSTOM_DEFAULTS_PATH=defaults.json "), "{line}");
}

/// Starts a server, and has a shell run the line that it prints, which must create the first account. Returns the
/// sentence before the line, and the line.
async fn printed_and_run(place: &Workplace, variables: &[(&str, &str)], arguments: &[&str]) -> [String; 2] {
    let mut server = place.serve_with(variables, arguments).await;
    let [introduction, line] = [server.line().await, server.line().await];
    let line = line.trim().to_owned();
    let unprinted: Vec<(&str, &str)> =
        variables.iter().copied().filter(|(name, _)| introduction.contains(name)).collect();
    let made = place.shell(&unprinted, &line, &format!("{PASSWORD}\n")).await;
    assert!(String::from_utf8_lossy(&made.stdout).contains("created you ("), "{made:?}");
    let you = server.client().log_in("you").await;
    assert_eq!(you.get("/users/me").await.expect(200)["roles"], "system_admin system_user");
    assert!(server.stop().await.success());
    [introduction, line]
}

#[actix_web::test]
async fn the_command_makes_no_database_that_no_server_uses() {
    let place = Workplace::new("").await;
    std::fs::remove_file(place.path("config.toml")).unwrap();
    let create = ["user", "create", "--email", "a@chat.example", "--username", "anna", "--system-admin"];
    for shipped in [false, true] {
        if shipped {
            std::fs::write(place.path("config.toml"), include_str!("../../config.toml")).unwrap();
        }
        let refused = place.run(&create, &format!("{PASSWORD}\n")).await;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.contains("does not exist yet, so no server uses it") && said.contains("--socket"), "{said}");
        assert!(!place.path("data").exists());
    }
    let wanted: Vec<&str> = create.into_iter().chain(["--new"]).collect();
    let made = place.run(&wanted, &format!("{PASSWORD}\n")).await;
    assert!(made.status.success() && place.path("data/quarterdeck.db").exists(), "{made:?}");
    let second = ["user", "create", "--email", "b@chat.example", "--username", "bert"];
    assert!(place.run(&second, &format!("{PASSWORD}\n")).await.status.success(), "the database is there now");
}
