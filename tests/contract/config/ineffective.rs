//! A value that a write names and that is not applied is named in the answer, with the reason.

use serde_json::{Value, json};

use crate::support::config_place::version_of;
use crate::support::configuration::{at, nested};
use crate::support::{Client, LocalServer, Reply, TestServer};

const PLACEHOLDER: &str = "********************************";
pub(super) const HEADER: &str = "x-config-ineffective";
const UNSET: &str = "x-config-unset";

/// The header of a dry run and of the write itself, which must agree, and the reasons in the body of the dry run.
async fn told(client: &Client, path: &str, body: &Value) -> (String, Value) {
    let preview = client.put(&format!("{path}?dry_run=true"), body.clone()).await;
    let reply = client.put(path, body.clone()).await;
    reply.expect(200);
    let header = |reply: &Reply| reply.headers.get(HEADER).map_or("", |text| text.to_str().unwrap()).to_owned();
    assert_eq!(header(&preview), header(&reply));
    (header(&reply), preview.expect(200)["reasons"].clone())
}

#[actix_web::test]
async fn a_pinned_setting_is_named_with_the_place_of_its_pin() {
    let variable = ("MM_TEAMSETTINGS_MAXUSERSPERTEAM".to_owned(), "70".to_owned());
    let settings = "[TeamSettings]\nSiteName = \"pinned\"\n";
    let server = TestServer::start_in(settings, &|_| vec![variable.clone()]).await;
    let admin = server.admin().await;
    let lines = std::fs::read_to_string(server.folder().join("config.toml")).unwrap();
    let line = lines.lines().position(|line| line.starts_with("SiteName")).unwrap() + 1;
    let [name, users] = [format!("pinned:config.toml:{line}"), "pinned:MM_TEAMSETTINGS_MAXUSERSPERTEAM".to_owned()];
    let team = json!({ "SiteName": "other", "MaxUsersPerTeam": 71, "CustomDescriptionText": "applied" });
    let (header, reasons) = told(&admin, "/config/patch", &json!({ "TeamSettings": team })).await;
    assert_eq!(header, format!("TeamSettings.MaxUsersPerTeam;{users} TeamSettings.SiteName;{name}"));
    assert_eq!(reasons, json!({ "TeamSettings.MaxUsersPerTeam": users, "TeamSettings.SiteName": name }));
    let mut whole = admin.config().await;
    assert_eq!(*at(&whole, "TeamSettings.CustomDescriptionText"), "applied");
    assert_eq!(*at(&whole, "TeamSettings.SiteName"), "pinned");
    assert_eq!(told(&admin, "/config", &whole).await, (String::new(), Value::Null), "what was read comes back");
    whole["TeamSettings"]["SiteName"] = json!("other");
    assert_eq!(told(&admin, "/config", &whole).await.0, format!("TeamSettings.SiteName;{name}"));
}

#[actix_web::test]
async fn a_setting_without_permission_is_named_and_the_answer_confirms_no_guess() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let manager = server.staff(&admin, "mona", "system_manager").await;
    let body = json!({ "PasswordSettings": { "MinimumLength": 20 }, "TeamSettings": { "SiteName": "one" } });
    let reason = "PasswordSettings.MinimumLength;not_permitted";
    assert_eq!(told(&manager, "/config/patch", &body).await.0, reason);
    assert_eq!(admin.setting("TeamSettings.SiteName").await, "one");
    let supporter = server.staff(&admin, "suzy", "system_user_manager").await;
    let both = format!("{reason} TeamSettings.SiteName;not_permitted");
    assert_eq!(told(&supporter, "/config/patch", &body).await.0, both);
    // A manager reads nothing of LDAP's password: the right one is answered like a wrong one.
    admin.set("LdapSettings.BindPassword", "canary").await.expect(200);
    for guess in ["canary", "other"] {
        let told = told(&manager, "/config/patch", &nested("LdapSettings.BindPassword", guess)).await;
        assert_eq!(told.0, "LdapSettings.BindPassword;not_permitted", "{guess}");
    }
    // An empty text would empty it. The supporter reads null.
    let empty = nested("EmailSettings.SMTPServer", "");
    assert_eq!(told(&supporter, "/config/patch", &empty).await.0, "EmailSettings.SMTPServer;not_permitted");
    for caller in [&manager, &supporter] {
        let whole = caller.config().await;
        assert_eq!(told(caller, "/config", &whole).await.0, "", "what was read comes back");
    }
}

