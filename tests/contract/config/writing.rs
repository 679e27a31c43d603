//! The effects of `PUT` and `PATCH` on the configuration.

use serde_json::{Value, json};

use super::PLACEHOLDER;
use crate::support::configuration::{at, named, nested, take};
use crate::support::{LocalServer, TestServer};

#[actix_web::test]
async fn what_was_read_can_be_sent_back_and_changes_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let fresh = admin.get("/config").await;
    let answer = admin.put("/config", fresh.json()).await;
    assert_eq!((answer.text(), answer.header("etag")), (fresh.text(), fresh.header("etag")));
    assert_eq!(admin.versions().await.len(), 0, "what changes nothing is no version");

    admin.set("EmailSettings.SMTPPassword", "open-sesame").await.expect(200);
    admin.set("SqlSettings.DataSourceReplicas", json!(["postgres://one", "postgres://two"])).await.expect(200);
    let before = admin.get("/config").await;
    for route in ["/config", "/config/patch"] {
        let answer = admin.put(route, before.json()).await;
        assert_eq!((answer.text(), answer.header("etag")), (before.text(), before.header("etag")), "{route}");
    }
    assert_eq!(admin.versions().await.len(), 2);
}

#[actix_web::test]
async fn a_replacement_puts_the_default_in_the_place_of_what_it_leaves_out() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let set = json!({
        "TeamSettings": { "SiteName": "one", "CustomBrandText": "two" },
        "DisplaySettings": { "CustomURLSchemes": ["git"] },
    });
    admin.put("/config/patch", set).await.expect(200);
    let mut body = admin.config().await;
    take(&mut body, "TeamSettings.SiteName");
    body["TeamSettings"]["CustomBrandText"] = Value::Null;
    body.as_object_mut().unwrap().remove("DisplaySettings");
    let after = admin.put("/config", body).await.expect(200);
    assert_eq!(*at(&after, "TeamSettings.SiteName"), "Mattermost");
    assert_eq!(*at(&after, "TeamSettings.CustomBrandText"), "");
    assert_eq!(*at(&after, "DisplaySettings.CustomURLSchemes"), json!([]));
}

#[actix_web::test]
async fn a_patch_leaves_alone_what_it_leaves_out_or_gives_as_null() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.set("TeamSettings.SiteName", "one").await.expect(200);
    let before = admin.config().await;
    let body = json!({ "TeamSettings": { "SiteName": null, "CustomBrandText": "two" }, "EmailSettings": null });
    let mut expected = before;
    expected["TeamSettings"]["CustomBrandText"] = json!("two");
    assert_eq!(admin.put("/config/patch", body).await.expect(200), expected);
    assert_eq!(admin.config().await, expected);
}

#[actix_web::test]
async fn the_whole_document_as_a_patch_changes_only_what_was_meant() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    let secrets = json!({
        "EmailSettings": { "SMTPPassword": "open-sesame" },
        "PluginSettings": { "Plugins": { "one": { "Token": "abc", "name": "n" } } },
        "SqlSettings": { "DataSourceReplicas": ["postgres://one"] },
    });
    admin.put("/config/patch", secrets).await.expect(200);
    let mut expected = local.config().await;
    // mmctl reads the whole document, changes one value, and sends all of it.
    let mut whole = admin.config().await;
    whole["TeamSettings"]["SiteName"] = json!("one");
    admin.put("/config/patch", whole).await.expect(200);
    expected["TeamSettings"]["SiteName"] = json!("one");
    assert_eq!(local.config().await, expected);
    assert_eq!(named(&admin.versions().await[0]["changes"], "path"), ["TeamSettings.SiteName"]);
}

#[actix_web::test]
async fn a_patch_of_one_plugin_keeps_the_others() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    let two = json!({ "one": { "Token": "abc", "size": 1 }, "two": { "Key": "def" } });
    admin.set("PluginSettings.Plugins", two).await.expect(200);
    admin.set("PluginSettings.PluginStates", json!({ "one": { "Enable": true } })).await.expect(200);
    let states = admin.setting("PluginSettings.PluginStates").await;
    admin.set("PluginSettings.Plugins", json!({ "one": { "Token": PLACEHOLDER, "size": 2 } })).await.expect(200);
    admin.set("PluginSettings.Plugins", json!({})).await.expect(200);
    let expected = json!({ "one": { "Token": "abc", "size": 2 }, "two": { "Key": "def" } });
    assert_eq!(local.setting("PluginSettings.Plugins").await, expected);
    admin.set("PluginSettings.PluginStates", json!({ "two": { "Enable": false } })).await.expect(200);
    let mut expected = states;
    expected["two"] = json!({ "Enable": false });
    assert_eq!(admin.setting("PluginSettings.PluginStates").await, expected);
}

#[actix_web::test]
async fn plugins_that_a_replacement_leaves_out_keep_their_settings() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    let plugins = json!({ "one": { "Token": "abc" }, "two": { "size": 2 } });
    admin.set("PluginSettings.Plugins", plugins.clone()).await.expect(200);
    let mut whole = admin.config().await;
    take(&mut whole, "PluginSettings.Plugins");
    admin.put("/config", whole).await.expect(200);
    assert_eq!(local.setting("PluginSettings.Plugins").await, plugins);
}

