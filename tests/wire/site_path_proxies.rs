//! A `SiteURL` with a path behind nginx, which takes the path off or leaves it.

use reqwest::cookie::Jar;
use reqwest::{Client, Url};
use serde_json::{Value, json};
use std::sync::Arc;

use super::nginx::front_at;
use crate::support::server::PASSWORD;
use crate::support::websocket::{WebSocket, upgrade};
use crate::support::{TestServer, needs};

const SITE: &str = "[ServiceSettings]\nSiteURL = \"https://chat.example/team\"\n";

/// The settings of a location that passes a WebSocket on.
const UPGRADE: &str = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";";

/// The path of the location, and the address that its requests are passed on to.
const STRIPPING: [(&str, &str); 2] = [("/team/", "http://quarterdeck/"), ("/team", "http://quarterdeck/")];
const PASSING: [(&str, &str); 3] =
    [("/team/", "http://quarterdeck"), ("/team", "http://quarterdeck"), ("/", "http://quarterdeck")];

/// A browser: it keeps cookies by their paths and follows redirects.
struct Browser {
    client: Client,
    jar: Arc<Jar>,
    site: String,
}

impl Browser {
    fn at(base: &str) -> Self {
        let jar = Arc::new(Jar::default());
        let client = Client::builder().cookie_provider(jar.clone()).no_proxy().build().unwrap();
        Self { client, jar, site: format!("{base}/team") }
    }

    /// Sends a request as a script of a page does. Returns the status and the address at which it ended.
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> (u16, String, String) {
        let mut request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.site));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let (status, url) = (answer.status().as_u16(), answer.url().to_string());
        (status, url, answer.text().await.unwrap())
    }

    async fn status(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
        self.send(method, path, headers, Value::Null).await.0
    }

    /// Returns the cookies that the browser sends to a path of the host.
    fn cookies(&self, path: &str) -> String {
        use reqwest::cookie::CookieStore;
        let url = Url::parse(&self.site).unwrap().join(path).unwrap();
        self.jar.cookies(&url).map(|cookies| cookies.to_str().unwrap().to_owned()).unwrap_or_default()
    }
}

/// Goes through everything that a browser does below the path of the site.
async fn works(server: &TestServer, base: &str) {
    let browser = Browser::at(base);
    let (status, url, page) = browser.send("GET", "/", &[], Value::Null).await;
    assert!(status == 200 && url.starts_with(&format!("{}/", browser.site)), "{status} {url}");
    assert!(page.contains("data-site=\"./\"") && page.contains("src=\"./quarterdeck/assets/"), "{page}");
    for path in ["/api/v4/openapi", "/api/v4/openapi.json", "/api/v4/openapi/openapi.js", "/readyz?verbose", "/livez"] {
        let (status, url, _) = browser.send("GET", path, &[], Value::Null).await;
        assert!(status == 200 && url.starts_with(&browser.site), "{path}: {status} {url}");
    }
    // A doubled slash and a missing slash lead back to the site.
    for path in ["", "/api/v4/../v4/system/ping", "/api//v4/system/ping"] {
        let (status, url, _) = browser.send("GET", path, &[], Value::Null).await;
        assert!(status == 200 && url.starts_with(&browser.site), "{path}: {status} {url}");
    }
    let script = ("X-Requested-With", "XMLHttpRequest");
    let login = json!({ "login_id": "admin", "password": PASSWORD });
    assert_eq!(browser.send("POST", "/api/v4/users/login", &[script], login).await.0, 200);
    // The browser keeps the session, for this site and no other one of the host.
    assert_eq!(browser.status("GET", "/api/v4/users/me", &[]).await, 200);
    let cookies = browser.cookies("/team/api/v4/users/me");
    assert!(cookies.contains("MMAUTHTOKEN=") && cookies.contains("MMCSRF="), "{cookies}");
    for elsewhere in ["/", "/teamwork", "/api/v4/users/me"] {
        assert_eq!(browser.cookies(elsewhere), "", "{elsewhere}");
    }
    // The CSRF check.
    let csrf = cookies.split("MMCSRF=").nth(1).unwrap().split(';').next().unwrap();
    assert_eq!(browser.status("POST", "/api/v4/caches/invalidate", &[("X-CSRF-Token", csrf)]).await, 200);
    // The WebSocket takes the session from the cookie of a page of the site.
    let head = upgrade("", &format!("Cookie: {cookies}\r\nOrigin: https://chat.example\r\n"));
    let head = head.replacen("/api/v4/websocket", "/team/api/v4/websocket", 1);
    let mut socket = WebSocket::try_open(base, &head).await.unwrap();
    assert_eq!(socket.event().await["event"], "hello");
    // Logging out takes the cookie away.
    assert_eq!(browser.status("POST", "/api/v4/users/logout", &[script]).await, 200);
    assert!(!browser.cookies("/team/api/v4/users/me").contains("MMAUTHTOKEN="));
    assert_eq!(browser.status("GET", "/api/v4/users/me", &[]).await, 401);
    // Clients that do not know the path use the server's own address.
    assert_eq!(server.login("admin").await.get("/users/me").await.status, 200);
}

async fn works_behind(locations: &[(&str, &str)], more: &str) {
    let Some(folder) = needs::peer("nginx") else { return };
    let server = TestServer::start_with(SITE).await;
    server.admin().await;
    let settings = format!("{UPGRADE}{more}");
    let locations: Vec<_> = locations.iter().map(|(path, target)| (*path, *target, settings.as_str())).collect();
    let (_nginx, base) = front_at(&server, &folder.join("nginx"), &locations).await;
    works(&server, &base).await;
}

#[actix_web::test]
async fn a_proxy_may_pass_the_path_on() {
    works_behind(&PASSING, "").await;
}

#[actix_web::test]
async fn a_proxy_may_take_the_path_off() {
    works_behind(&STRIPPING[..1], "").await;
}

#[actix_web::test]
async fn a_proxy_may_take_the_path_off_and_say_so() {
    works_behind(&STRIPPING[..1], " proxy_set_header X-Forwarded-Prefix /team;").await;
}

#[actix_web::test]
async fn a_proxy_may_leave_a_slash_too_many() {
    works_behind(&STRIPPING[1..], "").await;
}

#[actix_web::test]
async fn it_works_without_a_proxy() {
    let server = TestServer::start_with(SITE).await;
    server.admin().await;
    works(&server, &server.base).await;
}
