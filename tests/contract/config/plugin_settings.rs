//! The settings of plugins. No schema says which of them are secrets, so all of them are hidden.

use serde_json::{Value, json};

use super::FORBIDDEN;
use crate::support::TestServer;
use crate::support::configuration::{at, nested};
use crate::support::trail::all_text_in;

/// Settings whose names do not look like secrets.
fn plugins(mark: &str) -> Value {
    let one = json!({
        "Zugang": format!("canary-{mark}"),
        "list": [format!("canary-{mark}")],
        "deep": { format!("canary-{mark}"): 1 },
        "number": 4711,
    });
    nested("PluginSettings.Plugins", json!({ "com.example.one": one }))
}

#[actix_web::test]
async fn only_those_who_may_read_everything_see_them_and_nobody_else_loses_them() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.put("/config/patch", plugins("one")).await.expect(200);
    let before = admin.config().await;
    assert_eq!(at(&before, "PluginSettings.Plugins")["com.example.one"]["Zugang"], "canary-one");
    let reader = server.staff(&admin, "rita", "system_read_only_admin").await;
    let manager = server.staff(&admin, "mona", "system_manager").await;
    for client in [&reader, &manager] {
        for query in ["", "?remove_defaults=true", "?remove_masked=true", "?remove_defaults=true&remove_masked=true"] {
            let seen = client.get(&format!("/config{query}")).await;
            seen.expect(200);
            assert!(!seen.text().contains("canary") && !seen.text().contains("com.example.one"), "{query}");
        }
        let pinned = client.get("/config/environment").await;
        assert!(pinned.status == 200 && !pinned.text().contains("canary"));
        for path in ["/config/versions", "/config/provenance"] {
            client.get(path).await.expect_refusal(403, FORBIDDEN);
        }
    }
    let seen = manager.config().await;
    let answer = manager.put("/config", seen).await;
    assert!(answer.status == 200 && !answer.text().contains("canary"));
    let written = manager.put("/config/patch", plugins("two")).await;
    assert!(!written.text().contains("canary"));
    assert_eq!(admin.config().await, before);
}

#[actix_web::test]
async fn history_and_trail_show_that_they_changed_and_not_to_what() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for mark in ["one", "two"] {
        admin.put("/config/patch?dry_run=true", plugins(mark)).await.expect(200);
        admin.put("/config/patch", plugins(mark)).await.expect(200);
    }
    let list = admin.get("/config/versions").await;
    let versions = list.expect(200);
    let changes = versions[0]["changes"].to_string();
    assert!(changes.contains("PluginSettings.Plugins.com.example.one.Zugang"), "{changes}");
    let [newest, oldest] = [&versions[0], &versions[1]].map(|version| version["id"].as_str().unwrap().to_owned());
    let difference = admin.get(&format!("/config/versions/{oldest}/difference/{newest}")).await;
    let preview = admin.put("/config/patch?dry_run=true", plugins("three")).await;
    let audits = admin.get("/audits?per_page=200").await;
    for reply in [&list, &difference, &preview, &audits] {
        assert!(reply.status == 200 && !reply.text().contains("canary"), "{}", reply.text());
        assert!(!reply.text().contains("4711"));
    }
    assert!(!all_text_in(server.folder()).await.contains("canary"));
}
