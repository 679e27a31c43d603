//! Storing changes: dry runs, conditional writes, parallel writes.

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::configuration::{at, named, nested};

const CONFLICT: &str = "app.config.version_conflict.app_error";

/// Text settings without rules.
const TEXTS: [&str; 20] = [
    "AnnouncementSettings.BannerColor",
    "AnnouncementSettings.BannerText",
    "AnnouncementSettings.BannerTextColor",
    "GitLabSettings.Id",
    "GoogleSettings.Id",
    "LdapSettings.EmailAttribute",
    "LdapSettings.FirstNameAttribute",
    "LdapSettings.IdAttribute",
    "LdapSettings.LastNameAttribute",
    "LdapSettings.LoginFieldName",
    "LdapSettings.NicknameAttribute",
    "LdapSettings.PositionAttribute",
    "LdapSettings.UsernameAttribute",
    "Office365Settings.Id",
    "OpenIdSettings.Id",
    "SamlSettings.FirstNameAttribute",
    "SamlSettings.LastNameAttribute",
    "SamlSettings.NicknameAttribute",
    "TeamSettings.CustomBrandText",
    "TeamSettings.CustomDescriptionText",
];

#[actix_web::test]
async fn a_dry_run_tells_the_difference_and_stores_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.set("TeamSettings.SiteName", "one").await.expect(200);
    let before = admin.get("/config").await;
    let mut whole = before.json();
    whole["TeamSettings"]["SiteName"] = json!("two");
    for (route, body) in [("/config", whole), ("/config/patch", nested("TeamSettings.SiteName", "two"))] {
        let reply = admin.put(&format!("{route}?dry_run=true"), body).await;
        let change = json!({ "path": "TeamSettings.SiteName", "before": "one", "after": "two" });
        assert_eq!(reply.expect(200), json!({ "changes": [change], "unset": [], "ineffective": [] }));
        assert_eq!(reply.header("cache-control"), "no-cache, no-store, must-revalidate");
    }
    let broken = admin.put("/config/patch?dry_run=true", nested("PasswordSettings.MinimumLength", 1)).await;
    broken.expect_refusal(400, "model.config.is_valid.password_length.app_error");
    let after = admin.get("/config").await;
    assert_eq!((after.text(), after.header("etag")), (before.text(), before.header("etag")));
    assert_eq!(admin.versions().await.len(), 1);
}

#[actix_web::test]
async fn a_rollback_on_condition_of_a_version_is_refused_when_another_is_in_force() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let patch = |name: &str| nested("TeamSettings.SiteName", name);
    let first = admin.put("/config/patch", patch("one")).await.header("etag");
    let second = admin.put("/config/patch", patch("two")).await.header("etag");
    let route = format!("/config/versions/{}/rollback", first.trim_matches('"'));
    let roll_back = async |tag: &str| admin.send(Method::POST, &route, None, &[("If-Match", tag)]).await;
    for stale in [first.as_str(), "\"aaaaaaaaaaaaaaaaaaaaaaaaaa\""] {
        let reply = roll_back(stale).await;
        reply.expect_refusal(412, CONFLICT);
        assert!(reply.json()["message"].as_str().unwrap().contains(second.trim_matches('"')));
    }
    assert_eq!(admin.setting("TeamSettings.SiteName").await, "two");
    let done = roll_back(&format!("{first}, {second}")).await;
    assert_eq!(*at(&done.expect(200), "TeamSettings.SiteName"), "one");
    roll_back("*").await.expect(200);
    roll_back(&done.header("etag")).await.expect(200);
}

#[actix_web::test]
async fn a_rollback_on_condition_of_a_version_that_another_server_stored_is_made() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let patch = |name: &str| nested("TeamSettings.SiteName", name);
    let first = admin.put("/config/patch", patch("one")).await.header("etag");
    let other = server.start_beside("").await;
    let newest = admin.put("/config/patch", patch("two")).await.header("etag");
    let route = format!("/config/versions/{}/rollback", first.trim_matches('"'));
    let there = admin.at(&other.base);
    let roll_back = async |tag: &str| there.send(Method::POST, &route, None, &[("If-Match", tag)]).await;
    roll_back("\"aaaaaaaaaaaaaaaaaaaaaaaaaa\"").await.expect_refusal(412, CONFLICT);
    let done = roll_back(&newest).await;
    assert_eq!(*at(&done.expect(200), "TeamSettings.SiteName"), "one");
}

#[actix_web::test]
async fn a_change_on_condition_of_a_version_is_refused_when_another_is_in_force() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let patch = |name: &str| nested("TeamSettings.SiteName", name);
    let first = admin.write_if("/config/patch", &patch("one"), "\"default\"").await;
    first.expect(200);
    let tag = first.header("etag");
    for stale in ["\"default\"", "\"aaaaaaaaaaaaaaaaaaaaaaaaaa\""] {
        for route in ["/config", "/config/patch", "/config/patch?dry_run=true"] {
            let reply = admin.write_if(route, &patch("two"), stale).await;
            reply.expect_refusal(412, CONFLICT);
            assert!(reply.json()["message"].as_str().unwrap().contains(tag.trim_matches('"')));
        }
    }
    let second = admin.write_if("/config/patch", &patch("two"), &tag).await;
    assert_eq!(*at(&second.expect(200), "TeamSettings.SiteName"), "two");
    assert_ne!(second.header("etag"), tag);
    let unchanged = admin.write_if("/config/patch", &patch("two"), &second.header("etag")).await;
    unchanged.expect(200);
    assert_eq!(unchanged.header("etag"), second.header("etag"), "what changes nothing stays the version it is");
    let without = admin.put("/config/patch", patch("three")).await;
    assert_eq!(*at(&without.expect(200), "TeamSettings.SiteName"), "three");
}

