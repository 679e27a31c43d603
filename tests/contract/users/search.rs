//! `POST /users/search`.

use serde_json::{Value, json};

use super::{names, server_with_bert};
use crate::support::waiting::until;
use crate::support::{Client, TestServer};

#[actix_web::test]
async fn the_term_is_a_part_of_a_name_or_an_address() {
    let (_server, _admin, bert) = server_with_bert("").await;
    let names_of_bert = json!({ "nickname": "Bee", "first_name": "Robert", "last_name": "Königs_1" });
    bert.put("/users/me/patch", names_of_bert).await.expect(200);
    for term in [
        "BER",
        "@bert",
        "bee",
        "obe",
        "ert",
        "r",
        "ee",
        "königs",
        "KÖNIGS",
        "nig",
        "bert@chat",
        "robert kön",
        "gs_",
        "bee*",
    ] {
        assert_eq!(found(&bert, json!({ "term": term })).await, ["bert"], "{term}");
    }
    for term in ["robert admin", "gs%1", "n_gs", "%", "\\", "gs\\_", "ert@ch bex", "rtbee"] {
        assert_eq!(found(&bert, json!({ "term": term })).await, [""; 0], "{term}");
    }
    for term in ["chat.example", "@", "*", "e"] {
        assert_eq!(found(&bert, json!({ "term": term })).await, ["admin", "bert"], "{term}");
    }
}

#[actix_web::test]
async fn a_search_finds_what_each_change_left_at_once() {
    let (server, admin, bert) = server_with_bert("[ServiceSettings]\nEnableAPIUserDeletion = true\n").await;
    let carl = server.user(&admin, "carl").await;
    bert.put("/users/me/patch", json!({ "last_name": "Quixote" })).await.expect(200);
    assert_eq!(found(&admin, json!({ "term": "uixot" })).await, ["bert"]);
    bert.put("/users/me/patch", json!({ "last_name": "Panza", "username": "norbert" })).await.expect(200);
    assert_eq!(found(&admin, json!({ "term": "uixot" })).await, [""; 0]);
    assert_eq!(found(&admin, json!({ "term": "anz" })).await, ["norbert"]);
    let whole = json!({ "id": bert.user_id, "username": "sancho", "email": "bert@chat.example" });
    admin.put(&format!("/users/{}", bert.user_id), whole).await.expect(200);
    assert_eq!(found(&admin, json!({ "term": "anz" })).await, [""; 0]);
    assert_eq!(found(&admin, json!({ "term": "anch" })).await, ["sancho"]);
    admin.delete(&format!("/users/{}?permanent=true", carl.user_id)).await.expect_ok();
    assert_eq!(found(&admin, json!({ "term": "car", "allow_inactive": true })).await, [""; 0]);
}

#[actix_web::test]
async fn accounts_that_another_program_wrote_are_found_too() {
    let (server, admin, bert) = server_with_bert("").await;
    let at = quarterdeck_actors::clock::wall_ms();
    server
        .execute(&format!("UPDATE users SET lastname = 'Dulcinea', updateat = {at} WHERE id = '{}'", bert.user_id))
        .await;
    let insertion = "INSERT INTO users (id, username, email, firstname, lastname, nickname, createat, updateat, deleteat, \
                     authservice, password, roles, locale, position, props, notifyprops, timezone) VALUES \
                     ('directdirectdirectdirectdi', 'rocinante', 'r@chat.example', '', '', '', 1,";
    server.execute(&format!("{insertion} {at}, 0, '', '', 'system_user', 'en', '', '{{}}', '{{}}', '{{}}')")).await;
    for (term, expected) in [("ulcin", "bert"), ("ocina", "rocinante")] {
        until(term, async || found(&admin, json!({ "term": term })).await == [expected]).await;
    }
}

#[actix_web::test]
async fn what_is_hidden_is_not_searched_for_those_from_whom_it_is_hidden() {
    let hidden = "[PrivacySettings]\nShowEmailAddress = false\nShowFullName = false\n";
    let (server, admin, bert) = server_with_bert(hidden).await;
    let carl = server.user(&admin, "carl").await;
    carl.put("/users/me/patch", json!({ "first_name": "Zed" })).await.expect(200);
    for term in ["zed", "carl@"] {
        assert_eq!(found(&admin, json!({ "term": term })).await, ["carl"], "{term}");
        assert_eq!(found(&bert, json!({ "term": term })).await, [""; 0], "{term}");
    }
    assert_eq!(found(&bert, json!({ "term": "carl" })).await, ["carl"]);
    for term in ["carl", "bert"] {
        // The row of the caller is shown as to others, too.
        let row = &bert.post("/users/search", json!({ "term": term })).await.expect(200)[0];
        assert_eq!((row["email"].as_str(), row.get("notify_props")), (Some(""), None), "{term}");
    }
}

