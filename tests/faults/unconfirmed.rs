//! A change of the configuration that was not confirmed is taken back by the next start.

use std::net::TcpListener;
use std::path::Path;

use futures_util::future::join4;
use serde_json::{Value, json};

use crate::support::config_place::{ConfigPlace, StoreKind, read_json, version_of};
use crate::support::trail::{events_in, newest_in};
use crate::support::waiting::until;
use crate::support::{Home, Reply, backdoor};

async fn in_both_stores(test: impl AsyncFn(&ConfigPlace)) {
    for kind in [StoreKind::InDatabase, StoreKind::InFile] {
        test(&ConfigPlace::new(kind).await).await;
    }
}

async fn patch(place: &ConfigPlace, body: Value) -> String {
    let reply = place.client().put("/config/patch?confirm_within=3600", body).await;
    reply.expect(200);
    version_of(&reply)
}

async fn confirm(place: &ConfigPlace, version: &str) -> Reply {
    place.client().post(&format!("/config/versions/{version}/confirm"), Value::Null).await
}

async fn end_the_time(place: &ConfigPlace) {
    end_the_time_in(&place.home, &place.store()).await;
}

/// Makes the time for the confirmation end in the past. The configuration is in `store`, or in the database.
pub async fn end_the_time_in(home: &Home, store: &Path) {
    let file = store.join("config.json.versions/.confirmation.json");
    let ended = |mut state: Value| {
        state["until"] = json!(1);
        state.to_string()
    };
    if file.exists() {
        return std::fs::write(&file, ended(read_json(&file))).unwrap();
    }
    let texts = backdoor::texts_in(home.folder(), "SELECT state FROM qd_configconfirmation").await;
    let state = ended(serde_json::from_str(&texts[0]).unwrap());
    home.execute(&format!("UPDATE qd_configconfirmation SET state = '{state}'")).await;
}

/// Looks at the list of versions until it shows that this version was taken back.
async fn look_until_taken_back(place: &ConfigPlace, version: &str) {
    until("the version is taken back", async || {
        let list = place.client().get("/config/versions?per_page=5").await.expect(200);
        let records = list.as_array().unwrap();
        let waits = |record: &Value| record["id"] == version && record["confirmation"].is_object();
        let is_end = |record: &Value| record["source"] == "taken_back" && record["comment"] == version;
        let is_over = records.iter().any(is_end);
        assert!(is_over || records.iter().any(waits), "neither the wait nor its end is in the list: {list}");
        is_over
    })
    .await;
}

#[actix_web::test]
async fn no_list_shows_a_change_without_its_confirmation_before_it_is_taken_back() {
    in_both_stores(async |place| {
        let server = place.start().await;
        place.rename("before").await;
        for number in 0..10 {
            let version = patch(place, json!({ "TeamSettings": { "SiteName": format!("name {number}") } })).await;
            let end = async {
                let address = format!("/config/versions/{version}/confirm");
                place.client().delete(&address).await.expect(200);
            };
            let looks = || look_until_taken_back(place, &version);
            join4(looks(), looks(), looks(), end).await;
        }
        assert!(server.stop().await.success());
    })
    .await;
}

#[actix_web::test]
async fn a_server_that_was_down_takes_the_change_back_at_its_start() {
    in_both_stores(async |place| {
        let server = place.start().await;
        place.rename("before").await;
        patch(place, json!({ "TeamSettings": { "SiteName": "new" } })).await;
        place.client().put("/config/patch", json!({ "TeamSettings": { "MaxUsersPerTeam": 77 } })).await.expect(200);
        server.kill().await;
        let server = place.start().await;
        assert_eq!(place.in_force().await.0, "new", "the time is not over");
        assert!(server.stop().await.success());
        end_the_time(place).await;
        let server = place.start().await;
        assert_eq!(place.in_force().await.0, "before");
        let config = place.client().get("/config").await.expect(200);
        assert_eq!(config["TeamSettings"]["MaxUsersPerTeam"], 77, "a later change stays");
        assert!(server.stop().await.success());
        let events = events_in(place.home.folder()).await;
        assert!(events.iter().any(|event| event == "takeBackConfig success"), "{events:?}");
    })
    .await;
}

#[actix_web::test]
async fn a_change_that_needs_a_start_is_confirmed_after_it() {
    in_both_stores(async |place| {
        let server = place.start().await;
        let version = patch(place, json!({ "ServiceSettings": { "ReadTimeout": 77 } })).await;
        confirm(place, &version).await.expect_refusal(409, "app.config.confirmation.before_start.app_error");
        // The time before the start does not count.
        end_the_time(place).await;
        assert!(server.stop().await.success());
        let server = place.start().await;
        confirm(place, &version).await.expect(200);
        expect_nothing_waits(place).await;
        assert!(server.stop().await.success());
        let server = place.start().await;
        let config = place.client().get("/config").await.expect(200);
        assert_eq!(config["ServiceSettings"]["ReadTimeout"], 77);
        assert!(server.stop().await.success());
    })
    .await;
}

