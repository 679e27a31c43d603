//! Saved storage settings are used after their test passes, without a restart; until then the earlier settings are
//! used.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::configuration::at;
use crate::support::waiting::until;
use crate::support::websocket::WebSocket;
use crate::support::{Client, TestServer};

const HEADER: &str = "x-storage-settings";

/// Starts a server whose storage settings are stored, not pinned.
async fn start(settings: &str) -> TestServer {
    let environment = |folder: &Path| {
        let file = folder.join("config.json");
        let stored = json!({ "FileSettings": { "Directory": folder.join("files").to_str().unwrap() } });
        std::fs::write(&file, stored.to_string()).unwrap();
        vec![("MM_CONFIG".to_owned(), file.to_str().unwrap().to_owned())]
    };
    TestServer::start_in(&format!("[FileSettings]\nEnablePublicLink = false\n{settings}"), &environment).await
}

/// Returns a folder that cannot be created, even by root, and the file in its place that prevents it.
fn blocked(server: &TestServer) -> (PathBuf, PathBuf) {
    let blocker = server.folder().join("blocker");
    std::fs::write(&blocker, "").unwrap();
    (blocker.join("files"), blocker)
}

async fn save(admin: &Client, key: &str, folder: &Path) -> String {
    let reply = admin.set(&format!("FileSettings.{key}"), folder.to_str().unwrap()).await;
    reply.expect(200);
    settled(admin, reply.header(HEADER)).await
}

/// Returns the state after the test, which may take longer than the response on a busy machine.
async fn settled(admin: &Client, first: String) -> String {
    let mut said = first;
    until("the test is over", async || {
        let is_over = !said.contains("=testing");
        if !is_over {
            said = admin.get("/config").await.header(HEADER);
        }
        is_over
    })
    .await;
    said
}

async fn ready(server: &TestServer) -> (u16, String) {
    let reply = server.client().get("//readyz?verbose").await;
    (reply.status, reply.text())
}

#[actix_web::test]
async fn a_change_that_works_is_in_service_when_it_is_answered() {
    let server = start("").await;
    let admin = server.admin().await;
    let other = server.folder().join("other");
    assert_eq!(save(&admin, "Directory", &other).await, "files=in-service");
    assert!(other.is_dir());
    assert_eq!(admin.get("/config").await.header(HEADER), "");
    let reply = admin.set("TeamSettings.SiteName", "Bridge").await;
    assert_eq!(reply.header(HEADER), "", "what is no storage setting says nothing of storage");
}

#[actix_web::test]
async fn a_change_that_does_not_work_leaves_the_earlier_in_service_and_is_told_everywhere() {
    let server = start("[ServiceSettings]\nEnableUserStatuses = false\n").await;
    let admin = server.admin().await;
    let member = server.user(&admin, "anna").await;
    let (mut for_admin, _) = WebSocket::greeted(&admin).await;
    let (mut for_member, _) = WebSocket::greeted(&member).await;
    let (folder, blocker) = blocked(&server);

    assert_eq!(save(&admin, "Directory", &folder).await, "files=refused; step=bucket");
    assert_eq!(admin.get("/config").await.header(HEADER), "files=refused; step=bucket");
    let restricted = admin.get("/config?remove_defaults=true").await;
    assert_eq!(restricted.header(HEADER), "files=refused; step=bucket");
    let (status, text) = ready(&server).await;
    assert_eq!(status, 200, "the earlier one serves: {text}");
    assert!(text.contains("[!]storage-settings-files degraded: "), "{text}");
    assert!(text.contains("[+]filestore ok"), "{text}");
    let ping = server.client().get("/system/ping?get_server_status=true").await;
    assert_eq!(ping.expect(200)["filestore_status"], "OK");

    std::fs::remove_file(blocker).unwrap();
    until("the server says so", async || ready(&server).await.1.contains("[+]storage-settings-files ok")).await;
    assert!(folder.is_dir());
    assert_eq!(admin.get("/config").await.header(HEADER), "");

    let [refused, mended] = [told(&mut for_admin).await, told(&mut for_admin).await];
    assert_eq!((&refused["store"], &refused["state"]), (&json!("files"), &json!("refused")));
    assert_eq!(refused["refusal"]["step"], "bucket");
    assert!(!refused["refusal"]["remedy"].as_str().unwrap().is_empty());
    assert_eq!((&mended["state"], &mended["refusal"]), (&json!("in-service"), &Value::Null));
    admin.set("TeamSettings.SiteName", "Bridge").await.expect(200);
    // A member receives the same events as the administrator, without those about storage.
    let events = [for_member.event().await, for_member.event().await];
    assert!(events.iter().all(|event| event["event"] == "config_changed"), "{events:?}");
}

/// Returns the data of the next event about storage.
async fn told(socket: &mut WebSocket) -> Value {
    loop {
        let event = socket.event().await;
        if event["event"] == "storage_settings_changed" {
            return event["data"].clone();
        }
    }
}

#[actix_web::test]
async fn going_back_to_what_serves_ends_the_trials() {
    let server = start("").await;
    let admin = server.admin().await;
    let (folder, _) = blocked(&server);
    let before = admin.setting("FileSettings.Directory").await;
    assert_eq!(save(&admin, "Directory", &folder).await, "files=refused; step=bucket");
    assert_eq!(save(&admin, "Directory", Path::new(before.as_str().unwrap())).await, "files=in-service");
    assert!(ready(&server).await.1.contains("[+]storage-settings-files ok"));
}

#[actix_web::test]
async fn a_server_whose_storage_is_down_starts_and_finds_it_when_it_is_back() {
    let blocker = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    let folder = blocker.join("files");
    let settings = format!("[FileSettings]\nDirectory = \"{}\"\n", folder.display());
    let server = TestServer::start_with(&settings).await;
    let (status, text) = ready(&server).await;
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("[-]filestore failed: "), "{text}");
    assert_eq!(server.client().get("/system/ping").await.status, 200);
    blocker.close().unwrap();
    until("the server says so", async || ready(&server).await.0 == 200).await;
    std::fs::remove_dir_all(folder.parent().unwrap()).unwrap();
}

#[actix_web::test]
async fn exports_get_a_store_of_their_own_and_its_failure_stops_no_traffic() {
    let server = start("").await;
    let admin = server.admin().await;
    assert!(!ready(&server).await.1.contains("exportstore"));
    let exports = server.folder().join("exports");
    let reply = admin.put(
        "/config/patch",
        json!({ "FileSettings": {
        "DedicatedExportStore": true, "ExportDirectory": exports.to_str().unwrap(),
    } }),
    );
    let reply = reply.await;
    assert_eq!(at(&reply.expect(200), "FileSettings.DedicatedExportStore"), &json!(true));
    assert_eq!(reply.header(HEADER), "files=in-service, exports=in-service");
    until("the server says so", async || ready(&server).await.1.contains("[+]exportstore ok")).await;
    let (folder, _) = blocked(&server);
    assert_eq!(save(&admin, "ExportDirectory", &folder).await, "files=in-service, exports=refused; step=bucket");
    let (status, text) = ready(&server).await;
    assert_eq!(status, 200);
    assert!(text.contains("[!]storage-settings-exports degraded: "), "{text}");
    std::fs::remove_dir_all(&exports).unwrap();
    std::fs::write(&exports, "").unwrap();
    until("the server says so", async || ready(&server).await.1.contains("[!]exportstore degraded: ")).await;
    assert_eq!(ready(&server).await.0, 200);
}
