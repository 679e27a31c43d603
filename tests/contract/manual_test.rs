//! `/manualtest`.

use serde_json::json;

use crate::support::{Client, TestServer};

const TESTING: &str = "[ServiceSettings]\nEnableTesting = true\n";

#[actix_web::test]
async fn it_is_found_only_where_testing_was_on_at_the_start() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let testing = json!({ "ServiceSettings": { "EnableTesting": true } });
    admin.put("/config/patch", testing).await.expect(200);
    let missing = server.client().get("//manualtest?test=general&username=a&teamname=b").await;
    missing.expect_refusal(404, "api.context.404.app_error");
    assert_eq!(admin.get("/teams").await.expect(200), json!([]));
}

#[actix_web::test]
async fn an_account_and_its_team_are_made_and_its_browser_is_logged_in_and_sent_there() {
    let server = TestServer::start_with(TESTING).await;
    let admin = server.admin().await;
    let entered = server.client().get("//manualtest?test=general&uid=7&username=Anna%20B&teamname=Harbour").await;
    assert_eq!((entered.status, entered.header("Location").as_str()), (307, "/channels/town-square"));
    let cookies: Vec<&str> =
        entered.headers.get_all("Set-Cookie").iter().map(|cookie| cookie.to_str().unwrap()).collect();
    let token = cookies.iter().find_map(|cookie| cookie.strip_prefix("MMAUTHTOKEN=")?.split(';').next()).unwrap();
    let anna = server.client().with_token(token);
    let user = anna.get("/users/me").await.expect(200);
    assert_eq!((&user["nickname"], &user["email_verified"]), (&json!("Anna B"), &json!(true)));
    assert!(user["email"].as_str().unwrap().ends_with("@simulator.amazonses.com"), "{user}");
    let teams = anna.get("/users/me/teams").await.expect(200);
    let (name, shown) = (teams[0]["name"].as_str().unwrap(), &teams[0]["display_name"]);
    assert_eq!((teams.as_array().unwrap().len(), shown, &teams[0]["type"]), (1, &json!("Harbour"), &json!("O")));
    let is_made_up = name.len() == 22 && name.starts_with("zz") && name.bytes().all(|byte| byte.is_ascii_lowercase());
    assert!(is_made_up, "{name}");
    let members = admin.get(&format!("/teams/{}/members", teams[0]["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(members[0]["user_id"], user["id"]);
}

#[actix_web::test]
async fn a_test_that_makes_nothing_is_answered_empty_and_refusals_are_pages() {
    let server = TestServer::start_with(TESTING).await;
    let admin = server.admin().await;
    for path in
        ["//manualtest?test=general", "//manualtest?test=unheard-of&username=only", "//manualtest?test=x&teamname=y"]
    {
        let reply = server.client().get(path).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, ""), "{path}");
    }
    for path in ["//manualtest", "//manualtest?uid=1", "//manualtest?test=%zz", "//manualtest?test=a;b"] {
        expect_page(&server.client(), path, 400, "manaultesting.manual_test.parse.app_error").await;
    }
    expect_page(&server.client(), "//manualtest?test=autolink", 500, "manaultesting.test_autolink.unable.app_error")
        .await;
    let long = format!("//manualtest?test=general&username=a&teamname={}", "x".repeat(65));
    expect_page(&server.client(), &long, 400, "model.team.is_valid.name.app_error").await;
    assert_eq!(admin.get("/teams").await.expect(200), json!([]));
}

async fn expect_page(client: &Client, path: &str, status: u16, id: &str) {
    let reply = client.get(path).await;
    assert_eq!((reply.status, reply.header("Content-Type").as_str()), (status, "text/html; charset=utf-8"), "{path}");
    assert!(reply.text().contains(id), "{path}: {}", reply.text());
}
