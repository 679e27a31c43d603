//! `/users/{user_id}/image`: pictures of accounts.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::pictures::{form, is_png, picture, upload};
use crate::support::websocket::WebSocket;

/// A picture of 2 x 1 pixels: red and blue.
const PNG: &str = "89504e470d0a1a0a0000000d4948445200000002000000010802000000\
                   7b40e8dd0000000f49444154789c63f8cfc0c0f01f0008fe02fe7f4f6a0b0000000049454e44ae426082";
const UNREAD: &str = "api.user.upload_profile_user.decode_config.app_error";

#[actix_web::test]
async fn a_user_without_a_picture_has_one_drawn_from_the_id() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let path = format!("/users/{}/image", bert.user_id);
    server.client().get(&path).await.expect_refusal(401, "api.context.session_expired.app_error");
    let drawn = admin.get(&format!("{path}?_=0")).await;
    assert!(is_png(&drawn), "{drawn:?}");
    assert_eq!((drawn.header("etag"), drawn.header("cache-control")), ("0".into(), "max-age=86400, private".into()));
    assert_eq!(bert.get("/users/me/image").await.body, drawn.body);
    assert_eq!(admin.get(&format!("{path}/default")).await.body, drawn.body);
    assert_ne!(admin.get("/users/me/image").await.body, drawn.body, "each account has its own");
    for known in ["0", "W/\"0\"", "\"x\", \"0\"", "*"] {
        let again = admin.send(Method::GET, &path, None, &[("If-None-Match", known)]).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{known}");
    }
    admin.get("/users/short/image").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    let nobody = format!("/users/{}/image", "x".repeat(26));
    admin.get(&nobody).await.expect_refusal(404, "app.user.missing_account.const");
}

#[actix_web::test]
async fn a_picture_is_stored_shown_announced_and_removed() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let mut socket = WebSocket::of(&admin, "").await;
    let path = format!("/users/{}/image", bert.user_id);
    let drawn = bert.get(&path).await;
    upload(&bert, "/users/me/image", form("image", &picture(200))).await.expect_ok();
    let event = socket.event_named("user_updated").await;
    let at = event["data"]["user"]["last_picture_update"].as_i64().unwrap();
    assert!(at > 0, "{event}");
    let shown = admin.get(&path).await;
    assert!(is_png(&shown) && shown.body != drawn.body);
    assert_eq!(shown.header("etag"), at.to_string());
    let stored = server.folder().join(format!("files/users/{}/profile.png", bert.user_id));
    assert_eq!(std::fs::read(&stored).unwrap(), shown.body, "at the place of Mattermost");

    // Another one takes its place.
    upload(&admin, &path, form("image", &picture(20))).await.expect_ok();
    let second = admin.get(&path).await;
    assert_ne!(second.body, shown.body);
    assert_ne!(second.header("etag"), shown.header("etag"));

    // A store that has lost it is no error.
    std::fs::remove_file(&stored).unwrap();
    let lost = admin.get(&path).await;
    assert_eq!((&lost.body, lost.header("cache-control")), (&drawn.body, "max-age=300, private".to_owned()));

    bert.delete("/users/me/image").await.expect_ok();
    let removed = admin.get(&path).await;
    assert_eq!((&removed.body, removed.header("etag")), (&drawn.body, "0".to_owned()));
    let user = admin.get(&format!("/users/{}", bert.user_id)).await.expect(200);
    assert_eq!(user["last_picture_update"], Value::Null);
}

#[actix_web::test]
async fn a_picture_that_was_uploaded_to_mattermost_is_shown() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let folder = server.folder().join(format!("files/users/{}", admin.user_id));
    std::fs::create_dir_all(&folder).unwrap();
    let bytes: Vec<u8> =
        (0..PNG.len() / 2).map(|at| u8::from_str_radix(&PNG[2 * at..2 * at + 2], 16).unwrap()).collect();
    std::fs::write(folder.join("profile.png"), &bytes).unwrap();
    // Mattermost stores a drawn picture without a time.
    let drawn = admin.get("/users/me/image/default").await.body;
    assert_eq!(admin.get("/users/me/image").await.body, drawn);
    server.execute("UPDATE users SET lastpictureupdate = 1700000000000").await;
    let uploaded = admin.get("/users/me/image").await;
    assert_eq!((&uploaded.body, uploaded.header("etag")), (&bytes, "1700000000000".to_owned()));
}

#[actix_web::test]
async fn pictures_are_refused_in_the_order_of_the_contract() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let of_admin = format!("/users/{}/image", admin.user_id);
    let good = form("image", &picture(1));
    upload(&server.client(), "/users/me/image", good.clone())
        .await
        .expect_refusal(401, "api.context.session_expired.app_error");
    upload(&bert, &of_admin, b"--".to_vec()).await.expect_refusal(403, "api.context.permissions.app_error");
    bert.delete(&of_admin).await.expect_refusal(403, "api.context.permissions.app_error");
    let cut = good[..good.len() - 20].to_vec();
    upload(&bert, "/users/me/image", cut).await.expect_refusal(400, "api.user.upload_profile_user.parse.app_error");
    let other = form("picture", &picture(1));
    upload(&bert, "/users/me/image", other).await.expect_refusal(400, "api.user.upload_profile_user.no_file.app_error");
    let nobody = format!("/users/{}/image", "x".repeat(26));
    upload(&admin, &nobody, good.clone()).await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    admin.delete(&nobody).await.expect_refusal(404, "app.user.missing_account.const");
    for content in [b"".as_slice(), b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a"] {
        upload(&bert, "/users/me/image", form("image", content)).await.expect_refusal(400, UNREAD);
    }
    let mut bomb = picture(1);
    bomb[18..22].copy_from_slice(&30_000_u32.to_le_bytes());
    bomb[22..26].copy_from_slice(&30_000_u32.to_le_bytes());
    let refused = upload(&bert, "/users/me/image", form("image", &bomb)).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    let large = upload(&bert, "/users/me/image", form("image", &vec![0; 9 << 20])).await;
    large.expect_refusal(413, "api.context.request_body_too_large.app_error");
    assert_eq!(bert.get("/users/me/image").await.header("etag"), "0", "nothing was stored");

    server.execute("UPDATE users SET authservice = 'ldap' WHERE username = 'bert'").await;
    admin.put("/config/patch", json!({ "LdapSettings": { "PictureAttribute": "photo" } })).await.expect(200);
    let refused = upload(&bert, "/users/me/image", good).await;
    refused.expect_refusal(409, "api.user.upload_profile_user.login_provider_attribute_set.app_error");
}
