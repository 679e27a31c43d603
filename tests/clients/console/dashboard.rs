//! The dashboard, the statistics, the licence and the tools of the System Console.

use serde_json::{Value, json};

use super::play;
use crate::support::license::Seller;
use crate::support::needs;

#[actix_web::test]
async fn an_administrator_looks_at_the_server_and_uses_its_tools() {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let seller = Seller::new().await;
    let server = seller.server("").await;
    let admin = server.admin().await;
    server.staff(&admin, "reader", "system_read_only_admin").await;
    let license =
        seller.license(&["--users", "10", "--company", "Example", "--name", "Anna", "--feature", "ldap"]).await;
    let steps = play("dashboard.mjs", [browser, console], &server.base, &license).await;
    let step = |name: &str| steps.iter().find(|step| step["step"] == name).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();

    let dashboard = step("dashboard");
    assert_eq!(dashboard["address"], "/admin_console/reporting/dashboard", "the first page");
    for part in ["Server", "Database", "File storage", "Event hub"] {
        let tile = json!([part, "Works"]);
        assert!(dashboard["tiles"].as_array().unwrap().contains(&tile), "{part}: {dashboard}");
    }
    assert!(dashboard["actors"].as_array().unwrap().len() > 10, "{dashboard}");
    assert!(text(&dashboard["attention"]).contains("No site URL is set"), "{dashboard}");
    assert_eq!(dashboard["is_refused"], true, "more than a day");
    assert!((590..=600).contains(&dashboard["seconds"].as_i64().unwrap()), "{dashboard}");
    assert!(text(&dashboard["marked"]).contains("Marked as busy until"), "{dashboard}");
    let plots =
        ["requests", "errors", "latency", "memory", "sockets", "connections"].map(|name| format!("plot-{name}"));
    assert_eq!(dashboard["plots"], json!(plots));
    assert_eq!(
        (&dashboard["drawn"], &dashboard["requested"]),
        (&json!(6), &json!([])),
        "the WebSocket tells the figures"
    );
    assert!(text(&dashboard["live"]).contains("slowest 5 %"), "{dashboard}");

    let statistics = step("statistics");
    assert_eq!((&statistics["accounts"], &statistics["posts"]), (&json!("2"), &json!("0")), "{statistics}");
    assert!(text(&statistics["size"]).starts_with("0 byte"), "{statistics}");
    assert_eq!(statistics["total"], "All posts: 0 in total · Posts of bots: 0 in total");
    assert_eq!((&statistics["days"], &statistics["canvases"]), (&json!(30), &json!(2)));

    let license = step("license");
    assert!(text(&license["none"]).contains("No licence is installed."), "{license}");
    let refusal = text(&license["refusal"]);
    assert!(refusal.starts_with("The licence was not installed. ") && refusal.contains("Request"), "{refusal}");
    let in_force = text(&license["in_force"]);
    assert!(["Example", "Anna", "10", "LDAP"].iter().all(|part| in_force.contains(part)), "{in_force}");
    assert_eq!((&license["trial"], &license["kept"]), (&json!(0), &json!(1)));
    assert!(text(&license["question"]).contains("Remove the licence?"), "{license}");
    assert_eq!(admin.get("/license/client?format=old").await.text(), r#"{"IsLicensed":"false"}"#);

    let tools = step("tools");
    assert!(text(&tools["ended"]["caches"]).starts_with("The caches are empty."), "{tools}");
    assert!(text(&tools["ended"]["recycle"]).starts_with("Every connection is being replaced."), "{tools}");
    assert!(text(&tools["ended"]["reload"]).starts_with("The configuration that was read is in force."), "{tools}");
    assert!(text(&tools["ended"]["testMail"]).len() > 10, "{tools}");
    assert!(text(&tools["ended"]["testPush"]).starts_with("Push notifications are off."), "{tools}");
    assert!(text(&tools["reached"]).contains("answers there."), "{tools}");
    assert_eq!(tools["stale"], 0, "an outcome for another address is not shown");
    assert!(text(&tools["missed"]).starts_with("The site URL does not work"), "{tools}");
    assert!(text(&tools["integrity"]).contains("--unix-socket"), "{tools}");

    let packet = step("packet");
    let files = packet["files"].as_array().unwrap();
    assert!(files.contains(&json!("sanitized_config.json")), "{packet}");
    assert!(text(&packet["name"]).starts_with("mm_support_packet"), "{packet}");
    assert_eq!(packet["start"], "PK");

    let reader = step("reader");
    assert_eq!((&reader["busy"], &reader["upload"]), (&json!(0), &json!(0)));
    let buttons = reader["buttons"].as_array().unwrap();
    assert!(buttons.is_empty(), "{reader}");
    for name in ["dashboard", "statistics", "license", "packet", "reader"] {
        assert_eq!(step(name)["violations"], json!([]), "{name}");
    }
}
