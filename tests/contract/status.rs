//! `/users/{user_id}/status` and `/users/status/ids`.

use serde_json::{Value, json};

use crate::support::{Client, TestServer};

#[actix_web::test]
async fn who_never_had_a_status_is_offline_and_so_is_who_does_not_exist() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let nobody = "x".repeat(26);
    for id in [&admin.user_id, &nobody] {
        let status = admin.get(&format!("/users/{id}/status")).await.expect(200);
        let offline =
            json!({ "user_id": id, "status": "offline", "manual": false, "last_activity_at": 0, "dnd_end_time": 0 });
        assert_eq!(status, offline);
    }
    admin.get("/users/short/status").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    server.client().get("/users/me/status").await.expect_refusal(401, "api.context.session_expired.app_error");
}

#[actix_web::test]
async fn a_status_set_by_hand_is_seen_by_others_and_online_is_never_manual() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    for (status, is_manual) in [("away", true), ("offline", true), ("dnd", true), ("online", false)] {
        let set = bert.put("/users/me/status", wish(&bert, status)).await.expect(200);
        assert_eq!((&set["status"], &set["manual"]), (&json!(status), &json!(is_manual)));
        assert_eq!(admin.get(&format!("/users/{}/status", bert.user_id)).await.expect(200), set);
    }
}

#[actix_web::test]
async fn do_not_disturb_ends_at_a_full_minute_and_one_that_is_over_does_not_hold() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.put("/users/me/status", wish(&admin, "away")).await.expect(200);
    let until = |seconds: i64| json!({ "user_id": admin.user_id, "status": "dnd", "dnd_end_time": seconds });
    let set = admin.put("/users/me/status", until(4_102_444_859)).await.expect(200);
    assert_eq!((&set["status"], &set["dnd_end_time"]), (&json!("dnd"), &json!(4_102_444_800_i64)));
    let over = admin.put("/users/me/status", until(1_000_000)).await.expect(200);
    assert_eq!((&over["status"], &over["dnd_end_time"]), (&json!("away"), &json!(0)));
}

#[actix_web::test]
async fn a_status_is_refused_for_a_wrong_user_then_for_want_of_permission_then_for_a_wrong_word() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let theirs = format!("/users/{}/status", admin.user_id);
    let invalid = "api.context.invalid_body_param.app_error";
    server.client().put(&theirs, json!({})).await.expect_refusal(401, "api.context.session_expired.app_error");
    bert.put(&theirs, json!([])).await.expect_refusal(400, invalid);
    bert.put(&theirs, wish(&bert, "nowhere")).await.expect_refusal(400, invalid);
    bert.put(&theirs, wish(&admin, "nowhere")).await.expect_refusal(403, "api.context.permissions.app_error");
    for status in ["nowhere", "ooo", ""] {
        admin.put(&theirs, wish(&admin, status)).await.expect_refusal(400, invalid);
    }
    admin.put(&format!("/users/{}/status", bert.user_id), wish(&bert, "away")).await.expect(200);
}

#[actix_web::test]
async fn statuses_of_several_people_are_read_at_once() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    bert.put("/users/me/status", wish(&bert, "away")).await.expect(200);
    let body = json!([admin.user_id, bert.user_id, bert.user_id]);
    let found = admin.post("/users/status/ids", body).await.expect(200);
    let word =
        |id: &str| found.as_array().unwrap().iter().find(|status| status["user_id"] == id).unwrap()["status"].clone();
    assert_eq!(
        (found.as_array().unwrap().len(), word(&admin.user_id), word(&bert.user_id)),
        (2, json!("offline"), json!("away"))
    );
    for body in [json!([]), json!({}), json!(["short"]), json!([1])] {
        admin.post("/users/status/ids", body).await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    }
    let nobody = server.client().post("/users/status/ids", json!([bert.user_id])).await;
    nobody.expect_refusal(401, "api.context.session_expired.app_error");
}

#[actix_web::test]
async fn without_statuses_nobody_has_one() {
    let server = TestServer::start_with("[ServiceSettings]\nEnableUserStatuses = false\n").await;
    let admin = server.admin().await;
    admin.get("/users/me/status").await.expect_refusal(404, "api.status.user_not_found.app_error");
    let refused = admin.put("/users/me/status", wish(&admin, "away")).await;
    refused.expect_refusal(404, "api.status.user_not_found.app_error");
    assert_eq!(admin.post("/users/status/ids", json!([admin.user_id])).await.expect(200), json!([]));
}

fn wish(client: &Client, status: &str) -> Value {
    json!({ "user_id": client.user_id, "status": status })
}
