//! The database that the real program uses, for usual starts beside a Mattermost.

use std::path::Path;
use std::process::Output;

use crate::support::database;
use crate::support::process::Workplace;
use crate::support::server::{PASSWORD, account};

const TABLES: &str = include_str!("../faults/mattermost.sql");

/// The address of a PostgreSQL that does not exist. User and password must never be printed.
const OTHER: &str = "postgres://canary-user:canary-word@127.0.0.1:1/chat?sslmode=disable";

/// The variables of every server here without a `config.toml`.
const LISTEN: [(&str, &str); 2] =
    [("MM_SERVICESETTINGS_LISTENADDRESS", "127.0.0.1:0"), ("MM_ANNOUNCEMENTSETTINGS_NOTICESURL", "")];

/// Subcommands that open the database and must be refused.
const COMMANDS: [&[&str]; 8] = [
    &["check"],
    &["serve"],
    &["user", "create", "--email", "a@chat.example", "--username", "anna"],
    &["config", "get", "TeamSettings.SiteName"],
    &["license", "show"],
    &["audit", "verify"],
    &["storage", "test"],
    &["support-packet", "--output", "packet.zip"],
];

/// Creates a folder without settings.
async fn bare() -> Workplace {
    let place = Workplace::new("").await;
    std::fs::remove_file(place.path("config.toml")).unwrap();
    place
}

fn configuration_of_mattermost() -> String {
    format!("{{\"SqlSettings\": {{\"DriverName\": \"postgres\", \"DataSource\": \"{OTHER}\"}}}}")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // A start writes its log before it opens the database.
    let mut names: Vec<String> = entries.filter(|name| name != "logs" && name != "data").collect();
    names.sort();
    names
}

/// Runs every subcommand, which must fail and create no file. Returns the output of `check`.
async fn refused_by_all(place: &Workplace, variables: &[(&str, &str)], words: &str) -> String {
    let before = names_in(&place.path(""));
    for arguments in COMMANDS {
        let refused = place.run_with(variables, arguments, &format!("{PASSWORD}\n")).await;
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {refused:?}");
        assert!(said(&refused).contains(words), "{arguments:?}: {}", said(&refused));
        assert!(!said(&refused).contains("canary"), "{arguments:?}: {}", said(&refused));
        assert_eq!(names_in(&place.path("")), before, "{arguments:?} left something");
        assert!(!place.path("data/quarterdeck.db").exists(), "{arguments:?} made a database");
    }
    said(&place.run_with(variables, &["check"], "").await)
}

#[actix_web::test]
async fn an_address_of_a_postgres_is_that_database_however_it_is_given() {
    let own = "[SqlSettings]\nDataSource = \"".to_owned() + OTHER + "\"\n";
    let shipped = include_str!("../../config.toml");
    let source = ("MM_SQLSETTINGS_DATASOURCE", OTHER);
    let sources: [(&str, &[(&str, &str)]); 4] =
        [("", &[("MM_CONFIG", OTHER)]), ("", &[source]), (shipped, &[source]), (&own, &[])];
    for (settings, variables) in sources {
        let place = bare().await;
        if !settings.is_empty() {
            std::fs::write(place.path("config.toml"), settings).unwrap();
        }
        let before = names_in(&place.path(""));
        let check = place.run_with(variables, &["check"], "").await;
        let said = said(&check);
        assert_eq!(check.status.code(), Some(1), "{said}");
        assert!(said.contains("database in use: PostgreSQL at 127.0.0.1:1/chat, by "), "{said}");
        assert!(said.contains("database engine: postgres\n"), "{said}");
        assert!(said.contains("quarterdeck: database: no database connection: "), "{said}");
        assert!(!said.contains("canary"), "{said}");
        assert_eq!(names_in(&place.path("")), before, "no folder is named after a password");
    }
}

