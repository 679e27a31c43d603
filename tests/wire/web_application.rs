//! `Quarterdeck.WebClientDirectory`: a web application beside the API.

use std::path::Path;

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::support::process::Workplace;
use crate::support::{Reply, TestServer};

const ROOT: &str = "<html><head><script src=\"/static/main.0a1b2c3d.js\"></script></head></html>";

/// Makes the folder of an application.
fn application() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let script = "console.log('a script that is long enough to be compressed');\n".repeat(100);
    for (name, text) in [
        ("root.html", ROOT),
        ("main.0a1b2c3d.js", script.as_str()),
        ("main.0a1b2c3d.css", "a { src: url(/static/files/f.woff2) }"),
        ("files/f.woff2", "font"),
        ("manifest.json", "{\"icons\":[\"/static/icon.png\"]}"),
        ("i18n/de.62d1c0bd0c4dbd40c7a3.json", "{\"hello\":\"Moin\"}"),
        (".env", "secret"),
        ("unknown.exe", "x"),
    ] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("passwd.txt")).unwrap();
    folder
}

async fn serving(folder: &Path, more: &str) -> TestServer {
    TestServer::start_with(&format!("{more}[Quarterdeck]\nWebClientDirectory = \"{}\"\n", folder.display())).await
}

async fn get(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Reply {
    server.client().send(Method::GET, &format!("/{path}"), None, headers).await
}

fn is_page(reply: &Reply) -> bool {
    (reply.status, reply.header("content-type").as_str()) == (200, "text/html; charset=utf-8") && reply.text() == ROOT
}

#[actix_web::test]
async fn every_unknown_page_answers_the_application_and_the_api_never_does() {
    let folder = application();
    let server = serving(folder.path(), "").await;
    for path in
        ["/", "/login", "/admin_console/environment/file_storage", "/crew/channels/town-square", "/apis", "/x.txt"]
    {
        let reply = get(&server, path, &[]).await;
        assert!(is_page(&reply), "{path}: {reply:?}");
        assert_eq!(reply.header("cache-control"), "no-cache, max-age=31556926, public");
        assert_eq!(reply.header("x-frame-options"), "SAMEORIGIN");
        assert_eq!(reply.header("content-security-policy"), "script-src 'self'; frame-ancestors 'self'");
    }
    for path in ["/api", "/api/", "/api/v4", "/api/v4/nothing", "/api/v5/x", "/quarterdeck/other", "/static/none.js"] {
        let reply = get(&server, path, &[]).await;
        assert!(reply.status == 404 && reply.json()["id"] == "api.context.404.app_error", "{path}: {reply:?}");
    }
    let posted = server.client().send(Method::POST, "//login", Some("{}".to_owned()), &[]).await;
    assert_eq!(posted.status, 404, "only pages are answered");
    assert_eq!(get(&server, "/livez", &[]).await.status, 200);
    server.client().get("/system/ping").await.expect(200);
    let own = get(&server, "/quarterdeck/console", &[]).await;
    assert!(own.status == 200 && own.text().contains("data-console=\"../quarterdeck/console/\""));
    let head = server.client().send(Method::HEAD, "//login", None, &[]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    let tag = get(&server, "/login", &[]).await.header("etag");
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let again = get(&server, "/admin_console", &[("If-None-Match", &known)]).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{known}");
    }
}

#[actix_web::test]
async fn addresses_are_refused_as_those_of_routes_are() {
    let folder = application();
    let server = serving(folder.path(), "[ServiceSettings]\nMaximumURLLength = 100\n").await;
    let long = "x".repeat(100);
    for path in
        [format!("/{long}"), format!("/login?{long}"), format!("/static/main.0a1b2c3d.js?{long}"), format!("/?{long}")]
    {
        get(&server, &path, &[]).await.expect_refusal(414, "basic_security_check.url.too_long_error");
    }
    for path in ["/login%00", "/login?name=%00", "/static/main.0a1b2c3d.js?%00", "/?%00"] {
        get(&server, path, &[]).await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    }
    let large = "x".repeat(70_000);
    for path in ["/login", "/static/main.0a1b2c3d.js"] {
        let refused = get(&server, path, &[("X-Large", &large)]).await;
        refused.expect_refusal(431, "api.context.request_headers_too_large.app_error");
    }
    get(&server, "/api/v4/nothing%00", &[]).await.expect_refusal(404, "api.context.404.app_error");
    assert!(is_page(&get(&server, "/login?name=short", &[]).await));
}

#[actix_web::test]
async fn files_are_compressed_and_cached_for_a_year() {
    let folder = application();
    let server = serving(folder.path(), "").await;
    let script = get(&server, "/static/main.0a1b2c3d.js", &[("Accept-Encoding", "gzip")]).await;
    assert_eq!((script.status, script.header("content-encoding").as_str()), (200, "gzip"));
    assert_eq!(script.header("cache-control"), "max-age=31556926, public, immutable");
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    assert!(script.body.len() < 500 && script.header("x-content-type-options") == "nosniff");
    let plain = get(&server, "/static/main.0a1b2c3d.js", &[]).await;
    assert_eq!((plain.body.len(), plain.header("content-encoding").as_str()), (6200, ""));
    let font = get(&server, "/static/files/f.woff2", &[]).await;
    assert_eq!((font.text().as_str(), font.header("content-type").as_str()), ("font", "font/woff2"));
    let texts = get(&server, "/static/i18n/de.62d1c0bd0c4dbd40c7a3.json", &[]).await;
    assert_eq!(texts.header("cache-control"), "max-age=31556926, public, immutable");
}

#[actix_web::test]
async fn a_file_without_a_hash_in_its_name_is_sent_again_only_if_it_changed() {
    let folder = application();
    let server = serving(folder.path(), "").await;
    for (path, cached) in [
        ("/static/manifest.json", "no-cache, max-age=31556926, public"),
        ("/static/files/f.woff2", "max-age=31556926, public"),
    ] {
        let reply = get(&server, path, &[]).await;
        assert_eq!((reply.status, reply.header("cache-control").as_str()), (200, cached), "{path}");
        let tag = reply.header("etag");
        let again = get(&server, path, &[("If-None-Match", &format!("W/{tag}"))]).await;
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, tag), "{path}");
        assert_eq!(again.header("cache-control"), cached, "{path}");
        let other = get(&server, path, &[("If-None-Match", "\"other\"")]).await;
        assert_eq!((other.status, &other.body), (200, &reply.body), "{path}");
    }
}