#[actix_web::test]
async fn null_takes_the_settings_of_one_plugin_out() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    let path = "PluginSettings.Plugins";
    admin.set(path, json!({ "one": { "Token": "abc" }, "two": { "size": 2 }, "three": {} })).await.expect(200);
    let reply = admin.set(path, json!({ "two": null })).await.expect(200);
    assert_eq!(*at(&reply, path), json!({ "one": { "Token": PLACEHOLDER }, "three": {} }));
    let mut whole = admin.config().await;
    whole["PluginSettings"]["Plugins"] = json!({ "one": null });
    whole["PluginSettings"]["PluginStates"]["playbooks"] = Value::Null;
    admin.put("/config", whole).await.expect(200);
    assert_eq!(local.setting(path).await, json!({ "three": {} }));
    let states = local.setting("PluginSettings.PluginStates").await;
    assert_eq!(states["playbooks"], json!({ "Enable": true }), "those that come with the server have a state");
}

#[actix_web::test]
async fn a_placeholder_in_a_list_that_changed_around_it_is_refused_and_named() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    let path = "SqlSettings.DataSourceReplicas";
    admin.set(path, json!(["postgres://one", "postgres://two"])).await.expect(200);
    admin.set(path, json!([PLACEHOLDER, PLACEHOLDER, "postgres://three"])).await.expect(200);
    let kept = json!(["postgres://one", "postgres://two", "postgres://three"]);
    assert_eq!(local.setting(path).await, kept);
    let reply = admin.set(path, json!(["postgres://new", PLACEHOLDER])).await;
    reply.expect_refusal(400, "api.config.ambiguous_secret.app_error");
    assert_eq!(named(&reply.json()["errors"], "pointer"), ["/SqlSettings/DataSourceReplicas/1"]);
    assert_eq!(local.setting(path).await, kept);
    let whole = admin.config().await;
    admin.put("/config", whole).await.expect(200);
    assert_eq!(local.setting(path).await, kept);
}

#[actix_web::test]
async fn a_placeholder_with_nothing_behind_it_is_told_and_never_stored() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    let body = json!({
        "ElasticsearchSettings": { "Password": PLACEHOLDER },
        "EmailSettings": { "SMTPPassword": PLACEHOLDER },
        "PluginSettings": { "Plugins": { "one": { "Token": PLACEHOLDER, "size": 1 } } },
        "SqlSettings": { "DataSourceReplicas": ["postgres://one", PLACEHOLDER] },
        "TeamSettings": { "SiteName": "one" },
    });
    let preview = admin.put("/config/patch?dry_run=true", body.clone()).await.expect(200);
    // The empty password of the search engine is hidden from readers, so they send its placeholder back.
    let unset = ["EmailSettings.SMTPPassword", "PluginSettings.Plugins.one.Token", "SqlSettings.DataSourceReplicas[1]"];
    assert_eq!(preview["unset"], json!(unset));
    let reply = admin.put("/config/patch", body).await;
    reply.expect(200);
    assert_eq!(reply.header("x-config-unset"), unset.join(" "));
    let stored = local.config().await;
    assert_eq!(*at(&stored, "PluginSettings.Plugins"), json!({ "one": { "size": 1 } }));
    assert_eq!(*at(&stored, "SqlSettings.DataSourceReplicas"), json!(["postgres://one"]));
    assert_eq!(*at(&stored, "EmailSettings.SMTPPassword"), "");
    assert!(!stored.to_string().contains(PLACEHOLDER));
}

#[actix_web::test]
async fn generated_keys_survive_a_replacement_without_a_site_url() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    admin.set("TeamSettings.SiteName", "one").await.expect(200);
    let keys = ["SqlSettings.AtRestEncryptKey", "FileSettings.PublicLinkSalt"];
    let before = local.config().await;
    for key in keys {
        assert_eq!(at(&before, key).as_str().unwrap().len(), 32, "{key} is made with the first version");
    }
    let mut masked = admin.config().await;
    take(&mut masked, "ServiceSettings.SiteURL");
    for body in [masked, json!({ "TeamSettings": { "SiteName": "two" } }), json!({})] {
        admin.put("/config", body).await.expect(200);
        let after = local.config().await;
        for key in keys {
            assert_eq!(at(&after, key), at(&before, key), "{key}");
        }
    }
    // An own value is accepted.
    admin.put("/config/patch", nested(keys[1], "s".repeat(32))).await.expect(200);
    assert_eq!(local.setting(keys[1]).await, "s".repeat(32));
}

#[actix_web::test]
async fn feature_flags_are_read_only() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let before = admin.setting("FeatureFlags").await;
    admin.set("FeatureFlags.TestFeature", "on").await.expect(200);
    let mut whole = admin.config().await;
    whole["FeatureFlags"]["TestFeature"] = json!("on");
    admin.put("/config", whole).await.expect(200);
    assert_eq!(admin.setting("FeatureFlags").await, before);
    assert_eq!(admin.versions().await, Vec::<Value>::new());
}
