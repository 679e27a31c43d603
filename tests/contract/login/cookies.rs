//! The cookies of a login, and their removal.

use reqwest::Method;
use serde_json::json;

use crate::support::server::PASSWORD;
use crate::support::{Reply, TestServer};

const SCRIPT: (&str, &str) = ("X-Requested-With", "XMLHttpRequest");

#[actix_web::test]
async fn only_scripts_of_pages_get_cookies_at_login() {
    let server = server("").await;
    assert!(cookies(&login(&server, &[]).await).is_empty());
    let reply = login(&server, &[SCRIPT]).await;
    let cookies = cookies(&reply);
    let names: Vec<&str> = cookies.iter().map(|cookie| cookie.split('=').next().unwrap()).collect();
    assert_eq!(names, ["MMAUTHTOKEN", "MMUSERID", "MMCSRF"]);
    assert!(cookies[0].starts_with(&format!("MMAUTHTOKEN={};", reply.header("token"))));
    assert!(cookies[1].starts_with(&format!("MMUSERID={};", reply.json()["id"].as_str().unwrap())));
    for (cookie, is_hidden_from_scripts) in cookies.iter().zip([true, false, false]) {
        assert!(cookie.contains("Path=/") && cookie.contains("Max-Age=2592000") && cookie.contains("Expires="));
        assert_eq!(cookie.contains("HttpOnly"), is_hidden_from_scripts, "{cookie}");
        assert!(!cookie.contains("Secure") && !cookie.contains("SameSite") && !cookie.contains("Domain"), "{cookie}");
    }
}

#[actix_web::test]
async fn cookies_follow_the_address_of_the_site_and_its_encryption() {
    let site = "[ServiceSettings]\nSiteURL = \"https://chat.example/team\"\nAllowCookiesForSubdomains = true\n";
    let server = server(site).await;
    let secure = ("X-Forwarded-Proto", "https");
    for cookie in cookies(&login(&server, &[SCRIPT, secure]).await) {
        for attribute in ["Secure", "Path=/team", "Domain=chat.example"] {
            assert!(cookie.contains(attribute), "{attribute}: {cookie}");
        }
        assert!(!cookie.contains("SameSite"), "{cookie}");
    }
    for cookie in cookies(&login(&server, &[SCRIPT, secure, ("Cookie", "MMEMBED=1")]).await) {
        assert!(cookie.contains("SameSite=None"), "{cookie}");
    }
}

#[actix_web::test]
async fn logging_out_by_cookie_takes_the_proof_of_a_page_and_clears_the_cookie() {
    let server = server("").await;
    let token = login(&server, &[]).await.header("token");
    let cookie = format!("MMAUTHTOKEN={token}");
    let logout =
        async |headers: &[(&str, &str)]| server.client().send(Method::POST, "/users/logout", None, headers).await;
    let forged = logout(&[("Cookie", &cookie)]).await;
    forged.expect_refusal(401, "api.context.session_expired.app_error");
    let done = logout(&[("Cookie", &cookie), SCRIPT]).await;
    done.expect_ok();
    let cleared = &cookies(&done)[0];
    for part in ["MMAUTHTOKEN=;", "Path=/", "Max-Age=0", "HttpOnly"] {
        assert!(cleared.contains(part), "{part}: {cleared}");
    }
    server
        .client()
        .with_token(&token)
        .get("/users/me")
        .await
        .expect_refusal(401, "api.context.session_expired.app_error");
}

async fn server(settings: &str) -> TestServer {
    let server = TestServer::start_with(settings).await;
    server.admin().await;
    server
}

async fn login(server: &TestServer, headers: &[(&str, &str)]) -> Reply {
    let body = json!({ "login_id": "admin", "password": PASSWORD }).to_string();
    server.client().send(Method::POST, "/users/login", Some(body), headers).await
}

fn cookies(reply: &Reply) -> Vec<String> {
    reply.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}
