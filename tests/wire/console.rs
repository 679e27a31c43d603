//! The page of the System Console and its files, as any visitor gets them.

use reqwest::Method;

use crate::support::{Reply, TestServer};

async fn get(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Reply {
    server.client().send(Method::GET, &format!("/{path}"), None, headers).await
}

/// Returns the address of a file that a page loads, as the browser resolves it.
fn address_of(page: &Reply, at: &str, name: &str) -> String {
    let text = page.text();
    let link = text.split('"').find(|part| part.ends_with(name)).unwrap();
    let base = reqwest::Url::parse("http://host").unwrap().join(at).unwrap();
    base.join(link).unwrap().path().to_owned()
}

#[actix_web::test]
async fn every_address_of_the_console_answers_the_page_with_relative_links() {
    let server = TestServer::start().await;
    let mut addresses = Vec::new();
    for path in [
        "/",
        "/login",
        "/admin_console",
        "/admin_console/",
        "/admin_console/environment/file_storage",
        "/admin_console/no/such/page/a%2Fb",
    ] {
        let page = get(&server, path, &[]).await;
        assert_eq!((page.status, page.header("content-type").as_str()), (200, "text/html; charset=utf-8"), "{path}");
        assert_eq!(page.header("cache-control"), "no-cache");
        assert_eq!(page.header("x-frame-options"), "SAMEORIGIN");
        let policy = page.header("content-security-policy");
        for rule in [
            "default-src 'none'",
            "script-src 'self';",
            "style-src 'self';",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
            "frame-ancestors 'self'",
        ] {
            assert!(policy.contains(rule), "{rule}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        addresses.push(address_of(&page, path, "/start.js"));
        assert!(!page.text().contains("\"/"), "links are relative: {}", page.text());
    }
    addresses.dedup();
    assert_eq!(addresses.len(), 1, "{addresses:?}");
    let posted = server.client().send(Method::POST, "//login", Some("{}".to_owned()), &[]).await;
    assert_eq!(posted.status, 404);
}

#[actix_web::test]
async fn files_are_compressed_cached_for_a_year_and_found_under_their_hash_only() {
    let server = TestServer::start().await;
    let page = get(&server, "/login", &[]).await;
    let script = address_of(&page, "/login", "/start.js");
    let packed = get(&server, &script, &[("Accept-Encoding", "gzip")]).await;
    assert_eq!((packed.status, packed.header("content-encoding").as_str()), (200, "gzip"));
    assert_eq!(packed.header("cache-control"), "max-age=31556926, public, immutable");
    assert_eq!(packed.header("content-type"), "text/javascript; charset=utf-8");
    assert!(packed.header("vary").contains("Accept-Encoding"));
    let plain = get(&server, &script, &[]).await;
    assert!(plain.header("content-encoding").is_empty() && plain.text().contains("export { $modules"));
    let style = get(&server, &script.replace("start.js", "console.css"), &[]).await;
    assert_eq!((style.status, style.header("content-type").as_str()), (200, "text/css; charset=utf-8"));
    let folder = script.strip_suffix("start.js").unwrap();
    for path in [
        "/quarterdeck/assets/0000000000000000/start.js".to_owned(),
        format!("{folder}none.js"),
        format!("{folder}index.html"),
        format!("{folder}vendor/preact.d.mts"),
        format!("{folder}..%2f..%2fconfig.toml"),
        "/quarterdeck/assets".to_owned(),
    ] {
        get(&server, &path, &[]).await.expect_refusal(404, "api.context.404.app_error");
    }
}

#[actix_web::test]
async fn below_the_path_of_a_site_and_behind_a_proxy_that_takes_it_off_the_links_lead_to_the_site() {
    let server = TestServer::start_with("[ServiceSettings]\nSiteURL = \"https://chat.example/team\"\n").await;
    let deep = "/admin_console/environment/file_storage";
    let moved = get(&server, &format!("{deep}?x=1"), &[]).await;
    assert_eq!((moved.status, moved.header("location")), (302, format!("/team{deep}?x=1&from=root")));
    let below = format!("/team{deep}");
    let page = get(&server, &below, &[]).await;
    let script = address_of(&page, &below, "/start.js");
    assert!(script.starts_with("/team/quarterdeck/assets/"), "{script}");
    assert_eq!(get(&server, &script, &[]).await.status, 200);
    let stripped = get(&server, deep, &[("X-Forwarded-Prefix", "/team")]).await;
    assert_eq!((stripped.status, stripped.text()), (200, page.text()));
    assert_eq!(get(&server, "/team", &[]).await.header("location"), "/team/");
}

#[actix_web::test]
async fn the_settings_name_the_sites_that_may_embed_the_page() {
    let settings = "[ServiceSettings]\nFrameAncestors = \"https://intranet.example bad;script-src\"\n";
    let server = TestServer::start_with(settings).await;
    // A page of the console shows the second one in a frame, and every site around a frame has to be allowed.
    for path in ["/", "/api/v4/openapi"] {
        let page = get(&server, path, &[]).await;
        let policy = page.header("content-security-policy");
        assert!(policy.ends_with("frame-ancestors 'self' https://intranet.example"), "{path}: {policy}");
        assert_eq!(page.header("x-frame-options"), "", "{path}: it would forbid what the policy allows");
    }
}

#[actix_web::test]
async fn the_page_is_the_same_with_and_without_a_session_even_a_wrong_one() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let anonymous = get(&server, "/admin_console", &[]).await;
    let token = format!("Bearer {}", admin.token.as_deref().unwrap());
    for header in [token.as_str(), "Bearer wrong"] {
        let page = get(&server, "/admin_console", &[("Authorization", header)]).await;
        assert_eq!((page.status, page.text()), (200, anonymous.text()));
    }
}

#[actix_web::test]
async fn the_page_of_a_server_without_accounts_says_how_the_first_one_is_made() {
    let server = TestServer::start().await;
    let says = |page: Reply, setup: &str| page.text().contains(&format!("data-setup=\"{setup}\""));
    let forwarded = ("X-Forwarded-For", "192.0.2.7");
    for path in ["/", "/login", "/admin_console/environment/smtp"] {
        assert!(says(get(&server, path, &[]).await, "here"), "{path}");
        assert!(says(get(&server, path, &[forwarded]).await, "code"), "{path}");
    }
    // A second server of the database notices the account as well.
    let beside = server.start_beside("").await;
    server.admin().await;
    assert!(says(get(&server, "/", &[forwarded]).await, ""));
    assert!(says(get(&beside, "/", &[]).await, ""));
    let told = beside.client().get("/config/client").await.expect(200);
    assert_eq!(told["NoAccounts"], "false");
}
