//! Calls to other servers, as the program makes them with variables of its environment.

use serde_json::json;

use super::tls;
use crate::support::server::account;
use crate::support::web_peer::WebPeer;
use crate::support::{Client, Home, Reply, TestServer};

async fn admin(client: &Client) -> Client {
    client.post("/users", account("admin")).await.expect(201);
    client.log_in("admin").await
}

async fn test_site(admin: &Client, site_url: &str) -> Reply {
    admin.post("/site_url/test", json!({ "site_url": site_url })).await
}

#[actix_web::test]
async fn the_proxies_of_the_environment_are_not_used() {
    let (site, proxy) = (WebPeer::start().await, WebPeer::start().await);
    let mut home = Home::new("[ServiceSettings]\nAllowedUntrustedInternalConnections = \"localhost\"\n").await;
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        home = home.with_variable(name, &proxy.url());
    }
    let process = home.start().await;
    let admin = admin(&process.client()).await;
    test_site(&admin, &format!("http://localhost:{}", site.port())).await.expect_ok();
    test_site(&admin, &format!("http://127.0.0.1:{}", site.port())).await.expect_ok();
    assert_eq!(site.lines().len(), 2);
    assert!(proxy.lines().is_empty());
}

#[actix_web::test]
async fn whom_the_system_trusts_is_trusted_and_nobody_else() {
    let certificate = tls::certificate();
    let site = TestServer::start_with(&tls::settings(&certificate, "")).await;
    let site_url = format!("https://localhost:{}", site.server.addresses()[0].port());
    let file = certificate.folder.path().join("cert.pem");
    let home = Home::new("[ServiceSettings]\nAllowedUntrustedInternalConnections = \"localhost\"\n").await;
    let home = home.with_variable("SSL_CERT_FILE", file.to_str().unwrap());
    let process = home.start().await;
    test_site(&admin(&process.client()).await, &site_url).await.expect_ok();

    let untrusting =
        TestServer::start_with("[ServiceSettings]\nAllowedUntrustedInternalConnections = \"localhost\"\n").await;
    let admin = untrusting.admin().await;
    let refused = test_site(&admin, &site_url).await;
    refused.expect_refusal(400, "app.admin.test_site_url.failure");
    assert!(refused.text().contains("localhost has no valid certificate"), "{}", refused.text());
    let insecure = json!({ "ServiceSettings": { "EnableInsecureOutgoingConnections": true } });
    admin.put("/config/patch", insecure).await.expect(200);
    test_site(&admin, &site_url).await.expect_ok();
}
