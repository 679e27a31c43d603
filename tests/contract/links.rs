//! `/redirect_location`.

use serde_json::json;

use crate::support::web_peer::WebPeer;
use crate::support::{Client, LocalServer, TestServer};

const LOOPBACK_ALLOWED: &str = "[ServiceSettings]\nAllowedUntrustedInternalConnections = \"127.0.0.1\"\n";

async fn location(client: &Client, url: &str) -> String {
    let url = url.replace('%', "%25").replace('#', "%23").replace('&', "%26");
    let reply = client.get(&format!("/redirect_location?url={url}")).await;
    assert_eq!(reply.status, 200);
    let answer = reply.json();
    assert_eq!(answer.as_object().unwrap().len(), 1);
    answer["location"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn whoever_is_logged_in_learns_where_an_address_leads_and_it_is_asked_once() {
    let (server, peer) = (TestServer::start_with(LOOPBACK_ALLOWED).await, WebPeer::start().await);
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let url = format!("{}/short", peer.url());
    peer.redirect("https://other.example/long?a=b");
    assert_eq!(location(&bert, &url).await, "https://other.example/long?a=b");
    assert_eq!(peer.lines(), ["HEAD /short HTTP/1.1"]);
    peer.redirect("https://elsewhere.example/");
    assert_eq!(location(&admin, &url).await, "https://other.example/long?a=b");
    assert_eq!(peer.count(), 0);
    let refused = server.client().get("/redirect_location?url=http://a.example").await;
    refused.expect_refusal(401, "api.context.session_expired.app_error");
}

#[actix_web::test]
async fn an_address_must_be_named_unless_previews_are_off() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for path in ["/redirect_location", "/redirect_location?url="] {
        admin.get(path).await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    }
    let off = json!({ "ServiceSettings": { "EnableLinkPreviews": false } });
    assert_eq!(admin.put("/config/patch", off).await.status, 200);
    assert_eq!(admin.get("/redirect_location").await.json(), json!({ "location": "" }));
}

#[actix_web::test]
async fn an_address_that_leads_nowhere_has_no_location() {
    let (server, peer) = (TestServer::start_with(LOOPBACK_ALLOWED).await, WebPeer::start().await);
    let admin = server.admin().await;
    let at = |path: &str| format!("{}{path}", peer.url());
    assert_eq!(location(&admin, &at("/page")).await, "");
    peer.redirect(&"x".repeat(2_101));
    assert_eq!(location(&admin, &at("/too-long")).await, "");
    peer.redirect(&"x".repeat(2_100));
    assert_eq!(location(&admin, &at("/long")).await.len(), 2_100);
    for nowhere in ["http://127.0.0.1:1/", "mailto:a@b.example", "nonsense", "file:///etc/passwd", "http://["] {
        assert_eq!(location(&admin, nowhere).await, "", "{nowhere}");
    }
}

// Each address of the list means the peer, in one of the spellings that resolvers and parsers accept.
#[actix_web::test]
async fn no_spelling_of_an_internal_address_reaches_it() {
    let (server, peer) = (TestServer::start().await, WebPeer::start().await);
    let admin = server.admin().await;
    let port = peer.port();
    peer.redirect("https://other.example/");
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "017700000001",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::127.0.0.1]",
        "[::]",
        "127.0.0.1.",
        "other.example@127.0.0.1",
        "127.0.0.1:80@127.0.0.1",
        "127.0.0.1%2f@127.0.0.1",
        "①②⑦.0.0.1",
    ] {
        assert_eq!(location(&admin, &format!("http://{host}:{port}/")).await, "", "{host}");
    }
    assert_eq!(location(&admin, &format!("http:\\\\127.0.0.1:{port}/")).await, "");
    assert_eq!(peer.count(), 0);
}

#[actix_web::test]
async fn it_is_not_on_the_local_socket() {
    let server = LocalServer::start().await;
    assert_eq!(server.local.get("/redirect_location?url=http://a.example").await.status, 404);
}