#[actix_web::test]
async fn a_search_can_be_narrowed_and_widened() {
    let (server, admin, bert) = server_with_bert("").await;
    let anna = server.user(&admin, "anna").await;
    let team = "teamteamteamteamteamteamte";
    join(&server, team, &bert).await;
    join(&server, team, &anna).await;
    admin.delete(&format!("/users/{}", anna.user_id)).await.expect_ok();
    let everybody = |more: Value| {
        let mut body = json!({ "term": "@" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    assert_eq!(found(&admin, everybody(json!({}))).await, ["admin", "bert"]);
    assert_eq!(found(&admin, everybody(json!({ "allow_inactive": true }))).await, ["admin", "anna", "bert"]);
    assert_eq!(found(&admin, everybody(json!({ "limit": 1 }))).await, ["admin"]);
    assert_eq!(found(&bert, everybody(json!({ "team_id": team, "roles": null }))).await, ["bert"]);
    assert_eq!(found(&bert, everybody(json!({ "not_in_team_id": team }))).await, ["admin"]);
    assert_eq!(found(&admin, everybody(json!({ "without_team": true }))).await, ["admin"]);
    assert_eq!(found(&bert, everybody(json!({ "role": "system_admin" }))).await, ["admin"]);
    assert_eq!(found(&bert, everybody(json!({ "roles": ["system_user"] }))).await, ["bert"]);
    assert_eq!(found(&bert, everybody(json!({ "roles": ["No Role"], "unknown": [] }))).await, ["admin", "bert"]);
}

#[actix_web::test]
async fn a_search_is_refused_in_the_order_of_body_term_team_limit() {
    let (_server, _admin, bert) = server_with_bert("").await;
    let team = "teamteamteamteamteamteamte";
    let refused = [
        (json!([]), 400, "api.context.invalid_body_param.app_error"),
        (json!({ "term": "", "team_id": team }), 400, "api.context.invalid_body_param.app_error"),
        (json!({ "term": "b", "not_in_channel_id": team }), 400, "api.context.invalid_body_param.app_error"),
        (json!({ "term": "b", "in_group_id": team }), 400, "api.context.invalid_body_param.app_error"),
        (json!({ "term": "b", "group_constrained": true }), 400, "api.context.invalid_body_param.app_error"),
        (json!({ "term": "b", "in_channel_id": team }), 403, "api.context.permissions.app_error"),
        (json!({ "term": "b", "team_id": team, "limit": -1 }), 403, "api.context.permissions.app_error"),
        (json!({ "term": "b", "not_in_team_id": team }), 403, "api.context.permissions.app_error"),
        (json!({ "term": "b", "without_team": true }), 403, "api.context.permissions.app_error"),
        (json!({ "term": "b", "limit": -1 }), 400, "api.context.invalid_body_param.app_error"),
        (json!({ "term": "b", "limit": 1001 }), 400, "api.context.invalid_body_param.app_error"),
    ];
    for (body, status, id) in refused {
        bert.post("/users/search", body).await.expect_refusal(status, id);
    }
}

#[actix_web::test]
async fn a_term_of_very_many_words_is_answered() {
    let (_server, _admin, bert) = server_with_bert("").await;
    assert_eq!(found(&bert, json!({ "term": "bert ".repeat(50_000) })).await, ["bert"]);
}

#[actix_web::test]
async fn a_word_longer_than_any_name_finds_nobody() {
    let (_server, admin, bert) = server_with_bert("").await;
    for length in [1_001, 100_000] {
        let word = "b".repeat(length);
        assert_eq!(found(&bert, json!({ "term": word })).await, Vec::<String>::new());
        assert_eq!(found(&bert, json!({ "term": "b", "role": word })).await, Vec::<String>::new());
        let tokens = admin.post("/users/tokens/search", json!({ "term": word })).await;
        assert_eq!(tokens.expect(200), json!([]));
    }
}

async fn found(client: &Client, body: Value) -> Vec<String> {
    let users = client.post("/users/search", body).await.expect(200);
    names(&users).into_iter().map(str::to_owned).collect()
}

async fn join(server: &TestServer, team: &str, user: &Client) {
    let id = &user.user_id;
    let sql = format!("INSERT INTO teammembers (teamid, userid, deleteat) VALUES ('{team}', '{id}', 0)");
    server.execute(&sql).await;
}