/// Checks that nothing waits for a confirmation.
async fn expect_nothing_waits(place: &ConfigPlace) {
    let versions = place.client().get("/config/versions").await.expect(200);
    assert!(versions.as_array().unwrap().iter().all(|version| version.get("confirmation").is_none()), "{versions}");
}

#[actix_web::test]
async fn a_change_with_which_no_server_starts_is_taken_back_by_the_start_after_its_time() {
    in_both_stores(async |place| {
        let server = place.start().await;
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("127.0.0.1:{}", taken.local_addr().unwrap().port());
        patch(place, json!({ "MetricsSettings": { "Enable": true, "ListenAddress": address } })).await;
        assert!(server.stop().await.success());
        let refusal = place.refusal().await;
        assert!(refusal.contains("address already in use") || refusal.contains("Address already in use"), "{refusal}");
        end_the_time(place).await;
        let server = place.start().await;
        let config = place.client().get("/config").await.expect(200);
        assert_eq!(config["MetricsSettings"]["Enable"], false);
        assert!(server.stop().await.success());
    })
    .await;
}

#[actix_web::test]
async fn a_check_looks_at_an_unconfirmed_change_as_the_next_start_does() {
    in_both_stores(async |place| {
        let server = place.start().await;
        place.rename("before").await;
        // A start refuses this file, which is no certificate.
        let file = place.home.folder().join("config.toml").display().to_string();
        let tls = json!({ "ConnectionSecurity": "TLS", "TLSCertFile": file, "TLSKeyFile": file });
        let version = patch(place, json!({ "ServiceSettings": tls })).await;
        assert!(server.stop().await.success());
        let refusal = place.refusal().await;
        assert!(refusal.contains("ServiceSettings.TLS"), "{refusal}");
        end_the_time(place).await;
        let over =
            format!("unconfirmed change: version {version} was not confirmed in time; the next start takes it back");
        // The check changes nothing, so the second one says the same.
        for _ in 0..2 {
            let said = place.home.command("check").await;
            assert!(said.contains(&over), "{said}");
        }
        let server = place.start().await;
        assert_eq!(place.in_force().await.0, "before");
        let version = patch(place, json!({ "TeamSettings": { "SiteName": "new" } })).await;
        assert!(server.stop().await.success());
        let said = place.home.command("check").await;
        let waits = format!("unconfirmed change: version {version} is taken back unless it is confirmed within ");
        assert!(said.contains(&waits), "{said}");
        let server = place.start().await;
        confirm(place, &version).await.expect(200);
        assert!(server.stop().await.success());
        assert!(!place.home.command("check").await.contains("unconfirmed change"));
    })
    .await;
}

#[actix_web::test]
async fn a_change_that_is_taken_back_while_the_database_is_away_is_recorded_although_the_start_is_killed() {
    let place = ConfigPlace::new(StoreKind::InFile).await;
    let server = place.start().await;
    place.rename("before").await;
    let version = patch(&place, json!({ "TeamSettings": { "SiteName": "new" } })).await;
    assert!(server.stop().await.success());
    end_the_time(&place).await;
    let settings = place.home.folder().join("config.toml");
    let whole = std::fs::read_to_string(&settings).unwrap();
    let (driver, source) = backdoor::named_in(place.home.folder());
    let away = whole.replace(&source, "postgres://127.0.0.1:1/away").replace(&format!("\"{driver}\""), "\"postgres\"");
    std::fs::write(&settings, away).unwrap();
    let waiting = place.home.launch();
    let name = || read_json(&place.file())["TeamSettings"]["SiteName"].clone();
    let confirmation = place.store().join("config.json.versions/.confirmation.json");
    until("the change is taken back", async || name() == "before" && !confirmation.exists()).await;
    waiting.kill().await;
    std::fs::write(&settings, whole).unwrap();
    for _ in 0..2 {
        assert!(place.start().await.stop().await.success());
        let record = newest_in(place.home.folder(), "takeBackConfig").await;
        assert_eq!((&record["status"], &record["parameters"]["version"]), (&json!("success"), &json!(version)));
        assert_eq!(record["after"]["TeamSettings.SiteName"], "before");
    }
    let events = events_in(place.home.folder()).await;
    assert_eq!(events.iter().filter(|event| event.starts_with("takeBackConfig")).count(), 1, "{events:?}");
}