#[actix_web::test]
async fn a_restricted_administrator_is_told_what_the_restriction_keeps() {
    let server = TestServer::start_with("[ExperimentalSettings]\nRestrictSystemAdmin = true\n").await;
    let admin = server.admin().await;
    let body = json!({ "JobSettings": { "RunJobs": false }, "TeamSettings": { "SiteName": "one" } });
    assert_eq!(told(&admin, "/config/patch", &body).await.0, "JobSettings.RunJobs;restricted");
    assert_eq!(admin.setting("TeamSettings.SiteName").await, "one");
    let whole = admin.config().await;
    assert_eq!(told(&admin, "/config", &whole).await.0, "");
}

#[actix_web::test]
async fn protected_settings_and_flags_are_named_and_the_local_socket_writes_all_but_flags() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    let mut whole = admin.config().await;
    let flag = !at(&whole, "FeatureFlags.TestBoolFeature").as_bool().unwrap();
    whole["ImportSettings"]["Directory"] = json!("./elsewhere");
    whole["FeatureFlags"]["TestBoolFeature"] = json!(flag);
    let flags = "FeatureFlags.TestBoolFeature;read_only";
    let header = format!("{flags} ImportSettings.Directory;protected");
    assert_eq!(told(&admin, "/config", &whole).await.0, header);
    assert_eq!(told(local, "/config", &whole).await.0, flags);
    assert_eq!(admin.setting("ImportSettings.Directory").await, "./elsewhere");
}

#[actix_web::test]
async fn a_patch_of_one_plugin_keeps_its_other_keys_and_what_is_gone_is_named() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let path = "PluginSettings.Plugins";
    let both = json!({ "com.example.one": { "url": "a", "size": 1 }, "com.example.two": { "url": "b" } });
    admin.set(path, both).await.expect(200);
    let kept = admin.set(path, json!({ "com.example.one": { "size": 2 } })).await;
    assert_eq!(kept.headers.get(UNSET), None);
    let one = json!({ "url": "a", "size": 2 });
    let expected = json!({ "com.example.one": one, "com.example.two": { "url": "b" } });
    assert_eq!(admin.setting(path).await, expected);

    let gone = nested(path, json!({ "com.example.one": { "size": null }, "com.example.two": null }));
    let paths = ["PluginSettings.Plugins.com.example.one.size", "PluginSettings.Plugins.com.example.two"];
    let preview = admin.put("/config/patch?dry_run=true", gone.clone()).await;
    assert_eq!(preview.expect(200)["unset"], json!(paths));
    let reply = admin.put("/config/patch", gone).await;
    assert_eq!([preview.header(UNSET), reply.header(UNSET)], [paths.join(" "), paths.join(" ")]);
    assert_eq!(admin.setting(path).await, json!({ "com.example.one": { "url": "a" } }));

    let mut whole = admin.config().await;
    whole["PluginSettings"]["Plugins"] = json!({ "com.example.one": { "size": 3 } });
    let replaced = admin.put("/config", whole).await;
    replaced.expect(200);
    assert_eq!(replaced.header(UNSET), "PluginSettings.Plugins.com.example.one.url");
    assert_eq!(admin.setting(path).await, json!({ "com.example.one": { "size": 3 } }));
}

