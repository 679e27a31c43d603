//! The command `quarterdeck support-packet` while the stored configuration is broken or the database is down.

use tokio::net::TcpListener;

use crate::support::backdoor;
use crate::support::database;
use crate::support::packet::{Packet, reasons};
use crate::support::process::Workplace;

const QUIET: &str = "[LogSettings]\nEnableConsole = false\nFileLocation = \"logs\"\n";

/// A PostgreSQL that does not exist. Its password must never be in a packet or in the output.
const DOWN: &str =
    "[SqlSettings]\nDriverName = \"postgres\"\nDataSource = \"postgres://me:canary-word@127.0.0.1:1/chat\"\n";

/// The secret in stored configurations.
const SECRET: &str = "canary-mail";

const STORED: &str = "sanitized_config.json: the stored settings";
const OF_DATABASE: &str = "database_schema.yaml, jobs.yaml, permissions.yaml, stats.yaml";
const LICENSE: &str = "diagnostics.yaml: license";
const LOG: &str = "mattermost.log";

/// Writes a packet, which must lack exactly this data, and returns it with the text on standard error.
///
/// The packet and the output must name the same data, and contain no secret.
async fn incomplete(place: &Workplace, variables: &[(&str, &str)], lacking: &[&str]) -> (Packet, String) {
    std::fs::create_dir_all(place.path("logs")).unwrap();
    let line = format!("{{\"level\":\"error\",\"msg\":\"the word is {SECRET}\"}}\n");
    std::fs::write(place.path("logs/mattermost.log"), line).unwrap();
    let _ = std::fs::remove_file(place.path("packet.zip"));
    let made = place.run_with(variables, &["support-packet", "--output", "packet.zip"], "").await;
    assert_eq!(made.status.code(), Some(1), "{made:?}");
    assert_eq!(String::from_utf8_lossy(&made.stdout), "packet.zip\n");
    let said = String::from_utf8(made.stderr).unwrap();
    let packet = Packet::unpacked(std::fs::read(place.path("packet.zip")).unwrap());
    let manifest = packet.manifest();
    let warnings: Vec<&str> =
        manifest["warnings"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert_eq!(said, format!("quarterdeck: packet.zip is incomplete:\n{}\n", warnings.join("\n")));
    assert_eq!(packet.text("warning.txt").trim_end(), warnings.join("\n"));
    assert_eq!(warnings.len(), lacking.len(), "{warnings:?}");
    for name in lacking {
        assert!(warnings.iter().any(|warning| warning.starts_with(&format!("{name}: "))), "{name}: {warnings:?}");
    }
    for text in packet.names().into_iter().map(|name| packet.text(name)).chain([said.clone()]) {
        assert!(!text.contains(SECRET) && !text.contains("canary-word"), "{text}");
    }
    for name in ["sanitized_config.json", "metadata.yaml", "diagnostics.yaml"] {
        assert!(!packet.text(name).is_empty(), "{name}");
    }
    assert_eq!(packet.names().contains(&LOG), !lacking.contains(&LOG));
    if lacking.contains(&LOG) {
        lacks(&packet, LOG, "secrets in them are unknown");
    }
    (packet, said)
}

/// Checks that the packet gives one reason for missing data, which contains these words.
#[track_caller]
fn lacks(packet: &Packet, name: &str, words: &str) {
    let reasons = reasons(&packet.manifest()["not_available"], name);
    assert!(matches!(reasons.as_slice(), [one] if one.contains(words)), "{name}: {reasons:?}");
}

/// Checks that the packet has the files that are read from the database.
#[track_caller]
fn has_database(packet: &Packet) {
    for name in ["stats.yaml", "permissions.yaml", "database_schema.yaml"] {
        assert!(!packet.text(name).is_empty(), "{name}");
    }
}

#[actix_web::test]
async fn a_configuration_file_that_does_not_parse_costs_the_stored_settings_and_the_log() {
    let place = Workplace::new(&format!("{QUIET}[EmailSettings]\nSMTPUsername = \"pinned\"\n")).await;
    place.serve().await.stop().await;
    let variables = [("MM_CONFIG", "config.json")];
    let section = |members: &str| format!("{{\"EmailSettings\": {{\"SMTPPassword\": {members}}}}}");
    for (text, problem) in [
        (format!("{{\n  \"EmailSettings\": {{\"SMTPPassword\": \"{SECRET}\"}}, oops\n}}"), "line 2 column"),
        (format!("{{\"EmailSettings\": {{\"SMTPPassword\": \"{SECRET}"), "the file ends too early"),
        (section(SECRET), "the file is not JSON"),
        (
            section(&format!("\"{SECRET}\", \"SMTPPort\": 25")),
            "EmailSettings.SMTPPort must be a string, found a whole number",
        ),
        (section(&format!("[\"{SECRET}\"]")), "EmailSettings.SMTPPassword"),
    ] {
        std::fs::write(place.path("config.json"), &text).unwrap();
        let (packet, said) = incomplete(&place, &variables, &[STORED, LOG]).await;
        assert!(said.contains("config.json") && said.contains(problem), "{said}");
        lacks(&packet, STORED, problem);
        has_database(&packet);
        assert_eq!(std::fs::read_to_string(place.path("config.json")).unwrap(), text, "the file is left as it is");
    }
}

#[actix_web::test]
async fn without_the_file_that_names_the_database_the_packet_has_neither() {
    let place = Workplace::new(&format!("{QUIET}[SqlSettings]\nMaxOpenConns = 10\n")).await;
    std::fs::write(place.path("config.json"), format!("{{\"SMTPPassword\": \"{SECRET}\", \"\": \"canary-word\""))
        .unwrap();
    let broken =
        [("MM_CONFIG", "config.json"), ("MM_SQLSETTINGS_DATASOURCEREPLICAS", "postgres://me:canary-word@db/x")];
    let (packet, _) = incomplete(&place, &broken, &[STORED, OF_DATABASE, LICENSE, LOG]).await;
    lacks(&packet, STORED, "the file ends too early");
    lacks(&packet, OF_DATABASE, "the stored configuration, which names the database, cannot be read");
    assert!(!place.path("data").exists(), "no database is made");
}

#[actix_web::test]
async fn a_broken_file_that_named_the_database_is_replaced_by_its_newest_usable_version_to_find_it() {
    let place = Workplace::new(QUIET).await;
    let (driver, source) = backdoor::named_in(&place.path(""));
    place.configure(&format!("{QUIET}[SqlSettings]\nMaxOpenConns = 10\n"));
    let named = serde_json::json!({ "SqlSettings": { "DriverName": driver, "DataSource": source } });
    std::fs::write(place.path("config.json"), named.to_string()).unwrap();
    let variables = [("MM_CONFIG", "config.json")];
    let set = ["config", "set", "TeamSettings.SiteName", "chat"];
    place.serve_with(&variables, &["serve"]).await.stop().await;
    let saved = place.run_with(&variables, &set, "").await;
    assert!(saved.status.success(), "{saved:?}");
    std::fs::write(place.path("config.json"), format!("{{\"SMTPPassword\": \"{SECRET}\"")).unwrap();
    let (packet, _) = incomplete(&place, &variables, &[STORED, LOG]).await;
    has_database(&packet);
}

#[actix_web::test]
async fn a_broken_version_in_the_database_costs_the_stored_settings_and_the_log() {
    let place = Workplace::new(QUIET).await;
    place.serve().await.stop().await;
    for name in ["one", "two"] {
        let set = place.run(&["config", "set", "TeamSettings.SiteName", name], "").await;
        assert!(set.status.success(), "{set:?}");
    }
    let of_server = "EmailSettings.SMTPServer must be a string, found a list";
    for (broken, problem) in [
        (format!("{{\"EmailSettings\": {{\"SMTPPassword\": \"{SECRET}\", oops"), "cannot be read: line 1 column"),
        (format!("{{\"EmailSettings\": \"{SECRET}\"}}"), "EmailSettings must be a section, found a string"),
        (
            format!("{{\"EmailSettings\": {{\"SMTPPassword\": [\"{SECRET}\"]}}}}"),
            "EmailSettings.SMTPPassword must be a string, found a list",
        ),
        // The operator sees a value that is no secret, but a packet goes to other people.
        (format!("{{\"EmailSettings\": {{\"SMTPServer\": [\"{SECRET}\"]}}}}"), of_server),
        (format!("[\"{SECRET}\"]"), "cannot be read"),
    ] {
        let sql = format!("UPDATE configurations SET value = '{broken}' WHERE active = TRUE");
        backdoor::execute_in(&place.path(""), &sql).await;
        let (packet, said) = incomplete(&place, &[], &[STORED, LOG]).await;
        assert!(said.contains("quarterdeck config rollback "), "{said}");
        lacks(&packet, STORED, problem);
        has_database(&packet);
        for command in ["check", "serve"] {
            let refused = place.run(&[command], "").await;
            let text =
                format!("{}{}", String::from_utf8_lossy(&refused.stdout), String::from_utf8_lossy(&refused.stderr));
            assert!(!refused.status.success() && text.contains(problem), "{command}: {text}");
            assert_eq!(text.contains(SECRET), problem == of_server, "{command}: {text}");
        }
    }
    // A log that was not asked for is no fault.
    let without = ["support-packet", "--output", "other.zip", "--no-logs"];
    let made = place.run(&without, "").await;
    assert_eq!(made.status.code(), Some(1), "{made:?}");
    lacks(&Packet::unpacked(std::fs::read(place.path("other.zip")).unwrap()), LOG, "it was not requested");
}

#[actix_web::test]
async fn a_database_that_is_down_costs_what_is_in_it_and_the_reason_is_told() {
    let place = Workplace::new(&format!("{QUIET}{DOWN}[EmailSettings]\nSMTPPassword = \"{SECRET}\"\n")).await;
    let (packet, said) = incomplete(&place, &[], &[OF_DATABASE, STORED, LICENSE, LOG]).await;
    assert!(said.contains(&format!("{OF_DATABASE}: the database cannot be read: no database connection: ")), "{said}");
    lacks(&packet, OF_DATABASE, "no database connection");
    lacks(&packet, STORED, "they are in the database, which cannot be read");
    lacks(&packet, LICENSE, "it is read together with the database");
    assert_eq!(packet.yaml("diagnostics.yaml")["database"]["type"], "postgres");
    // A configuration file is read without the database, and the log with it.
    std::fs::write(place.path("config.json"), "{\"ServiceSettings\": {\"MaximumLoginAttempts\": 7}}").unwrap();
    let (packet, _) = incomplete(&place, &[("MM_CONFIG", "config.json")], &[OF_DATABASE, LICENSE]).await;
    assert_eq!(packet.json("sanitized_config.json")["ServiceSettings"]["MaximumLoginAttempts"], 7);
    assert!(packet.text(LOG).contains("the word is ********"), "{}", packet.text(LOG));
}

/// A database that accepts connections and never answers.
#[actix_web::test]
async fn a_frozen_database_is_named_after_a_bounded_wait() {
    let frozen = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = frozen.local_addr().unwrap();
    let sql = format!(
        "[SqlSettings]\nDriverName = \"postgres\"\nDataSource = \"postgres://me:canary-word@{at}/chat?sslmode=disable\"\n"
    );
    let place = Workplace::new(&format!("{QUIET}{sql}")).await;
    std::fs::write(place.path("config.json"), format!("{{\"EmailSettings\":{{\"SMTPPassword\":\"{SECRET}\"}}}}"))
        .unwrap();
    let (packet, _) = incomplete(&place, &[("MM_CONFIG", "config.json")], &[OF_DATABASE, LICENSE]).await;
    assert!(packet.text(LOG).contains("the word is ********"), "{}", packet.text(LOG));
    drop(frozen);
}

/// The configuration is in another PostgreSQL than the accounts, and one of both is down.
#[actix_web::test]
async fn of_two_databases_the_one_that_answers_is_in_the_packet() {
    let Some(base) = database::only_postgres("the configuration is in another PostgreSQL") else { return };
    let schema = database::fresh_schema(&base).await;
    let other = format!("{base}?sslmode=disable&options=-c%20search_path%3D{schema}");
    let place = Workplace::new(QUIET).await;
    let variables = [("MM_CONFIG", other.as_str())];
    place.serve_with(&variables, &["serve"]).await.stop().await;
    let set = ["config", "set", "EmailSettings.SMTPPassword", SECRET];
    let saved = place.run_with(&variables, &set, "").await;
    assert!(saved.status.success(), "{saved:?}");
    let gone = [("MM_CONFIG", "postgres://me:canary-word@127.0.0.1:1/chat")];
    let (packet, _) = incomplete(&place, &gone, &[STORED, LOG]).await;
    has_database(&packet);
    place.configure(&format!("{QUIET}{DOWN}"));
    let (packet, _) = incomplete(&place, &variables, &[OF_DATABASE, LICENSE]).await;
    assert!(packet.text(LOG).contains("the word is ********"), "{}", packet.text(LOG));
}

#[actix_web::test]
async fn a_file_that_is_no_database_costs_what_is_in_it() {
    let sqlite = "[SqlSettings]\nDriverName = \"sqlite\"\nDataSource = \"own.db\"\n";
    let place = Workplace::new(&format!("{QUIET}{sqlite}[EmailSettings]\nSMTPPassword = \"{SECRET}\"\n")).await;
    let text = "a text and no database ".repeat(40);
    for (content, problem) in [("", "has a length of zero"), (text.as_str(), "the database cannot be read: ")] {
        std::fs::write(place.path("own.db"), content).unwrap();
        let (packet, said) = incomplete(&place, &[], &[OF_DATABASE, STORED, LICENSE, LOG]).await;
        lacks(&packet, OF_DATABASE, problem);
        assert!(said.contains(problem) && said.contains("the database file own.db "), "{said}");
        assert_eq!(std::fs::read_to_string(place.path("own.db")).unwrap(), content, "the file is left as it is");
    }
}

#[actix_web::test]
async fn a_licence_that_cannot_be_read_does_not_prevent_a_packet_that_needs_one() {
    let options = "[Quarterdeck]\nSupportPacketNeedsLicense = true\n";
    let place = Workplace::new(&format!("{QUIET}{DOWN}[EmailSettings]\nSMTPPassword = \"{SECRET}\"\n{options}")).await;
    let (packet, _) = incomplete(&place, &[], &[OF_DATABASE, STORED, LICENSE, LOG]).await;
    lacks(&packet, LICENSE, "it is read together with the database");
}
