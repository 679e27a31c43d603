//! The product notices in the System Console.

use serde_json::json;

use super::play;
use crate::support::needs;
use crate::support::notices::{Noticed, entry, entry_if};

#[actix_web::test]
async fn an_administrator_reads_the_notices_and_is_shown_them_once() {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let noticed = Noticed::start("").await;
    noticed.server.staff(&noticed.admin, "reader", "system_read_only_admin").await;
    let leading = |id: &str, address: &str| {
        let mut entry = entry_if(id, json!({ "audience": "sysadmin" }));
        let message = json!({ "title": "<b>Support ends</b>", "description": "Plan an upgrade.", "image": "https://elsewhere.example/x.png",
            "action": "url", "actionParam": address, "actionText": "Dates" });
        entry["localizedMessages"]["en"] = message;
        entry
    };
    let linked = leading("linked", "https://elsewhere.example/dates");
    let hostile = leading("hostile", "javascript:alert(document.cookie)");
    noticed.tell(json!([linked, hostile, entry("plain")])).await;
    let steps = play("notices.mjs", [browser, console], &noticed.server.base, "").await;
    let step = |name: &str| steps.iter().find(|step| step["step"] == name).unwrap();

    let page = step("page");
    assert!(page["told"].as_str().unwrap().contains("3 notices about the product are unread."), "{page}");
    assert_eq!(step("again")["soon"], 0);
    let text = page["text"].as_str().unwrap();
    assert!(text.contains("<b>Support ends</b>") && text.contains("Read it."), "{page}");
    assert_eq!(text.matches("for system administrators").count(), 2, "{page}");
    let links = json!([{ "href": "https://elsewhere.example/dates", "rel": "noopener noreferrer", "text": "Dates" }]);
    assert_eq!((&page["links"], &page["elements"]), (&links, &json!(0)), "no text becomes markup or a script");
    let left = step("one")["left"].as_str().unwrap();
    assert!(left.contains("About plain") && left.matches("Support ends").count() == 1, "{left}");
    assert!(!step("all")["attention"].as_str().unwrap().contains("unread"), "{}", step("all"));
    let reader = step("reader");
    let text = reader["text"].as_str().unwrap();
    assert!(text.contains("About plain") && !text.contains("Support ends"), "{reader}");
    assert_eq!(
        (&page["violations"], &reader["violations"], &reader["isWide"]),
        (&json!([]), &json!([]), &json!(false))
    );
    let viewed = noticed.rows("SELECT noticeid FROM productnoticeviewstate ORDER BY noticeid").await;
    assert_eq!(viewed, ["hostile", "linked", "plain"], "only the administrator has marked notices");
}
