//! The errors for a written configuration, and their order.

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{EXPIRED, FORBIDDEN};
use crate::support::configuration::{named, nested};
use crate::support::{Client, Reply, TestServer};

const INVALID: &str = "api.context.invalid_body_param.app_error";
const ROUTES: [&str; 2] = ["/config", "/config/patch"];

#[actix_web::test]
async fn a_body_is_looked_at_before_permissions_and_after_the_session() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let reader = server.staff(&admin, "rita", "system_read_only_admin").await;
    for route in ROUTES {
        for body in ["", " ", "null", "[]", "[{}]", "{", "\"text\"", "1", r#"{"TeamSettings": 1}"#] {
            raw(&server.client(), route, body).await.expect_refusal(401, EXPIRED);
            for client in [&bert, &reader, &admin] {
                raw(client, route, body).await.expect_refusal(400, INVALID);
            }
        }
        bert.put(route, json!({})).await.expect_refusal(403, FORBIDDEN);
        reader.put(route, json!({})).await.expect_refusal(403, FORBIDDEN);
        admin.put(route, json!({})).await.expect(200);
    }
}

#[actix_web::test]
async fn a_body_that_is_too_large_is_refused_unread() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    for route in ROUTES {
        let body = nested("TeamSettings.CustomBrandText", "x".repeat(300_600));
        for client in [&admin, &bert] {
            let reply = client.put(route, body.clone()).await;
            reply.expect_refusal(413, "api.context.request_body_too_large.app_error");
        }
    }
}

#[actix_web::test]
async fn a_value_of_another_kind_is_named_and_nothing_is_converted() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let wrong = [
        ("PasswordSettings.MinimumLength", json!("9")),
        ("PasswordSettings.MinimumLength", json!(9.0)),
        ("TeamSettings.EnableOpenServer", json!(1)),
        ("TeamSettings.SiteName", json!(["one"])),
        ("DisplaySettings.CustomURLSchemes", json!([1])),
        ("PluginSettings.Plugins", json!([])),
        ("MessageExportSettings.GlobalRelaySettings", json!("text")),
    ];
    for (path, value) in wrong {
        for route in ROUTES {
            let reply = admin.put(route, nested(path, value.clone())).await;
            reply.expect_refusal(400, INVALID);
            let errors = &reply.json()["errors"];
            assert!(named(errors, "pointer")[0].starts_with(&format!("/{}", path.replace('.', "/"))), "{errors}");
            assert_eq!(errors[0]["id"], "api.config.wrong_type.app_error");
        }
    }
    let two = json!({ "TeamSettings": { "SiteName": 1 }, "PasswordSettings": { "MinimumLength": "x" } });
    let errors = admin.put("/config/patch", two).await.json()["errors"].clone();
    assert_eq!(named(&errors, "pointer"), ["/PasswordSettings/MinimumLength", "/TeamSettings/SiteName"]);
    assert_eq!(admin.versions().await, Vec::<Value>::new());
}

#[actix_web::test]
async fn all_broken_rules_are_told_at_once_and_the_first_is_the_refusal() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let broken = json!({
        "ServiceSettings": { "SiteURL": "chat.example" },
        "TeamSettings": { "MaxUsersPerTeam": 0, "SiteName": "x".repeat(31) },
        "PasswordSettings": { "MinimumLength": 4 },
    });
    let whole = admin.config().await;
    for route in ROUTES {
        let mut body = if route == "/config" { whole.clone() } else { json!({}) };
        for (section, settings) in broken.as_object().unwrap() {
            for (key, value) in settings.as_object().unwrap() {
                body[section][key] = value.clone();
            }
        }
        let reply = admin.put(route, body).await;
        let refusal = reply.expect(400);
        let errors = &refusal["errors"];
        assert_eq!((&refusal["id"], &refusal["message"]), (&errors[0]["id"], &errors[0]["message"]));
        let mut pointers = named(errors, "pointer");
        pointers.sort();
        let expected = [
            "/PasswordSettings/MinimumLength",
            "/ServiceSettings/SiteURL",
            "/TeamSettings/MaxUsersPerTeam",
            "/TeamSettings/SiteName",
        ];
        assert_eq!(pointers, expected);
    }
    assert_eq!(admin.config().await, whole, "a refused change changes nothing");
    assert_eq!(admin.versions().await, Vec::<Value>::new());
}

#[actix_web::test]
async fn unknown_keys_are_told_and_cost_nothing_else() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let body = json!({ "Quux": {}, "TeamSettings": { "SiteNam": "x", "SiteName": "one" } });
    let reply = admin.put("/config/patch", body).await;
    reply.expect(200);
    assert_eq!(reply.header("x-config-unknown"), "/Quux /TeamSettings/SiteNam");
    assert_eq!(admin.setting("TeamSettings.SiteName").await, "one");
    let mut whole = admin.config().await;
    whole["TeamSettings"]["SiteName"] = json!("two");
    whole["Ünknown key"] = json!(1);
    let reply = admin.put("/config", whole).await;
    assert_eq!(reply.expect(200)["TeamSettings"]["SiteName"], "two");
    assert_eq!(reply.header("x-config-unknown"), "/%C3%9Cnknown%20key");
    let many: Map<String, Value> = (0..2_000).map(|number| (format!("Unknown{number}"), Value::Null)).collect();
    let reply = admin.put("/config/patch", Value::Object(many)).await;
    reply.expect(200);
    let told = reply.header("x-config-unknown");
    assert!(told.len() < 4_200 && told.ends_with(" ..."), "{told}");
    let reply = admin.set("TeamSettings.SiteName", "three").await;
    assert_eq!(reply.headers.get("x-config-unknown"), None);
}

#[actix_web::test]
async fn a_site_url_that_was_set_is_not_cleared() {
    const REFUSAL: &str = "api.config.update_config.clear_siteurl.app_error";
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let path = "ServiceSettings.SiteURL";
    admin.set(path, "").await.expect(200);
    admin.set(path, "https://chat.example").await.expect(200);
    admin.set(path, "").await.expect_refusal(400, REFUSAL);
    admin.set(path, Value::Null).await.expect(200);
    let whole = admin.config().await;
    for empty in [json!(""), Value::Null] {
        let mut body = whole.clone();
        body["ServiceSettings"]["SiteURL"] = empty;
        admin.put("/config", body).await.expect_refusal(400, REFUSAL);
    }
    admin.put("/config", json!({})).await.expect_refusal(400, REFUSAL);
    assert_eq!(admin.setting(path).await, "https://chat.example");
}

#[actix_web::test]
async fn autocompletion_needs_a_search_engine() {
    const REFUSAL: &str = "api.config.update.elasticsearch.autocomplete_cannot_be_enabled_error";
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let path = "ElasticsearchSettings.EnableAutocomplete";
    admin.set(path, true).await.expect_refusal(400, REFUSAL);
    let mut whole = admin.config().await;
    whole["ElasticsearchSettings"]["EnableAutocomplete"] = json!(true);
    admin.put("/config", whole).await.expect_refusal(400, REFUSAL);
    assert_eq!(admin.setting(path).await, false);
}

async fn raw(client: &Client, route: &str, body: &str) -> Reply {
    client.send(Method::PUT, route, Some(body.to_owned()), &[]).await
}
