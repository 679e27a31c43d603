//! The subcommands, as an operator runs them.

use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::database;
use crate::support::process::Workplace;
use crate::support::release::ReleasePlace;
use crate::support::server::PASSWORD;

const QUIET: &str = "[LogSettings]\nEnableConsole = false\nEnableFile = false\n";

#[actix_web::test]
async fn the_version_is_printed() {
    let place = Workplace::new("").await;
    let version = place.run(&["version"], "").await;
    assert!(said(&version).starts_with("quarterdeck 0."), "{version:?}");
    assert!(said(&version).contains("Mattermost API"), "{version:?}");
}

#[actix_web::test]
async fn every_subcommand_explains_itself() {
    let place = Workplace::new("").await;
    let expected: [(&[&str], &str); 6] = [
        (&["--help"], "SIGHUP"),
        (&["serve", "--help"], "Starts the server"),
        (&["check", "--help"], "writes nothing"),
        (&["user", "--help"], "create"),
        (&["user", "create", "--help"], "--system-admin"),
        (&["version", "--help"], "version of the server"),
    ];
    for (arguments, words) in expected {
        let help = place.run(arguments, "").await;
        assert!(help.status.success() && said(&help).contains(words), "{arguments:?}: {help:?}");
    }
    assert_eq!(place.run(&["sail"], "").await.status.code(), Some(2));
}

#[actix_web::test]
async fn a_check_passes_and_changes_nothing() {
    let place = Workplace::new(QUIET).await;
    let check = place.run(&["check"], "").await;
    assert!(check.status.success(), "{check:?}");
    assert!(said(&check).contains("the next start applies these migrations: V1__accounts"), "{check:?}");
    assert!(!place.path("test.db").exists());
    place.serve().await.stop().await;
    let check = place.run(&["check"], "").await;
    assert!(said(&check).contains("answers, its schema is up to date"), "{check:?}");
}

#[actix_web::test]
async fn a_check_names_an_unknown_setting_with_its_neighbour() {
    let place = Workplace::new("[ServiceSettings]\nListenAdress = \":1\"\n").await;
    let check = place.run(&["check"], "").await;
    let expected = "warning: config.toml:6: ServiceSettings.ListenAdress is not a setting and has no effect; \
                    the nearest known name is ServiceSettings.ListenAddress";
    assert!(check.status.success() && said(&check).lines().any(|line| line == expected), "{check:?}");
}

#[actix_web::test]
async fn a_check_names_file_line_and_key_of_a_syntax_error() {
    let place = Workplace::new("[ServiceSettings]\nListenAddress = :8065\n[SqlSettings]\n").await;
    let check = place.run(&["check"], "").await;
    assert_eq!(check.status.code(), Some(1));
    assert!(complaint(&check).starts_with("quarterdeck: config.toml:2:17: at ListenAddress: "), "{check:?}");
}

#[actix_web::test]
async fn a_check_refuses_an_unknown_level() {
    let place = Workplace::new("[LogSettings]\nFileLevel = \"loud\"\n").await;
    for subcommand in ["check", "serve"] {
        let refused = place.run(&[subcommand], "").await;
        assert_eq!(refused.status.code(), Some(1));
        let named = ": LogSettings.FileLevel is \"loud\": A log level must be one of TRACE, ";
        assert!(complaint(&refused).starts_with("quarterdeck: configuration: config.toml:"), "{refused:?}");
        assert!(complaint(&refused).contains(named), "{refused:?}");
    }
}

#[actix_web::test]
async fn a_check_refuses_a_source_of_releases_that_cannot_be_proved() {
    let place = Workplace::new("").await;
    let releases = ReleasePlace::start().await;
    place.configure(&releases.settings(&place.path(""), 60));
    let check = place.run(&["check"], "").await;
    assert!(check.status.success() && said(&check).contains("releases: from 127.0.0.1\n"), "{check:?}");
    std::fs::write(place.path("release.pub"), "no key").unwrap();
    for subcommand in ["check", "serve"] {
        let refused = place.run(&[subcommand], "").await;
        assert_eq!(refused.status.code(), Some(1));
        assert!(complaint(&refused).contains("Quarterdeck.ReleasePublicKeyFile: "), "{refused:?}");
    }
}

#[actix_web::test]
async fn a_check_of_a_database_that_does_not_answer_fails_in_time_and_shows_no_secret() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = silent.local_addr().map(|address| (address, silent)).unwrap();
    for address in ["127.0.0.1:1".to_owned(), silent.0.to_string()] {
        let source = format!("postgres://canary-user:canary-word@{address}/harbour?sslmode=disable");
        let settings = format!(
            "{QUIET}[SqlSettings]\nDriverName = \"postgres\"\nDataSource = \
             \"{source}\"\n[EmailSettings]\nSMTPPassword = \"canary-mail\"\n"
        );
        let place = Workplace::new(&settings).await;
        let started = Instant::now();
        let check = place.run(&["check"], "").await;
        assert_eq!(check.status.code(), Some(1));
        assert!(started.elapsed() < Duration::from_secs(20));
        assert!(complaint(&check).starts_with("quarterdeck: database: no database connection: "), "{check:?}");
        let all = format!("{}{}", said(&check), complaint(&check));
        assert!(!all.contains("canary"), "{all}");
        assert!(all.contains("pinned: EmailSettings.SMTPPassword = (not shown), by config.toml:"), "{all}");
    }
}

