//! The rules for the members of an account, for new and for changed ones.

use serde_json::{Value, json};

use super::server_with_bert;
use crate::support::server::account;

fn with(name: &str, member: &str, value: Value) -> Value {
    let mut body = account(name);
    body[member] = value;
    body
}

#[actix_web::test]
async fn a_locale_is_supported_when_an_account_is_made_and_known_when_it_changes() {
    let (_server, admin, bert) = server_with_bert("[LocalizationSettings]\nDefaultClientLocale = \"fr\"\n").await;
    for (number, (given, expected)) in
        [("de", "de"), ("pt-BR", "pt-BR"), ("zzzzzzzz", "fr"), ("xx", "fr"), ("de_AT", "fr"), ("", "fr")]
            .iter()
            .enumerate()
    {
        let made = admin.post("/users", with(&format!("user{number}"), "locale", json!(given))).await.expect(201);
        assert_eq!(made["locale"], *expected, "{given}");
    }
    for given in ["de_AT", "en", "haw"] {
        assert_eq!(bert.put("/users/me/patch", json!({ "locale": given })).await.expect(200)["locale"], given);
    }
    for given in ["xx", "zz", "zzzzzzzz", "de-XX"] {
        let refused = bert.put("/users/me/patch", json!({ "locale": given })).await;
        refused.expect_refusal(400, "model.user.is_valid.locale.app_error");
    }
}

#[actix_web::test]
async fn a_time_zone_exists() {
    let (_server, admin, bert) = server_with_bert("").await;
    let zone = |name: &str| json!({ "useAutomaticTimezone": "false", "manualTimezone": name, "automaticTimezone": "" });
    for name in ["Europe/Kyiv", "Europe/Kiev", "America/Ciudad_Juarez", "Asia/Qostanay", "Pacific/Kanton", "UTC", ""] {
        let changed = bert.put("/users/me/patch", json!({ "timezone": zone(name) })).await.expect(200);
        assert_eq!(changed["timezone"]["manualTimezone"], name);
    }
    for name in ["Mars/Olympus_Mons", "europe/kyiv", "Europe"] {
        let refused = bert.put("/users/me/patch", json!({ "timezone": zone(name) })).await;
        refused.expect_refusal(400, "api.context.invalid_body_param.app_error");
        let refused = admin.post("/users", with("new", "timezone", zone(name))).await;
        refused.expect_refusal(400, "api.context.invalid_body_param.app_error");
    }
}

#[actix_web::test]
async fn notification_settings_never_vanish() {
    let (_server, admin, bert) = server_with_bert("").await;
    let before = bert.get("/users/me").await.expect(200)["notify_props"].clone();
    for body in [json!({ "notify_props": {} }), json!({ "notify_props": null })] {
        assert_eq!(bert.put("/users/me/patch", body).await.expect(200)["notify_props"], before);
    }
    let whole = json!({ "id": bert.user_id, "username": "bert", "email": "bert@chat.example", "notify_props": {} });
    assert_eq!(bert.put("/users/me", whole).await.expect(200)["notify_props"], before);
    let made = admin.post("/users", with("new", "notify_props", json!({}))).await.expect(201);
    assert_eq!(made["notify_props"], before);
}

#[actix_web::test]
async fn names_lose_the_characters_that_cannot_be_seen() {
    let (server, admin, bert) = server_with_bert("[TeamSettings]\nEnableOpenServer = true\n").await;
    let hidden =
        ["\u{340}", "\u{17A3}", "\u{2028}", "\u{202E}", "\u{206A}", "\u{FEFF}", "\u{FFFC}", "\u{1D173}", "\u{E007F}"];
    for (number, hidden) in hidden.iter().enumerate() {
        let name = format!("a{hidden}b{number}");
        let mut body = account(&format!("x{number}"));
        body["username"] = json!(name);
        let made = server.client().post("/users", body).await.expect(201);
        assert_eq!(made["username"], format!("ab{number}"), "{name:?}");
        let names = json!({ "first_name": name, "last_name": name, "nickname": name });
        let changed = bert.put("/users/me/patch", names).await.expect(200);
        for member in ["first_name", "last_name", "nickname"] {
            assert_eq!(changed[member], format!("ab{number}"), "{member} {name:?}");
        }
    }
    let team = json!({ "name": "crew", "display_name": "Cr\u{202E}ew", "type": "O" });
    assert_eq!(admin.post("/teams", team).await.expect(201)["display_name"], "Crew");
}

#[actix_web::test]
async fn addresses_keep_to_the_rules_of_mail_and_may_have_slashes() {
    let (server, admin, bert) = server_with_bert("").await;
    for email in ["john..doe@example.com", "email.@domain.com", ".a@b.example", "a@b..example", "a@b.example."] {
        let refused = admin.post("/users", with("new", "email", json!(email))).await;
        refused.expect_refusal(400, "model.user.is_valid.email.app_error");
        let path = format!("/users/{}/patch", bert.user_id);
        let refused = admin.put(&path, json!({ "email": email })).await;
        refused.expect_refusal(400, "model.user.is_valid.email.app_error");
    }
    admin.post("/users", with("slash", "email", json!("a/b/c@chat.example"))).await.expect(201);
    for path in
        ["/users/email/a/b/c@chat.example", "/users/email/a%2Fb%2Fc@chat.example", "/users/email/A/B/C@chat.example"]
    {
        assert_eq!(admin.get(path).await.expect(200)["username"], "slash", "{path}");
    }
    admin.get("/users/email/a/b@chat.example").await.expect_refusal(404, "app.user.missing_account.const");
    // An address that is older than the rule stays until it is changed.
    server.execute(&format!("UPDATE users SET email = 'be..rt@chat.example' WHERE id = '{}'", bert.user_id)).await;
    bert.put("/users/me/patch", json!({ "nickname": "b" })).await.expect(200);
}

#[actix_web::test]
async fn a_theme_has_colours_only() {
    let (_server, _admin, bert) = server_with_bert("").await;
    let theme = |value: &str| json!([{ "user_id": bert.user_id, "category": "theme", "name": "", "value": value }]);
    bert.put("/users/me/preferences", theme(r##"{"type":"x","a":"#123","b":"javascript:1"}"##)).await.expect_ok();
    let stored = bert.get("/users/me/preferences/theme").await.expect(200)[0]["value"].clone();
    assert_eq!(stored, r##"{"a":"#123","b":"#ffffff","type":"x"}"##);
}
