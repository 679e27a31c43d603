//! `/site_url/test`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::web_peer::WebPeer;
use crate::support::{Client, LocalServer, Reply, TestServer};

const PATH: &str = "/site_url/test";
const BAD_BODY: &str = "api.context.invalid_body_param.app_error";
const FAILURE: &str = "app.admin.test_site_url.failure";
const FORBIDDEN: &str = "api.context.permissions.app_error";

async fn test(client: &Client, site_url: &str) -> Reply {
    client.post(PATH, json!({ "site_url": site_url })).await
}

/// Returns the reason why `site_url` does not work.
async fn reason(client: &Client, site_url: &str) -> String {
    let reply = test(client, site_url).await;
    reply.expect_refusal(400, FAILURE);
    let message = reply.json()["message"].as_str().unwrap().to_owned();
    message.strip_prefix("The site URL does not work: ").unwrap().to_owned()
}

#[actix_web::test]
async fn only_those_who_manage_the_web_server_may_and_that_is_decided_before_the_body_is_read() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    for body in [json!({ "site_url": server.base }), json!({}), Value::Null] {
        server.client().post(PATH, body.clone()).await.expect_refusal(401, "api.context.session_expired.app_error");
        bert.post(PATH, body).await.expect_refusal(403, FORBIDDEN);
    }
    test(&admin, &server.base).await.expect_ok();
}

#[actix_web::test]
async fn restricted_administrators_may_not() {
    let server = TestServer::start_with("[ExperimentalSettings]\nRestrictSystemAdmin = true\n").await;
    let admin = server.admin().await;
    test(&admin, &server.base).await.expect_refusal(403, FORBIDDEN);
    test(&admin, "").await.expect_refusal(403, FORBIDDEN);
}

#[actix_web::test]
async fn it_is_not_on_the_local_socket() {
    let server = LocalServer::start().await;
    let reply = server.local.post(PATH, json!({ "site_url": "http://chat.example" })).await;
    assert_eq!(reply.status, 404);
}

#[actix_web::test]
async fn a_body_without_a_site_url_is_refused_whatever_it_is() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for body in ["", "{", "[]", "null", "\"http://chat.example\"", "{}", r#"{"site_url":""}"#, r#"{"site_url":5}"#] {
        let reply = admin.send(Method::POST, PATH, Some(body.to_owned()), &[]).await;
        reply.expect_refusal(400, BAD_BODY);
        assert!(reply.text().contains("site_url"), "{}", reply.text());
    }
    let large = format!(r#"{{"site_url":"{}"}}"#, "x".repeat(400_000));
    admin.send(Method::POST, PATH, Some(large), &[]).await.expect_refusal(400, BAD_BODY);
}

#[actix_web::test]
async fn the_address_of_this_server_works_under_each_of_its_names() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let port = server.server.addresses()[0].port();
    for host in ["127.0.0.1", "localhost", "LOCALHOST.", "2130706433"] {
        test(&admin, &format!("http://{host}:{port}")).await.expect_ok();
        test(&admin, &format!("http://{host}:{port}/")).await.expect_ok();
    }
    test(&admin, &format!("http://127.0.0.1:{port}/elsewhere")).await.expect_ok();
}

/// Starts a server whose `SiteURL` is pinned, so that no caller may change it.
async fn pinned() -> TestServer {
    TestServer::start_with("[ServiceSettings]\nSiteURL = \"http://chat.example\"\n").await
}

#[actix_web::test]
async fn internal_addresses_are_tested_only_for_those_who_may_change_the_site_url() {
    let (server, peer) = (TestServer::start().await, WebPeer::start().await);
    let admin = server.admin().await;
    test(&admin, &peer.url()).await.expect_ok();
    test(&admin, &format!("http://localhost:{}", peer.port())).await.expect_ok();
    assert_eq!(peer.lines(), ["GET /api/v4/system/ping HTTP/1.1"; 2]);

    let (server, peer) = (pinned().await, WebPeer::start().await);
    let admin = server.admin().await;
    let setting = "list it in ServiceSettings.AllowedUntrustedInternalConnections to allow it.";
    let refused = reason(&admin, &peer.url()).await;
    assert_eq!(refused, format!("127.0.0.1 is a loopback address; {setting}"));
    let named = reason(&admin, &format!("http://localhost:{}", peer.port())).await;
    assert!(named.starts_with("localhost resolves to ") && named.ends_with(setting), "{named}");
    assert!(peer.lines().is_empty());
}

#[actix_web::test]
async fn link_local_and_metadata_addresses_are_never_called() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for (host, what) in [
        ("169.254.169.254", "169.254.169.254 is a link-local address"),
        ("169.254.1.1", "169.254.1.1 is a link-local address"),
        ("[fe80::1]", "fe80::1 is a link-local address"),
        ("[::ffff:169.254.169.254]", "::ffff:169.254.169.254 is an address that leads to 169.254.169.254"),
        ("168.63.129.16", "168.63.129.16 is an address of a cloud's metadata service"),
        ("100.100.100.200", "100.100.100.200 is an address shared behind"),
    ] {
        let refused = reason(&admin, &format!("http://{host}/latest")).await;
        assert!(refused.starts_with(what), "{refused}");
        // Being in force changes nothing.
        let body = json!({ "ServiceSettings": { "SiteURL": format!("http://{host}/latest") } });
        admin.put("/config/patch", body).await.expect(200);
        assert!(reason(&admin, &format!("http://{host}/latest")).await.starts_with(what), "{host}");
    }
}

