//! The servers on one database, in the System Console.

use serde_json::{Value, json};

use super::logs::settings_with_log;
use super::play;
use crate::support::waiting::until;
use crate::support::{TestServer, database, needs};

#[actix_web::test]
async fn the_servers_are_listed_and_their_logs_and_stores_are_shown_where_there_are_several() {
    let Some(_) = database::only_postgres("servers share no embedded database") else { return };
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let server = TestServer::start_with(&settings_with_log(folders[0].path())).await;
    let admin = server.admin().await;
    let other = server.start_beside(&settings_with_log(folders[1].path())).await;
    let there = admin.at(&other.base);
    let nodes = async || there.get("/cluster/status").await.expect(200).as_array().unwrap().clone();
    until("both are listed", async || nodes().await.len() == 2).await;
    let names: Vec<String> = nodes().await.iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect();
    let steps = play("nodes.mjs", [browser, console], &other.base, "").await;
    assert_eq!(steps.len(), 5);
    for step in &steps[..2] {
        let rows: Vec<&str> = step["rows"].as_array().unwrap().iter().map(|row| row.as_str().unwrap()).collect();
        assert_eq!(rows.len(), 2, "{step}");
        assert!(rows[0].starts_with(&names[0]) && !rows[0].contains("answers this page"), "{step}");
        assert!(rows[1].starts_with(&names[1]) && rows[1].contains("answers this page"), "{step}");
        assert_eq!((&step["violations"], &step["isWide"]), (&json!([]), &json!(false)));
    }
    // The server that answers the page is the first in its lists.
    let [theirs, own] = [&names[0], &names[1]];
    let log = &steps[2];
    assert_eq!(log["servers"], json!(["All servers", own, theirs]));
    let texts = |value: &Value| {
        value.as_array().unwrap().iter().map(|row| row.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = texts(&log["all"]);
    let is_of = |row: &&String, name: &str, line: &str| row.contains(&format!(" {name} ")) && row.contains(line);
    for (place, line) in [(0, "line 39"), (2, "line 38"), (4, "line 37")] {
        let pair = &all[place..place + 2];
        assert!([own, theirs].iter().all(|name| pair.iter().any(|row| is_of(&row, name, line))), "{all:?}");
    }
    assert!(texts(&log["one"]).iter().all(|row| is_of(&row, theirs, "line 3")), "{log}");
    assert_eq!(log["violations"], json!([]));
    assert_eq!(steps[3]["servers"].as_str().unwrap().replace('\n', " "), format!("{theirs} Passed"));
    assert_eq!(steps[3]["violations"], json!([]));
}
