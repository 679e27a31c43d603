//! `/image`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::web_peer::WebPeer;
use crate::support::{Client, Reply, TestServer};

const BAD: &str = "api.image.get.app_error";
const NOT_ALLOWED: &str = "app.image_proxy.not_allowed.app_error";
const FAILED: &str = "app.image_proxy.fetch.app_error";

const ON: &str =
    "[ServiceSettings]\nAllowedUntrustedInternalConnections = \"127.0.0.1\"\n[ImageProxySettings]\nEnable = true\n";

/// The first bytes of an image of 5 by 3 pixels.
const GIF: &str = "GIF89a\x05\0\x03\0\0\0\0";

async fn image(client: &Client, url: &str) -> Reply {
    client.get(&format!("/image?url={url}")).await
}

async fn patch(admin: &Client, change: Value) {
    assert_eq!(admin.put("/config/patch", change).await.status, 200);
}

#[actix_web::test]
async fn an_image_of_another_site_comes_through_the_proxy() {
    let (server, peer) = (TestServer::start_with(ON).await, WebPeer::start().await);
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let headers = "Content-Type: text/html\r\nETag: \"a\"\r\nCache-Control: max-age=60\r\nSet-Cookie: a=b\r\n";
    peer.answer_with(200, headers, GIF);
    let url = format!("{}/a.gif", peer.url());
    let reply = image(&bert, &url).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.text(), GIF);
    let told = ["content-type", "etag", "cache-control", "content-security-policy", "x-frame-options", "set-cookie"];
    let told = told.map(|name| reply.header(name));
    assert_eq!(told, ["image/gif", "\"a\"", "private, max-age=3600", "script-src 'none'", "deny", ""]);
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    let again = bert.send(Method::GET, &format!("/image?url={url}"), None, &[("If-None-Match", "\"a\"")]).await;
    assert_eq!((again.status, again.text()), (304, String::new()));
    assert_eq!(again.header("cache-control"), "private, max-age=3600");
    for host in ["public, max-age=31536000, immutable", "no-store"] {
        peer.answer_with(200, &format!("Cache-Control: {host}\r\n"), GIF);
        assert_eq!(image(&bert, &url).await.header("cache-control"), "private, max-age=3600", "{host}");
    }
    server
        .client()
        .get("/image?url=http://a.example")
        .await
        .expect_refusal(401, "api.context.session_expired.app_error");
}

#[actix_web::test]
async fn nothing_is_fetched_while_the_proxy_is_off_or_the_address_is_none() {
    let (server, peer) = (TestServer::start().await, WebPeer::start().await);
    let admin = server.admin().await;
    image(&admin, &peer.url()).await.expect_refusal(400, BAD);
    patch(&admin, json!({ "ImageProxySettings": { "Enable": true } })).await;
    let opaque = peer.url().replace("//", "");
    for wrong in ["mailto:a@b.example", "file:///etc/passwd", "http://[", "http:xyz123?query", &opaque] {
        image(&admin, wrong).await.expect_refusal(400, BAD);
    }
    assert_eq!(peer.count(), 0);
}

#[actix_web::test]
async fn an_image_of_this_site_needs_no_proxy() {
    let server = TestServer::start_with(ON).await;
    let admin = server.admin().await;
    patch(&admin, json!({ "ServiceSettings": { "SiteURL": "https://chat.example" } })).await;
    for own in ["/a.png", "https://chat.example/a.png", "https:/a.png"] {
        let reply = image(&admin, own).await;
        assert_eq!(reply.header("location"), "https://chat.example/a.png", "{own}");
    }
    // An image of this proxy is not fetched by this proxy, also if it is named by the other scheme.
    for scheme in ["https", "http"] {
        let proxied = format!("{scheme}://chat.example/api/v4/image?url=http%3A%2F%2Fa.example");
        let reply = image(&admin, &proxied.replace('%', "%25").replace('?', "%3F")).await;
        assert_eq!((reply.status, reply.header("location")), (302, proxied));
    }
}

