//! The System Console: its libraries, its types, and its pages in a real browser.

mod access;
mod dashboard;
mod failures;
mod first;
mod guard;
mod handles;
mod history;
mod images;
mod logs;
mod looks;
mod nodes;
mod notices;
mod requests;
mod stages;
mod upgrade;
mod users;
mod verification;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::configuration::rows;
use crate::support::server::PASSWORD;
use crate::support::stores::{azure, s3};
use crate::support::{TestServer, needs, peers};

/// The largest number of requests from the login to a page, and of those that open one in a browser without a cache.
const MAX_REQUESTS: usize = 12;

/// The largest number of bytes of these requests.
const MAX_BYTES: u64 = 150_000;

fn own(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[actix_web::test]
async fn the_libraries_are_those_of_the_registry() {
    let Some(folder) = needs::peer("console") else { return };
    let mut node = Command::new(peers::tool("node"));
    node.arg(own("tests/clients/console/vendored.mjs")).current_dir(folder);
    let files = peers::play(&mut node).await;
    assert!(files.len() >= 8, "{files:?}");
    let changed: Vec<&Value> = files.iter().filter(|file| file["is_same"] != true).collect();
    assert!(changed.is_empty(), "vendored.mjs --write renews these: {changed:?}");
}

#[actix_web::test]
async fn the_types_of_the_console_are_right() {
    let Some(folder) = needs::peer("console") else { return };
    let mut node = Command::new(peers::tool("node"));
    node.arg(folder.join("node_modules/typescript/bin/tsc"));
    let checked = node.arg("-p").arg(own("tests/clients/console/tsconfig.json")).output().await.unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

/// Runs a scenario of `tests/clients/console/` in a browser. Returns its steps.
async fn play(scenario: &str, peers: [PathBuf; 2], base: &str, more: &str) -> Vec<Value> {
    let mut node = Command::new(peers::tool("node"));
    node.arg(own("tests/clients/console").join(scenario)).args(peers);
    node.args([base, "admin", PASSWORD]).arg(own("target/console")).arg(more);
    let steps = peers::play(&mut node).await;
    assert_eq!(steps.last().unwrap(), &json!({ "step": "ended", "complaints": [] }));
    steps
}

#[actix_web::test]
async fn an_administrator_searches_changes_and_saves_settings() {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    server.user(&admin, "plain").await;
    server.staff(&admin, "reader", "system_read_only_admin").await;
    let steps = play("settings.mjs", [browser, console], &server.base, "").await;
    let step = |name: &str| steps.iter().find(|step| step["step"] == name).unwrap();

    let login = step("login");
    assert!(login["refusal"].as_str().unwrap().contains("password"), "{login}");
    assert!(login["address"].as_str().unwrap().starts_with("/admin_console/"), "{login}");
    let start = step("start");
    assert!(
        start["requests"].as_u64().unwrap() <= MAX_REQUESTS as u64 && start["bytes"].as_u64().unwrap() <= MAX_BYTES,
        "{start}"
    );

    let search = step("search");
    assert_eq!(search["found"]["AmazonS3Region"], "FileSettings.AmazonS3Region");
    assert_eq!(search["found"]["smtp server port"], "EmailSettings.SMTPPort");
    assert_eq!(search["found"]["largest file in bytes"], "FileSettings.MaxFileSize");
    assert_eq!(search["address"], "/admin_console/environment/smtp#EmailSettings.SMTPServer");

    let save = step("save");
    assert_eq!(
        [&save["before"], &save["during"], &save["undone"], &save["after"], &save["has_version"]],
        [&json!(true), &json!(false), &json!(true), &json!(true), &json!(true)]
    );
    assert!(save["difference"].as_str().unwrap().contains("mail.example"), "{save}");
    assert_eq!(save["body"], json!({ "EmailSettings": { "SMTPServer": "mail.example" } }), "only the changed key");
    assert_eq!(save["query"], "?comment=a+new+mail+server");
    let refusal = step("refusal");
    assert_eq!(refusal["own"], "Enter a whole number.");
    assert!(refusal["list"].as_str().unwrap().starts_with("WebSocket address: "), "{refusal}");
    assert!(refusal["server"].as_str().unwrap().len() > 10, "{refusal}");
    assert_eq!(refusal["stays"], false);
    let leaving = step("leaving");
    assert_eq!(leaving["question"], "Discard Changes?");
    assert_eq!(leaving["stayed"], "/admin_console/environment/web_server");
    assert_ne!(leaving["left"], leaving["stayed"]);

    let conflict = step("conflict");
    assert_eq!(conflict["columns"], json!(["mine.example", "theirs.example", "mail.example"]));
    let merged = conflict["merged"].as_str().unwrap();
    assert!(merged.contains("2525") && !merged.contains("mine.example"), "{merged}");
    assert_eq!((&conflict["server"], &conflict["port"]), (&json!("theirs.example"), &json!("2525")));

    let pinned = step("pinned");
    assert_eq!(pinned["is_locked"], true);
    assert!(pinned["alert"].as_str().unwrap().contains("config.toml:"), "{pinned}");
    let pending = step("pending");
    assert!(pending["waiting"].as_str().unwrap().starts_with("1 setting waits for a restart"), "{pending}");
    assert_eq!((&pending["elsewhere"], &pending["violations"]), (&json!(1), &json!([])));
    let secret = step("secret");
    assert_eq!((&secret["inputs"], &secret["left"], &secret["state"]), (&json!(0), &json!(0), &json!("Set")));
    let shown = secret["shown"].as_str().unwrap();
    assert!(!shown.contains("hidden-secret") && shown.contains("Not set\tfingerprint "), "{secret}");
    let since = secret["since"].as_str().unwrap();
    assert!(since.starts_with("fingerprint ") && since.contains(", since "), "{secret}");
    let session = step("session");
    assert_eq!(
        session,
        &json!({ "step": "session", "focus": "input_password-input", "kept": "kept.example", "saved": "kept.example", "is_disabled": true })
    );
    let rights = step("rights");
    assert!(rights["first"].as_str().unwrap().starts_with("/admin_console/"));
    assert_eq!((&rights["heading"], &rights["sidebar"]), (&json!("No access to the System Console"), &json!(0)));
    let reader = step("reader");
    assert!(reader["fields"].as_u64().unwrap() > 3, "{reader}");
    assert_eq!(
        (&reader["enabled"], &reader["save"], &reader["violations"]),
        (&json!(0), &json!(0), &json!([])),
        "{reader}"
    );
    assert_eq!(step("visitor")["asked"], json!([]), "a visitor gets no setting");
    let stored = admin.get("/config/versions").await.expect(200);
    let comments: Vec<&str> =
        stored.as_array().unwrap().iter().filter_map(|version| version["comment"].as_str()).collect();
    assert!(comments.contains(&"a new mail server"), "{comments:?}");
}

#[actix_web::test]
async fn an_administrator_tests_a_store_on_the_screen_and_takes_it_into_use() {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let Some(s3) = s3() else { return };
    let Some(mut azure) = azure() else { return };
    // The scenario creates the container, which other tests of this process need not to be there.
    azure["AzureContainer"] = json!("mended");
    let server = TestServer::start().await;
    server.admin().await;
    let stores = json!({ "s3": s3, "azure": azure }).to_string();
    let steps = play("storage.mjs", [browser, console], &server.base, &stores).await;
    let step = |name: &str| steps.iter().find(|step| step["step"] == name).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let names = |value: &Value| value.as_array().unwrap().iter().map(text).collect::<Vec<_>>();

    let drivers = step("drivers");
    let is_of = |name: &String, driver: &str| name.starts_with(driver);
    assert!(!names(&drivers["local"]).iter().any(|name| is_of(name, "Amazon") || is_of(name, "Azure")), "{drivers}");
    let amazon = names(&drivers["amazon"]);
    assert_eq!(amazon.iter().filter(|name| is_of(name, "AmazonS3")).count(), 13, "{drivers}");
    assert!(!amazon.iter().any(|name| is_of(name, "Azure") || name == "Directory"), "{drivers}");
    assert!(names(&drivers["microsoft"]).contains(&"AzureStorageAccount".to_owned()), "{drivers}");
    assert_eq!((&drivers["typed"], &drivers["is_moved"]), (&json!("typed-bucket"), &json!(1)));

    assert!(text(&step("local")["alert"]).contains("Connection was successful"));
    assert!(names(&step("local")["passed"]).contains(&"delete".to_owned()), "{}", step("local"));
    assert_eq!(step("preset")["endpoint"], "localhost:9000");
    let failure = step("failure");
    assert!(text(&failure["verdict"]).starts_with("Connection unsuccessful:"), "{failure}");
    assert_eq!(failure["failed"], json!(["bucket"]), "{failure}");
    assert_eq!(failure["field"], "FileSettings.AmazonS3Bucket");
    assert_eq!((&failure["has_secret"], &failure["report"]), (&json!(false), &json!(true)));
    assert_eq!(failure["violations"], json!([]));
    let success = step("success");
    assert_eq!(success["stale"], 1);
    assert!(text(&success["verdict"]).contains("Connection was successful"), "{success}");
    let keys = names(&step("save")["keys"]);
    assert!(keys.iter().all(|key| key == "DriverName" || is_of(key, "AmazonS3")), "nothing untouched: {keys:?}");
    assert!(step("save")["notice"].to_string().contains("The new storage is in use."), "{}", step("save"));
    let reentry = step("reentry");
    assert_eq!(reentry["set"], "Set");
    assert!(text(&reentry["again"]).starts_with("Enter the secret again"), "{reentry}");
    assert!(text(&reentry["verdict"]).starts_with("Connection unsuccessful:"), "{reentry}");
    assert_eq!(step("azure")["failed"], json!(["bucket"]), "{}", step("azure"));
    assert!(text(&step("banner")["text"]).contains("The earlier storage goes on serving."), "{}", step("banner"));
    let exports = step("exports");
    assert_eq!(exports["off"].as_array().unwrap().iter().filter(|name| is_of(&text(name), "Export")).count(), 0);
    assert_eq!((&exports["driver"], &exports["container"]), (&json!("azureblob"), &json!("mended")));
    let mended = step("mended");
    assert!(text(&mended["verdict"]).contains("Connection was successful"), "{mended}");
    assert_eq!(mended["driver"], "azureblob");
}

#[actix_web::test]
async fn the_search_leads_to_every_setting() {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let server = TestServer::start().await;
    server.admin().await;
    let steps = play("reach.mjs", [browser, console], &server.base, "").await;
    assert_eq!(steps[0], json!({ "step": "settings", "count": rows().len(), "lost": [] }));
    assert_eq!(steps[1], json!({ "step": "escapes", "headings": ["Web server", "SMTP", "Web server"] }));
}
