//! An unreadable stored configuration: the server does not start, and the error names a command that repairs it.

use crate::support::Home;
use crate::support::config_place::{ConfigPlace, StoreKind};

#[actix_web::test]
async fn a_file_that_cannot_be_read_is_a_refusal_that_names_the_cure() {
    let place = ConfigPlace::new(StoreKind::InFile).await;
    let server = place.start().await;
    place.rename("one").await;
    let newest = place.rename("two").await;
    server.kill().await;
    let whole = std::fs::read(place.file()).unwrap();
    let file = place.file().display().to_string();
    let cure = format!("MM_CONFIG={file} quarterdeck config rollback {newest}");
    let half = &whole[..whole.len() / 2];
    for (bytes, problem) in [
        (&b""[..], "the file is empty"),
        (b" \n", "the file is empty"),
        (b"\0\0\0\0", "line 1 column 1: the file is not JSON"),
        (b"{", "the file ends too early"),
        (b"{\n  \"TeamSettings\": nonsense", "line 2 column 20: the file is not JSON"),
        (b"[]", "the file is not a JSON object"),
        (b"{\"TeamSettings\": {\"SiteName\": 5}}", "TeamSettings.SiteName must be a string"),
        (half, "the file ends too early"),
    ] {
        std::fs::write(place.file(), bytes).unwrap();
        let said = place.refusal().await;
        assert!(said.contains(&file) && said.contains(problem) && said.contains(&cure), "{said}");
        assert_eq!(std::fs::read(place.file()).unwrap(), bytes, "a start writes nothing");
    }
    std::fs::remove_file(place.file()).unwrap();
    let said = place.refusal().await;
    assert!(said.contains("the file is missing") && said.contains(&cure), "{said}");
    assert!(!place.file().exists());
    cure_works(&place, &said, "two").await;
}

#[actix_web::test]
async fn an_empty_object_is_the_word_of_an_operator_and_begins_with_the_defaults() {
    let place = ConfigPlace::new(StoreKind::InFile).await;
    let server = place.start().await;
    let named = place.rename("one").await;
    assert!(server.stop().await.success());
    for empty in ["{}", "\u{feff}{ }\n"] {
        std::fs::write(place.file(), empty).unwrap();
        let checked = place.home.command("check").await;
        assert!(checked.contains("warning: the stored configuration has no settings"), "{checked}");
        let server = place.start().await;
        assert_eq!(place.in_force().await.0, "Mattermost");
        assert!(server.stop().await.success());
    }
    let server = place.start().await;
    place.client().post(&format!("/config/versions/{named}/rollback"), serde_json::json!({})).await.expect(200);
    assert_eq!(place.in_force().await.0, "one", "the versions beside the file stay");
    assert!(server.stop().await.success());
}

#[actix_web::test]
async fn a_version_that_breaks_rules_is_a_refusal_that_names_a_cure_that_works() {
    for kind in [StoreKind::InFile, StoreKind::InDatabase] {
        let place = ConfigPlace::new(kind).await;
        let server = place.start().await;
        let good = place.rename("good one").await;
        place.rename("bad one").await;
        assert!(server.stop().await.success());
        let broken = "x".repeat(40);
        match kind {
            StoreKind::InFile => break_file(&place, &broken),
            StoreKind::InDatabase => {
                let text = format!("value = replace(value, 'bad one', '{broken}') WHERE active = TRUE");
                place.home.execute(&format!("UPDATE configurations SET {text}")).await;
            }
        }
        let said = place.refusal().await;
        assert!(said.contains("TeamSettings.SiteName") && said.contains(&good), "{said}");
        cure_works(&place, &said, "good one").await;
    }
}

#[actix_web::test]
async fn where_no_version_keeps_the_rules_the_refusal_says_what_else_to_do() {
    let place = ConfigPlace::new(StoreKind::InFile).await;
    let team = serde_json::json!({ "TeamSettings": { "SiteName": "x".repeat(40) } });
    std::fs::write(place.file(), team.to_string()).unwrap();
    let said = place.refusal().await;
    assert!(said.contains("no other version of it can be used") && said.contains("config set"), "{said}");
    let settings = place.home.shell("echo $PWD/config.toml").await;
    let mend = "quarterdeck config set TeamSettings.SiteName short";
    place.home.shell(&format!("MM_CONFIG={} {mend} --config {settings}", place.file().display())).await;
    assert_eq!(place.start().await.stop().await.code(), Some(0));
}

#[actix_web::test]
async fn a_file_says_which_database_to_use() {
    let folder = tempfile::tempdir().unwrap();
    let (file, database) = (folder.path().join("config.json"), folder.path().join("named.db"));
    let sql = serde_json::json!({ "DriverName": "sqlite", "DataSource": database });
    std::fs::write(&file, serde_json::json!({ "SqlSettings": sql }).to_string()).unwrap();
    let home = Home::on_database("", "").with_variable("MM_CONFIG", &file.display().to_string());
    let server = home.start().await;
    assert!(database.exists());
    assert!(server.stop().await.success());
    let set = "quarterdeck config set TeamSettings.SiteName named --config $PWD/config.toml";
    home.shell(&format!("MM_CONFIG={} {set} && test ! -e data", file.display())).await;
}

#[actix_web::test]
async fn a_broken_file_without_versions_is_a_refusal_as_well() {
    let place = ConfigPlace::new(StoreKind::InFile).await;
    std::fs::write(place.file(), "").unwrap();
    let said = place.refusal().await;
    assert!(said.contains("the file is empty") && said.contains("no usable version of it is left"), "{said}");
    assert_eq!(place.versions().len(), 0);
}

#[actix_web::test]
async fn a_broken_version_in_the_database_is_a_refusal_that_names_the_cure() {
    let place = ConfigPlace::new(StoreKind::InDatabase).await;
    let server = place.start().await;
    let good = place.rename("one").await;
    let bad = place.rename("two").await;
    assert!(server.stop().await.success());
    for broken in ["", "{}", "{ \"TeamSettings\": {"] {
        place.home.execute(&format!("UPDATE configurations SET value = '{broken}' WHERE id = '{bad}'")).await;
        let said = place.refusal().await;
        assert!(said.contains(&bad) && said.contains(&format!("quarterdeck config rollback {good}")), "{said}");
    }
    cure_works(&place, &place.refusal().await, "one").await;
}

/// Fails unless the command in the error lets the server start with the site name `name`.
async fn cure_works(place: &ConfigPlace, said: &str, name: &str) {
    let command = said.lines().find_map(|line| line.split_once(" by: ")).unwrap().1;
    place.home.shell(command).await;
    let server = place.start().await;
    assert_eq!(place.in_force().await.0, name);
    assert!(server.stop().await.success());
}

/// Makes the file and its newest version violate a rule.
fn break_file(place: &ConfigPlace, broken: &str) {
    let newest = place.versions().pop().unwrap();
    for file in [place.file(), newest] {
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("bad one", broken)).unwrap();
    }
}