#[actix_web::test]
async fn a_camo_server_is_pointed_to() {
    let server = TestServer::start_with(ON).await;
    let admin = server.admin().await;
    let camo = json!({ "ImageProxySettings": {
        "ImageProxyType": "atmos/camo", "RemoteImageProxyURL": "https://camo.example", "RemoteImageProxyOptions": "key",
    } });
    patch(&admin, camo).await;
    let reply = image(&admin, "http://a.example/b.png").await;
    assert_eq!(reply.status, 302);
    // printf http://a.example/b.png | openssl dgst -sha1 -hmac key
    let there =
        "https://camo.example/2dc5dd7d1d58901ed6bbf7e769341e7a1fe406dd/687474703a2f2f612e6578616d706c652f622e706e67";
    assert_eq!(reply.header("location"), there);
    for _ in 0..2 {
        let again = image(&admin, there).await;
        assert_eq!((again.status, again.header("location").as_str()), (302, there), "it is not proxied twice");
    }
}

#[actix_web::test]
async fn only_images_of_known_kinds_and_sizes_are_shown() {
    let options = format!("{ON}[FileSettings]\nMaxImageResolution = 15\n[Quarterdeck]\nImageProxyMegabytes = 1\n");
    let (server, peer) = (TestServer::start_with(&options).await, WebPeer::start().await);
    let admin = server.admin().await;
    peer.answer(200, GIF);
    assert_eq!(image(&admin, &peer.url()).await.status, 200);
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    let wide = GIF.replace('\x05', "\x06");
    let long = format!("{GIF}{}", "x".repeat(1 << 20));
    for (body, reason) in [
        (svg, "supported type"),
        ("<html></html>", "supported type"),
        ("", "supported type"),
        (&wide, "pixels"),
        (&long, "larger"),
    ] {
        peer.answer_with(200, "Content-Type: image/gif\r\n", body);
        let reply = image(&admin, &peer.url()).await;
        reply.expect_refusal(403, NOT_ALLOWED);
        assert!(reply.text().contains(reason), "{}", reply.text());
    }
}

#[actix_web::test]
async fn a_host_without_the_image_is_told_from_one_that_fails() {
    let (server, peer) = (TestServer::start_with(ON).await, WebPeer::start().await);
    let admin = server.admin().await;
    for (status, answer, id) in
        [(404, 404, "app.image_proxy.not_found.app_error"), (500, 500, FAILED), (206, 500, FAILED)]
    {
        peer.answer(status, GIF);
        image(&admin, &peer.url()).await.expect_refusal(answer, id);
    }
    image(&admin, "http://127.0.0.1:1/").await.expect_refusal(500, FAILED);
}

#[actix_web::test]
async fn internal_hosts_stay_out_of_reach_also_by_way_of_a_redirect() {
    let (server, peer) =
        (TestServer::start_with("[ImageProxySettings]\nEnable = true\n").await, WebPeer::start().await);
    let admin = server.admin().await;
    peer.answer(200, GIF);
    let port = peer.port();
    for host in ["127.0.0.1", "localhost", "2130706433", "0177.1", "[::ffff:127.0.0.1]"] {
        image(&admin, &format!("http://{host}:{port}/")).await.expect_refusal(500, FAILED);
    }
    image(&admin, &format!("http://a.example@127.0.0.1:{port}/")).await.expect_refusal(400, BAD);
    assert_eq!(peer.count(), 0);
    // The first host is allowed; the host of the redirect is not.
    patch(&admin, json!({ "ServiceSettings": { "AllowedUntrustedInternalConnections": "127.0.0.1" } })).await;
    peer.redirect(&format!("http://127.0.0.2:{port}/"));
    image(&admin, &peer.url()).await.expect_refusal(500, FAILED);
    assert_eq!(peer.count(), 1);
}
