//! Headers, envelopes and unknown routes.

use reqwest::Method;
use serde_json::json;

use crate::support::raw::exchange;
use crate::support::server::account;
use crate::support::{Reply, TestServer, raw};

#[actix_web::test]
async fn an_answer_wears_the_standard_headers() {
    let server = TestServer::start().await;
    let reply = server.client().get("/system/ping").await;
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("x-request-id").len(), 26);
    assert_eq!(reply.header("expires"), "0");
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert_eq!(reply.header("referrer-policy"), "no-referrer");
    assert_eq!(reply.headers.get("permissions-policy").unwrap(), "");
    assert_eq!(reply.header("vary"), "Accept-Encoding");
    assert!(reply.headers.get("cache-control").is_none(), "the JS client would ignore X-Version-Id");
    assert!(reply.headers.get("strict-transport-security").is_none());
    let version = reply.header("x-version-id");
    let parts: Vec<&str> = version.split('.').collect();
    assert!(parts[..3].iter().all(|part| part.parse::<u32>().is_ok()), "{version}");
    assert_eq!(parts.last(), Some(&"false"), "{version}");
}

#[actix_web::test]
async fn expires_is_for_reads_and_strict_transport_for_who_asks_for_it() {
    let server = TestServer::start_with("[ServiceSettings]\nTLSStrictTransport = true\n").await;
    let reply = server.client().post("/users", account("anna")).await;
    assert_eq!(reply.header("expires"), "");
    assert_eq!(reply.header("strict-transport-security"), "max-age=63072000");
}

#[actix_web::test]
async fn an_error_is_an_envelope_with_its_keys_in_order_and_the_request_id_of_the_header() {
    let server = TestServer::start().await;
    let reply = server.client().get("/users/me").await;
    let id = reply.header("x-request-id");
    let text = "The session is missing or has expired; log in again.";
    assert_eq!(
        reply.text(),
        format!(
            r#"{{"id":"api.context.session_expired.app_error","message":"{text}","detailed_error":"","request_id":"{id}","status_code":401}}"#
        )
    );
}

#[actix_web::test]
async fn an_unknown_route_a_wrong_method_and_a_trailing_slash_are_404_without_standard_headers() {
    let server = TestServer::start().await;
    for (method, path) in [
        (Method::GET, "/nothing/here"),
        (Method::DELETE, "/system/ping"),
        (Method::OPTIONS, "/system/ping"),
        (Method::GET, "/system/ping/"),
    ] {
        let reply = server.client().send(method, path, None, &[]).await;
        reply.expect_refusal(404, "api.context.404.app_error");
        let body = reply.json();
        assert!(body.get("request_id").is_none());
        assert!(body["detailed_error"].as_str().unwrap().contains(&format!("url='/api/v4{path}'")), "{body}");
        assert_eq!(reply.header("x-request-id"), "");
        assert_eq!(reply.header("x-version-id"), "");
        assert_eq!(reply.header("allow"), "");
    }
}

#[actix_web::test]
async fn head_is_answered_like_get_without_a_body() {
    let server = TestServer::start().await;
    let request = "HEAD /api/v4/system/ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = exchange(&server.base, request).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("Content-Length: 138"), "{head}");
    assert_eq!(body, "");
}

#[actix_web::test]
async fn a_get_with_a_body_is_answered_and_the_connection_lives_on() {
    let server = TestServer::start().await;
    let first = "GET /api/v4/system/ping HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
    let second = "GET /api/v4/system/ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = exchange(&server.base, &format!("{first}{second}")).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
}

#[actix_web::test]
async fn developers_see_the_detail_and_hardened_servers_hide_their_faults() {
    let developer = TestServer::start_with("[ServiceSettings]\nEnableDeveloper = true\n").await;
    let broken = developer.client().send(Method::POST, "/users", Some("{\"email\": 1}".to_owned()), &[]).await;
    let detail = broken.json()["detailed_error"].as_str().unwrap().to_owned();
    assert!(detail.contains("line 1"), "{detail}");

    let hardened = TestServer::start_with(
        "[ServiceSettings]\nExperimentalEnableHardenedMode = true\n[EmailSettings]\nEnableSignUpWithEmail = false\n",
    )
    .await;
    let fault = hardened.client().post("/users", account("anna")).await;
    let body = fault.json();
    assert_eq!((fault.status, body["status_code"].as_u64()), (500, Some(500)));
    assert_eq!((body["id"].as_str(), body["message"].as_str()), (Some(""), Some("Internal Server Error")));
    hardened.client().get("/users/me").await.expect_refusal(401, "api.context.session_expired.app_error");
}

