//! Every operation keeps all values of a `config.json` of Mattermost.

use quarterdeck_actors::config::table::defaults;
use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use serde_json::{Map, Value, json};

use crate::support::config_place::read_json;
use crate::support::{Client, TestServer};

/// Returns every setting of the table, with the start values of a packaged server and its generated keys.
fn of_mattermost() -> Map<String, Value> {
    let mut document = defaults();
    document.remove("FeatureFlags");
    document["ServiceSettings"]["SiteURL"] = json!("https://chat.example.com");
    document["SqlSettings"]["DriverName"] = json!("postgres");
    document["SqlSettings"]["DataSource"] = json!("postgres://mmuser:secret@localhost/mattermost");
    document["SqlSettings"]["AtRestEncryptKey"] = json!("k".repeat(32));
    document["FileSettings"]["PublicLinkSalt"] = json!("s".repeat(32));
    document["EmailSettings"]["SMTPPassword"] = json!("mail & <secret>");
    document["PluginSettings"]["Plugins"] = json!({ "com.example": { "token": "t", "limit": 7 } });
    document
}

fn text(document: &Map<String, Value>) -> String {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b"    "));
    document.serialize(&mut serializer).unwrap();
    String::from_utf8(text).unwrap()
}

#[actix_web::test]
async fn a_config_json_passes_through_every_operation_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let [file, copy, socket] = ["config.json", "copy.json", "socket"].map(|name| folder.path().join(name));
    let original = of_mattermost();
    std::fs::write(&file, text(&original)).unwrap();
    let settings =
        format!("[ServiceSettings]\nEnableLocalMode = true\nLocalModeSocketLocation = \"{}\"\n", socket.display());
    let variables = vec![("MM_CONFIG".to_owned(), file.display().to_string())];
    let server = TestServer::start_in(&settings, &move |_: &std::path::Path| variables.clone()).await;
    let admin = server.admin().await;

    let whole = admin.get("/config").await.expect(200);
    admin.put("/config", whole.clone()).await.expect(200);
    admin.put("/config/patch", whole.clone()).await.expect(200);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text(&original), "nothing changed, so nothing was written");

    rename(&admin, "Bridge").await;
    assert_eq!(changed(&file, &original), ["SiteName"]);
    admin.post("/config/reload", json!({})).await.expect_ok();
    rename(&admin, "Mattermost").await;
    let local = Client::on_socket(&socket);
    for (from, to) in [(&file, &copy), (&copy, &file)] {
        local.post("/config/migrate", json!({ "from": from, "to": to })).await.expect_ok();
        assert_eq!(changed(to, &original), [""; 0]);
    }
    assert_eq!(admin.get("/config").await.expect(200), whole);
}

async fn rename(admin: &Client, name: &str) {
    admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": name } })).await.expect(200);
}

/// Returns the keys whose value differs from the original.
fn changed(file: &std::path::Path, original: &Map<String, Value>) -> Vec<String> {
    let now = read_json(file);
    let now = now.as_object().unwrap();
    assert_eq!(now.keys().collect::<Vec<_>>(), original.keys().collect::<Vec<_>>());
    let sections =
        original.iter().map(|(name, section)| (section.as_object().unwrap(), now[name].as_object().unwrap()));
    let differing = sections.flat_map(|(was, is)| is.iter().filter(|(key, value)| was.get(*key) != Some(*value)));
    differing.map(|(key, _)| key.clone()).collect()
}