#[actix_web::test]
async fn a_data_source_that_cannot_be_read_is_refused_without_showing_it() {
    let settings = "[SqlSettings]\nDriverName = \"postgres\"\nDataSource = \"postgres://me:canary@host:canary/db\"\n";
    let place = Workplace::new(settings).await;
    let check = place.run(&["check"], "").await;
    assert_eq!(check.status.code(), Some(1));
    assert!(!format!("{}{}", said(&check), complaint(&check)).contains("canary"), "{check:?}");
}

#[actix_web::test]
async fn the_first_account_is_an_administrator_and_later_ones_on_request() {
    let place = Workplace::new(QUIET).await;
    let made = create(&place, "anna@chat.example", "anna", &[]).await;
    assert!(said(&made).ends_with("with the roles: system_admin system_user\n"), "{made:?}");
    let made = create(&place, "bert@chat.example", "bert", &[]).await;
    assert!(said(&made).ends_with("with the roles: system_user\n"), "{made:?}");
    let made = create(&place, "cleo@chat.example", "cleo", &["--system-admin"]).await;
    assert!(said(&made).ends_with("with the roles: system_admin system_user\n"), "{made:?}");
    let server = place.serve().await;
    let made = create(&place, "dora@chat.example", "dora", &[]).await;
    assert!(made.status.success(), "{made:?}");
    let login = json!({ "login_id": "dora@chat.example", "password": PASSWORD });
    server.client().post("/users/login", login).await.expect(200);
    server.stop().await;
}

#[actix_web::test]
async fn an_account_that_cannot_be_made_is_explained_without_the_password() {
    let place = Workplace::new(QUIET).await;
    let refused = create(&place, "no-address", "anna", &[]).await;
    assert_eq!(refused.status.code(), Some(1));
    let text = complaint(&refused);
    assert!(text.to_lowercase().contains("e-mail") || text.to_lowercase().contains("email"), "{text}");
    assert!(!text.contains(PASSWORD), "{text}");
    let short = place.run(&["user", "create", "--email", "a@chat.example", "--username", "anna"], "abc\n").await;
    assert_eq!(short.status.code(), Some(1));
    assert!(complaint(&short).to_lowercase().contains("password"), "{short:?}");
    assert!(create(&place, "anna@chat.example", "anna", &[]).await.status.success());
    let taken = create(&place, "anna@chat.example", "anna2", &[]).await;
    assert!(complaint(&taken).contains("app.user.save.email_exists.app_error"), "{taken:?}");
}

#[actix_web::test]
async fn the_stored_configuration_says_which_accounts_can_be_made() {
    let file = [("MM_CONFIG", "config.json")];
    for variables in [&[][..], &file[..]] {
        let place = Workplace::new(QUIET).await;
        let create = async |name: &str, email: &str| {
            let arguments = ["user", "create", "--username", name, "--email", email];
            place.run_with(variables, &arguments, &format!("{PASSWORD}\n")).await
        };
        assert!(create("anna", "anna@chat.example").await.status.success());
        let settings =
            [("PasswordSettings.MinimumLength", "40"), ("TeamSettings.RestrictCreationToDomains", "chat.example")];
        for (path, value) in settings {
            let set = place.run_with(variables, &["config", "set", path, value], "").await;
            assert!(set.status.success(), "{set:?}");
        }
        let refused = create("bert", "bert@chat.example").await;
        assert!(complaint(&refused).contains("model.user.is_valid.pwd_min_length.app_error"), "{refused:?}");
        let set = place.run_with(variables, &["config", "set", "PasswordSettings.MinimumLength", "8"], "").await;
        assert!(set.status.success(), "{set:?}");
        let refused = create("bert", "bert@other.example").await;
        assert!(complaint(&refused).contains("api.user.create_user.accepted_domain.app_error"), "{refused:?}");
        assert!(create("bert", "bert@chat.example").await.status.success());
    }
}

#[actix_web::test]
async fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let settings = format!("{QUIET}[ServiceSettings]\nListenAddress = \"{address}\"\n");
    let place = Workplace::new(&settings).await;
    let refused = place.run(&["serve"], "").await;
    assert_eq!(refused.status.code(), Some(1));
    let expected = format!("quarterdeck: ServiceSettings.ListenAddress \"{address}\": Address already in use");
    assert!(complaint(&refused).starts_with(&expected), "{refused:?}");
}

#[actix_web::test]
async fn a_database_in_a_folder_that_cannot_be_is_refused() {
    let Some(()) = database::only_embedded("the folder is one of the embedded engine") else { return };
    let place = Workplace::new("[SqlSettings]\nDriverName = \"sqlite\"\nDataSource = \"config.toml/new.db\"\n").await;
    let check = place.run(&["check"], "").await;
    assert_eq!(check.status.code(), Some(1));
    assert!(complaint(&check).starts_with("quarterdeck: database: config.toml: this is not a folder"), "{check:?}");
}

async fn create(place: &Workplace, email: &str, name: &str, more: &[&str]) -> Output {
    let mut arguments = vec!["user", "create", "--email", email, "--username", name];
    arguments.extend(more);
    place.run(&arguments, &format!("{PASSWORD}\n")).await
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn complaint(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
