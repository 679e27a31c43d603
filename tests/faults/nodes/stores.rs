//! The test of a file store on all nodes.

use serde_json::{Value, json};

use super::REASON;
use super::logs::QUESTIONS;
use crate::support::configuration::put_at;
use crate::support::steps::begin;
use crate::support::waiting::until;
use crate::support::{Client, Reply, TestServer, database};

const TEST: &str = "/file/s3_test";

/// Two servers on one database, each with a folder of its own for files, and the names of both.
struct Stores {
    one: TestServer,
    other: TestServer,
    admin: Client,
    names: Vec<String>,
}

impl Stores {
    async fn start() -> Self {
        let logs = tempfile::tempdir().unwrap();
        std::fs::write(logs.path().join("mattermost.log"), "").unwrap();
        let settings = format!("[LogSettings]\nFileLocation = \"{}\"\n", logs.path().display());
        let one = TestServer::start_with(&settings).await;
        let admin = one.admin().await;
        let other = one.start_beside("").await;
        let names = admin.node_name().await.split(", ").map(str::to_owned).collect();
        Self { one, other, admin, names }
    }

    /// Makes the folder of the other server unusable.
    fn break_other(&self) {
        let folder = self.other.folder().join("files");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::write(folder, "no folder").unwrap();
    }

    /// Tests a store, again while a server does not answer in time on a busy machine.
    async fn tested(&self, client: &Client, route: &str, body: Value) -> Reply {
        let mut tested = None;
        let is_complete = async || {
            let reply = client.post(route, body.clone()).await;
            let nodes = reply.header("X-Storage-Nodes");
            tested = Some(reply);
            !["=silent", "=version"].iter().any(|reason| nodes.contains(reason))
        };
        until("all servers answer", is_complete).await;
        tested.unwrap()
    }

    async fn questions(&self) -> u32 {
        self.one.texts(QUESTIONS).await[0].parse().unwrap()
    }
}

#[actix_web::test]
async fn a_store_in_force_is_tested_on_all_nodes_and_a_failure_names_its_node() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let stores = Stores::start().await;
    let (admin, name) = (&stores.admin, &stores.names[1]);
    let passed = stores.tested(admin, TEST, Value::Null).await;
    passed.expect_ok();
    assert_eq!(passed.header("X-Storage-Nodes"), format!("{name}=passed"));
    stores.break_other();
    for route in [TEST, "/file/test"] {
        let refused = stores.tested(admin, route, Value::Null).await;
        refused.expect_refusal(500, "api.file.test_connection.app_error");
        let message = refused.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(&format!("on the server {name}: ")), "{message}");
    }
    let report = stores.tested(admin, "/file/test?report=true", Value::Null).await.json()["report"].clone();
    assert_eq!((&report["nodes"][0]["node"], &report["nodes"][0]["outcome"]), (&json!(name), &json!("failed")));
    let step = report["nodes"][0]["trouble"]["step"].clone();
    assert_eq!(report["trouble"]["step"], step);
    let own = report["stages"].as_array().unwrap();
    assert!(own.iter().all(|stage| stage["outcome"] != "failed"), "{report}");
    // The server itself is named as well.
    let there = admin.at(&stores.other.base);
    let message = stores.tested(&there, TEST, Value::Null).await.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains(&format!("on the server {name}: ")), "{message}");
}

#[actix_web::test]
async fn lines_of_steps_name_their_node_and_the_report_comes_last() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let stores = Stores::start().await;
    stores.break_other();
    let mut steps = begin(&stores.one.base, &stores.admin, &Value::Null).await;
    let mut lines = steps.rest().await;
    let report = lines.pop().unwrap();
    assert_eq!((&report["event"], &report["report"]["nodes"][0]["outcome"]), (&json!("report"), &json!("failed")));
    for (name, outcome) in stores.names.iter().zip(["passed", "failed"]) {
        let own: Vec<&Value> = lines.iter().filter(|line| line["node"] == *name).collect();
        assert_eq!((&own[0]["event"], &own[0]["step"]), (&json!("started"), &json!("settings")), "{lines:?}");
        let last = own.last().unwrap();
        assert_eq!((&last["event"], &last["outcome"]), (&json!("ended"), &json!(outcome)), "{lines:?}");
    }
    assert!(lines.iter().all(|line| stores.names.iter().any(|name| line["node"] == *name)), "{lines:?}");
}

#[actix_web::test]
async fn settings_that_are_not_saved_stay_on_the_server_that_got_them() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let stores = Stores::start().await;
    let admin = &stores.admin;
    let before = stores.questions().await;
    let mut body = admin.config().await;
    put_at(&mut body, "FileSettings.AmazonS3SecretAccessKey", "typed-for-a-test");
    let passed = admin.post(TEST, body).await;
    passed.expect_ok();
    assert_eq!(passed.header("X-Storage-Nodes"), format!("{}=unsaved", stores.names[1]));
    let anna = stores.one.user(admin, "anna").await;
    anna.post(TEST, Value::Null).await.expect_refusal(403, "api.context.permissions.app_error");
    admin.post("/file/test", json!({})).await.expect_refusal(400, "api.file.test_connection_settings_nil.app_error");
    admin.post(TEST, Value::Null).await.expect_ok();
    assert_eq!(stores.questions().await, before + 1, "only the test of saved settings puts one");
}

#[actix_web::test]
async fn saved_settings_are_tested_at_once_in_the_version_that_was_saved() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let stores = Stores::start().await;
    for size in [1_000_000, 2_000_000] {
        stores.admin.set("FileSettings.MaxFileSize", size).await.expect(200);
        let passed = stores.tested(&stores.admin, TEST, stores.admin.config().await).await;
        passed.expect_ok();
        assert_eq!(passed.header("X-Storage-Nodes"), format!("{}=passed", stores.names[1]));
    }
}