#[actix_web::test]
async fn any_version_will_do_for_a_star() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.write_if("/config/patch", &nested("TeamSettings.SiteName", "one"), "*").await.expect(200);
}

#[actix_web::test]
async fn one_version_of_a_list_will_do_also_in_its_weak_form() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let patch = |name: &str| nested("TeamSettings.SiteName", name);
    let first = admin.write_if("/config/patch", &patch("one"), "\"other\", W/\"default\"").await;
    first.expect(200);
    let tag = first.header("etag");
    admin.write_if("/config/patch", &patch("two"), "\"default\", \"other\"").await.expect_refusal(412, CONFLICT);
    admin.write_if("/config/patch", &patch("two"), "").await.expect_refusal(412, CONFLICT);
    admin.write_if("/config/patch", &patch("two"), &format!("\"default\",W/{tag}")).await.expect(200);
}

#[actix_web::test]
async fn twenty_writers_at_once_all_land_in_one_version_each() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    // The first version contains the generated keys.
    admin.set("TeamSettings.SiteName", "one").await.expect(200);
    let writes = TEXTS.iter().map(|path| {
        let admin = &admin;
        async move { admin.set(path, *path).await.expect(200) }
    });
    for (path, answer) in TEXTS.iter().zip(join_all(writes).await) {
        assert_eq!(*at(&answer, path), *path);
    }
    let config = admin.config().await;
    for path in TEXTS {
        assert_eq!(*at(&config, path), path);
    }
    let versions = admin.versions().await;
    assert_eq!(versions.len(), 21);
    assert_eq!(versions.iter().filter(|version| version["is_active"] == true).count(), 1);
    let mut changed: Vec<String> = Vec::new();
    for version in versions.iter().filter(|version| at(version, "changes").as_array().unwrap().len() == 1) {
        changed.extend(named(&version["changes"], "path"));
    }
    changed.sort();
    assert_eq!(changed, TEXTS);
}

#[actix_web::test]
async fn readers_never_see_half_a_change() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let write = async |number: usize| {
        let text = format!("name {number}");
        let body = json!({ "TeamSettings": { "SiteName": text, "CustomBrandText": text } });
        let answer = admin.put("/config/patch", body).await;
        (answer.header("etag"), text)
    };
    write(0).await;
    let writes = join_all((1..=8).map(write));
    let reads = join_all((0..24).map(|_| admin.get("/config")));
    let (written, read) = join(writes, reads).await;
    for reply in read {
        let document = reply.expect(200);
        let name = at(&document, "TeamSettings.SiteName");
        assert_eq!(name, at(&document, "TeamSettings.CustomBrandText"));
        let tag = reply.header("etag");
        let by_tag = written.iter().find(|(written, _)| *written == tag).map(|(_, text)| text.as_str());
        assert_eq!(name, by_tag.unwrap_or("name 0"));
    }
}

#[actix_web::test]
async fn one_of_two_writers_on_the_same_condition_is_refused() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let tag = admin.set("TeamSettings.SiteName", "one").await.header("etag");
    let bodies = ["two", "three"].map(|name| nested("TeamSettings.SiteName", name));
    let writes = bodies.iter().map(|body| admin.write_if("/config/patch", body, &tag));
    let mut statuses: Vec<u16> = join_all(writes).await.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
}

#[actix_web::test]
async fn a_pinned_value_stays_in_force_and_is_never_stored() {
    let server = TestServer::start_with("[TeamSettings]\nSiteName = \"pinned\"\n").await;
    let admin = server.admin().await;
    let body = json!({ "TeamSettings": { "SiteName": "sent", "CustomBrandText": "text" } });
    let answer = admin.put("/config/patch", body).await.expect(200);
    assert_eq!(*at(&answer, "TeamSettings.SiteName"), "pinned");
    let mut whole = admin.config().await;
    whole["TeamSettings"]["SiteName"] = json!("sent");
    whole["TeamSettings"]["CustomBrandText"] = json!("other");
    admin.put("/config", whole).await.expect(200);
    for version in admin.versions().await {
        let version = admin.get(&format!("/config/versions/{}", version["id"].as_str().unwrap())).await.expect(200);
        assert_eq!(*at(&version, "config.TeamSettings.SiteName"), "Mattermost");
        assert!(!version.to_string().contains("sent") && !version.to_string().contains("pinned"));
        assert_eq!(version["config"].get("FeatureFlags"), None, "flags are never stored");
    }
    // Without the pin, the stored value is in force.
    let file = server.folder().join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("SiteName = \"pinned\"", "")).unwrap();
    admin.post("/config/reload", json!({})).await.expect_ok();
    let config = admin.config().await;
    assert_eq!(*at(&config, "TeamSettings.SiteName"), "Mattermost");
    assert_eq!(*at(&config, "TeamSettings.CustomBrandText"), "other");
}

#[actix_web::test]
async fn clients_see_a_change_in_the_answers_after_it() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let before = admin.get("/config/client").await;
    admin.set("TeamSettings.SiteName", "one").await.expect(200);
    let after = admin.get("/config/client").await;
    assert_eq!(after.expect(200)["SiteName"], "one");
    assert_ne!(admin.get("/users/me").await.header("x-version-id"), before.header("x-version-id"));
    assert_eq!(server.client().get("/config/client").await.expect(200).get("SQLDriverName"), None::<&Value>);
}