#[actix_web::test]
async fn a_configuration_in_a_database_brings_its_accounts_and_a_stranger_changes_nothing_there() {
    let Some(base) = database::only_postgres("Mattermost keeps its database in PostgreSQL") else { return };
    let schema = database::fresh_schema(&base).await;
    let active = "{\"TeamSettings\": {\"SiteName\": \"theirs\"}}";
    let rows = format!(
        "CREATE TABLE db_migrations (version bigint, name varchar(64)); \
         INSERT INTO configurations (id, value, createat, active) VALUES ('{}', '{active}', 1, true)",
        "c".repeat(26)
    );
    database::execute(&base, &format!("SET search_path TO {schema}; {TABLES}; {rows}")).await;
    let address = format!("{base}?sslmode=disable&options=-c%20search_path%3D{schema}");
    let variables = [LISTEN[0], LISTEN[1], ("MM_CONFIG", &address)];
    let place = bare().await;

    let check = place.run_with(&variables, &["check"], "").await;
    assert!(check.status.success(), "{check:?}");
    assert!(said(&check).contains(", by MM_CONFIG\n"), "{check:?}");
    let only = "first administrator: created with `quarterdeck user create` only, because the database contains tables \
                of a Mattermost server";
    assert!(said(&check).contains(only), "{check:?}");

    let server = place.serve_with(&variables, &["serve"]).await;
    let refusal = server.client().post("/users", account("stranger")).await;
    refusal.expect_refusal(403, "api.user.create_user.first_account_offline.app_error");
    let versions = format!("SELECT concat_ws(' ', id, value, active) FROM {schema}.configurations");
    let kept = database::texts(&base, &versions).await;
    assert_eq!(kept, [format!("{} {active} t", "c".repeat(26))]);
    let people = format!("SELECT username FROM {schema}.users");
    assert!(!database::texts(&base, &people).await.contains(&"stranger".to_owned()));

    let create = ["user", "create", "--email", "anna@chat.example", "--username", "anna"];
    let made = place.run_with(&variables, &create, &format!("{PASSWORD}\n")).await;
    assert!(said(&made).contains("with the roles: system_admin system_user"), "{made:?}");
    let anna = server.client().log_in("anna").await;
    assert_eq!(anna.get("/config").await.expect(200)["TeamSettings"]["SiteName"], "theirs");
    assert!(server.stop().await.success());
    assert!(!place.path("data/quarterdeck.db").exists());
}

#[actix_web::test]
async fn a_configuration_that_lies_there_unnamed_is_named_and_no_empty_database_is_opened_beside_it() {
    let place = bare().await;
    std::fs::create_dir(place.path("config")).unwrap();
    std::fs::write(place.path("config/config.json"), configuration_of_mattermost()).unwrap();
    let line = "MM_CONFIG=config/config.json quarterdeck";
    for arguments in [&COMMANDS[0], &COMMANDS[1], &COMMANDS[2]] {
        let refused = place.run(arguments, &format!("{PASSWORD}\n")).await;
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(said(&refused).contains(line) && said(&refused).contains("quarterdeck --new"), "{refused:?}");
        assert!(!place.path("data").exists() && !said(&refused).contains("canary"), "{refused:?}");
    }
    // The line must match exactly.
    let check = place.run_with(&[("MM_CONFIG", "config/config.json")], &["check"], "").await;
    assert!(said(&check).contains("database in use: PostgreSQL at 127.0.0.1:1/chat, by "), "{check:?}");

    let create = [COMMANDS[2], &["--new"]].concat();
    assert!(place.run(&create, &format!("{PASSWORD}\n")).await.status.success());
    let mut server = place.serve_with(&LISTEN, &["serve"]).await;
    assert!(server.line().await.contains(line));
    server.client().log_in("anna").await;
    assert!(server.stop().await.success());
    let check = place.run(&["check"], "").await;
    assert!(
        check.status.success() && said(&check).contains("accounts: 1\n") && said(&check).contains(line),
        "{check:?}"
    );
}

