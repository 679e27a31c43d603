//! A stored configuration of an earlier version of the program: it starts, and the log and `check` name each stored key
//! and value that is not used as it is.

use serde_json::{Value, json};

use crate::support::config_place::{ConfigPlace, StoreKind, read_json};
use crate::support::needs;
use crate::support::server::account;

const VALUES: [(&str, &str); 2] =
    [("\"ConsoleLevel\": \"DEBUG\"", "\"ConsoleLevel\": \"LOUD\""), ("5.0.0-1", "5.0.0-01")];

#[actix_web::test]
async fn a_value_that_an_earlier_version_took_starts_and_is_named() {
    for kind in KINDS {
        let place = place_with(kind, &VALUES).await;
        let checked = place.home.command("check").await;
        let replaced = "\"LOUD\" of LogSettings.ConsoleLevel is not allowed; \"DEBUG\" is used instead";
        for words in [replaced, "\"5.0.0-01\" of ServiceSettings.MinimumDesktopAppVersion is not allowed"] {
            assert!(checked.contains(&format!("warning: the stored value {words}")), "{words}: {checked}");
        }
        let mut server = place.home.launch_with(&LOGGING);
        server.listens().await;
        server.complains_until(|said| said.contains("the stored value") && said.contains("is used instead")).await;
        let shown = place.client().get("/config").await.expect(200);
        assert_eq!(shown["LogSettings"]["ConsoleLevel"], "DEBUG");
        let level = json!({ "LogSettings": { "ConsoleLevel": "LOUD" } });
        let refused = place.client().put("/config/patch", level).await;
        refused.expect_refusal(400, "model.config.is_valid.log.level.app_error");
        place.client().post("/config/reload", json!({})).await.expect(200);
        place.rename("two").await;
        assert!(server.stop().await.success());
        let checked = place.home.command("check").await;
        assert!(!checked.contains("is not allowed"), "the next save stores what is used: {checked}");
    }
}

#[actix_web::test]
async fn a_stored_address_of_redis_with_a_password_is_shown_to_no_caller_and_stays() {
    let address = "redis://chat:planted@cache.example:6379";
    let value = format!("\"RedisAddress\": \"{address}\"");
    for kind in KINDS {
        let place = place_with(kind, &[("\"RedisAddress\": \"\"", &value)]).await;
        let server = place.start().await;
        place.client().post("/users", account("admin")).await.expect(201);
        let admin = server.client().log_in("admin").await;
        let shown = admin.get("/config").await;
        assert!(!shown.text().contains("planted"), "{}", shown.text());
        let mut whole = shown.expect(200);
        assert_eq!(whole["CacheSettings"]["RedisAddress"], "*".repeat(32));
        whole["TeamSettings"]["SiteName"] = json!("two");
        let saved = admin.put("/config", whole).await;
        assert!(!saved.text().contains("planted"), "{}", saved.text());
        assert_eq!(saved.expect(200)["TeamSettings"]["SiteName"], "two");
        let other = json!({ "CacheSettings": { "RedisAddress": "cache.example:6379" } });
        let saved = admin.put("/config/patch", other).await.expect(200);
        assert_eq!(saved["CacheSettings"]["RedisAddress"], "cache.example:6379");
        assert!(server.stop().await.success());
    }
}

#[actix_web::test]
async fn a_key_in_two_spellings_is_dropped_and_named() {
    for kind in KINDS {
        let place = place_with(kind, &[("\"SiteName\":", "\"sitename\": \"dropped\", \"SiteName\":")]).await;
        let words =
            "the stored key \"sitename\" at /TeamSettings/SiteName is dropped, because \"SiteName\" is stored too";
        let checked = place.home.command("check").await;
        assert!(checked.contains(&format!("warning: {words}")), "{checked}");
        let mut server = place.home.launch_with(&LOGGING);
        server.listens().await;
        server.complains_until(|said| said.replace("\\\"", "\"").contains(words)).await;
        assert_eq!(place.in_force().await.0, "one");
        assert!(server.stop().await.success());
    }
}

#[actix_web::test]
async fn two_versions_of_the_program_read_and_write_one_configuration_with_old_spellings() {
    let Some(folder) = needs::peer("newer") else { return };
    let newer = folder.join("quarterdeck").display().to_string();
    for kind in KINDS {
        let place =
            place_with(kind, &[("\"SiteName\"", "\"sitename\""), ("\"EmailSettings\"", "\"emailsettings\"")]).await;
        let variable =
            if kind == StoreKind::InFile { format!("MM_CONFIG={}", place.file().display()) } else { String::new() };
        let with_newer = async |arguments: &str| {
            place.home.shell(&format!("{variable} {newer} config {arguments} --config $PWD/config.toml")).await
        };
        assert_eq!(with_newer("get TeamSettings.SiteName").await.trim(), "\"one\"");
        let server = place.start().await;
        assert_eq!(place.in_force().await.0, "one");
        place
            .client()
            .put("/config/patch", json!({ "emailSettings": { "smtpserver": "mail.example" } }))
            .await
            .expect(200);
        assert!(server.stop().await.success());
        assert_eq!(with_newer("get EmailSettings.SMTPServer").await.trim(), "\"mail.example\"");
        with_newer("set teamsettings.SITENAME two").await;
        let server = place.start().await;
        assert_eq!(place.in_force().await.0, "two");
        assert!(server.stop().await.success());
        if kind == StoreKind::InFile {
            let stored = read_json(&place.file());
            assert_eq!(
                (&stored["TeamSettings"]["SiteName"], stored.get("emailsettings")),
                (&json!("two"), None::<&Value>)
            );
        }
    }
}

const KINDS: [StoreKind; 2] = [StoreKind::InDatabase, StoreKind::InFile];

/// Variables with which the log goes to standard error.
const LOGGING: [(&str, &str); 1] = [("MM_LOGSETTINGS_ENABLECONSOLE", "true")];

/// Returns a place with a stored configuration whose site has the name `one` and in which these texts are replaced.
async fn place_with(kind: StoreKind, replacements: &[(&str, &str)]) -> ConfigPlace {
    let place = ConfigPlace::new(kind).await;
    let server = place.start().await;
    let patch = json!({ "ServiceSettings": { "MinimumDesktopAppVersion": "5.0.0-1" } });
    place.client().put("/config/patch", patch).await.expect(200);
    place.rename("one").await;
    assert!(server.stop().await.success());
    for (from, to) in replacements {
        match kind {
            StoreKind::InFile => {
                let text = std::fs::read_to_string(place.file()).unwrap();
                assert!(text.contains(from), "{from}");
                std::fs::write(place.file(), text.replace(from, to)).unwrap();
            }
            StoreKind::InDatabase => {
                let text = format!("value = replace(value, '{from}', '{to}') WHERE active = TRUE");
                place.home.execute(&format!("UPDATE configurations SET {text}")).await;
            }
        }
    }
    place
}
