//! A change of the configuration that was not confirmed is taken back by the next start.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::support::config_place::{ConfigPlace, StoreKind, read_json, version_of};
use crate::support::{Reply, backdoor};

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

/// Makes the time for the confirmation end in the past.
async fn end_the_time(place: &ConfigPlace) {
    let file = place.store().join("config.json.versions/.confirmation.json");
    let ended = |mut state: Value| {
        state["until"] = json!(1);
        state.to_string()
    };
    if file.exists() {
        return std::fs::write(&file, ended(read_json(&file))).unwrap();
    }
    let texts = backdoor::texts_in(place.home.folder(), "SELECT state FROM qd_configconfirmation").await;
    let state = ended(serde_json::from_str(&texts[0]).unwrap());
    place.home.execute(&format!("UPDATE qd_configconfirmation SET state = '{state}'")).await;
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
        let events = crate::support::trail::events_in(place.home.folder()).await;
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
