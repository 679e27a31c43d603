//! `/teams/{team_id}/image`: pictures of teams.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::pictures::{form, is_png, picture, upload};
use crate::support::teams::{closed_team, newcomer, open_team};
use crate::support::trail::newest_in;
use crate::support::websocket::{WebSocket, quiet};

const NONE: &str = "api.team.get_team_icon.read_file.app_error";
const PERMISSIONS: &str = "api.context.permissions.app_error";
const SESSION: &str = "api.context.session_expired.app_error";

#[actix_web::test]
async fn a_picture_of_a_team_is_stored_shown_announced_and_removed() {
    let server = quiet("").await;
    let admin = server.admin().await;
    let (bert, carl) = (server.user(&admin, "bert").await, server.user(&admin, "carl").await);
    let team = admin.found(closed_team("crew")).await;
    admin.post(&format!("/teams/{team}/members"), newcomer(&team, &bert)).await.expect(201);
    let path = format!("/teams/{team}/image");
    bert.get(&path).await.expect_refusal(404, NONE);
    let mut socket = WebSocket::of(&bert, "").await;
    upload(&admin, &path, form("image", &picture(200))).await.expect_ok();
    let told = socket.event_named("update_team").await;
    let shown: Value = serde_json::from_str(told["data"]["team"].as_str().unwrap()).unwrap();
    let at = shown["last_team_icon_update"].as_i64().unwrap();
    assert!(at > 0 && shown["invite_id"] == "" && shown["email"] == "", "{shown}");
    let first = bert.get(&path).await;
    assert!(is_png(&first), "{first:?}");
    assert_eq!(
        (first.header("etag"), first.header("cache-control")),
        (at.to_string(), "max-age=86400, private".into())
    );
    let again = bert.send(Method::GET, &path, None, &[("If-None-Match", &at.to_string())]).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let stored = server.folder().join(format!("files/teams/{team}/teamIcon.png"));
    assert_eq!(std::fs::read(&stored).unwrap(), first.body, "at the place of Mattermost");
    carl.get(&path).await.expect_refusal(403, PERMISSIONS);
    admin.audits().await;
    assert_eq!(newest_in(server.folder(), "setTeamIcon").await["after"]["last_team_icon_update"], at);

    upload(&admin, &path, form("image", &picture(20))).await.expect_ok();
    let second = bert.get(&path).await;
    assert!(second.body != first.body && second.header("etag") != first.header("etag"));

    admin.delete(&path).await.expect_ok();
    bert.get(&path).await.expect_refusal(404, NONE);
    assert!(!stored.exists());
    assert_eq!(admin.get(&format!("/teams/{team}")).await.expect(200)["last_team_icon_update"], Value::Null);
    admin.audits().await;
    assert_eq!(newest_in(server.folder(), "removeTeamIcon").await["after"]["last_team_icon_update"], 0);

    // A team that is deleted leaves no picture behind.
    upload(&admin, &path, form("image", &picture(7))).await.expect_ok();
    assert!(stored.exists());
    admin.put("/config/patch", json!({ "ServiceSettings": { "EnableAPITeamDeletion": true } })).await.expect(200);
    admin.delete(&format!("/teams/{team}?permanent=true")).await.expect_ok();
    assert!(!stored.exists());
}

#[actix_web::test]
async fn pictures_of_teams_are_refused_in_the_order_of_the_contract() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let team = admin.found(open_team("crew")).await;
    let (path, nobody) = (format!("/teams/{team}/image"), format!("/teams/{}/image", "x".repeat(26)));
    let good = form("image", &picture(1));
    server.client().get(&path).await.expect_refusal(401, SESSION);
    upload(&server.client(), &path, good.clone()).await.expect_refusal(401, SESSION);
    server.client().delete(&path).await.expect_refusal(401, SESSION);
    bert.get(&path).await.expect_refusal(404, NONE);
    upload(&bert, &path, b"--".to_vec()).await.expect_refusal(403, PERMISSIONS);
    bert.delete(&path).await.expect_refusal(403, PERMISSIONS);
    for refused in [admin.get(&nobody).await, upload(&admin, &nobody, good.clone()).await, admin.delete(&nobody).await]
    {
        refused.expect_refusal(404, "app.team.get.find.app_error");
    }
    admin.get("/teams/short/image").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    let cut = good[..good.len() - 20].to_vec();
    upload(&admin, &path, cut).await.expect_refusal(400, "api.team.set_team_icon.parse.app_error");
    let other = form("picture", &picture(1));
    upload(&admin, &path, other).await.expect_refusal(400, "api.team.set_team_icon.no_file.app_error");
    for content in [b"".as_slice(), b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a"] {
        let refused = upload(&admin, &path, form("image", content)).await;
        refused.expect_refusal(400, "api.team.set_team_icon.decode.app_error");
    }
    let large = upload(&admin, &path, form("image", &vec![0; 9 << 20])).await;
    large.expect_refusal(413, "api.context.request_body_too_large.app_error");
    bert.get(&path).await.expect_refusal(404, NONE);
    // A picture of Mattermost is shown, also one that the store lost is no more than absent.
    server.execute("UPDATE teams SET lastteamiconupdate = 1700000000000").await;
    bert.get(&path).await.expect_refusal(404, NONE);
    let folder = server.folder().join(format!("files/teams/{team}"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("teamIcon.png"), b"\x89PNG\r\n of Mattermost").unwrap();
    let shown = bert.get(&path).await;
    assert!(is_png(&shown) && shown.header("etag") == "1700000000000", "{shown:?}");
}