#[actix_web::test]
async fn an_empty_database_beside_an_unnamed_configuration_begins_only_on_request() {
    let place = Workplace::new("").await;
    std::fs::write(place.path("config.json"), configuration_of_mattermost()).unwrap();
    let refused = place.run(&["serve"], "").await;
    assert!(said(&refused).contains("MM_CONFIG=config.json quarterdeck"), "{refused:?}");
    let server = place.serve_with(&[], &["--new"]).await;
    server.client().post("/users", account("anna")).await.expect(201);
    assert!(server.stop().await.success());
    assert!(place.serve().await.stop().await.success(), "it is not empty any more");
}

#[actix_web::test]
async fn the_shipped_settings_never_hide_the_database_that_the_configuration_names() {
    let place = Workplace::new("").await;
    std::fs::write(place.path("config.toml"), include_str!("../../config.toml")).unwrap();
    std::fs::write(place.path("mattermost.json"), configuration_of_mattermost()).unwrap();
    for store in ["mattermost.json", OTHER] {
        let said = refused_by_all(&place, &[("MM_CONFIG", store)], "as it was shipped").await;
        assert!(said.contains("names PostgreSQL at 127.0.0.1:1/chat"), "{said}");
        assert!(said.contains("MM_SQLSETTINGS_DATASOURCE=data/quarterdeck.db quarterdeck"), "{said}");
        let kept = [("MM_CONFIG", store), ("MM_SQLSETTINGS_DATASOURCE", "data/quarterdeck.db")];
        let check = place.run_with(&kept, &["check"], "").await;
        let text = self::said(&check);
        assert!(
            text.contains("database in use: the file data/quarterdeck.db, by MM_SQLSETTINGS_DATASOURCE\n"),
            "{text}"
        );
        assert!(text.contains("not used for accounts: PostgreSQL at 127.0.0.1:1/chat, by "), "{text}");
    }
}

#[actix_web::test]
async fn what_the_operator_wrote_wins_over_the_configuration_and_a_check_names_both() {
    let place = Workplace::new("").await;
    std::fs::write(place.path("mattermost.json"), configuration_of_mattermost()).unwrap();
    let check = place.run_with(&[("MM_CONFIG", "mattermost.json")], &["check"], "").await;
    assert!(check.status.success(), "{check:?}");
    let said = said(&check);
    let lines: Vec<&str> = said.lines().collect();
    let used = lines.iter().find(|line| line.starts_with("database in use: ")).unwrap();
    assert!(used.contains(", by config.toml:"), "{said}");
    let file = place.path("mattermost.json").canonicalize().unwrap();
    let other = format!("not used for accounts: PostgreSQL at 127.0.0.1:1/chat, by {}", file.display());
    assert!(lines.contains(&other.as_str()) && !said.contains("canary"), "{said}");
}

#[actix_web::test]
async fn an_address_that_is_no_file_is_refused_by_every_command_and_never_shown() {
    for source in ["mysql://me:canary@127.0.0.1:1/chat", "host=127.0.0.1 user=me password=canary dbname=chat"] {
        let place = bare().await;
        refused_by_all(&place, &[("MM_SQLSETTINGS_DATASOURCE", source)], "SqlSettings.DataSource").await;
    }
}

#[actix_web::test]
async fn a_stored_configuration_is_no_file_of_pinned_settings_and_the_option_for_it_is_named() {
    let place = bare().await;
    std::fs::write(place.path("mattermost.json"), configuration_of_mattermost()).unwrap();
    for arguments in [&["check", "--config", "mattermost.json"][..], &["--config", "mattermost.json"]] {
        let refused = place.run(arguments, "").await;
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(
            said(&refused).contains("MM_CONFIG takes a config.json: MM_CONFIG=mattermost.json quarterdeck"),
            "{refused:?}"
        );
        assert!(!said(&refused).contains("canary"), "{refused:?}");
    }
}