#[actix_web::test]
async fn a_path_is_tested_before_it_is_in_force_and_afterwards() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for path in ["/team", "/a/b", "/b\u{fc}ro", ""] {
        test(&admin, &format!("{}{path}", server.base)).await.expect_ok();
    }
    let site = format!("{}/team", server.base);
    admin.put("/config/patch", json!({ "ServiceSettings": { "SiteURL": site } })).await.expect(200);
    test(&admin, &site).await.expect_ok();
    let restarted = server.start_beside("").await;
    let site = format!("{}/team", restarted.base);
    test(&admin.at(&restarted.base), &site).await.expect_ok();
    // Nothing but the ping answers at a path that is only tested.
    let header = [("X-Quarterdeck-Site-Path", "/other")];
    for (path, status) in [("/system/ping", 200), ("/users/me", 404), ("/openapi.json", 404)] {
        let other = Client::new(&format!("{}/other", server.base));
        assert_eq!(other.send(Method::GET, path, None, &header).await.status, status, "{path}");
        assert_eq!(other.get(path).await.status, 404, "{path}");
        let work = Client::new(&format!("{}/otherwork", server.base));
        assert_eq!(work.send(Method::GET, path, None, &header).await.status, 404, "{path}");
    }
}

#[actix_web::test]
async fn what_is_allowed_is_asked_for_its_ping_and_must_answer_200() {
    let allowed = "[ServiceSettings]\nEnableDeveloper = true\nAllowedUntrustedInternalConnections = \"127.0.0.1/32\"\n";
    let (server, peer) = (TestServer::start_with(allowed).await, WebPeer::start().await);
    let admin = server.admin().await;
    for path in ["", "/", "//"] {
        test(&admin, &format!("{}/team{path}", peer.url())).await.expect_ok();
        assert_eq!(peer.lines(), ["GET /team/api/v4/system/ping HTTP/1.1"]);
    }
    for status in [201, 204, 401, 404, 500] {
        peer.answer(status, "");
        assert_eq!(reason(&admin, &peer.url()).await, format!("127.0.0.1 answered {status}."));
    }
    let detailed = test(&admin, &peer.url()).await.json();
    assert_eq!(detailed["detailed_error"], "127.0.0.1 answered 500");

    // A redirect may change the scheme and the port. Nothing but the ping of the host is called.
    peer.redirect(&format!("{}/api/v4/system/ping", server.base));
    test(&admin, &peer.url()).await.expect_ok();
    let elsewhere = WebPeer::start().await;
    let other_host = format!("http://localhost:{}/api/v4/system/ping", elsewhere.port());
    for location in [
        format!("{}/latest/meta-data", elsewhere.url()),
        format!("{}/api/v4/system/ping?x=1", elsewhere.url()),
        format!("{}/", elsewhere.url()),
        other_host,
        "http://127.0.0.2/api/v4/system/ping".to_owned(),
        "/login".to_owned(),
    ] {
        peer.redirect(&location);
        assert_eq!(reason(&admin, &peer.url()).await, "127.0.0.1 redirects to another address.", "{location}");
    }
    assert!(elsewhere.lines().is_empty());
    peer.redirect(&format!("{}/api/v4/system/ping", peer.url()));
    assert_eq!(reason(&admin, &peer.url()).await, "more than 10 redirects.");
}

#[actix_web::test]
async fn the_site_url_in_force_needs_no_permission_wherever_it_leads() {
    let peer = WebPeer::start().await;
    let settings = format!("[ServiceSettings]\nSiteURL = \"http://localhost:{}/team\"\n", peer.port());
    let server = TestServer::start_with(&settings).await;
    let admin = server.admin().await;
    test(&admin, &format!("http://localhost:{}/other", peer.port())).await.expect_ok();
    assert!(reason(&admin, &peer.url()).await.starts_with("127.0.0.1 is a loopback address"));
}

#[actix_web::test]
async fn what_is_no_address_of_the_web_does_not_work() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for site_url in
        ["chat.example", "/", "ftp://chat.example", "http://", "http://admin:pw@chat.example", "http://[::1"]
    {
        let text = reason(&admin, site_url).await;
        assert!(text.starts_with("the address cannot be used: ") && !text.contains("pw"), "{text}");
    }
}

#[actix_web::test]
async fn nobody_there_is_said_so() {
    let server =
        TestServer::start_with("[ServiceSettings]\nAllowedUntrustedInternalConnections = \"127.0.0.1\"\n").await;
    let admin = server.admin().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = reason(&admin, &format!("http://127.0.0.1:{port}")).await;
    assert!(text.starts_with("127.0.0.1 cannot be reached: Connection refused"), "{text}");
}

#[actix_web::test]
async fn an_address_with_a_query_or_a_fragment_calls_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for end in ["/livez#", "/livez?a=/", "?", "#"] {
        let reason = reason(&admin, &format!("{}{end}", server.base)).await;
        assert_eq!(reason, "the address has a query or a fragment.");
    }
}
