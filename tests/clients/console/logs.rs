//! The log and the audit trail in the System Console.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::play;
use crate::support::server::account;
use crate::support::{Home, needs};

/// Returns settings with a log in `folder` that has some lines, for a server that does not write one itself.
pub(super) fn settings_with_log(folder: &Path) -> String {
    let levels = ["info", "warn", "error", "debug"];
    let lines = (0..40).fold(String::new(), |mut text, number| {
        let level = levels[number % 4];
        let line = json!({
            "timestamp": format!("2026-03-01 12:00:{number:02}.000 Z"), "level": level, "msg": format!("line {number}"),
            "caller": "web/example.rs:1", "request.id": format!("{number:026}"), "http.status": 200,
        });
        writeln!(text, "{line}").unwrap();
        text
    });
    std::fs::write(folder.join("mattermost.log"), lines).unwrap();
    format!("[LogSettings]\nFileLocation = \"{}\"\n", folder.display())
}

#[actix_web::test]
async fn an_administrator_reads_the_log_and_the_audit_trail() {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    // Only a process of its own writes a log.
    let home = Home::new("[LogSettings]\nFileLocation = \"logs\"\n").await;
    let process = home.start().await;
    process.client().post("/users", account("admin")).await.expect(201);
    let admin = process.client().log_in("admin").await;
    for name in ["plain", "reader"] {
        admin.post("/users", account(name)).await.expect(201);
    }
    process.client().log_in("plain").await;
    home.execute("UPDATE users SET roles = 'system_user system_read_only_admin' WHERE username = 'reader'").await;
    let steps = play("logs.mjs", [browser, console], &process.base, "").await;
    let step = |name: &str| steps.iter().find(|step| step["step"] == name).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let texts = |value: &Value| value.as_array().unwrap().iter().map(text).collect::<Vec<_>>();

    let filter = step("filter");
    assert!(text(&filter["stale"]).starts_with("The filter was changed."), "{filter}");
    assert!(text(&filter["fields"]).contains("client_message"), "{filter}");
    assert_eq!(filter["violations"], json!([]));
    let follow = step("follow");
    let newest = texts(&follow["newest"]);
    let is_new = |line: &String| line.contains("a line that comes later");
    assert!(newest.iter().any(is_new), "the newest lines come first: {follow}");
    // The lines of the scenario's own looks are seen, and that of a look whose answer was replaced by a newer one may be.
    assert!(follow["own"].as_u64().unwrap() <= follow["looks"].as_u64().unwrap() + 1, "{follow}");
    assert_eq!(follow["is_pressed"], "false", "{follow}");
    let sight = step("sight");
    assert_eq!(sight["hidden"], 0, "a page out of sight sends nothing");
    assert!(sight["visible"].as_u64().unwrap() >= 1, "{sight}");

    let download = step("download");
    let lines = download["count"].as_u64().unwrap();
    assert!(text(&download["shown"]).starts_with(&format!("{lines} line")), "{download}");
    assert!(text(&download["name"]).rsplit_once('.').unwrap().1 == "jsonl", "{download}");
    assert_eq!((&download["is_sorted"], &download["whole"]), (&json!(true), &json!(true)), "{download}");

    let links = step("links");
    let id = text(&links["id"]);
    assert!(text(&links["changes"]).contains("TeamSettings.SiteName\tMattermost\tHarbour"), "{links}");
    assert!(text(&links["record"]).contains(&id), "{links}");
    assert_eq!(links["violations"], json!([]));
    assert_eq!(text(&links["back"]), id, "the record leads back to the lines of its request");
    assert!(text(&links["count"]).starts_with("1 line"), "{links}");

    let trail = step("trail");
    assert_eq!(trail["events"], json!(["patchConfig"]), "{trail}");
    assert_eq!(trail["active"], "audit-lines-0");
    assert!(text(&trail["refusal"]).contains("Request"), "{trail}");
    assert!(texts(&trail["plain"]).contains(&"login".to_owned()), "{trail}");

    let many = step("many");
    assert!(text(&many["total"]).starts_with("100,000 lines"), "{many}");
    assert!(many["elements"].as_u64().unwrap() < 100, "only rows in sight are elements: {many}");
    assert!(text(&many["last"]).contains("made-up line 0"), "{many}");
    assert!(text(&many["plain"]).contains("INFO made-up line 0 http.status=200"), "{many}");
    assert_eq!(many["ends"], 0);

    let servers = step("servers");
    assert!(text(&servers["absent"]).contains("three") && text(&servers["total"]).starts_with("6 lines"), "{servers}");
    // The time between two looks, and that by which lines may be late: no server makes a look at all of them longer.
    let lags = servers["lags"].as_array().unwrap();
    assert!(lags.len() >= 5 && lags.iter().all(|lag| lag.as_u64().unwrap() <= 105), "{servers}");

    let reader = step("reader");
    assert!(text(&reader["record"]).contains("need the permission to manage the system"), "{reader}");
    assert_eq!(reader["found"], 1, "the record of the request: {reader}");
}