#[actix_web::test]
async fn the_sites_that_the_setting_names_may_show_the_page_in_a_frame() {
    let folder = application();
    let sites = "[ServiceSettings]\nFrameAncestors = \"https://a.example x;y *.b.example\"\n";
    let server = serving(folder.path(), sites).await;
    let policies = async |headers: &[(&str, &str)]| {
        let page = get(&server, "/login", headers).await;
        let own = get(&server, "/quarterdeck/console", &[]).await;
        for reply in [&page, &own] {
            let policy = reply.header("content-security-policy");
            assert!(policy.ends_with("; frame-ancestors 'self' https://a.example *.b.example"), "{policy}");
            assert_eq!(reply.header("x-frame-options"), "");
        }
        page
    };
    let tag = policies(&[]).await.header("etag");
    assert_eq!(policies(&[("If-None-Match", &tag)]).await.status, 304);
}

#[actix_web::test]
async fn nothing_beside_the_files_of_the_application_is_served() {
    let folder = application();
    let server = serving(folder.path(), "").await;
    std::fs::write(folder.path().join("later.js"), "1").unwrap();
    for name in [
        ".env",
        "passwd.txt",
        "unknown.exe",
        "later.js",
        "files",
        "files/",
        "",
        "../config.toml",
        "%2e%2e/config.toml",
        "..%2fconfig.toml",
        "files/../../root.html",
        "/etc/passwd",
        "main.0a1b2c3d.js/",
    ] {
        let reply = get(&server, &format!("/static/{name}"), &[]).await;
        let text = reply.text();
        assert!(
            !text.contains("secret") && !text.contains("root:") && !text.contains("ListenAddress"),
            "{name}: {text}"
        );
        assert!(reply.status == 404 || reply.status == 301 || is_page(&reply), "{name}: {reply:?}");
    }
}

#[actix_web::test]
async fn below_the_path_of_a_site_its_files_are_named_with_it() {
    let folder = application();
    let server = serving(folder.path(), "[ServiceSettings]\nSiteURL = \"https://chat.example/team\"\n").await;
    let page = get(&server, "/team/login", &[]).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("src=\"/team/static/main.0a1b2c3d.js\""), "{}", page.text());
    assert!(page.text().contains("<script>window.publicPath='/team/static/'</script>"), "{}", page.text());
    assert!(page.header("content-security-policy").contains("script-src 'self' 'sha256-"));
    let style = get(&server, "/team/static/main.0a1b2c3d.css", &[]).await;
    assert_eq!(style.text(), "a { src: url(/team/static/files/f.woff2) }");
    // A proxy may have taken the path off.
    assert_eq!(get(&server, "/static/files/f.woff2", &[]).await.text(), "font");
    assert_eq!(get(&server, "/", &[]).await.header("location"), "/team/?from=root");
    assert_eq!(get(&server, "/team/", &[]).await.text(), page.text());
    for path in ["/team/api/v4/nothing", "/team/api"] {
        assert_eq!(get(&server, path, &[]).await.status, 404, "{path}");
    }
}