#[actix_web::test]
async fn larger_bodies_are_compressed_for_those_who_accept_it() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let plain = admin.get("/system/timezones").await;
    let gzip = [("Accept-Encoding", "gzip")];
    let packed = admin.send(Method::GET, "/system/timezones", None, &gzip).await;
    assert_eq!((plain.header("content-encoding").as_str(), packed.header("content-encoding").as_str()), ("", "gzip"));
    let mut unpacked = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed.body[..]), &mut unpacked).unwrap();
    assert_eq!(unpacked, plain.text());
    let small = admin.send(Method::GET, "/system/ping", None, &gzip).await;
    assert_eq!(small.header("content-encoding"), "");
}

#[actix_web::test]
async fn pages_of_admitted_sites_may_read_answers_and_others_may_not() {
    let settings = "[ServiceSettings]\nAllowCorsFrom = \"https://one.example https://two.example\"\n\
                    CorsExposedHeaders = \"X-One X-Two\"\nCorsAllowCredentials = true\n";
    let server = TestServer::start_with(settings).await;
    let client = server.client();
    let admitted = client.send(Method::GET, "/system/ping", None, &[("Origin", "https://two.example")]).await;
    assert_eq!(admitted.header("access-control-allow-origin"), "https://two.example");
    assert_eq!(admitted.header("access-control-allow-credentials"), "true");
    assert_eq!(admitted.header("access-control-expose-headers"), "X-One, X-Two");
    let other = client.send(Method::GET, "/system/ping", None, &[("Origin", "https://evil.example")]).await;
    assert_eq!(other.header("access-control-allow-origin"), "");
    let question = [
        ("Origin", "https://one.example"),
        ("Access-Control-Request-Method", "PUT"),
        ("Access-Control-Request-Headers", "authorization"),
    ];
    let preflight = client.send(Method::OPTIONS, "/users/me", None, &question).await;
    assert_eq!((preflight.status, preflight.header("access-control-max-age").as_str()), (204, "86400"));
    assert_eq!(preflight.header("access-control-allow-headers"), "authorization");
    assert!(preflight.header("access-control-allow-methods").contains("PUT"));
}

#[actix_web::test]
async fn a_star_inside_an_origin_stands_for_any_text_there() {
    let settings = "[ServiceSettings]\nAllowCorsFrom = \"https://one.example https://*.chat.example\"\n";
    let server = TestServer::start_with(settings).await;
    for (origin, is_admitted) in [("https://a.chat.example", true), ("https://chat.example.other.example", false)] {
        let answer = server.client().send(Method::GET, "/system/ping", None, &[("Origin", origin)]).await;
        let expected = if is_admitted { origin } else { "" };
        assert_eq!(answer.header("access-control-allow-origin"), expected);
    }
}

#[actix_web::test]
async fn pages_of_any_site_are_admitted_without_credentials() {
    let settings = "[ServiceSettings]\nAllowCorsFrom = \"  https://one.example  * \"\nCorsAllowCredentials = true\n";
    let server = TestServer::start_with(settings).await;
    for origin in ["https://evil.example", "https://one.example", "null"] {
        let question = [("Origin", origin), ("Access-Control-Request-Method", "PUT")];
        for (method, headers) in [(Method::GET, &question[..1]), (Method::OPTIONS, &question[..])] {
            let answer = server.client().send(method, "/system/ping", None, headers).await;
            assert_eq!(answer.header("access-control-allow-origin"), "*", "{origin}");
            assert_eq!(answer.header("access-control-allow-credentials"), "", "{origin}");
        }
    }
    let program = server.client().get("/system/ping").await;
    assert_eq!((program.header("access-control-allow-origin").as_str(), varies_by_origin(&program)), ("", true));
}

