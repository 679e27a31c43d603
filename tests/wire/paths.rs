//! Paths that are written in another way: with doubled slashes, dots and encoded letters.

use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::support::raw::exchange;
use crate::support::websocket::{WebSocket, upgrade};
use crate::support::{TestServer, trail};

fn request(method: &str, target: &str, headers: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n")
}

/// Sends a request as it is and returns its status and the header `Location`.
async fn send(base: &str, method: &str, target: &str) -> (u16, String) {
    let answer = exchange(base, &request(method, target, "")).await;
    let location = answer.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap_or_default();
    (status(&answer), location.to_owned())
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[actix_web::test]
async fn a_path_with_other_segments_is_redirected_to_the_clean_one() {
    let server = TestServer::start().await;
    for (method, target, location) in [
        ("GET", "//api/v4/system/ping", "/api/v4/system/ping"),
        ("HEAD", "/api/v4//system/ping?x=1&y=//", "/api/v4/system/ping?x=1&y=//"),
        ("GET", "/api/v4/../v4/system/ping", "/api/v4/system/ping"),
        ("GET", "/api/v4/%2E%2e/v4/system/%70ing", "/api/v4/system/ping"),
        ("POST", "/api//v4/users/login", "/api/v4/users/login"),
        ("DELETE", "/api/v4/./server_busy", "/api/v4/server_busy"),
        // No host of the request's choice is ever named.
        ("GET", "//evil.example/..", "/"),
        ("GET", "//evil.example/%2e%2e", "/"),
        ("GET", "//evil.example", "/evil.example"),
        ("GET", "///evil.example//", "/evil.example/"),
        ("GET", "//\\evil.example", "/%5Cevil.example"),
        ("GET", "/..//evil.example/..//\\evil.example", "/%5Cevil.example"),
    ] {
        assert_eq!(send(&server.base, method, target).await, (301, location.to_owned()), "{method} {target}");
    }
    for target in ["/api/v4/system/ping", "/", "/api/v4/system/...", "/api%2Fv4/%2Fsystem/ping"] {
        assert_eq!(send(&server.base, "GET", target).await.1, "", "{target}");
    }
}

#[actix_web::test]
async fn clients_that_follow_no_redirects_are_served_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("qd.socket");
    let settings =
        format!("[ServiceSettings]\nEnableLocalMode = true\nLocalModeSocketLocation = \"{}\"\n", socket.display());
    let server = TestServer::start_with(&settings).await;
    for target in ["//api/v4/config", "/api/v4//config", "/api/v4/../v4/%63onfig"] {
        let mut local = UnixStream::connect(&socket).await.unwrap();
        local.write_all(request("GET", target, "").as_bytes()).await.unwrap();
        let mut answer = String::new();
        local.read_to_string(&mut answer).await.unwrap();
        assert_eq!(status(&answer), 200, "{target}");
        // The same path over the network still needs a session.
        assert_eq!(send(&server.base, "GET", target).await.0, 301);
    }
    let admin = server.admin().await;
    let head = upgrade("", &format!("Authorization: Bearer {}\r\n", admin.token.as_ref().unwrap()));
    for path in ["//api/v4/websocket", "/api/v4//websocket", "/api/v4/%77ebsocket"] {
        let mut socket = WebSocket::try_open(&server.base, &head.replacen("/api/v4/websocket", path, 1)).await.unwrap();
        assert_eq!(socket.event().await["event"], "hello", "{path}");
    }
}

#[actix_web::test]
async fn an_encoded_letter_is_the_letter_and_gets_around_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for (method, plain, encoded) in [
        ("GET", "/api/v4/system/ping", "/api/v4/system/%70ing"),
        ("GET", "/api/v4/config", "/%61pi/v4/%63onfig"),
        ("POST", "/api/v4/caches/invalidate", "/api/v4/c%61ches/inv%61lidate"),
        ("POST", "/api/v4/users/logout", "/api/v4/users/l%6Fgout"),
        ("GET", "/api/v4/nothing", "/api/v4/%6eothing"),
    ] {
        // With a cookie and without a CSRF token, as a page of another site would send it.
        let cookie = format!("Cookie: MMAUTHTOKEN={}\r\nContent-Length: 0\r\n", admin.token.as_ref().unwrap());
        for headers in ["", &cookie] {
            let wanted = exchange(&server.base, &request(method, plain, headers)).await;
            let given = exchange(&server.base, &request(method, encoded, headers)).await;
            assert_eq!(status(&given), status(&wanted), "{encoded} {headers}");
            if status(&wanted) >= 400 {
                let id = |answer: &str| answer.split_once("\"id\":\"").map(|(_, rest)| rest[..30].to_owned());
                assert_eq!(id(&given), id(&wanted), "{encoded} {headers}");
            }
        }
    }
    let encoded = admin.send(Method::POST, "/caches/inv%61lidate", None, &[]).await;
    encoded.expect(200);
    admin.audits().await;
    let record = trail::newest_in(server.folder(), "invalidateCaches").await;
    assert_eq!((&record["path"], &record["status"]), (&"/api/v4/caches/invalidate".into(), &"success".into()));
    let missing = admin.get("/%6eothing").await.expect(404);
    assert!(missing["detailed_error"].as_str().unwrap().contains("url='/api/v4/nothing'"), "{missing}");
}

#[actix_web::test]
async fn other_spellings_share_the_rate_limit_and_probes_are_outside_of_it() {
    let settings = "[RateLimitSettings]\nEnable = true\nPerSec = 1\nMaxBurst = 2\n\
                    [Quarterdeck]\nMetricsToken = \"0123456789abcdef\"\n";
    let server = TestServer::start_with(settings).await;
    let spellings = ["/api/v4/system/%70ing", "//api/v4/system/ping", "/api/v4/system/ping"];
    let mut statuses = Vec::new();
    for target in spellings {
        statuses.push(send(&server.base, "GET", target).await.0);
    }
    assert_eq!(statuses, [200, 301, 200]);
    let probes = ["/livez", "/readyz", "/startupz", "/liv%65z"];
    for target in probes.into_iter().cycle().take(40) {
        let answer = exchange(&server.base, &request("GET", target, "")).await;
        assert!(status(&answer) == 200 && !answer.contains("X-Ratelimit"), "{answer}");
    }
    let scrape = request("GET", "/metrics", "Authorization: Bearer 0123456789abcdef\r\n");
    for _ in 0..10 {
        assert_eq!(status(&exchange(&server.base, &scrape).await), 200);
    }
}

#[actix_web::test]
async fn a_cookie_that_is_not_utf_8_costs_nothing_else() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let mut request =
        b"GET /api/v4/users/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: site=\xe9\xff; ".to_vec();
    request.extend_from_slice(format!("broken; MMAUTHTOKEN={}\r\n\r\n", admin.token.as_ref().unwrap()).as_bytes());
    let mut connection = crate::support::raw::connect(&server.base).await;
    connection.write_all(&request).await.unwrap();
    let answer = crate::support::raw::read_to_end(&mut connection).await;
    assert_eq!(status(&answer), 200, "{answer}");
}