#[actix_web::test]
async fn without_the_option_nothing_changes() {
    let server = TestServer::start().await;
    for path in ["/other", "/static/main.0a1b2c3d.js", "/quarterdeck/console", "/quarterdeck/console/login"] {
        let reply = get(&server, path, &[]).await;
        assert!(reply.status == 404 && reply.json()["id"] == "api.context.404.app_error", "{path}");
    }
    assert!(get(&server, "/", &[]).await.text().contains("<title>Quarterdeck</title>"));
}

#[actix_web::test]
async fn a_folder_that_is_none_or_holds_data_is_refused_at_the_start() {
    let empty = tempfile::tempdir().unwrap();
    let with_data = application();
    std::fs::write(with_data.path().join("config.toml"), "").unwrap();
    for (folder, reason) in [
        (empty.path().to_owned(), "there is no file root.html in it"),
        (empty.path().join("none"), "No such file"),
        (with_data.path().to_owned(), "config.toml is not a file of a web application"),
    ] {
        let settings = format!("[Quarterdeck]\nWebClientDirectory = \"{}\"\n", folder.display());
        let output = Workplace::new(&settings).await.run(&["check"], "").await;
        assert!(!output.status.success(), "{}", folder.display());
        let refused = String::from_utf8(output.stderr).unwrap();
        assert!(refused.contains("Quarterdeck.WebClientDirectory") && refused.contains(reason), "{refused}");
    }
}

#[actix_web::test]
async fn a_running_server_moves_none_of_its_places_into_the_folder() {
    let application = application();
    let environment = |folder: &Path| {
        let stored = json!({ "FileSettings": { "Directory": folder.join("files") } });
        let file = folder.join("config.json");
        std::fs::write(&file, stored.to_string()).unwrap();
        vec![("MM_CONFIG".to_owned(), file.to_str().unwrap().to_owned())]
    };
    let settings = format!(
        "[FileSettings]\nEnablePublicLink = false\n[Quarterdeck]\nWebClientDirectory = \"{}\"\n",
        application.path().display()
    );
    let server = TestServer::start_in(&settings, &environment).await;
    let admin = server.admin().await;
    let manager = server.staff(&admin, "mia", "system_manager").await;
    let link = server.folder().join("link");
    std::os::unix::fs::symlink(application.path(), &link).unwrap();
    let name = application.path().file_name().unwrap();
    let insides = [
        application.path().to_owned(),
        application.path().join("data/files"),
        link.join("files"),
        application.path().join("..").join(name).join("files"),
    ];
    let refused = |reply: Reply, setting: &str| {
        reply.expect_refusal(400, "app.config.served_place.app_error");
        assert!(reply.json()["message"].as_str().unwrap().contains(setting), "{}", reply.text());
    };
    for inside in &insides {
        for (section, setting) in [
            ("FileSettings", "Directory"),
            ("FileSettings", "ExportDirectory"),
            ("ExportSettings", "Directory"),
            ("LogSettings", "FileLocation"),
            ("ComplianceSettings", "Directory"),
        ] {
            let change = json!({ section: { setting: inside } });
            refused(admin.put("/config/patch", change).await, &format!("{section}.{setting}"));
        }
    }
    let change = json!({ "FileSettings": { "Directory": insides[0] } });
    refused(manager.put("/config/patch", change.clone()).await, "FileSettings.Directory");
    let mut whole = admin.config().await;
    whole["FileSettings"]["Directory"] = json!(insides[0]);
    refused(admin.put("/config", whole).await, "FileSettings.Directory");

    // An editor can write it to the file, but it does not come into force.
    let file = server.folder().join("config.json");
    let before = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, change.to_string()).unwrap();
    let reload = admin.post("/config/reload", json!({})).await;
    reload.expect_refusal(500, "api.config.reload_config.app_error");
    let running = admin.config().await["FileSettings"]["Directory"].as_str().unwrap().to_owned();
    assert_eq!(Path::new(&running), server.folder().join("files"));
    std::fs::write(&file, before).unwrap();
    let elsewhere = json!({ "FileSettings": { "Directory": server.folder().join("other") } });
    manager.put("/config/patch", elsewhere).await.expect(200);
}