#[actix_web::test]
async fn an_origin_is_known_in_any_case_and_with_the_port_of_its_scheme_and_nothing_else_is_one() {
    let settings = "[ServiceSettings]\nAllowCorsFrom = \"HTTPS://One.Example:443 http://two.example\"\n";
    let server = TestServer::start_with(settings).await;
    for (origin, is_admitted) in [
        ("https://one.example", true),
        ("https://ONE.example:443", true),
        ("http://two.example:80", true),
        ("http://one.example", false),
        ("https://two.example", false),
        ("https://one.example:8443", false),
        ("https://one.example/", false),
        ("https://one.example.evil.example", false),
        ("null", false),
    ] {
        let answer = server.client().send(Method::GET, "/system/ping", None, &[("Origin", origin)]).await;
        let told = if is_admitted { origin } else { "" };
        assert_eq!(answer.header("access-control-allow-origin"), told, "{origin}");
        assert!(varies_by_origin(&answer), "{origin}");
    }
}

/// Returns true if caches keep the responses to pages of different origins apart.
fn varies_by_origin(answer: &Reply) -> bool {
    answer.headers.get_all("vary").iter().any(|value| value == "Origin")
}

#[actix_web::test]
async fn a_cookie_proves_nothing_without_the_token_of_its_session_also_if_none_was_stored() {
    let settings = "[ServiceSettings]\nExperimentalStrictCSRFEnforcement = true\n";
    let server = TestServer::start_with(settings).await;
    let admin = server.admin().await;
    let session = admin.get("/users/me/sessions").await.expect(200)[0].clone();
    let token = session["props"]["csrf"].as_str().unwrap().to_owned();
    let cookie = format!("MMAUTHTOKEN={}", admin.token.as_deref().unwrap());
    let patch = |headers: Vec<(&'static str, String)>| {
        let (client, cookie) = (server.client(), cookie.clone());
        async move {
            let mut all = vec![("Cookie", cookie.as_str())];
            all.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
            client.send(Method::PUT, "/users/me/patch", Some("{}".to_owned()), &all).await.status
        }
    };
    assert_eq!(patch(vec![("X-CSRF-Token", token.clone())]).await, 200);
    let other = format!("{}x", &token[..25]);
    for wrong in [vec![], vec![("X-CSRF-Token", String::new())], vec![("X-CSRF-Token", other)]] {
        assert_eq!(patch(wrong).await, 401);
    }
    server.execute("UPDATE sessions SET props = '{}'").await;
    admin.post("/caches/invalidate", serde_json::json!({})).await.expect_ok();
    for absent in [vec![], vec![("X-CSRF-Token", String::new())], vec![("X-CSRF-Token", token)]] {
        assert_eq!(patch(absent).await, 401);
    }
    // A request with its token in a header needs no CSRF token.
    admin.put("/users/me/patch", serde_json::json!({})).await.expect(200);
}

#[actix_web::test]
async fn what_can_wait_is_refused_while_the_server_is_busy() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    server.server.busy().mark(i64::MAX).await.unwrap();
    admin.post("/users/search", json!({ "term": "a" })).await.expect_refusal(503, "api.context.server_busy.app_error");
    admin.get("/users/me").await.expect(200);
    server.server.busy().clear().await.unwrap();
    admin.post("/users/search", json!({ "term": "a" })).await.expect(200);
}

#[actix_web::test]
async fn the_character_nul_is_refused_wherever_it_stands() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.get("/users/username/a%00b").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    let mut user = account("bert");
    user["nickname"] = json!("a\0b");
    admin.post("/users", user).await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    let login = server.client().post("/users/login", json!({ "login_id": "a\0b", "password": "x" })).await;
    login.expect_refusal(400, "api.user.login.blank_pwd.app_error");
}

#[actix_web::test]
async fn malformed_http_is_refused_and_hurts_nobody() {
    let server = TestServer::start().await;
    for garbage in [
        "GET\r\n\r\n",
        "\u{1}\u{2}\u{3}\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ] {
        let answer = raw::exchange(&server.base, garbage).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{garbage:?}: {answer}");
    }
    assert_eq!(server.client().get("/system/ping").await.status, 200);
}
