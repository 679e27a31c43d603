//! The servers on one database, on the dashboard of the System Console.

use serde_json::json;

use super::play;
use crate::support::waiting::until;
use crate::support::{TestServer, database, needs};

#[actix_web::test]
async fn the_dashboard_lists_the_servers_where_there_are_several() {
    let Some(_) = database::only_postgres("servers share no embedded database") else { return };
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let other = server.start_beside("").await;
    let there = admin.at(&other.base);
    let nodes = async || there.get("/cluster/status").await.expect(200).as_array().unwrap().clone();
    until("both are listed", async || nodes().await.len() == 2).await;
    let names: Vec<String> = nodes().await.iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect();
    let steps = play("nodes.mjs", [browser, console], &other.base, "").await;
    assert_eq!(steps.len(), 3);
    for step in &steps[..2] {
        let rows: Vec<&str> = step["rows"].as_array().unwrap().iter().map(|row| row.as_str().unwrap()).collect();
        assert_eq!(rows.len(), 2, "{step}");
        assert!(rows[0].starts_with(&names[0]) && !rows[0].contains("answers this page"), "{step}");
        assert!(rows[1].starts_with(&names[1]) && rows[1].contains("answers this page"), "{step}");
        assert_eq!((&step["violations"], &step["isWide"]), (&json!([]), &json!(false)));
    }
}
