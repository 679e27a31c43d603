//! `POST /teams/{team_id}/invite/email`.

use serde_json::json;

use crate::support::TestServer;
use crate::support::teams::{closed_team, newcomer};

const PERMISSIONS: &str = "api.context.permissions.app_error";

#[actix_web::test]
async fn an_invitation_by_mail_is_refused_with_the_reason() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (bert, carl) = (server.user(&admin, "bert").await, server.user(&admin, "carl").await);
    let team = admin.found(closed_team("crew")).await;
    admin.post(&format!("/teams/{team}/members"), newcomer(&team, &bert)).await.expect(201);
    let path = format!("/teams/{team}/invite/email");
    let one = json!(["dora@chat.example"]);
    server.client().post(&path, one.clone()).await.expect_refusal(401, "api.context.session_expired.app_error");
    carl.post(&path, one.clone()).await.expect_refusal(403, PERMISSIONS);
    let invalid = "api.team.invite_members_to_team_and_channels.invalid_body.app_error";
    for body in [json!([1]), json!({ "emails": 7 }), json!("x")] {
        bert.post(&path, body).await.expect_refusal(400, invalid);
    }
    for body in [json!([]), json!({})] {
        bert.post(&path, body).await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    }
    let refused = admin.post(&path, one.clone()).await;
    refused.expect_refusal(400, "api.team.invite_members.unable_to_send_email.app_error");
    let unknown = format!("/teams/{}/invite/email", "x".repeat(26));
    admin.post(&unknown, one.clone()).await.expect_refusal(404, "app.team.get.find.app_error");
    let off = json!({ "ServiceSettings": { "EnableEmailInvitations": false } });
    admin.put("/config/patch", off).await.expect(200);
    for body in [one, json!({ "emails": ["dora@chat.example"] })] {
        let refused = bert.post(&format!("{path}?graceful=1"), body).await;
        refused.expect_refusal(501, "api.team.invite_members.disabled.app_error");
    }
}