#[actix_web::test]
async fn a_variable_overrides_one_setting_of_a_plugin_and_is_never_stored() {
    let name = "MM_PLUGINSETTINGS_PLUGINS_PLAYBOOKS_SITE_URL";
    let variable = (name.to_lowercase(), "https://pinned.example".to_owned());
    let server = TestServer::start_in("", &|_| vec![variable.clone()]).await;
    let admin = server.admin().await;
    let path = "PluginSettings.Plugins";
    let environment = admin.get("/config/environment").await.expect(200);
    assert_eq!(environment["PluginSettings"], json!({ "Plugins": { "playbooks": { "site_url": true } } }));
    let manager = server.staff(&admin, "mona", "system_manager").await;
    assert_eq!(manager.get("/config/environment").await.expect(200).get("PluginSettings"), None);
    // Plugins do not say which of their settings are secrets, so every value from a variable is masked.
    let pinned = |size: u64| json!({ "playbooks": { "site_url": PLACEHOLDER, "size": size } });
    assert_eq!(admin.setting(path).await, json!({ "playbooks": { "site_url": PLACEHOLDER } }));
    let body = nested(path, json!({ "playbooks": { "site_url": "https://other.example", "size": 1 } }));
    let reason = format!("{path}.playbooks.site_url;pinned:{name}");
    assert_eq!(told(&admin, "/config/patch", &body).await.0, reason);
    assert_eq!(admin.setting(path).await, pinned(1));
    let mut whole = admin.config().await;
    whole["PluginSettings"]["Plugins"]["playbooks"]["size"] = json!(2);
    assert_eq!(told(&admin, "/config", &whole).await.0, "", "the placeholder of the pinned value came back");
    assert_eq!(admin.setting(path).await, pinned(2));
    let answer = admin.put("/config/patch", nested(path, json!({ "playbooks": { "size": 3 } }))).await;
    assert!(!answer.text().contains("pinned.example") && answer.header(UNSET).is_empty(), "{answer:?}");
    for version in admin.versions().await {
        let shown = admin.get(&format!("/config/versions/{}", version["id"].as_str().unwrap())).await.expect(200);
        assert!(!shown["config"].to_string().contains("pinned.example"), "{shown}");
    }
}

#[actix_web::test]
async fn a_variable_does_not_pass_to_another_plugin_after_its_own_was_removed() {
    let variable = ("MM_PLUGINSETTINGS_PLUGINS_PLAYBOOKS_SITE_URL".to_owned(), "canary".to_owned());
    let server = TestServer::start_in("", &|_| vec![variable.clone()]).await;
    let admin = server.admin().await;
    let change =
        |plugins: Value, states: Value| json!({ "PluginSettings": { "Plugins": plugins, "PluginStates": states } });
    let gone = change(json!({ "playbooks": null }), json!({ "playbooks": null }));
    admin.put("/config/patch", gone).await.expect(200);
    let other = change(json!({ "playbooks.site": { "size": 1 } }), json!({}));
    for _ in 0..2 {
        let refused = admin.put("/config/patch", other.clone()).await;
        refused.expect_refusal(400, "api.config.plugin_variable.app_error");
        assert!(refused.text().contains("playbooks.site") && !refused.text().contains("canary"), "{}", refused.text());
        admin.post("/config/reload", json!({})).await.expect(200);
    }
    admin.put("/config/patch", change(json!({ "playbooks": { "size": 1 } }), json!({}))).await.expect(200);
    assert_eq!(admin.setting("PluginSettings.Plugins").await["playbooks"]["site_url"], PLACEHOLDER);
}

#[actix_web::test]
async fn a_rollback_names_the_setting_of_a_plugin_that_a_variable_overrides() {
    let name = "MM_PLUGINSETTINGS_PLUGINS_PLAYBOOKS_SITE_URL";
    let variable = (name.to_owned(), "https://pinned.example".to_owned());
    let server = TestServer::start_in("", &|_| vec![variable.clone()]).await;
    let admin = server.admin().await;
    let path = "PluginSettings.Plugins";
    let version = async |size: u64| {
        let reply = admin.set(path, json!({ "playbooks": { "size": size } })).await;
        reply.expect(200);
        version_of(&reply)
    };
    let [same, other] = [version(1).await, version(2).await];
    version(3).await;
    // This version is from a time without the variable.
    let stored = "replace(value, '\"size\": 2', '\"site_url\": \"https://earlier.example\", \"size\": 2')";
    server.execute(&format!("UPDATE configurations SET value = {stored} WHERE id = '{other}'")).await;
    for (version, size, header) in
        [(same, 1, String::new()), (other, 2, format!("{path}.playbooks.site_url;pinned:{name}"))]
    {
        let reply = admin.post(&format!("/config/versions/{version}/rollback"), json!({})).await;
        reply.expect(200);
        assert_eq!(reply.header(HEADER), header);
        let expected = json!({ "playbooks": { "site_url": PLACEHOLDER, "size": size } });
        assert_eq!(admin.setting(path).await, expected);
    }
}
