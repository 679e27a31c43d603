//! `/users/{user_id}/status` and `/users/status/ids`.

use std::sync::Arc;

use quarterdeck::store::Db;
use quarterdeck_actors::presence::status::Status;
use quarterdeck_actors::presence::{Changes, PresenceStore};
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
    for body in [json!([]), json!(["short"])] {
        admin.post("/users/status/ids", body).await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    }
    for body in [json!({}), json!([1]), json!(null), json!("text")] {
        admin.post("/users/status/ids", body).await.expect_refusal(400, "api.payload.parse.error");
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

#[actix_web::test]
async fn a_batch_of_statuses_is_stored_as_a_whole_or_not_at_all() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let db = Db::new(&server.server.config().current().view.sql).unwrap().presence("node".to_owned());
    let ids: Vec<String> = (0..1500).map(|number| format!("{number:0>26}")).collect();
    let online =
        |id: &String| Status { presence: "online".to_owned(), last_activity_at: at(id), ..Status::unknown(id) };
    db.save(only(ids.iter().map(|id| Arc::new(online(id))).collect()), 0).await.unwrap();
    let found = admin.post("/users/status/ids", json!(ids)).await.expect(200);
    let is_stored = |status: &Value| {
        (&status["status"], status["last_activity_at"].as_i64())
            == (&json!("online"), Some(at(status["user_id"].as_str().unwrap())))
    };
    assert!(found.as_array().unwrap().iter().all(is_stored), "{found}");
    assert_eq!(found.as_array().unwrap().len(), 1500);

    server.execute("CREATE UNIQUE INDEX one_at_a_time ON status (lastactivityat)").await;
    let away = |id: &String| Status { presence: "away".to_owned(), ..online(id) };
    let clashing = Status { last_activity_at: at(&ids[9]), ..away(&ids[2]) };
    db.save(only(vec![Arc::new(away(&ids[1])), Arc::new(clashing)]), 0).await.unwrap_err();
    let stored = db.load(ids[..3].to_vec()).await.unwrap();
    assert!(stored.iter().all(|status| status.presence == "online"));
    db.save(only(vec![Arc::new(away(&ids[1]))]), 0).await.unwrap();
    assert_eq!(db.load(vec![ids[1].clone(), ids[1].clone()]).await.unwrap(), [away(&ids[1])]);
}

#[actix_web::test]
async fn activity_does_not_undo_what_was_set_by_hand_on_another_server_until_its_time_is_over() {
    let server = TestServer::start().await;
    let db = Db::new(&server.server.config().current().view.sql).unwrap().presence("node".to_owned());
    let id = "x".repeat(26);
    let unknown = Status::unknown(&id);
    let away = Status { presence: "away".to_owned(), ..unknown.clone() };
    let quiet = Status { presence: "dnd".to_owned(), manual: true, dnd_end_time: 60, ..unknown.clone() };
    let set_away = Status { manual: true, ..away.clone() };
    for (before, after, now, stored) in [
        (&unknown, &away, 0, &away),
        (&away, &quiet, 0, &quiet),
        (&quiet, &away, 59_999, &quiet),
        (&quiet, &away, 60_000, &away),
        (&quiet, &set_away, 0, &set_away),
        (&set_away, &away, i64::MAX, &set_away),
    ] {
        db.set(Arc::new(before.clone())).await.unwrap();
        db.save(only(vec![Arc::new(after.clone())]), now).await.unwrap();
        assert_eq!(db.load(vec![id.clone()]).await.unwrap(), std::slice::from_ref(stored));
    }
}

#[actix_web::test]
async fn those_left_behind_are_those_who_were_there_by_themselves_before() {
    let server = TestServer::start().await;
    let db = Db::new(&server.server.config().current().view.sql).unwrap().presence("node".to_owned());
    let rows =
        [("online", false, 4), ("away", false, 4), ("online", false, 5), ("away", true, 4), ("offline", false, 4)];
    let rows = rows.iter().enumerate().map(|(number, (presence, manual, at))| {
        let unknown = Status::unknown(&format!("{number:0>26}"));
        Arc::new(Status { presence: (*presence).to_owned(), manual: *manual, last_activity_at: *at, ..unknown })
    });
    db.save(only(rows.collect()), 0).await.unwrap();
    let mut left = db.left_behind(5).await.unwrap();
    left.sort();
    assert_eq!(left, [0, 1].map(|number| format!("{number:0>26}")));
}

#[actix_web::test]
async fn the_status_of_a_deleted_account_goes_with_it() {
    let server = TestServer::start_with("[ServiceSettings]\nEnableAPIUserDeletion = true\n").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    bert.put("/users/me/status", wish(&bert, "away")).await.expect(200);
    admin.delete(&format!("/users/{}?permanent=true", bert.user_id)).await.expect_ok();
    assert_eq!(admin.get(&format!("/users/{}/status", bert.user_id)).await.expect(200)["status"], "offline");
}

/// Returns changes of statuses and of nothing else.
fn only(statuses: Vec<Arc<Status>>) -> Changes {
    Changes { statuses, ..Changes::default() }
}

/// Returns the activity of a user in a batch: a different time for each.
fn at(id: &str) -> i64 {
    id.parse().unwrap()
}

fn wish(client: &Client, status: &str) -> Value {
    json!({ "user_id": client.user_id, "status": status })
}
