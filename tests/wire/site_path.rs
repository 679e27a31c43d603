//! A `SiteURL` with a path: everything answers below it, the API, the WebSocket, probes and metrics also at the root.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::support::process::{Workplace, lines};
use crate::support::raw::exchange;
use crate::support::server::{PASSWORD, account};
use crate::support::waiting::until;
use crate::support::websocket::{WebSocket, upgrade};
use crate::support::{Client, TestServer, trail};

const SITE: &str = "[ServiceSettings]\nSiteURL = \"https://chat.example/team\"\n";
const SCRIPT: (&str, &str) = ("X-Requested-With", "XMLHttpRequest");

/// Sends a request as it is and returns its status and the header `Location`.
async fn requested(base: &str, method: &str, target: &str, headers: &str) -> (u16, String) {
    let request = format!("{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    let answer = exchange(base, &request).await;
    let location = answer.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap_or_default();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), location.to_owned())
}

/// Returns the paths of the cookies of a login.
async fn cookie_paths(client: &Client) -> Vec<String> {
    let body = json!({ "login_id": "admin", "password": PASSWORD }).to_string();
    let reply = client.send(Method::POST, "/users/login", Some(body), &[SCRIPT]).await;
    let cookies = reply.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
    cookies.map(|cookie| cookie.split("Path=").nth(1).unwrap().split(';').next().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn every_way_to_write_the_path_has_its_outcome() {
    let server = TestServer::start_with(SITE).await;
    for (target, status, location) in [
        ("/team/", 200, ""),
        ("/team/api/v4/system/ping", 200, ""),
        ("/team/api/v4/openapi", 200, ""),
        ("/team/api/v4/openapi.json", 200, ""),
        ("/team/livez", 200, ""),
        ("/team/startupz", 200, ""),
        ("/team/readyz", 200, ""),
        ("/team/api/v4/users/me", 401, ""),
        // The API and probes answer at the root as well, where a proxy may have taken the path off.
        ("/api/v4/system/ping", 200, ""),
        ("/api/v4/openapi.json", 200, ""),
        ("/api/v4/openapi/openapi.js", 200, ""),
        ("/livez", 200, ""),
        ("/startupz", 200, ""),
        ("/readyz", 200, ""),
        ("/api/v4/users/me", 401, ""),
        // Pages are at one address, where the cookies are.
        ("/", 302, "/team/?from=root"),
        ("/?a=b", 302, "/team/?a=b&from=root"),
        ("/?from=root", 200, ""),
        ("/api/v4/openapi", 302, "/team/api/v4/openapi?from=root"),
        ("/team", 302, "/team/"),
        ("/team?a=b", 302, "/team/?a=b"),
        // Other paths are not below it.
        ("/teamwork", 404, ""),
        ("/teamwork/api/v4/system/ping", 404, ""),
        ("/team/team/api/v4/system/ping", 404, ""),
        ("/Team/api/v4/system/ping", 404, ""),
        ("/TEAM", 404, ""),
        ("/team%2Fapi/v4/system/ping", 404, ""),
        ("/team/api/v4/system/ping/", 404, ""),
        ("/team/nothing", 404, ""),
        // Encoded letters are the letters, and the clean path is always below the path of the site.
        ("/t%65am/%61pi/v4/system/ping", 200, ""),
        ("/%74eam", 302, "/team/"),
        ("/team//api/v4/system/ping", 301, "/team/api/v4/system/ping"),
        ("/team/api//v4/system/ping?x=1", 301, "/team/api/v4/system/ping?x=1"),
        ("/team/api/v4/..", 301, "/team/api"),
        ("/team/../api/v4/system/ping", 301, "/team/api/v4/system/ping"),
        ("/team/..", 301, "/team/"),
        ("/x/%2e%2e/team/livez", 301, "/team/livez"),
        ("/api/v4//system/ping", 301, "/team/api/v4/system/ping"),
        ("///evil.example", 301, "/team/evil.example"),
        ("//evil.example/..", 301, "/team/"),
        // A proxy that takes `/team` off and not the slash after it makes such a path.
        ("//api/v4/system/ping", 200, ""),
        ("//evil.example", 404, ""),
    ] {
        let expected = (status, location.to_owned());
        assert_eq!(requested(&server.base, "GET", target, "").await, expected, "{target}");
        if location.starts_with("/team/?") {
            assert_eq!(requested(&server.base, "HEAD", target, "").await, expected, "{target}");
        }
    }
    // A proxy that says what it took off needs no redirect.
    for (prefix, status) in [("/team", 200), ("/team/", 200), ("/teamwork", 302), ("/", 302), ("/team/x", 302)] {
        let header = format!("X-Forwarded-Prefix: {prefix}\r\n");
        assert_eq!(requested(&server.base, "GET", "/", &header).await.0, status, "{prefix}");
    }
    assert_eq!(requested(&server.base, "POST", "/team", "").await.0, 404);
    assert!(!exchange(&server.base, "GET /team/ HTTP/1.0\r\n\r\n").await.contains("href=\"/"), "links are relative");
}

#[actix_web::test]
async fn other_paths_of_a_site_work_too() {
    for (path, below) in [
        ("/a/b", "/a/b"),
        ("/a//b/", "/a/b"),
        ("/b\u{fc}ro", "/b%C3%BCro"),
        ("/b\u{fc}ro", "/b%c3%bcro"),
        ("/Team", "/Team"),
        ("/api", "/api"),
        ("/api/v4", "/api/v4"),
    ] {
        let server = TestServer::start_with(&SITE.replace("/team", path)).await;
        for target in ["/livez", "/api/v4/system/ping"] {
            assert_eq!(requested(&server.base, "GET", &format!("{below}{target}"), "").await.0, 200, "{path} {target}");
            assert_eq!(requested(&server.base, "GET", target, "").await.0, 200, "{path} {target}");
        }
        let encoded = below.replace("%c3%bc", "%C3%BC");
        assert_eq!(requested(&server.base, "GET", "/", "").await, (302, format!("{encoded}/?from=root")), "{path}");
        assert_eq!(requested(&server.base, "GET", below, "").await, (302, format!("{encoded}/")), "{path}");
    }
    let server = TestServer::start_with(&SITE.replace("/team", "/")).await;
    assert_eq!(requested(&server.base, "GET", "/", "").await.0, 200);
    assert_eq!(
        requested(&server.base, "GET", "//api/v4/system/ping", "").await,
        (301, "/api/v4/system/ping".to_owned())
    );
    assert_eq!(requested(&server.base, "GET", "/team/livez", "").await.0, 404);
}

#[actix_web::test]
async fn the_prefix_gets_around_nothing() {
    let server = TestServer::start_with(SITE).await;
    let admin = server.admin().await;
    let token = admin.token.clone().unwrap();
    let below = admin.at(&format!("{}/team", server.base));
    // Sessions, the CSRF check, permissions and the class of a route.
    below.get("/users/me").await.expect(200);
    server.user(&admin, "bert").await.at(&below.base).get("/config").await.expect(403);
    let cookie = format!("MMAUTHTOKEN={token}");
    let anonymous = Client::new(&below.base);
    let forged = anonymous.send(Method::POST, "/caches/invalidate", None, &[("Cookie", &cookie)]).await;
    forged.expect_refusal(401, "api.context.session_expired.app_error");
    assert!(forged.header("set-cookie").contains("Path=/team"), "{}", forged.header("set-cookie"));
    anonymous.send(Method::POST, "/caches/invalidate", None, &[("Cookie", &cookie), SCRIPT]).await.expect(200);
    // The audit trail and the log of requests name the route.
    admin.audits().await;
    let record = trail::newest_in(server.folder(), "invalidateCaches").await;
    assert_eq!(record["path"], "/api/v4/caches/invalidate");
    // Maintenance.
    admin.send(Method::POST, "/server_busy?seconds=60", None, &[]).await.expect(200);
    let search = json!({ "term": "a" });
    let refused = admin.post("/users/search", search.clone()).await;
    assert_eq!(below.post("/users/search", search).await.status, refused.status);
    admin.delete("/server_busy").await.expect(200);
}

#[actix_web::test]
async fn both_addresses_share_the_rate_limit_and_the_metrics() {
    let settings = format!(
        "{SITE}[RateLimitSettings]\nEnable = true\nPerSec = 1\nMaxBurst = 2\n\
         [Quarterdeck]\nMetricsToken = \"0123456789abcdef\"\n"
    );
    let server = TestServer::start_with(&settings).await;
    // With a bucket for each address, or without one below the path, half of the requests would be served.
    let mut served = 0;
    for target in ["/api/v4/system/ping", "/team/api/v4/system/ping", "/api/v4/system/ping", "/team/"]
        .into_iter()
        .cycle()
        .take(80)
    {
        let status = requested(&server.base, "GET", target, "").await.0;
        assert!(status == 200 || status == 429, "{target}: {status}");
        served += usize::from(status == 200);
    }
    assert!(served < 40, "{served}");
    for target in ["/team/livez", "/team/readyz", "/team/startupz"].into_iter().cycle().take(12) {
        assert_eq!(requested(&server.base, "GET", target, "").await.0, 200, "{target}");
    }
    for target in ["/team/metrics", "/metrics"] {
        let scrape = format!("GET {target} HTTP/1.0\r\nAuthorization: Bearer 0123456789abcdef\r\n\r\n");
        let text = exchange(&server.base, &scrape).await;
        let series = r#"handler="/api/v4/system/ping""#;
        assert!(text.contains(series) && !text.contains("handler=\"/team"), "{target}: {text}");
    }
}

#[actix_web::test]
async fn metrics_on_their_own_address_answer_below_the_path_and_at_the_root() {
    let settings = format!("{SITE}[MetricsSettings]\nEnable = true\nListenAddress = \"127.0.0.1:0\"\n");
    let server = TestServer::start_with(&settings).await;
    let base = format!("http://{}", server.server.metrics_address().unwrap());
    for (target, status) in [("/metrics", 200), ("/team/metrics", 200), ("/teamwork/metrics", 404), ("/team", 404)] {
        assert_eq!(requested(&base, "GET", target, "").await.0, status, "{target}");
    }
}

#[actix_web::test]
async fn a_websocket_opens_below_the_path_and_at_the_root() {
    let server = TestServer::start_with(SITE).await;
    let admin = server.admin().await;
    let cookie = format!("Cookie: MMAUTHTOKEN={}\r\n", admin.token.as_ref().unwrap());
    let page = format!("{cookie}Origin: https://chat.example\r\n");
    for path in ["/team/api/v4/websocket", "/api/v4/websocket", "/team//api/v4/websocket"] {
        let head = upgrade("", &page).replacen("/api/v4/websocket", path, 1);
        let mut socket = WebSocket::try_open(&server.base, &head).await.unwrap();
        assert_eq!(socket.event().await["event"], "hello", "{path}");
    }
    let foreign = upgrade("", &format!("{cookie}Origin: https://evil.example\r\n"));
    for path in ["/team/api/v4/websocket", "/teamwork/api/v4/websocket"] {
        assert!(WebSocket::try_open(&server.base, &foreign.replacen("/api/v4/websocket", path, 1)).await.is_err());
    }
}

#[actix_web::test]
async fn the_local_socket_has_no_path() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("qd.socket");
    let local = format!("{SITE}EnableLocalMode = true\nLocalModeSocketLocation = \"{}\"\n", socket.display());
    let _server = TestServer::start_with(&local).await;
    for (target, status) in [("/api/v4/config", 200), ("/team/api/v4/config", 404), ("/team", 404)] {
        let mut connection = UnixStream::connect(&socket).await.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{target}: {answer}");
    }
}

#[actix_web::test]
async fn a_changed_path_is_in_force_after_a_restart_and_until_then_it_is_said_so() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let pending = async || {
        let listed = admin.get("/config/pending_restart").await.expect(200);
        listed.as_array().unwrap().iter().any(|setting| setting["path"] == "ServiceSettings.SiteURL")
    };
    let change = async |site_url: &str| {
        let body = json!({ "ServiceSettings": { "SiteURL": site_url } });
        admin.put("/config/patch", body).await.expect(200);
    };
    // Another host is in force at once.
    change("https://chat.example").await;
    assert!(!pending().await);
    change("https://chat.example/team").await;
    assert!(pending().await);
    assert_eq!(cookie_paths(&server.client()).await, ["/", "/", "/"]);
    assert_eq!(requested(&server.base, "GET", "/team/api/v4/system/ping", "").await.0, 404);
    assert_eq!(requested(&server.base, "GET", "/", "").await.0, 200);
    // Two servers that start with one `SiteURL` agree.
    let (one, other) = (server.start_beside("").await, server.start_beside("").await);
    for node in [&one, &other] {
        assert_eq!(cookie_paths(&node.client()).await, ["/team", "/team", "/team"]);
        assert_eq!(requested(&node.base, "GET", "/team/api/v4/system/ping", "").await.0, 200);
        let listed = admin.at(&node.base).get("/config/pending_restart").await.expect(200);
        assert_eq!(listed, Value::Array(Vec::new()));
    }
    change("https://chat.example").await;
    assert!(!pending().await);
}

