//! `/system/e2e/ai_bridge`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestServer;

const PATH: &str = "/system/e2e/ai_bridge";
const TESTING: &str = "[ServiceSettings]\nEnableTesting = true\n";
const METHODS: [Method; 3] = [Method::PUT, Method::GET, Method::DELETE];

#[actix_web::test]
async fn without_testing_there_is_none_for_anybody() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let member = server.user(&admin, "anna").await;
    for method in METHODS {
        let anonymous = server.client().send(method.clone(), PATH, Some("{}".to_owned()), &[]).await;
        anonymous.expect_refusal(401, "api.context.session_expired.app_error");
        for client in [&member, &admin] {
            let refused = client.send(method.clone(), PATH, Some("{}".to_owned()), &[]).await;
            refused.expect_refusal(501, "api.ai_bridge_test_helper.disabled.app_error");
        }
    }
}

#[actix_web::test]
async fn it_is_for_who_manages_the_system_and_testing_is_looked_up_for_each_request() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let member = server.user(&admin, "anna").await;
    let testing = |is_on: bool| json!({ "ServiceSettings": { "EnableTesting": is_on } });
    admin.put("/config/patch", testing(true)).await.expect(200);
    for method in METHODS {
        let refused = member.send(method, PATH, Some("{}".to_owned()), &[]).await;
        refused.expect_refusal(403, "api.context.permissions.app_error");
    }
    let empty = json!({ "record_requests": false, "recorded_requests": [] });
    assert_eq!(admin.get(PATH).await.expect(200), empty);
    admin.put("/config/patch", testing(false)).await.expect(200);
    admin.get(PATH).await.expect_refusal(501, "api.ai_bridge_test_helper.disabled.app_error");
}

#[actix_web::test]
async fn a_script_takes_the_place_of_the_one_before_until_it_is_taken_away() {
    let server = TestServer::start_with(TESTING).await;
    let admin = server.admin().await;
    let script = json!({
        "status": { "available": false, "reason": "asleep" },
        "agents": [
            { "id": "a1", "displayName": "Pilot", "username": "pilot", "service_id": "s1", "service_type": "openai", "is_default": true },
            { "id": "a2", "username": "mate" },
        ],
        "services": [{ "id": "s1", "name": "Charts", "type": "openai" }],
        "agent_completions": { "recap": [{ "completion": "All is well." }, { "error": "lost" }, { "error": "late", "status_code": 504 }] },
        "feature_flags": { "enable_ai_recaps": true },
        "record_requests": true,
        "unknown": 1,
    });
    let mut told = script.clone();
    told.as_object_mut().unwrap().remove("unknown");
    told["agent_completions"]["recap"][1]["status_code"] = json!(500);
    told["agents"][1] =
        json!({ "id": "a2", "displayName": "", "username": "mate", "service_id": "", "service_type": "" });
    told["recorded_requests"] = json!([]);
    assert_eq!(admin.put(PATH, script).await.expect(200), told);
    assert_eq!(admin.get(PATH).await.expect(200), told);
    let only_status = json!({ "status": { "available": true } });
    let expected = json!({ "status": { "available": true }, "record_requests": false, "recorded_requests": [] });
    assert_eq!(admin.put(PATH, only_status).await.expect(200), expected);
    admin.delete(PATH).await.expect_ok();
    assert_eq!(admin.get(PATH).await.expect(200), json!({ "record_requests": false, "recorded_requests": [] }));
}

#[actix_web::test]
async fn what_cannot_be_answered_is_refused_and_changes_nothing() {
    let server = TestServer::start_with("[ServiceSettings]\nEnableTesting = true\nEnableDeveloper = true\n").await;
    let admin = server.admin().await;
    let before = admin.put(PATH, json!({ "record_requests": true })).await.expect(200);
    let broken: [(Value, &str); 7] = [
        (json!({ "agents": [{ "id": "", "username": "x" }] }), "agents[0] has no id"),
        (json!({ "agents": [{ "id": "a" }] }), "agents[0] has no username"),
        (json!({ "services": [{ "name": "x" }] }), "services[0] has no id"),
        (json!({ "services": [{ "id": "s" }] }), "services[0] has no name"),
        (json!({ "agent_completions": { "": [] } }), "without a name"),
        (json!({ "agent_completions": { "x": [{}] } }), "agent_completions.x[0]"),
        (json!({ "agent_completions": { "x": [{ "completion": "a", "error": "b" }] } }), "agent_completions.x[0]"),
    ];
    for (script, reason) in broken {
        let refused = admin.put(PATH, script).await;
        refused.expect_refusal(400, "app.ai_bridge_test_helper.invalid_config");
        assert!(refused.json()["detailed_error"].as_str().unwrap().contains(reason), "{}", refused.text());
    }
    for body in ["", "{", "[]", "null", r#"{"agents":5}"#, r#"{"status":{"available":"yes"}}"#] {
        let refused = admin.send(Method::PUT, PATH, Some(body.to_owned()), &[]).await;
        refused.expect_refusal(400, "api.context.invalid_body_param.app_error");
    }
    assert_eq!(admin.get(PATH).await.expect(200), before);
}
