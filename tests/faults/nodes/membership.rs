//! Which nodes there are.

use quarterdeck_actors::id::is_id;
use serde_json::{Value, json};

use super::Pair;
use crate::support::waiting::until;
use crate::support::{Client, TestServer, database};

#[actix_web::test]
async fn both_nodes_list_both_under_names_of_their_own_until_one_stops() {
    let Some(pair) = Pair::start().await else { return };
    let there = pair.at_other(&pair.admin);
    let list = async |client: &Client| client.get("/cluster/status").await.expect(200).as_array().unwrap().clone();
    for client in [&pair.admin, &there] {
        until("both are listed", async || list(client).await.len() == 2).await;
    }
    let nodes = list(&there).await;
    let names: Vec<&str> = nodes.iter().map(|node| node["name"].as_str().unwrap()).collect();
    assert_eq!(names[1], format!("{}-2", names[0]), "{nodes:?}");
    let is_self: Vec<&Value> = nodes.iter().map(|node| &node["is_self"]).collect();
    assert_eq!(is_self, [false, true]);
    for node in &nodes {
        let text = |name: &str| node[name].as_str().unwrap_or_else(|| panic!("{name}: {node}")).to_owned();
        assert!(is_id(&text("id")) && !text("hostname").is_empty(), "{node}");
        assert!(text("schema_version").parse::<u32>().unwrap() > 0, "{node}");
        // Empty where the database is on the same machine and no network lies between them.
        text("ipaddress");
        assert!(text("version") == env!("CARGO_PKG_VERSION") && !text("config_hash").is_empty(), "{node}");
    }
    let before = nodes[0]["config_hash"].clone();
    pair.admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": "Told" } })).await.expect(200);
    let is_told = async || {
        let nodes = list(&there).await;
        nodes.iter().all(|node| node["config_hash"] != before && node["config_hash"] == nodes[0]["config_hash"])
    };
    until("both tell the new version of the configuration", is_told).await;
    let Pair { one, other, admin, settings, .. } = pair;
    other.server.stop().await.unwrap();
    until("one is left", async || list(&admin).await.len() == 1).await;
    // Its name is free again.
    let third = one.start_beside(&settings).await;
    until("the third is listed", async || list(&admin).await.len() == 2).await;
    assert_eq!(list(&admin).await[1]["name"], names[1]);
    drop(third);
}

#[actix_web::test]
async fn a_dead_node_is_removed_and_one_that_was_taken_for_dead_joins_again() {
    let Some(pair) = Pair::start().await else { return };
    let count = async |sql: &str| pair.one.texts(sql).await[0].clone();
    pair.execute(
        "INSERT INTO qd_nodes SELECT 'dead', 'dead', '', '', '', '', 0, 0, qd_now() - 11000, 0 FROM qd_nodes LIMIT 1",
    )
    .await;
    until("it is removed", async || count("SELECT COUNT(*) FROM qd_nodes WHERE id = 'dead'").await == "0").await;
    pair.execute("DELETE FROM qd_nodes").await;
    until("both joined again", async || count("SELECT COUNT(*) FROM qd_nodes").await == "2").await;
}

#[actix_web::test]
async fn readiness_names_a_server_that_is_late_or_behind_and_stays_ready() {
    let Some(pair) = Pair::start().await else { return };
    let beat = async |name: &str, heartbeat: &str| {
        let row = format!("'{name}', '{name}', '', '', '', '', 0, 0, {heartbeat}, -5000");
        let renewed = "ON CONFLICT (id) DO UPDATE SET heartbeatat = excluded.heartbeatat";
        pair.execute(&format!("INSERT INTO qd_nodes VALUES ({row}) {renewed}")).await;
    };
    beat("behind", "qd_now() + 1000000").await;
    let client = pair.other.client();
    let says = async |line: &str| {
        let reply = client.get("//readyz?verbose").await;
        reply.status == 200 && reply.text().contains(line)
    };
    let is_behind = async || says("[!]server-behind degraded: more than 1,000 messages behind\n").await;
    until("the server behind is named", is_behind).await;
    let is_late = async || {
        beat("late", "qd_now() - 6000").await;
        says("[!]server-late degraded: no heartbeat for 5 s or longer\n").await
    };
    until("the late server is named", is_late).await;
}

#[actix_web::test]
async fn a_server_of_another_version_is_listed_and_a_question_that_it_puts_in_vain_is_answered() {
    let Some(pair) = Pair::start().await else { return };
    // A heartbeat as another version stores it, and a message and a question that only that version knows.
    pair.execute(
        "INSERT INTO qd_nodes SELECT 'later', 'later', '', '', '999.0.0', '', 999, 0, qd_now() + 1000000, 0 FROM qd_nodes LIMIT 1",
    )
    .await;
    pair.execute("INSERT INTO qd_outbox (node, kind, body) VALUES ('later', 'of_later', '{}')").await;
    let ask = "SELECT qd_ask('asked', 'later', 'of_later', '', 1000, ARRAY(SELECT id::text FROM qd_nodes WHERE id <> 'later'), 60000, 16)";
    pair.execute(ask).await;
    let answers = "SELECT state FROM qd_answers WHERE question = 'asked'";
    until("both answer", async || pair.one.texts(answers).await == ["unknown", "unknown"]).await;
    for client in [&pair.admin, &pair.at_other(&pair.admin)] {
        let version = async || {
            let nodes = client.get("/cluster/status").await.expect(200);
            let later = nodes.as_array().unwrap().iter().find(|node| node["id"] == "later").cloned();
            later.map(|later| later["version"].clone())
        };
        until("it is listed", async || version().await.is_some_and(|version| version == "999.0.0")).await;
    }
}

#[actix_web::test]
async fn a_start_makes_the_tables_of_the_cluster_in_its_own_form() {
    let Some(pair) = Pair::start().await else { return };
    // As another version leaves them, without a trigger of this one.
    pair.execute(
        "COMMENT ON TABLE qd_outbox IS 'another form'; DROP TRIGGER qd_configurations_changed ON configurations",
    )
    .await;
    let third = pair.one.start_beside(&pair.settings).await;
    let form = "SELECT obj_description('qd_outbox'::regclass)";
    assert!(pair.one.texts(form).await.concat().starts_with("form "), "{:?}", pair.one.texts(form).await);
    pair.admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": "Told" } })).await.expect(200);
    for base in [&pair.other.base, &third.base] {
        let client = pair.admin.at(base);
        let name = async || client.get("/config").await.expect(200)["TeamSettings"]["SiteName"].clone();
        until("the trigger tells the change", async || name().await == "Told").await;
    }
}

#[actix_web::test]
async fn a_server_on_the_embedded_database_has_no_other_nodes() {
    let Some(()) = database::only_embedded("its database belongs to one server") else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    assert_eq!(admin.get("/cluster/status").await.expect(200), serde_json::json!([]));
}