#[actix_web::test]
async fn the_check_names_the_path_and_the_log_a_change_that_waits() {
    check_names_the_path(&Workplace::new(SITE).await).await;

    let place =
        Workplace::new("[LogSettings]\nEnableFile = true\nFileLevel = \"INFO\"\nFileLocation = \"logs\"\n").await;
    let server = place.serve().await;
    server.client().post("/users", account("admin")).await.expect(201);
    let admin = server.client().log_in("admin").await;
    let change = async |site_url: &str| {
        let body = json!({ "ServiceSettings": { "SiteURL": site_url } });
        admin.put("/config/patch", body).await.expect(200);
    };
    let logged = async |text: &str| {
        until(text, async || {
            let written = lines(&place.path("logs/mattermost.log"));
            written.iter().any(|line| line["msg"].as_str().is_some_and(|message| message.contains(text)))
        })
        .await;
    };
    change("https://chat.example/team").await;
    logged("the path of ServiceSettings.SiteURL has changed").await;
    change("https://chat.example").await;
    logged("is the one in force again").await;
    // The path of the stored configuration, with which the next start begins.
    change("https://chat.example/team").await;
    server.stop().await;
    check_names_the_path(&place).await;
}

async fn check_names_the_path(place: &Workplace) {
    let check = place.run(&["check"], "").await;
    let expected = "site path: /team, the path of ServiceSettings.SiteURL; a change of it takes effect after a restart";
    let said = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.success() && said.lines().any(|line| line == expected), "{check:?}");
}
